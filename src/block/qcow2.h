/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The qcow2 format (QEMU's docs/interop/qcow2.txt, versions 2 and 3) as a layer: "qcow2 > file".
 *
 *   request -> L2 table in the cache, clusters there and in a row -> child, same iov, nothing
 *                allocated
 *           -> anything else (table not in the cache, allocation, copy on write, compressed, many
 *                pieces) -> a coroutine
 *
 * The image is safe at any instant: after a kill or a power cut it has at most leaked clusters, and
 * what was flushed is there.  See qcow2-flush.c for the order of writes.
 */
#ifndef KILN_BLOCK_QCOW2_H
#define KILN_BLOCK_QCOW2_H

#include "block/block.h"

enum { KILN_QCOW2_MAX_DEPTH = 200 }; /* images in a chain; more are taken for a loop */

/**
 * KilnQcow2Opener:
 * @name: (nullable): what the image says, NULL if nothing: a path (relative to the image's own
 *   directory unless it begins with '/') or an URL, or "json:…"; hostile
 * @format: what the image says: "raw", "qcow2" or any other text, hostile; "raw" where it says
 *   nothing (contents are never probed)
 * @depth: for the options of a qcow2 that is opened there
 *
 * Called while the image is opened, for its backing image, which is to be opened read-only, or its
 * external data file.  A loop ends in an error, by @depth.
 *
 * Returns: (transfer full) (nullable): it gives zeroes for the rest of the sector in which it ends;
 *   NULL with @error set, or without it: there is to be none (a backing image only).
 */
typedef KilnBlock *(*KilnQcow2Opener)(const char *name, const char *format, unsigned depth,
                                      gpointer data, GError **error);

/**
 * KilnQcow2Options:
 * @path: for messages; borrowed while the image is opened
 * @child: (transfer full): the file.  A write past its end makes it longer (if not, the guest gets
 *   -ENOSPC or what the child says), a read past its end gives zeroes: its ops->submit is called,
 *   not kiln_block_submit().  Taken over also when opening fails
 * @open_backing: (nullable): NULL: an image that has a backing image is refused
 * @ask_backing: @open_backing is called even if the image names no backing image
 * @open_data: (nullable): for an external data file; NULL: such an image is refused
 * @opener_data: given to both
 * @depth: 0 for the topmost image, else what the opener was given
 * @read_only: never written, also not to repair it
 * @cache_bytes: most memory for tables (metadata_cache max_size); 0: 32 MiB, as QEMU.  Never more
 *   than the disk's size needs
 * @discard_no_unref: a discarded cluster stays allocated, and reads as zeroes
 *   (<driver discard_no_unref='on'/>)
 * @keep_space: clusters that become free are not given back to the host (discard='ignore'); they
 *   are used again
 * @snapshot: (nullable): id or name of an internal snapshot to be shown instead of the disk;
 *   @read_only is TRUE
 */
typedef struct {
    const char *path;
    KilnBlock *child;
    KilnQcow2Opener open_backing;
    gboolean ask_backing;
    KilnQcow2Opener open_data;
    gpointer opener_data;
    unsigned depth;
    gboolean read_only;
    uint64_t cache_bytes;
    gboolean discard_no_unref;
    gboolean keep_space;
    const char *snapshot;
} KilnQcow2Options;

/**
 * kiln_qcow2_open:
 *
 * In the thread of the child's context, or while nobody runs that context: it is iterated here
 * until the image is read.  The same goes for resizing and closing the layer, when its tables are
 * written: another thread's context would be waited for in vain.
 *
 * Returns: (transfer full): NULL with @error set: what is wrong with the image, or what it uses
 *   that this kiln does not have.
 */
KilnBlock *kiln_qcow2_open(const KilnQcow2Options *options, GError **error);

#endif
