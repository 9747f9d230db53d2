/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames over stream sockets: whole, in pieces, many at once, and lies. */
#include "tests/lib/kiln-test.h"

#include "base/fd.h"
#include "net/passt.h"
#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    KilnNetdev *netdev;
    KilnFd peer;
    GRand *random;
} Wire;

static void
wire_open(Wire *wire)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    wire->netdev = kiln_stream_netdev_new("net0", pair[0]);
    wire->peer = pair[1];
    wire->random = g_rand_new_with_seed(1);
}

static void
wire_close(Wire *wire)
{
    kiln_netdev_free(wire->netdev);
    kiln_fd_clear(&wire->peer);
    g_rand_free(wire->random);
}

static int
receive(KilnNetdev *netdev, uint8_t *bytes, size_t room, uint32_t *length)
{
    struct iovec iov[2] = { { bytes, 5 }, { bytes + 5, room - 5 } };
    KilnNetPacket packet = { iov, 2, 0 };
    int n = kiln_netdev_receive(netdev, 0, &packet, 1);

    *length = packet.length;
    return n;
}

static void
say(Wire *wire, const void *data, size_t length)
{
    ck_assert_int_eq(send(wire->peer, data, length, 0), (ssize_t)length);
}

START_TEST(frames_come_whole_however_they_are_cut)
{
    uint8_t wire_bytes[3 * (4 + 60)] = { 0 };
    uint8_t bytes[100];
    uint32_t length;

    for (unsigned i = 0; i < 3; i++) {
        wire_bytes[64 * i + 3] = 60;
        memset(wire_bytes + 64 * i + 4, 0xa0 + (int)i, 60);
    }
    for (size_t cut = 1; cut < 128; cut++) {
        Wire wire;
        unsigned got = 0;

        wire_open(&wire);
        for (size_t at = 0; at < sizeof wire_bytes; at += cut) {
            say(&wire, wire_bytes + at, MIN(cut, sizeof wire_bytes - at));
            while (receive(wire.netdev, bytes, sizeof bytes, &length) == 1) {
                ck_assert_uint_eq(length, 72);
                for (unsigned i = 0; i < 12; i++)
                    ck_assert_uint_eq(bytes[i], 0);
                for (unsigned i = 12; i < 72; i++)
                    ck_assert_uint_eq(bytes[i], 0xa0 + got);
                got++;
            }
        }
        ck_assert_uint_eq(got, 3);
        wire_close(&wire);
    }
}
END_TEST

START_TEST(a_frame_without_room_is_cut)
{
    uint8_t wire_bytes[4 + 60] = { 0, 0, 0, 60, [10] = 0x55 };
    uint8_t bytes[32] = { 0 };
    uint32_t length;
    Wire wire;

    wire_open(&wire);
    say(&wire, wire_bytes, sizeof wire_bytes);
    ck_assert_int_eq(receive(wire.netdev, bytes, sizeof bytes, &length), 1);
    ck_assert_uint_eq(length, 32);
    ck_assert_uint_eq(bytes[18], 0x55);
    wire_close(&wire);
}
END_TEST

START_TEST(lengths_that_no_frame_has_end_it)
{
    static const uint8_t lies[][4] = { { 0, 0, 0, 0 },
                                       { 0, 0, 0, 13 },
                                       { 0xff, 0xff, 0xff, 0xff },
                                       { 0, 1, 1, 0 },
                                       { 0x80, 0, 0, 60 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint8_t bytes[100];
        uint32_t length;
        Wire wire;

        wire_open(&wire);
        say(&wire, lies[i], 4);
        ck_assert_int_eq(receive(wire.netdev, bytes, sizeof bytes, &length), -EPROTO);
        ck_assert(!kiln_netdev_link(wire.netdev));
        wire_close(&wire);
    }
}
END_TEST

START_TEST(a_peer_that_hangs_up_is_dead)
{
    uint8_t bytes[100] = { 0 };
    struct iovec iov = { bytes, sizeof bytes };
    KilnNetPacket packet = { &iov, 1, sizeof bytes };
    uint32_t length;
    Wire wire;

    wire_open(&wire);
    kiln_fd_clear(&wire.peer);
    ck_assert_int_eq(receive(wire.netdev, bytes, sizeof bytes, &length), -EPIPE);
    ck_assert_int_eq(kiln_netdev_send(wire.netdev, 0, &packet, 1), 1); /* dropped: link is down */
    wire_close(&wire);
}
END_TEST

/* Random frames in random pieces and batches through a socket that is full most of the time: all
 * of what was taken comes out at the other end, in order. */
START_TEST(what_is_sent_arrives_in_order)
{
    g_autoptr(GByteArray) wanted = g_byte_array_new();
    g_autoptr(GByteArray) seen = g_byte_array_new();
    uint8_t buffer[4096];
    Wire wire;

    wire_open(&wire);
    for (unsigned round = 0; round < 2000; round++) {
        static uint8_t bytes[8][20000];
        struct iovec iov[8][3];
        KilnNetPacket packets[8];
        unsigned n = (unsigned)g_rand_int_range(wire.random, 1, 9);
        int sent;
        ssize_t got;

        for (unsigned i = 0; i < n; i++) {
            size_t length = (size_t)g_rand_int_range(wire.random, 26, i == 0 ? 20000 : 200);
            size_t first = (size_t)g_rand_int_range(wire.random, 0, 20);

            for (size_t k = 0; k < length; k += 7)
                bytes[i][k] = (uint8_t)g_rand_int(wire.random);
            iov[i][0] = (struct iovec){ bytes[i], first };
            iov[i][1] = (struct iovec){ bytes[i] + first, 3 };
            iov[i][2] = (struct iovec){ bytes[i] + first + 3, length - first - 3 };
            packets[i] = (KilnNetPacket){ iov[i], 3, (uint32_t)length };
        }
        sent = kiln_netdev_send(wire.netdev, 0, packets, n);
        ck_assert_int_ge(sent, 0);
        for (int i = 0; i < sent; i++) {
            uint32_t frame = packets[i].length - 12;
            uint32_t prefix = GUINT32_TO_BE(frame);

            g_byte_array_append(wanted, (const uint8_t *)&prefix, 4);
            g_byte_array_append(wanted, bytes[i] + 12, frame);
        }
        got = recv(wire.peer, buffer, (size_t)g_rand_int_range(wire.random, 1, sizeof buffer), 0);
        if (got > 0)
            g_byte_array_append(seen, buffer, (guint)got);
    }
    for (unsigned idle = 0; idle < 2;) { /* the rest of a frame goes with the next call */
        ssize_t got = recv(wire.peer, buffer, sizeof buffer, 0);

        if (got > 0)
            g_byte_array_append(seen, buffer, (guint)got);
        else if (kiln_netdev_send(wire.netdev, 0, NULL, 0) == 0)
            idle++;
    }
    ck_assert_uint_eq(seen->len, wanted->len);
    ck_assert_mem_eq(seen->data, wanted->data, wanted->len);
    ck_assert_uint_gt(wanted->len, 500000);
    wire_close(&wire);
}
END_TEST

START_TEST(passt_is_asked_for_what_the_document_says)
{
    static const KilnPasstRange ranges[] = { { 2022, 0, 22, FALSE },
                                             { 8000, 8010, 80, FALSE },
                                             { 8005, 0, 0, TRUE } };
    static const KilnPasstForward forwards[] = {
        { FALSE, "127.0.0.1", NULL, ranges, G_N_ELEMENTS(ranges) },
        { TRUE, "1:2:3::4", "eth0", ranges, 1 },
        { TRUE, NULL, NULL, NULL, 0 },
    };
    static const char *const addresses[] = { "172.17.2.0", "2001:db8::1", NULL };
    const KilnPasstOptions options = {
        .id = "net0",
        .dev = "eth0",
        .addresses = addresses,
        .prefix = 24,
        .mtu = 1500,
        .forwards = forwards,
        .n_forwards = G_N_ELEMENTS(forwards),
    };
    g_auto(GStrv) argv = kiln_passt_arguments(&options, 7);
    g_autofree char *line = g_strjoinv(" ", argv);

    ck_assert_str_eq(line, "passt --foreground --fd 7 --stderr --interface eth0 "
                           "--address 172.17.2.0 --address 2001:db8::1 --netmask 24 --mtu 1500 "
                           "--tcp-ports 127.0.0.1/2022:22,8000-8010:80-90,~8005 "
                           "--udp-ports 1:2:3::4%eth0/2022:22 --udp-ports all");
}
END_TEST

START_TEST(a_passt_that_is_missing_or_fails_is_an_error)
{
    KilnPasstOptions options = { .id = "net0", .program = "kiln-no-such-passt" };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_passt_open(&options, &error));
    kiln_assert_error_has(error, "interface 'net0': program 'kiln-no-such-passt' is not installed");
    g_clear_error(&error);
    options.program = "/bin/false";
    ck_assert_ptr_null(kiln_passt_open(&options, &error));
    kiln_assert_error_has(error, "passt ended with status 1");
}
END_TEST

static Suite *
stream_suite(void)
{
    Suite *suite = suite_create("net/stream");
    TCase *stream = kiln_test_case(suite, "stream");
    TCase *passt = kiln_test_case(suite, "passt");

    tcase_add_test(stream, frames_come_whole_however_they_are_cut);
    tcase_add_test(stream, a_frame_without_room_is_cut);
    tcase_add_test(stream, lengths_that_no_frame_has_end_it);
    tcase_add_test(stream, a_peer_that_hangs_up_is_dead);
    tcase_add_test(stream, what_is_sent_arrives_in_order);
    tcase_add_test(passt, passt_is_asked_for_what_the_document_says);
    tcase_add_test(passt, a_passt_that_is_missing_or_fails_is_an_error);
    return suite;
}

KILN_TEST_MAIN(stream_suite)
