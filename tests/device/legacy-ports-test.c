/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keyboard controller, port 0x92 and the panic notifier. */
#include "device/i8042.h"
#include "device/port92.h"
#include "device/pvpanic.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

static KilnDevice *
i8042_new(KilnBoard *board)
{
    KilnI8042Options options = { .io = board->io,
                                 .keyboard_irq = kiln_board_irq(board, 1),
                                 .aux_irq = kiln_board_irq(board, 12),
                                 .reset = kiln_board_reset,
                                 .reset_opaque = board };
    KilnDevice *device = kiln_i8042_new(&options, NULL);

    ck_assert_ptr_nonnull(device);
    return device;
}

static void
command(KilnBoard *board, uint8_t value)
{
    kiln_board_out(board, 0x64, value, 1);
}

static void
data(KilnBoard *board, uint8_t value)
{
    kiln_board_out(board, 0x60, value, 1);
}

static unsigned
status(KilnBoard *board)
{
    return (unsigned)kiln_board_in(board, 0x64, 1);
}

static unsigned
answer(KilnBoard *board)
{
    ck_assert_uint_eq(status(board) & 1, 1);
    return (unsigned)kiln_board_in(board, 0x60, 1);
}

START_TEST(i8042_tests_itself)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *device = i8042_new(board);

    ck_assert_uint_eq(status(board), 0x14);
    command(board, 0xaa);
    ck_assert_uint_eq(answer(board), 0x55);
    command(board, 0xab);
    ck_assert_uint_eq(answer(board), 0x00);
    command(board, 0xa9);
    ck_assert_uint_eq(answer(board), 0x00);
    ck_assert_uint_eq(status(board) & 1, 0);
    kiln_device_free(device);
}
END_TEST

START_TEST(i8042_command_byte_and_port_switches)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *device = i8042_new(board);

    command(board, 0x60);
    data(board, 0x30);
    command(board, 0x20);
    ck_assert_uint_eq(answer(board), 0x30);
    command(board, 0xa8);
    command(board, 0x20);
    ck_assert_uint_eq(answer(board), 0x10); /* as Linux tests that the aux port is there */
    command(board, 0xa7);
    command(board, 0xae);
    command(board, 0x20);
    ck_assert_uint_eq(answer(board), 0x20);
    command(board, 0x65);
    data(board, 0x77);
    command(board, 0x25);
    ck_assert_uint_eq(answer(board), 0x77);
    kiln_device_free(device);
}
END_TEST

START_TEST(i8042_aux_loop_raises_irq_12)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *device = i8042_new(board);

    command(board, 0xd3);
    data(board, 0x5a);
    ck_assert_uint_eq(status(board) & 0x21, 0x21);
    ck_assert(board->gsi[12]);
    ck_assert(!board->gsi[1]);
    ck_assert_uint_eq(answer(board), 0x5a);
    ck_assert(!board->gsi[12]);
    command(board, 0xd2);
    data(board, 0x1e);
    ck_assert(board->gsi[1]);
    ck_assert_uint_eq(answer(board), 0x1e);
    kiln_device_free(device);
}
END_TEST

START_TEST(i8042_absent_devices_time_out)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *device = i8042_new(board);

    data(board, 0xf2);
    ck_assert_uint_eq(status(board) & 0x61, 0x41);
    ck_assert_uint_eq(answer(board), 0xfe);
    command(board, 0xd4);
    data(board, 0xff);
    ck_assert_uint_eq(status(board) & 0x61, 0x61);
    ck_assert_uint_eq(answer(board), 0xfe);
    for (unsigned i = 0; i < 100; i++)
        data(board, 0xff); /* a guest that never reads */
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(answer(board), 0xfe);
    ck_assert_uint_eq(status(board) & 1, 0);
    kiln_device_free(device);
}
END_TEST

START_TEST(i8042_resets_by_pulse_and_output_port)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnDevice *device = i8042_new(board);

    command(board, 0xff);
    ck_assert_uint_eq(board->n_resets, 0);
    command(board, 0xfe);
    ck_assert_uint_eq(board->n_resets, 1);
    ck_assert_uint_eq(board->reset_cause, KILN_RESET_KEYBOARD);
    command(board, 0xd1);
    data(board, 0xdf);
    ck_assert_uint_eq(board->n_resets, 1);
    command(board, 0xd0);
    ck_assert_uint_eq(answer(board), 0x03);
    command(board, 0xdd);
    command(board, 0xd0);
    ck_assert_uint_eq(answer(board), 0x01);
    command(board, 0xd1);
    data(board, 0x02);
    ck_assert_uint_eq(board->n_resets, 2);
    kiln_device_free(device);
}
END_TEST

START_TEST(i8042_save_load_save)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnDevice *device = i8042_new(board), *twin = i8042_new(other);

    command(board, 0xd3);
    data(board, 0x42);
    command(board, 0xd1); /* and a command that waits */
    ck_assert(kiln_board_resave(device, twin));
    ck_assert(other->gsi[12]);
    ck_assert_uint_eq(answer(other), 0x42);
    data(other, 0x00);
    ck_assert_uint_eq(other->n_resets, 1);
    kiln_device_free(device);
    kiln_device_free(twin);
}
END_TEST

START_TEST(ich9_13_7_3_port92)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnBoard) other = kiln_board_new();
    KilnPort92Options options = { .io = board->io,
                                  .reset = kiln_board_reset,
                                  .reset_opaque = board };
    KilnDevice *port = kiln_port92_new(&options, NULL), *twin;

    options.io = other->io;
    twin = kiln_port92_new(&options, NULL);
    ck_assert_uint_eq(kiln_board_in(board, 0x92, 1), 2);
    kiln_board_out(board, 0x92, 0xfc, 1);
    ck_assert_uint_eq(kiln_board_in(board, 0x92, 1), 0);
    kiln_board_out(board, 0x92, 1, 1);
    kiln_board_out(board, 0x92, 1, 1); /* no change: no pulse */
    ck_assert_uint_eq(board->n_resets, 1);
    ck_assert_uint_eq(board->reset_cause, KILN_RESET_PORT_92);
    ck_assert(kiln_board_resave(port, twin));
    ck_assert_uint_eq(kiln_board_in(other, 0x92, 1), 1);
    kiln_device_reset(port);
    ck_assert_uint_eq(kiln_board_in(board, 0x92, 1), 2);
    kiln_device_free(port);
    kiln_device_free(twin);
}
END_TEST

START_TEST(pvpanic_reports_what_it_knows)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnPvpanicOptions options = { .io = board->io, .event = kiln_board_panic, .opaque = board };
    KilnDevice *pvpanic = kiln_pvpanic_new(&options, NULL);

    ck_assert_uint_eq(kiln_board_in(board, 0x505, 1), 3);
    kiln_board_out(board, 0x505, 0xf0, 1);
    ck_assert_uint_eq(board->panics, 0);
    kiln_board_out(board, 0x505, KILN_PVPANIC_PANICKED, 1);
    ck_assert_uint_eq(board->panics, KILN_PVPANIC_PANICKED);
    kiln_board_out(board, 0x505, KILN_PVPANIC_CRASH_LOADED, 1);
    ck_assert_uint_eq(board->panics, 3);
    kiln_device_reset(pvpanic);
    kiln_device_free(pvpanic);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("legacy-ports");
    TCase *tcase = kiln_test_case(suite, "legacy-ports");

    tcase_add_test(tcase, i8042_tests_itself);
    tcase_add_test(tcase, i8042_command_byte_and_port_switches);
    tcase_add_test(tcase, i8042_aux_loop_raises_irq_12);
    tcase_add_test(tcase, i8042_absent_devices_time_out);
    tcase_add_test(tcase, i8042_resets_by_pulse_and_output_port);
    tcase_add_test(tcase, i8042_save_load_save);
    tcase_add_test(tcase, ich9_13_7_3_port92);
    tcase_add_test(tcase, pvpanic_reports_what_it_knows);
    return suite;
}

KILN_TEST_MAIN(make_suite)
