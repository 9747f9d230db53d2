/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An io_uring as a source of a GMainContext: one a context.  What is queued while the thread works
 * is submitted together when it next goes to sleep, or when there are 8: a batch costs one system
 * call.
 *
 *   kiln_uring_readv() … -> the thread sleeps: io_uring_enter -> completions -> op->done
 *
 * The thread of a context that is not the default one sleeps in the ring itself, which watches the
 * context's other descriptors too.  Sources of such a context are freed by kiln_source_free(), so
 * that the ring learns when the number of a descriptor may be another file's.
 *
 * All functions but open and free: in the thread that runs the context, or in any one while nobody
 * does and nothing is under way.  Nothing allocates.
 */
#ifndef KILN_LOOP_URING_H
#define KILN_LOOP_URING_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

#include "loop/polling.h"

typedef struct KilnUring KilnUring;
typedef struct KilnUringOp KilnUringOp;

/**
 * KilnUringOp:
 * @done: @result is what the system call of that name returns, or -errno.  @op may be used again or
 *   freed from here
 *
 * Embedded in the caller's request, who sets @done before, and touches nothing while it is under
 * way.  The other members are the ring's.
 */
struct KilnUringOp {
    void (*done)(KilnUringOp *op, int result);
    KilnUringOp *next;  /* of those that wait for room in the ring, or for a worker */
    const void *buffer; /* iovec array, or the bytes */
    uint64_t offset;
    uint64_t length; /* of fallocate; iovecs of readv and writev */
    int fd;
    int flags; /* RWF_…, mode of fallocate, events of poll */
    int result;
    uint8_t opcode; /* IORING_OP_… */
};

/**
 * KilnUringEngine:
 * @KILN_URING_AUTO: io_uring, or threads where the host forbids it
 * @KILN_URING_NATIVE: io_uring or an error
 * @KILN_URING_THREADS: a few threads with preadv and pwritev (<driver io='threads'/>)
 */
typedef enum {
    KILN_URING_AUTO,
    KILN_URING_NATIVE,
    KILN_URING_THREADS,
} KilnUringEngine;

/**
 * kiln_uring_open:
 * @context: (nullable): NULL is the default context
 * @entries: operations that can be under way, a power of 2; more than that wait for their turn
 * @engine: what does the work
 *
 * May be called before the context's thread is started, and before the sandbox.  The ring is
 * restricted to the operations below.
 *
 * Returns: (transfer full): NULL with @error set, naming the limit or setting that forbids it
 *   (kernel.io_uring_disabled, RLIMIT_MEMLOCK).
 */
KilnUring *kiln_uring_open(GMainContext *context, unsigned entries, KilnUringEngine engine,
                           GError **error);

/* Nothing is under way any more. */
void kiln_uring_free(KilnUring *uring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnUring, kiln_uring_free)

/* The iovec array (and the bytes) must live until @op is done.  @offset UINT64_MAX: a socket or tap
 * that has none; with nothing there to be read, it waits unless @fd has O_NONBLOCK (-EAGAIN). */
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

/* Once any of @events (POLLIN, …) is so; @result is those that are.  io_uring only: -ENOTSUP. */
void kiln_uring_poll(KilnUring *uring, KilnUringOp *op, int fd, short events);

/* @target, a poll or a read without offset, ends soon with -ECANCELED, unless it is done first;
 * @op's own result says little.  Both stay alive until they are done. */
void kiln_uring_cancel(KilnUring *uring, KilnUringOp *op, KilnUringOp *target);

/**
 * kiln_uring_add_file:
 * @fd: stays open until kiln_uring_remove_file()
 *
 * Operations of @fd are a little cheaper from now on.  Nothing happens if there is no room.  Before
 * the first operation of @fd.
 */
void kiln_uring_add_file(KilnUring *uring, int fd);
void kiln_uring_remove_file(KilnUring *uring, int fd);

/**
 * kiln_uring_set_polling:
 * @max_ns: how long the thread looks for work at most before it sleeps; 0: not at all.  The start
 *   value is 0
 * @grow, @shrink: of <poll>; 0 is the default
 *
 * Only a thread that sleeps in its ring looks.
 */
void kiln_uring_set_polling(KilnUring *uring, uint64_t max_ns, unsigned grow, unsigned shrink);

/* What the thread asks while it looks, besides its descriptors; not from inside a poller, and never
 * called if the thread does not sleep in the ring. */
void kiln_uring_add_poller(KilnUring *uring, const KilnPoller *poller);
void kiln_uring_remove_poller(KilnUring *uring, gpointer data);

/* Submits now what is queued. */
void kiln_uring_submit(KilnUring *uring);

/* Operations that are not done yet. */
unsigned kiln_uring_in_flight(const KilnUring *uring);

/* Whether it is io_uring that does the work. */
gboolean kiln_uring_is_native(const KilnUring *uring);

#endif
