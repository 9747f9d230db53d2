/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A terminal is given back as it was, whichever way the process ends. */
#include "chardev/chardev.h"

#include "base/fd.h"
#include "chardev/terminal.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

typedef struct {
    KilnFd master;
    KilnFd terminal; /* held open, so that its modes outlive the child */
    char path[64];
} Tty;

static void
tty_open(Tty *tty)
{
    tty->master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(tty->master, 0);
    ck_assert_int_eq(grantpt(tty->master), 0);
    ck_assert_int_eq(unlockpt(tty->master), 0);
    ck_assert_int_eq(ptsname_r(tty->master, tty->path, sizeof tty->path), 0);
    tty->terminal = open(tty->path, O_RDWR | O_NOCTTY);
    ck_assert_int_ge(tty->terminal, 0);
}

static gboolean
is_raw(const Tty *tty)
{
    struct termios modes;

    ck_assert_int_eq(tcgetattr(tty->terminal, &modes), 0);
    return (modes.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

static const int ending_signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGSEGV, SIGABRT };

/* Runs @body as a session of its own on @tty, as a shell's foreground job. */
static pid_t
child(const Tty *tty, void (*body)(int ready))
{
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int fd;

        setsid();
        for (guint i = 0; i < G_N_ELEMENTS(ending_signals); i++)
            signal(ending_signals[i], SIG_DFL); /* the test library and shells set some */
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
        fd = open(tty->path, O_RDWR);
        ioctl(fd, TIOCSCTTY, 0);
        dup2(fd, STDIN_FILENO);
        dup2(fd, STDOUT_FILENO);
        body(ready[1]);
        _exit(99);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void
say_ready(int ready)
{
    if (write(ready, "", 1) != 1)
        _exit(98);
}

static void
raw_and_wait(int ready)
{
    if (!kiln_terminal_raw(STDIN_FILENO, NULL))
        _exit(97);
    say_ready(ready);
    while (TRUE)
        pause();
}

START_TEST(signals_restore_it)
{
    int signal_number = ending_signals[_i];
    Tty tty;
    pid_t pid;
    int status;

    tty_open(&tty);
    ck_assert(!is_raw(&tty));
    pid = child(&tty, raw_and_wait);
    ck_assert(is_raw(&tty));
    ck_assert_int_eq(kill(pid, signal_number), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(!is_raw(&tty));
#ifndef __SANITIZE_ADDRESS__ /* it has a handler of its own for SIGSEGV */
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), signal_number);
#endif
}
END_TEST

static void
raw_and_exit(int ready)
{
    if (!kiln_terminal_raw(STDIN_FILENO, NULL))
        _exit(97);
    say_ready(ready);
    exit(7);
}

START_TEST(exit_restores_it)
{
    Tty tty;
    int status;

    tty_open(&tty);
    ck_assert_int_eq(waitpid(child(&tty, raw_and_exit), &status, 0) > 0, 1);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert(!is_raw(&tty));
}
END_TEST

START_TEST(stopping_gives_it_back_and_going_on_takes_it_again)
{
    Tty tty;
    pid_t pid;
    int status;

    tty_open(&tty);
    pid = child(&tty, raw_and_wait);
    kill(pid, SIGTSTP);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
    ck_assert(WIFSTOPPED(status));
    ck_assert(!is_raw(&tty));
    kill(pid, SIGCONT);
    while (!is_raw(&tty))
        g_usleep(1000);
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(!is_raw(&tty));
}
END_TEST

static void
left(void *data)
{
    int *ready = data;

    say_ready(*ready);
    while (TRUE)
        pause();
}

/* A guest that takes nothing: Ctrl-] has to work all the same. */
static void
stdio_chardev(int ready)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;

    options.kind = KILN_CHARDEV_STDIO;
    kiln_terminal_set_leave_callback(left, &ready);
    if (kiln_chardev_open(&options, NULL, NULL) == NULL)
        _exit(97);
    say_ready(ready);
    while (TRUE)
        g_main_context_iteration(NULL, TRUE);
}

START_TEST(ctrl_bracket_leaves)
{
    Tty tty;
    pid_t pid;

    tty_open(&tty);
    pid = child(&tty, stdio_chardev);
    ck_assert(is_raw(&tty));
    ck_assert_int_eq(kiln_write_full(tty.master, "ls\r\x1d", 4, -1), 0);
    while (is_raw(&tty))
        g_usleep(1000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tcase = kiln_test_case(suite, "terminal");

    tcase_add_loop_test(tcase, signals_restore_it, 0, G_N_ELEMENTS(ending_signals));
    tcase_add_test(tcase, exit_restores_it);
    tcase_add_test(tcase, stopping_gives_it_back_and_going_on_takes_it_again);
    tcase_add_test(tcase, ctrl_bracket_leaves);
    return suite;
}

KILN_TEST_MAIN(make_suite)
