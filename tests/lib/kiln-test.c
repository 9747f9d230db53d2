/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kiln-test.h. */
#include "tests/lib/kiln-test.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CASE_DEADLINE_SECONDS = 60 }; /* generous: sanitizers and loaded machines are slow */

static GPtrArray *temporary_dirs; /* (owned): paths to remove at exit */

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    if (dir == NULL)
        return;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
            remove_tree(child);
        else
            (void)g_unlink(child);
    }
    (void)g_rmdir(path);
}

static void
remove_temporary_dirs(void)
{
    for (guint i = 0; i < temporary_dirs->len; i++)
        remove_tree(g_ptr_array_index(temporary_dirs, i));
}

int
kiln_test_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    srunner_free(runner); /* TAP tells the harness what failed */
    return 0;
}

int
kiln_test_skip_all(const char *reason)
{
    printf("1..0 # SKIP %s\n", reason);
    return 0;
}

TCase *
kiln_test_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, CASE_DEADLINE_SECONDS);
    suite_add_tcase(suite, tcase);
    return tcase;
}

char *
kiln_test_dir(void)
{
    g_autofree char *path = g_dir_make_tmp("kiln-test-XXXXXX", NULL);

    ck_assert_ptr_nonnull(path);
    if (temporary_dirs == NULL) {
        temporary_dirs = g_ptr_array_new_with_free_func(g_free);
        (void)atexit(remove_temporary_dirs);
    }
    g_ptr_array_add(temporary_dirs, g_strdup(path));
    return g_steal_pointer(&path);
}

char *
kiln_test_source(const char *relative)
{
    const char *top = g_getenv("KILN_SRCDIR");

    return g_build_filename(top != NULL ? top : ".", relative, NULL);
}
