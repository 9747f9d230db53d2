/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 16550A between a guest's ports and a real chardev on a socket pair. */
#include "device/serial.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum {
    BASE = 0x3f8,
    IRQ = 4,
    RBR = BASE,
    IER = BASE + 1,
    IIR = BASE + 2,
    LCR = BASE + 3,
    MCR = BASE + 4,
    LSR = BASE + 5,
    MSR = BASE + 6,
    SCR = BASE + 7,
};

typedef struct {
    KilnBoard *board;
    KilnChardev *chardev;
    KilnDevice *serial;
    int peer;
} Port;

static void
port_open(Port *port)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    port->peer = pair[1];
    port->board = kiln_board_new();
    port->chardev = kiln_chardev_open(&options, NULL, NULL);
    ck_assert_ptr_nonnull(port->chardev);

    KilnSerialOptions serial = { .io = port->board->io,
                                 .base = BASE,
                                 .irq = kiln_board_irq(port->board, IRQ),
                                 .chardev = port->chardev };

    port->serial = kiln_serial_new(&serial, NULL);
    ck_assert_ptr_nonnull(port->serial);
}

static void
port_close(Port *port)
{
    kiln_device_free(port->serial);
    kiln_chardev_free(port->chardev);
    kiln_board_free(port->board);
    close(port->peer);
}

static unsigned
get(Port *port, uint16_t reg)
{
    return (unsigned)kiln_board_in(port->board, reg, 1);
}

static void
put(Port *port, uint16_t reg, uint8_t value)
{
    kiln_board_out(port->board, reg, value, 1);
}

/* Gives the guest @text and lets the loop carry it until @count bytes can be read in all. */
static void
type(Port *port, const char *text, unsigned count)
{
    ck_assert_int_eq(write(port->peer, text, strlen(text)), (ssize_t)strlen(text));
    for (unsigned i = 0; i < 1000 && !(get(port, LSR) & 1); i++)
        g_main_context_iteration(NULL, TRUE);
    for (unsigned i = 0; i < count; i++)
        while (g_main_context_iteration(NULL, FALSE))
            ;
}

START_TEST(bytes_appear_at_the_peer)
{
    Port port;
    char data[16] = { 0 };
    ssize_t n = 0;

    port_open(&port);
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    for (const char *p = "hello"; *p != '\0'; p++)
        put(&port, RBR, (uint8_t)*p);
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    ck_assert_uint_eq(port.board->n_gsi_calls, 0); /* each would be a system call */
    while (n < 5) {
        ssize_t got = read(port.peer, data + n, sizeof data - (size_t)n);

        if (got > 0)
            n += got;
        else
            g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_str_eq(data, "hello");
    port_close(&port);
}
END_TEST

START_TEST(pc16550d_8_0_registers_keep_what_they_should)
{
    Port port;

    port_open(&port);
    put(&port, IER, 0xff);
    ck_assert_uint_eq(get(&port, IER), 0x0f);
    put(&port, IER, 0);
    put(&port, SCR, 0xa5);
    ck_assert_uint_eq(get(&port, SCR), 0xa5);
    put(&port, LCR, 0x83);
    put(&port, RBR, 1);
    put(&port, IER, 2);
    ck_assert_uint_eq(kiln_board_in(port.board, BASE, 2), 0x0201);
    put(&port, LCR, 3);
    ck_assert_uint_eq(get(&port, IER), 0);
    put(&port, MCR, 0xff);
    ck_assert_uint_eq(get(&port, MCR), 0x1f);
    put(&port, LSR, 0);
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    put(&port, IIR, 0xc0); /* without the enable bit the others do not stick */
    ck_assert_uint_eq(get(&port, IIR), 0x01);
    put(&port, IIR, 0x01);
    ck_assert_uint_eq(get(&port, IIR), 0xc1);
    kiln_device_reset(port.serial);
    ck_assert_uint_eq(get(&port, SCR), 0);
    port_close(&port);
}
END_TEST

START_TEST(pc16550d_8_7_thre_interrupt)
{
    Port port;

    port_open(&port);
    put(&port, IER, 2);
    ck_assert(port.board->gsi[IRQ]);
    ck_assert_uint_eq(get(&port, IIR), 0x02);
    ck_assert(!port.board->gsi[IRQ]); /* reading it as the source clears it */
    ck_assert_uint_eq(get(&port, IIR), 0x01);
    put(&port, RBR, 'x');
    ck_assert(port.board->gsi[IRQ]);
    put(&port, IER, 0);
    ck_assert(!port.board->gsi[IRQ]);
    put(&port, IER, 2); /* what Linux's test for the THRE bug looks at */
    ck_assert_uint_eq(get(&port, IIR), 0x02);
    put(&port, IER, 0);
    put(&port, IER, 2);
    ck_assert_uint_eq(get(&port, IIR), 0x02);
    port_close(&port);
}
END_TEST

START_TEST(pc16550d_8_9_1_receive_trigger_and_time_out)
{
    Port port;

    port_open(&port);
    put(&port, IIR, 0x81); /* FIFOs on, trigger at 8 */
    put(&port, IER, 1);
    type(&port, "abc", 3);
    ck_assert(port.board->gsi[IRQ]);
    ck_assert_uint_eq(get(&port, IIR), 0xcc);
    ck_assert_uint_eq(get(&port, RBR), 'a');
    ck_assert_uint_eq(get(&port, RBR), 'b');
    ck_assert(port.board->gsi[IRQ]);
    ck_assert_uint_eq(get(&port, RBR), 'c');
    ck_assert(!port.board->gsi[IRQ]);
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    ck_assert_uint_eq(get(&port, RBR), 0);
    type(&port, "0123456789", 10);
    ck_assert_uint_eq(get(&port, IIR), 0xc4);
    put(&port, IIR, 0x83); /* clears the receive FIFO */
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    ck_assert(!port.board->gsi[IRQ]);
    port_close(&port);
}
END_TEST

START_TEST(input_waits_while_the_guest_does_not_read)
{
    Port port;
    static const char text[] = "The quick brown fox jumps over the lazy dog, again and again.";
    GString *seen = g_string_new(NULL);

    port_open(&port);
    put(&port, IIR, 0x01);
    type(&port, text, 1);
    while (seen->len < strlen(text)) {
        if (get(&port, LSR) & 1)
            g_string_append_c(seen, (char)get(&port, RBR));
        else
            g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_str_eq(seen->str, text);
    ck_assert_uint_eq(get(&port, LSR), 0x60); /* and nothing overran */
    g_string_free(seen, TRUE);
    port_close(&port);
}
END_TEST

START_TEST(output_waits_for_a_peer_that_stalls)
{
    Port port;
    unsigned sent = 0, received = 0;

    port_open(&port);
    put(&port, IIR, 0x01);
    put(&port, IER, 2);
    while (get(&port, LSR) & 0x20) { /* until ring and socket are full */
        put(&port, RBR, (uint8_t)sent++);
        ck_assert_uint_lt(sent, 10000000);
        if (sent % 4096 == 0)
            g_main_context_iteration(NULL, FALSE);
    }
    get(&port, IIR);
    ck_assert(!port.board->gsi[IRQ]);
    while (received < sent) {
        uint8_t data[4096];
        ssize_t n = read(port.peer, data, sizeof data);

        if (n <= 0) {
            g_main_context_iteration(NULL, TRUE);
            continue;
        }
        for (ssize_t i = 0; i < n; i++)
            ck_assert_uint_eq(data[i], (uint8_t)received++);
    }
    ck_assert_uint_eq(get(&port, LSR), 0x60);
    ck_assert(port.board->gsi[IRQ]); /* THRE came back as an interrupt */
    port_close(&port);
}
END_TEST

START_TEST(pc16550d_8_6_loop)
{
    Port port;
    char byte;

    port_open(&port);
    ck_assert_uint_eq(get(&port, MSR), 0xb0);
    put(&port, MCR, 0x1a); /* loop, RTS, OUT2: as Linux looks for a UART */
    ck_assert_uint_eq(get(&port, MSR) & 0xf0, 0x90);
    ck_assert_uint_eq(get(&port, MSR) & 0x0f, 0); /* deltas are read once */
    put(&port, MCR, 0x14);
    ck_assert_uint_eq(get(&port, MSR), 0x40 | 0x09);
    put(&port, MCR, 0x10);
    ck_assert_uint_eq(get(&port, MSR), 0x04); /* trailing edge of RI */
    put(&port, RBR, 'q');
    ck_assert_uint_eq(get(&port, LSR), 0x61);
    put(&port, RBR, 'r');
    ck_assert_uint_eq(get(&port, LSR), 0x63); /* overrun */
    ck_assert_uint_eq(get(&port, RBR), 'r');
    put(&port, LCR, 0x43);
    put(&port, IER, 4);
    ck_assert_uint_eq(get(&port, IIR), 0x06);
    ck_assert_uint_eq(get(&port, LSR), 0x71); /* break */
    ck_assert_uint_eq(get(&port, IIR), 0x01);
    ck_assert_int_eq(read(port.peer, &byte, 1), -1); /* nothing left the loop */
    port_close(&port);
}
END_TEST

START_TEST(save_load_save)
{
    Port port, other;

    port_open(&port);
    port_open(&other);
    put(&port, LCR, 0x83);
    put(&port, RBR, 1);
    put(&port, LCR, 0x03);
    put(&port, IIR, 0x01);
    put(&port, IER, 1);
    put(&port, MCR, 0x0b);
    type(&port, "input", 5);
    ck_assert(kiln_board_resave(port.serial, other.serial));
    ck_assert(other.board->gsi[IRQ]);
    for (const char *p = "input"; *p != '\0'; p++)
        ck_assert_uint_eq(get(&other, RBR), (unsigned)*p);
    ck_assert(!other.board->gsi[IRQ]);
    port_close(&port);
    port_close(&other);
}
END_TEST

START_TEST(nothing_plugged_in)
{
    g_autoptr(KilnBoard) board = kiln_board_new();
    KilnSerialOptions options = { .io = board->io, .base = 0x2f8, .index = 1 };
    g_autoptr(GError) error = NULL;
    KilnDevice *serial = kiln_serial_new(&options, &error);

    kiln_assert_no_error(error);
    kiln_board_out(board, 0x2f8, 'x', 1);
    ck_assert_uint_eq(kiln_board_in(board, 0x2f8 + 5, 1), 0x60);
    ck_assert_uint_eq(kiln_board_in(board, 0x2f8 + 6, 1), 0);
    options.index = 2;
    ck_assert_ptr_null(kiln_serial_new(&options, &error));
    kiln_assert_error_has(error, "'serial2' at 0x2f8-0x2ff overlaps 'serial1'");
    kiln_device_free(serial);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("serial");
    TCase *tcase = kiln_test_case(suite, "serial");

    tcase_add_test(tcase, bytes_appear_at_the_peer);
    tcase_add_test(tcase, pc16550d_8_0_registers_keep_what_they_should);
    tcase_add_test(tcase, pc16550d_8_7_thre_interrupt);
    tcase_add_test(tcase, pc16550d_8_9_1_receive_trigger_and_time_out);
    tcase_add_test(tcase, input_waits_while_the_guest_does_not_read);
    tcase_add_test(tcase, output_waits_for_a_peer_that_stalls);
    tcase_add_test(tcase, pc16550d_8_6_loop);
    tcase_add_test(tcase, save_load_save);
    tcase_add_test(tcase, nothing_plugged_in);
    return suite;
}

KILN_TEST_MAIN(make_suite)
