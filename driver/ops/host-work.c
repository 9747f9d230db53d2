/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/host-work.h"

#include <gio/gio.h>

typedef struct {
    KilnCall *call;
    gpointer data; /* (owned) */
    GDestroyNotify free_data;
    gboolean (*work)(gpointer data, GError **error);
    void (*done)(KilnCall *call, gpointer data);
} Job;

static void
run(GTask *task, G_GNUC_UNUSED gpointer source, gpointer data, G_GNUC_UNUSED GCancellable *none)
{
    Job *job = data;
    GError *error = NULL;

    if (job->work(job->data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
ended(G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Job *job = data;
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error))
        kiln_call_fail_error(job->call, error);
    else if (job->done != NULL)
        job->done(job->call, job->data);
    else
        kiln_call_reply(job->call, NULL);
    if (job->free_data != NULL)
        job->free_data(job->data);
}

void
kiln_ops_host_work(KilnCall *call, gpointer data, GDestroyNotify free_data,
                   gboolean (*work)(gpointer data, GError **error),
                   void (*done)(KilnCall *call, gpointer data))
{
    Job *job = g_new(Job, 1);
    g_autoptr(GTask) task = NULL;

    *job = (Job){ .call = call, .data = data, .free_data = free_data, .work = work, .done = done };
    task = g_task_new(NULL, NULL, ended, job);
    g_task_set_task_data(task, job, NULL);
    g_task_run_in_thread(task, run);
}
