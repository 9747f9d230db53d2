/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors of which one read or write is one packet: taps, datagram sockets. */
#ifndef KILN_NET_PACKET_FD_H
#define KILN_NET_PACKET_FD_H

#include "net/netdev.h"

/* As KilnNetdevOps.send and .receive, on a non-blocking @fd. */
int kiln_packet_fd_send(int fd, const KilnNetPacket *packets, unsigned n);
int kiln_packet_fd_receive(int fd, KilnNetPacket *packets, unsigned n);

/**
 * kiln_packet_fd_netdev_new:
 * @fds: (array length=n_queues): one a queue pair; taken over, made non-blocking
 * @offloads: KilnNetdevOffload, what the other end understands
 *
 * Packets with their headers, as they are, through sockets: for tests and tools.
 *
 * Returns: (transfer full)
 */
KilnNetdev *kiln_packet_fd_netdev_new(const char *id, const int *fds, unsigned n_queues,
                                      unsigned offloads);

#endif
