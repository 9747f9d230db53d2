/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pflash-store.h. */
#include "device/pflash-store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/event.h"
#include "loop/thread.h"

struct KilnPflashStore {
    char *name; /* (owned) */
    KilnFd fd;  /* (owned) */
    KilnRatelimit log_limit;
    atomic_bool dirty;      /* written since the last fdatasync that succeeded began */
    atomic_bool pending;    /* somebody has been told so, and has not begun */
    KilnEvent written;      /* vCPU -> main, which alone may start a thread */
    KilnEvent work;         /* main -> thread */
    KilnLoopThread *thread; /* (owned) */
    GSource *written_source, *work_source;
};

static void
sync_file(KilnPflashStore *store)
{
    int failed;

    atomic_store(&store->pending, false);
    if (!atomic_exchange(&store->dirty, false))
        return;
    do
        failed = fdatasync(store->fd);
    while (failed != 0 && errno == EINTR);
    if (failed == 0)
        return;
    atomic_store(&store->dirty, true); /* again with the next write, or at the end */
    kiln_log_guest(&store->log_limit, "%s: cannot flush the file: %s", store->name,
                   g_strerror(errno));
}

static void
on_work(gpointer data)
{
    sync_file(data);
}

static void
on_written(gpointer data)
{
    KilnPflashStore *store = data;
    g_autoptr(GError) error = NULL;

    if (kiln_loop_thread_start(store->thread, &error)) {
        kiln_event_set(&store->work);
        return;
    }
    atomic_store(&store->pending, false); /* the next write tries again */
    kiln_log_guest(&store->log_limit, "%s: %s", store->name, error->message);
}

gboolean
kiln_pflash_store_write(KilnPflashStore *store, const void *data, uint64_t length, uint64_t offset)
{
    int failed = kiln_write_full(store->fd, data, length, (off_t)offset);

    if (failed != 0) {
        kiln_log_guest(&store->log_limit, "%s: cannot write the file: %s", store->name,
                       g_strerror(-failed));
        return FALSE;
    }
    atomic_store(&store->dirty, true);
    if (!atomic_exchange(&store->pending, true))
        kiln_event_set(&store->written);
    return TRUE;
}

void
kiln_pflash_store_free(KilnPflashStore *store)
{
    if (store == NULL)
        return;
    kiln_loop_thread_free(store->thread);
    kiln_source_free(store->written_source);
    kiln_source_free(store->work_source);
    kiln_event_clear(&store->written);
    kiln_event_clear(&store->work);
    sync_file(store);
    kiln_fd_clear(&store->fd);
    g_free(store->name);
    g_free(store);
}

KilnPflashStore *
kiln_pflash_store_new(const char *name, KilnFd fd, GError **error)
{
    g_autoptr(KilnPflashStore) store = g_new0(KilnPflashStore, 1);

    store->name = g_strdup(name);
    store->fd = fd;
    store->written.fd = store->work.fd = -1;
    if (!kiln_event_open(&store->written, error) || !kiln_event_open(&store->work, error))
        return NULL;
    store->thread = kiln_loop_thread_new(name);
    store->work_source = kiln_event_source_new(
        &store->work, kiln_loop_thread_context(store->thread), on_work, store);
    store->written_source = kiln_event_source_new(&store->written, NULL, on_written, store);
    return g_steal_pointer(&store);
}
