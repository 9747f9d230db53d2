/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The HPET, driven as Linux's hpet and SeaBIOS-like firmware do. */
#include "device/hpet.h"

#include <string.h>

#include "state/format.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

#define BASE UINT64_C(0xfed00000)
#define MS   UINT64_C(1000000)

enum { CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, T0 = 0x100, T1 = 0x120, T2 = 0x140 };

typedef struct {
    KilnBoard *board;
    KilnDevice *device;
    gboolean legacy;
} Board;

static void
on_legacy(void *opaque, gboolean on)
{
    ((Board *)opaque)->legacy = on;
}

static void
board_open(Board *board)
{
    KilnHpetOptions options;

    *board = (Board){ .board = kiln_board_new() };
    options = (KilnHpetOptions){
        .space = board->board->memory,
        .base = BASE,
        .clock = board->board->clock,
        .irq0 = kiln_board_irq(board->board, 0),
        .irq2 = kiln_board_irq(board->board, 2),
        .irq8 = kiln_board_irq(board->board, 8),
        .legacy = on_legacy,
        .opaque = board,
    };
    board->device = kiln_hpet_new(&options, NULL);
}

static void
board_close(Board *board)
{
    kiln_device_free(board->device);
    kiln_board_free(board->board);
}

static uint64_t
get(Board *board, unsigned at, unsigned size)
{
    return kiln_board_read(board->board, BASE + at, size);
}

static void
set(Board *board, unsigned at, uint64_t value)
{
    kiln_board_write(board->board, BASE + at, value, 4);
}

START_TEST(what_it_is)
{
    Board board;

    board_open(&board);
    ck_assert_uint_eq(get(&board, 0, 4), 0x8086a201);
    ck_assert_uint_eq(get(&board, 4, 4), 10000000);
    ck_assert_uint_eq(get(&board, T0, 8), UINT64_C(0x0000010400000030));
    ck_assert_uint_eq(get(&board, T1, 8), UINT64_C(0x0000010400000020));
    ck_assert_uint_eq(get(&board, T2 + 8, 8), UINT64_MAX);
    ck_assert_uint_eq(get(&board, 0x160, 8), 0);
    board_close(&board);
}
END_TEST

START_TEST(the_counter_counts)
{
    Board board;

    board_open(&board);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert_uint_eq(get(&board, COUNTER, 8), 0);
    kiln_board_write(board.board, BASE + COUNTER, 500, 8);
    set(&board, CONFIG, 1);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert_uint_eq(get(&board, COUNTER, 4), 100500);
    set(&board, CONFIG, 0);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert_uint_eq(get(&board, COUNTER, 8), 100500);
    kiln_board_write(board.board, BASE + COUNTER, UINT64_MAX, 8);
    ck_assert_uint_eq(get(&board, COUNTER + 4, 4), UINT32_MAX);
    board_close(&board);
}
END_TEST

/* Linux's set_periodic: SET_VALUE, comparator, then the period. */
START_TEST(periodic_in_legacy_replacement)
{
    Board board;

    board_open(&board);
    set(&board, CONFIG, 3);
    ck_assert(board.legacy);
    set(&board, T0, 0x14c); /* interrupt, periodic, set value, 32 bits */
    set(&board, T0 + 8, 400000);
    set(&board, T0 + 8, 400000); /* 4 ms */
    kiln_clock_advance(board.board->clock, 41 * MS);
    ck_assert_uint_eq(board.board->rises[0], 10);
    ck_assert(!board.board->gsi[0]);
    ck_assert_uint_eq(board.board->rises[2], 0);
    set(&board, T0, 0);
    kiln_clock_advance(board.board->clock, 41 * MS);
    ck_assert_uint_eq(board.board->rises[0], 10);
    set(&board, CONFIG, 0);
    ck_assert(!board.legacy);
    board_close(&board);
}
END_TEST

START_TEST(once_by_a_route)
{
    Board board;

    board_open(&board);
    set(&board, CONFIG, 1);
    set(&board, T2, 8 << 9 | 4);
    kiln_board_write(board.board, BASE + T2 + 8, 100000, 8);
    kiln_clock_advance(board.board->clock, MS - 20);
    ck_assert_uint_eq(board.board->rises[8], 0);
    kiln_clock_advance(board.board->clock, 40);
    ck_assert_uint_eq(board.board->rises[8], 1);
    kiln_clock_advance(board.board->clock, 100000 * MS);
    ck_assert_uint_eq(board.board->rises[8], 1);
    set(&board, T2, 5 << 9 | 4); /* no line that it has */
    kiln_board_write(board.board, BASE + T2 + 8, get(&board, COUNTER, 8) + 10, 8);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert_uint_eq(board.board->rises[8], 1);
    board_close(&board);
}
END_TEST

START_TEST(levels_wait_to_be_cleared)
{
    Board board;

    board_open(&board);
    set(&board, CONFIG, 1);
    set(&board, T1, 2 << 9 | 6);
    kiln_board_write(board.board, BASE + T1 + 8, 1000, 8);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert(board.board->gsi[2]);
    ck_assert_uint_eq(get(&board, STATUS, 4), 2);
    set(&board, STATUS, 1);
    ck_assert(board.board->gsi[2]);
    set(&board, STATUS, 2);
    ck_assert(!board.board->gsi[2]);
    ck_assert_uint_eq(get(&board, STATUS, 4), 0);
    board_close(&board);
}
END_TEST

/* No value keeps the clock's thread for itself. */
START_TEST(odd_periods_end)
{
    static const uint64_t values[] = {
        0, 1, UINT32_MAX, UINT64_MAX, UINT64_MAX - 5, UINT64_C(1) << 63
    };
    Board board;

    board_open(&board);
    set(&board, CONFIG, 1);
    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        for (unsigned bits = 0; bits < 512; bits += 4) {
            set(&board, T0, bits | 8 << 9);
            kiln_board_write(board.board, BASE + T0 + 8, values[i], 8);
            kiln_board_write(board.board, BASE + T0 + 8, values[G_N_ELEMENTS(values) - 1 - i], 8);
            board.board->rises[8] = 0;
            kiln_clock_advance(board.board->clock, MS);
            ck_assert_uint_le(board.board->rises[8], 12);
        }
    }
    board_close(&board);
}
END_TEST

START_TEST(rounds_of_32_bits_end_too)
{
    const uint64_t counter = UINT64_MAX - 1000000;
    Board board;

    board_open(&board);
    kiln_board_write(board.board, BASE + COUNTER, counter, 8);
    set(&board, T0, 0x104 | 2 << 9);
    set(&board, T0 + 8, (uint32_t)counter + 10);
    set(&board, CONFIG, 1);
    kiln_clock_advance(board.board->clock, MS);
    ck_assert_uint_eq(board.board->rises[2], 1);
    board_close(&board);
}
END_TEST

/* A counter that is far ahead of a timer, which only a stream can say. */
START_TEST(rounds_that_were_missed_are_missed)
{
    uint64_t counter = GUINT64_TO_LE(UINT64_C(0x123456789a));
    KilnStateEntry entry;
    g_autoptr(GByteArray) stream = NULL;
    uint32_t checksum;
    uint8_t *at;
    Board from, to;

    board_open(&from);
    board_open(&to);
    kiln_board_write(from.board, BASE + COUNTER, 0x123456789a, 8);
    set(&from, T0, 0x104 | 2 << 9);
    set(&from, T0 + 8, 0x34567900);
    set(&from, CONFIG, 1);
    entry = kiln_device_state(from.device);
    stream = kiln_state_save(&entry, 1);
    at = memmem(stream->data, stream->len, &counter, sizeof counter);
    ck_assert_ptr_nonnull(at);
    at[7] = 0x10;
    checksum = GUINT32_TO_LE(kiln_state_checksum(stream->data, stream->len - 4));
    memcpy(stream->data + stream->len - 4, &checksum, sizeof checksum);
    entry = kiln_device_state(to.device);
    ck_assert(kiln_state_load(stream->data, stream->len, &entry, 1, NULL));
    kiln_clock_advance(to.board->clock, MS);
    ck_assert_uint_eq(to.board->rises[2], 2); /* the one that is late, and the next */
    board_close(&from);
    board_close(&to);
}
END_TEST

START_TEST(save_load_save)
{
    Board from, to;

    board_open(&from);
    board_open(&to);
    set(&from, CONFIG, 3);
    set(&from, T0, 0x14c);
    set(&from, T0 + 8, 100000);
    set(&from, T0 + 8, 100000);
    kiln_clock_advance(from.board->clock, MS / 2);
    kiln_clock_advance(to.board->clock, MS / 2);
    ck_assert(kiln_board_resave(from.device, to.device));
    ck_assert(to.legacy);
    kiln_clock_advance(to.board->clock, 3 * MS);
    ck_assert_uint_eq(to.board->rises[0], 3);
    board_close(&from);
    board_close(&to);
}
END_TEST

static Suite *
hpet_suite(void)
{
    Suite *suite = suite_create("hpet");
    TCase *tcase = kiln_test_case(suite, "hpet");

    tcase_add_test(tcase, what_it_is);
    tcase_add_test(tcase, the_counter_counts);
    tcase_add_test(tcase, periodic_in_legacy_replacement);
    tcase_add_test(tcase, once_by_a_route);
    tcase_add_test(tcase, levels_wait_to_be_cleared);
    tcase_add_test(tcase, odd_periods_end);
    tcase_add_test(tcase, rounds_of_32_bits_end_too);
    tcase_add_test(tcase, rounds_that_were_missed_are_missed);
    tcase_add_test(tcase, save_load_save);
    return suite;
}
KILN_TEST_MAIN(hpet_suite)
