/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packed virtqueues: virtio 1.2 §2.8.  One ring of descriptors, in which available ones are
 * overwritten by used ones; two flags and a wrap counter on either side tell them apart (§2.8.1).
 *
 *   pop: flags (acquire) -> chain of slots or an indirect table -> element
 *   push: descriptors of the batch; publish: the flags of its first (exchange: release, and a full
 *   barrier before the driver's event is read)
 */
#include "virtio/queue-private.h"

#include "base/le.h"
#include "virtio/descriptor.h"

enum {
    FLAG_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
    FLAG_USED = 1 << VRING_PACKED_DESC_F_USED,
    EVENT_OFFSET = (1 << VRING_PACKED_EVENT_F_WRAP_CTR) - 1,
};

static bool
is_available(const KilnVirtqueue *queue, uint16_t flags)
{
    return !!(flags & FLAG_AVAIL) == queue->avail_wrap &&
           !!(flags & FLAG_USED) != queue->avail_wrap;
}

/* The head's flags, in host order. */
static uint16_t
next_flags(const KilnVirtqueue *queue, int order)
{
    const uint16_t *flags = &queue->packed_desc[queue->avail].flags;

    /* The order must be constant for the builtin. */
    return GUINT16_FROM_LE(order == __ATOMIC_ACQUIRE ? __atomic_load_n(flags, __ATOMIC_ACQUIRE)
                                                     : __atomic_load_n(flags, __ATOMIC_SEQ_CST));
}

/* In a table all descriptors are a chain, and only the write flag counts (virtio 1.2 §2.8.7). */
static bool
read_indirect(KilnVirtqueue *queue, const KilnVirtqDescriptor *head, KilnVirtqElement *element)
{
    const uint8_t *table = kiln_virtqueue_indirect_table(queue, head->addr, head->len);
    uint32_t n = head->len / sizeof(struct vring_packed_desc);

    if (table == NULL || (head->flags & VRING_DESC_F_NEXT))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        KilnVirtqDescriptor descriptor;

        kiln_virtq_packed_load(table + i * sizeof(struct vring_packed_desc), &descriptor);
        if (!kiln_virtqueue_add_buffer(queue, element, &descriptor))
            return false;
    }
    element->id = head->next;
    element->n_slots = 1;
    return true;
}

/* The buffer id is in the last descriptor of the chain (virtio 1.2 §2.8.6). */
static bool
read_chain(KilnVirtqueue *queue, uint16_t head_flags, KilnVirtqElement *element)
{
    KilnVirtqDescriptor descriptor;
    uint16_t slot = queue->avail;

    for (uint16_t n = 1; n <= queue->size; n++) {
        kiln_virtq_packed_load((const uint8_t *)&queue->packed_desc[slot], &descriptor);
        if (n == 1)
            descriptor.flags = head_flags;
        if (descriptor.flags & VRING_DESC_F_INDIRECT)
            return n == 1 && read_indirect(queue, &descriptor, element);
        if (!kiln_virtqueue_add_buffer(queue, element, &descriptor))
            return false;
        if (!(descriptor.flags & VRING_DESC_F_NEXT)) {
            element->id = descriptor.next;
            element->n_slots = n;
            return true;
        }
        slot = (uint16_t)(slot + 1 == queue->size ? 0 : slot + 1);
    }
    return false;
}

/* Moves a slot and its wrap counter on. */
static void
advance(const KilnVirtqueue *queue, uint16_t *slot, bool *wrap, uint16_t n)
{
    uint32_t next = (uint32_t)*slot + n;

    if (next >= queue->size) {
        next -= queue->size;
        *wrap = !*wrap;
    }
    *slot = (uint16_t)next;
}

int
kiln_virtqueue_packed_pop(KilnVirtqueue *queue, KilnVirtqElement *element)
{
    uint16_t flags = next_flags(queue, __ATOMIC_ACQUIRE);

    if (!is_available(queue, flags))
        return 0;
    if (!read_chain(queue, flags, element) || queue->slots_popped + element->n_slots > queue->size)
        return kiln_virtqueue_break(queue);
    queue->slots_popped += element->n_slots;
    advance(queue, &queue->avail, &queue->avail_wrap, element->n_slots);
    return 1;
}

void
kiln_virtqueue_packed_unpop(KilnVirtqueue *queue, uint16_t n_slots)
{
    if (queue->avail < n_slots) {
        queue->avail = (uint16_t)(queue->avail + queue->size);
        queue->avail_wrap = !queue->avail_wrap;
    }
    queue->avail = (uint16_t)(queue->avail - n_slots);
    queue->slots_popped -= n_slots;
}

void
kiln_virtqueue_packed_push(KilnVirtqueue *queue, const KilnVirtqElement *element, uint32_t written)
{
    struct vring_packed_desc *desc = &queue->packed_desc[queue->used];
    uint16_t flags = queue->used_wrap ? FLAG_AVAIL | FLAG_USED : 0;

    if (element->n_in > 0)
        flags |= VRING_DESC_F_WRITE; /* the length is valid: virtio 1.2 §2.8.5 */
    desc->id = GUINT16_TO_LE(element->id);
    desc->len = GUINT32_TO_LE(written);
    if (queue->unflushed == 0) {
        queue->first_slot = queue->used;
        queue->first_flags = flags;
    } else {
        __atomic_store_n(&desc->flags, GUINT16_TO_LE(flags), __ATOMIC_RELEASE);
    }
    queue->unflushed = (uint16_t)(queue->unflushed + element->n_slots);
    queue->slots_popped -= element->n_slots;
    advance(queue, &queue->used, &queue->used_wrap, element->n_slots);
}

/* Offset and flags of the driver's event suppression, in one read (virtio 1.2 §2.8.10). */
static bool
driver_wants(const KilnVirtqueue *queue, uint16_t n_slots)
{
    uint32_t both = GUINT32_FROM_LE(
        __atomic_load_n((const uint32_t *)(const void *)queue->driver_event, __ATOMIC_SEQ_CST));
    uint16_t off_wrap = (uint16_t)both, flags = (uint16_t)(both >> 16) & 3;
    uint16_t event = off_wrap & EVENT_OFFSET;

    if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
        return false;
    if (flags != VRING_PACKED_EVENT_FLAG_DESC || !queue->event_idx)
        return true;
    /* As free-running indexes, counted from this round's slot 0. */
    if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != queue->used_wrap)
        event = (uint16_t)(event - queue->size);
    return kiln_virtqueue_need_event(event, queue->used, (uint16_t)(queue->used - n_slots));
}

bool
kiln_virtqueue_packed_publish(KilnVirtqueue *queue)
{
    uint16_t *flags = &queue->packed_desc[queue->first_slot].flags;

    (void)__atomic_exchange_n(flags, GUINT16_TO_LE(queue->first_flags), __ATOMIC_SEQ_CST);
    return driver_wants(queue, queue->unflushed);
}

bool
kiln_virtqueue_packed_has_work(const KilnVirtqueue *queue)
{
    return is_available(queue, next_flags(queue, __ATOMIC_SEQ_CST));
}

static void
write_event(KilnVirtqueue *queue, uint16_t off_wrap, uint16_t flags)
{
    uint32_t both = GUINT32_TO_LE(off_wrap | (uint32_t)flags << 16);

    (void)__atomic_exchange_n((uint32_t *)(void *)queue->device_event, both, __ATOMIC_SEQ_CST);
}

void
kiln_virtqueue_packed_arm(KilnVirtqueue *queue)
{
    uint16_t wrap = (uint16_t)(queue->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR);

    write_event(queue, queue->avail | wrap, VRING_PACKED_EVENT_FLAG_DESC);
}

void
kiln_virtqueue_packed_notify(KilnVirtqueue *queue, bool wanted)
{
    if (!wanted)
        write_event(queue, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
    else if (!queue->event_idx)
        write_event(queue, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
    else
        kiln_virtqueue_packed_arm(queue);
}
