/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "memory/layout.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

START_TEST(split_and_windows)
{
    static const struct {
        uint64_t size, low, pci32, pci64;
    } cases[] = {
        { 128 * MIB, 128 * MIB, 2 * GIB, 4 * GIB },
        { 2 * GIB, 2 * GIB, 2 * GIB, 4 * GIB },
        { 2 * GIB + MIB, 2 * GIB + MIB, 3 * GIB, 4 * GIB },
        { 0xb0000000 - 4096, 0xb0000000 - 4096, 3 * GIB, 4 * GIB },
        { 0xb0000000, 2 * GIB, 2 * GIB, 5 * GIB },
        { 5 * GIB, 2 * GIB, 2 * GIB, 7 * GIB },
        { 5 * GIB + 4096, 2 * GIB, 2 * GIB, 8 * GIB },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_uint_eq(kiln_layout_low_ram(cases[i].size), cases[i].low);
        ck_assert_uint_eq(kiln_layout_high_ram(cases[i].size), cases[i].size - cases[i].low);
        ck_assert_uint_eq(kiln_layout_pci32_start(cases[i].size), cases[i].pci32);
        ck_assert_uint_eq(kiln_layout_pci64_start(cases[i].size, 0), cases[i].pci64);
    }
}
END_TEST

START_TEST(window_fits_the_cpu)
{
    ck_assert_uint_eq(kiln_layout_pci64_size(GIB, 0, 32), 0);
    ck_assert_uint_eq(kiln_layout_pci64_size(GIB, 0, 36), 32 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_size(60 * GIB, 0, 36), 64 * GIB - 62 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_size(64 * GIB, 0, 36), 0);
    ck_assert_uint_eq(kiln_layout_pci64_size(GIB, 0, 64), (uint64_t)1 << 51);
}
END_TEST

/* RAM, then modules, then the window. */
START_TEST(modules_are_below_the_window)
{
    ck_assert_uint_eq(kiln_layout_modules_start(128 * MIB), 4 * GIB);
    ck_assert_uint_eq(kiln_layout_modules_start(5 * GIB + 4096), 8 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_start(128 * MIB, 3 * GIB), 7 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_start(5 * GIB + 4096, 512 * MIB), 9 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_size(GIB, 56 * GIB, 36), 4 * GIB);
    ck_assert_uint_eq(kiln_layout_pci64_size(GIB, 60 * GIB, 36), 0);
}
END_TEST

static Suite *
layout_suite(void)
{
    Suite *suite = suite_create("memory/layout");
    TCase *tcase = kiln_test_case(suite, "layout");

    tcase_add_test(tcase, split_and_windows);
    tcase_add_test(tcase, window_fits_the_cpu);
    tcase_add_test(tcase, modules_are_below_the_window);
    return suite;
}

KILN_TEST_MAIN(layout_suite)
