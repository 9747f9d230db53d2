/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virtio-net from its driver's side, with a socket pair for each queue pair as the cable. */
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

#include "base/fd.h"
#include "base/le.h"
#include "device/virtio-net.h"
#include "net/null.h"
#include "net/packet-fd.h"

#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 12, MAX_PAIRS = 4, RX = 0, TX = 1 };

static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnNetdev *netdev;
    KilnFd peers[MAX_PAIRS];
    unsigned control;
} Net;

static KilnVirtioDevice *
device_new(Net *net, unsigned n_pairs, uint16_t mtu)
{
    const unsigned offloads = KILN_NETDEV_CSUM | KILN_NETDEV_TSO4 | KILN_NETDEV_TSO6;
    int fds[MAX_PAIRS];
    KilnVirtioNetOptions options = {
        .id = "net0",
        .memory = net->memory,
        .n_pairs = n_pairs,
        .packed = TRUE,
        .mtu = mtu,
        .speed = 10000,
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device;

    for (unsigned i = 0; i < n_pairs; i++) {
        int pair[2];

        kiln_fd_clear(&net->peers[i]);
        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        fds[i] = pair[0];
        net->peers[i] = pair[1];
    }
    memcpy(options.mac, mac, sizeof mac);
    options.netdev = net->netdev = kiln_packet_fd_netdev_new("net0", fds, n_pairs, offloads);
    device = kiln_virtio_net_new(&options, &error);
    kiln_assert_no_error(error);
    return device;
}

static void
net_open(Net *net, unsigned n_pairs, uint64_t accept)
{
    *net = (Net){ .board = kiln_board_new(), .memory = kiln_memory_new_plain(64 << 20) };
    for (unsigned i = 0; i < MAX_PAIRS; i++)
        net->peers[i] = -1;
    net->driver = kiln_driver_new(net->board, net->memory, device_new(net, n_pairs, 1500));
    net->control = 2 * n_pairs;
    kiln_driver_start(net->driver, accept);
    if ((kiln_driver_features(net->driver) & KILN_DRIVER_BIT(VIRTIO_NET_F_MQ)) == 0)
        net->control = 2;
}

static void
net_close(Net *net)
{
    kiln_driver_free(net->driver);
    kiln_memory_free(net->memory);
    kiln_board_free(net->board);
    for (unsigned i = 0; i < MAX_PAIRS; i++)
        kiln_fd_clear(&net->peers[i]);
}

/* A packet of @length bytes with its header: to @to, the rest a pattern of @seed. */
static uint8_t *
packet_new(const uint8_t *to, size_t length, uint8_t seed)
{
    uint8_t *bytes = g_malloc0(length);

    for (size_t i = HEADER; i < length; i++)
        bytes[i] = (uint8_t)(seed + i * 7);
    memcpy(bytes + HEADER, to, 6);
    bytes[HEADER + 12] = 0x88;
    bytes[HEADER + 13] = 0xb5;
    return bytes;
}

static void
peer_says(Net *net, unsigned pair, const uint8_t *bytes, size_t length)
{
    ck_assert_int_eq(send(net->peers[pair], bytes, length, 0), (ssize_t)length);
}

static void
peer_hears(Net *net, unsigned pair, const uint8_t *bytes, size_t length)
{
    g_autofree uint8_t *heard = g_malloc(65600);
    ssize_t n = recv(net->peers[pair], heard, 65600, 0);

    ck_assert_int_eq(n, (ssize_t)length);
    ck_assert_mem_eq(heard, bytes, length);
}

static uint8_t
command(Net *net, uint8_t class, uint8_t code, const void *data, uint32_t length)
{
    uint8_t header[2] = { class, code };
    KilnDriverBuffer out[2] = { kiln_driver_alloc_data(net->driver, header, 2) };
    KilnDriverBuffer in = kiln_driver_alloc(net->driver, 1);

    in.host[0] = 0xee;
    if (length > 0)
        out[1] = kiln_driver_alloc_data(net->driver, data, length);
    ck_assert_uint_eq(
        kiln_driver_request(net->driver, net->control, out, length > 0 ? 2 : 1, &in, 1), 1);
    return in.host[0];
}

static void
send_packet(Net *net, unsigned queue, const uint8_t *bytes, size_t length)
{
    KilnDriverBuffer out = kiln_driver_alloc_data(net->driver, bytes, (uint32_t)length);

    ck_assert_uint_eq(kiln_driver_request(net->driver, queue, &out, 1, NULL, 0), 0);
}

/* ---- sending ---- */

START_TEST(packets_are_sent_as_they_are)
{
    static const uint64_t modes[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED, KILN_DRIVER_PLAIN };

    for (unsigned mode = 0; mode < G_N_ELEMENTS(modes); mode++) {
        static const size_t lengths[] = { 26, 60, 72, 1526, 65562 };
        Net net;

        net_open(&net, 1, modes[mode]);
        for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
            g_autofree uint8_t *bytes = packet_new(mac, lengths[i], (uint8_t)i);

            send_packet(&net, TX, bytes, lengths[i]);
            peer_hears(&net, 0, bytes, lengths[i]);
        }
        ck_assert(!kiln_driver_broken(net.driver));
        net_close(&net);
    }
}
END_TEST

START_TEST(a_batch_is_one_interrupt)
{
    KilnNetdevStatistics count;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    kiln_driver_interrupts(net.driver, TX);
    for (unsigned i = 0; i < 50; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 72, (uint8_t)i);
        KilnDriverBuffer out[2] = { kiln_driver_alloc_data(net.driver, bytes, HEADER),
                                    kiln_driver_alloc_data(net.driver, bytes + HEADER, 60) };

        ck_assert_int_ge(kiln_driver_add(net.driver, TX, out, 2, NULL, 0), 0);
    }
    kiln_driver_kick(net.driver, TX);
    kiln_driver_settle(net.driver);
    for (unsigned i = 0; i < 50; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 72, (uint8_t)i);

        ck_assert(kiln_driver_take_used(net.driver, TX, NULL, NULL));
        peer_hears(&net, 0, bytes, 72);
    }
    ck_assert_uint_eq(kiln_driver_interrupts(net.driver, TX), 1);
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.tx_packets, 50);
    ck_assert_uint_eq(count.tx_bytes, 50 * 60);
    net_close(&net);
}
END_TEST

START_TEST(a_full_cable_holds_the_rest_back)
{
    enum { N = 250 };
    g_autofree uint8_t *bytes = packet_new(mac, 20000, 1);
    unsigned heard = 0;
    unsigned used = 0;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    for (unsigned i = 0; i < N; i++) {
        KilnDriverBuffer out = kiln_driver_alloc_data(net.driver, bytes, 20000);

        kiln_le32_store(out.host + 100, i);
        ck_assert_int_ge(kiln_driver_add(net.driver, TX, &out, 1, NULL, 0), 0);
    }
    kiln_driver_kick(net.driver, TX);
    kiln_driver_settle(net.driver);
    while (kiln_driver_take_used(net.driver, TX, NULL, NULL))
        used++;
    ck_assert_uint_gt(used, 0);
    ck_assert_uint_lt(used, N); /* the socket holds less */
    while (heard < N) {
        uint8_t got[20000];

        if (recv(net.peers[0], got, sizeof got, 0) == 20000)
            ck_assert_uint_eq(kiln_le32_load(got + 100), heard++);
        kiln_driver_settle(net.driver);
    }
    while (kiln_driver_take_used(net.driver, TX, NULL, NULL))
        used++;
    ck_assert_uint_eq(used, N);
    net_close(&net);
}
END_TEST

START_TEST(what_is_no_packet_is_given_back)
{
    g_autofree uint8_t *good = packet_new(mac, 72, 3);
    KilnNetdevStatistics count;
    KilnDriverBuffer out;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    out = kiln_driver_alloc_data(net.driver, good, 72);
    for (unsigned i = 0; i < 20; i++) { /* among good ones, at every place of a batch */
        KilnDriverBuffer small = kiln_driver_alloc(net.driver, 1 + i);
        KilnDriverBuffer large[2] = { kiln_driver_alloc(net.driver, 65562),
                                      kiln_driver_alloc(net.driver, 1) };

        ck_assert_int_ge(kiln_driver_add(net.driver, TX, &small, 1, NULL, 0), 0);
        if (i % 3 == 0)
            ck_assert_int_ge(kiln_driver_add(net.driver, TX, large, 2, NULL, 0), 0);
        ck_assert_int_ge(kiln_driver_add(net.driver, TX, &out, 1, NULL, 0), 0);
    }
    kiln_driver_kick(net.driver, TX);
    kiln_driver_settle(net.driver);
    ck_assert_uint_eq(kiln_driver_in_flight(net.driver, TX), 20 + 7 + 20);
    for (unsigned i = 0; i < 47; i++)
        ck_assert(kiln_driver_take_used(net.driver, TX, NULL, NULL));
    for (unsigned i = 0; i < 20; i++)
        peer_hears(&net, 0, good, 72);
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.tx_errors, 27);
    ck_assert_uint_eq(count.tx_packets, 20);
    ck_assert(!kiln_driver_broken(net.driver));
    net_close(&net);
}
END_TEST

/* ---- receiving ---- */

/* Adds @n receive buffers of @length bytes; @buffers gets them by id. */
static void
give(Net *net, unsigned queue, unsigned n, uint32_t length, KilnDriverBuffer *buffers)
{
    for (unsigned i = 0; i < n; i++) {
        KilnDriverBuffer in = kiln_driver_alloc(net->driver, length);
        int id = kiln_driver_add(net->driver, queue, NULL, 0, &in, 1);

        ck_assert_int_ge(id, 0);
        buffers[id] = in;
    }
    kiln_driver_kick(net->driver, queue);
    kiln_driver_settle(net->driver);
}

/* Takes one packet from the used ring, of as many buffers as its header says; returns them. */
static unsigned
take(Net *net, unsigned queue, const KilnDriverBuffer *buffers, uint8_t *bytes, size_t *length)
{
    unsigned n_buffers = 1;
    unsigned n = 0;

    *length = 0;
    while (n < n_buffers) {
        uint32_t part;
        int id;

        kiln_driver_wait_used(net->driver, queue, &id, &part);
        ck_assert_uint_le(part, buffers[id].length);
        if (n == 0) {
            n_buffers = kiln_le16_load(buffers[id].host + 10);
            ck_assert_uint_ge(n_buffers, 1);
        }
        memcpy(bytes + *length, buffers[id].host, part);
        *length += part;
        n++;
    }
    return n;
}

/* Says a packet of @length bytes and checks that it comes in @n_buffers. */
static void
check_packet(Net *net, const KilnDriverBuffer *buffers, size_t length, unsigned n_buffers)
{
    g_autofree uint8_t *bytes = packet_new(mac, length, (uint8_t)length);
    g_autofree uint8_t *got = g_malloc(70000);
    size_t got_length;

    peer_says(net, 0, bytes, length);
    ck_assert_uint_eq(take(net, RX, buffers, got, &got_length), n_buffers);
    ck_assert_uint_eq(got_length, length);
    kiln_le16_store(bytes + 10, (uint16_t)n_buffers);
    ck_assert_mem_eq(got, bytes, length);
}

START_TEST(packets_come_into_as_many_buffers_as_they_need)
{
    static const uint64_t modes[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED };

    for (unsigned mode = 0; mode < G_N_ELEMENTS(modes); mode++) {
        KilnDriverBuffer buffers[256];
        Net net;

        net_open(&net, 1, modes[mode]);
        give(&net, RX, 256, 1000, buffers);
        check_packet(&net, buffers, 26, 1);
        check_packet(&net, buffers, 999, 1);
        check_packet(&net, buffers, 1000, 1); /* exactly one */
        check_packet(&net, buffers, 1001, 2); /* one byte too many */
        check_packet(&net, buffers, 60, 1);   /* while large ones are expected */
        check_packet(&net, buffers, 2000, 2);
        check_packet(&net, buffers, 2001, 3);
        check_packet(&net, buffers, 65562, 66);
        for (unsigned i = 0; i < 20; i++)
            check_packet(&net, buffers, 100 + i, 1);
        check_packet(&net, buffers, 3000, 3);
        net_close(&net);
    }
}
END_TEST

START_TEST(many_packets_at_once_keep_their_order)
{
    KilnDriverBuffer buffers[256];
    KilnNetdevStatistics count;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    give(&net, RX, 256, 600, buffers);
    kiln_driver_interrupts(net.driver, RX);
    for (unsigned i = 0; i < 60; i++) { /* every tenth is larger than a buffer */
        size_t length = i % 10 == 7 ? 1500 : 80 + i;
        g_autofree uint8_t *bytes = packet_new(mac, length, (uint8_t)i);

        peer_says(&net, 0, bytes, length);
    }
    kiln_driver_settle(net.driver);
    ck_assert_uint_le(kiln_driver_interrupts(net.driver, RX), 3);
    for (unsigned i = 0; i < 60; i++) {
        size_t length = i % 10 == 7 ? 1500 : 80 + i;
        g_autofree uint8_t *bytes = packet_new(mac, length, (uint8_t)i);
        uint8_t got[2000];
        size_t got_length;

        ck_assert_uint_eq(take(&net, RX, buffers, got, &got_length), i % 10 == 7 ? 3 : 1);
        ck_assert_uint_eq(got_length, length);
        ck_assert_mem_eq(got + HEADER, bytes + HEADER, length - HEADER);
    }
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.rx_packets, 60);
    ck_assert_uint_eq(count.rx_dropped, 0);
    net_close(&net);
}
END_TEST

START_TEST(a_burst_of_large_packets_waits_for_buffers)
{
    g_autofree uint8_t *got = g_malloc(70000);
    KilnDriverBuffer buffers[256];
    KilnNetdevStatistics count;
    size_t length;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    give(&net, RX, 120, 1000, buffers);
    for (unsigned i = 0; i < 40; i++) /* small ones, so that many are read at once */
        check_packet(&net, buffers, 100, 1);
    for (unsigned i = 0; i < 12; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 8500 + i, (uint8_t)i);

        peer_says(&net, 0, bytes, 8500 + i);
    }
    kiln_driver_settle(net.driver);
    for (unsigned i = 0; i < 12; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 8500 + i, (uint8_t)i);

        if (kiln_driver_in_flight(net.driver, RX) < 40)
            give(&net, RX, 31, 1000, buffers);
        ck_assert_uint_eq(take(&net, RX, buffers, got, &length), 9);
        ck_assert_uint_eq(length, 8500 + i);
        ck_assert_mem_eq(got + HEADER, bytes + HEADER, length - HEADER);
    }
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.rx_dropped, 0);
    ck_assert(!kiln_driver_broken(net.driver));
    net_close(&net);
}
END_TEST

START_TEST(a_packet_that_no_ring_can_hold_is_dropped)
{
    g_autofree uint8_t *large = packet_new(mac, 20000, 1);
    KilnDriverBuffer buffers[256];
    KilnNetdevStatistics count;
    Net net = { .board = kiln_board_new(), .memory = kiln_memory_new_plain(64 << 20) };

    for (unsigned i = 0; i < MAX_PAIRS; i++)
        net.peers[i] = -1;
    net.driver = kiln_driver_new(net.board, net.memory, device_new(&net, 1, 1500));
    kiln_driver_set_queue_size(net.driver, RX, 16);
    kiln_driver_start(net.driver, KILN_DRIVER_SPLIT);
    give(&net, RX, 16, 1000, buffers);
    for (unsigned i = 0; i < 3; i++) {
        peer_says(&net, 0, large, 20000);
        check_packet(&net, buffers, 400 + i, 1);
        give(&net, RX, 1, 1000, buffers);
    }
    check_packet(&net, buffers, 12500, 13);
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.rx_dropped, 3);
    net_close(&net);
}
END_TEST

START_TEST(without_mergeable_buffers_a_packet_has_one)
{
    const uint64_t accept = KILN_DRIVER_SPLIT & ~KILN_DRIVER_BIT(VIRTIO_NET_F_MRG_RXBUF);
    g_autofree uint8_t *large = packet_new(mac, 1001, 9);
    KilnDriverBuffer buffers[256];
    KilnNetdevStatistics count;
    Net net;

    net_open(&net, 1, accept);
    give(&net, RX, 8, 1000, buffers);
    peer_says(&net, 0, large, 1001); /* does not fit: dropped, and its buffer serves the next */
    for (unsigned i = 0; i < 8; i++)
        check_packet(&net, buffers, 1000 - i, 1);
    kiln_netdev_statistics(net.netdev, &count);
    ck_assert_uint_eq(count.rx_dropped, 1);
    net_close(&net);
}
END_TEST

START_TEST(a_header_may_lie_across_small_buffers)
{
    g_autofree uint8_t *bytes = packet_new(mac, 100, 5);
    KilnDriverBuffer parts[4];
    uint8_t got[100];
    uint32_t length;
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    parts[0] = kiln_driver_alloc(net.driver, 3);
    parts[1] = kiln_driver_alloc(net.driver, 8);
    parts[2] = kiln_driver_alloc(net.driver, 80);
    parts[3] = kiln_driver_alloc(net.driver, 80);
    ck_assert_int_ge(kiln_driver_add(net.driver, RX, NULL, 0, parts, 4), 0);
    kiln_driver_kick(net.driver, RX);
    kiln_driver_settle(net.driver);
    peer_says(&net, 0, bytes, 100);
    kiln_driver_wait_used(net.driver, RX, NULL, &length);
    ck_assert_uint_eq(length, 100);
    memcpy(got, parts[0].host, 3);
    memcpy(got + 3, parts[1].host, 8);
    memcpy(got + 11, parts[2].host, 80);
    memcpy(got + 91, parts[3].host, 9);
    kiln_le16_store(bytes + 10, 1);
    ck_assert_mem_eq(got, bytes, 100);
    net_close(&net);
}
END_TEST

/* A backend with packets that come in batches; notes what the driver has seen of those before. */
typedef struct {
    KilnNetdev netdev;
    KilnDriver *driver;
    unsigned left;
    unsigned given;
    unsigned seen;
    unsigned n_calls;
    unsigned max_behind;
} Bursts;

static int
bursts_receive(KilnNetdev *netdev, unsigned queue G_GNUC_UNUSED, KilnNetPacket *packets, unsigned n)
{
    Bursts *bursts = (Bursts *)netdev;

    while (kiln_driver_take_used(bursts->driver, RX, NULL, NULL))
        bursts->seen++;
    bursts->max_behind = MAX(bursts->max_behind, bursts->given - bursts->seen);
    bursts->n_calls++;
    n = MIN(n, bursts->left);
    for (unsigned i = 0; i < n; i++) {
        memset(packets[i].iov[0].iov_base, 0, HEADER);
        memset((uint8_t *)packets[i].iov[0].iov_base + HEADER, 0xff, 60);
        packets[i].length = HEADER + 60;
    }
    bursts->given += n;
    bursts->left -= n;
    return (int)n;
}

static void
bursts_free(KilnNetdev *netdev)
{
    g_free(netdev);
}

START_TEST(a_batch_is_the_drivers_before_the_next_is_received)
{
    static const KilnNetdevOps ops = { .name = "bursts",
                                       .receive = bursts_receive,
                                       .free = bursts_free };
    Bursts *bursts = g_new0(Bursts, 1);
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(16 << 20);
    KilnVirtioNetOptions options = { .id = "net0", .memory = memory, .netdev = &bursts->netdev };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDriver) driver = NULL;

    kiln_netdev_init(&bursts->netdev, &ops, "net0", 1);
    memcpy(options.mac, mac, sizeof mac);
    driver = kiln_driver_new(board, memory, kiln_virtio_net_new(&options, &error));
    bursts->driver = driver;
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    for (unsigned i = 0; i < 200; i++) {
        KilnDriverBuffer in = kiln_driver_alloc(driver, 256);

        ck_assert_int_ge(kiln_driver_add(driver, RX, NULL, 0, &in, 1), 0);
    }
    bursts->left = 150;
    kiln_driver_kick_always(driver, RX);
    kiln_driver_settle(driver);
    ck_assert_uint_eq(bursts->given, 150);
    ck_assert_uint_ge(bursts->n_calls, 3);
    ck_assert_uint_eq(bursts->max_behind, 0);
}
END_TEST

START_TEST(a_driver_without_buffers_is_waited_for)
{
    KilnDriverBuffer buffers[256];
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 200, (uint8_t)i);

        peer_says(&net, 0, bytes, 200);
    }
    kiln_driver_settle(net.driver); /* does not spin */
    for (unsigned i = 0; i < 100; i++) {
        g_autofree uint8_t *bytes = packet_new(mac, 200, (uint8_t)i);
        uint8_t got[1000];
        size_t length;

        if (i % 5 == 0)
            give(&net, RX, 5, 1000, buffers);
        ck_assert_uint_eq(take(&net, RX, buffers, got, &length), 1);
        ck_assert_uint_eq(length, 200);
        ck_assert_mem_eq(got + HEADER, bytes + HEADER, 200 - HEADER);
    }
    net_close(&net);
}
END_TEST

START_TEST(flags_are_only_for_who_understands_them)
{
    const uint64_t accept = KILN_DRIVER_SPLIT & ~(KILN_DRIVER_BIT(VIRTIO_NET_F_GUEST_CSUM) |
                                                  KILN_DRIVER_BIT(VIRTIO_NET_F_GUEST_TSO4) |
                                                  KILN_DRIVER_BIT(VIRTIO_NET_F_GUEST_TSO6));

    for (unsigned plain = 0; plain < 2; plain++) {
        g_autofree uint8_t *bytes = packet_new(mac, 100, 5);
        KilnDriverBuffer buffers[256];
        uint8_t got[1000];
        size_t length;
        Net net;

        net_open(&net, 1, plain ? accept : KILN_DRIVER_SPLIT);
        give(&net, RX, 1, 1000, buffers);
        bytes[0] = VIRTIO_NET_HDR_F_DATA_VALID;
        peer_says(&net, 0, bytes, 100);
        take(&net, RX, buffers, got, &length);
        ck_assert_uint_eq(got[0], plain ? 0 : VIRTIO_NET_HDR_F_DATA_VALID);
        net_close(&net);
    }
}
END_TEST

/* ---- control ---- */

/* Whether a frame to @to reaches the driver, which has buffers. */
static gboolean
reaches(Net *net, const uint8_t *to, int vlan)
{
    g_autofree uint8_t *bytes = packet_new(to, 100, 1);
    KilnDriverBuffer buffers[256];
    unsigned n = 0;

    if (vlan >= 0) {
        bytes[HEADER + 12] = 0x81;
        bytes[HEADER + 13] = 0x00;
        bytes[HEADER + 14] = (uint8_t)(0xe0 | vlan >> 8); /* with a priority */
        bytes[HEADER + 15] = (uint8_t)vlan;
    }
    if (kiln_driver_in_flight(net->driver, RX) == 0)
        give(net, RX, 1, 1000, buffers);
    peer_says(net, 0, bytes, 100);
    kiln_driver_settle(net->driver);
    while (kiln_driver_take_used(net->driver, RX, NULL, NULL))
        n++;
    return n > 0;
}

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static const uint8_t stranger[6] = { 0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc };
static const uint8_t multicast[6] = { 0x33, 0x33, 0, 0, 0, 1 };
static const uint8_t off;
static const uint8_t on = 1;

START_TEST(filters_do_what_the_driver_says)
{
    uint8_t table[4 + 6 + 4 + 6] = { 1, 0, 0, 0 };
    uint8_t vlan[2] = { 0x23, 0x01 };
    uint8_t huge[4 + 6 * 65 + 4] = { 65 };
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    ck_assert(reaches(&net, stranger, 5)); /* all pass at first */
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), 0);
    ck_assert(reaches(&net, mac, -1));
    ck_assert(reaches(&net, broadcast, -1));
    ck_assert(!reaches(&net, stranger, -1));
    ck_assert(!reaches(&net, multicast, -1));
    memcpy(table + 4, stranger, 6);
    table[10] = 1;
    memcpy(table + 14, multicast, 6);
    ck_assert_uint_eq(
        command(&net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table, sizeof table), 0);
    ck_assert(reaches(&net, stranger, -1));
    ck_assert(reaches(&net, multicast, -1));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, &on, 1), 0);
    ck_assert(!reaches(&net, broadcast, -1));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI, &on, 1), 0);
    ck_assert(!reaches(&net, multicast, -1));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, &on, 1), 0);
    ck_assert(!reaches(&net, mac, -1));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, &off, 1), 0);

    ck_assert(!reaches(&net, mac, 0x123));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2), 0);
    ck_assert(reaches(&net, mac, 0x123));
    ck_assert(!reaches(&net, mac, 0x124));
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, vlan, 2), 0);
    ck_assert(!reaches(&net, mac, 0x123));

    /* more addresses than the table holds: all of that kind pass */
    ck_assert_uint_eq(
        command(&net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, huge, sizeof huge), 0);
    ck_assert(reaches(&net, stranger, -1));
    ck_assert_uint_eq(
        command(&net, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, broadcast, 6), 0);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 0, 4), 0xffffffff);
    net_close(&net);
}
END_TEST

START_TEST(hostile_commands_are_answered_and_change_nothing)
{
    static const struct {
        uint8_t class;
        uint8_t code;
        uint8_t data[16];
        uint32_t length;
    } bad[] = {
        { VIRTIO_NET_CTRL_RX, 6, { 1 }, 1 },
        { VIRTIO_NET_CTRL_RX, 0, { 0 }, 0 },
        { VIRTIO_NET_CTRL_RX, 255, { 1 }, 1 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, { 1 }, 5 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, { 1 }, 7 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, { 1, 0, 0, 0 }, 4 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, { 0xff, 0xff, 0xff, 0xff }, 16 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, { 0xab, 0xaa, 0xaa, 0x2a }, 16 },
        { VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, { 0, 0, 0, 0, 1 }, 8 },
        { VIRTIO_NET_CTRL_MAC, 2, { 0 }, 16 },
        { VIRTIO_NET_CTRL_VLAN, 0, { 0, 0x10 }, 2 },
        { VIRTIO_NET_CTRL_VLAN, 0, { 1 }, 1 },
        { VIRTIO_NET_CTRL_VLAN, 2, { 1, 0 }, 2 },
        { VIRTIO_NET_CTRL_ANNOUNCE, 0, { 0 }, 0 }, /* nobody asked */
        { VIRTIO_NET_CTRL_MQ, 0, { 0, 0 }, 2 },
        { VIRTIO_NET_CTRL_MQ, 0, { 5, 0 }, 2 },
        { VIRTIO_NET_CTRL_MQ, 0, { 1 }, 1 },
        { VIRTIO_NET_CTRL_MQ, 1, { 1, 0 }, 2 },
        { VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8 },
        { VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, { 0 }, 7 },
        { VIRTIO_NET_CTRL_GUEST_OFFLOADS, 1, { 0 }, 8 },
        { 200, 0, { 0 }, 8 },
    };
    uint8_t header[2] = { 0 };
    Net net;

    net_open(&net, 4, KILN_DRIVER_SPLIT);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
        ck_assert_msg(command(&net, bad[i].class, bad[i].code, bad[i].data, bad[i].length) == 1,
                      "command %u was taken", i);
    ck_assert(reaches(&net, stranger, 77));
    ck_assert(!kiln_driver_broken(net.driver));
    { /* no room for an answer */
        KilnDriverBuffer out = kiln_driver_alloc_data(net.driver, header, 2);

        ck_assert_int_ge(kiln_driver_add(net.driver, net.control, &out, 1, NULL, 0), 0);
        kiln_driver_kick(net.driver, net.control);
        ck_assert(kiln_driver_broken(net.driver));
    }
    net_close(&net);
}
END_TEST

START_TEST(queue_pairs_are_used_as_the_driver_says)
{
    const uint8_t three[2] = { 3, 0 };
    KilnDriverBuffer buffers[256];
    uint8_t got[1000];
    size_t length;
    Net net;

    net_open(&net, 4, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 8, 2), 4);
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_MQ, 0, three, 2), 0);
    for (unsigned pair = 0; pair < 3; pair++) {
        g_autofree uint8_t *bytes = packet_new(mac, 300, (uint8_t)pair);

        give(&net, 2 * pair, 4, 1000, buffers);
        peer_says(&net, pair, bytes, 300);
        ck_assert_uint_eq(take(&net, 2 * pair, buffers, got, &length), 1);
        ck_assert_mem_eq(got + HEADER, bytes + HEADER, 300 - HEADER);
        send_packet(&net, 2 * pair + 1, bytes, 300);
        peer_hears(&net, pair, bytes, 300);
    }
    net_close(&net);
}
END_TEST

START_TEST(without_multiqueue_the_control_queue_is_the_third)
{
    const uint64_t accept = KILN_DRIVER_SPLIT & ~KILN_DRIVER_BIT(VIRTIO_NET_F_MQ);
    Net net;

    net_open(&net, 4, accept);
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), 0);
    ck_assert(!reaches(&net, stranger, -1));
    net_close(&net);
}
END_TEST

START_TEST(the_driver_is_told_of_link_and_address)
{
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 0, 4), 0x12005452);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 6, 2), VIRTIO_NET_S_LINK_UP);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 10, 2), 1500);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 12, 4), 10000);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 16, 1), 1);
    kiln_driver_config_interrupts(net.driver);
    kiln_virtio_net_set_link(kiln_driver_virtio(net.driver), FALSE);
    kiln_driver_settle(net.driver);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 6, 2), 0);
    ck_assert_uint_eq(kiln_driver_config_interrupts(net.driver), 1);
    kiln_virtio_net_set_link(kiln_driver_virtio(net.driver), TRUE);
    kiln_driver_settle(net.driver);
    kiln_virtio_net_announce(kiln_driver_virtio(net.driver));
    kiln_driver_settle(net.driver);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 6, 2),
                      VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
    ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), 0);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 6, 2), VIRTIO_NET_S_LINK_UP);
    net_close(&net);
}
END_TEST

START_TEST(offloads_are_offered_as_backend_and_document_say)
{
    const uint64_t csum = KILN_DRIVER_BIT(VIRTIO_NET_F_CSUM);
    const uint64_t tso = KILN_DRIVER_BIT(VIRTIO_NET_F_HOST_TSO4);
    const uint64_t guest = KILN_DRIVER_BIT(VIRTIO_NET_F_GUEST_TSO4);
    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(4 << 20);
    KilnVirtioNetOptions options = { .id = "net0", .memory = memory, .no_mrg_rxbuf = TRUE };
    g_autoptr(KilnDriver) bare = NULL;
    g_autoptr(KilnDriver) partial = NULL;
    uint64_t offered;

    options.netdev = kiln_null_netdev_new("net0", 1);
    bare = kiln_driver_new(board, memory, kiln_virtio_net_new(&options, NULL));
    offered = kiln_driver_offered(bare);
    ck_assert_uint_eq(offered & (csum | tso | guest), 0);
    ck_assert_uint_eq(offered & KILN_DRIVER_BIT(VIRTIO_NET_F_MRG_RXBUF), 0);
    ck_assert_uint_eq(offered & KILN_DRIVER_BIT(VIRTIO_NET_F_MTU), 0);
    ck_assert_uint_eq(offered & KILN_DRIVER_BIT(VIRTIO_NET_F_MQ), 0);
    options.netdev = kiln_null_netdev_new("net0", 1);
    options.netdev->offloads = KILN_NETDEV_CSUM | KILN_NETDEV_TSO4;
    options.no_host = KILN_NETDEV_TSO4;
    partial = kiln_driver_new(board, memory, kiln_virtio_net_new(&options, NULL));
    offered = kiln_driver_offered(partial);
    ck_assert_uint_eq(offered & (csum | tso | guest), csum | guest);
}
END_TEST

/* ---- life ---- */

START_TEST(state_survives_and_packets_go_on)
{
    static const uint64_t modes[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED };

    for (unsigned mode = 0; mode < G_N_ELEMENTS(modes); mode++) {
        const uint8_t two[2] = { 2, 0 };
        KilnDriverBuffer buffers[256];
        Net net;

        net_open(&net, 2, modes[mode]);
        ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_MQ, 0, two, 2), 0);
        ck_assert_uint_eq(command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1),
                          0);
        give(&net, RX, 200, 500, buffers);
        check_packet(&net, buffers, 400, 1);
        check_packet(&net, buffers, 1400, 3);
        for (unsigned round = 0; round < 3; round++) { /* with buffers popped and not used */
            kiln_driver_migrate(net.driver, device_new(&net, 2, 1500));
            check_packet(&net, buffers, 400 + round, 1);
            check_packet(&net, buffers, 1400 + round, 3);
        }
        ck_assert(!reaches(&net, stranger, -1));
        check_packet(&net, buffers, 450, 1);
        net_close(&net);
    }
}
END_TEST

START_TEST(a_reset_and_a_queue_reset_begin_anew)
{
    KilnDriverBuffer buffers[256];
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    for (unsigned round = 0; round < 3; round++) {
        give(&net, RX, 20, 500, buffers);
        check_packet(&net, buffers, 400, 1);
        if (kiln_driver_features(net.driver) & KILN_DRIVER_BIT(40 /* VIRTIO_F_RING_RESET */)) {
            kiln_driver_reset_queue(net.driver, RX);
            kiln_driver_setup_queue(net.driver, RX);
            give(&net, RX, 20, 500, buffers);
            check_packet(&net, buffers, 1300, 3);
        }
        command(&net, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
        kiln_driver_reset(net.driver);
        kiln_driver_start(net.driver, KILN_DRIVER_SPLIT);
        ck_assert(reaches(&net, stranger, -1));
    }
    net_close(&net);
}
END_TEST

START_TEST(bad_receive_chains_break_the_device)
{
    KilnDriverBuffer out;
    KilnDriverBuffer in;

    for (unsigned what = 0; what < 2; what++) {
        Net net;

        net_open(&net, 1, KILN_DRIVER_SPLIT);
        out = kiln_driver_alloc(net.driver, 100);
        in = kiln_driver_alloc(net.driver, what == 0 ? 1000 : 11);
        ck_assert_int_ge(kiln_driver_add(net.driver, RX, &out, what == 0, &in, 1), 0);
        kiln_driver_kick(net.driver, RX);
        ck_assert(kiln_driver_broken(net.driver));
        peer_says(&net, 0, (const uint8_t *)"0123456789012345678901234567", 28);
        kiln_driver_settle(net.driver); /* does not spin */
        kiln_driver_reset(net.driver);
        kiln_driver_start(net.driver, KILN_DRIVER_SPLIT);
        ck_assert(!kiln_driver_broken(net.driver));
        net_close(&net);
    }
}
END_TEST

START_TEST(a_cable_that_breaks_takes_the_link_down)
{
    g_autofree uint8_t *bytes = packet_new(mac, 100, 1);
    KilnDriverBuffer buffers[256];
    Net net;

    net_open(&net, 1, KILN_DRIVER_SPLIT);
    give(&net, RX, 4, 500, buffers);
    kiln_fd_clear(&net.peers[0]);
    kiln_driver_settle(net.driver);
    ck_assert_uint_eq(kiln_driver_config(net.driver, 6, 2), 0);
    send_packet(&net, TX, bytes, 100); /* is lost */
    ck_assert(!kiln_driver_broken(net.driver));
    net_close(&net);
}
END_TEST

/* Random traffic both ways against what a cable would do: nothing is lost, changed or reordered. */
START_TEST(model_a_cable)
{
    for (unsigned seed = 1; seed <= 4; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        g_autoptr(GQueue) to_guest = g_queue_new();
        g_autoptr(GQueue) to_host = g_queue_new();
        KilnDriverBuffer buffers[256];
        unsigned given = 0;
        Net net;

        net_open(&net, 1, seed % 2 ? KILN_DRIVER_SPLIT : KILN_DRIVER_PACKED);
        for (unsigned step = 0; step < 800; step++) {
            size_t length = (size_t)g_rand_int_range(random, 26, step % 7 == 0 ? 9000 : 300);
            g_autofree uint8_t *bytes = packet_new(mac, length, (uint8_t)step);
            GBytes *kept;

            switch (g_rand_int_range(random, 0, 5)) {
            case 0:
            case 1:
                if (send(net.peers[0], bytes, length, 0) == (ssize_t)length)
                    g_queue_push_tail(to_guest, g_bytes_new(bytes, length));
                break;
            case 2: {
                KilnDriverBuffer out = kiln_driver_alloc_data(net.driver, bytes, (uint32_t)length);

                if (kiln_driver_add(net.driver, TX, &out, 1, NULL, 0) >= 0)
                    g_queue_push_tail(to_host, g_bytes_new(bytes, length));
                kiln_driver_kick(net.driver, TX);
                break;
            }
            case 3:
                if (given < 150) {
                    give(&net, RX, 50, 700, buffers);
                    given += 50;
                }
                break;
            default: kiln_driver_settle(net.driver); break;
            }
            while (kiln_driver_take_used(net.driver, TX, NULL, NULL))
                continue;
            while (given > 40 && (kept = g_queue_pop_head(to_guest)) != NULL) {
                uint8_t got[10000];
                size_t got_length;

                given -= take(&net, RX, buffers, got, &got_length);
                ck_assert_uint_eq(got_length, g_bytes_get_size(kept));
                ck_assert_mem_eq(got + HEADER,
                                 (const uint8_t *)g_bytes_get_data(kept, NULL) + HEADER,
                                 got_length - HEADER);
                g_bytes_unref(kept);
            }
            while (g_rand_int_range(random, 0, 3) == 0 && !g_queue_is_empty(to_host)) {
                kept = g_queue_pop_head(to_host);
                kiln_driver_settle(net.driver);
                peer_hears(&net, 0, g_bytes_get_data(kept, NULL), g_bytes_get_size(kept));
                g_bytes_unref(kept);
            }
        }
        ck_assert(!kiln_driver_broken(net.driver));
        g_queue_clear_full(to_guest, (GDestroyNotify)g_bytes_unref);
        g_queue_clear_full(to_host, (GDestroyNotify)g_bytes_unref);
        net_close(&net);
    }
}
END_TEST

static Suite *
virtio_net_suite(void)
{
    Suite *suite = suite_create("device/virtio-net");
    TCase *sending = kiln_test_case(suite, "sending");
    TCase *receiving = kiln_test_case(suite, "receiving");
    TCase *control = kiln_test_case(suite, "control");
    TCase *life = kiln_test_case(suite, "life");

    tcase_add_test(sending, packets_are_sent_as_they_are);
    tcase_add_test(sending, a_batch_is_one_interrupt);
    tcase_add_test(sending, a_full_cable_holds_the_rest_back);
    tcase_add_test(sending, what_is_no_packet_is_given_back);
    tcase_add_test(receiving, packets_come_into_as_many_buffers_as_they_need);
    tcase_add_test(receiving, many_packets_at_once_keep_their_order);
    tcase_add_test(receiving, a_burst_of_large_packets_waits_for_buffers);
    tcase_add_test(receiving, a_packet_that_no_ring_can_hold_is_dropped);
    tcase_add_test(receiving, without_mergeable_buffers_a_packet_has_one);
    tcase_add_test(receiving, a_header_may_lie_across_small_buffers);
    tcase_add_test(receiving, a_batch_is_the_drivers_before_the_next_is_received);
    tcase_add_test(receiving, a_driver_without_buffers_is_waited_for);
    tcase_add_test(receiving, flags_are_only_for_who_understands_them);
    tcase_add_test(control, filters_do_what_the_driver_says);
    tcase_add_test(control, hostile_commands_are_answered_and_change_nothing);
    tcase_add_test(control, queue_pairs_are_used_as_the_driver_says);
    tcase_add_test(control, without_multiqueue_the_control_queue_is_the_third);
    tcase_add_test(control, the_driver_is_told_of_link_and_address);
    tcase_add_test(control, offloads_are_offered_as_backend_and_document_say);
    tcase_add_test(life, state_survives_and_packets_go_on);
    tcase_add_test(life, a_reset_and_a_queue_reset_begin_anew);
    tcase_add_test(life, bad_receive_chains_break_the_device);
    tcase_add_test(life, a_cable_that_breaks_takes_the_link_down);
    tcase_add_test(life, model_a_cable);
    return suite;
}

KILN_TEST_MAIN(virtio_net_suite)
