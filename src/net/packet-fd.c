/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See packet-fd.h. */
#include "net/packet-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

typedef struct {
    KilnNetdev netdev;
    KilnFd fds[KILN_NETDEV_MAX_QUEUES]; /* (owned) */
} PacketNetdev;

/* Whether the error is the packet's own (a tap that is down, a frame that it does not like): then
 * the packet is lost, as on any wire, and the next one may pass. */
static gboolean
packet_error(int errnum)
{
    return errnum != EBADFD && errnum != ENODEV && errnum != EPIPE && errnum != ECONNRESET;
}

int
kiln_packet_fd_send(int fd, const KilnNetPacket *packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ssize_t sent = writev(fd, packets[i].iov, (int)packets[i].n_iov);

        if (G_LIKELY(sent >= 0) || (errno != EAGAIN && packet_error(errno)))
            continue;
        if (i > 0 || errno == EAGAIN)
            return (int)i;
        return -errno;
    }
    return (int)n;
}

int
kiln_packet_fd_receive(int fd, KilnNetPacket *packets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ssize_t got = readv(fd, packets[i].iov, (int)packets[i].n_iov);

        if (G_LIKELY(got > 0)) {
            packets[i].length = (uint32_t)got;
            continue;
        }
        if (i > 0)
            return (int)i;
        /* a socket's other end is closed; a tap that is down gives EIO */
        return got == 0 ? -EPIPE : packet_error(errno) ? 0 : -errno;
    }
    return (int)n;
}

static int
packet_send(KilnNetdev *netdev, unsigned queue, const KilnNetPacket *packets, unsigned n)
{
    return kiln_packet_fd_send(((PacketNetdev *)netdev)->fds[queue], packets, n);
}

static int
packet_receive(KilnNetdev *netdev, unsigned queue, KilnNetPacket *packets, unsigned n)
{
    return kiln_packet_fd_receive(((PacketNetdev *)netdev)->fds[queue], packets, n);
}

static int
packet_fd(KilnNetdev *netdev, unsigned queue)
{
    return ((PacketNetdev *)netdev)->fds[queue];
}

static void
packet_free(KilnNetdev *netdev)
{
    PacketNetdev *self = (PacketNetdev *)netdev;

    for (unsigned i = 0; i < netdev->n_queues; i++)
        kiln_fd_clear(&self->fds[i]);
    g_free(self);
}

static const KilnNetdevOps packet_ops = {
    .name = "packets",
    .send = packet_send,
    .receive = packet_receive,
    .fd = packet_fd,
    .free = packet_free,
};

KilnNetdev *
kiln_packet_fd_netdev_new(const char *id, const int *fds, unsigned n_queues, unsigned offloads)
{
    PacketNetdev *self = g_new0(PacketNetdev, 1);

    kiln_netdev_init(&self->netdev, &packet_ops, id, n_queues);
    self->netdev.offloads = offloads;
    for (unsigned i = 0; i < n_queues; i++) {
        self->fds[i] = fds[i];
        (void)fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
    }
    return &self->netdev;
}
