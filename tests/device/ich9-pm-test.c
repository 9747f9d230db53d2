/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ACPI fixed hardware and the TCO watchdog. */
#include "device/ich9-pm.h"

#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { BASE = 0x600, SCI = 9 };

static KilnIch9Pm *
pm_new(KilnBoard *board, gboolean acpi)
{
    KilnIch9PmOptions options = { .io = board->io,
                                  .clock = board->clock,
                                  .sci = kiln_board_irq(board, SCI),
                                  .acpi_at_reset = acpi,
                                  .power_off = kiln_board_power_off,
                                  .sleep = kiln_board_sleep,
                                  .reset = kiln_board_reset,
                                  .opaque = board };
    KilnIch9Pm *pm = kiln_ich9_pm_new(&options, NULL);

    ck_assert_ptr_nonnull(pm);
    kiln_ich9_pm_place(pm, BASE);
    return pm;
}

START_TEST(acpi65_4_8_3_1_power_button_raises_sci)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    kiln_ich9_pm_power_button(pm);
    ck_assert_uint_eq(kiln_board_in(board, BASE, 2), 0x100);
    ck_assert(!board->gsi[SCI]); /* not enabled */
    kiln_board_out(board, BASE + 2, 0x120, 2);
    ck_assert(board->gsi[SCI]);
    kiln_board_out(board, BASE, 0x100, 2); /* write 1 to clear */
    ck_assert(!board->gsi[SCI]);
    ck_assert_uint_eq(kiln_board_in(board, BASE, 2), 0);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(acpi65_4_8_2_5_smi_cmd_switches_acpi_mode)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, FALSE);

    kiln_board_out(board, BASE + 2, 0x100, 2);
    kiln_ich9_pm_power_button(pm);
    ck_assert(!board->gsi[SCI]);
    kiln_board_out(board, 0xb2, KILN_ICH9_ACPI_ENABLE, 1);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 4, 2) & 1, 1);
    ck_assert(board->gsi[SCI]);
    kiln_board_out(board, 0xb2, KILN_ICH9_ACPI_DISABLE, 1);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 4, 2) & 1, 0);
    ck_assert(!board->gsi[SCI]);
    kiln_board_out(board, 0xb3, 0x5a, 1);
    ck_assert_uint_eq(kiln_board_in(board, 0xb2, 2), 0x5a03);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(acpi65_4_8_3_2_sleep_enable_acts_and_reads_zero)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    kiln_board_out(board, BASE + 4, KILN_ICH9_SLP_TYP_S5 << 10 | 1, 2);
    ck_assert_uint_eq(board->n_power_offs, 0); /* no SLP_EN */
    kiln_board_out(board, BASE + 4, 1 << 13 | KILN_ICH9_SLP_TYP_S5 << 10 | 1, 2);
    ck_assert_uint_eq(board->n_power_offs, 1);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 4, 2), KILN_ICH9_SLP_TYP_S5 << 10 | 1);
    kiln_board_out(board, BASE + 5, 1 << 5, 1); /* as a byte; and type 0, as firmware does */
    ck_assert_uint_eq(board->n_power_offs, 2);
    kiln_board_out(board, BASE + 4, 1 << 13 | KILN_ICH9_SLP_TYP_S3 << 10, 4);
    ck_assert_uint_eq(board->n_sleeps, 1);
    ck_assert_uint_eq(board->n_power_offs, 2);
    kiln_ich9_pm_wake(pm);
    ck_assert_uint_eq(kiln_board_in(board, BASE, 2), 1 << 15);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(acpi65_4_8_2_1_timer_counts_and_carries)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    ck_assert_uint_eq(kiln_board_in(board, BASE + 8, 4), 0);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 8, 4), 3579545);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 9, 1), 3579545 >> 8 & 0xff);
    kiln_board_out(board, BASE + 2, 1, 2); /* TMR_EN */
    ck_assert(!board->gsi[SCI]);
    kiln_clock_advance(board->clock, 2 * KILN_NS_PER_SECOND); /* bit 23 after 2.34 s */
    ck_assert(board->gsi[SCI]);
    kiln_board_out(board, BASE, 1, 2);
    ck_assert(!board->gsi[SCI]);
    kiln_clock_advance(board->clock, 2 * KILN_NS_PER_SECOND); /* and back after 4.69 s */
    ck_assert(board->gsi[SCI]);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 8, 4), 5 * 3579545 & 0xffffff);
    ck_assert_uint_eq(board->rises[SCI], 2);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(general_purpose_events)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    kiln_ich9_pm_gpe(pm, 34);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x24, 4), 4);
    kiln_board_out(board, BASE + 0x2c, 4, 1);
    ck_assert(board->gsi[SCI]);
    kiln_board_out(board, BASE + 0x24, 4, 1);
    ck_assert(!board->gsi[SCI]);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(ich9_5_14_1_watchdog_resets_at_the_second_time_out)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    kiln_board_out(board, BASE + 0x72, 50, 2); /* 30 s */
    kiln_board_out(board, BASE + 0x60, 1, 2);
    kiln_clock_advance(board->clock, 29 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x60, 2), 2);
    kiln_board_out(board, BASE + 0x60, 1, 2); /* fed */
    kiln_clock_advance(board->clock, 31 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x64, 2), 1 << 3);
    ck_assert_uint_eq(board->n_resets, 0);
    kiln_clock_advance(board->clock, 30 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(board->n_resets, 1);
    ck_assert_uint_eq(board->reset_cause, KILN_RESET_WATCHDOG);
    kiln_device_reset(kiln_ich9_pm_device(pm));
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x66, 2), 6); /* says why, after the reset */
    kiln_board_out(board, BASE + 0x66, 6, 2);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x66, 2), 0);
    kiln_clock_advance(board->clock, 300 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(board->n_resets, 1); /* it does not run by itself */
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(watchdog_halts_locks_and_can_be_kept_from_rebooting)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE);

    kiln_board_out(board, BASE + 0x72, 10, 2); /* 6 s */
    kiln_board_out(board, BASE + 0x60, 1, 2);
    kiln_clock_advance(board->clock, 3 * KILN_NS_PER_SECOND);
    kiln_board_out(board, BASE + 0x68, 1 << 11, 2); /* halt */
    kiln_clock_advance(board->clock, 100 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x60, 2), 5);
    kiln_board_out(board, BASE + 0x68, 0, 2);
    kiln_clock_advance(board->clock, 4 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x64, 2), 1 << 3);
    kiln_board_out(board, BASE + 0x68, 1 << 12, 2); /* lock */
    kiln_board_out(board, BASE + 0x68, 1 << 11, 2);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x68, 2), 1 << 12);
    kiln_ich9_pm_set_no_reboot(pm, TRUE);
    kiln_clock_advance(board->clock, 100 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(kiln_board_in(board, BASE + 0x66, 2), 6);
    ck_assert_uint_eq(board->n_resets, 0);
    kiln_device_free(kiln_ich9_pm_device(pm));
}
END_TEST

START_TEST(save_load_save)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnIch9Pm *pm = pm_new(board, TRUE), *twin;

    kiln_clock_advance(board->clock, 10 * KILN_NS_PER_SECOND);
    kiln_clock_advance(other->clock, 10 * KILN_NS_PER_SECOND);
    twin = pm_new(other, TRUE);
    kiln_board_out(board, BASE + 2, 0x101, 2);
    kiln_ich9_pm_power_button(pm);
    kiln_board_out(board, BASE + 0x72, 50, 2);
    kiln_board_out(board, BASE + 0x60, 1, 2);
    ck_assert(kiln_board_resave(kiln_ich9_pm_device(pm), kiln_ich9_pm_device(twin)));
    ck_assert(other->gsi[SCI]);
    ck_assert_uint_eq(kiln_board_in(other, BASE + 8, 4), kiln_board_in(board, BASE + 8, 4));
    kiln_clock_advance(other->clock, 61 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(other->n_resets, 1);
    kiln_device_free(kiln_ich9_pm_device(pm));
    kiln_device_free(kiln_ich9_pm_device(twin));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("ich9-pm");
    TCase *tcase = kiln_test_case(suite, "ich9-pm");

    tcase_add_test(tcase, acpi65_4_8_3_1_power_button_raises_sci);
    tcase_add_test(tcase, acpi65_4_8_2_5_smi_cmd_switches_acpi_mode);
    tcase_add_test(tcase, acpi65_4_8_3_2_sleep_enable_acts_and_reads_zero);
    tcase_add_test(tcase, acpi65_4_8_2_1_timer_counts_and_carries);
    tcase_add_test(tcase, general_purpose_events);
    tcase_add_test(tcase, ich9_5_14_1_watchdog_resets_at_the_second_time_out);
    tcase_add_test(tcase, watchdog_halts_locks_and_can_be_kept_from_rebooting);
    tcase_add_test(tcase, save_load_save);
    return suite;
}

KILN_TEST_MAIN(make_suite)
