/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See thread.h.  new -> start -> iterate … -> stop: quit, wake, join. */
#include "loop/thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.h"

enum {
    MAX_THREAD_NAME = 15, /* TASK_COMM_LEN less its NUL */
    ACQUIRE_US = 50,
};

struct KilnLoopThread {
    char *name;            /* (owned): as the kernel will have it */
    GMainContext *context; /* (owned) */
    gboolean started;      /* of whoever starts and stops it */
    pthread_t thread;      /* if @started */
    gint quit;             /* (atomic) */
    gint id;               /* (atomic): of the kernel */
};

static void *
thread_main(void *data)
{
    KilnLoopThread *thread = data;

    pthread_setname_np(pthread_self(), thread->name);
    g_atomic_int_set(&thread->id, gettid());
    /* Who starts the thread may be inside the context for a moment still. */
    while (!g_main_context_acquire(thread->context))
        g_usleep(ACQUIRE_US);
    g_main_context_push_thread_default(thread->context);
    while (!g_atomic_int_get(&thread->quit))
        g_main_context_iteration(thread->context, TRUE);
    g_main_context_pop_thread_default(thread->context);
    g_main_context_release(thread->context);
    return NULL;
}

KilnLoopThread *
kiln_loop_thread_new(const char *name)
{
    KilnLoopThread *thread = g_new0(KilnLoopThread, 1);

    thread->name = g_strndup(name, MAX_THREAD_NAME);
    thread->context = g_main_context_new();
    return thread;
}

gboolean
kiln_loop_thread_start(KilnLoopThread *thread, GError **error)
{
    sigset_t all, old;
    int errnum;

    if (thread->started)
        return TRUE;
    g_atomic_int_set(&thread->quit, FALSE);
    sigfillset(&all); /* the new thread takes over the mask of this one */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    errnum = pthread_create(&thread->thread, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (errnum != 0)
        return kiln_error_set_errno(error, errnum, "cannot start the thread '%s'", thread->name);
    thread->started = TRUE;
    return TRUE;
}

GMainContext *
kiln_loop_thread_context(KilnLoopThread *thread)
{
    return thread->context;
}

pid_t
kiln_loop_thread_id(const KilnLoopThread *thread)
{
    return g_atomic_int_get(&thread->id);
}

void
kiln_loop_thread_stop(KilnLoopThread *thread)
{
    if (!thread->started)
        return;
    g_atomic_int_set(&thread->quit, TRUE);
    g_main_context_wakeup(thread->context);
    pthread_join(thread->thread, NULL);
    g_atomic_int_set(&thread->id, 0);
    thread->started = FALSE;
}

void
kiln_loop_thread_free(KilnLoopThread *thread)
{
    if (thread == NULL)
        return;
    kiln_loop_thread_stop(thread);
    g_main_context_unref(thread->context);
    g_free(thread->name);
    g_free(thread);
}
