/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See program.h. */
#include "tests/cli/program.h"

#include "tests/lib/kiln-test.h"

#include <sys/wait.h>

void
program_use_own_directory(void)
{
    g_autofree char *dir = kiln_test_dir();
    /* The program's modules have a GIO thread: see tests/lib/tsan-gio.c. */
    const char *tsan = g_getenv("TSAN_OPTIONS");
    g_autofree char *more =
        g_strconcat(tsan != NULL ? tsan : "", ":ignore_noninstrumented_modules=1", NULL);

    g_setenv("TSAN_OPTIONS", more, TRUE);
    g_setenv("KILN_RUNTIME_DIR", dir, TRUE);
    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR"), TRUE);
}

char *
program_path(void)
{
    return g_build_filename(g_getenv("KILN_BUILDDIR"), "kiln", NULL);
}

int
program_run(const char *line, const char **out, const char **err)
{
    static char *printed_out;
    static char *printed_err;
    g_autofree char *program = program_path();
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    int status;

    g_ptr_array_add(argv, program);
    for (guint i = 0; words[i] != NULL && *line != '\0'; i++)
        g_ptr_array_add(argv, words[i]);
    g_ptr_array_add(argv, NULL);
    g_clear_pointer(&printed_out, g_free);
    g_clear_pointer(&printed_err, g_free);
    ck_assert_msg(g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_DEFAULT, NULL, NULL,
                               &printed_out, &printed_err, &status, &error),
                  "cannot run '%s': %s", program, error != NULL ? error->message : "");
    ck_assert_msg(WIFEXITED(status), "'%s' was killed by signal %d: %s", line, WTERMSIG(status),
                  printed_err);
    if (out != NULL)
        *out = printed_out;
    if (err != NULL)
        *err = printed_err;
    return WEXITSTATUS(status);
}
