/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real-time clock: calendar, formats, flags, interrupts, CMOS memory. */
#include "device/rtc.h"

#include "device/rtc-time.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { IRQ = 8 };

#define LEAP_DAY INT64_C(1709251199) /* 2024-02-29 23:59:59, a Thursday */

static KilnDevice *
rtc_new(KilnBoard *board, int64_t seconds)
{
    KilnRtcOptions options = { .io = board->io,
                               .clock = board->clock,
                               .irq = kiln_board_irq(board, IRQ),
                               .seconds = seconds,
                               .memory_below_4g = UINT64_C(0x80000000),
                               .memory_above_4g = UINT64_C(3) << 30,
                               .changed = kiln_board_rtc_changed,
                               .opaque = board };
    KilnDevice *rtc = kiln_rtc_new(&options, NULL);

    ck_assert_ptr_nonnull(rtc);
    return rtc;
}

static unsigned
get(KilnBoard *board, unsigned index)
{
    kiln_board_out(board, 0x70, index, 1);
    return (unsigned)kiln_board_in(board, 0x71, 1);
}

static void
set(KilnBoard *board, unsigned index, unsigned value)
{
    kiln_board_out(board, 0x70, index, 1);
    kiln_board_out(board, 0x71, value, 1);
}

START_TEST(time_goes_on_over_a_leap_day)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, LEAP_DAY);

    ck_assert_uint_eq(get(board, 0), 0x59);
    ck_assert_uint_eq(get(board, 2), 0x59);
    ck_assert_uint_eq(get(board, 4), 0x23);
    ck_assert_uint_eq(get(board, 6), 5);
    ck_assert_uint_eq(get(board, 7), 0x29);
    ck_assert_uint_eq(get(board, 8), 0x02);
    ck_assert_uint_eq(get(board, 9), 0x24);
    ck_assert_uint_eq(get(board, 0x32), 0x20);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert_uint_eq(get(board, 0), 0);
    ck_assert_uint_eq(get(board, 4), 0);
    ck_assert_uint_eq(get(board, 6), 6);
    ck_assert_uint_eq(get(board, 7), 1);
    ck_assert_uint_eq(get(board, 8), 3);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(calendar_there_and_back)
{
    static const int64_t times[] = {
        0, -1, 951782400, LEAP_DAY, 4107542399, KILN_RTC_LEAST_SECONDS, KILN_RTC_MOST_SECONDS
    };
    static const uint8_t formats[] = { 0, KILN_RTC_B_24_HOURS, KILN_RTC_B_BINARY,
                                       KILN_RTC_B_24_HOURS | KILN_RTC_B_BINARY };
    uint8_t cmos[128] = { 0 };

    for (unsigned f = 0; f < G_N_ELEMENTS(formats); f++) {
        for (unsigned t = 0; t < G_N_ELEMENTS(times); t++) {
            kiln_rtc_time_store(cmos, times[t], formats[f]);
            ck_assert_int_eq(kiln_rtc_time_load(cmos, formats[f]), times[t]);
        }
        for (int64_t hour = 0; hour < 24; hour++) {
            kiln_rtc_time_store(cmos, hour * 3600, formats[f]);
            ck_assert_int_eq(kiln_rtc_time_load(cmos, formats[f]), hour * 3600);
        }
    }
    kiln_rtc_time_store(cmos, 0, 0);
    ck_assert_uint_eq(cmos[KILN_RTC_HOURS], 0x12); /* midnight is 12 AM */
    kiln_rtc_time_store(cmos, 12 * 3600, 0);
    ck_assert_uint_eq(cmos[KILN_RTC_HOURS], 0x92);
    memset(cmos, 0xff, sizeof cmos); /* nonsense has some meaning, in range */
    ck_assert_int_le(kiln_rtc_time_load(cmos, KILN_RTC_B_BINARY), KILN_RTC_MOST_SECONDS);
}
END_TEST

START_TEST(mc146818_set_bit_holds_the_time)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, LEAP_DAY);

    set(board, 0x0b, 0x82 | 0x10);
    ck_assert_uint_eq(get(board, 0x0b), 0x82); /* and clears UIE */
    kiln_clock_advance(board->clock, 10 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(get(board, 0), 0x59);
    set(board, 0, 0x30);
    set(board, 4, 0x11);
    ck_assert_uint_eq(board->n_rtc_changes, 0);
    set(board, 0x0b, 0x02);
    ck_assert_uint_eq(board->n_rtc_changes, 1);
    ck_assert_int_eq(board->rtc_offset, -12 * 3600 - 29 - 10);
    ck_assert_uint_eq(get(board, 0), 0x30);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert_uint_eq(get(board, 0), 0x31);
    ck_assert_uint_eq(get(board, 4), 0x11);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(mc146818_divider_starts_half_a_second_before_the_update)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, 0);

    set(board, 0x0a, 0x70);
    kiln_clock_advance(board->clock, 5 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(get(board, 0), 0);
    set(board, 0x0a, 0x26);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND / 2 - 1);
    ck_assert_uint_eq(get(board, 0), 0);
    ck_assert_uint_eq(get(board, 0x0a), 0xa6); /* UIP just before it */
    kiln_clock_advance(board->clock, 1);
    ck_assert_uint_eq(get(board, 0), 1);
    ck_assert_uint_eq(get(board, 0x0a), 0x26);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(mc146818_periodic_interrupt)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, 0);

    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND / 512);
    ck_assert_uint_eq(get(board, 0x0c), 0x40); /* the flag comes without being enabled, IRQF not */
    ck_assert_uint_eq(get(board, 0x0c), 0);
    set(board, 0x0b, 0x42);
    ck_assert(!board->gsi[IRQ]);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND / 1024 + 1);
    ck_assert(board->gsi[IRQ]);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert_uint_eq(board->rises[IRQ], 1); /* until register C is read */
    ck_assert_uint_eq(get(board, 0x0c) & 0xc0, 0xc0);
    ck_assert(!board->gsi[IRQ]);
    for (unsigned i = 0; i < 1024; i++) {
        kiln_clock_advance(board->clock, KILN_NS_PER_SECOND / 1024 + 1);
        get(board, 0x0c);
    }
    ck_assert_uint_eq(board->rises[IRQ], 1025);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(mc146818_alarm_and_update_interrupts)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, LEAP_DAY);

    set(board, 1, 0x05);
    set(board, 3, 0xc0); /* any minute */
    set(board, 5, 0x01);
    get(board, 0x0c);
    set(board, 0x0b, 0x22);
    kiln_clock_advance(board->clock, (3600 + 5) * KILN_NS_PER_SECOND);
    ck_assert(!board->gsi[IRQ]);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert(board->gsi[IRQ]);
    ck_assert_uint_eq(get(board, 0x0c) & 0xb0, 0xb0);
    kiln_clock_advance(board->clock, 60 * KILN_NS_PER_SECOND);
    ck_assert_uint_eq(get(board, 0x0c) & 0xa0, 0xa0);
    set(board, 0x0b, 0x12);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND);
    ck_assert(board->gsi[IRQ]);
    ck_assert_uint_eq(get(board, 0x0c) & 0x90, 0x90);
    ck_assert_uint_eq(board->rises[IRQ], 3);
    set(board, 1, 0x77); /* a second that never comes */
    set(board, 0x0b, 0x22);
    kiln_clock_advance(board->clock, 2 * 86400 * KILN_NS_PER_SECOND);
    ck_assert(!board->gsi[IRQ]);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(memory_sizes_as_firmware_reads_them)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, 0);

    ck_assert_uint_eq(get(board, 0x16) << 8 | get(board, 0x15), 640);
    ck_assert_uint_eq(get(board, 0x31) << 8 | get(board, 0x30), 0xffff);
    ck_assert_uint_eq(get(board, 0x35) << 8 | get(board, 0x34), (0x80000000 - 0x1000000) >> 16);
    ck_assert_uint_eq(get(board, 0x5d) << 16 | get(board, 0x5c) << 8 | get(board, 0x5b),
                      3u << 30 >> 16);
    ck_assert_uint_eq(get(board, 0x0d), 0x80);
    kiln_rtc_set_cmos(rtc, 0x5f, 7);
    ck_assert_uint_eq(get(board, 0x5f), 7);
    set(board, 0x7f, 0xa5);
    kiln_device_reset(rtc);
    ck_assert_uint_eq(get(board, 0x80 | 0x7f), 0xa5); /* the battery holds it; bit 7 masks NMI */
    ck_assert_uint_eq(kiln_board_in(board, 0x70, 1), 0xff);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(the_machine_sets_the_time_after_a_pause)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, 0);

    kiln_rtc_set_seconds(rtc, LEAP_DAY);
    ck_assert_uint_eq(get(board, 9), 0x24);
    ck_assert_uint_eq(board->n_rtc_changes, 0);
    kiln_device_free(rtc);
}
END_TEST

/* Linux writes its clock back every 11 minutes: what it wrote before must still count then. */
START_TEST(what_the_guest_set_outlasts_pauses_and_moves)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, 0), *twin = rtc_new(other, 0);

    set(board, 4, 0x05); /* five hours ahead */
    ck_assert_int_eq(board->rtc_offset, 5 * 3600);
    kiln_rtc_set_seconds(rtc, 60);
    ck_assert_uint_eq(get(board, 4), 0x05);
    ck_assert_uint_eq(get(board, 2), 0x01);
    set(board, 4, 0x05); /* the same again */
    ck_assert_int_eq(board->rtc_offset, 5 * 3600);
    kiln_rtc_set_seconds(rtc, 120);
    ck_assert_uint_eq(get(board, 4), 0x05);
    ck_assert_uint_eq(get(board, 2), 0x02);

    ck_assert(kiln_board_resave(rtc, twin));
    kiln_rtc_set_seconds(twin, 180);
    ck_assert_uint_eq(get(other, 4), 0x05);
    ck_assert_uint_eq(get(other, 2), 0x03);
    kiln_device_free(rtc);
    kiln_device_free(twin);
}
END_TEST

START_TEST(a_pause_does_not_disturb_who_sets_the_clock)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, LEAP_DAY);

    set(board, 0x0b, KILN_RTC_B_24_HOURS | 0x80); /* SET */
    set(board, 4, 0x07);
    kiln_rtc_set_seconds(rtc, LEAP_DAY + 1);
    set(board, 2, 0x30);
    set(board, 0x0b, KILN_RTC_B_24_HOURS);
    ck_assert_uint_eq(get(board, 4), 0x07);
    ck_assert_uint_eq(get(board, 2), 0x30);
    kiln_device_free(rtc);
}
END_TEST

START_TEST(save_load_save)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnDevice *rtc = rtc_new(board, LEAP_DAY), *twin = rtc_new(other, 0);

    kiln_clock_advance(board->clock, 77 * KILN_NS_PER_SECOND);
    kiln_clock_advance(other->clock, 77 * KILN_NS_PER_SECOND);
    get(board, 0x0c);
    set(board, 0x0b, 0x42);
    kiln_clock_advance(board->clock, KILN_NS_PER_SECOND / 500);
    kiln_clock_advance(other->clock, KILN_NS_PER_SECOND / 500);
    ck_assert(kiln_board_resave(rtc, twin));
    ck_assert(other->gsi[IRQ]);
    ck_assert_uint_eq(get(other, 9), 0x24);
    ck_assert_uint_eq(get(other, 2), 0x01);
    ck_assert_uint_eq(get(other, 0), 0x16);
    kiln_device_free(rtc);
    kiln_device_free(twin);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("rtc");
    TCase *tcase = kiln_test_case(suite, "rtc");

    tcase_add_test(tcase, time_goes_on_over_a_leap_day);
    tcase_add_test(tcase, calendar_there_and_back);
    tcase_add_test(tcase, mc146818_set_bit_holds_the_time);
    tcase_add_test(tcase, mc146818_divider_starts_half_a_second_before_the_update);
    tcase_add_test(tcase, mc146818_periodic_interrupt);
    tcase_add_test(tcase, mc146818_alarm_and_update_interrupts);
    tcase_add_test(tcase, memory_sizes_as_firmware_reads_them);
    tcase_add_test(tcase, the_machine_sets_the_time_after_a_pause);
    tcase_add_test(tcase, what_the_guest_set_outlasts_pauses_and_moves);
    tcase_add_test(tcase, a_pause_does_not_disturb_who_sets_the_clock);
    tcase_add_test(tcase, save_load_save);
    return suite;
}

KILN_TEST_MAIN(make_suite)
