/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/call-private.h"

#include "rpc/client-private.h"
#include "rpc/frame.h"
#include "rpc/stream.h"

enum { STREAMS_MAX = 128 }; /* of one client, at a time */

struct KilnCall {
    KilnClient *client; /* (owned) */
    const KilnProcedure *row;
    KilnPacket *packet; /* (owned): its header is the answer's too */
    gpointer args;      /* (owned) (nullable) */
};

static void
call_end(KilnCall *call)
{
    if (call->args != NULL)
        xdr_free(call->row->args, call->args);
    g_free(call->args);
    kiln_packet_free(call->packet);
    kiln_client_request_done(call->client);
    kiln_client_unref(call->client);
    g_free(call);
}

static KilnPacket
answer_header(const KilnCall *call, KilnFrameType type)
{
    return (KilnPacket){
        .program = call->packet->program,
        .version = call->packet->version,
        .procedure = call->packet->procedure,
        .serial = call->packet->serial,
        .type = type,
        .status = KILN_FRAME_OK,
    };
}

static void
send_error(KilnCall *call, int code, int domain, const char *text)
{
    KilnPacket header = answer_header(call, KILN_FRAME_REPLY);
    g_autoptr(GBytes) packet = NULL;

    if (kiln_client_is_closed(call->client))
        return;
    packet = kiln_frame_encode_error(&header, code, domain, text);
    kiln_client_queue(call->client, packet, NULL, 0);
}

/* Returns: whether the answer could be made; else an error has gone in its place. */
static gboolean
send_answer(KilnCall *call, gconstpointer ret, const int *fds, guint n_fds)
{
    KilnPacket header =
        answer_header(call, n_fds > 0 ? KILN_FRAME_REPLY_WITH_FDS : KILN_FRAME_REPLY);
    g_autoptr(GBytes) packet = NULL;

    if (kiln_client_is_closed(call->client))
        return FALSE;
    packet = kiln_frame_encode(&header, n_fds, call->row->ret, ret);
    if (packet == NULL) {
        send_error(call, VIR_ERR_RPC, VIR_FROM_RPC, "Unable to encode message payload");
        return FALSE;
    }
    kiln_client_queue(call->client, packet, fds, n_fds);
    return TRUE;
}

void
kiln_call_start(KilnClient *client, const KilnProcedure *row, KilnPacket *packet)
{
    KilnCall *call = g_new0(KilnCall, 1);

    client->requests++;
    call->client = kiln_client_ref(client);
    call->row = row;
    call->packet = packet;
    if (row->args != NULL)
        call->args = g_malloc0(row->args_size);
    if (!kiln_frame_decode(packet, row->args, call->args)) {
        send_error(call, VIR_ERR_RPC, VIR_FROM_RPC, "Unable to decode message payload");
        call_end(call);
        return;
    }
    row->handle(call, call->args);
}

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
    return kiln_client_is_closed(call->client);
}

void
kiln_call_reply(KilnCall *call, gconstpointer ret)
{
    send_answer(call, ret, NULL, 0);
    call_end(call);
}

void
kiln_call_reply_fds(KilnCall *call, gconstpointer ret, const int *fds, guint n_fds)
{
    g_assert(n_fds <= KILN_FRAME_FDS_MAX);
    send_answer(call, ret, fds, n_fds);
    call_end(call);
}

/* A client that uses the number of a stream that is still open would mix the two up. */
static gboolean
may_stream(KilnCall *call)
{
    const char *reason = NULL;

    if (kiln_client_has_claim(call->client, call->packet->serial))
        reason = "a stream with this serial is open";
    else if (kiln_client_n_claims(call->client) >= STREAMS_MAX)
        reason = "too many streams are open";
    else
        return TRUE;
    send_error(call, VIR_ERR_RPC, VIR_FROM_RPC, reason);
    return FALSE;
}

void
kiln_call_reply_stream(KilnCall *call, gconstpointer ret, int fd)
{
    g_auto(KilnFd) owned = fd;

    if (may_stream(call) && send_answer(call, ret, NULL, 0))
        kiln_stream_begin_fd(call->client, call->packet, kiln_fd_steal(&owned));
    call_end(call);
}

void
kiln_call_reply_bytes(KilnCall *call, gconstpointer ret, GBytes *bytes)
{
    if (may_stream(call) && send_answer(call, ret, NULL, 0))
        kiln_stream_begin_bytes(call->client, call->packet, bytes);
    call_end(call);
}

void
kiln_call_fail(KilnCall *call, int code, const char *format, ...)
{
    g_autofree char *particular = NULL;
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    particular = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    text = kiln_vir_error_text(code, particular);
    send_error(call, code, kiln_frame_error_domain(code), text);
    call_end(call);
}

void
kiln_call_fail_error(KilnCall *call, const GError *error)
{
    kiln_call_fail(call, kiln_vir_error_code(error), "%s", error->message);
}

int
kiln_call_steal_fd(KilnCall *call, guint i)
{
    int fd = -1;

    if (i < call->packet->n_fds) {
        fd = call->packet->fds[i];
        call->packet->fds[i] = -1;
    }
    return fd;
}
