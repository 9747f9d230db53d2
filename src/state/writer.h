/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the stream of state/format.h, section by section. */
#ifndef KILN_STATE_WRITER_H
#define KILN_STATE_WRITER_H

#include "state/state.h"

typedef struct KilnStateWriter KilnStateWriter;

/**
 * kiln_state_writer_new:
 * Returns: (transfer full): a writer with an empty stream.
 */
KilnStateWriter *kiln_state_writer_new(void);
void kiln_state_writer_free(KilnStateWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnStateWriter, kiln_state_writer_free)

/**
 * kiln_state_writer_add:
 * @description: what is saved
 * @instance: no section of this name and instance was added before
 * @object: its pre_save is called, then its members are read
 */
void kiln_state_writer_add(KilnStateWriter *writer, const KilnStateDescription *description,
                           uint32_t instance, void *object);

/**
 * kiln_state_writer_finish:
 * @writer: (transfer full): freed
 *
 * Returns: (transfer full): the finished stream.
 */
GByteArray *kiln_state_writer_finish(KilnStateWriter *writer);

#endif
