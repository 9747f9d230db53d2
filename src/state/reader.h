/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the stream of state/format.h, which may be anything: open checks the frame, check reads a
 * section without storing it, load stores it, finish tells whether there was more than was asked
 * for.
 */
#ifndef KILN_STATE_READER_H
#define KILN_STATE_READER_H

#include "state/state.h"

typedef struct KilnStateReader KilnStateReader;

/**
 * kiln_state_reader_open:
 * @data: (array length=length): the whole stream; must outlive the reader and not change
 *
 * Returns: (transfer full): a reader, or NULL with @error set if the frame is not in order: bad
 * magic or version, a section cut short or there twice, a wrong checksum, bytes after the end.
 */
KilnStateReader *kiln_state_reader_open(const uint8_t *data, size_t length, GError **error);
void kiln_state_reader_free(KilnStateReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnStateReader, kiln_state_reader_free)

/**
 * kiln_state_reader_check:
 *
 * Reads and checks every field of the section, and stores nothing.
 *
 * Returns: TRUE, or FALSE with @error set: the section is missing, its version is too old or new,
 * it is too short or too long, or a field has a value that it may not have.
 */
gboolean kiln_state_reader_check(KilnStateReader *reader, const KilnStateDescription *description,
                                 uint32_t instance, GError **error);

/**
 * kiln_state_reader_load:
 *
 * As kiln_state_reader_check, then stores the fields into @object and calls its post_load.
 *
 * Returns: TRUE, or FALSE with @error set; @object is untouched unless it was post_load that
 * failed.
 */
gboolean kiln_state_reader_load(KilnStateReader *reader, const KilnStateDescription *description,
                                uint32_t instance, void *object, GError **error);

/**
 * kiln_state_reader_finish:
 *
 * Returns: TRUE if each section of the stream was checked or loaded, else FALSE with @error naming
 *   the first that nobody asked for.
 */
gboolean kiln_state_reader_finish(KilnStateReader *reader, GError **error);

#endif
