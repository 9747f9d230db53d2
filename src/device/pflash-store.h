/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file behind a flash bank that can be written.
 *
 *   programmed bytes -> pwrite, before the guest goes on -> main loop -> thread: fdatasync
 *
 * What the guest was told is done is in the host's page cache, so a process that is killed or
 * crashes loses nothing.  The disk follows some milliseconds behind: a vCPU thread never waits for
 * it, since who pauses or ends the guest waits for vCPU threads.
 */
#ifndef KILN_DEVICE_PFLASH_STORE_H
#define KILN_DEVICE_PFLASH_STORE_H

#include <glib.h>
#include <stdint.h>

#include "base/fd.h"

typedef struct KilnPflashStore KilnPflashStore;

/**
 * kiln_pflash_store_new:
 * @name: of the bank, for the thread and the log
 * @fd: (transfer full): open for reading and writing; closed on error too
 *
 * No thread is started before something was written.  Main thread.
 *
 * Returns: NULL with @error set.
 */
KilnPflashStore *kiln_pflash_store_new(const char *name, KilnFd fd, GError **error);

/* Waits until the disk has what was written.  Main thread. */
void kiln_pflash_store_free(KilnPflashStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnPflashStore, kiln_pflash_store_free)

/**
 * kiln_pflash_store_write:
 *
 * Any thread, one at a time.
 *
 * Returns: FALSE, and the log says why, if the host takes it not; what was not taken is the
 *   caller's to write again.
 */
gboolean kiln_pflash_store_write(KilnPflashStore *store, const void *data, uint64_t length,
                                 uint64_t offset);

#endif
