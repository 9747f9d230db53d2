/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to another daemon of libvirt: packets out, packets in, each direction with its own
 * back-pressure.  The other end is a peer like any: lengths, types and programs are checked, and
 * memory follows what has come.  Keepalive is answered here.  Main thread.
 */
#ifndef KILN_RELAY_LINK_H
#define KILN_RELAY_LINK_H

#include "rpc/client.h"

typedef struct KilnLink KilnLink;

enum { KILN_LINK_CONGESTED = 1024 * 1024 }; /* bytes that wait: no more should be sent for now */

/**
 * KilnLinkEvents: what the owner is told; each may free the link
 * @packet: of our program: a reply, a message, or a stream's
 * @drained: it was congested, and is not any more
 * @lost: the end, once: the other end has gone, or said what cannot be
 */
typedef struct {
    void (*packet)(KilnPacket *packet, gpointer data); /* borrowed */
    void (*drained)(gpointer data);
    void (*lost)(const char *why, gpointer data);
} KilnLinkEvents;

/**
 * kiln_link_open:
 * @path: of the socket.  One that this very process listens on is refused.
 *
 * Returns: (transfer full): NULL with @error set if nobody listens there.
 */
KilnLink *kiln_link_open(const char *path, const KilnLinkEvents *events, gpointer data,
                         GError **error);
/* @fd: a connected socket, taken over */
KilnLink *kiln_link_new(int fd, const KilnLinkEvents *events, gpointer data);
void kiln_link_free(KilnLink *link);

/* Queues it, whatever waits already. */
void kiln_link_send(KilnLink *link, GBytes *packet);
gboolean kiln_link_is_congested(const KilnLink *link);

/* Takes no packets until it is told to go on. */
void kiln_link_pause(KilnLink *link, gboolean pause);

#endif
