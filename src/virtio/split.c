/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Split virtqueues: virtio 1.2 §2.7.
 *
 *   pop: avail.idx (acquire) -> avail.ring -> descriptors -> element
 *   push: used.ring; publish: used.idx (exchange: release, and a full barrier before the driver's
 *   event is read, §2.7.13)
 */
#include "virtio/queue-private.h"

#include "base/le.h"
#include "virtio/descriptor.h"

/* Where the descriptors of a chain are; an indirect table takes the ring's place. */
typedef struct {
    const uint8_t *base;
    uint32_t length; /* descriptors */
    bool indirect;
} Table;

/* The event index lies behind the ring (virtio 1.2 §2.7.6, §2.7.8). */
static uint16_t *
used_event(const KilnVirtqueue *queue)
{
    return &queue->avail_ring->ring[queue->size];
}

static uint16_t *
avail_event(const KilnVirtqueue *queue)
{
    return (uint16_t *)(void *)&queue->used_ring->ring[queue->size];
}

/* virtio 1.2 §2.7.5.3: only once, at the end of a chain, and its write flag means nothing. */
static bool
enter_indirect(KilnVirtqueue *queue, Table *table, const KilnVirtqDescriptor *descriptor)
{
    if (table->indirect || (descriptor->flags & VRING_DESC_F_NEXT))
        return false;
    table->base = kiln_virtqueue_indirect_table(queue, descriptor->addr, descriptor->len);
    table->length = descriptor->len / sizeof(struct vring_desc);
    table->indirect = true;
    return table->base != NULL;
}

static bool
read_chain(KilnVirtqueue *queue, uint16_t head, KilnVirtqElement *element)
{
    Table table = { .base = (const uint8_t *)queue->desc, .length = queue->size };
    KilnVirtqDescriptor descriptor;
    uint32_t index = head, n_read = 0;

    for (;;) {
        if (index >= table.length || n_read++ >= table.length)
            return false;
        kiln_virtq_descriptor_load(table.base + index * sizeof(struct vring_desc), &descriptor);
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            if (!enter_indirect(queue, &table, &descriptor))
                return false;
            index = n_read = 0;
            continue;
        }
        if (!kiln_virtqueue_add_buffer(queue, element, &descriptor))
            return false;
        if (!(descriptor.flags & VRING_DESC_F_NEXT))
            return true;
        index = descriptor.next;
    }
}

int
kiln_virtqueue_split_pop(KilnVirtqueue *queue, KilnVirtqElement *element)
{
    if (queue->avail_seen == queue->avail) {
        queue->avail_seen =
            GUINT16_FROM_LE(__atomic_load_n(&queue->avail_ring->idx, __ATOMIC_ACQUIRE));
        if (queue->avail_seen == queue->avail)
            return 0;
        if ((uint16_t)(queue->avail_seen - queue->avail) > queue->size)
            return kiln_virtqueue_break(queue);
    }

    uint16_t *slot = &queue->avail_ring->ring[queue->avail & queue->mask];
    uint16_t head = GUINT16_FROM_LE(__atomic_load_n(slot, __ATOMIC_RELAXED));

    if (!read_chain(queue, head, element))
        return kiln_virtqueue_break(queue);
    element->id = head;
    element->n_slots = 1;
    queue->avail++;
    return 1;
}

void
kiln_virtqueue_split_push(KilnVirtqueue *queue, uint16_t id, uint32_t written)
{
    struct vring_used_elem *used = &queue->used_ring->ring[queue->used++ & queue->mask];

    used->id = GUINT32_TO_LE(id);
    used->len = GUINT32_TO_LE(written);
    queue->unflushed++;
}

bool
kiln_virtqueue_split_publish(KilnVirtqueue *queue)
{
    uint16_t before = (uint16_t)(queue->used - queue->unflushed);

    (void)__atomic_exchange_n(&queue->used_ring->idx, GUINT16_TO_LE(queue->used), __ATOMIC_SEQ_CST);
    if (!queue->event_idx) {
        uint16_t flags = __atomic_load_n(&queue->avail_ring->flags, __ATOMIC_SEQ_CST);

        return !(GUINT16_FROM_LE(flags) & VRING_AVAIL_F_NO_INTERRUPT);
    }

    uint16_t event = GUINT16_FROM_LE(__atomic_load_n(used_event(queue), __ATOMIC_SEQ_CST));

    return kiln_virtqueue_need_event(event, queue->used, before);
}

bool
kiln_virtqueue_split_has_work(const KilnVirtqueue *queue)
{
    return queue->avail_seen != queue->avail ||
           GUINT16_FROM_LE(__atomic_load_n(&queue->avail_ring->idx, __ATOMIC_SEQ_CST)) !=
               queue->avail;
}

void
kiln_virtqueue_split_arm(KilnVirtqueue *queue)
{
    (void)__atomic_exchange_n(avail_event(queue), GUINT16_TO_LE(queue->avail), __ATOMIC_SEQ_CST);
}

/* An index that the driver has passed: it comes there again after 65535 more. */
void
kiln_virtqueue_split_disarm(KilnVirtqueue *queue)
{
    __atomic_store_n(avail_event(queue), GUINT16_TO_LE((uint16_t)(queue->avail - 1)),
                     __ATOMIC_RELAXED);
}

void
kiln_virtqueue_split_notify(KilnVirtqueue *queue, bool wanted)
{
    uint16_t flags = wanted ? 0 : VRING_USED_F_NO_NOTIFY;

    /* With event indexes the flag means nothing (virtio 1.2 §2.7.10): not to arm is enough. */
    if (!queue->event_idx)
        (void)__atomic_exchange_n(&queue->used_ring->flags, GUINT16_TO_LE(flags), __ATOMIC_SEQ_CST);
    else if (wanted)
        kiln_virtqueue_split_arm(queue);
}
