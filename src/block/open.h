/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk's chain, from a plain description: "throttle > zeroes > qcow2 > slice > file", and the
 * same for what it lies on.
 *
 * A format is never guessed from contents: an image of which nobody says what it is, neither the
 * definition nor the image that names it as its backing file, is raw.  Its bytes are passed through
 * as they are, also the first ones, since nothing will ever take them for a header.
 */
#ifndef KILN_BLOCK_OPEN_H
#define KILN_BLOCK_OPEN_H

#include "block/block.h"
#include "block/throttle.h"
#include "loop/uring.h"

typedef struct KilnBlockOptions KilnBlockOptions;

/* Of <driver cache=>: whether the host's cache is used, whether a write waits for the disk, and
 * whether a flush does. */
typedef enum {
    KILN_BLOCK_CACHE_WRITEBACK, /* the default */
    KILN_BLOCK_CACHE_WRITETHROUGH,
    KILN_BLOCK_CACHE_NONE,
    KILN_BLOCK_CACHE_DIRECTSYNC,
    KILN_BLOCK_CACHE_UNSAFE,
} KilnBlockCache;

typedef enum {
    KILN_BLOCK_DETECT_ZEROES_OFF,
    KILN_BLOCK_DETECT_ZEROES_ON,
    KILN_BLOCK_DETECT_ZEROES_UNMAP, /* as ON if @discard is not set */
} KilnBlockDetectZeroes;

/**
 * KilnBlockOpener:
 * @name: what an image says of its backing image that is no file: "nbd://…"; hostile
 *
 * Returns: (transfer full): the end of a chain, read-only; NULL with @error set.
 */
typedef KilnBlock *(*KilnBlockOpener)(const char *name, gpointer data, GError **error);

/**
 * KilnBlockOptions:
 * @format: (nullable): "raw", "qcow2"; NULL is raw
 * @path: of the file; for messages if @fd or @end is given
 * @fd: open, to be taken over, or -1.  Taken over also when opening fails
 * @end: (nullable) (transfer full): of the chain, instead of a file: an NBD disk
 * @block_device: @path has to be one
 * @shared: others may write it too
 * @no_lock: take no locks
 * @slice_offset, @slice_length: bytes of the file that are meant; both 0: all
 * @throttle: (nullable): referenced
 * @backing_given: the image lies on @backing, or on nothing if that is NULL, whatever it says
 * itself
 * @backing: (nullable): how it is opened; always read-only, with this one's cache, ring and context
 * @metadata_cache, @discard_no_unref: of qcow2.h
 * @uring, @context: of the chain's thread; borrowed
 * @open_other: (nullable): for backing images that are recorded and no files
 */
struct KilnBlockOptions {
    const char *format;
    const char *path;
    int fd;
    KilnBlock *end;
    gboolean block_device;
    gboolean read_only;
    gboolean shared;
    gboolean no_lock;
    KilnBlockCache cache;
    gboolean discard;
    KilnBlockDetectZeroes detect_zeroes;
    uint64_t slice_offset;
    uint64_t slice_length;
    KilnThrottleGroup *throttle;
    gboolean backing_given;
    const KilnBlockOptions *backing;
    uint64_t metadata_cache;
    gboolean discard_no_unref;
    KilnUring *uring;
    GMainContext *context;
    KilnBlockOpener open_other;
    gpointer opener_data;
};

/**
 * kiln_block_open_chain:
 *
 * In the thread of the context, or while nobody runs it.  With KILN_BLOCK_CACHE_WRITETHROUGH and
 * DIRECTSYNC the chain's writes are done when they are on stable storage.
 *
 * Returns: (transfer full): NULL with @error set, which names the file.
 */
KilnBlock *kiln_block_open_chain(const KilnBlockOptions *options, GError **error);

#endif
