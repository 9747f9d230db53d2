/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fake-call.h. */
#include "tests/driver/fake-call.h"

#include "relay/relay.h"
#include "rpc/events.h"

#include <check.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

struct KilnClient {
    int references;
    gpointer driver;
    const char *uri;
    gboolean read_only;
    gboolean closed;
    gboolean keepalive;
    void (*on_close)(KilnClient *client, gpointer data);
    gpointer on_close_data;
    GBytes *sent;
};

struct KilnCall {
    KilnClient *client;
    const KilnProcedure *procedure;
    gpointer args;
    FakeEnd *end;
};

enum { WIRE_BYTES = 1 << 20 };

/* What tests look at as long as they run: answers, with all that is in them. */
static GPtrArray *kept;

gpointer
fake_keep(gpointer what)
{
    if (kept == NULL)
        kept = g_ptr_array_new();
    g_ptr_array_add(kept, what);
    return what;
}

/* Through the codec and back: (transfer full). */
static gpointer
through(xdrproc_t codec, gsize size, gconstpointer value)
{
    g_autofree char *wire = g_malloc(WIRE_BYTES);
    gpointer back = g_malloc0(size);
    XDR xdr;

    xdrmem_create(&xdr, wire, WIRE_BYTES, XDR_ENCODE);
    ck_assert(codec(&xdr, (gpointer)value, 0));
    xdrmem_create(&xdr, wire, WIRE_BYTES, XDR_DECODE);
    ck_assert(codec(&xdr, back, 0));
    return back;
}

/* ---- rpc/call.h ---- */

KilnClient *
kiln_call_client(const KilnCall *call)
{
    return call->client;
}

gpointer
kiln_call_driver(const KilnCall *call)
{
    return call->client->driver;
}

gboolean
kiln_call_abandoned(const KilnCall *call)
{
    return call->client->closed;
}

static void
call_end(KilnCall *call)
{
    ck_assert(!call->end->ended);
    call->end->ended = TRUE;
    if (call->args != NULL)
        xdr_free(call->procedure->args, call->args);
    g_free(call->args);
    g_free(call);
}

void
kiln_call_reply(KilnCall *call, gconstpointer ret)
{
    const KilnProcedure *procedure = call->procedure;

    ck_assert((ret != NULL) == (procedure->ret != NULL));
    if (ret != NULL)
        call->end->ret = fake_keep(through(procedure->ret, procedure->ret_size, ret));
    call_end(call);
}

void
kiln_call_reply_stream(KilnCall *call, gconstpointer ret, int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    kiln_call_reply(call, ret);
}

void
kiln_call_fail(KilnCall *call, int code, const char *format, ...)
{
    g_autofree char *particular = NULL;
    va_list arguments;

    va_start(arguments, format);
    particular = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    call->end->code = code;
    call->end->text = kiln_vir_error_text(code, particular);
    call_end(call);
}

void
kiln_call_fail_error(KilnCall *call, const GError *error)
{
    kiln_call_fail(call, kiln_vir_error_code(error), "%s", error->message);
}

/* ---- rpc/client.h ---- */

KilnClient *
kiln_client_ref(KilnClient *client)
{
    client->references++;
    return client;
}

void
kiln_client_unref(KilnClient *client)
{
    if (--client->references > 0)
        return;
    g_clear_pointer(&client->sent, g_bytes_unref);
    g_free(client);
}

gboolean
kiln_client_is_closed(const KilnClient *client)
{
    return client->closed;
}

gboolean
kiln_client_is_read_only(const KilnClient *client)
{
    return client->read_only;
}

const char *
kiln_client_uri(const KilnClient *client)
{
    return client->uri;
}

guint
kiln_client_on_close(KilnClient *client, void (*closed)(KilnClient *client, gpointer data),
                     gpointer data)
{
    client->on_close = closed;
    client->on_close_data = data;
    return 1;
}

void
kiln_client_off_close(KilnClient *client, G_GNUC_UNUSED guint id)
{
    client->on_close = NULL;
}

void
kiln_client_send_packet(KilnClient *client, GBytes *packet)
{
    g_clear_pointer(&client->sent, g_bytes_unref);
    client->sent = g_bytes_ref(packet);
}

void
kiln_client_fail_packet(G_GNUC_UNUSED KilnClient *client, G_GNUC_UNUSED const KilnPacket *packet,
                        G_GNUC_UNUSED int code, const char *message)
{
    ck_abort_msg("packet failed: %s", message);
}

void
kiln_relay_forward_feature(G_GNUC_UNUSED KilnClient *client, G_GNUC_UNUSED KilnPacket *packet)
{
}

void
kiln_client_start_keepalive(KilnClient *client)
{
    client->keepalive = TRUE;
}

KilnClient *
fake_client_new(gpointer driver, const char *uri, gboolean read_only)
{
    KilnClient *client = fake_keep(g_new0(KilnClient, 1));

    client->references = 1;
    client->driver = driver;
    client->uri = uri;
    client->read_only = read_only;
    return client;
}

void
fake_client_leave(KilnClient *client)
{
    client->closed = TRUE;
    if (client->on_close != NULL)
        client->on_close(client, client->on_close_data);
}

/* ---- Calling ---- */

static const KilnProcedure *
find(const KilnProcedureTable *const *tables, int number)
{
    for (; *tables != NULL; tables++)
        for (guint i = 0; i < (*tables)->n_rows; i++)
            if ((*tables)->rows[i].number == number)
                return &(*tables)->rows[i];
    ck_abort_msg("no row for procedure %d", number);
}

FakeEnd *
fake_call(KilnClient *client, const KilnProcedureTable *const *tables, int number,
          gconstpointer args)
{
    const KilnProcedure *procedure = find(tables, number);
    FakeEnd *end = fake_keep(g_new0(FakeEnd, 1));
    KilnCall *call = g_new0(KilnCall, 1);

    call->client = client;
    call->procedure = procedure;
    call->end = end;
    if (procedure->reason != NULL) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED, "%s", procedure->reason);
        return end;
    }
    ck_assert((args != NULL) == (procedure->args != NULL));
    if (args != NULL)
        call->args = through(procedure->args, procedure->args_size, args);
    procedure->handle(call, call->args);
    return end;
}

void
fake_end_free(FakeEnd *end)
{
    ck_assert(end->ended);
    g_ptr_array_remove_fast(kept, end);
    g_free(end->text);
    g_free(end);
}

int
fake_feature(KilnClient *client, const KilnProcedureTable *const *tables, guint32 feature)
{
    guint32 words[8] = { [0] = GUINT32_TO_BE(32), [7] = GUINT32_TO_BE(feature) };
    KilnPacket packet = { .program = 0x20008086,
                          .version = 1,
                          .procedure = REMOTE_PROC_CONNECT_SUPPORTS_FEATURE,
                          .serial = 77 };
    guint32 answer[8];

    packet.bytes = g_bytes_new(words, sizeof words);
    g_clear_pointer(&client->sent, g_bytes_unref);
    find(tables, REMOTE_PROC_CONNECT_SUPPORTS_FEATURE)->raw(client, &packet);
    g_bytes_unref(packet.bytes);
    if (client->sent == NULL)
        return -1;
    ck_assert_uint_eq(g_bytes_get_size(client->sent), sizeof answer);
    memcpy(answer, g_bytes_get_data(client->sent, NULL), sizeof answer);
    for (guint i = 0; i < G_N_ELEMENTS(answer); i++)
        answer[i] = GUINT32_FROM_BE(answer[i]);
    ck_assert_uint_eq(answer[0], 32);
    ck_assert_uint_eq(answer[1], 0x20008086);
    ck_assert_uint_eq(answer[3], REMOTE_PROC_CONNECT_SUPPORTS_FEATURE);
    ck_assert_uint_eq(answer[4], 1);
    ck_assert_uint_eq(answer[5], 77);
    ck_assert_uint_eq(answer[6], 0);
    return (int)answer[7];
}

/* ---- rpc/events.h ---- */

static int last_event = -1;
static gpointer last_message;
static gsize last_size;

#define EVENT(ID, lower)                                                                           \
    [VIR_DOMAIN_EVENT_ID_##ID] = { (xdrproc_t)xdr_remote_domain_event_##lower##_msg,               \
                                   sizeof(remote_domain_event_##lower##_msg) }

static const struct {
    xdrproc_t codec;
    gsize size;
} events[] = {
    EVENT(LIFECYCLE, callback_lifecycle),
    EVENT(REBOOT, callback_reboot),
    EVENT(RTC_CHANGE, callback_rtc_change),
    EVENT(WATCHDOG, callback_watchdog),
    EVENT(IO_ERROR, callback_io_error),
    EVENT(GRAPHICS, callback_graphics),
    EVENT(IO_ERROR_REASON, callback_io_error_reason),
    EVENT(CONTROL_ERROR, callback_control_error),
    EVENT(DISK_CHANGE, callback_disk_change),
    EVENT(TRAY_CHANGE, callback_tray_change),
    EVENT(BALLOON_CHANGE, callback_balloon_change),
    EVENT(DEVICE_REMOVED, callback_device_removed),
    EVENT(DEVICE_ADDED, callback_device_added),
    EVENT(DEVICE_REMOVAL_FAILED, callback_device_removal_failed),
    EVENT(TUNABLE, callback_tunable),
    EVENT(AGENT_LIFECYCLE, callback_agent_lifecycle),
    EVENT(METADATA_CHANGE, callback_metadata_change),
    EVENT(BLOCK_THRESHOLD, block_threshold),
    EVENT(MEMORY_FAILURE, memory_failure),
    EVENT(MEMORY_DEVICE_SIZE_CHANGE, memory_device_size_change),
};

void
kiln_events_emit(G_GNUC_UNUSED KilnServer *server, int event_id, G_GNUC_UNUSED const guint8 *uuid,
                 gpointer message)
{
    ck_assert(event_id >= 0 && event_id < (int)G_N_ELEMENTS(events));
    ck_assert_msg(events[event_id].codec != NULL, "event %d", event_id);
    last_event = event_id;
    last_size = events[event_id].size;
    last_message = fake_keep(through(events[event_id].codec, last_size, message));
}

int
fake_event(gpointer message, gsize size)
{
    int id = last_event;

    last_event = -1;
    if (id >= 0 && message != NULL) {
        ck_assert_uint_eq(size, last_size);
        memcpy(message, last_message, size);
    }
    return id;
}
