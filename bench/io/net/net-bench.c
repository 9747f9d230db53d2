/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtio-net without a guest: a fake driver in plain memory, the real device, a real tap in a
 * network namespace of its own.  What is timed is the device with its backend and the host's tap;
 * the fake driver fills its rings between the times.
 *
 *   net-bench [--rounds N] [--no-ring] [--null]
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/le.h"
#include "device/virtio-net.h"
#include "net/null.h"
#include "net/tap.h"
#include "tests/lib/virtio-driver.h"
#include "tests/net/namespace.h"

enum { HEADER = 12, RX = 0, TX = 1, BATCH = 200, BUFFER = 2048 };

static const uint8_t mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

static gint rounds = 2000;
static gboolean no_ring;
static gboolean use_null;

typedef struct {
    KilnDriver *driver;
    uint64_t spent_ns;
    uint64_t packets;
    uint64_t bytes;
} Bench;

static void
report(const char *what, const Bench *bench)
{
    double seconds = (double)bench->spent_ns / 1e9;

    printf("%-28s %9.0f packets/s %8.2f Gbit/s %7.0f ns each\n", what,
           (double)bench->packets / seconds, (double)bench->bytes * 8 / seconds / 1e9,
           (double)bench->spent_ns / (double)bench->packets);
}

/* This thread's processor time: what others do on the machine counts for less. */
static uint64_t
cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Runs the device until it has nothing to do. */
static void
timed_settle(Bench *bench)
{
    uint64_t before = cpu_ns();

    kiln_driver_settle(bench->driver);
    bench->spent_ns += cpu_ns() - before;
}

static uint64_t
received(KilnDriver *driver)
{
    KilnNetdevStatistics count;

    kiln_netdev_statistics(kiln_virtio_net_netdev(kiln_driver_virtio(driver)), &count);
    return count.rx_packets;
}

/* The guest sends @length bytes at a time: frames that the host's stack drops early. */
static void
bench_send(KilnDriver *driver, uint32_t length, gboolean gso, const char *what)
{
    Bench bench = { .driver = driver };
    KilnDriverBuffer out = kiln_driver_alloc(driver, HEADER + length);

    memset(out.host + HEADER, 0xff, 6);
    memcpy(out.host + HEADER + 6, mac, 6);
    out.host[HEADER + 12] = 0x88;
    out.host[HEADER + 13] = 0xb5;
    if (gso) { /* TCP over IPv4 that is yet to be cut; nobody has this address */
        uint8_t *ip = out.host + HEADER + 14;

        out.host[HEADER + 12] = 0x08;
        out.host[HEADER + 13] = 0x00;
        ip[0] = 0x45;
        ip[2] = (uint8_t)((length - 14) >> 8);
        ip[3] = (uint8_t)(length - 14);
        ip[8] = 64;
        ip[9] = 6;
        ip[32] = 0x50;
        out.host[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        out.host[1] = VIRTIO_NET_HDR_GSO_TCPV4;
        kiln_le16_store(out.host + 2, 54);
        kiln_le16_store(out.host + 4, 1448);
        kiln_le16_store(out.host + 6, 34);
        kiln_le16_store(out.host + 8, 16);
    }
    for (int round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < BATCH; i++)
            kiln_driver_add(driver, TX, &out, 1, NULL, 0);
        kiln_driver_kick(driver, TX);
        timed_settle(&bench);
        while (kiln_driver_take_used(driver, TX, NULL, NULL))
            bench.packets++;
    }
    bench.bytes = bench.packets * length;
    report(what, &bench);
}

/* The host sends through the tap: first it fills the tap's own queue, then the device is timed. */
static void
bench_receive(KilnDriver *driver, const char *interface, uint32_t length, const char *what)
{
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)kiln_interface_index(interface) };
    g_auto(KilnFd) host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    g_autofree uint8_t *frame = g_malloc0(length);
    static KilnDriverBuffer buffers[1024];
    const int qdisc_bypass = 1;
    Bench bench = { .driver = driver };
    uint64_t before = received(driver);
    unsigned given = 0;

    if (bind(host, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(host, SOL_PACKET, PACKET_QDISC_BYPASS, &qdisc_bypass, sizeof qdisc_bypass) < 0)
        return;
    memcpy(frame, mac, 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    for (int round = 0; round < rounds; round++) {
        while (given < 256) {
            KilnDriverBuffer in =
                buffers[given].host != NULL ? buffers[given] : kiln_driver_alloc(driver, BUFFER);

            if (kiln_driver_add(driver, RX, NULL, 0, &in, 1) < 0)
                break;
            buffers[given++] = in;
        }
        if (round == 0)
            kiln_driver_kick_always(driver, RX);
        kiln_driver_settle(driver);
        for (unsigned i = 0; i < BATCH; i++)
            (void)!send(host, frame, length, 0);
        timed_settle(&bench);
        while (kiln_driver_take_used(driver, RX, NULL, NULL))
            given--;
    }
    bench.packets = received(driver) - before;
    bench.bytes = bench.packets * length;
    report(what, &bench);
}

static KilnNetdev *
backend(void)
{
    const KilnTapOptions options = { .id = "net0", .name = "bench0", .no_ring = no_ring };
    g_autoptr(GError) error = NULL;
    KilnNetdev *netdev;

    if (use_null)
        return kiln_null_netdev_new("net0", 1);
    netdev = kiln_tap_open(&options, &error);
    if (netdev == NULL)
        g_error("%s", error->message);
    return netdev;
}

int
main(int argc, char **argv)
{
    GOptionEntry entries[] = {
        { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "batches of 200 packets", "N" },
        { "no-ring", 0, 0, G_OPTION_ARG_NONE, &no_ring, "a system call for each packet", NULL },
        { "null", 0, 0, G_OPTION_ARG_NONE, &use_null, "no tap: the device alone", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    const char *reason;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "net-bench: %s\n", error->message);
        return 2;
    }
    reason = kiln_test_enter_namespace();
    if (reason != NULL) {
        fprintf(stderr, "net-bench: %s\n", reason);
        return 77;
    }

    g_autoptr(KilnBoard) board = kiln_board_new();
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(256 << 20);
    KilnVirtioNetOptions options = { .id = "net0", .memory = memory, .netdev = backend() };
    g_autoptr(KilnDriver) driver = NULL;

    memcpy(options.mac, mac, sizeof mac);
    driver = kiln_driver_new(board, memory, kiln_virtio_net_new(&options, &error));
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    bench_send(driver, 64, FALSE, "sends 64 bytes");
    bench_send(driver, 1514, FALSE, "sends 1514 bytes");
    bench_send(driver, 65226, TRUE, "sends 64 KiB for segmentation");
    if (!use_null) {
        if (system("ip link set bench0 txqueuelen 1000 mtu 65521") != 0)
            return 1;
        bench_receive(driver, "bench0", 64, "receives 64 bytes");
        bench_receive(driver, "bench0", 1514, "receives 1514 bytes");
        rounds /= 4;
        bench_receive(driver, "bench0", 65000, "receives 64 KiB");
    }
    return 0;
}
