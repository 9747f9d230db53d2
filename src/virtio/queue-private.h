/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What split.c, packed.c and queue.c share, and what device.c does with a queue. */
#ifndef KILN_VIRTIO_QUEUE_PRIVATE_H
#define KILN_VIRTIO_QUEUE_PRIVATE_H

#include <linux/virtio_ring.h>

#include "virtio/transport.h"

/*
 * Members from @started on are the I/O side's while it runs.  Sizes, slots and indexes are checked
 * when they are set, so that no index into a ring needs a check of its own.
 */
struct KilnVirtqueue {
    KilnVirtqueueRegs regs;
    uint16_t max_size;  /* what is offered; constant */
    uint16_t index;     /* of the queue in its device; constant */
    KilnMemory *memory; /* constant */
    int call_fd;        /* (atomic): eventfd that interrupts; KILN_VIRTIO_CALL_… if negative */
    void (*call)(void *opaque, unsigned index); /* for KILN_VIRTIO_CALL_TRANSPORT */
    void *call_opaque;

    bool started;
    bool broken;    /* pop gives nothing more */
    bool reported;  /* -EPROTO was returned */
    bool packed;    /* negotiated, as of the start */
    bool event_idx; /* same */
    bool indirect;  /* same */
    bool notify;    /* kicks are wanted */
    bool armed;     /* the driver was told to kick for what comes at @avail (event index) */
    uint16_t size;  /* descriptors */
    uint16_t mask;  /* of a split ring: @size - 1 */
    union {
        struct vring_desc *desc;
        struct vring_packed_desc *packed_desc;
    };
    union {
        struct vring_avail *avail_ring;
        struct vring_packed_desc_event *driver_event;
    };
    union {
        struct vring_used *used_ring;
        struct vring_packed_desc_event *device_event;
    };

    /* Split: free-running indexes.  Packed: slots below @size, with their wrap counters. */
    uint16_t avail;      /* the next one to be popped */
    uint16_t used;       /* the next one to be written */
    uint16_t avail_seen; /* split: the driver's index when last read */
    bool avail_wrap;
    bool used_wrap;
    bool interrupt_next;  /* whatever the driver's event index says: that may be of another time */
    uint16_t unflushed;   /* used ones (packed: slots) that the driver cannot see yet */
    uint16_t first_slot;  /* packed: of the unflushed ones */
    uint16_t first_flags; /* packed: its flags, which are written last */

    uint32_t in_flight;    /* elements */
    uint32_t slots_popped; /* packed: their descriptors, with those of kept ones */

    /* Elements that are to be popped again, as records; see keep.c. */
    uint8_t *kept; /* (owned) (nullable) */
    uint32_t kept_length;
    uint32_t kept_room;
    uint32_t kept_read; /* bytes of it that were popped */
    uint32_t kept_new;  /* bytes from there on that were kept since */
    uint32_t n_kept;    /* records that were not popped */

    KilnMemoryRegion last; /* the region that the last buffer was in; size 0 is none */
};

/* What was negotiated and matters to a ring. */
typedef struct {
    bool packed;
    bool event_idx;
    bool indirect;
} KilnVirtqueueMode;

/* -- queue.c, for device.c --------------------------------------------------------------------- */

/**
 * kiln_virtqueue_new:
 * @memory: lives as long as the queue
 *
 * Returns: (transfer full): a queue that is not started, reset.
 */
KilnVirtqueue *kiln_virtqueue_new(KilnMemory *memory, unsigned index, uint16_t max_size);
void kiln_virtqueue_free(KilnVirtqueue *queue);

/* Registers as after power-on; the register side's half of a reset. */
void kiln_virtqueue_reset_regs(KilnVirtqueue *queue);

/* Indexes, wrap counters and kept elements as after power-on; the queue is not started. */
void kiln_virtqueue_reset(KilnVirtqueue *queue);

/**
 * kiln_virtqueue_start:
 * @regs: a copy, enabled
 *
 * Maps the rings and goes on from where the queue stands.
 *
 * Returns: FALSE with @error set: a part is misaligned or not in RAM, or the size is impossible.
 */
gboolean kiln_virtqueue_start(KilnVirtqueue *queue, const KilnVirtqueueRegs *regs,
                              const KilnVirtqueueMode *mode, GError **error);

/* Flushes, and forgets the addresses.  Where the queue stands is kept. */
void kiln_virtqueue_stop(KilnVirtqueue *queue);

/* As kiln_virtio_device_interrupt(). */
void kiln_virtqueue_interrupt(KilnVirtqueue *queue);

/* -- between the files of the queue ------------------------------------------------------------ */

/* Breaks the queue.  Returns: what pop returns, -EPROTO the first time. */
int kiln_virtqueue_break(KilnVirtqueue *queue);

/* One descriptor, copied from guest memory. */
typedef struct {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next; /* or buffer id */
} KilnVirtqDescriptor;

/* Adds a buffer of the guest to @element.  Returns: FALSE if it may not be there. */
gboolean kiln_virtqueue_add_buffer(KilnVirtqueue *queue, KilnVirtqElement *element,
                                   const KilnVirtqDescriptor *descriptor);

/* An indirect table of @length bytes (virtio 1.2 §2.7.5.3), or NULL if it may not be that. */
const void *kiln_virtqueue_indirect_table(KilnVirtqueue *queue, uint64_t address, uint32_t length);

/* The host address of @length bytes if they are in one region; *@piece is how many there are. */
void *kiln_virtqueue_translate(KilnVirtqueue *queue, KilnGpa gpa, uint32_t length, uint32_t *piece);

/* Pops the first of the kept elements, of which there are some. */
int kiln_virtqueue_pop_kept(KilnVirtqueue *queue, KilnVirtqElement *element);

/* Forgets the records that were popped: nothing is in flight that could be unpopped. */
void kiln_virtqueue_compact_kept(KilnVirtqueue *queue);

/* The element that the driver was asked about is in the past (virtio 1.2 §2.7.7.2). */
static inline bool
kiln_virtqueue_need_event(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* split.c: what queue.c does in a split ring. */
int kiln_virtqueue_split_pop(KilnVirtqueue *queue, KilnVirtqElement *element);
void kiln_virtqueue_split_push(KilnVirtqueue *queue, uint16_t id, uint32_t written);
bool kiln_virtqueue_split_publish(KilnVirtqueue *queue); /* whether the driver wants to know */
bool kiln_virtqueue_split_has_work(const KilnVirtqueue *queue);
void kiln_virtqueue_split_notify(KilnVirtqueue *queue, bool wanted);
void kiln_virtqueue_split_arm(KilnVirtqueue *queue); /* kick for what comes next: a full barrier */
void kiln_virtqueue_split_disarm(KilnVirtqueue *queue); /* nor for that */

/* packed.c: the same. */
int kiln_virtqueue_packed_pop(KilnVirtqueue *queue, KilnVirtqElement *element);
void kiln_virtqueue_packed_push(KilnVirtqueue *queue, const KilnVirtqElement *element,
                                uint32_t written);
bool kiln_virtqueue_packed_publish(KilnVirtqueue *queue);
bool kiln_virtqueue_packed_has_work(const KilnVirtqueue *queue);
void kiln_virtqueue_packed_notify(KilnVirtqueue *queue, bool wanted);
void kiln_virtqueue_packed_arm(KilnVirtqueue *queue);
void kiln_virtqueue_packed_unpop(KilnVirtqueue *queue, uint16_t n_slots);

#endif
