/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mutexes and condition variables on pthread, which ThreadSanitizer understands (GLib's own are not
 * instrumented), and locks that a scope holds: `KILN_LOCK_SCOPE(&device->lock);`.
 */
#ifndef KILN_BASE_LOCK_H
#define KILN_BASE_LOCK_H

#include <glib.h>
#include <pthread.h>

typedef pthread_mutex_t KilnMutex;
typedef pthread_cond_t KilnCond;

static inline void
kiln_mutex_init(KilnMutex *mutex)
{
    int failed = pthread_mutex_init(mutex, NULL);

    g_assert(failed == 0);
}

static inline void
kiln_mutex_clear(KilnMutex *mutex)
{
    pthread_mutex_destroy(mutex);
}

static inline void
kiln_mutex_lock(KilnMutex *mutex)
{
    int failed = pthread_mutex_lock(mutex);

    g_assert(failed == 0);
}

static inline void
kiln_mutex_unlock(KilnMutex *mutex)
{
    int failed = pthread_mutex_unlock(mutex);

    g_assert(failed == 0);
}

static inline void
kiln_lock_scope_end(KilnMutex **held)
{
    kiln_mutex_unlock(*held);
}

#define KILN_LOCK_SCOPE_NAME_(line) kiln_held_##line
#define KILN_LOCK_SCOPE_NAME(line)  KILN_LOCK_SCOPE_NAME_(line)

/* Takes @mutex now and gives it back at the end of the enclosing scope. */
#define KILN_LOCK_SCOPE(mutex)                                                                     \
    __attribute__((cleanup(kiln_lock_scope_end), unused)) KilnMutex *KILN_LOCK_SCOPE_NAME(         \
        __LINE__) = (kiln_mutex_lock(mutex), (mutex))

static inline void
kiln_cond_init(KilnCond *cond)
{
    int failed = pthread_cond_init(cond, NULL);

    g_assert(failed == 0);
}

static inline void
kiln_cond_clear(KilnCond *cond)
{
    pthread_cond_destroy(cond);
}

/* Waits with @mutex held; may wake without cause, so call it in a loop over its condition. */
static inline void
kiln_cond_wait(KilnCond *cond, KilnMutex *mutex)
{
    pthread_cond_wait(cond, mutex);
}

/* As kiln_cond_wait, until @end_us of g_get_monotonic_time() at the latest. */
static inline void
kiln_cond_wait_until(KilnCond *cond, KilnMutex *mutex, gint64 end_us)
{
    struct timespec end = { .tv_sec = end_us / G_USEC_PER_SEC,
                            .tv_nsec = end_us % G_USEC_PER_SEC * 1000 };

    pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &end);
}

static inline void
kiln_cond_broadcast(KilnCond *cond)
{
    pthread_cond_broadcast(cond);
}

#endif
