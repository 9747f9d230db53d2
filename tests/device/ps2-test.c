/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keyboard and mouse behind the keyboard controller, as Linux's i8042, atkbd and psmouse see them.
 */
#include "device/i8042.h"

#include <linux/input-event-codes.h>

#include "device/ps2-keyboard.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

#define MS UINT64_C(1000000)

typedef struct {
    KilnBoard *board;
    KilnInputs *inputs;
    KilnDevice *device;
} Desk;

static void
desk_open(Desk *desk)
{
    KilnI8042Options options;

    *desk = (Desk){ .board = kiln_board_new(), .inputs = kiln_inputs_new() };
    options = (KilnI8042Options){
        .io = desk->board->io,
        .keyboard_irq = kiln_board_irq(desk->board, 1),
        .aux_irq = kiln_board_irq(desk->board, 12),
        .reset = kiln_board_reset,
        .reset_opaque = desk->board,
        .keyboard = desk->inputs,
        .mouse = desk->inputs,
        .clock = desk->board->clock,
    };
    desk->device = kiln_i8042_new(&options, NULL);
}

static void
desk_close(Desk *desk)
{
    kiln_device_free(desk->device);
    kiln_inputs_free(desk->inputs);
    kiln_board_free(desk->board);
}

/* Reads what is there, to the end; @aux: all of it is the mouse's. */
static unsigned
read_all(Desk *desk, uint8_t *bytes, unsigned max, gboolean aux)
{
    unsigned n = 0;

    for (;;) {
        unsigned status = (unsigned)kiln_board_in(desk->board, 0x64, 1);

        if (!(status & 1))
            return n;
        ck_assert_uint_lt(n, max);
        ck_assert_int_eq((status & 0x20) != 0, aux);
        ck_assert(desk->board->gsi[aux ? 12 : 1]);
        bytes[n++] = (uint8_t)kiln_board_in(desk->board, 0x60, 1);
    }
}

static void
expect(Desk *desk, gboolean aux, const uint8_t *want, unsigned n)
{
    uint8_t bytes[256];

    ck_assert_uint_eq(read_all(desk, bytes, sizeof bytes, aux), n);
    for (unsigned i = 0; i < n; i++)
        ck_assert_uint_eq(bytes[i], want[i]);
}

#define EXPECT(desk, aux, ...)                                                                     \
    expect(desk, aux, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define KEYS(desk, ...)  EXPECT(desk, FALSE, __VA_ARGS__)
#define MOUSE(desk, ...) EXPECT(desk, TRUE, __VA_ARGS__)
#define NOTHING(desk)    expect(desk, FALSE, NULL, 0)

static void
to_keyboard(Desk *desk, uint8_t byte)
{
    kiln_board_out(desk->board, 0x60, byte, 1);
}

static void
to_mouse(Desk *desk, uint8_t byte)
{
    kiln_board_out(desk->board, 0x64, 0xd4, 1);
    kiln_board_out(desk->board, 0x60, byte, 1);
    MOUSE(desk, 0xfa);
}

static void
set_mode(Desk *desk, uint8_t mode)
{
    kiln_board_out(desk->board, 0x64, 0x60, 1);
    kiln_board_out(desk->board, 0x60, mode, 1);
}

static void
tap(Desk *desk, uint16_t code)
{
    ck_assert(kiln_inputs_key(desk->inputs, code, TRUE));
    ck_assert(kiln_inputs_key(desk->inputs, code, FALSE));
    kiln_inputs_sync(desk->inputs);
}

START_TEST(linux_finds_the_keyboard)
{
    Desk desk;

    desk_open(&desk);
    to_keyboard(&desk, 0xff);
    KEYS(&desk, 0xfa, 0xaa);
    to_keyboard(&desk, 0xf2);
    KEYS(&desk, 0xfa, 0xab, 0x41); /* translated, as Linux knows */
    to_keyboard(&desk, 0xed);
    KEYS(&desk, 0xfa);
    to_keyboard(&desk, 0x02);
    KEYS(&desk, 0xfa);
    to_keyboard(&desk, 0xee);
    KEYS(&desk, 0xee);
    to_keyboard(&desk, 0x12);
    KEYS(&desk, 0xfe);
    to_keyboard(&desk, 0xf0);
    to_keyboard(&desk, 0x00);
    KEYS(&desk, 0xfa, 0xfa, 0x41); /* 2, translated */
    to_keyboard(&desk, 0xf4);
    KEYS(&desk, 0xfa);
    desk_close(&desk);
}
END_TEST

START_TEST(keys_in_each_set)
{
    Desk desk;

    desk_open(&desk);
    tap(&desk, KEY_A);
    KEYS(&desk, 0x1e, 0x9e);
    tap(&desk, KEY_F7);
    KEYS(&desk, 0x41, 0xc1);
    tap(&desk, KEY_UP);
    KEYS(&desk, 0xe0, 0x48, 0xe0, 0xc8);
    tap(&desk, KEY_PAUSE);
    KEYS(&desk, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    set_mode(&desk, 0x07); /* untranslated */
    tap(&desk, KEY_A);
    KEYS(&desk, 0x1c, 0xf0, 0x1c);
    tap(&desk, KEY_F7);
    KEYS(&desk, 0x83, 0xf0, 0x83);
    tap(&desk, KEY_RIGHTCTRL);
    KEYS(&desk, 0xe0, 0x14, 0xe0, 0xf0, 0x14);
    tap(&desk, KEY_PAUSE);
    KEYS(&desk, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
    to_keyboard(&desk, 0xf0);
    to_keyboard(&desk, 0x01);
    KEYS(&desk, 0xfa, 0xfa);
    tap(&desk, KEY_A);
    KEYS(&desk, 0x1e, 0x9e);
    ck_assert(!kiln_inputs_key(desk.inputs, KEY_F24, TRUE));
    desk_close(&desk);
}
END_TEST

/* Each key is another one in set 1, and set 2 translated is the same. */
START_TEST(keys_are_all_different)
{
    gboolean seen[2][128] = { { FALSE } };

    for (uint16_t code = 1; code < 256; code++) {
        KilnPs2Keyboard one, two;
        uint8_t released = 0;

        if (!kiln_ps2_keyboard_has(code) || code == KEY_PAUSE)
            continue;
        kiln_ps2_keyboard_reset(&one);
        kiln_ps2_keyboard_reset(&two);
        one.set = 1;
        for (unsigned i = 0; i < 2; i++) {
            kiln_ps2_keyboard_key(&one, code, i == 0);
            kiln_ps2_keyboard_key(&two, code, i == 0);
        }
        gboolean extended = one.queue.bytes[0] == 0xe0;
        uint8_t set_1 = one.queue.bytes[extended];

        ck_assert_msg(!seen[extended][set_1], "KEY %u is another one's", code);
        seen[extended][set_1] = TRUE;
        while (two.queue.n > 0) {
            uint8_t byte = kiln_ps2_queue_take(&two.queue);

            if (kiln_ps2_translate(&byte, &released))
                ck_assert_msg(byte == kiln_ps2_queue_take(&one.queue), "KEY %u", code);
        }
        ck_assert_uint_eq(one.queue.n, 0);
    }
}
END_TEST

START_TEST(a_held_key_repeats)
{
    Desk desk;

    desk_open(&desk);
    kiln_inputs_key(desk.inputs, KEY_B, TRUE);
    KEYS(&desk, 0x30);
    kiln_clock_advance(desk.board->clock, 499 * MS);
    NOTHING(&desk);
    kiln_clock_advance(desk.board->clock, 2 * MS);
    KEYS(&desk, 0x30);
    kiln_clock_advance(desk.board->clock, 1000 * MS);
    {
        uint8_t bytes[64];
        unsigned n = read_all(&desk, bytes, sizeof bytes, FALSE);

        ck_assert(n == 10 || n == 11);
    }
    kiln_inputs_key(desk.inputs, KEY_B, FALSE);
    KEYS(&desk, 0xb0);
    kiln_clock_advance(desk.board->clock, 5000 * MS);
    NOTHING(&desk);
    desk_close(&desk);
}
END_TEST

START_TEST(who_does_not_read_loses_whole_keys)
{
    Desk desk;
    uint8_t bytes[256];
    unsigned n;

    desk_open(&desk);
    for (unsigned i = 0; i < 200; i++)
        tap(&desk, KEY_UP);
    n = read_all(&desk, bytes, sizeof bytes, FALSE);
    ck_assert_uint_gt(n, 16);
    for (unsigned i = 0; i + 1 < n; i += 2)
        ck_assert(bytes[i] == 0xe0 && (bytes[i + 1] == 0x48 || bytes[i + 1] == 0xc8));
    ck_assert_uint_eq(n % 2, 0);
    desk_close(&desk);
}
END_TEST

START_TEST(a_port_that_is_off_keeps_its_bytes)
{
    Desk desk;

    desk_open(&desk);
    kiln_board_out(desk.board, 0x64, 0xad, 1);
    tap(&desk, KEY_A);
    NOTHING(&desk);
    kiln_board_out(desk.board, 0x64, 0xae, 1);
    KEYS(&desk, 0x1e, 0x9e);
    desk_close(&desk);
}
END_TEST

START_TEST(linux_finds_the_mouse)
{
    static const uint8_t knock[] = { 200, 100, 80 }, knock_5[] = { 200, 200, 80 };
    Desk desk;

    desk_open(&desk);
    to_mouse(&desk, 0xf6);
    kiln_board_out(desk.board, 0x64, 0xd4, 1);
    kiln_board_out(desk.board, 0x60, 0xff, 1);
    MOUSE(&desk, 0xfa, 0xaa, 0x00);
    kiln_inputs_move_by(desk.inputs, 3, 4);
    kiln_inputs_sync(desk.inputs);
    NOTHING(&desk); /* reporting is off */
    to_mouse(&desk, 0xf4);
    kiln_inputs_move_by(desk.inputs, 3, 4);
    kiln_inputs_button(desk.inputs, BTN_LEFT, TRUE);
    kiln_inputs_sync(desk.inputs);
    MOUSE(&desk, 0x29, 3, 0xfc);
    for (unsigned i = 0; i < 3; i++) {
        to_mouse(&desk, 0xf3);
        to_mouse(&desk, knock[i]);
    }
    kiln_board_out(desk.board, 0x64, 0xd4, 1);
    kiln_board_out(desk.board, 0x60, 0xf2, 1);
    MOUSE(&desk, 0xfa, 3);
    kiln_inputs_wheel(desk.inputs, 1, 0);
    kiln_inputs_sync(desk.inputs);
    MOUSE(&desk, 0x09, 0, 0, 0xff);
    for (unsigned i = 0; i < 3; i++) {
        to_mouse(&desk, 0xf3);
        to_mouse(&desk, knock_5[i]);
    }
    kiln_inputs_button(desk.inputs, BTN_SIDE, TRUE);
    kiln_inputs_sync(desk.inputs);
    MOUSE(&desk, 0x09, 0, 0, 0x10);
    desk_close(&desk);
}
END_TEST

START_TEST(far_moves_arrive)
{
    Desk desk;
    uint8_t bytes[192];
    int x = 0, y = 0;

    desk_open(&desk);
    to_mouse(&desk, 0xf4);
    kiln_inputs_move_by(desk.inputs, 1000, -600);
    kiln_inputs_sync(desk.inputs);
    unsigned n = read_all(&desk, bytes, sizeof bytes, TRUE);

    for (unsigned i = 0; i + 2 < n; i += 3) {
        x += bytes[i + 1] - (bytes[i] & 0x10 ? 256 : 0);
        y += bytes[i + 2] - (bytes[i] & 0x20 ? 256 : 0);
    }
    ck_assert_int_eq(x, 1000);
    ck_assert_int_eq(y, 600);
    desk_close(&desk);
}
END_TEST

START_TEST(save_load_save)
{
    Desk from, to;

    desk_open(&from);
    desk_open(&to);
    to_mouse(&from, 0xf4);
    kiln_inputs_move_by(from.inputs, 10, 20);
    kiln_inputs_sync(from.inputs);
    tap(&from, KEY_UP);
    ck_assert(kiln_board_resave(from.device, to.device));
    ck_assert_uint_eq(kiln_board_in(to.board, 0x60, 1), 0x28);
    desk_close(&from);
    desk_close(&to);
}
END_TEST

static Suite *
ps2_suite(void)
{
    Suite *suite = suite_create("ps2");
    TCase *tcase = kiln_test_case(suite, "ps2");

    tcase_add_test(tcase, linux_finds_the_keyboard);
    tcase_add_test(tcase, keys_in_each_set);
    tcase_add_test(tcase, keys_are_all_different);
    tcase_add_test(tcase, a_held_key_repeats);
    tcase_add_test(tcase, who_does_not_read_loses_whole_keys);
    tcase_add_test(tcase, a_port_that_is_off_keeps_its_bytes);
    tcase_add_test(tcase, linux_finds_the_mouse);
    tcase_add_test(tcase, far_moves_arrive);
    tcase_add_test(tcase, save_load_save);
    return suite;
}
KILN_TEST_MAIN(ps2_suite)
