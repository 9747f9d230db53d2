/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that can wait in the middle: each has a stack of its own, and goes on when it is
 * entered again.  A pool and its coroutines are of one thread at a time; while none of them is
 * inside a function, another thread may take the pool over.
 *
 *   start -> func … yield -> (whoever entered it goes on) … enter -> func goes on … returns -> pool
 */
#ifndef KILN_LOOP_COROUTINE_H
#define KILN_LOOP_COROUTINE_H

#include <glib.h>

typedef struct KilnCoroutinePool KilnCoroutinePool;
typedef struct KilnCoroutine KilnCoroutine;
typedef void (*KilnCoroutineFunc)(gpointer data);

enum { KILN_COROUTINE_STACK = 128 * 1024 }; /* bytes; a page below it is not mapped */

/**
 * kiln_coroutine_pool_new:
 * @keep: stacks that are kept for the next; more are made when they are needed
 *
 * Returns: (transfer full): a pool with no stack yet: the first use of each allocates it.
 */
KilnCoroutinePool *kiln_coroutine_pool_new(unsigned keep);

/* No coroutine is inside its function. */
void kiln_coroutine_pool_free(KilnCoroutinePool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnCoroutinePool, kiln_coroutine_pool_free)

/**
 * kiln_coroutine_new:
 * @func: runs at the first kiln_coroutine_enter(); when it returns, the coroutine goes back to
 *   @pool and is no more
 *
 * Returns: (transfer none): never NULL.
 */
KilnCoroutine *kiln_coroutine_new(KilnCoroutinePool *pool, KilnCoroutineFunc func, gpointer data);

/* Runs it until it yields or ends.  Not from inside itself; from inside another it returns there.
 */
void kiln_coroutine_enter(KilnCoroutine *coroutine);

/* From inside @coroutine: whoever entered it goes on, until it is entered again. */
void kiln_coroutine_yield(KilnCoroutine *coroutine);

#endif
