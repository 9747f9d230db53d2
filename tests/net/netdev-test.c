/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all backends share: link, limits, capture, statistics; on a socket pair and on nothing. */
#include "tests/lib/kiln-test.h"

#include "base/fd.h"
#include "net/null.h"
#include "net/packet-fd.h"
#include "net/pcap.h"
#include "net/shaper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME = 60, PACKET = KILN_NETDEV_HEADER + FRAME };

static const uint64_t second = 1000000000;

typedef struct {
    KilnNetdev *netdev;
    KilnFd peer;
    GIOCondition ready; /* what the device was told */
} Wire;

static void
on_ready(unsigned queue G_GNUC_UNUSED, GIOCondition ready, gpointer data)
{
    Wire *wire = data;

    wire->ready |= ready;
}

static void
wire_open(Wire *wire)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    wire->netdev = kiln_packet_fd_netdev_new("net0", &pair[0], 1, 0);
    wire->peer = pair[1];
    wire->ready = 0;
    kiln_netdev_attach(wire->netdev, 0, NULL, on_ready, wire);
}

static void
wire_close(Wire *wire)
{
    kiln_netdev_free(wire->netdev);
    kiln_fd_clear(&wire->peer);
}

static int
send_one(KilnNetdev *netdev, uint8_t *bytes, size_t length)
{
    struct iovec iov = { bytes, length };
    KilnNetPacket packet = { &iov, 1, (uint32_t)length };

    return kiln_netdev_send(netdev, 0, &packet, 1);
}

static int
receive_one(KilnNetdev *netdev, uint8_t *bytes, size_t room, uint32_t *length)
{
    struct iovec iov = { bytes, room };
    KilnNetPacket packet = { &iov, 1, 0 };
    int n = kiln_netdev_receive(netdev, 0, &packet, 1);

    *length = packet.length;
    return n;
}

START_TEST(packets_pass_both_ways_and_are_counted)
{
    uint8_t bytes[PACKET] = { [KILN_NETDEV_HEADER] = 0xaa, [PACKET - 1] = 0xbb };
    uint8_t other[2 * PACKET];
    KilnNetdevStatistics count;
    uint32_t length;
    Wire wire;

    wire_open(&wire);
    ck_assert_int_eq(receive_one(wire.netdev, other, sizeof other, &length), 0);
    kiln_netdev_want(wire.netdev, 0, G_IO_IN);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_uint_eq(wire.ready, 0);
    ck_assert_int_eq(send(wire.peer, bytes, sizeof bytes, 0), PACKET);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_uint_eq(wire.ready, G_IO_IN);
    ck_assert_int_eq(receive_one(wire.netdev, other, sizeof other, &length), 1);
    ck_assert_uint_eq(length, PACKET);
    ck_assert_mem_eq(other, bytes, PACKET);
    ck_assert_int_eq(send_one(wire.netdev, bytes, sizeof bytes), 1);
    ck_assert_int_eq(recv(wire.peer, other, sizeof other, 0), PACKET);
    kiln_netdev_statistics(wire.netdev, &count);
    ck_assert_uint_eq(count.rx_packets, 1);
    ck_assert_uint_eq(count.rx_bytes, FRAME);
    ck_assert_uint_eq(count.tx_packets, 1);
    ck_assert_uint_eq(count.tx_bytes, FRAME);
    wire_close(&wire);
}
END_TEST

START_TEST(a_full_backend_takes_fewer_and_tells_when_it_has_room)
{
    uint8_t bytes[1514] = { 0 };
    Wire wire;
    unsigned sent = 0;

    wire_open(&wire);
    while (send_one(wire.netdev, bytes, sizeof bytes) == 1)
        ck_assert_uint_lt(sent++, 100000);
    kiln_netdev_want(wire.netdev, 0, G_IO_OUT);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_uint_eq(wire.ready, 0);
    while (recv(wire.peer, bytes, sizeof bytes, 0) > 0)
        continue;
    g_main_context_iteration(NULL, FALSE);
    ck_assert_uint_eq(wire.ready, G_IO_OUT);
    ck_assert_int_eq(send_one(wire.netdev, bytes, sizeof bytes), 1);
    wire_close(&wire);
}
END_TEST

START_TEST(a_dead_backend_is_an_error)
{
    uint8_t bytes[PACKET] = { 0 };
    uint32_t length;
    Wire wire;

    wire_open(&wire);
    kiln_fd_clear(&wire.peer);
    ck_assert_int_eq(receive_one(wire.netdev, bytes, sizeof bytes, &length), -EPIPE);
    wire_close(&wire);
}
END_TEST

static void
on_link(gboolean up, gpointer data)
{
    int *told = data;

    *told = up;
}

START_TEST(a_link_that_is_down_drops_everything)
{
    uint8_t bytes[PACKET] = { 0 };
    KilnNetdevStatistics count;
    uint32_t length;
    int told = -1;
    Wire wire;

    wire_open(&wire);
    kiln_netdev_set_link_func(wire.netdev, on_link, &told);
    kiln_netdev_set_link(wire.netdev, FALSE);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_int_eq(told, FALSE);
    ck_assert_int_eq(send_one(wire.netdev, bytes, sizeof bytes), 1);
    ck_assert_int_lt(recv(wire.peer, bytes, sizeof bytes, 0), 0);
    ck_assert_int_eq(send(wire.peer, bytes, sizeof bytes, 0), PACKET);
    ck_assert_int_eq(receive_one(wire.netdev, bytes, sizeof bytes, &length), 0);
    kiln_netdev_statistics(wire.netdev, &count);
    ck_assert_uint_eq(count.tx_dropped, 1);
    ck_assert_uint_eq(count.rx_dropped, 1);
    ck_assert_uint_eq(count.rx_packets + count.tx_packets, 0);

    kiln_netdev_set_carrier(wire.netdev, FALSE);
    kiln_netdev_set_link(wire.netdev, TRUE);
    ck_assert(!kiln_netdev_link(wire.netdev)); /* both are needed */
    kiln_netdev_set_carrier(wire.netdev, TRUE);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_int_eq(told, TRUE);
    wire_close(&wire);
}
END_TEST

START_TEST(limits_hold_packets_back_until_their_time)
{
    const KilnNetdevLimit limit = { .average = 64, .burst = 1 };
    uint8_t bytes[KILN_NETDEV_HEADER + 1024] = { 0 };
    g_autoptr(KilnNetdev) netdev = kiln_null_netdev_new("net0", 1);
    Wire wire = { .netdev = netdev };
    unsigned sent = 0;

    kiln_netdev_attach(netdev, 0, NULL, on_ready, &wire);
    ck_assert(!kiln_netdev_needs_user_space(netdev));
    kiln_netdev_set_limits(netdev, NULL, &limit);
    ck_assert(kiln_netdev_needs_user_space(netdev));
    while (send_one(netdev, bytes, sizeof bytes) == 1) /* one, or a few on a slow machine */
        ck_assert_uint_lt(sent++, 50);
    ck_assert_uint_gt(sent, 0);
    kiln_netdev_want(netdev, 0, G_IO_OUT);
    while (wire.ready == 0) /* 16 microseconds for the first byte of 1 KiB/16 ms */
        g_main_context_iteration(NULL, TRUE);
    ck_assert_uint_eq(wire.ready, G_IO_OUT);
    ck_assert_int_eq(send_one(netdev, bytes, sizeof bytes), 1);
    kiln_netdev_set_limits(netdev, NULL, NULL);
    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(send_one(netdev, bytes, sizeof bytes), 1);
}
END_TEST

/* Sends packets of @bytes as soon as they may go, until @until; returns how many bytes went. */
static uint64_t
pump(KilnShaper *shaper, uint64_t *now, uint64_t until, uint64_t bytes)
{
    uint64_t sent = 0;

    while (*now < until) {
        uint64_t wait = kiln_shaper_wait_ns(shaper, *now);

        if (wait != 0) {
            *now += wait;
            continue;
        }
        kiln_shaper_take(shaper, bytes);
        sent += bytes;
    }
    return sent;
}

START_TEST(the_average_holds_whatever_the_packets_are)
{
    static const uint64_t sizes[] = { 60, 1514, 65536 };
    const KilnNetdevLimit limit = { .average = 1000, .burst = 100 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        KilnShaper shaper;
        uint64_t now = 5 * second;
        uint64_t sent;

        kiln_shaper_init(&shaper, &limit, now);
        ck_assert(kiln_shaper_limits(&shaper));
        sent = pump(&shaper, &now, now + 10 * second, sizes[i]);
        ck_assert_uint_ge(sent, 10 * 1000 * 1024);
        ck_assert_uint_le(sent, (10 * 1000 + 100) * 1024 + 2 * sizes[i]);
    }
}
END_TEST

START_TEST(a_burst_goes_at_the_peak_rate)
{
    const KilnNetdevLimit limit = { .average = 1000, .peak = 4000, .burst = 3000 };
    KilnShaper shaper;
    uint64_t now = 0;
    uint64_t first;
    uint64_t second_second;

    kiln_shaper_init(&shaper, &limit, now);
    first = pump(&shaper, &now, second, 1000);
    ck_assert_uint_ge(first, 3900 * 1024); /* 3000 in the bucket, 1000 that came in */
    ck_assert_uint_le(first, 4100 * 1024);
    second_second = pump(&shaper, &now, 2 * second, 1000);
    ck_assert_uint_le(second_second, 1100 * 1024);
}
END_TEST

START_TEST(no_limit_and_absurd_limits)
{
    const KilnNetdevLimit huge = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
    KilnShaper shaper;

    kiln_shaper_init(&shaper, NULL, 0);
    ck_assert(!kiln_shaper_limits(&shaper));
    ck_assert_uint_eq(kiln_shaper_wait_ns(&shaper, second), 0);
    kiln_shaper_init(&shaper, &huge, 0);
    for (uint64_t i = 1; i < 1000; i++) {
        ck_assert_uint_eq(kiln_shaper_wait_ns(&shaper, i << 54), 0);
        kiln_shaper_take(&shaper, 65536);
    }
}
END_TEST

START_TEST(captures_are_libpcap_files)
{
    g_autofree char *directory = kiln_test_dir();
    g_autofree char *path = g_build_filename(directory, "net.pcap", NULL);
    g_autofree char *data = NULL;
    g_autoptr(GError) error = NULL;
    KilnNetdev *netdev = kiln_null_netdev_new("net0", 1);
    uint8_t bytes[PACKET] = { 0 };
    uint32_t words[10];
    size_t length;

    ck_assert(kiln_netdev_capture(netdev, path, &error));
    kiln_assert_no_error(error);
    for (unsigned i = 0; i < 3; i++) {
        bytes[KILN_NETDEV_HEADER] = (uint8_t)(0xa0 + i);
        ck_assert_int_eq(send_one(netdev, bytes, sizeof bytes), 1);
    }
    kiln_netdev_free(netdev);
    ck_assert(g_file_get_contents(path, &data, &length, NULL));
    ck_assert_uint_eq(length, 24 + 3 * (16 + FRAME));
    memcpy(words, data, sizeof words);
    ck_assert_uint_eq(words[0], 0xa1b23c4d);
    ck_assert_uint_eq(words[1], 2 | 4 << 16);
    ck_assert_uint_eq(words[5], 1); /* LINKTYPE_ETHERNET */
    ck_assert_uint_eq(words[8], FRAME);
    ck_assert_uint_eq(words[9], FRAME);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq((uint8_t)data[24 + i * (16 + FRAME) + 16], 0xa0 + i);
}
END_TEST

START_TEST(a_capture_never_grows_without_bound)
{
    g_autofree char *frame = g_malloc0(65536);
    struct iovec iov = { frame, 65536 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnPcap) pcap = kiln_pcap_open("/dev/full", &error);

    kiln_assert_no_error(error);
    for (unsigned i = 0; i < 100; i++)
        kiln_pcap_append(pcap, &iov, 1, 12, 65536); /* 6 MB into a ring of one, onto a full disk */
    ck_assert_uint_gt(kiln_pcap_lost(pcap), 0);
    ck_assert_ptr_null(kiln_pcap_open("/nonexistent/net.pcap", &error));
    kiln_assert_error_has(error, "/nonexistent/net.pcap");
}
END_TEST

static Suite *
netdev_suite(void)
{
    Suite *suite = suite_create("net/netdev");
    TCase *netdev = kiln_test_case(suite, "netdev");
    TCase *limits = kiln_test_case(suite, "limits");
    TCase *capture = kiln_test_case(suite, "capture");

    tcase_add_test(netdev, packets_pass_both_ways_and_are_counted);
    tcase_add_test(netdev, a_full_backend_takes_fewer_and_tells_when_it_has_room);
    tcase_add_test(netdev, a_dead_backend_is_an_error);
    tcase_add_test(netdev, a_link_that_is_down_drops_everything);
    tcase_add_test(limits, limits_hold_packets_back_until_their_time);
    tcase_add_test(limits, the_average_holds_whatever_the_packets_are);
    tcase_add_test(limits, a_burst_goes_at_the_peak_rate);
    tcase_add_test(limits, no_limit_and_absurd_limits);
    tcase_add_test(capture, captures_are_libpcap_files);
    tcase_add_test(capture, a_capture_never_grows_without_bound);
    return suite;
}

KILN_TEST_MAIN(netdev_suite)
