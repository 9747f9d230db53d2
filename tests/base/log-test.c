/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guests cause to be logged: so many lines, and never a wait. */
#include "base/log.h"

#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 200 };

/* Standard error becomes a pipe of @size bytes; returns the end to read from. */
static int
pipe_as_log(int size)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, size), size);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    return ends[0];
}

START_TEST(a_guest_gets_few_lines)
{
    static KilnRatelimit limit;
    int reader = pipe_as_log(65536);
    char text[4096] = "";
    guint lines = 0;

    for (guint i = 0; i < LINES; i++)
        kiln_log_guest(&limit, "line %u", i);
    ck_assert_int_gt(read(reader, text, sizeof text - 1), 0);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_ge(lines, 5);
    ck_assert_uint_le(lines, 20);
}
END_TEST

START_TEST(a_guest_does_not_wait_for_a_log_that_nobody_reads)
{
    static KilnRatelimit limits[LINES];
    int reader = pipe_as_log(4096);

    for (guint i = 0; i < LINES; i++) /* the test's deadline ends it if one of them waits */
        kiln_log_guest(&limits[i], "line %u of a guest that makes many mistakes", i);
    close(reader);
}
END_TEST

static Suite *
log_suite(void)
{
    Suite *suite = suite_create("base/log");
    TCase *tcase = kiln_test_case(suite, "log");

    tcase_add_test(tcase, a_guest_gets_few_lines);
    tcase_add_test(tcase, a_guest_does_not_wait_for_a_log_that_nobody_reads);
    return suite;
}

KILN_TEST_MAIN(log_suite)
