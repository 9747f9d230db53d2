/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    GMainLoop *loop;
    int status;
    unsigned calls;
} Ended;

static void
on_end(KilnProcess *process G_GNUC_UNUSED, int status, gpointer data)
{
    Ended *ended = data;

    ended->status = status;
    ended->calls++;
    g_main_loop_quit(ended->loop);
}

static KilnProcess *
shell(const char *script, const KilnProcessFd *fds, unsigned n_fds, Ended *ended)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    KilnProcessOptions options = {
        .name = "helper (test)",
        .argv = argv,
        .fds = fds,
        .n_fds = n_fds,
        .ended = ended != NULL ? on_end : NULL,
        .data = ended,
    };
    g_autoptr(GError) error = NULL;
    KilnProcess *process = kiln_process_spawn(&options, &error);

    kiln_assert_no_error(error);
    return process;
}

START_TEST(the_end_is_told_with_status_and_last_line)
{
    Ended ended = { .loop = g_main_loop_new(NULL, FALSE) };
    g_autoptr(KilnProcess) process =
        shell("echo first; echo last words >&2; exit 3", NULL, 0, &ended);
    g_autofree char *words = NULL;

    g_main_loop_run(ended.loop);
    ck_assert_uint_eq(ended.calls, 1);
    ck_assert(WIFEXITED(ended.status));
    ck_assert_int_eq(WEXITSTATUS(ended.status), 3);
    words = kiln_process_describe(process, ended.status);
    ck_assert_str_eq(words, "ended with status 3: 'last words'");
    g_main_loop_unref(ended.loop);
}
END_TEST

START_TEST(only_the_given_descriptors_are_there)
{
    int pair[2];
    g_auto(KilnFd) stray = open("/dev/null", O_RDONLY); /* close-on-exec: no, to be a trap */
    KilnProcessFd fds[2];
    char bytes[64] = "";
    ssize_t n;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    /* numbers that cross those of this process */
    fds[0] = (KilnProcessFd){ pair[1], pair[0] };
    fds[1] = (KilnProcessFd){ pair[0], pair[1] };
    {
        g_autofree char *script = g_strdup_printf("ls /proc/self/fd | tr '\\n' ' ' >&%d", pair[0]);
        g_autoptr(KilnProcess) process = shell(script, fds, 2, NULL);
        g_autofree char *wanted =
            g_strdup_printf("0 1 2 3 %d %d ", MIN(pair[0], pair[1]), MAX(pair[0], pair[1]));

        ck_assert(kiln_process_wait(process, -1, NULL));
        n = read(pair[0], bytes, sizeof bytes - 1);
        ck_assert_int_gt(n, 0);
        if (pair[0] > 3) /* 3 is what ls has open to list the directory */
            ck_assert_str_eq(bytes, wanted);
    }
    kiln_fd_clear(&pair[0]);
    kiln_fd_clear(&pair[1]);
}
END_TEST

START_TEST(a_child_that_is_freed_is_gone)
{
    Ended ended = { .loop = g_main_loop_new(NULL, FALSE) };
    KilnProcess *process =
        shell("trap '' TERM; echo ready; while :; do sleep 1000; done", NULL, 0, &ended);
    pid_t pid = kiln_process_pid(process);

    while (*kiln_process_last_line(process) == '\0')
        g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(getpgid(pid), pid);
    kiln_process_free(process); /* it ignores SIGTERM */
    ck_assert_int_eq(kill(pid, 0), -1);
    ck_assert_uint_eq(ended.calls, 0);
    g_main_loop_unref(ended.loop);
}
END_TEST

START_TEST(a_killed_child_is_reported_so)
{
    Ended ended = { .loop = g_main_loop_new(NULL, FALSE) };
    g_autoptr(KilnProcess) process = shell("kill -9 $$", NULL, 0, &ended);
    g_autofree char *words = NULL;

    g_main_loop_run(ended.loop);
    words = kiln_process_describe(process, ended.status);
    ck_assert_str_eq(words, "killed by signal 9");
    g_main_loop_unref(ended.loop);
}
END_TEST

START_TEST(a_missing_program_is_named)
{
    const char *argv[] = { "kiln-no-such-program", NULL };
    const char *directory[] = { "/etc/passwd", NULL };
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) second = NULL;

    ck_assert(!kiln_process_run(argv, 1000, &error));
    kiln_assert_error_has(error, "program 'kiln-no-such-program' is not installed");
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND));
    ck_assert(!kiln_process_run(directory, 1000, &second));
    kiln_assert_error_has(second, "'/etc/passwd'");
}
END_TEST

START_TEST(a_program_is_run_to_its_end)
{
    const char *good[] = { "/bin/sh", "-c", "exit 0", NULL };
    const char *bad[] = { "/bin/sh", "-c", "echo why >&2; exit 2", NULL };
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_process_run(good, 10000, &error));
    kiln_assert_no_error(error);
    ck_assert(!kiln_process_run(bad, 10000, &error));
    kiln_assert_error_has(error, "ended with status 2: 'why'");
}
END_TEST

static Suite *
process_suite(void)
{
    Suite *suite = suite_create("base/process");
    TCase *test = kiln_test_case(suite, "process");

    tcase_add_test(test, the_end_is_told_with_status_and_last_line);
    tcase_add_test(test, only_the_given_descriptors_are_there);
    tcase_add_test(test, a_child_that_is_freed_is_gone);
    tcase_add_test(test, a_killed_child_is_reported_so);
    tcase_add_test(test, a_missing_program_is_named);
    tcase_add_test(test, a_program_is_run_to_its_end);
    return suite;
}

KILN_TEST_MAIN(process_suite)
