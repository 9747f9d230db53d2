/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/server-private.h"

#include "base/log.h"
#include "loop/fd-source.h"
#include "rpc/authenticate.h"
#include "rpc/client-private.h"
#include "rpc/connection.h"
#include "rpc/events.h"
#include "rpc/keepalive.h"
#include "rpc/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 16,             /* connections of one socket in a turn of the loop */
    ACCEPT_REST_MS = 100,          /* when there is no descriptor for one more */
    USER_INCOMING_MAX = 128 << 20, /* bytes of packets that are not whole, of one user */
};

static const KilnServerLimits defaults = {
    .max_clients = 5000,
    .max_anonymous_clients = 20,
    .max_client_requests = 5,
    .max_queued_bytes = 16 << 20,
    .handshake_seconds = 30,
};

typedef struct {
    KilnServer *server;
    KilnFd fd;
    GSource *source; /* (owned) */
    gboolean read_only;
    KilnAuth auth;
} Listener;

static void
listener_free(gpointer data)
{
    Listener *listener = data;

    kiln_source_free(listener->source);
    kiln_fd_clear(&listener->fd);
    g_free(listener);
}

/* ---- Users ---- */

static KilnUser *
user_of(KilnServer *server, uid_t uid)
{
    KilnUser *user = g_hash_table_lookup(server->users, GUINT_TO_POINTER(uid));

    if (user == NULL) {
        user = g_new0(KilnUser, 1);
        user->uid = uid;
        g_hash_table_insert(server->users, GUINT_TO_POINTER(uid), user);
    }
    return user;
}

/* Places get scarce at three quarters: from then on nobody but root, and whose daemon this is, has
 * more than one quarter. */
static gboolean
has_share(const KilnServer *server, uid_t uid)
{
    const KilnUser *user = g_hash_table_lookup(server->users, GUINT_TO_POINTER(uid));
    guint quarter = server->limits.max_clients / 4;

    if (uid == 0 || uid == geteuid() || user == NULL)
        return TRUE;
    return server->clients.length < 3 * quarter || user->n_clients < quarter;
}

/* A full house has room for one more if somebody has been let in and has not opened yet. */
static gboolean
make_place(KilnServer *server)
{
    KilnClient *oldest = g_queue_peek_head(&server->unopened);

    if (server->clients.length < server->limits.max_clients)
        return TRUE;
    if (oldest == NULL)
        return FALSE;
    kiln_client_close(oldest);
    return TRUE;
}

gboolean
kiln_server_buffer(KilnServer *server, KilnClient *client, gsize more)
{
    if (client->user->incoming + more > USER_INCOMING_MAX)
        return FALSE;
    client->user->incoming += more;
    return TRUE;
}

void
kiln_server_unbuffer(KilnServer *server, KilnClient *client, gsize less)
{
    g_assert(client->user->incoming >= less);
    client->user->incoming -= less;
}

/* ---- Timers ---- */

void
kiln_server_check_handshakes(KilnServer *server, gint64 now_us)
{
    gint64 limit_us = (gint64)server->limits.handshake_seconds * G_USEC_PER_SEC;

    for (;;) {
        KilnClient *oldest = g_queue_peek_head(&server->unopened);

        if (oldest == NULL || now_us - oldest->since_us < limit_us)
            return;
        if (!oldest->polkit) {
            kiln_client_close(oldest);
            continue;
        }
        /* Who is being asked for a password by polkit has the time that this takes. */
        g_queue_unlink(&server->unopened, &oldest->unopened);
        oldest->since_us = now_us;
        g_queue_push_tail_link(&server->unopened, &oldest->unopened);
    }
}

static gboolean
on_handshake(gpointer data)
{
    KilnServer *server = data;

    kiln_server_check_handshakes(server, g_get_monotonic_time());
    if (!g_queue_is_empty(&server->unopened))
        return G_SOURCE_CONTINUE;
    server->handshake_timer = 0;
    return G_SOURCE_REMOVE;
}

static gboolean
on_keepalive(gpointer data)
{
    kiln_keepalive_tick(data);
    return G_SOURCE_CONTINUE;
}

/* ---- Clients ---- */

static void
tell_changed(KilnServer *server)
{
    if (server->changed != NULL)
        server->changed(server, server->changed_data);
}

static void
forget_unopened(KilnServer *server, KilnClient *client)
{
    if (client->unopened.prev != NULL || client->unopened.next != NULL ||
        server->unopened.head == &client->unopened)
        g_queue_unlink(&server->unopened, &client->unopened);
}

void
kiln_server_client_opened(KilnServer *server, KilnClient *client)
{
    forget_unopened(server, client);
}

void
kiln_server_client_closed(KilnServer *server, KilnClient *client)
{
    forget_unopened(server, client);
    g_queue_unlink(&server->clients, &client->link);
    if (--client->user->n_clients == 0 && client->user->n_polkit == 0)
        g_hash_table_remove(server->users, GUINT_TO_POINTER(client->user->uid));
    client->user = NULL;
    tell_changed(server);
}

static void
add_client(KilnServer *server, KilnClient *client)
{
    client->user = user_of(server, client->identity.uid);
    client->user->n_clients++;
    g_queue_push_tail_link(&server->clients, &client->link);
    g_queue_push_tail_link(&server->unopened, &client->unopened);
    if (client->watch == NULL) {
        kiln_client_close(client);
        return;
    }
    if (server->handshake_timer == 0)
        server->handshake_timer = g_timeout_add_seconds(1, on_handshake, server);
    tell_changed(server);
}

void
kiln_server_adopt(KilnServer *server, int fd, gboolean read_only, KilnAuth auth)
{
    g_auto(KilnFd) owned = fd;
    KilnIdentity identity = { 0 };
    KilnClient *client = NULL;

    if (!kiln_peer_identify(owned, &identity) || !has_share(server, identity.uid) ||
        !make_place(server))
        return;
    client = kiln_client_new(server, kiln_fd_steal(&owned), &identity);
    client->auth = auth;
    client->socket_read_only = read_only;
    add_client(server, client);
}

static gboolean
on_connection(int fd, GIOCondition ready, gpointer data)
{
    Listener *listener = data;
    static KilnRatelimit limit;

    for (guint i = 0; i < ACCEPT_BATCH; i++) {
        int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (socket >= 0) {
            kiln_server_adopt(listener->server, socket, listener->read_only, listener->auth);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            kiln_log_guest(&limit, "cannot accept a client: %s", g_strerror(errno));
            kiln_fd_source_rest(listener->source, G_IO_IN, ACCEPT_REST_MS);
            break;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            break;
        }
    }
    return G_SOURCE_CONTINUE;
}

/* ---- The server ---- */

static void
add_table(const KilnProcedure **slots, gint32 n_slots, const KilnProcedureTable *table)
{
    for (guint i = 0; i < table->n_rows; i++) {
        const KilnProcedure *row = &table->rows[i];

        g_assert(row->number > 0 && row->number < n_slots);
        if (slots[row->number] == NULL)
            slots[row->number] = row;
    }
}

static void
find_group(KilnServer *server, const char *name)
{
    const struct group *group = name != NULL ? getgrnam(name) : NULL;

    server->has_group = group != NULL;
    server->group = group != NULL ? group->gr_gid : 0;
}

static void
take_limits(KilnServer *server, const KilnServerLimits *wanted)
{
    KilnServerLimits *limits = &server->limits;

    *limits = *wanted;
    if (limits->max_clients == 0)
        limits->max_clients = defaults.max_clients;
    if (limits->max_anonymous_clients == 0)
        limits->max_anonymous_clients = defaults.max_anonymous_clients;
    if (limits->max_client_requests == 0)
        limits->max_client_requests = defaults.max_client_requests;
    if (limits->max_queued_bytes == 0)
        limits->max_queued_bytes = defaults.max_queued_bytes;
    if (limits->handshake_seconds == 0)
        limits->handshake_seconds = defaults.handshake_seconds;
}

KilnServer *
kiln_server_new(const KilnServerOptions *options)
{
    KilnServer *server = g_new0(KilnServer, 1);

    /* Streams write into pipes, whose readers may leave. */
    signal(SIGPIPE, SIG_IGN);
    server->driver = options->driver;
    server->open = options->open;
    take_limits(server, &options->limits);
    find_group(server, options->group);
    for (guint i = 0; options->tables != NULL && options->tables[i] != NULL; i++)
        add_table(server->remote, KILN_REMOTE_PROCEDURES, options->tables[i]);
    add_table(server->remote, KILN_REMOTE_PROCEDURES, &kiln_auth_table);
    add_table(server->remote, KILN_REMOTE_PROCEDURES, &kiln_connection_table);
    add_table(server->remote, KILN_REMOTE_PROCEDURES, &kiln_events_table);
    if (options->qemu != NULL)
        add_table(server->qemu, KILN_QEMU_PROCEDURES, options->qemu);
    server->poller = kiln_poller_new();
    server->listeners = g_ptr_array_new_with_free_func(listener_free);
    g_queue_init(&server->clients);
    g_queue_init(&server->unopened);
    server->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    if (server->limits.keepalive_interval > 0)
        server->keepalive_timer =
            g_timeout_add_seconds(server->limits.keepalive_interval, on_keepalive, server);
    return server;
}

void
kiln_server_free(KilnServer *server)
{
    if (server == NULL)
        return;
    server->changed = NULL;
    g_ptr_array_unref(server->listeners);
    while (!g_queue_is_empty(&server->clients)) {
        KilnClient *client = g_queue_peek_head(&server->clients);

        kiln_connection_tell_close(client);
        kiln_client_close(client);
    }
    if (server->handshake_timer != 0)
        g_source_remove(server->handshake_timer);
    if (server->keepalive_timer != 0)
        g_source_remove(server->keepalive_timer);
    g_hash_table_unref(server->users);
    kiln_poller_free(server->poller);
    g_free(server);
}

void
kiln_server_listen(KilnServer *server, int fd, gboolean read_only, KilnAuth auth)
{
    Listener *listener = g_new0(Listener, 1);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *listener = (Listener){ server, fd, NULL, read_only, auth };
    listener->source = kiln_fd_source_new(NULL, fd, G_IO_IN, on_connection, listener);
    g_ptr_array_add(server->listeners, listener);
}

guint
kiln_server_n_clients(const KilnServer *server)
{
    return server->clients.length;
}

void
kiln_server_on_clients(KilnServer *server, void (*changed)(KilnServer *server, gpointer data),
                       gpointer data)
{
    server->changed = changed;
    server->changed_data = data;
}
