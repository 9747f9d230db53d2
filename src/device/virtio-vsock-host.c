/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-host.h. */
#include "device/virtio-vsock-host.h"

#include "base/unix-socket.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64, LINE = 32, OUT_OF_DESCRIPTORS_REST_MS = 1000 };

static const char command[] = "CONNECT ";

/* Who has connected and not said what to. */
typedef struct {
    KilnVsockHost *host;
    KilnFd socket;
    GSource *source; /* (owned) */
} Caller;

struct KilnVsockHost {
    char *path; /* (owned) */
    GMainContext *context;
    KilnVsockHostFunc func;
    void *opaque;
    KilnFd listener;
    GSource *source; /* (owned) (nullable) */
    GQueue callers;  /* of Caller, the oldest first */
};

gboolean
kiln_vsock_parse_connect(const char *line, size_t length, uint32_t *port)
{
    uint64_t value = 0;
    size_t at = strlen(command);

    if (length < at + 2 || memcmp(line, command, at) != 0 || line[length - 1] != '\n')
        return FALSE;
    if (length > at + 2 && line[length - 2] == '\r')
        length--;
    for (; at < length - 1; at++) {
        if (!g_ascii_isdigit(line[at]) || value >= VMADDR_PORT_ANY)
            return FALSE;
        value = value * 10 + (uint64_t)(line[at] - '0');
    }
    if (value >= VMADDR_PORT_ANY)
        return FALSE;
    *port = (uint32_t)value;
    return TRUE;
}

static void
caller_free(Caller *caller)
{
    g_queue_remove(&caller->host->callers, caller);
    kiln_source_free(caller->source);
    kiln_fd_clear(&caller->socket);
    g_free(caller);
}

/* Looks at what has come without taking more than the line: what follows is for the guest.
 * Returns: its bytes with the newline, 0 if it is not whole yet, -1 if it never will be. */
static ssize_t
peek_line(int socket, char line[LINE])
{
    ssize_t n = recv(socket, line, LINE, MSG_PEEK | MSG_DONTWAIT);
    const char *end;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    end = memchr(line, '\n', (size_t)n);
    if (end != NULL)
        return end - line + 1;
    return n == 0 || n == LINE ? -1 : 0;
}

static gboolean
caller_ready(int socket, GIOCondition ready, gpointer data)
{
    Caller *caller = data;
    KilnVsockHost *host = caller->host;
    char line[LINE];
    ssize_t length = peek_line(socket, line);
    uint32_t port = 0;
    KilnFd taken;

    if (length == 0 && !(ready & (G_IO_HUP | G_IO_ERR))) {
        /* The rest has to come at once: what was peeked at keeps the socket readable. */
        kiln_fd_source_rest(caller->source, G_IO_IN, 10);
        return G_SOURCE_CONTINUE;
    }
    if (length <= 0 || recv(socket, line, (size_t)length, MSG_DONTWAIT) != length ||
        !kiln_vsock_parse_connect(line, (size_t)length, &port)) {
        caller_free(caller);
        return G_SOURCE_REMOVE;
    }
    taken = kiln_fd_steal(&caller->socket);
    caller_free(caller);
    host->func(host->opaque, port, taken);
    return G_SOURCE_REMOVE;
}

static gboolean
listener_ready(int listener, GIOCondition ready, gpointer data)
{
    KilnVsockHost *host = data;
    KilnFd socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    Caller *caller;

    if (socket < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            kiln_fd_source_rest(host->source, G_IO_IN, OUT_OF_DESCRIPTORS_REST_MS);
        return G_SOURCE_CONTINUE;
    }
    if (host->callers.length == KILN_VSOCK_MAX_CALLERS)
        caller_free(g_queue_peek_head(&host->callers));
    caller = g_new0(Caller, 1);
    caller->host = host;
    caller->socket = socket;
    caller->source = kiln_fd_source_new(host->context, socket, G_IO_IN, caller_ready, caller);
    g_queue_push_tail(&host->callers, caller);
    return G_SOURCE_CONTINUE;
}

KilnVsockHost *
kiln_vsock_host_new(const char *path, GMainContext *context, KilnVsockHostFunc func, void *opaque,
                    GError **error)
{
    KilnFd listener = kiln_unix_listen(path, BACKLOG, error);
    KilnVsockHost *host;

    if (listener < 0)
        return NULL;
    host = g_new0(KilnVsockHost, 1);
    host->path = g_strdup(path);
    host->context = context;
    host->func = func;
    host->opaque = opaque;
    host->listener = listener;
    host->source = kiln_fd_source_new(context, listener, G_IO_IN, listener_ready, host);
    g_queue_init(&host->callers);
    return host;
}

void
kiln_vsock_host_free(KilnVsockHost *host)
{
    if (host == NULL)
        return;
    while (host->callers.length > 0)
        caller_free(g_queue_peek_head(&host->callers));
    kiln_source_free(host->source);
    kiln_fd_clear(&host->listener);
    (void)unlink(host->path);
    g_free(host->path);
    g_free(host);
}
