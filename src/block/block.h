/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a disk's bytes come from: a chain of layers with the same ops, the file (or NBD connection)
 * at its end: "throttle > qcow2 > file".
 *
 *   device: request -> kiln_block_submit(top) -> layer's own part of the request -> next layer …
 *           -> io_uring -> … -> request->done
 *
 * No layer allocates for a request: whoever submits one gives kiln_block_request_size() bytes
 * behind it, in which each layer has its part.  All requests of a chain are submitted, and are
 * done, in the thread of the chain's context; opening and closing is the main thread's, while
 * nothing is in flight.  Layers check nothing again that kiln_block_submit() has checked.
 */
#ifndef KILN_BLOCK_BLOCK_H
#define KILN_BLOCK_BLOCK_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct KilnBlock KilnBlock;
typedef struct KilnBlockRequest KilnBlockRequest;

/**
 * KilnBlockOp:
 * @KILN_BLOCK_READ: @length bytes at @offset into @iov
 * @KILN_BLOCK_WRITE: from @iov
 * @KILN_BLOCK_FLUSH: all writes that were done before it was submitted are on stable storage
 * @KILN_BLOCK_DISCARD: the bytes may be forgotten; what they read as afterwards is not said
 * @KILN_BLOCK_WRITE_ZEROES: they read as zeroes afterwards
 */
typedef enum {
    KILN_BLOCK_READ,
    KILN_BLOCK_WRITE,
    KILN_BLOCK_FLUSH,
    KILN_BLOCK_DISCARD,
    KILN_BLOCK_WRITE_ZEROES,
} KilnBlockOp;

typedef enum {
    KILN_BLOCK_FUA = 1 << 0,       /* WRITE, WRITE_ZEROES: done means on stable storage */
    KILN_BLOCK_MAY_UNMAP = 1 << 1, /* WRITE_ZEROES: the host's space may be given back */
} KilnBlockFlags;

/**
 * KilnBlockRequest:
 * @iov: stays as it is until @done, also the array; its bytes may be guest memory, which changes
 *   under the reader.  Sums up to @length
 * @done: @result is 0 or -errno; a short read or write is none of the submitter's worry.  May be
 *   called before kiln_block_submit() returns
 * @scratch: kiln_block_request_size() bytes, aligned to 16; belongs to the layers until @done
 */
struct KilnBlockRequest {
    KilnBlockOp op;
    unsigned flags;  /* KilnBlockFlags */
    uint64_t offset; /* bytes */
    uint64_t length; /* bytes */
    const struct iovec *iov;
    unsigned n_iov;
    void (*done)(KilnBlockRequest *request, int result);
    void *scratch;
};

/**
 * KilnBlockOps:
 * @name: "qcow2"
 * @submit: takes the request; in the chain's thread
 * @resized: (nullable): main thread, nothing in flight: the child has a new length
 * @resize: (nullable): main thread, nothing in flight: makes the image @length bytes long; NULL: it
 *   cannot be
 * @free: frees the layer, not its child.  Main thread, nothing in flight: the image is left clean
 */
typedef struct {
    const char *name;
    void (*submit)(KilnBlock *block, KilnBlockRequest *request);
    void (*resized)(KilnBlock *block);
    gboolean (*resize)(KilnBlock *block, uint64_t length, GError **error);
    void (*free)(KilnBlock *block);
} KilnBlockOps;

/* A layer's own struct begins with it; filled in by its open. */
struct KilnBlock {
    const KilnBlockOps *ops;
    KilnBlock *child;       /* (owned) (nullable): what the layer stands on */
    GMainContext *context;  /* (nullable): borrowed; of the chain's thread */
    uint64_t length;        /* bytes of the disk */
    uint32_t alignment;     /* bytes: requests and (memory) buffers that are cheap; 1 if all are */
    uint32_t block_size;    /* bytes: what a request must be a multiple of; the host disk's */
    uint32_t physical_size; /* bytes: best size of a write */
    uint32_t discard_granularity; /* bytes; 0: a discard does nothing */
    gboolean read_only;
    gboolean rotational;
    gboolean write_through; /* of the topmost layer: every write is KILN_BLOCK_FUA */
    size_t request_size;    /* bytes of scratch of this layer with those below, a multiple of 16 */
};

/**
 * kiln_block_submit:
 *
 * Checks the request against the disk (range, sizes, writes to what is read-only) and hands it to
 * the layer; what it does not like is done with -EINVAL, -EROFS or -EIO at once.
 */
void kiln_block_submit(KilnBlock *block, KilnBlockRequest *request);

/* Bytes that a submitter gives as scratch. */
size_t kiln_block_request_size(const KilnBlock *block);

/**
 * kiln_block_resize:
 * @length: bytes, a multiple of 512
 *
 * Main thread, nothing in flight.  A disk that grows reads as zeroes there; of one that shrinks the
 * end is lost.
 *
 * Returns: TRUE, or FALSE with @error set and the disk as it was.
 */
gboolean kiln_block_resize(KilnBlock *block, uint64_t length, GError **error);

/* Closes a chain, from the top; nothing is in flight.  Main thread. */
void kiln_block_free(KilnBlock *block);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnBlock, kiln_block_free)

#endif
