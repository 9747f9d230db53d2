/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See listener.h. */
#include "control/listener.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/module.h"
#include "base/unix-socket.h"
#include "control/paths.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 16, PID_BYTES = 32, ACCEPT_REST_MS = 500 };

struct KilnListener {
    char *name;
    char *pid_path;
    char *socket_path;
    KilnFd claim; /* of @pid_path, locked */
    KilnFd fd;    /* of @socket_path */
    GSource *source;
    KilnControlGuest guest;
    const KilnControlModule *module; /* (nullable): once somebody connected */
    void *server;
    KilnRatelimit limit;
};

/* ---- The claim ---- */

/* Returns: the process that wrote the claim, 0 if that cannot be told. */
static int
claimed_by(int fd)
{
    char text[PID_BYTES] = "";
    ssize_t length = kiln_read_full(fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return 0;
    return (int)g_ascii_strtoll(text, NULL, 10);
}

/* Whether @fd still is what stands at @path: its owner may have removed it before we locked it. */
static gboolean
is_at(int fd, const char *path)
{
    struct stat of_fd;
    struct stat of_path;

    return fstat(fd, &of_fd) == 0 && lstat(path, &of_path) == 0 && of_fd.st_dev == of_path.st_dev &&
           of_fd.st_ino == of_path.st_ino;
}

static gboolean
refuse(const char *name, int fd, GError **error)
{
    int pid = claimed_by(fd);
    g_autofree char *who = pid > 0 ? g_strdup_printf(" (pid %d)", pid) : g_strdup("");

    return kiln_error_set(error, KILN_ERROR_EXISTS,
                          "a guest named '%s' runs already%s: end it, or choose another name", name,
                          who);
}

/* Locks the file of the claim, which may be there already. */
static gboolean
lock_claim(KilnListener *listener, GError **error)
{
    g_auto(KilnFd) fd = kiln_open(listener->pid_path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, error);

    if (fd < 0)
        return FALSE;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        listener->claim = kiln_fd_steal(&fd);
        return TRUE;
    }
    if (errno == EWOULDBLOCK)
        return refuse(listener->name, fd, error);
    return kiln_error_set_errno(error, errno, "cannot lock '%s'", listener->pid_path);
}

static gboolean
claim(KilnListener *listener, GError **error)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    int written;

    do {
        kiln_fd_clear(&listener->claim);
        if (!lock_claim(listener, error))
            return FALSE;
    } while (!is_at(listener->claim, listener->pid_path));
    written = ftruncate(listener->claim, 0) < 0
                  ? -errno
                  : kiln_write_full(listener->claim, text, strlen(text), 0);
    if (written < 0)
        return kiln_error_set_errno(error, -written, "cannot write '%s'", listener->pid_path);
    return TRUE;
}

/* ---- Clients ---- */

static gboolean
may_control(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static gboolean
load_module(KilnListener *listener)
{
    g_autoptr(GError) error = NULL;

    if (listener->module == NULL) {
        listener->module =
            kiln_module_load(KILN_CONTROL_MODULE_FILE, KILN_CONTROL_MODULE_SYMBOL, &error);
        if (listener->module == NULL) {
            kiln_log_guest(&listener->limit, "control: %s", error->message);
            return FALSE;
        }
        listener->server = listener->module->open(&listener->guest);
    }
    return TRUE;
}

static gboolean
on_client(int fd, GIOCondition ready, gpointer data)
{
    KilnListener *listener = data;
    g_auto(KilnFd) client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0) { /* out of descriptors, perhaps: it is still there later */
        if (errno != EAGAIN && errno != EINTR)
            kiln_fd_source_rest(listener->source, G_IO_IN, ACCEPT_REST_MS);
        return G_SOURCE_CONTINUE;
    }
    if (!may_control(client)) {
        kiln_log_guest(&listener->limit, "control: a client that is another user was refused");
        return G_SOURCE_CONTINUE;
    }
    if (!load_module(listener))
        return G_SOURCE_CONTINUE;
    if (listener->module->n_clients(listener->server) >= KILN_CONTROL_MAX_CLIENTS) {
        kiln_log_guest(&listener->limit, "control: a client more than %d was refused",
                       KILN_CONTROL_MAX_CLIENTS);
        return G_SOURCE_CONTINUE;
    }
    listener->module->add_client(listener->server, kiln_fd_steal(&client));
    return G_SOURCE_CONTINUE;
}

void
kiln_listener_serve(KilnListener *listener, const KilnControlGuest *guest)
{
    listener->guest = *guest;
    listener->source = kiln_fd_source_new(NULL, listener->fd, G_IO_IN, on_client, listener);
}

/* ---- Life ---- */

KilnListener *
kiln_listener_open(const char *name, GError **error)
{
    g_autoptr(KilnListener) listener = g_new0(KilnListener, 1);

    listener->claim = listener->fd = -1;
    listener->name = g_strdup(name);
    listener->pid_path = kiln_control_path(name, ".pid", error);
    if (listener->pid_path == NULL)
        return NULL;
    listener->socket_path = kiln_control_path(name, ".sock", error);
    if (listener->socket_path == NULL || !kiln_control_make_directory(error) ||
        !claim(listener, error))
        return NULL;
    listener->fd = kiln_unix_listen(listener->socket_path, BACKLOG, error);
    if (listener->fd < 0)
        return NULL;
    return g_steal_pointer(&listener);
}

void
kiln_listener_free(KilnListener *listener)
{
    if (listener == NULL)
        return;
    kiln_source_free(listener->source);
    if (listener->server != NULL)
        listener->module->close(listener->server);
    if (listener->fd >= 0)
        (void)unlink(listener->socket_path);
    kiln_fd_clear(&listener->fd);
    if (listener->claim >= 0)
        (void)unlink(listener->pid_path);
    kiln_fd_clear(&listener->claim); /* the lock goes last */
    g_free(listener->pid_path);
    g_free(listener->socket_path);
    g_free(listener->name);
    g_free(listener);
}
