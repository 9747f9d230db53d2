/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/events.h"

#include "base/be.h"
#include "rpc/call.h"
#include "rpc/client-private.h"
#include "rpc/events-private.h"
#include "rpc/frame.h"

enum { REGISTRATIONS_MAX = 4096 }; /* of one client */

typedef struct {
    gint32 callback; /* what the client knows it by */
    int event_id;
    gboolean filtered; /* to the domain of that uuid */
    guint8 uuid[VIR_UUID_BUFLEN];
} Registration;

/* By VIR_DOMAIN_EVENT_ID_*.  Every message begins with its callbackID. */
static const struct {
    int procedure;
    xdrproc_t codec;
} kinds[] = {
#define KIND(id, number, lower)                                                                    \
    [VIR_DOMAIN_EVENT_ID_##id] = { REMOTE_PROC_DOMAIN_EVENT_##number,                              \
                                   (xdrproc_t)xdr_remote_domain_event_##lower##_msg }
    KIND(LIFECYCLE, CALLBACK_LIFECYCLE, callback_lifecycle),
    KIND(REBOOT, CALLBACK_REBOOT, callback_reboot),
    KIND(RTC_CHANGE, CALLBACK_RTC_CHANGE, callback_rtc_change),
    KIND(WATCHDOG, CALLBACK_WATCHDOG, callback_watchdog),
    KIND(IO_ERROR, CALLBACK_IO_ERROR, callback_io_error),
    KIND(GRAPHICS, CALLBACK_GRAPHICS, callback_graphics),
    KIND(IO_ERROR_REASON, CALLBACK_IO_ERROR_REASON, callback_io_error_reason),
    KIND(CONTROL_ERROR, CALLBACK_CONTROL_ERROR, callback_control_error),
    KIND(BLOCK_JOB, CALLBACK_BLOCK_JOB, callback_block_job),
    KIND(DISK_CHANGE, CALLBACK_DISK_CHANGE, callback_disk_change),
    KIND(TRAY_CHANGE, CALLBACK_TRAY_CHANGE, callback_tray_change),
    KIND(PMWAKEUP, CALLBACK_PMWAKEUP, callback_pmwakeup),
    KIND(PMSUSPEND, CALLBACK_PMSUSPEND, callback_pmsuspend),
    KIND(BALLOON_CHANGE, CALLBACK_BALLOON_CHANGE, callback_balloon_change),
    KIND(PMSUSPEND_DISK, CALLBACK_PMSUSPEND_DISK, callback_pmsuspend_disk),
    KIND(DEVICE_REMOVED, CALLBACK_DEVICE_REMOVED, callback_device_removed),
    KIND(BLOCK_JOB_2, BLOCK_JOB_2, block_job_2),
    KIND(TUNABLE, CALLBACK_TUNABLE, callback_tunable),
    KIND(AGENT_LIFECYCLE, CALLBACK_AGENT_LIFECYCLE, callback_agent_lifecycle),
    KIND(DEVICE_ADDED, CALLBACK_DEVICE_ADDED, callback_device_added),
    KIND(MIGRATION_ITERATION, CALLBACK_MIGRATION_ITERATION, callback_migration_iteration),
    KIND(JOB_COMPLETED, CALLBACK_JOB_COMPLETED, callback_job_completed),
    KIND(DEVICE_REMOVAL_FAILED, CALLBACK_DEVICE_REMOVAL_FAILED, callback_device_removal_failed),
    KIND(METADATA_CHANGE, CALLBACK_METADATA_CHANGE, callback_metadata_change),
    KIND(BLOCK_THRESHOLD, BLOCK_THRESHOLD, block_threshold),
    KIND(MEMORY_FAILURE, MEMORY_FAILURE, memory_failure),
    KIND(MEMORY_DEVICE_SIZE_CHANGE, MEMORY_DEVICE_SIZE_CHANGE, memory_device_size_change),
#undef KIND
};

G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == KILN_DOMAIN_EVENTS);

/* ---- Registration ---- */

static void
on_register(KilnCall *call, gconstpointer data)
{
    const remote_connect_domain_event_callback_register_any_args *args = data;
    remote_connect_domain_event_callback_register_any_ret ret = { 0 };
    KilnClient *client = kiln_call_client(call);
    Registration registration = { .event_id = args->eventID, .filtered = args->dom != NULL };

    if (args->eventID < 0 || args->eventID >= KILN_DOMAIN_EVENTS) {
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "unsupported event ID %d", args->eventID);
        return;
    }
    if (client->registrations == NULL)
        client->registrations = g_array_new(FALSE, FALSE, sizeof registration);
    if (client->registrations->len >= REGISTRATIONS_MAX) {
        kiln_call_fail(call, VIR_ERR_OPERATION_FAILED, "more than %d event callbacks",
                       REGISTRATIONS_MAX);
        return;
    }
    if (registration.filtered)
        memcpy(registration.uuid, args->dom->uuid, sizeof registration.uuid);
    ret.callbackID = registration.callback = client->last_callback;
    client->last_callback = client->last_callback == G_MAXINT32 ? 0 : client->last_callback + 1;
    g_array_append_val(client->registrations, registration);
    client->server->n_wanted[args->eventID]++;
    kiln_call_reply(call, &ret);
}

static void
on_deregister(KilnCall *call, gconstpointer data)
{
    const remote_connect_domain_event_callback_deregister_any_args *args = data;
    KilnClient *client = kiln_call_client(call);

    for (guint i = 0; client->registrations != NULL && i < client->registrations->len; i++) {
        const Registration *registration = &g_array_index(client->registrations, Registration, i);

        if (registration->callback == args->callbackID) {
            client->server->n_wanted[registration->event_id]--;
            g_array_remove_index(client->registrations, i);
            kiln_call_reply(call, NULL);
            return;
        }
    }
    kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "domain event callback %d not registered",
                   args->callbackID);
}

void
kiln_events_forget(KilnServer *server, KilnClient *client)
{
    for (guint i = 0; client->registrations != NULL && i < client->registrations->len; i++)
        server->n_wanted[g_array_index(client->registrations, Registration, i).event_id]--;
    g_clear_pointer(&client->registrations, g_array_unref);
}

/* ---- Delivery ---- */

static void
send_to(KilnClient *client, GBytes *event, gint32 callback)
{
    gsize length = 0;
    const guint8 *data = g_bytes_get_data(event, &length);
    guint8 *copy = g_memdup2(data, length);
    g_autoptr(GBytes) packet = g_bytes_new_take(copy, length);

    kiln_be32_store(copy + KILN_FRAME_HEADER_SIZE, (guint32)callback);
    kiln_client_queue(client, packet, NULL, 0);
}

static void
deliver(KilnClient *client, int event_id, const guint8 *uuid, GBytes *event)
{
    for (guint i = 0; client->registrations != NULL && i < client->registrations->len; i++) {
        const Registration *registration = &g_array_index(client->registrations, Registration, i);

        if (registration->event_id == event_id &&
            (!registration->filtered ||
             memcmp(registration->uuid, uuid, sizeof registration->uuid) == 0))
            send_to(client, event, registration->callback);
    }
}

gboolean
kiln_events_wanted(KilnServer *server, int event_id)
{
    g_assert(event_id >= 0 && event_id < KILN_DOMAIN_EVENTS);
    return server->n_wanted[event_id] > 0;
}

void
kiln_events_emit(KilnServer *server, int event_id, const guint8 *uuid, gpointer message)
{
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .type = KILN_FRAME_MESSAGE,
    };
    g_autoptr(GBytes) event = NULL;

    if (!kiln_events_wanted(server, event_id))
        return;
    header.procedure = kinds[event_id].procedure;
    event = kiln_frame_encode(&header, 0, kinds[event_id].codec, message);
    if (event == NULL)
        return;
    /* Nobody is closed while something is queued, so that the list stays as it is. */
    for (GList *at = server->clients.head; at != NULL; at = at->next)
        deliver(at->data, event_id, uuid, event);
}

static const KilnProcedure rows[] = {
    KILN_PROC(CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
              connect_domain_event_callback_register_any, KILN_ACCESS_READ, on_register),
    KILN_PROC_ARGS(CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
                   connect_domain_event_callback_deregister_any, KILN_ACCESS_READ, on_deregister),
};

const KilnProcedureTable kiln_events_table = { rows, G_N_ELEMENTS(rows) };
