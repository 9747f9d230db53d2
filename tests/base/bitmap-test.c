/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "base/bitmap.h"

START_TEST(parse_and_format)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
    } cases[] = {
        { "0", "0" },          { "0-3,^2,8", "0-1,3,8" }, { " 1 , 2 ", "1-2" }, { "5-3", NULL },
        { "", NULL },          { "1,,2", NULL },          { "16383", "16383" }, { "16384", NULL },
        { "0-3,^0-3", NULL },  { "x", NULL },             { "1-", NULL },       { "3,^3", NULL },
        { "99999999999", NULL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KilnBitmap) bitmap = kiln_bitmap_parse(cases[i].in, &error);
        g_autofree char *out = NULL;

        ck_assert_msg((bitmap != NULL) == (cases[i].out != NULL), "'%s'", cases[i].in);
        ck_assert((error != NULL) == (bitmap == NULL));
        if (bitmap == NULL)
            continue;
        out = kiln_bitmap_format(bitmap);
        ck_assert_str_eq(out, cases[i].out);
    }
}
END_TEST

START_TEST(bits)
{
    g_autoptr(KilnBitmap) a = kiln_bitmap_new();
    g_autoptr(KilnBitmap) b = NULL;

    ck_assert_int_eq(kiln_bitmap_next(a, 0), -1);
    kiln_bitmap_set(a, 63);
    kiln_bitmap_set(a, 64);
    kiln_bitmap_set(a, 700);
    b = kiln_bitmap_copy(a);
    ck_assert(kiln_bitmap_equal(a, b));
    ck_assert_int_eq(kiln_bitmap_next(a, 65), 700);
    ck_assert_uint_eq(kiln_bitmap_count(a), 3);
    kiln_bitmap_unset(b, 700);
    ck_assert(!kiln_bitmap_equal(a, b));
    kiln_bitmap_unset(a, 700);
    ck_assert(kiln_bitmap_equal(a, b)); /* the longer one has only empty words more */
}
END_TEST

static Suite *
bitmap_suite(void)
{
    Suite *suite = suite_create("base/bitmap");
    TCase *tcase = kiln_test_case(suite, "bitmap");

    tcase_add_test(tcase, parse_and_format);
    tcase_add_test(tcase, bits);
    return suite;
}

KILN_TEST_MAIN(bitmap_suite)
