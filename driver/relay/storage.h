/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage for a daemon that is alone on its host: directories are pools, the files in them volumes.
 * It is no more than what programs need to find and make disk images:
 *
 *   call -> decoded -> pools (storage-pool.c), files (storage-volume.c) -> answer
 *
 * Files are looked at when they are asked for.  What stands in an image is its guest's: nothing of
 * it is believed but whether it is qcow2, and its size.
 *
 * One thread owns a KilnStorage and may wait for disks: storage-thread.c has one of its own.
 */
#ifndef KILN_RELAY_STORAGE_H
#define KILN_RELAY_STORAGE_H

#include "rpc/client.h"

typedef struct KilnStorage KilnStorage;

/**
 * kiln_storage_new:
 * @directory: of the pool "default"; definitions of others are kept in it too
 */
KilnStorage *kiln_storage_new(const char *directory);
void kiln_storage_free(KilnStorage *storage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnStorage, kiln_storage_free)

/* Whether it serves that procedure. */
gboolean kiln_storage_serves(int procedure);

/**
 * kiln_storage_answer:
 * @packet: a call that it serves, of any client
 *
 * Returns: (transfer full): the answer, or an error.
 */
GBytes *kiln_storage_answer(KilnStorage *storage, const KilnPacket *packet);

/* ---- storage-thread.c ---- */

/* Once: from now on, calls are answered in a thread. */
void kiln_storage_start(const char *directory);

/* Main thread.  FALSE: it is not served here. */
gboolean kiln_storage_call(KilnClient *client, const KilnPacket *packet);

#endif
