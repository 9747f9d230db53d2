/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtqueue, split (virtio 1.2 §2.7) or packed (§2.8), as the device sees it.
 *
 *   pop (copy each descriptor once, check the copy, translate) -> the device works -> push ->
 *   flush (publish all that was pushed, interrupt if the driver wants it)
 *
 * The rings are guest memory: whatever the driver does with them, nothing here reads or writes
 * outside of guest RAM, loops without bound or trusts a value that it has not copied.  The first
 * fault breaks the queue: pop then gives nothing more, and the device is told by -EPROTO once.
 *
 * Set-up (addresses, size, features) happens while the queue is not started; all else in the one
 * thread that the device's queue runs in.  No function here allocates, blocks or takes a lock.
 */
#ifndef KILN_VIRTIO_QUEUE_H
#define KILN_VIRTIO_QUEUE_H

#include <stdint.h>
#include <sys/uio.h>

#include "memory/memory.h"
#include "state/state.h"

enum {
    KILN_VIRTQUEUE_MAX_SIZE = 1024, /* descriptors; what is offered, of the 32768 of virtio 1.2 */
};

typedef struct KilnVirtqueue KilnVirtqueue;

/**
 * KilnVirtqElement:
 *
 * One chain of buffers that the driver made available.  @iov is the device's own array (set once,
 * with @max_iov its length), filled by pop: @n_out buffers to be read, then @n_in to be written.
 * The buffers are guest memory: they change under the reader at any time.
 */
typedef struct {
    struct iovec *iov;  /* by the caller, before pop */
    uint16_t max_iov;   /* by the caller; a longer chain breaks the queue */
    uint16_t n_out;     /* driver's buffers: read by the device */
    uint16_t n_in;      /* device's buffers, after the others in @iov */
    uint16_t id;        /* head or buffer id; the queue's */
    uint16_t n_slots;   /* descriptors taken in the ring; the queue's */
    uint32_t kept;      /* bytes of its record if it had been kept; the queue's */
    uint32_t out_bytes; /* sums, at most 2^32 - 1: a longer chain breaks the queue */
    uint32_t in_bytes;
} KilnVirtqElement;

/* What kiln_virtqueue_pop() returns besides 0 (nothing there) and 1 (an element). */
/* -EPROTO: the driver broke the rules; the device is to call kiln_virtio_device_broken(). */
int kiln_virtqueue_pop(KilnVirtqueue *queue, KilnVirtqElement *element);

/**
 * kiln_virtqueue_push:
 * @element: popped and not pushed yet
 * @written: bytes that the device wrote into it, from its first device-writable byte on
 *
 * Gives the element back; the driver sees it after the next kiln_virtqueue_flush().  Elements may
 * be pushed in any order, unless VIRTIO_F_IN_ORDER was negotiated.
 */
void kiln_virtqueue_push(KilnVirtqueue *queue, const KilnVirtqElement *element, uint32_t written);

/**
 * kiln_virtqueue_flush:
 *
 * Publishes what was pushed since the last flush, as one, and interrupts the driver if it asks to
 * be (event index, virtio 1.2 §2.7.7 and §2.8.10).  Nothing is done if nothing was pushed.  Not
 * with the device lock held: the pin of a driver without MSI-X needs it.
 */
void kiln_virtqueue_flush(KilnVirtqueue *queue);

/**
 * kiln_virtqueue_unpop:
 *
 * Takes back the last pop, as if it had not been: for a device that finds that it cannot go on yet
 * (too few receive buffers for a packet).  Several in the reverse order of their pops.
 */
void kiln_virtqueue_unpop(KilnVirtqueue *queue, const KilnVirtqElement *element);

/**
 * kiln_virtqueue_keep:
 * @element: popped and not pushed, its @iov as pop filled it
 *
 * For a device that stops (quiesce) while it still owes the driver an answer: a disk whose request
 * failed and shall be tried again.  The element is in flight no more, and what pops after the next
 * start (here, or in another process that loaded the state) give first, in the order of the keeps:
 * keep elements in the order in which they were popped.  The buffers' addresses are saved, not the
 * ring's descriptors: in a packed ring those may have been overwritten (virtio 1.2 §2.8.1).
 *
 * May allocate: not for the usual way of a request.
 */
void kiln_virtqueue_keep(KilnVirtqueue *queue, const KilnVirtqElement *element);

/* Whether pop would find something; one read of guest memory. */
gboolean kiln_virtqueue_has_work(const KilnVirtqueue *queue);

/**
 * kiln_virtqueue_set_notify:
 * @wanted: whether the driver shall kick when it adds buffers
 *
 * Suppression is a hint; kicks may come all the same.
 *
 * Returns: with @wanted, whether there is work already (which came before the driver could know):
 *   then go on popping.
 */
gboolean kiln_virtqueue_set_notify(KilnVirtqueue *queue, gboolean wanted);

/* As kiln_virtqueue_set_notify(FALSE), for longer than until the next pop finds nothing: the driver
 * need not kick even for the next buffer that it adds. */
void kiln_virtqueue_suppress(KilnVirtqueue *queue);

gboolean kiln_virtqueue_started(const KilnVirtqueue *queue);
uint16_t kiln_virtqueue_size(const KilnVirtqueue *queue);
unsigned kiln_virtqueue_index(const KilnVirtqueue *queue);

/* Elements that were popped and neither pushed nor unpopped nor kept. */
unsigned kiln_virtqueue_in_flight(const KilnVirtqueue *queue);

/* Where a started queue's parts are in this process. */
typedef struct {
    uint16_t size; /* descriptors */
    void *desc;
    void *driver; /* available ring, or driver event suppression */
    void *device; /* used ring, or device event suppression */
} KilnVirtqueueRing;

/* For handing a started @queue to a vhost peer.  @ring: (out). */
void kiln_virtqueue_ring(const KilnVirtqueue *queue, KilnVirtqueueRing *ring);

/**
 * kiln_virtqueue_base:
 * Returns: where the queue stands, as VHOST_SET_VRING_BASE has it: the next available index; for a
 *   packed ring the next available slot in bits 0 to 14, its wrap counter in bit 15, and the same
 *   for used ones in bits 16 to 31.
 */
uint32_t kiln_virtqueue_base(const KilnVirtqueue *queue);

/**
 * kiln_virtqueue_set_base:
 * @base: from a peer that worked on the started queue and has stopped: hostile
 *
 * Goes on from there; nothing is in flight.  A split queue's used index is read from the ring.
 *
 * Returns: FALSE if @base is impossible, and nothing is changed.
 */
gboolean kiln_virtqueue_set_base(KilnVirtqueue *queue, uint32_t base);

/**
 * kiln_virtqueue_recover_base:
 *
 * As above when the peer has died without a word: a split queue goes on from its used index, so
 * what was in flight is done again.
 *
 * Returns: FALSE for a packed ring, which does not say where it stands.
 */
gboolean kiln_virtqueue_recover_base(KilnVirtqueue *queue);

/**
 * kiln_virtqueue_copy_out:
 * @offset: into the device-readable bytes
 *
 * Copies from the element's device-readable part.  Returns: the bytes copied, fewer than @length at
 * its end.
 */
size_t kiln_virtqueue_copy_out(const KilnVirtqElement *element, size_t offset, void *data,
                               size_t length);

/* The same into the device-writable part. */
size_t kiln_virtqueue_copy_in(const KilnVirtqElement *element, size_t offset, const void *data,
                              size_t length);

#endif
