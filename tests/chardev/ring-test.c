/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "chardev/ring.h"

#include "chardev/chardev.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static KilnRing ring;
static KilnRingReader one;
static KilnRingReader two;

static void
set_up(void)
{
    ring = (KilnRing){ 0 };
    one = two = (KilnRingReader){ 0 };
}

static void
tear_down(void)
{
    kiln_ring_clear(&ring);
}

/* Appends @length bytes that count up from the ring's position. */
static void
append(gsize length)
{
    for (gsize i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)(ring.end * 7);

        kiln_ring_append(&ring, &byte, 1);
    }
}

/* Takes and checks up to @length bytes; returns how many there were. */
static gsize
take(KilnRingReader *reader, gsize length)
{
    const uint8_t *data;
    gsize taken = 0;
    gsize there;

    while (taken < length && (there = kiln_ring_peek(&ring, reader, &data)) > 0) {
        there = MIN(there, length - taken);
        for (gsize i = 0; i < there; i++)
            ck_assert_uint_eq(data[i], (uint8_t)((reader->next + i) * 7));
        kiln_ring_take(&ring, reader, there);
        taken += there;
    }
    return taken;
}

START_TEST(bytes_come_out_in_order_around_the_end)
{
    kiln_ring_join(&ring, &one);
    for (int i = 0; i < 10; i++) {
        append(KILN_CHARDEV_RING_BYTES - 1000);
        ck_assert_uint_eq(take(&one, G_MAXSIZE), KILN_CHARDEV_RING_BYTES - 1000);
    }
    ck_assert_uint_eq(ring.lost, 0);
}
END_TEST

START_TEST(space_is_what_the_slowest_leaves)
{
    kiln_ring_join(&ring, &one);
    append(100);
    kiln_ring_join(&ring, &two);
    append(50);
    ck_assert_uint_eq(kiln_ring_space(&ring), KILN_CHARDEV_RING_BYTES - 150);
    ck_assert_uint_eq(take(&two, G_MAXSIZE), 50);
    ck_assert_uint_eq(kiln_ring_space(&ring), KILN_CHARDEV_RING_BYTES - 150);
    kiln_ring_leave(&ring, &one);
    ck_assert_uint_eq(kiln_ring_space(&ring), KILN_CHARDEV_RING_BYTES);
    ck_assert(kiln_ring_has_readers(&ring));
    kiln_ring_leave(&ring, &two);
    ck_assert(!kiln_ring_has_readers(&ring));
}
END_TEST

START_TEST(a_stuck_reader_is_given_up_and_comes_back)
{
    const gint64 stall_us = KILN_CHARDEV_STALL_MS * 1000;

    kiln_ring_join(&ring, &one);
    kiln_ring_join(&ring, &two);
    append(KILN_CHARDEV_RING_BYTES);
    take(&two, G_MAXSIZE);
    ck_assert(!kiln_ring_give_up(&ring, 1000));
    ck_assert(!kiln_ring_give_up(&ring, 1000 + stall_us - 1));
    ck_assert(kiln_ring_give_up(&ring, 1000 + stall_us));
    append(5000);
    ck_assert_uint_eq(take(&two, G_MAXSIZE), 5000);
    ck_assert_uint_eq(take(&one, G_MAXSIZE), KILN_CHARDEV_RING_BYTES); /* the newest ones */
    ck_assert_uint_eq(ring.lost, 5000);
    append(10);
    ck_assert_uint_eq(kiln_ring_space(&ring), KILN_CHARDEV_RING_BYTES - 10); /* it counts again */
}
END_TEST

START_TEST(a_slow_reader_that_keeps_up_with_a_uart_is_waited_for)
{
    const gint64 stall_us = KILN_CHARDEV_STALL_MS * 1000;

    kiln_ring_join(&ring, &one);
    append(KILN_CHARDEV_RING_BYTES);
    for (int i = 0; i < 20; i++) {
        ck_assert(!kiln_ring_give_up(&ring, 1000 + i * stall_us));
        take(&one, KILN_RING_LEAST_PROGRESS);
        append(KILN_RING_LEAST_PROGRESS);
    }
    ck_assert_uint_eq(ring.lost, 0);
    ck_assert(!kiln_ring_give_up(&ring, 1000 + 20 * stall_us)); /* a new window begins */
    ck_assert(kiln_ring_give_up(&ring, 1000 + 21 * stall_us));  /* and nothing was taken in it */
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = kiln_test_case(suite, "ring");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, bytes_come_out_in_order_around_the_end);
    tcase_add_test(tcase, space_is_what_the_slowest_leaves);
    tcase_add_test(tcase, a_stuck_reader_is_given_up_and_comes_back);
    tcase_add_test(tcase, a_slow_reader_that_keeps_up_with_a_uart_is_waited_for);
    return suite;
}

KILN_TEST_MAIN(make_suite)
