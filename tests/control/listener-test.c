/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The claim to a guest's name. */
#include "control/listener.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "control/paths.h"
#include "tests/lib/kiln-test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void
use_own_directory(void)
{
    g_autofree char *dir = kiln_test_dir();

    g_setenv("KILN_RUNTIME_DIR", dir, TRUE);
}

START_TEST(a_second_guest_of_the_name_is_refused)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnListener) first = NULL;
    g_autofree char *pid = g_strdup_printf("(pid %d)", (int)getpid());

    use_own_directory();
    first = kiln_listener_open("twin", &error);
    kiln_assert_no_error(error);
    ck_assert_ptr_null(kiln_listener_open("twin", &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    kiln_assert_error_has(error, "'twin'");
    kiln_assert_error_has(error, pid);
    kiln_listener_free(kiln_listener_open("other", NULL));
    kiln_listener_free(g_steal_pointer(&first));
    first = kiln_listener_open("twin", NULL); /* it is free again */
    ck_assert_ptr_nonnull(first);
}
END_TEST

START_TEST(what_a_killed_guest_left_is_replaced)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnListener) next = NULL;
    g_autofree char *path = NULL;
    pid_t pid;
    int status;

    use_own_directory();
    path = kiln_control_path("dead", ".sock", NULL);
    pid = fork();
    if (pid == 0) {
        ck_assert_ptr_nonnull(kiln_listener_open("dead", NULL));
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(g_file_test(path, G_FILE_TEST_EXISTS));
    next = kiln_listener_open("dead", &error);
    kiln_assert_no_error(error);
    kiln_fd_clear(&(int){ kiln_unix_connect(path, &error) });
    kiln_assert_no_error(error);
    kiln_listener_free(g_steal_pointer(&next));
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

START_TEST(a_file_in_the_way_is_named_and_left_alone)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    g_autofree char *pid_path = NULL;

    use_own_directory();
    path = kiln_control_path("blocked", ".sock", NULL);
    pid_path = kiln_control_path("blocked", ".pid", NULL);
    ck_assert(g_file_set_contents(path, "", 0, NULL));
    ck_assert_ptr_null(kiln_listener_open("blocked", &error));
    kiln_assert_error_has(error, path);
    kiln_assert_error_has(error, "no socket");
    ck_assert(g_file_test(path, G_FILE_TEST_IS_REGULAR));
    ck_assert(!g_file_test(pid_path, G_FILE_TEST_EXISTS)); /* and nothing of ours stays */
}
END_TEST

START_TEST(nothing_stays_behind)
{
    g_autoptr(GDir) dir = NULL;

    use_own_directory();
    kiln_listener_free(kiln_listener_open("gone", NULL));
    dir = g_dir_open(kiln_control_directory(), 0, NULL);
    ck_assert_ptr_null(g_dir_read_name(dir));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("listener");
    TCase *tcase = kiln_test_case(suite, "claim");

    tcase_add_test(tcase, a_second_guest_of_the_name_is_refused);
    tcase_add_test(tcase, what_a_killed_guest_left_is_replaced);
    tcase_add_test(tcase, a_file_in_the_way_is_named_and_left_alone);
    tcase_add_test(tcase, nothing_stays_behind);
    return suite;
}

KILN_TEST_MAIN(make_suite)
