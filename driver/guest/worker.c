/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See worker.h. */
#include "guest/worker.h"

#include "loop/call.h"

/* Files are synced, so a few at once share a write of the file system's journal. */
enum { THREADS = 16 };

typedef struct {
    KilnWorkFunc func;
    KilnWorkDone done;
    gpointer work;
    GError *error; /* (nullable) */
} Item;

static GThreadPool *pool;
static guint pending; /* of the main thread */

static void
finish(gpointer data)
{
    Item *item = data;

    pending--;
    item->done(item->work, item->error);
    g_clear_error(&item->error);
    g_free(item);
}

static void
work(gpointer data, gpointer unused)
{
    Item *item = data;

    (void)item->func(item->work, &item->error);
    kiln_call_later(NULL, finish, item);
}

void
kiln_worker_run(KilnWorkFunc func, KilnWorkDone done, gpointer data)
{
    Item *item = g_new0(Item, 1);

    if (pool == NULL)
        pool = g_thread_pool_new(work, NULL, THREADS, FALSE, NULL);
    *item = (Item){ func, done, data, NULL };
    pending++;
    (void)g_thread_pool_push(pool, item, NULL); /* queued also when no thread can be made */
}

void
kiln_worker_drain(void)
{
    while (pending > 0)
        g_main_context_iteration(NULL, TRUE);
}
