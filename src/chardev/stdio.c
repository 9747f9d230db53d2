/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal, or what else stands at standard input and output.  See backend.h. */
#include "base/error.h"
#include "base/fd.h"
#include "chardev/backend.h"
#include "chardev/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    KilnFd terminal;   /* kept open until its modes are restored; -1: no terminal */
    int restore_flags; /* of @shared_out */
    int shared_out;    /* descriptor that we had to make non-blocking, also for others; -1: none */
} Stdio;

static void
stdio_free(void *backend)
{
    Stdio *stdio = backend;

    if (stdio->terminal >= 0)
        kiln_terminal_restore();
    kiln_fd_clear(&stdio->terminal);
    if (stdio->shared_out >= 0)
        (void)fcntl(stdio->shared_out, F_SETFL, stdio->restore_flags);
    kiln_fd_clear(&stdio->shared_out);
    g_free(stdio);
}

/* Opens what @fd is once more where that can be, so that O_NONBLOCK is ours alone: the shell shares
 * the other open file. */
static KilnFd
open_output(Stdio *stdio, int fd, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_auto(KilnFd) again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int flags;

    if (again >= 0)
        return kiln_fd_steal(&again);
    again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    flags = again < 0 ? -1 : fcntl(again, F_GETFL);
    if (flags < 0) {
        kiln_error_set_errno(error, errno, "standard output");
        return -1;
    }
    if ((flags & O_NONBLOCK) == 0) {
        stdio->shared_out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        stdio->restore_flags = flags;
        (void)fcntl(again, F_SETFL, flags | O_NONBLOCK);
    }
    return kiln_fd_steal(&again);
}

/* Where we are in the background, input is left to those in the foreground. */
static gboolean
open_input(Stdio *stdio, int fd, KilnStreamOptions *stream, GError **error)
{
    if (isatty(fd) && !kiln_terminal_is_foreground(fd))
        return TRUE;
    stream->in = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (stream->in < 0)
        return errno == EBADF ||
               kiln_error_set_errno(error, errno, "standard input"); /* closed: no input */
    if (!isatty(fd))
        return TRUE;
    stream->leave_key = TRUE;
    stdio->terminal = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (stdio->terminal < 0)
        return kiln_error_set_errno(error, errno, "standard input");
    if (kiln_terminal_raw(stdio->terminal, error))
        return TRUE;
    kiln_fd_clear(&stdio->terminal); /* whoever has the terminal keeps its modes */
    return FALSE;
}

/* The terminal is there twice, as input and output of one peer: its hang-up is the input's. */
static void *
stdio_open(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    Stdio *stdio = g_new0(Stdio, 1);
    KilnStreamOptions stream = { .in = -1, .out = -1, .outlives_input = TRUE };
    int in = options->fd >= 0 ? options->fd : STDIN_FILENO;
    int out = options->fd_out >= 0 ? options->fd_out : STDOUT_FILENO;
    struct stat status;

    stdio->terminal = stdio->shared_out = -1;
    if (fstat(out, &status) < 0)
        kiln_error_set_errno(error, errno, "standard output");
    else if (open_input(stdio, in, &stream, error)) {
        if (S_ISREG(status.st_mode)) {
            int file = fcntl(out, F_DUPFD_CLOEXEC, 3);

            if (file >= 0)
                kiln_chardev_connect_file(chardev, file, "standard output");
        } else {
            stream.socket = S_ISSOCK(status.st_mode);
            stream.out = open_output(stdio, out, error);
        }
        if (S_ISREG(status.st_mode) || stream.out >= 0) {
            kiln_chardev_connect(chardev, &stream);
            return stdio;
        }
    }
    kiln_fd_clear(&stream.in);
    stdio_free(stdio);
    return NULL;
}

const KilnBackendOps kiln_backend_stdio = {
    .open = stdio_open,
    .free = stdio_free,
};
