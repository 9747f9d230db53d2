/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An io_uring as a source of a GMainContext: one a context.  What is queued while the thread works
 * is submitted together when it next goes to sleep (or when the ring is full), so a batch costs one
 * system call.
 *
 *   kiln_uring_read() … -> source's prepare: io_uring_submit -> poll -> completions -> op->done
 *
 * All functions but open and free: in the thread that runs the context.  Nothing allocates.
 */
#ifndef KILN_LOOP_URING_H
#define KILN_LOOP_URING_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct KilnUring KilnUring;
typedef struct KilnUringOp KilnUringOp;

/**
 * KilnUringOp:
 * @done: @result is what the system call of that name returns, or -errno.  @op may be used again or
 *   freed from here
 *
 * Embedded in the caller's request, and untouched by it while under way.
 */
struct KilnUringOp {
    void (*done)(KilnUringOp *op, int result);
};

/**
 * kiln_uring_open:
 * @context: (nullable): NULL is the default context
 * @entries: operations that can be queued between two submissions, a power of 2; more than that are
 *   submitted early
 *
 * May be called before the context's thread is started, and before the sandbox.  The ring is
 * restricted to the operations below.
 *
 * Returns: (transfer full): NULL with @error set, naming the limit or setting that forbids it
 *   (kernel.io_uring_disabled, RLIMIT_MEMLOCK).
 */
KilnUring *kiln_uring_open(GMainContext *context, unsigned entries, GError **error);

/* Nothing is under way any more. */
void kiln_uring_free(KilnUring *uring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnUring, kiln_uring_free)

/* The iovec array (and the bytes) must live until @op is done. */
void kiln_uring_readv(KilnUring *uring, KilnUringOp *op, int fd, const struct iovec *iov,
                      unsigned n_iov, uint64_t offset);

/* @flags: RWF_DSYNC or 0. */
void kiln_uring_writev(KilnUring *uring, KilnUringOp *op, int fd, const struct iovec *iov,
                       unsigned n_iov, uint64_t offset, int flags);

/* Data of @fd that was written before is on stable storage. */
void kiln_uring_fdatasync(KilnUring *uring, KilnUringOp *op, int fd);

/* @mode as of fallocate(2). */
void kiln_uring_fallocate(KilnUring *uring, KilnUringOp *op, int fd, int mode, uint64_t offset,
                          uint64_t length);

/* Submits now what is queued. */
void kiln_uring_submit(KilnUring *uring);

/* Operations that are not done yet. */
unsigned kiln_uring_in_flight(const KilnUring *uring);

#endif
