/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that runs a GMainContext of its own.  The context is there from the start, so sources
 * can be attached first; the thread is started when there is work for it.
 */
#ifndef KILN_LOOP_THREAD_H
#define KILN_LOOP_THREAD_H

#include <glib.h>
#include <sys/types.h>

typedef struct KilnLoopThread KilnLoopThread;

/**
 * kiln_loop_thread_new:
 * @name: of the thread in /proc; the kernel keeps the first 15 bytes
 *
 * Returns: (transfer full): a context with no thread yet.
 */
KilnLoopThread *kiln_loop_thread_new(const char *name);

/**
 * kiln_loop_thread_start:
 *
 * Starts the thread, with all signals blocked, unless it was started before.  Only one thread at a
 * time may start, stop or free it.
 *
 * Returns: TRUE, or FALSE with @error set.
 */
gboolean kiln_loop_thread_start(KilnLoopThread *thread, GError **error);

/**
 * kiln_loop_thread_context:
 * Returns: (transfer none): the context.  Any thread.
 */
GMainContext *kiln_loop_thread_context(KilnLoopThread *thread);

/* The kernel's id of the thread, for tools that pin or account it; 0 if it does not run.  Any
 * thread. */
pid_t kiln_loop_thread_id(const KilnLoopThread *thread);

/**
 * kiln_loop_thread_stop:
 *
 * Lets the callback that is being run finish, and waits until the thread has ended.  Not from the
 * thread itself.  It may be started again.
 */
void kiln_loop_thread_stop(KilnLoopThread *thread);

/**
 * kiln_loop_thread_free:
 * @thread: (nullable) (transfer full): stopped first
 */
void kiln_loop_thread_free(KilnLoopThread *thread);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnLoopThread, kiln_loop_thread_free)

#endif
