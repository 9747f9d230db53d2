/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What does the work of a KilnUring where io_uring is forbidden or not wanted: a few threads that
 * make the system calls.  Threads are started when there is work for them.
 */
#ifndef KILN_LOOP_URING_POOL_H
#define KILN_LOOP_URING_POOL_H

#include "loop/uring.h"

typedef struct KilnUringPool KilnUringPool;

/* Returns: (transfer full): no thread yet; NULL with @error set. */
KilnUringPool *kiln_uring_pool_open(GError **error);

/* No operation is under way. */
void kiln_uring_pool_free(KilnUringPool *pool);

/* An eventfd that is readable when operations are done. */
int kiln_uring_pool_fd(const KilnUringPool *pool);

/* Gives @op to a worker.  The thread of the ring's context. */
void kiln_uring_pool_push(KilnUringPool *pool, KilnUringOp *op);

/* Whether kiln_uring_pool_take() has any. */
gboolean kiln_uring_pool_ready(KilnUringPool *pool);

/* Returns: (nullable): operations that are done, linked by @next, with their results. */
KilnUringOp *kiln_uring_pool_take(KilnUringPool *pool);

#endif
