/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln run refuses what it cannot run, in one line, and leaves nothing behind. */
#include "tests/cli/program.h"

#include "control/listener.h"
#include "control/paths.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static const char without_kernel[] = "<domain type='kvm'>\n"
                                     "  <name>guest</name>\n"
                                     "  <memory unit='MiB'>128</memory>\n"
                                     "  <vcpu>1</vcpu>\n"
                                     "  <os>\n"
                                     "    <type arch='x86_64' machine='q35'>hvm</type>\n"
                                     "    <kernel>/nonexistent/vmlinuz</kernel>\n"
                                     "  </os>\n"
                                     "</domain>\n";

/* Runs a guest whose kernel does not exist.  Returns: the exit status. */
static int
run_without_kernel(const char **err)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "guest.xml", NULL);
    g_autofree char *line = g_strdup_printf("run --sandbox=off %s", path);

    ck_assert(g_file_set_contents(path, without_kernel, -1, NULL));
    return program_run(line, NULL, err);
}

static void
check_one_line(const char *err)
{
    ck_assert_msg(g_str_has_prefix(err, "kiln: "), "'%s'", err);
    ck_assert_msg(strchr(err, '\n') == err + strlen(err) - 1, "'%s' is not one line", err);
}

START_TEST(a_second_guest_of_the_name_is_refused)
{
    g_autoptr(KilnListener) first = NULL;
    const char *err;

    program_use_own_directory();
    first = kiln_listener_open("guest", NULL);
    ck_assert_int_eq(run_without_kernel(&err), 1);
    check_one_line(err);
    ck_assert_ptr_nonnull(strstr(err, "a guest named 'guest' runs already (pid "));
}
END_TEST

START_TEST(what_cannot_start_leaves_nothing_behind)
{
    g_autoptr(GDir) dir = NULL;
    const char *err;

    program_use_own_directory();
    ck_assert_int_eq(run_without_kernel(&err), 1); /* no kernel, and perhaps no /dev/kvm either */
    check_one_line(err);
    dir = g_dir_open(kiln_control_directory(), 0, NULL);
    ck_assert_ptr_null(g_dir_read_name(dir));
}
END_TEST

START_TEST(a_faulty_definition_is_told_and_not_run)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "bad.xml", NULL);
    g_autofree char *line = g_strdup_printf("run %s", path);
    g_autofree char *place = g_strdup_printf("%s:1:", path);
    const char *err;

    program_use_own_directory();
    ck_assert(g_file_set_contents(path, "<domain type='kvm'><name>x</name></dom>", -1, NULL));
    ck_assert_int_eq(program_run(line, NULL, &err), 3);
    ck_assert_msg(g_str_has_prefix(err, place), "'%s'", err);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = kiln_test_case(suite, "run");

    tcase_add_test(tcase, a_second_guest_of_the_name_is_refused);
    tcase_add_test(tcase, what_cannot_start_leaves_nothing_behind);
    tcase_add_test(tcase, a_faulty_definition_is_told_and_not_run);
    return suite;
}

KILN_TEST_MAIN(make_suite)
