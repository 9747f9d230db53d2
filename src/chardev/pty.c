/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pseudo-terminal.  While nobody has its terminal side open, poll(2) on ours reports a hang-up
 * without end, so it is not polled then: the opening is seen when the guest writes (a look at the
 * state, no more than one in a while), or when the opener types (an edge-triggered epoll, which
 * reports each wake-up once).  See backend.h.
 */
#include "base/error.h"
#include "base/fd.h"
#include "chardev/backend.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { PATH_BYTES = 64, KNOCK_INTERVAL_US = 10000 };

typedef struct {
    KilnChardev *chardev;
    KilnFd master;
    KilnFd epoll;         /* of @master, edge-triggered */
    GSource *typing;      /* of @epoll, while nobody is connected */
    gint64 last_knock_us; /* (locked) */
    char path[PATH_BYTES];
} Pty;

static gboolean
is_open(const Pty *pty)
{
    struct pollfd state = { .fd = pty->master, .events = POLLIN };

    return poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0;
}

static gboolean
pty_knock(void *backend)
{
    Pty *pty = backend;
    gint64 now = g_get_monotonic_time();

    if (now - pty->last_knock_us < KNOCK_INTERVAL_US)
        return FALSE;
    pty->last_knock_us = now;
    return is_open(pty);
}

static void
pty_connect(void *backend)
{
    Pty *pty = backend;
    int fd;

    if (kiln_chardev_is_connected(pty->chardev))
        return;
    fd = fcntl(pty->master, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return; /* out of descriptors: it is tried again with the next byte */
    kiln_fd_source_set_condition(pty->typing, 0);
    kiln_chardev_connect(pty->chardev, &(KilnStreamOptions){ .in = fd, .out = fd });
}

static void
pty_disconnected(void *backend)
{
    Pty *pty = backend;

    kiln_fd_source_set_condition(pty->typing, G_IO_IN);
}

static gboolean
on_typing(int fd, GIOCondition ready, gpointer data)
{
    Pty *pty = data;
    struct epoll_event event;

    (void)epoll_wait(fd, &event, 1, 0); /* takes the edge, so that the next one is seen */
    if (is_open(pty))
        pty_connect(pty);
    return G_SOURCE_CONTINUE;
}

static const char *
pty_path(const void *backend)
{
    const Pty *pty = backend;

    return pty->path;
}

static void
pty_free(void *backend)
{
    Pty *pty = backend;

    kiln_source_free(pty->typing);
    kiln_fd_clear(&pty->epoll);
    kiln_fd_clear(&pty->master);
    g_free(pty);
}

/* No echo and no translation, also before the first opener sets its own modes.  Opening and closing
 * the terminal side once is what makes poll(2) report that it is closed. */
static gboolean
make_raw(const Pty *pty, GError **error)
{
    g_auto(KilnFd) terminal = open(pty->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios modes;

    if (terminal < 0 || tcgetattr(terminal, &modes) < 0)
        return kiln_error_set_errno(error, errno, "pseudo-terminal '%s'", pty->path);
    cfmakeraw(&modes);
    if (tcsetattr(terminal, TCSANOW, &modes) < 0)
        return kiln_error_set_errno(error, errno, "pseudo-terminal '%s'", pty->path);
    return TRUE;
}

static gboolean
pty_prepare(Pty *pty, GError **error)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };

    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0 ||
        ptsname_r(pty->master, pty->path, sizeof pty->path) != 0)
        return kiln_error_set_errno(error, errno, "cannot make a pseudo-terminal");
    if (!make_raw(pty, error))
        return FALSE;
    pty->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (pty->epoll < 0 || epoll_ctl(pty->epoll, EPOLL_CTL_ADD, pty->master, &event) < 0)
        return kiln_error_set_errno(error, errno, "cannot watch a pseudo-terminal");
    return TRUE;
}

static void *
pty_open(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    Pty *pty = g_new0(Pty, 1);

    pty->chardev = chardev;
    pty->master = pty->epoll = -1;
    if (!pty_prepare(pty, error)) {
        pty_free(pty);
        return NULL;
    }
    pty->typing =
        kiln_fd_source_new(kiln_chardev_context(chardev), pty->epoll, G_IO_IN, on_typing, pty);
    return pty;
}

const KilnBackendOps kiln_backend_pty = {
    .open = pty_open,
    .disconnected = pty_disconnected,
    .knock = pty_knock,
    .connect_now = pty_connect,
    .path = pty_path,
    .free = pty_free,
};
