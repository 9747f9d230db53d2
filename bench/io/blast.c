/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends small frames into an interface of the host as fast as it can, past its queueing discipline:
 *
 *   blast INTERFACE BYTES MILLISECONDS
 *
 * While the interface has no room it sleeps, for less time than a full tap lasts: whoever receives
 * is never waited for by a processor that he could use himself.  Prints how many frames it took.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, MAX_BYTES = 1514, PAUSE_NS = 100000 };

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
main(int argc, char **argv)
{
    static uint8_t frame[MAX_BYTES];
    static struct mmsghdr messages[BATCH];
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
    struct iovec iov = { .iov_base = frame };
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    const int one = 1;
    unsigned long sent = 0;
    guint64 length = 0, milliseconds = 0;
    int64_t end;
    int fd;

    if (argc != 4 || !g_ascii_string_to_unsigned(argv[2], 10, ETH_HLEN, MAX_BYTES, &length, NULL) ||
        !g_ascii_string_to_unsigned(argv[3], 10, 1, G_MAXINT32, &milliseconds, NULL))
        return 2;
    address.sll_ifindex = (int)if_nametoindex(argv[1]);
    iov.iov_len = length;
    memset(frame, 0xff, 6);
    memset(frame + 6, 0x52, 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    for (unsigned i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0) {
        perror("blast");
        return 1;
    }
    end = now_ms() + (int64_t)milliseconds;
    while (now_ms() < end) {
        int n = sendmmsg(fd, messages, BATCH, 0);

        if (n > 0)
            sent += (unsigned long)n;
        if (n < BATCH)
            nanosleep(&pause, NULL);
    }
    printf("%lu\n", sent);
    return 0;
}
