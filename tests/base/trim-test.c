/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "base/trim.h"

#include <stdio.h>
#include <string.h>

/* kB of the process that are in memory. */
static guint64
resident(void)
{
    static const char key[] = "\nRss:";
    g_autofree char *text = NULL;
    const char *line;

    ck_assert(g_file_get_contents("/proc/self/smaps_rollup", &text, NULL, NULL));
    line = strstr(text, key);
    ck_assert_ptr_nonnull(line);
    return g_ascii_strtoull(line + strlen(key), NULL, 10);
}

START_TEST(pages_go_and_come_back)
{
    static char written[65536] = "kept"; /* in a segment that is written to */
    char *allocated = g_strdup("kept too");
    guint64 before = resident();
    guint64 after;

    written[sizeof written - 1] = 'x';
    kiln_trim_mappings();
    after = resident();
    ck_assert_msg(after < before, "%u kB before, %u kB after", (guint)before, (guint)after);
    ck_assert_str_eq(written, "kept");
    ck_assert_int_eq(written[sizeof written - 1], 'x');
    ck_assert_str_eq(allocated, "kept too");
    ck_assert_int_eq(g_ascii_strtoll("42", NULL, 10), 42); /* code of a library */
    g_free(allocated);
}
END_TEST

static Suite *
trim_suite(void)
{
    Suite *suite = suite_create("base/trim");

    tcase_add_test(kiln_test_case(suite, "trim"), pages_go_and_come_back);
    return suite;
}

KILN_TEST_MAIN(trim_suite)
