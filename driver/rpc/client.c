/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/client-private.h"

#include "rpc/events-private.h"
#include "rpc/frame.h"

#include <sys/epoll.h>
#include <sys/socket.h>

typedef struct {
    guint id;
    void (*closed)(KilnClient *client, gpointer data);
    gpointer data;
} Closer;

typedef struct {
    void (*packet)(KilnClient *client, KilnPacket *packet, gpointer data);
    gpointer data;
} Claim;

typedef struct {
    void (*drained)(KilnClient *client, gpointer data);
    gpointer data;
} Drain;

static void
copy_identity(KilnIdentity *to, const KilnIdentity *from)
{
    KilnIdentity copy = *from;

    copy.user = g_strdup(from->user);
    copy.group = g_strdup(from->group);
    g_free(to->user);
    g_free(to->group);
    *to = copy;
}

KilnClient *
kiln_client_new(KilnServer *server, int fd, const KilnIdentity *identity)
{
    KilnClient *client = g_new0(KilnClient, 1);

    client->refs = 1;
    client->server = server;
    client->driver = server->driver;
    client->fd = fd;
    client->link.data = client;
    client->unopened.data = client;
    client->since_us = g_get_monotonic_time();
    copy_identity(&client->identity, identity);
    g_queue_init(&client->out);
    client->watch = kiln_poller_add(server->poller, fd, EPOLLIN, kiln_client_io_ready, client);
    return client;
}

KilnClient *
kiln_client_ref(KilnClient *client)
{
    client->refs++;
    return client;
}

void
kiln_client_unref(KilnClient *client)
{
    if (client == NULL || --client->refs > 0)
        return;
    g_assert(client->server == NULL);
    g_free(client->uri);
    g_free(client->identity.user);
    g_free(client->identity.group);
    g_clear_pointer(&client->raw, g_hash_table_unref);
    g_clear_pointer(&client->claims, g_hash_table_unref);
    g_clear_pointer(&client->closers, g_array_unref);
    g_clear_pointer(&client->drains, g_array_unref);
    g_free(client);
}

void
kiln_client_close(KilnClient *client)
{
    KilnServer *server = client->server;

    if (server == NULL)
        return;
    kiln_client_ref(client);
    client->broken = TRUE;
    g_clear_pointer(&client->watch, kiln_poller_remove);
    kiln_client_io_clear(client);
    kiln_events_forget(server, client);
    while (client->closers != NULL && client->closers->len > 0) {
        Closer closer = g_array_index(client->closers, Closer, 0);

        g_array_remove_index(client->closers, 0);
        closer.closed(client, closer.data);
    }
    kiln_server_client_closed(server, client);
    client->server = NULL;
    kiln_fd_clear(&client->fd);
    g_clear_pointer(&client->claims, g_hash_table_unref);
    kiln_client_unref(client); /* the server's */
    kiln_client_unref(client);
}

void
kiln_client_abort(KilnClient *client)
{
    if (client->broken)
        return;
    client->broken = TRUE;
    shutdown(client->fd, SHUT_RDWR);
    kiln_client_io_clear(client);
    kiln_client_update(client);
}

void
kiln_client_close_later(KilnClient *client)
{
    client->closes = TRUE;
    if (g_queue_is_empty(&client->out))
        kiln_client_abort(client);
    else
        kiln_client_update(client);
}

gboolean
kiln_client_is_closed(const KilnClient *client)
{
    return client->server == NULL || client->broken;
}

gboolean
kiln_client_is_read_only(const KilnClient *client)
{
    return client->read_only || client->socket_read_only;
}

const KilnIdentity *
kiln_client_identity(const KilnClient *client)
{
    return &client->identity;
}

void
kiln_client_set_identity(KilnClient *client, const KilnIdentity *identity)
{
    copy_identity(&client->identity, identity);
}

const char *
kiln_client_uri(const KilnClient *client)
{
    return client->uri;
}

gboolean
kiln_client_open(KilnClient *client, const char *name, gboolean read_only, GError **error)
{
    KilnServer *server = client->server;

    if (client->opened)
        return kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR, "connection already open");
    if (server != NULL && server->open != NULL && !server->open(server->driver, name, error))
        return FALSE;
    client->opened = TRUE;
    client->read_only = read_only;
    client->uri = g_strdup(name != NULL ? name : "");
    if (server != NULL)
        kiln_server_client_opened(server, client);
    return TRUE;
}

void
kiln_client_set_authenticated(KilnClient *client)
{
    client->authenticated = TRUE;
}

guint
kiln_client_on_close(KilnClient *client, void (*closed)(KilnClient *client, gpointer data),
                     gpointer data)
{
    Closer closer = { ++client->last_closer, closed, data };

    if (client->closers == NULL)
        client->closers = g_array_new(FALSE, FALSE, sizeof(Closer));
    g_array_append_val(client->closers, closer);
    return closer.id;
}

void
kiln_client_off_close(KilnClient *client, guint id)
{
    for (guint i = 0; client->closers != NULL && i < client->closers->len; i++) {
        if (g_array_index(client->closers, Closer, i).id == id) {
            g_array_remove_index(client->closers, i);
            return;
        }
    }
}

void
kiln_client_send_message(KilnClient *client, int procedure, xdrproc_t codec, gconstpointer message)
{
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .type = KILN_FRAME_MESSAGE,
    };
    g_autoptr(GBytes) packet = NULL;

    if (kiln_client_is_closed(client))
        return;
    packet = kiln_frame_encode(&header, 0, codec, message);
    if (packet != NULL)
        kiln_client_queue(client, packet, NULL, 0);
}

static void
raw_answered(KilnClient *client, guint32 serial)
{
    if (client->raw != NULL && g_hash_table_remove(client->raw, GUINT_TO_POINTER(serial)))
        kiln_client_request_done(client);
}

void
kiln_client_expect_raw(KilnClient *client, guint32 serial)
{
    if (client->raw == NULL)
        client->raw = g_hash_table_new(NULL, NULL);
    if (g_hash_table_add(client->raw, GUINT_TO_POINTER(serial)))
        client->requests++;
}

gboolean
kiln_client_expects_raw(const KilnClient *client, guint32 serial)
{
    return client->raw != NULL && g_hash_table_contains(client->raw, GUINT_TO_POINTER(serial));
}

void
kiln_client_send_packet(KilnClient *client, GBytes *packet)
{
    KilnPacket *parsed = NULL;

    if (kiln_client_is_closed(client))
        return;
    parsed = kiln_frame_parse(g_bytes_ref(packet));
    if (parsed != NULL && parsed->type == KILN_FRAME_REPLY)
        raw_answered(client, parsed->serial);
    kiln_packet_free(parsed);
    kiln_client_queue(client, packet, NULL, 0);
}

void
kiln_client_fail_packet(KilnClient *client, const KilnPacket *packet, int code, const char *message)
{
    KilnPacket header = *packet;
    g_autoptr(GBytes) answer = NULL;

    if (kiln_client_is_closed(client))
        return;
    if (packet->type == KILN_FRAME_STREAM || packet->type == KILN_FRAME_STREAM_HOLE)
        header.type = KILN_FRAME_STREAM;
    else
        header.type = KILN_FRAME_REPLY;
    answer = kiln_frame_encode_error(&header, code, kiln_frame_error_domain(code), message);
    if (header.type == KILN_FRAME_REPLY)
        raw_answered(client, packet->serial);
    kiln_client_queue(client, answer, NULL, 0);
}

void
kiln_client_claim_serial(KilnClient *client, guint32 serial,
                         void (*packet)(KilnClient *client, KilnPacket *packet, gpointer data),
                         gpointer data)
{
    Claim claim = { packet, data };

    if (packet == NULL) {
        if (client->claims != NULL)
            g_hash_table_remove(client->claims, GUINT_TO_POINTER(serial));
        return;
    }
    if (client->server == NULL)
        return;
    if (client->claims == NULL)
        client->claims = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_hash_table_insert(client->claims, GUINT_TO_POINTER(serial), g_memdup2(&claim, sizeof claim));
}

static const Claim *
find_claim(KilnClient *client, guint32 serial)
{
    if (client->claims == NULL)
        return NULL;
    return g_hash_table_lookup(client->claims, GUINT_TO_POINTER(serial));
}

gboolean
kiln_client_has_claim(KilnClient *client, guint32 serial)
{
    return find_claim(client, serial) != NULL;
}

guint
kiln_client_n_claims(KilnClient *client)
{
    return client->claims != NULL ? g_hash_table_size(client->claims) : 0;
}

gboolean
kiln_client_to_claim(KilnClient *client, KilnPacket *packet)
{
    const Claim *found = find_claim(client, packet->serial);
    Claim claim = { NULL, NULL };

    if (found == NULL)
        return FALSE;
    claim = *found;
    claim.packet(client, packet, claim.data);
    return TRUE;
}

gboolean
kiln_client_is_congested(KilnClient *client, void (*drained)(KilnClient *client, gpointer data),
                         gpointer data)
{
    Drain drain = { drained, data };

    if (client->queued < KILN_CLIENT_CONGESTED || kiln_client_is_closed(client))
        return FALSE;
    if (drained == NULL)
        return TRUE;
    if (client->drains == NULL)
        client->drains = g_array_new(FALSE, FALSE, sizeof(Drain));
    for (guint i = 0; i < client->drains->len; i++) {
        Drain *other = &g_array_index(client->drains, Drain, i);

        if (other->drained == drained && other->data == data)
            return TRUE;
    }
    g_array_append_val(client->drains, drain);
    return TRUE;
}

void
kiln_client_not_drained(KilnClient *client, gpointer data)
{
    for (guint i = client->drains != NULL ? client->drains->len : 0; i > 0; i--) {
        if (g_array_index(client->drains, Drain, i - 1).data == data)
            g_array_remove_index(client->drains, i - 1);
    }
}

/* Those who wait may queue so much again that the rest of them goes on waiting. */
static void
tell_drained(KilnClient *client)
{
    while (client->drains != NULL && client->drains->len > 0 && !client->broken &&
           client->queued < KILN_CLIENT_CONGESTED) {
        Drain drain = g_array_index(client->drains, Drain, 0);

        g_array_remove_index(client->drains, 0);
        drain.drained(client, drain.data);
    }
}

void
kiln_client_update(KilnClient *client)
{
    if (client->watch != NULL)
        kiln_poller_set(client->watch, kiln_client_io_events(client));
}

void
kiln_client_drained(KilnClient *client)
{
    if (client->queued < KILN_CLIENT_CONGESTED / 2)
        tell_drained(client);
}

void
kiln_client_request_done(KilnClient *client)
{
    g_assert(client->requests > 0);
    client->requests--;
    kiln_client_update(client);
}

void
kiln_client_hold(KilnClient *client)
{
    client->holds++;
    kiln_client_update(client);
}

void
kiln_client_release(KilnClient *client)
{
    g_assert(client->holds > 0);
    client->holds--;
    kiln_client_update(client);
}
