/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a queue keeps: elements that are to be popped again (kiln_virtqueue_keep()), where it
 * stands, and both as saved state.
 *
 * A kept element is a record of guest addresses, the same for split and packed rings,
 * little-endian:
 *
 *   u16 id, u16 n_slots, u16 n_out, u16 n_in, then (u64 address, u32 length) of each buffer
 */
#include "virtio/queue-private.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"

enum {
    HEADER_BYTES = 8,
    BUFFER_BYTES = 12,
    MAX_KEPT = 16 << 20, /* bytes: 1024 elements of 1365 buffers */
};

static KilnGpa
address_of(const KilnVirtqueue *queue, const void *host)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(queue->memory, &n);

    for (guint i = 0; i < n; i++) {
        uint64_t offset = (uint64_t)((uintptr_t)host - (uintptr_t)regions[i].host);

        if (offset < regions[i].size)
            return regions[i].gpa + offset;
    }
    g_assert_not_reached(); /* the device changed the element's iov */
}

/* Room for a record, behind those that were kept since the last pop and before the others, which
 * were popped later. */
static uint8_t *
insert(KilnVirtqueue *queue, uint32_t length)
{
    uint32_t at = queue->kept_read + queue->kept_new, end = queue->kept_length + length;

    if (end > queue->kept_room) {
        queue->kept_room = MAX(2 * end, 1024);
        queue->kept = g_realloc(queue->kept, queue->kept_room);
    }
    memmove(queue->kept + at + length, queue->kept + at, queue->kept_length - at);
    queue->kept_length = end;
    queue->kept_new += length;
    return queue->kept + at;
}

void
kiln_virtqueue_keep(KilnVirtqueue *queue, const KilnVirtqElement *element)
{
    uint32_t n = (uint32_t)element->n_out + element->n_in;
    uint8_t *record;

    g_assert(queue->in_flight > 0);
    if (queue->n_kept == 0)
        queue->kept_length = queue->kept_read = queue->kept_new = 0;
    record = insert(queue, HEADER_BYTES + n * BUFFER_BYTES);
    kiln_le16_store(record, element->id);
    kiln_le16_store(record + 2, element->n_slots);
    kiln_le16_store(record + 4, element->n_out);
    kiln_le16_store(record + 6, element->n_in);
    record += HEADER_BYTES;
    for (uint32_t i = 0; i < n; i++, record += BUFFER_BYTES) {
        kiln_le64_store(record, address_of(queue, element->iov[i].iov_base));
        kiln_le32_store(record + 8, (uint32_t)element->iov[i].iov_len);
    }
    queue->in_flight--;
    queue->n_kept++;
}

int
kiln_virtqueue_pop_kept(KilnVirtqueue *queue, KilnVirtqElement *element)
{
    const uint8_t *record = queue->kept + queue->kept_read;
    uint32_t n_out = kiln_le16_load(record + 4), n = n_out + kiln_le16_load(record + 6);

    element->id = kiln_le16_load(record);
    element->n_slots = kiln_le16_load(record + 2);
    element->kept = HEADER_BYTES + n * BUFFER_BYTES;
    record += HEADER_BYTES;
    for (uint32_t i = 0; i < n; i++, record += BUFFER_BYTES) {
        KilnVirtqDescriptor descriptor = {
            .addr = kiln_le64_load(record),
            .len = kiln_le32_load(record + 8),
            .flags = i < n_out ? 0 : VRING_DESC_F_WRITE,
        };

        if (!kiln_virtqueue_add_buffer(queue, element, &descriptor))
            return kiln_virtqueue_break(queue);
    }
    queue->kept_read += element->kept;
    queue->kept_new = 0;
    queue->n_kept--;
    return 1;
}

void
kiln_virtqueue_compact_kept(KilnVirtqueue *queue)
{
    queue->kept_length = queue->n_kept > 0 ? queue->kept_length - queue->kept_read : 0;
    if (queue->kept_length > 0)
        memmove(queue->kept, queue->kept + queue->kept_read, queue->kept_length);
    queue->kept_read = queue->kept_new = 0;
}

void
kiln_virtqueue_ring(const KilnVirtqueue *queue, KilnVirtqueueRing *ring)
{
    *ring = (KilnVirtqueueRing){
        .size = queue->size,
        .desc = queue->desc,
        .driver = queue->avail_ring,
        .device = queue->used_ring,
    };
}

uint32_t
kiln_virtqueue_base(const KilnVirtqueue *queue)
{
    if (!queue->packed)
        return queue->avail;
    return queue->avail | (uint32_t)queue->avail_wrap << 15 | (uint32_t)queue->used << 16 |
           (uint32_t)queue->used_wrap << 31;
}

static void
set_split_base(KilnVirtqueue *queue, uint16_t avail)
{
    queue->avail = queue->avail_seen = avail;
    queue->used = GUINT16_FROM_LE(__atomic_load_n(&queue->used_ring->idx, __ATOMIC_SEQ_CST));
}

gboolean
kiln_virtqueue_set_base(KilnVirtqueue *queue, uint32_t base)
{
    uint16_t avail = base & 0x7fff, used = (base >> 16) & 0x7fff;

    g_assert(queue->started && queue->in_flight == 0);
    if (!queue->packed) {
        if (base > UINT16_MAX)
            return FALSE;
        set_split_base(queue, (uint16_t)base);
    } else {
        if (avail >= queue->size || used >= queue->size)
            return FALSE;
        queue->avail = avail;
        queue->avail_wrap = base >> 15 & 1;
        queue->used = used;
        queue->used_wrap = base >> 31;
    }
    queue->armed = false;
    queue->interrupt_next = true;
    return TRUE;
}

gboolean
kiln_virtqueue_recover_base(KilnVirtqueue *queue)
{
    g_assert(queue->started && queue->in_flight == 0);
    if (queue->packed)
        return FALSE;
    set_split_base(queue, 0);
    queue->avail = queue->avail_seen = queue->used;
    queue->armed = false;
    queue->interrupt_next = true;
    return TRUE;
}

/* -- state ------------------------------------------------------------------------------------- */

static void
queue_pre_save(void *object)
{
    kiln_virtqueue_compact_kept(object);
}

/* Walks the records and counts them and their slots. */
static gboolean
count_kept(KilnVirtqueue *queue)
{
    const uint8_t *record = queue->kept;
    uint32_t left = queue->kept_length, length;

    queue->n_kept = queue->slots_popped = 0;
    while (left > 0) {
        if (left < HEADER_BYTES)
            return FALSE;
        length = HEADER_BYTES +
                 BUFFER_BYTES * ((uint32_t)kiln_le16_load(record + 4) + kiln_le16_load(record + 6));
        if (left < length || kiln_le16_load(record + 2) == 0)
            return FALSE;
        queue->slots_popped += kiln_le16_load(record + 2);
        queue->n_kept++;
        record += length;
        left -= length;
    }
    return queue->n_kept <= queue->regs.size && queue->slots_popped <= queue->regs.size;
}

static gboolean
queue_post_load(void *object, GError **error)
{
    KilnVirtqueue *queue = object;

    queue->kept_room = queue->kept_length;
    queue->kept_read = queue->kept_new = 0;
    queue->in_flight = 0;
    if (!count_kept(queue)) {
        queue->n_kept = queue->slots_popped = queue->kept_length = 0;
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "queue %u: what it keeps is no list of elements", queue->index);
    }
    return TRUE;
}

/* As the driver wrote them: what a queue cannot be is found when it starts. */
static const KilnStateField regs_fields[] = {
    KILN_STATE(KilnVirtqueueRegs, size, 1),
    KILN_STATE(KilnVirtqueueRegs, enabled, 1),
    KILN_STATE(KilnVirtqueueRegs, desc, 1),
    KILN_STATE(KilnVirtqueueRegs, driver, 1),
    KILN_STATE(KilnVirtqueueRegs, device, 1),
    KILN_STATE(KilnVirtqueueRegs, vector, 1),
    KILN_STATE_END,
};

static const KilnStateDescription regs_state = {
    .name = "registers",
    .version = 1,
    .min_version = 1,
    .fields = regs_fields,
};

static const KilnStateField queue_fields[] = {
    KILN_STATE_STRUCT(KilnVirtqueue, regs, 1, &regs_state),
    KILN_STATE(KilnVirtqueue, avail, 1),
    KILN_STATE(KilnVirtqueue, used, 1),
    KILN_STATE(KilnVirtqueue, avail_wrap, 1),
    KILN_STATE(KilnVirtqueue, used_wrap, 1),
    KILN_STATE_BUFFER(KilnVirtqueue, kept, kept_length, 1, MAX_KEPT),
    KILN_STATE_END,
};

const KilnStateDescription kiln_virtqueue_state = {
    .name = "virtqueue",
    .version = 1,
    .min_version = 1,
    .fields = queue_fields,
    .pre_save = queue_pre_save,
    .post_load = queue_post_load,
};
