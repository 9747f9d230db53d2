/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The requests of a virtio disk: its queues' pools of them, and the way of each.  For virtio-blk.c
 * alone; all in the thread of the device's context, where nothing says otherwise.
 *
 * A request is free, under way (in the chain, possibly for the next of its segments), or kept: it
 * failed, the policy says STOP, and it waits for the machine to go on.
 */
#ifndef KILN_DEVICE_VIRTIO_BLK_REQUEST_H
#define KILN_DEVICE_VIRTIO_BLK_REQUEST_H

#include "device/virtio-blk.h"

#include <linux/virtio_blk.h>

enum {
    BLK_SECTOR_BITS = 9,   /* the unit of the protocol, whatever the logical block (§5.2.6) */
    BLK_MAX_SEGMENTS = 16, /* of a discard or write zeroes request */
    BLK_MAX_SEGMENT_SECTORS = (1 << 22) - 8, /* of one of them: 2 GiB less 4 KiB */
};

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkQueue BlkQueue;
typedef struct BlkRequest BlkRequest;

struct BlkRequest {
    KilnBlockRequest block;
    BlkQueue *queue;
    BlkRequest *next; /* (nullable): among the free ones, or the kept ones */
    KilnVirtqElement element;
    uint8_t *status;                /* in guest memory */
    KilnVirtioBlkCounter *counter;  /* of its kind */
    struct iovec *cut, uncut;       /* (nullable): a buffer that was cut, and as it was */
    uint64_t number;                /* in the order of all pops */
    uint64_t start_ns;              /* when it was popped */
    uint64_t bytes;                 /* for statistics */
    uint32_t written;               /* bytes that go into the used ring if it succeeds */
    unsigned n_segments, i_segment; /* discard, write zeroes */
    struct virtio_blk_discard_write_zeroes segments[BLK_MAX_SEGMENTS];
    /* then the layers' scratch, then the iovec array */
};

struct BlkQueue {
    VirtioBlk *blk;
    KilnVirtqueue *virtqueue;
    unsigned index;
    uint8_t *pool;     /* (owned): @n_requests of @stride bytes, each touched when first needed */
    size_t stride;     /* bytes */
    size_t iov_offset; /* bytes into a request */
    uint16_t max_iov;
    unsigned n_requests;
    unsigned n_touched;  /* of the pool, from its begin */
    BlkRequest *free;    /* (nullable): last in, first out: the warmest is next */
    BlkRequest *kept;    /* (nullable): in the order of their pops */
    unsigned in_flight;  /* under way in the chain */
    gboolean processing; /* popping: what completes meanwhile is flushed at its end */
    gboolean unflushed;  /* pushed since the last flush */
    gboolean starved;    /* the driver has more under way than its ring has room for */
    gboolean stopping;   /* this queue is being reset */
};

struct VirtioBlk {
    KilnVirtioDevice virtio;
    KilnBlock *chain;           /* (owned) */
    KilnUring *uring;           /* (not owned) (nullable): that looks into the queues */
    gboolean looking;           /* it does, so the driver need not kick */
    uint64_t sectors;           /* (atomic) */
    uint32_t sector_mask;       /* sectors of a logical block, less one */
    gboolean read_only;         /* RO is offered */
    gboolean discard;           /* DISCARD is offered */
    gboolean write_zeroes;      /* WRITE_ZEROES is offered */
    gboolean may_unmap;         /* zeroes may give space back */
    gboolean initial_cache;     /* whether the driver starts with a write cache */
    uint8_t wce;                /* (atomic): the register; whether there is a write cache … */
    gboolean cache_by_register; /* … if the driver negotiated CONFIG_WCE, else … */
    gboolean cache_by_feature;  /* … whether there is one all the time */
    char serial[VIRTIO_BLK_ID_BYTES];
    KilnIoErrorPolicy read_policy, write_policy;
    KilnIoErrorFunc io_error; /* (nullable) */
    void *opaque;
    KilnVirtioBlkStatistics statistics; /* each member (atomic), one writer */
    BlkQueue *queues;                   /* (owned): virtio.n_queues */
    GSource *turn;                      /* (owned) (nullable): while started; see virtio-blk.c */
    unsigned in_flight;                 /* of all queues */
    gboolean unflushed;                 /* any queue is, or was */
    gboolean stopping;
    uint64_t n_popped;
    uint64_t now_ns; /* of the batch that is being popped */
};

void blk_queue_init(BlkQueue *queue, VirtioBlk *blk, unsigned index);
void blk_queue_clear(BlkQueue *queue);

/* Pops all there is and submits it. */
void blk_queue_process(BlkQueue *queue);

/* Lets the driver see what is done. */
void blk_queue_flush(BlkQueue *queue);

/* Gives the kept requests back to the virtqueue, which pops them again when it goes on. */
void blk_queue_return_kept(BlkQueue *queue);

/* A request of @queue is done: virtio-blk.c looks whether a stop is complete with that. */
void blk_request_done(BlkQueue *queue);

#endif
