/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's variable store: made once, from its template, as a whole. */
#include "boot/nvram.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/lock.h"
#include "tests/lib/kiln-test.h"

typedef struct {
    char *top;
    char *template;
    char *path; /* below a folder that is not there */
} Store;

static void
store_open(Store *store)
{
    store->top = kiln_test_dir();
    store->template = g_build_filename(store->top, "template", NULL);
    store->path = g_build_filename(store->top, "a", "b", "VARS.fd", NULL);
    ck_assert(g_file_set_contents(store->template, "template", -1, NULL));
}

static void
store_close(Store *store)
{
    g_free(store->top);
    g_free(store->template);
    g_free(store->path);
}

static void
assert_content(const char *path, const char *wanted)
{
    g_autofree char *text = NULL;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_str_eq(text, wanted);
}

START_TEST(made_once)
{
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = -1;
    struct stat info;
    Store store;

    store_open(&store);
    fd = kiln_nvram_open(store.path, store.template, FALSE, &error);
    kiln_assert_no_error(error);
    assert_content(store.path, "template");
    ck_assert_int_eq(fstat(fd, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(kiln_write_full(fd, "variable", 8, 0), 0);
    kiln_fd_clear(&fd);
    fd = kiln_nvram_open(store.path, store.template, FALSE, &error);
    ck_assert_int_ge(fd, 0);
    assert_content(store.path, "variable");
    kiln_fd_clear(&fd);
    fd = kiln_nvram_open(store.path, "/nowhere", FALSE, &error); /* it is not looked at */
    ck_assert_int_ge(fd, 0);
    kiln_fd_clear(&fd);
    fd = kiln_nvram_open(store.path, store.template, TRUE, &error);
    ck_assert_int_ge(fd, 0);
    assert_content(store.path, "template");
    store_close(&store);
}
END_TEST

/* The file of a guest that runs is not taken away from it. */
START_TEST(one_in_use_is_not_made_again)
{
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = -1;
    KilnFd again;
    Store store;

    store_open(&store);
    fd = kiln_nvram_open(store.path, store.template, FALSE, NULL);
    ck_assert_int_eq(kiln_write_full(fd, "variable", 8, 0), 0);
    ck_assert(kiln_file_lock(fd, store.path, KILN_LOCK_WRITE, KILN_LOCK_CONSISTENT_READ, NULL));
    ck_assert_int_lt(kiln_nvram_open(store.path, store.template, TRUE, &error), 0);
    kiln_assert_error_has(error, store.path);
    assert_content(store.path, "variable");
    kiln_fd_clear(&fd);
    again = kiln_nvram_open(store.path, store.template, TRUE, NULL);
    ck_assert_int_ge(again, 0);
    assert_content(store.path, "template");
    kiln_fd_clear(&again);
    store_close(&store);
}
END_TEST

/* A start that was killed in the middle of it. */
START_TEST(half_of_one_is_none)
{
    g_autofree char *half = NULL;
    g_autofree char *folder = NULL;
    g_auto(KilnFd) fd = -1;
    Store store;

    store_open(&store);
    folder = g_path_get_dirname(store.path);
    half = g_strconcat(store.path, ".new", NULL);
    ck_assert_int_eq(g_mkdir_with_parents(folder, 0700), 0);
    ck_assert(g_file_set_contents(half, "templ", -1, NULL));
    fd = kiln_nvram_open(store.path, store.template, FALSE, NULL);
    ck_assert_int_ge(fd, 0);
    assert_content(store.path, "template");
    ck_assert(!g_file_test(half, G_FILE_TEST_EXISTS));
    store_close(&store);
}
END_TEST

START_TEST(says_what_is_missing)
{
    Store store;
    GError *error = NULL;

    store_open(&store);
    ck_assert_int_lt(kiln_nvram_open(store.path, NULL, FALSE, &error), 0);
    kiln_assert_error_has(error, store.path);
    kiln_assert_error_has(error, "template");
    g_clear_error(&error);
    ck_assert_int_lt(kiln_nvram_open(store.path, "/nowhere/VARS.fd", FALSE, &error), 0);
    kiln_assert_error_has(error, "/nowhere/VARS.fd");
    g_clear_error(&error);
    ck_assert_int_lt(kiln_nvram_open(store.path, store.top, FALSE, &error), 0);
    kiln_assert_error_has(error, "no template");
    g_clear_error(&error);
    ck_assert(!g_file_test(store.path, G_FILE_TEST_EXISTS));
    store_close(&store);
}
END_TEST

static Suite *
nvram_suite(void)
{
    Suite *suite = suite_create("nvram");
    TCase *files = kiln_test_case(suite, "files");

    tcase_add_test(files, made_once);
    tcase_add_test(files, one_in_use_is_not_made_again);
    tcase_add_test(files, half_of_one_is_none);
    tcase_add_test(files, says_what_is_missing);
    return suite;
}

KILN_TEST_MAIN(nvram_suite)
