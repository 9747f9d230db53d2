/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The network device (virtio 1.2 §5.1): queue pairs between the guest's driver and a KilnNetdev,
 * and a control queue.
 *
 *   sends: kick -> pop a batch -> backend reads the guest's buffers, header in front -> push, flush
 *   receives: backend ready -> guest's buffers -> backend writes into them -> push, flush
 *
 * A batch costs one system call where the backend can do that, and one interrupt.  Nothing is
 * copied but what is left of a packet that does not fit into the buffer that it was read into.
 *
 * With a vhost peer (the kernel's vhost-net, or a vhost-user process) packets do not come here: the
 * control queue, the link and the configuration space are still ours.
 */
#ifndef KILN_DEVICE_VIRTIO_NET_H
#define KILN_DEVICE_VIRTIO_NET_H

#include "net/netdev.h"
#include "vhost/user.h"
#include "virtio/device.h"

enum { KILN_VIRTIO_NET_MAX_PAIRS = KILN_NETDEV_MAX_QUEUES };

/**
 * KilnVirtioNetOptions:
 * @n_pairs: 0 is 1; not more than the backend has
 * @rx_queue_size, @tx_queue_size: 0 is 256
 * @mtu: bytes, 68 or more: told to the driver; 0: not told
 * @speed: Mbit/s, told to the driver; 0: not known
 * @no_mrg_rxbuf: <driver><host mrg_rxbuf='off'/>
 * @no_host, @no_guest: KilnNetdevOffload that are not offered though the backend has them: of what
 *   the guest sends (<driver><host …='off'/>) and what it receives (<guest …='off'/>)
 * @netdev: (transfer full): the backend
 * @vhost_fds: (nullable): of /dev/vhost-net, just opened, one a pair; taken over.  Packets then
 * pass between guest and kernel, as long as @netdev does not need them in user space
 * @vhost_user: (nullable): packets pass between guest and this peer; @netdev is a null one.  Its
 *   n_queues, context and callbacks are filled in here
 */
typedef struct {
    const char *id;
    KilnMemory *memory;
    GMainContext *context; /* (nullable) */
    unsigned n_pairs;
    uint16_t rx_queue_size;
    uint16_t tx_queue_size;
    gboolean packed;
    gboolean no_event_idx;
    gboolean no_indirect;
    uint8_t mac[6];
    uint16_t mtu;
    uint32_t speed;
    gboolean no_mrg_rxbuf;
    unsigned no_host;
    unsigned no_guest;
    KilnNetdev *netdev;
    int *vhost_fds;
    const KilnVhostUserOptions *vhost_user;
} KilnVirtioNetOptions;

/**
 * kiln_virtio_net_new:
 *
 * Main thread.
 *
 * Returns: (transfer full): NULL with @error set (and the backend freed) if the vhost peer cannot
 *   be had.
 */
KilnVirtioDevice *kiln_virtio_net_new(const KilnVirtioNetOptions *options, GError **error);

/* The backend, for limits, link state and statistics.  Borrowed. */
KilnNetdev *kiln_virtio_net_netdev(KilnVirtioDevice *device);

/* <link state>: as kiln_netdev_set_link(), whoever carries the packets.  Main thread. */
void kiln_virtio_net_set_link(KilnVirtioDevice *device, gboolean up);

/* Asks the driver to tell the network where its address is now: after a migration.  Main thread. */
void kiln_virtio_net_announce(KilnVirtioDevice *device);

/* The address that the driver has set, or was given.  Main thread. */
void kiln_virtio_net_mac(KilnVirtioDevice *device, uint8_t mac[6]);

#endif
