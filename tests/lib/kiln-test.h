/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test shares: a main() that prints TAP, and a few checks on GError and files. */
#ifndef KILN_TEST_H
#define KILN_TEST_H

#include <check.h>
#include <glib.h>

/**
 * kiln_test_main:
 * @suite: the tests of this program
 *
 * Runs @suite, each test in a process of its own, and prints TAP on standard output.
 *
 * Returns: the program's exit status.
 */
int kiln_test_main(Suite *suite);

/**
 * kiln_test_skip_all:
 * @reason: why no test of this program can run here
 *
 * Prints TAP that says that the whole program is skipped.
 *
 * Returns: the program's exit status.
 */
int kiln_test_skip_all(const char *reason);

/**
 * kiln_test_case:
 * @suite: where it goes
 * @name: of the case
 *
 * Returns: (transfer none): a new case in @suite, with a deadline that suits sanitizers.
 */
TCase *kiln_test_case(Suite *suite, const char *name);

/**
 * kiln_test_dir:
 *
 * Returns: (transfer full): the path of a new empty directory, removed with all in it at exit of
 *   the test program.
 */
char *kiln_test_dir(void);

/**
 * kiln_test_source:
 * @relative: a path below the top of the source tree
 *
 * Returns: (transfer full): its path for this run.
 */
char *kiln_test_source(const char *relative);

/* The test fails unless @err is NULL / is set and its message contains @text. */
#define kiln_assert_no_error(err)                                                                  \
    ck_assert_msg((err) == NULL, "unexpected error: %s", (err) != NULL ? (err)->message : "")
#define kiln_assert_error_has(err, text)                                                           \
    do {                                                                                           \
        ck_assert_msg((err) != NULL, "no error was set; wanted one with '%s'", (text));            \
        ck_assert_msg(strstr((err)->message, (text)) != NULL, "message '%s' lacks '%s'",           \
                      (err)->message, (text));                                                     \
    } while (0)

#define KILN_TEST_MAIN(make_suite)                                                                 \
    int main(void)                                                                                 \
    {                                                                                              \
        return kiln_test_main(make_suite());                                                       \
    }

#endif
