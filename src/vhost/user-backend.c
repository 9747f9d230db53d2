/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See user-backend.h. */
#include "vhost/user-backend.h"

#include "base/error.h"
#include "base/log.h"
#include "loop/fd-source.h"
#include "vhost/user-message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_AT_ONCE = 16 }; /* messages before others of the loop have their turn */

struct KilnVhostUserBackend {
    GMainContext *context; /* (nullable) */
    void (*config_changed)(void *opaque);
    void *opaque;
    KilnFd fd;
    KilnVhostUserReader reader;
    GSource *source; /* (owned) (nullable): reads @fd */
    GSource *change; /* (owned) (nullable): calls config_changed */
    KilnRatelimit limit;
};

static gboolean
tell_change(gpointer data)
{
    KilnVhostUserBackend *backend = data;

    kiln_source_free(g_steal_pointer(&backend->change));
    backend->config_changed(backend->opaque);
    return G_SOURCE_REMOVE;
}

static gboolean
note_change(KilnVhostUserBackend *backend)
{
    if (backend->change == NULL) {
        backend->change = g_idle_source_new();
        g_source_set_priority(backend->change, G_PRIORITY_DEFAULT);
        g_source_set_callback(backend->change, tell_change, backend, NULL);
        g_source_attach(backend->change, backend->context);
    }
    return TRUE;
}

/* Returns: 0, or -errno if the peer does not take its answer. */
static int
handle(KilnVhostUserBackend *backend)
{
    const KilnVhostUserMessage *message = &backend->reader.message;
    KilnVhostUserMessage answer = { .request = message->request,
                                    .flags = VHOST_USER_REPLY,
                                    .size = sizeof answer.payload.u64 };
    gboolean done = FALSE;

    if (message->request == VHOST_USER_BACKEND_CONFIG_CHANGE_MSG && message->size == 0)
        done = note_change(backend);
    else
        kiln_log_guest(&backend->limit, "vhost-user: back end's request %u of %u bytes is refused",
                       message->request, message->size);
    if (!(message->flags & VHOST_USER_NEED_REPLY))
        return 0;
    answer.payload.u64 = done ? 0 : 1;
    return kiln_vhost_user_write(backend->fd, &answer, NULL, 0, g_get_monotonic_time());
}

static void
give_up(KilnVhostUserBackend *backend)
{
    kiln_source_free(g_steal_pointer(&backend->source));
    kiln_fd_clear(&backend->fd);
}

void
kiln_vhost_user_backend_serve(KilnVhostUserBackend *backend)
{
    for (unsigned i = 0; i < MAX_AT_ONCE; i++) {
        int got = kiln_vhost_user_read(&backend->reader, backend->fd);

        if (got == 0)
            return;
        if (got > 0)
            got = handle(backend);
        if (got < 0) {
            if (got != -ECONNRESET)
                kiln_log_guest(&backend->limit, "vhost-user: back end's channel is closed: %s",
                               g_strerror(-got));
            give_up(backend);
            return;
        }
    }
}

static gboolean
readable(int fd, GIOCondition ready, gpointer data)
{
    kiln_vhost_user_backend_serve(data);
    return G_SOURCE_CONTINUE;
}

KilnVhostUserBackend *
kiln_vhost_user_backend_new(GMainContext *context, void (*config_changed)(void *opaque),
                            void *opaque, KilnFd *peer, GError **error)
{
    KilnVhostUserBackend *backend;
    int pair[2];

    /* The peer's end blocks: back ends wait in a read for the answer that they asked for. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        kiln_error_set_errno(error, errno, "socketpair");
        return NULL;
    }
    backend = g_new0(KilnVhostUserBackend, 1);
    backend->context = context;
    backend->config_changed = config_changed;
    backend->opaque = opaque;
    backend->fd = pair[0];
    backend->source = kiln_fd_source_new(context, backend->fd, G_IO_IN, readable, backend);
    *peer = pair[1];
    return backend;
}

void
kiln_vhost_user_backend_free(KilnVhostUserBackend *backend)
{
    if (backend == NULL)
        return;
    give_up(backend);
    kiln_source_free(backend->change);
    g_free(backend);
}

int
kiln_vhost_user_backend_fd(const KilnVhostUserBackend *backend)
{
    return backend->fd;
}
