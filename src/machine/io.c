/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See io.h. */
#include "machine/io.h"

#include "base/error.h"
#include "loop/call.h"
#include "loop/thread.h"
#include "machine/pin.h"

enum { RING_ENTRIES = 256 }; /* as many as a queue has descriptors by default */

typedef struct {
    guint id;
    KilnLoopThread *thread; /* (owned) */
    KilnUring *uring;       /* (owned) (nullable) */
    KilnUring *pool;        /* (owned) (nullable) the same interface, by threads */
} IoThread;

struct KilnIoThreads {
    const KilnDomain *domain;
    GArray *list; /* (owned) of IoThread */
};

KilnIoThreads *
kiln_io_threads_new(const KilnDomain *domain)
{
    KilnIoThreads *threads = g_new0(KilnIoThreads, 1);

    threads->domain = domain;
    threads->list = g_array_new(FALSE, FALSE, sizeof(IoThread));
    return threads;
}

void
kiln_io_threads_foreach(KilnIoThreads *threads,
                        void (*visit)(guint id, pid_t thread, gpointer data), gpointer data)
{
    for (guint i = 0; i < threads->list->len; i++) {
        const IoThread *thread = &g_array_index(threads->list, IoThread, i);
        pid_t id = kiln_loop_thread_id(thread->thread);

        if (id != 0)
            visit(thread->id, id, data);
    }
}

void
kiln_io_threads_stop(KilnIoThreads *threads)
{
    for (guint i = 0; i < threads->list->len; i++)
        kiln_loop_thread_stop(g_array_index(threads->list, IoThread, i).thread);
}

void
kiln_io_threads_free(KilnIoThreads *threads)
{
    if (threads == NULL)
        return;
    kiln_io_threads_stop(threads);
    for (guint i = 0; i < threads->list->len; i++) {
        const IoThread *thread = &g_array_index(threads->list, IoThread, i);

        kiln_uring_free(thread->uring);
        kiln_uring_free(thread->pool);
        kiln_loop_thread_free(thread->thread);
    }
    g_array_unref(threads->list);
    g_free(threads);
}

static IoThread *
find(KilnIoThreads *threads, guint id)
{
    for (guint i = 0; i < threads->list->len; i++) {
        if (g_array_index(threads->list, IoThread, i).id == id)
            return &g_array_index(threads->list, IoThread, i);
    }
    return NULL;
}

static IoThread *
find_or_add(KilnIoThreads *threads, guint id)
{
    IoThread *thread = find(threads, id);
    g_autofree char *name = NULL;
    IoThread anew = { .id = id };

    if (thread != NULL)
        return thread;
    name = id == KILN_IO_SHARED ? g_strdup("io") : g_strdup_printf("io%u", id);
    anew.thread = kiln_loop_thread_new(name);
    g_array_append_val(threads->list, anew);
    return find(threads, id);
}

gboolean
kiln_io_threads_get(KilnIoThreads *threads, guint id, KilnUringEngine engine,
                    GMainContext **context, KilnUring **uring, GError **error)
{
    IoThread *thread = find_or_add(threads, id);
    KilnUring **ring = engine == KILN_URING_THREADS ? &thread->pool : &thread->uring;

    *context = kiln_loop_thread_context(thread->thread);
    if (*ring == NULL) {
        *ring = kiln_uring_open(*context, RING_ENTRIES, engine, error);
        if (*ring != NULL)
            kiln_uring_set_polling(*ring, KILN_POLL_MAX_NS, 0, 0);
    }
    if (*ring != NULL && engine == KILN_URING_NATIVE && !kiln_uring_is_native(*ring))
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "io_uring is not to be had here, so another disk of this I/O thread "
                              "is served by threads; say io='threads'");
    *uring = *ring;
    return *uring != NULL;
}

/* <iothreadpin>, else <emulatorpin>, else <vcpu cpuset=>. */
static const KilnBitmap *
cpus_of(const KilnDomain *domain, guint id)
{
    for (guint i = 0; i < domain->cputune.iothread_pins->len; i++) {
        const KilnPin *pin = g_ptr_array_index(domain->cputune.iothread_pins, i);

        if (id != KILN_IO_SHARED && pin->thread.value == id)
            return pin->cpuset;
    }
    return domain->cputune.emulator_pin != NULL ? domain->cputune.emulator_pin
                                                : domain->vcpus.cpuset;
}

typedef struct {
    guint id;
    const KilnBitmap *cpus;
    GError *error;
} Pinning;

static void
pin_itself(gpointer data)
{
    Pinning *pinning = data;
    g_autofree char *whose = g_strdup_printf("I/O thread %u", pinning->id);

    (void)kiln_pin_thread(pthread_self(), pinning->cpus, whose, &pinning->error);
}

static gboolean
start(KilnIoThreads *threads, const IoThread *thread, GError **error)
{
    Pinning pinning = { thread->id, cpus_of(threads->domain, thread->id), NULL };

    if (!kiln_loop_thread_start(thread->thread, error))
        return FALSE;
    if (pinning.cpus == NULL)
        return TRUE;
    kiln_call_wait(kiln_loop_thread_context(thread->thread), pin_itself, &pinning);
    if (pinning.error == NULL)
        return TRUE;
    g_propagate_error(error, pinning.error);
    return FALSE;
}

gboolean
kiln_io_threads_start(KilnIoThreads *threads, GError **error)
{
    for (guint i = 0; i < threads->list->len; i++) {
        if (!start(threads, &g_array_index(threads->list, IoThread, i), error))
            return FALSE;
    }
    return TRUE;
}
