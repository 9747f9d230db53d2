/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unix and TCP sockets: the server of one client at a time, or a client, which may try again.  See
 * backend.h.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "chardev/backend.h"
#include "chardev/tcp.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACCEPT_REST_MS = 500 };

typedef struct {
    KilnChardev *chardev;
    gboolean telnet;
    KilnFd listener; /* server */
    KilnFd pending;  /* client: being connected */
    GSource *source; /* (nullable): of @listener or @pending */
    GSource *retry;  /* (nullable): client: when to try again */
    guint reconnect_seconds;
    char *path;    /* (nullable): unix */
    gboolean made; /* @path is a socket that we made: @device and @inode tell whether it still is */
    dev_t device;
    ino_t inode;
    KilnTcpAddress *address; /* (nullable): tcp client */
} Socket;

static void connect_again(Socket *sock);

static void
connected(Socket *sock, int fd)
{
    KilnStreamOptions stream = { .in = fd, .out = fd, .socket = TRUE, .telnet = sock->telnet };
    int on = 1;

    if (sock->path == NULL)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no TCP, no harm */
    kiln_chardev_connect(sock->chardev, &stream);
}

/* ---- Server ---- */

/* While a client is there others wait in the backlog; one that has hung up gives way, with what it
 * sent and the guest did not read. */
static gboolean
on_client(int fd, GIOCondition ready, gpointer data)
{
    Socket *sock = data;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0) { /* out of descriptors, perhaps: it is still there later */
        if (errno != EAGAIN && errno != EINTR)
            kiln_fd_source_rest(sock->source, G_IO_IN, ACCEPT_REST_MS);
        return G_SOURCE_CONTINUE;
    }
    kiln_fd_source_set_condition(sock->source, 0);
    connected(sock, client);
    return G_SOURCE_CONTINUE;
}

static gboolean
serve(Socket *sock, KilnChardevOptions *options, GError **error)
{
    struct stat status;

    sock->listener = kiln_fd_steal(&options->fd);
    if (sock->listener < 0 && options->kind == KILN_CHARDEV_UNIX) {
        sock->listener = kiln_unix_listen(options->path, 1, error);
        if (sock->listener >= 0 && lstat(options->path, &status) == 0) {
            sock->made = TRUE;
            sock->device = status.st_dev;
            sock->inode = status.st_ino;
        }
    } else if (sock->listener < 0) {
        sock->listener = kiln_tcp_listen(options->host, options->service, error);
    }
    if (sock->listener < 0)
        return FALSE;
    sock->source = kiln_fd_source_new(kiln_chardev_context(sock->chardev), sock->listener, G_IO_IN,
                                      on_client, sock);
    return TRUE;
}

/* ---- Client ---- */

static gboolean
on_retry(gpointer data)
{
    Socket *sock = data;

    g_clear_pointer(&sock->retry, kiln_source_free);
    connect_again(sock);
    return G_SOURCE_REMOVE;
}

static void
try_later(Socket *sock)
{
    if (sock->reconnect_seconds == 0 || sock->retry != NULL)
        return;
    sock->retry = g_timeout_source_new_seconds(sock->reconnect_seconds);
    g_source_set_callback(sock->retry, on_retry, sock, NULL);
    g_source_attach(sock->retry, kiln_chardev_context(sock->chardev));
}

static gboolean
on_connected(int fd, GIOCondition ready, gpointer data)
{
    Socket *sock = data;
    int failed = kiln_tcp_connect_result(fd);

    g_clear_pointer(&sock->source, kiln_source_free);
    if (failed == 0) {
        connected(sock, kiln_fd_steal(&sock->pending));
    } else {
        kiln_fd_clear(&sock->pending);
        try_later(sock);
    }
    return G_SOURCE_REMOVE;
}

/* Starts a connection, and waits for nothing. */
static void
connect_again(Socket *sock)
{
    if (sock->path != NULL) {
        int fd = kiln_unix_connect(sock->path, NULL);

        if (fd < 0)
            try_later(sock);
        else
            connected(sock, fd);
        return;
    }
    sock->pending = kiln_tcp_connect_start(sock->address, NULL);
    if (sock->pending < 0)
        try_later(sock);
    else
        sock->source = kiln_fd_source_new(kiln_chardev_context(sock->chardev), sock->pending,
                                          G_IO_OUT, on_connected, sock);
}

static gboolean
call(Socket *sock, KilnChardevOptions *options, GError **error)
{
    g_auto(KilnFd) fd = kiln_fd_steal(&options->fd);

    if (fd < 0 && options->kind == KILN_CHARDEV_TCP) {
        sock->address = kiln_tcp_resolve(options->host, options->service, error);
        if (sock->address == NULL)
            return FALSE;
    }
    if (fd < 0 && sock->reconnect_seconds > 0) {
        connect_again(sock);
        return TRUE;
    }
    if (fd < 0)
        fd = sock->address != NULL ? kiln_tcp_connect(sock->address, error)
                                   : kiln_unix_connect(options->path, error);
    if (fd < 0)
        return FALSE;
    connected(sock, kiln_fd_steal(&fd));
    return TRUE;
}

/* ---- Both ---- */

static void
socket_disconnected(void *backend)
{
    Socket *sock = backend;

    if (sock->listener >= 0)
        kiln_fd_source_set_condition(sock->source, G_IO_IN);
    else
        try_later(sock);
}

static void
socket_free(void *backend)
{
    Socket *sock = backend;
    struct stat status;

    kiln_source_free(sock->source);
    kiln_source_free(sock->retry);
    kiln_fd_clear(&sock->pending);
    if (sock->made && lstat(sock->path, &status) == 0 && status.st_dev == sock->device &&
        status.st_ino == sock->inode)
        (void)unlink(sock->path);
    kiln_fd_clear(&sock->listener);
    kiln_tcp_address_free(sock->address);
    g_free(sock->path);
    g_free(sock);
}

static void *
socket_open(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    Socket *sock = g_new0(Socket, 1);

    sock->chardev = chardev;
    sock->telnet = options->telnet;
    sock->listener = sock->pending = -1;
    sock->reconnect_seconds = options->reconnect_seconds;
    sock->path = options->kind == KILN_CHARDEV_UNIX ? g_strdup(options->path) : NULL;
    if (options->listen ? serve(sock, options, error) : call(sock, options, error))
        return sock;
    socket_free(sock);
    return NULL;
}

const KilnBackendOps kiln_backend_socket = {
    .open = socket_open,
    .disconnected = socket_disconnected,
    .free = socket_free,
};
