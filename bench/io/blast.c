/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends small frames into a tap of the host as fast as it takes them:
 *
 *   blast INTERFACE BYTES MILLISECONDS
 *
 * They are UDP datagrams that the kernel cuts from large ones, which costs a sender a third of what
 * a system call or a message each would: where there are two processors the receiver has to share
 * his with it.  While the tap has no room it sleeps, for less time than a full tap lasts.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* virtio 1.3 §5.1.6 */
#endif

enum { SEGMENTS = 64, MAX_BYTES = 1000, PAUSE_NS = 500000, TX_DROPPED = 11 };

/* Without a hole between them. */
typedef struct {
    struct virtio_net_hdr offload;
    struct ether_header ethernet;
    struct iphdr ip;
    struct udphdr udp;
    uint8_t payload[SEGMENTS * MAX_BYTES];
} __attribute__((packed)) Burst;

enum { HEADERS = offsetof(Burst, payload) - offsetof(Burst, ethernet) };

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How many frames the interface has had no room for, proc(5). */
static guint64
dropped(int fd, const char *interface)
{
    char text[4096];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    g_autofree char *name = g_strdup_printf("%s:", interface);
    char *at;

    text[MAX(length, 0)] = '\0';
    at = strstr(text, name);
    if (at == NULL)
        return 0;
    at += strlen(name);
    for (unsigned i = 0; i < TX_DROPPED; i++)
        (void)g_ascii_strtoull(at, &at, 10);
    return g_ascii_strtoull(at, NULL, 10);
}

static void
fill(Burst *burst, uint16_t payload)
{
    const uint16_t udp_bytes = (uint16_t)(sizeof burst->udp + SEGMENTS * payload);

    burst->offload = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
        .hdr_len = HEADERS,
        .gso_size = payload,
        .csum_start = sizeof burst->ethernet + sizeof burst->ip,
        .csum_offset = offsetof(struct udphdr, check),
    };
    memset(burst->ethernet.ether_dhost, 0xff, ETH_ALEN);
    memset(burst->ethernet.ether_shost, 0x52, ETH_ALEN);
    burst->ethernet.ether_type = htons(ETH_P_IP);
    burst->ip = (struct iphdr){
        .version = 4,
        .ihl = sizeof burst->ip / 4,
        .tot_len = htons((uint16_t)(sizeof burst->ip + udp_bytes)),
        .ttl = 1,
        .protocol = IPPROTO_UDP,
        .saddr = htonl(0x0a000001),
        .daddr = htonl(0x0a000002),
    };
    burst->udp = (struct udphdr){ .source = htons(9), .dest = htons(9), .len = htons(udp_bytes) };
}

int
main(int argc, char **argv)
{
    static Burst burst;
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    const int one = 1;
    guint64 length = 0, milliseconds = 0, lost, lost_before = 0;
    int64_t end;
    int fd, counters;

    if (argc != 4 ||
        !g_ascii_string_to_unsigned(argv[2], 10, HEADERS + 1, MAX_BYTES, &length, NULL) ||
        !g_ascii_string_to_unsigned(argv[3], 10, 1, G_MAXINT32, &milliseconds, NULL))
        return 2;
    address.sll_ifindex = (int)if_nametoindex(argv[1]);
    fill(&burst, (uint16_t)(length - HEADERS));
    length = offsetof(Burst, payload) + SEGMENTS * (length - HEADERS);
    counters = open("/proc/net/dev", O_RDONLY | O_CLOEXEC);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) {
        perror("blast");
        return 1;
    }
    end = now_ms() + (int64_t)milliseconds;
    while (now_ms() < end) {
        if (send(fd, &burst, length, 0) < 0) {
            perror("blast");
            return 1;
        }
        lost = dropped(counters, argv[1]);
        if (lost != lost_before)
            nanosleep(&pause, NULL);
        lost_before = lost;
    }
    return 0;
}
