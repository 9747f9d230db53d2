/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of most chains: a regular file or a block device, by the context's io_uring.  With
 * O_DIRECT, requests or guest buffers that are not aligned go through a bounce buffer of the layer.
 * The file is locked with open file description locks on the same bytes, and with the same meaning,
 * as QEMU's (its block/file-posix.c: permission bytes from 100, shared bytes from 200), so that
 * kiln and QEMU refuse each other what would hurt.
 */
#ifndef KILN_BLOCK_FILE_H
#define KILN_BLOCK_FILE_H

#include "block/block.h"
#include "loop/uring.h"

/**
 * KilnBlockFileOptions:
 * @path: for messages; opened unless @fd is given; copied
 * @fd: an open descriptor to be taken over, or -1
 * @uring: of the chain's context; borrowed
 * @read_only: opened O_RDONLY
 * @direct: O_DIRECT (cache none and directsync)
 * @no_flush: flushes do nothing (cache unsafe)
 * @shared: others may write it too (<shareable/>): locked so
 * @lock: take locks at all
 * @grows: the format above makes it longer: also locked so
 * @discard: discards and KILN_BLOCK_MAY_UNMAP give space back; else they do not
 * @block_device: it has to be one (<disk type='block'>)
 */
typedef struct {
    const char *path;
    int fd;
    KilnUring *uring;
    GMainContext *context;
    gboolean read_only;
    gboolean direct;
    gboolean no_flush;
    gboolean shared;
    gboolean lock;
    gboolean grows;
    gboolean discard;
    gboolean block_device;
} KilnBlockFileOptions;

/**
 * kiln_block_file_open:
 *
 * A write past the end makes the file longer, what is read past its end is zero (of a file that
 * shrank as well).  The disk's length is rounded up to 512.
 *
 * Returns: (transfer full): NULL with @error set: no such file, a directory, no permission (naming
 *   the component), in use (naming the holder where it can be known), no O_DIRECT there.
 */
KilnBlock *kiln_block_file_open(const KilnBlockFileOptions *options, GError **error);

#endif
