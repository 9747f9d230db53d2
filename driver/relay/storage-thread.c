/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Storage has a thread of its own, since directories may be on disks that do not answer; whoever
 * else is served goes on meanwhile.
 *
 *   main: call -> queue -> thread: answer -> main: to the client
 */
#include "relay/storage.h"

#include "rpc/frame.h"

/* A call on its way to the thread and back.  The client is touched in the main thread alone. */
typedef struct {
    KilnClient *client; /* (owned) */
    GBytes *call;       /* (owned) */
    GBytes *answer;     /* (owned) (nullable) */
} Job;

static char *storage_directory; /* (owned) (nullable): of the jobs from now on */
static GThreadPool *thread;     /* of one */

static void
job_free(Job *job)
{
    kiln_client_unref(job->client);
    g_bytes_unref(job->call);
    g_clear_pointer(&job->answer, g_bytes_unref);
    g_free(job);
}

static gboolean
on_answered(gpointer data)
{
    Job *job = data;

    kiln_client_send_packet(job->client, job->answer);
    job_free(job);
    return G_SOURCE_REMOVE;
}

static void
run_job(gpointer data, gpointer user_data)
{
    static KilnStorage *storage; /* the thread's: there is one job at a time */
    Job *job = data;
    KilnPacket *packet = kiln_frame_parse(g_bytes_ref(job->call));

    if (storage == NULL)
        storage = kiln_storage_new(user_data);
    job->answer = kiln_storage_answer(storage, packet);
    kiln_packet_free(packet);
    g_idle_add_full(G_PRIORITY_DEFAULT, on_answered, job, NULL);
}

void
kiln_storage_start(const char *directory)
{
    if (storage_directory == NULL)
        storage_directory = g_strdup(directory);
}

gboolean
kiln_storage_call(KilnClient *client, const KilnPacket *packet)
{
    Job *job;

    if (storage_directory == NULL || !kiln_storage_serves(packet->procedure))
        return FALSE;
    if (thread == NULL)
        thread = g_thread_pool_new(run_job, storage_directory, 1, FALSE, NULL);
    job = g_new0(Job, 1);
    job->client = kiln_client_ref(client);
    job->call = g_bytes_ref(packet->bytes);
    g_thread_pool_push(thread, job, NULL);
    return TRUE;
}
