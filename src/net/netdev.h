/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's side of a network adapter: where frames come from and go to (a tap, macvtap, passt, a
 * socket, nowhere).  Below the ops is the backend's own; what all have (link state, limits of
 * bandwidth, capture to a file, statistics) is netdev.c's, on the way between device and backend.
 *
 *   guest sends: device -> kiln_netdev_send() -> link, limit, capture -> ops.send (a batch)
 *   guest receives: ready(G_IO_IN) -> kiln_netdev_receive() -> ops.receive (a batch) -> capture …
 *
 * A packet is a 12-byte virtio_net_hdr_v1 (virtio 1.2 §5.1.6, little-endian) and an Ethernet frame;
 * num_buffers is the device's business: backends leave it alone.  Backends without offloads give
 * zeroes for the header and are never given anything else.
 *
 * Threads: a queue pair's send, receive and want are called in the thread that runs the context it
 * is attached to; queue pairs do not share one necessarily.  All else is the main thread's, while
 * no queue runs, unless it is said.  Nothing here allocates or blocks after it is open.
 */
#ifndef KILN_NET_NETDEV_H
#define KILN_NET_NETDEV_H

#include <glib.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/fd.h"

enum {
    KILN_NETDEV_HEADER = 12,        /* bytes of virtio_net_hdr_v1 */
    KILN_NETDEV_MAX_PACKET = 65562, /* bytes: header, Ethernet header with a VLAN tag, 64 KiB */
    KILN_NETDEV_MAX_QUEUES = 64,    /* pairs */
};

/* What a backend can take and give besides whole, checksummed frames. */
typedef enum {
    KILN_NETDEV_CSUM = 1 << 0, /* frames whose checksum is yet to be made */
    KILN_NETDEV_TSO4 = 1 << 1,
    KILN_NETDEV_TSO6 = 1 << 2,
    KILN_NETDEV_ECN = 1 << 3,
    KILN_NETDEV_UFO = 1 << 4,
    KILN_NETDEV_USO = 1 << 5, /* IPv4 and IPv6 */
} KilnNetdevOffload;

/**
 * KilnNetPacket:
 * @iov: of the caller; to be sent: the packet; to be received into: room for one
 * @length: bytes, header included: of what is sent, or what was received
 */
typedef struct {
    struct iovec *iov;
    unsigned n_iov;
    uint32_t length;
} KilnNetPacket;

typedef struct KilnNetdev KilnNetdev;
typedef struct KilnNetdevCore KilnNetdevCore; /* netdev.c's own */

/* @ready is G_IO_IN, G_IO_OUT or both: what was wanted may be had now.  In the queue's thread. */
typedef void (*KilnNetdevReadyFunc)(unsigned queue, GIOCondition ready, gpointer data);

/* The link went up or down.  Main thread. */
typedef void (*KilnNetdevLinkFunc)(gboolean up, gpointer data);

/**
 * KilnNetdevOps:
 * @name: "tap"
 * @send: takes packets from the front on.  Returns how many (dropping is taking); fewer than @n:
 *   want(G_IO_OUT) tells when to go on; -errno if the backend is dead
 * @receive: fills packets and sets their lengths; those that it leaves out have length 0.  Returns
 *   how many from the front on it has set; 0: nothing is there, want(G_IO_IN) tells when there is;
 *   -errno if the backend is dead.  What does not fit into a packet's room is cut
 * @fd: (nullable): what poll(2) tells that a queue is ready; -1: never.  Also what vhost-net is
 *   given if @tap
 * @set_offloads: (nullable): the offloads that the guest takes on receiving; any thread
 * @enable: (nullable): the first @n_queues pairs are used; any thread
 * @set_mac: (nullable): the guest's address is this now, for backends that filter; any thread
 * @free: frees the backend's own struct and what it holds
 */
typedef struct {
    const char *name;
    int (*send)(KilnNetdev *netdev, unsigned queue, const KilnNetPacket *packets, unsigned n);
    int (*receive)(KilnNetdev *netdev, unsigned queue, KilnNetPacket *packets, unsigned n);
    int (*fd)(KilnNetdev *netdev, unsigned queue);
    void (*set_offloads)(KilnNetdev *netdev, unsigned offloads);
    void (*enable)(KilnNetdev *netdev, unsigned n_queues);
    void (*set_mac)(KilnNetdev *netdev, const uint8_t mac[6]);
    void (*free)(KilnNetdev *netdev);
} KilnNetdevOps;

/* A backend's own struct begins with it. */
struct KilnNetdev {
    const KilnNetdevOps *ops;
    char *id; /* (owned): for messages: the alias, "net0" */
    unsigned n_queues;
    unsigned offloads;    /* KilnNetdevOffload: what it can do, both ways */
    uint32_t mtu;         /* bytes; 0: not known */
    gboolean tap;         /* @ops->fd is a tap's: vhost-net can take it */
    char *host_name;      /* (owned) (nullable): of the host's interface: "vnet0" */
    KilnNetdevCore *core; /* (owned) */
};

/* One direction's limit, in libvirt's units; average 0: none. */
typedef struct {
    uint64_t average; /* KiB/s */
    uint64_t peak;    /* KiB/s; 0: as the line gives */
    uint64_t burst;   /* KiB that may go at @peak; 0: a second's @average */
} KilnNetdevLimit;

/* Seen from the guest: rx is what it received. */
typedef struct {
    uint64_t rx_bytes;
    uint64_t rx_packets;
    uint64_t rx_errors;
    uint64_t rx_dropped;
    uint64_t tx_bytes;
    uint64_t tx_packets;
    uint64_t tx_errors;
    uint64_t tx_dropped;
} KilnNetdevStatistics;

/* For backends: @netdev is embedded in the caller's struct. */
void kiln_netdev_init(KilnNetdev *netdev, const KilnNetdevOps *ops, const char *id,
                      unsigned n_queues);

/* For backends: the peer came or went (any thread); the device is told in the main one. */
void kiln_netdev_set_carrier(KilnNetdev *netdev, gboolean up);

/* (nullable): detached from its device */
void kiln_netdev_free(KilnNetdev *netdev);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnNetdev, kiln_netdev_free)

/* @link is called when kiln_netdev_link() changes; one device has a backend.  NULL: none any more.
 */
void kiln_netdev_set_link_func(KilnNetdev *netdev, KilnNetdevLinkFunc func, gpointer data);

/**
 * kiln_netdev_attach:
 * @context: (nullable): whose thread uses the queue pair from now on
 *
 * Nothing is wanted yet.  In that thread, or while nobody runs it; detach as well.
 */
void kiln_netdev_attach(KilnNetdev *netdev, unsigned queue, GMainContext *context,
                        KilnNetdevReadyFunc ready, gpointer data);
void kiln_netdev_detach(KilnNetdev *netdev, unsigned queue);

/* What ready() is called for from now on; what is ready already counts. */
void kiln_netdev_want(KilnNetdev *netdev, unsigned queue, GIOCondition condition);

/* See KilnNetdevOps.  With the link down all is dropped, and nothing received. */
int kiln_netdev_send(KilnNetdev *netdev, unsigned queue, const KilnNetPacket *packets, unsigned n);
int kiln_netdev_receive(KilnNetdev *netdev, unsigned queue, KilnNetPacket *packets, unsigned n);

/* A packet was received that the guest could not be given.  The queue's thread. */
void kiln_netdev_count_drop(KilnNetdev *netdev, unsigned queue);
void kiln_netdev_count_tx_error(KilnNetdev *netdev, unsigned queue);

/* (nullable) offloads may be set, and the first queue pairs enabled, from any thread. */
void kiln_netdev_set_offloads(KilnNetdev *netdev, unsigned offloads);
void kiln_netdev_enable(KilnNetdev *netdev, unsigned n_queues);
void kiln_netdev_set_mac(KilnNetdev *netdev, const uint8_t mac[6]);

/**
 * kiln_netdev_set_link:
 *
 * What <link state> says.  The link is up if that and the backend's carrier are.  Main thread, also
 * while queues run.
 */
void kiln_netdev_set_link(KilnNetdev *netdev, gboolean up);
gboolean kiln_netdev_link(const KilnNetdev *netdev);

/**
 * kiln_netdev_set_limits:
 * @receive: (nullable): of what the guest receives ("inbound" to libvirt)
 * @send: (nullable): of what it sends ("outbound")
 *
 * Limits by token buckets, in this process.  Main thread, also while queues
 * run.
 */
void kiln_netdev_set_limits(KilnNetdev *netdev, const KilnNetdevLimit *receive,
                            const KilnNetdevLimit *send);

/**
 * kiln_netdev_capture:
 * @path: of a file that is made: libpcap's format, all packets both ways, without headers
 */
gboolean kiln_netdev_capture(KilnNetdev *netdev, const char *path, GError **error);

/* Whether the packets must pass through this process: limits of our own, or a capture. */
gboolean kiln_netdev_needs_user_space(const KilnNetdev *netdev);

/* Sums of all queues.  Any thread, at any time. */
void kiln_netdev_statistics(const KilnNetdev *netdev, KilnNetdevStatistics *statistics);

/**
 * kiln_netdev_count_outside:
 *
 * The packets do not pass here (vhost): from now on statistics are those that the host keeps of
 * interface @host_name in /sys/class/net, opened now.
 */
gboolean kiln_netdev_count_outside(KilnNetdev *netdev, GError **error);

#endif
