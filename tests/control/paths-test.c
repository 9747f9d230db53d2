/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control/paths.h"

#include "base/error.h"
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    const char *file;
} names[] = {
    { "debian", "debian.sock" },
    { "with space", "with space.sock" },
    { "../../etc/passwd", "%2e.%2f..%2fetc%2fpasswd.sock" },
    { ".", "%2e.sock" },
    { "100%", "100%25.sock" },
    { "a\nb\x7f", "a%0ab%7f.sock" },
    { "Größe", "Größe.sock" },
    { "x.sock", "x.sock.sock" },
};

START_TEST(names_become_files_and_come_back)
{
    g_autofree char *path = kiln_control_path(names[_i].name, ".sock", NULL);
    g_autofree char *file = g_path_get_basename(path);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = kiln_control_guest_of(file);

    ck_assert_str_eq(file, names[_i].file);
    ck_assert_str_eq(directory, kiln_control_directory());
    ck_assert_str_eq(name, names[_i].name);
}
END_TEST

START_TEST(names_that_make_no_file_are_refused)
{
    g_autofree char *longest = g_strnfill(250, 'n');
    g_autofree char *too_long = g_strnfill(251, 'n');
    g_autofree char *path = kiln_control_path(longest, ".sock", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_nonnull(path);
    ck_assert_ptr_null(kiln_control_path(too_long, ".sock", &error));
    kiln_assert_error_has(error, "too long");
    g_clear_error(&error);
    ck_assert_ptr_null(kiln_control_path("", ".sock", &error));
    kiln_assert_error_has(error, "empty");
}
END_TEST

START_TEST(other_files_are_no_guests)
{
    static const char *const files[] = { "debian.pid", ".sock", "debian", "debian.sock~" };

    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        ck_assert_ptr_null(kiln_control_guest_of(files[i]));
}
END_TEST

START_TEST(the_directory_is_ours_alone)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "libvirt", "kiln", NULL);
    g_autoptr(GError) error = NULL;
    struct stat status;

    g_setenv("KILN_RUNTIME_DIR", path, TRUE);
    ck_assert(kiln_control_make_directory(&error));
    kiln_assert_no_error(error);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0700);
    ck_assert(kiln_control_make_directory(NULL)); /* it may be there */
    ck_assert_int_eq(chmod(path, 0770), 0);
    ck_assert(!kiln_control_make_directory(&error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_PERMISSION));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("paths");
    TCase *tcase = kiln_test_case(suite, "paths");

    tcase_add_loop_test(tcase, names_become_files_and_come_back, 0, G_N_ELEMENTS(names));
    tcase_add_test(tcase, names_that_make_no_file_are_refused);
    tcase_add_test(tcase, other_files_are_no_guests);
    tcase_add_test(tcase, the_directory_is_ours_alone);
    return suite;
}

KILN_TEST_MAIN(make_suite)
