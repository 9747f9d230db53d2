/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relay/session.h"

#include "base/log.h"
#include "error/vir-error.h"
#include "relay/session-private.h"
#include "rpc/frame.h"

static void connect_upstream(KilnSession *session);

static void
clear_timer(KilnSession *session)
{
    if (session->timer != 0)
        g_source_remove(session->timer);
    session->timer = 0;
}

static KilnPacket *
copy_packet(const KilnPacket *packet)
{
    return kiln_frame_parse(g_bytes_ref(packet->bytes));
}

G_GNUC_PRINTF(4, 5)
static void
refuse(KilnSession *session, const KilnPacket *packet, int code, const char *format, ...)
{
    g_autofree char *particular = NULL;
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    particular = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    text = kiln_vir_error_text(code, particular);
    kiln_client_fail_packet(session->client, packet, code, text);
}

/* ---- Back-pressure: each direction waits for its own reader ---- */

static void
hold_client(KilnSession *session, gboolean hold)
{
    if (session->holds == hold)
        return;
    session->holds = hold;
    if (hold)
        kiln_client_hold(session->client);
    else
        kiln_client_release(session->client);
}

static void
on_client_drained(KilnClient *client, gpointer data)
{
    KilnSession *session = data;

    (void)client;
    if (session->link != NULL)
        kiln_link_pause(session->link, FALSE);
}

static void
to_client(KilnSession *session, GBytes *packet)
{
    kiln_client_send_packet(session->client, packet);
    if (session->link != NULL &&
        kiln_client_is_congested(session->client, on_client_drained, session))
        kiln_link_pause(session->link, TRUE);
}

static void
to_upstream(KilnSession *session, GBytes *packet)
{
    kiln_link_send(session->link, packet);
    if (kiln_link_is_congested(session->link))
        hold_client(session, TRUE);
}

guint32
kiln_session_ask(KilnSession *session, int procedure, xdrproc_t codec, gconstpointer args)
{
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .type = KILN_FRAME_CALL,
        .serial = ++session->serial,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode(&header, 0, codec, args);

    if (packet != NULL)
        kiln_link_send(session->link, packet);
    return session->serial;
}

/* ---- From the client ---- */

static void
on_stream_packet(KilnClient *client, KilnPacket *packet, gpointer data)
{
    KilnSession *session = data;

    (void)client;
    if (session->state == KILN_SESSION_OPEN)
        to_upstream(session, packet->bytes);
}

static void
end_stream(KilnSession *session, guint32 serial)
{
    if (g_hash_table_remove(session->streams, GUINT_TO_POINTER(serial)))
        kiln_client_claim_serial(session->client, serial, NULL, NULL);
}

static void
forward(KilnSession *session, const KilnPacket *packet)
{
    const int *streams = session->driver->streams;
    g_autoptr(GBytes) bytes = NULL;

    if (packet->procedure == session->driver->deregisters && packet->procedure != 0)
        bytes = kiln_session_deregister(session, packet);
    else
        bytes = g_bytes_ref(packet->bytes);
    if (bytes == NULL)
        return;
    g_hash_table_replace(session->outstanding, GUINT_TO_POINTER(packet->serial),
                         g_bytes_ref(packet->bytes));
    if (packet->procedure == streams[0] || packet->procedure == streams[1]) {
        g_hash_table_replace(session->streams, GUINT_TO_POINTER(packet->serial),
                             GINT_TO_POINTER(packet->procedure));
        kiln_client_claim_serial(session->client, packet->serial, on_stream_packet, session);
    }
    to_upstream(session, bytes);
}

void
kiln_session_call(KilnSession *session, const KilnPacket *packet)
{
    if (packet->type != KILN_FRAME_CALL) {
        refuse(session, packet, VIR_ERR_RPC, "procedure %d takes no descriptors",
               packet->procedure);
        return;
    }
    if (session->state == KILN_SESSION_OPEN) {
        forward(session, packet);
        return;
    }
    g_queue_push_tail(&session->waiting, copy_packet(packet));
    if (session->state == KILN_SESSION_CLOSED)
        connect_upstream(session);
}

/* ---- From upstream ---- */

static void
on_reply(KilnSession *session, const KilnPacket *packet)
{
    g_autoptr(GBytes) bytes = NULL;
    gpointer call = NULL;
    gpointer key = GUINT_TO_POINTER(packet->serial);

    if (!g_hash_table_steal_extended(session->outstanding, key, NULL, &call)) {
        kiln_session_replayed(session, packet);
        return; /* or nobody asked */
    }
    if (packet->status == KILN_FRAME_OK) {
        KilnPacket *parsed = kiln_frame_parse(call);

        if (parsed->procedure != 0 && (parsed->procedure == session->driver->registers ||
                                       parsed->procedure == session->driver->deregisters))
            bytes = kiln_session_registered(session, parsed, packet);
        kiln_packet_free(parsed);
    } else {
        g_bytes_unref(call);
        end_stream(session, packet->serial);
    }
    to_client(session, bytes != NULL ? bytes : packet->bytes);
}

static void
on_stream(KilnSession *session, const KilnPacket *packet)
{
    if (!g_hash_table_contains(session->streams, GUINT_TO_POINTER(packet->serial)))
        return;
    if (packet->status != KILN_FRAME_CONTINUE)
        end_stream(session, packet->serial);
    to_client(session, packet->bytes);
}

static void
on_packet(KilnPacket *packet, gpointer data)
{
    KilnSession *session = data;
    g_autoptr(GBytes) event = NULL;

    if (session->state == KILN_SESSION_BOOTING) {
        kiln_session_boot_packet(session, packet);
        return;
    }
    switch (packet->type) {
    case KILN_FRAME_REPLY: on_reply(session, packet); break;
    case KILN_FRAME_MESSAGE:
        event = kiln_session_event(session, packet);
        if (event != NULL)
            to_client(session, event);
        break;
    default: on_stream(session, packet); break;
    }
}

static void
on_drained(gpointer data)
{
    hold_client(data, FALSE);
}

/* ---- The connection's life ---- */

static void
disconnect_upstream(KilnSession *session)
{
    clear_timer(session);
    session->state = KILN_SESSION_CLOSED;
    kiln_client_not_drained(session->client, session);
    kiln_link_free(g_steal_pointer(&session->link));
    hold_client(session, FALSE);
    kiln_session_forget_live(session);
}

static gboolean
on_retry(gpointer data)
{
    KilnSession *session = data;

    session->timer = 0;
    connect_upstream(session);
    return G_SOURCE_REMOVE;
}

/* Who waits for events does not call: the daemon is looked for from time to time. */
static void
retry_later(KilnSession *session)
{
    clear_timer(session);
    if (session->registrations->len == 0)
        return;
    session->timer = g_timeout_add(session->retry_ms, on_retry, session);
    session->retry_ms = MIN(session->retry_ms * 2, (guint)KILN_SESSION_RETRY_MAX_MS);
}

/* What is outstanding ends, each call and each stream once. */
static void
fail_all(KilnSession *session, const char *why)
{
    g_autoptr(GHashTable) calls = g_steal_pointer(&session->outstanding);
    g_autoptr(GHashTable) streams = g_steal_pointer(&session->streams);
    GHashTableIter iter;
    gpointer key;
    gpointer value;

    session->outstanding = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    session->streams = g_hash_table_new(NULL, NULL);
    g_hash_table_iter_init(&iter, calls);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        KilnPacket *call = kiln_frame_parse(g_bytes_ref(value));

        refuse(session, call, VIR_ERR_SYSTEM_ERROR, "the daemon of '%s' is gone: %s",
               session->options.uri, why);
        kiln_packet_free(call);
    }
    g_hash_table_iter_init(&iter, streams);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        KilnPacket packet = {
            .program = KILN_PROGRAM_REMOTE,
            .version = KILN_PROGRAM_VERSION,
            .procedure = GPOINTER_TO_INT(value),
            .type = KILN_FRAME_STREAM,
            .serial = GPOINTER_TO_UINT(key),
        };

        kiln_client_claim_serial(session->client, packet.serial, NULL, NULL);
        if (!g_hash_table_contains(calls, key))
            refuse(session, &packet, VIR_ERR_SYSTEM_ERROR, "the daemon of '%s' is gone: %s",
                   session->options.uri, why);
    }
}

static void
fail_waiting(KilnSession *session, int code, const char *why)
{
    GQueue waiting = session->waiting;
    KilnPacket *packet;

    g_queue_init(&session->waiting);
    while ((packet = g_queue_pop_head(&waiting)) != NULL) {
        if (code == VIR_ERR_NO_CONNECT || code == VIR_ERR_NO_SUPPORT)
            session->options.alone(session->client, packet);
        else
            refuse(session, packet, code, "cannot reach the daemon of '%s': %s",
                   session->options.uri, why);
        kiln_packet_free(packet);
    }
}

static void
on_lost(const char *why, gpointer data)
{
    KilnSession *session = data;

    if (session->state == KILN_SESSION_BOOTING) {
        kiln_session_boot_failed(session, VIR_ERR_SYSTEM_ERROR, why);
        return;
    }
    kiln_log(KILN_LOG_WARNING, "connection to '%s' lost: %s", session->options.uri, why);
    disconnect_upstream(session);
    session->retry_ms = KILN_SESSION_RETRY_MS;
    fail_all(session, why);
    retry_later(session);
}

void
kiln_session_booted(KilnSession *session)
{
    KilnPacket *packet;

    clear_timer(session);
    session->state = KILN_SESSION_OPEN;
    session->retry_ms = KILN_SESSION_RETRY_MS;
    kiln_session_replay(session);
    while ((packet = g_queue_pop_head(&session->waiting)) != NULL) {
        forward(session, packet);
        kiln_packet_free(packet);
    }
}

void
kiln_session_boot_failed(KilnSession *session, int code, const char *why)
{
    g_autofree char *copy = g_strdup(why);

    disconnect_upstream(session);
    fail_waiting(session, code, copy);
    retry_later(session);
}

static gboolean
on_boot_timeout(gpointer data)
{
    KilnSession *session = data;

    session->timer = 0;
    kiln_session_boot_failed(session, VIR_ERR_OPERATION_TIMEOUT, "it does not answer");
    return G_SOURCE_REMOVE;
}

static const KilnLinkEvents link_events = { on_packet, on_drained, on_lost };

static void
begin_boot(KilnSession *session)
{
    session->state = KILN_SESSION_BOOTING;
    session->serial = KILN_SESSION_SERIALS;
    session->timer = g_timeout_add(KILN_SESSION_BOOT_MS, on_boot_timeout, session);
    kiln_session_boot(session);
}

void
kiln_session_attach(KilnSession *session, int fd)
{
    session->link = kiln_link_new(fd, &link_events, session);
    begin_boot(session);
}

static void
connect_upstream(KilnSession *session)
{
    clear_timer(session);
    for (guint i = 0; session->options.paths[i] != NULL && session->link == NULL; i++)
        session->link = kiln_link_open(session->options.paths[i], &link_events, session, NULL);
    if (session->link == NULL) {
        kiln_session_boot_failed(session, VIR_ERR_NO_CONNECT, "nobody listens");
        return;
    }
    begin_boot(session);
}

KilnSession *
kiln_session_new(KilnClient *client, const KilnRelayDriver *driver,
                 const KilnSessionOptions *options)
{
    KilnSession *session = g_new0(KilnSession, 1);

    session->client = client;
    session->driver = driver;
    session->options = *options;
    session->serial = KILN_SESSION_SERIALS;
    session->retry_ms = KILN_SESSION_RETRY_MS;
    g_queue_init(&session->waiting);
    session->outstanding = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_bytes_unref);
    session->streams = g_hash_table_new(NULL, NULL);
    session->registrations = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_registration_free);
    return session;
}

void
kiln_session_free(KilnSession *session)
{
    if (session == NULL)
        return;
    disconnect_upstream(session);
    g_queue_clear_full(&session->waiting, (GDestroyNotify)kiln_packet_free);
    g_hash_table_unref(session->outstanding);
    g_hash_table_unref(session->streams);
    g_ptr_array_unref(session->registrations);
    g_free(session);
}
