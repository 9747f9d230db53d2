/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines that are wrong get one helpful line; help is everywhere. */
#include "tests/cli/program.h"

#include "base/unix-socket.h"
#include "control/paths.h"
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <unistd.h>

static const struct {
    const char *line;
    int status;
    const char *says; /* on standard output if @status is 0, else on standard error */
} lines[] = {
    { "--version", 0, "kiln " PACKAGE_VERSION "\n" },
    { "--help", 0, "Commands:" },
    { "help", 0, "Commands:" },
    { "list --help", 0, "Usage:\n  kiln list [OPTION" },
    { "console --help", 0, "Ctrl-] leaves" },
    { "ctl --help", 0, "press the power button" },
    { "help ctl", 0, "kiln ctl [OPTION" },
    { "", 2, "which command?" },
    { "lsit", 2, "unknown command 'lsit'; did you mean 'list'?" },
    { "frobnicate", 2, "unknown command 'frobnicate' (" },
    { "--verison", 2, "unknown option '--verison'" },
    { "console --froce x", 2, "did you mean --force?" },
    { "list --colour", 2, "Unknown option --colour ('kiln list --help'" },
    { "run --help", 0, "--console" },
    { "run", 2, "usage: kiln run [OPTION...] FILE" },
    { "run --sandbox=maybe x", 2, "maybe" },
    { "run --consol x", 2, "did you mean --console?" },
    { "run /nonexistent.xml", 1, "cannot open '/nonexistent.xml': No such file" },
    { "list x", 2, "usage: kiln list [OPTION...]\n" },
    { "ctl", 2, "usage: kiln ctl [OPTION...] NAME ACTION" },
    { "ctl x puase", 2, "unknown action 'puase'; did you mean 'pause'?" },
    { "ctl x explode", 2, "unknown action 'explode' (" },
    { "ctl nobody pause", 1, "no guest named 'nobody' runs" },
    { "ctl -- --odd pause", 1, "no guest named '--odd' runs" },
    { "console nobody", 1, "no guest named 'nobody' runs" },
};

START_TEST(answers)
{
    const char *out;
    const char *err;

    program_use_own_directory();
    ck_assert_int_eq(program_run(lines[_i].line, &out, &err), lines[_i].status);
    if (lines[_i].status == 0) {
        ck_assert_msg(strstr(out, lines[_i].says) != NULL, "'%s' lacks '%s'", out, lines[_i].says);
        ck_assert_str_eq(err, "");
    } else {
        ck_assert_msg(strstr(err, lines[_i].says) != NULL, "'%s' lacks '%s'", err, lines[_i].says);
        ck_assert(g_str_has_prefix(err, "kiln: "));
        ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1); /* one line */
    }
}
END_TEST

START_TEST(list_skips_what_dead_guests_left)
{
    g_autofree char *path = NULL;
    const char *out;
    const char *err;

    program_use_own_directory();
    path = kiln_control_path("dead", ".sock", NULL);
    close(kiln_unix_listen(path, 1, NULL));
    ck_assert_int_eq(program_run("list --name", &out, &err), 0);
    ck_assert_str_eq(out, "");
    ck_assert_str_eq(err, "");
}
END_TEST

START_TEST(list_shows_who_does_not_answer)
{
    g_autofree char *path = NULL;
    const char *out;
    int listener;

    program_use_own_directory();
    path = kiln_control_path("stuck\033[31m", ".sock", NULL);
    listener = kiln_unix_listen(path, 1, NULL);
    ck_assert_int_eq(program_run("list", &out, NULL), 0);
    ck_assert_ptr_nonnull(strstr(out, "no answer"));
    ck_assert_ptr_nonnull(strstr(out, "stuck?[31m")); /* and no escape sequence of its name */
    close(listener);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("usage");
    TCase *tcase = kiln_test_case(suite, "usage");

    tcase_add_loop_test(tcase, answers, 0, G_N_ELEMENTS(lines));
    tcase_add_test(tcase, list_skips_what_dead_guests_left);
    tcase_add_test(tcase, list_shows_who_does_not_answer);
    return suite;
}

KILN_TEST_MAIN(make_suite)
