/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln console: the terminal and a guest's serial port, until Ctrl-] or the guest's end. */
#include "base/error.h"
#include "base/fd.h"
#include "chardev/terminal.h"
#include "cli/cli.h"
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4096, FORCE = 1 };

static const KilnCommandHelp help = {
    .name = "console",
    .arguments = "NAME [PORT]",
    .summary = "Connects the terminal to the first serial port of the guest NAME, or to the port\n"
               "with the alias PORT, such as serial1.  Ctrl-] leaves; the guest runs on.",
};

typedef struct {
    int fd;          /* the guest's port */
    gboolean typing; /* standard input has not ended */
    gboolean leave_key;
    guint8 pending[BUFFER_BYTES]; /* input on its way to the guest */
    gsize n_pending;
} Console;

/* Returns: FALSE when Ctrl-] was typed. */
static gboolean
read_terminal(Console *console)
{
    guint8 typed[BUFFER_BYTES];
    ssize_t length = read(STDIN_FILENO, typed, sizeof typed);
    const guint8 *leave;
    gsize kept;

    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return TRUE;
    if (length <= 0) {
        console->typing = FALSE;
        return TRUE;
    }
    leave = console->leave_key ? memchr(typed, KILN_TERMINAL_LEAVE_KEY, (gsize)length) : NULL;
    kept = leave != NULL ? (gsize)(leave - typed) : (gsize)length;
    /* What a guest that takes nothing has no room for is lost, so that Ctrl-] is always seen. */
    kept = MIN(kept, sizeof console->pending - console->n_pending);
    memcpy(console->pending + console->n_pending, typed, kept);
    console->n_pending += kept;
    return leave == NULL;
}

static void
send_pending(Console *console)
{
    ssize_t sent =
        send(console->fd, console->pending, console->n_pending, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent <= 0)
        return;
    console->n_pending -= (gsize)sent;
    memmove(console->pending, console->pending + sent, console->n_pending);
}

/* Returns: FALSE when the guest or the terminal has ended. */
static gboolean
show_output(Console *console)
{
    guint8 output[BUFFER_BYTES];
    ssize_t length = recv(console->fd, output, sizeof output, MSG_DONTWAIT);

    if (length < 0 && (errno == EINTR || errno == EAGAIN))
        return TRUE;
    return length > 0 && kiln_write_full(STDOUT_FILENO, output, (gsize)length, -1) == 0;
}

/* A file or pipe is fed to the guest in whole: it is not read faster than the guest takes it. */
static gboolean
wants_input(const Console *console)
{
    return console->typing && (console->leave_key || console->n_pending == 0);
}

static void
talk(Console *console)
{
    while (TRUE) {
        struct pollfd ready[] = {
            { .fd = console->fd,
              .events = (short)(POLLIN | (console->n_pending > 0 ? POLLOUT : 0)) },
            { .fd = wants_input(console) ? STDIN_FILENO : -1, .events = POLLIN },
        };

        if (poll(ready, G_N_ELEMENTS(ready), -1) < 0 && errno != EINTR)
            return;
        if ((ready[0].revents & POLLOUT) != 0)
            send_pending(console);
        if ((ready[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !show_output(console))
            return;
        if (ready[1].revents != 0 && !read_terminal(console))
            return;
    }
}

static int
open_port(const char *name, const char *port, gboolean force, GError **error)
{
    g_autoptr(KilnDbusVM1) guest = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer = NULL;

    guest = kiln_client_connect(name, KILN_CLIENT_CONNECT_MS, error);
    if (guest == NULL)
        return -1;
    answer = kiln_client_call(guest, "OpenConsole",
                              g_variant_new("(su)", port, force ? (guint)FORCE : 0u), &fds, error);
    if (answer == NULL) {
        if (error != NULL && g_error_matches(*error, KILN_ERROR, KILN_ERROR_EXISTS))
            g_prefix_error(error, "guest '%s': --force sends the other one away: ", name);
        else
            g_prefix_error(error, "guest '%s': ", name);
        return -1;
    }
    if (fds == NULL) {
        kiln_error_set(error, KILN_ERROR_FAILED, "guest '%s' gave no console", name);
        return -1;
    }
    return g_unix_fd_list_get(fds, 0, error);
}

int
kiln_client_console(int argc, char **argv)
{
    static Console console = { .typing = TRUE };
    gboolean force = FALSE;
    const GOptionEntry entries[] = {
        { "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Send away whoever has the console", NULL },
        { NULL },
    };
    g_autoptr(GError) error = NULL;
    int status;

    if (!kiln_cli_parse(&help, entries, &argc, &argv, 1, 2, &status))
        return status;
    console.fd = open_port(argv[1], argc > 2 ? argv[2] : "", force, &error);
    console.leave_key = kiln_terminal_is_foreground(STDIN_FILENO);
    if (console.fd < 0 || (console.leave_key && !kiln_terminal_raw(STDIN_FILENO, &error))) {
        kiln_cli_error("%s", error->message);
        return KILN_EXIT_FAILED;
    }
    if (console.leave_key)
        fprintf(stderr, "Connected to guest '%s'; Ctrl-] leaves.\r\n", argv[1]);
    talk(&console);
    kiln_terminal_restore();
    kiln_fd_clear(&console.fd);
    if (console.leave_key)
        fputc('\n', stderr);
    return KILN_EXIT_DONE;
}
