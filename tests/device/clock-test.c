/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest time: manual and real clocks, stopping, timers. */
#include "device/clock.h"

#include "tests/lib/kiln-test.h"

typedef struct {
    KilnClock *clock;
    KilnClockTimer timer;
    unsigned n_fired;
    uint64_t last_ns;
    uint64_t period_ns;
} Alarm;

static void
fired(void *opaque)
{
    Alarm *alarm = opaque;

    alarm->n_fired++;
    alarm->last_ns = kiln_clock_now(alarm->clock);
    if (alarm->period_ns != 0)
        kiln_clock_timer_arm(&alarm->timer, alarm->last_ns + alarm->period_ns);
}

START_TEST(timers_fire_in_order_at_their_own_time)
{
    g_autoptr(KilnClock) clock = kiln_clock_new_manual();
    Alarm a = { .clock = clock }, b = { .clock = clock, .period_ns = 100 };

    kiln_clock_timer_init(&a.timer, clock, fired, &a);
    kiln_clock_timer_init(&b.timer, clock, fired, &b);
    kiln_clock_timer_arm(&a.timer, 250);
    kiln_clock_timer_arm(&b.timer, 100);
    kiln_clock_advance(clock, 99);
    ck_assert_uint_eq(b.n_fired, 0);
    kiln_clock_advance(clock, 1);
    ck_assert_uint_eq(b.n_fired, 1);
    kiln_clock_advance(clock, 900);
    ck_assert_uint_eq(a.n_fired, 1);
    ck_assert_uint_eq(a.last_ns, 250);
    ck_assert_uint_eq(b.n_fired, 10);
    ck_assert_uint_eq(kiln_clock_now(clock), 1000);
    kiln_clock_timer_arm(&a.timer, 5); /* in the past */
    kiln_clock_advance(clock, 0);
    ck_assert_uint_eq(a.n_fired, 2);
    kiln_clock_timer_arm(&a.timer, 2000);
    kiln_clock_timer_arm(&a.timer, 3000); /* replaces */
    kiln_clock_timer_clear(&b.timer);
    kiln_clock_advance(clock, 1500);
    ck_assert_uint_eq(a.n_fired, 2);
    kiln_clock_timer_clear(&a.timer);
}
END_TEST

START_TEST(real_clock_runs_and_stops)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnClock) clock = kiln_clock_new(NULL, &error);
    Alarm alarm = { .clock = clock };
    uint64_t stopped;

    kiln_assert_no_error(error);
    kiln_clock_timer_init(&alarm.timer, clock, fired, &alarm);
    kiln_clock_timer_arm(&alarm.timer, 1000000);
    ck_assert_uint_eq(kiln_clock_now(clock), 0);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    ck_assert_uint_eq(alarm.n_fired, 0); /* stopped: no deadline is near */
    kiln_clock_start(clock);
    while (alarm.n_fired == 0)
        g_main_context_iteration(NULL, TRUE);
    ck_assert_uint_ge(alarm.last_ns, 1000000);
    kiln_clock_stop(clock);
    stopped = kiln_clock_now(clock);
    ck_assert_uint_ge(stopped, 1000000);
    kiln_clock_timer_arm(&alarm.timer, stopped + 1);
    g_usleep(1000);
    ck_assert_uint_eq(kiln_clock_now(clock), stopped);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    ck_assert_uint_eq(alarm.n_fired, 1);
    kiln_clock_start(clock);
    kiln_clock_start(clock);
    while (alarm.n_fired == 1)
        g_main_context_iteration(NULL, TRUE);
}
END_TEST

START_TEST(save_load_goes_on_from_there)
{
    g_autoptr(KilnClock) clock = kiln_clock_new_manual();
    g_autoptr(KilnClock) other = kiln_clock_new(NULL, NULL);
    KilnStateEntry entry = kiln_clock_state(clock);
    g_autoptr(GByteArray) saved = NULL;

    kiln_clock_advance(clock, 123456789);
    saved = kiln_state_save(&entry, 1);
    entry = kiln_clock_state(other);
    ck_assert(kiln_state_load(saved->data, saved->len, &entry, 1, NULL));
    ck_assert_uint_eq(kiln_clock_now(other), 123456789);
    kiln_clock_start(other);
    ck_assert_uint_ge(kiln_clock_now(other), 123456789);
}
END_TEST

START_TEST(ticks_and_nanoseconds)
{
    ck_assert_uint_eq(kiln_clock_ns_to_ticks(1000000000, 3579545), 3579545);
    ck_assert_uint_eq(kiln_clock_ns_to_ticks(UINT64_C(1000000000) * 86400 * 365 * 100, 3579545),
                      UINT64_C(3579545) * 86400 * 365 * 100);
    for (uint64_t ticks = 1; ticks < 100000; ticks += 777)
        ck_assert_uint_eq(kiln_clock_ns_to_ticks(kiln_clock_ticks_to_ns(ticks, 3579545), 3579545),
                          ticks);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = kiln_test_case(suite, "clock");

    tcase_add_test(tcase, timers_fire_in_order_at_their_own_time);
    tcase_add_test(tcase, real_clock_runs_and_stops);
    tcase_add_test(tcase, save_load_goes_on_from_there);
    tcase_add_test(tcase, ticks_and_nanoseconds);
    return suite;
}

KILN_TEST_MAIN(make_suite)
