/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of virtio-net share. */
#ifndef KILN_DEVICE_VIRTIO_NET_PRIVATE_H
#define KILN_DEVICE_VIRTIO_NET_PRIVATE_H

#include "base/log.h"
#include "device/virtio-net-filter.h"
#include "device/virtio-net.h"
#include "loop/event.h"
#include "vhost/net.h"

enum {
    NET_BATCH = 64,      /* packets that are sent together */
    NET_SLOTS = 32,      /* packets that are received together */
    NET_CHAINS = 128,    /* receive buffers held ready */
    NET_CHAIN_IOV = 64,  /* descriptors in one of them */
    NET_TX_IOV = 2048,   /* of a batch that is sent */
    NET_SCRATCH = 65664, /* bytes of a slot's scratch: a whole packet, rounded up to lines */
};

typedef struct VirtioNet VirtioNet;

/* A receive buffer that was popped; its last iovec is for the scratch. */
typedef struct {
    KilnVirtqElement element;
    struct iovec iov[NET_CHAIN_IOV + 1];
} NetChain;

/* A packet that is being received: which of the ready chains it goes into. */
typedef struct {
    unsigned first;
    unsigned n;
    uint32_t room; /* bytes of those */
} NetSlot;

/* What a pair needs for receiving; made when its driver first gives it buffers. */
typedef struct {
    NetChain chains[NET_CHAINS];
    NetChain *ready[NET_CHAINS]; /* popped, in their order */
    NetChain *unused[NET_CHAINS];
    unsigned n_ready;
    unsigned n_unused;
    NetSlot slots[NET_SLOTS];
    unsigned pending; /* the first slot whose packet waits for more chains */
    unsigned n_got;   /* slots that were received into; all delivered if @pending is as much */
    KilnNetPacket packets[NET_SLOTS];
    struct iovec big_iov[1024]; /* UIO_MAXIOV */
    uint8_t *scratch;           /* NET_SLOTS of NET_SCRATCH bytes */
} NetReceiver;

typedef struct {
    KilnVirtqElement elements[NET_BATCH];
    KilnNetPacket packets[NET_BATCH];
    struct iovec iov[NET_TX_IOV];
} NetSender;

typedef struct {
    VirtioNet *net;
    unsigned index;
    KilnVirtqueue *rx;
    KilnVirtqueue *tx;
    NetReceiver *receiver; /* (owned) (nullable) */
    NetSender *sender;     /* (owned) (nullable) */
    gboolean attached;     /* to the backend: packets pass here */
    gboolean starved;      /* the driver gives no receive buffers: it will kick */
    gboolean full;         /* the backend takes no more: it will tell */
    gboolean broken;       /* the driver broke the rules: nothing more until it starts anew */
    unsigned batch;        /* how many packets to expect at once */
    unsigned big;          /* so many packets long, large ones are expected */
    KilnVhostNet kernel;   /* for vhost-net */
} NetPair;

struct VirtioNet {
    KilnVirtioDevice base;
    KilnNetdev *netdev; /* (owned) */
    KilnVhost **vhosts; /* (owned) (nullable): peers, in the order of the queues */
    unsigned n_vhosts;
    gboolean vhost_user;
    unsigned n_handed;       /* of @vhosts: the first ones have their queues */
    KilnEvent changed;       /* who carries the packets may have to change */
    GSource *changed_source; /* (owned) (nullable): from start to stop */
    unsigned n_pairs;
    NetPair *pairs; /* (owned) */

    /* Of the I/O side; saved. */
    KilnNetFilter filter;
    uint16_t n_active;       /* pairs that the driver uses */
    uint64_t guest_offloads; /* feature bits that are on, of CTRL_GUEST_OFFLOADS */
    bool offloads_chosen;    /* by the driver, with the command */

    /* Of the register side, under the device's lock; saved. */
    bool announce;

    /* As negotiated, from start to stop. */
    gboolean mergeable;
    gboolean keep_flags; /* GUEST_CSUM: header flags mean something to the driver */
    unsigned control_queue;
    KilnRatelimit limit;
};

/* virtio-net-receive.c, -send.c: in the I/O thread. */
void kiln_virtio_net_receive(NetPair *pair);
void kiln_virtio_net_send(NetPair *pair);

/* Gives back what the pair holds of its receive queue: it is stopped. */
void kiln_virtio_net_release(NetPair *pair);
void kiln_virtio_net_pair_clear(NetPair *pair);

/* Has a queue looked at again, after others had their turn. */
void kiln_virtio_net_again(VirtioNet *net, const KilnVirtqueue *queue);

/* virtio-net-control.c */
void kiln_virtio_net_control(VirtioNet *net);

/* virtio-net.c: for the control queue. */
void kiln_virtio_net_set_active(VirtioNet *net, uint16_t n_pairs);
void kiln_virtio_net_apply_offloads(VirtioNet *net);
uint64_t kiln_virtio_net_offload_features(const VirtioNet *net);

#endif
