/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See terminal.h. */
#include "chardev/terminal.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { TERMINAL_NONE = -1 };

/* Read by signal handlers: the modes are written before @raw_fd says that they are there. */
static struct termios modes_before;
static struct termios modes_raw;
static atomic_int raw_fd = TERMINAL_NONE;

static void (*leave_callback)(void *data);
static void *leave_data;

/* Sets modes also from the background, where SIGTTOU would stop us. */
static void
set_modes(int fd, const struct termios *modes)
{
    sigset_t ttou;
    sigset_t before;

    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &before);
    while (tcsetattr(fd, TCSANOW, modes) < 0 && errno == EINTR)
        ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
kiln_terminal_restore(void)
{
    int fd = atomic_exchange(&raw_fd, TERMINAL_NONE);

    if (fd != TERMINAL_NONE)
        set_modes(fd, &modes_before);
}

gboolean
kiln_terminal_is_foreground(int fd)
{
    pid_t group = tcgetpgrp(fd);

    /* One that is not this session's has no job control: nobody else is in its foreground. */
    return isatty(fd) && (group == getpgrp() || (group < 0 && errno == ENOTTY));
}

/* Installed with SA_RESETHAND: the signal comes again with its default action. */
static void
deadly(int signal_number)
{
    int saved = errno;

    kiln_terminal_restore();
    raise(signal_number);
    errno = saved;
}

static void
stopping(int signal_number)
{
    int saved = errno;
    int fd = atomic_load(&raw_fd);

    if (fd != TERMINAL_NONE)
        set_modes(fd, &modes_before);
    raise(SIGSTOP);
    errno = saved;
}

static void
continued(int signal_number)
{
    int saved = errno;
    int fd = atomic_load(&raw_fd);

    if (fd != TERMINAL_NONE && kiln_terminal_is_foreground(fd))
        set_modes(fd, &modes_raw);
    errno = saved;
}

/* Handles @signal_number unless somebody else does or it is ignored. */
static void
handle(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    struct sigaction before;

    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
        sigemptyset(&action.sa_mask);
        sigaction(signal_number, &action, NULL);
    }
}

static void
handle_all(void)
{
    static const int deadly_signals[] = {
        SIGHUP,  SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGSEGV,
        SIGABRT, SIGBUS, SIGFPE,  SIGILL,  SIGSYS,  SIGTRAP,
    };
    static gboolean handled;

    if (handled)
        return;
    handled = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(deadly_signals); i++)
        handle(deadly_signals[i], deadly, (int)SA_RESETHAND);
    handle(SIGTSTP, stopping, SA_RESTART);
    handle(SIGCONT, continued, SA_RESTART);
    (void)atexit(kiln_terminal_restore);
}

gboolean
kiln_terminal_raw(int fd, GError **error)
{
    if (atomic_load(&raw_fd) != TERMINAL_NONE)
        return kiln_error_set(error, KILN_ERROR_EXISTS, "the terminal is in use already");
    if (tcgetattr(fd, &modes_before) < 0)
        return kiln_error_set_errno(error, errno, "cannot read the terminal's modes");
    modes_raw = modes_before;
    modes_raw.c_iflag &=
        ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    modes_raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    modes_raw.c_cflag = (modes_raw.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    modes_raw.c_cc[VMIN] = 1;
    modes_raw.c_cc[VTIME] = 0;
    handle_all();
    atomic_store(&raw_fd, fd);
    set_modes(fd, &modes_raw);
    return TRUE;
}

void
kiln_terminal_set_leave_callback(void (*callback)(void *data), void *data)
{
    leave_callback = callback;
    leave_data = data;
}

void
kiln_terminal_left(void)
{
    if (leave_callback != NULL)
        leave_callback(leave_data);
}
