/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's side of split (virtio 1.2 §2.7) and packed (§2.8) rings. */
#include <string.h>

#include "tests/lib/virtio-driver-private.h"

enum {
    FLAG_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
    FLAG_USED = 1 << VRING_PACKED_DESC_F_USED,
    NO_ID = 0xffff,
};

static gboolean
has(const KilnDriver *driver, unsigned feature)
{
    return (driver->features >> feature & 1) != 0;
}

static struct vring_avail *
avail_ring(const DriverQueue *queue)
{
    return (struct vring_avail *)(void *)queue->ring.driver.host;
}

static struct vring_used *
used_ring(const DriverQueue *queue)
{
    return (struct vring_used *)(void *)queue->ring.device.host;
}

static struct vring_packed_desc *
packed_ring(const DriverQueue *queue)
{
    return (struct vring_packed_desc *)(void *)queue->ring.desc.host;
}

static bool
need_event(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* -- set-up ------------------------------------------------------------------------------------ */

void
kiln_driver_queue_clear(DriverQueue *queue)
{
    g_clear_pointer(&queue->chains, g_free);
    g_clear_pointer(&queue->next, g_free);
}

void
kiln_driver_queue_init(KilnDriver *driver, unsigned index, uint16_t size)
{
    DriverQueue *queue = &driver->queues[index];
    uint16_t wanted_size = queue->wanted_size;
    gboolean packed = has(driver, VIRTIO_F_RING_PACKED);

    kiln_driver_queue_clear(queue);
    *queue = (DriverQueue){ .wanted_size = wanted_size, .packed = packed, .interrupts = TRUE };
    queue->ring.size = size;
    queue->ring.desc = kiln_driver_alloc(driver, 16U * size);
    queue->ring.driver = kiln_driver_alloc(driver, packed ? 4 : 6 + 2U * size);
    queue->ring.device = kiln_driver_alloc(driver, packed ? 4 : 6 + 8U * size);
    queue->chains = g_new0(DriverChain, size);
    queue->next = g_new0(uint16_t, size);
    for (uint16_t i = 0; i < size; i++)
        queue->next[i] = (uint16_t)(i + 1);
    queue->n_free = size;
    queue->avail_wrap = queue->used_wrap = true;
}

void
kiln_driver_queue_forget_tables(DriverQueue *queue)
{
    g_assert(queue->in_flight == 0);
    for (uint16_t i = 0; i < queue->ring.size; i++)
        queue->chains[i].table.length = 0;
}

const KilnDriverRing *
kiln_driver_ring(KilnDriver *driver, unsigned queue)
{
    return &driver->queues[queue].ring;
}

void
kiln_driver_set_indirect(KilnDriver *driver, gboolean indirect)
{
    driver->indirect = indirect;
}

unsigned
kiln_driver_in_flight(KilnDriver *driver, unsigned queue)
{
    return driver->queues[queue].in_flight;
}

/* -- adding ------------------------------------------------------------------------------------ */

typedef struct {
    const KilnDriverBuffer *out, *in;
    unsigned n_out, n;
} Buffers;

static const KilnDriverBuffer *
buffer_at(const Buffers *buffers, unsigned i)
{
    return i < buffers->n_out ? &buffers->out[i] : &buffers->in[i - buffers->n_out];
}

static uint16_t
flags_at(const Buffers *buffers, unsigned i)
{
    return i < buffers->n_out ? 0 : VRING_DESC_F_WRITE;
}

/* A table for @chain, of at least @n descriptors. */
static void
need_table(KilnDriver *driver, DriverChain *chain, unsigned n)
{
    if (chain->table.length < 16 * n)
        chain->table = kiln_driver_alloc(driver, 16 * n);
}

static void
fill_table(const DriverQueue *queue, const DriverChain *chain, const Buffers *buffers)
{
    for (unsigned i = 0; i < buffers->n; i++) {
        const KilnDriverBuffer *buffer = buffer_at(buffers, i);
        uint16_t flags = flags_at(buffers, i);

        if (queue->packed) {
            struct vring_packed_desc *desc = (void *)chain->table.host;

            desc[i] = (struct vring_packed_desc){ .addr = buffer->gpa,
                                                  .len = buffer->length,
                                                  .flags = flags };
        } else {
            struct vring_desc *desc = (void *)chain->table.host;

            if (i + 1 < buffers->n)
                flags |= VRING_DESC_F_NEXT;
            desc[i] = (struct vring_desc){ .addr = buffer->gpa,
                                           .len = buffer->length,
                                           .flags = flags,
                                           .next = (uint16_t)(i + 1) };
        }
    }
}

static int
add_split(KilnDriver *driver, DriverQueue *queue, const Buffers *buffers, gboolean indirect)
{
    struct vring_desc *desc = (void *)queue->ring.desc.host;
    uint16_t head = queue->free, at = head;
    uint16_t n = indirect ? 1 : (uint16_t)buffers->n;
    DriverChain *chain = &queue->chains[head];
    struct vring_avail *avail = avail_ring(queue);

    if (indirect) {
        need_table(driver, chain, buffers->n);
        fill_table(queue, chain, buffers);
        desc[head] = (struct vring_desc){ .addr = chain->table.gpa,
                                          .len = 16 * buffers->n,
                                          .flags = VRING_DESC_F_INDIRECT };
        at = queue->next[head];
    }
    for (unsigned i = 0; !indirect && i < buffers->n; i++) {
        const KilnDriverBuffer *buffer = buffer_at(buffers, i);
        uint16_t flags = flags_at(buffers, i) | (i + 1 < buffers->n ? VRING_DESC_F_NEXT : 0);

        desc[at] = (struct vring_desc){
            .addr = buffer->gpa, .len = buffer->length, .flags = flags, .next = queue->next[at]
        };
        at = queue->next[at];
    }
    queue->free = at;
    chain->busy = TRUE;
    chain->n_slots = n;
    queue->n_free = (uint16_t)(queue->n_free - n);
    __atomic_store_n(&avail->ring[queue->avail % queue->ring.size], head, __ATOMIC_RELAXED);
    queue->avail++;
    queue->unkicked++;
    (void)__atomic_exchange_n(&avail->idx, queue->avail, __ATOMIC_SEQ_CST);
    return head;
}

static void
advance(const DriverQueue *queue, uint16_t *slot, bool *wrap, unsigned n)
{
    unsigned next = *slot + n;

    if (next >= queue->ring.size) {
        next -= queue->ring.size;
        *wrap = !*wrap;
    }
    *slot = (uint16_t)next;
}

/* All descriptors but the first's flags, then those (virtio 1.2 §2.8.21). */
static int
add_packed(KilnDriver *driver, DriverQueue *queue, const Buffers *buffers, gboolean indirect)
{
    struct vring_packed_desc *ring = packed_ring(queue);
    uint16_t id = queue->free, first = queue->avail, first_flags = 0;
    uint16_t n = indirect ? 1 : (uint16_t)buffers->n;
    DriverChain *chain = &queue->chains[id];

    if (indirect) {
        need_table(driver, chain, buffers->n);
        fill_table(queue, chain, buffers);
    }
    for (unsigned i = 0; i < n; i++) {
        struct vring_packed_desc *desc = &ring[queue->avail];
        uint16_t flags = queue->avail_wrap ? FLAG_AVAIL : FLAG_USED;
        const KilnDriverBuffer *buffer = indirect ? &chain->table : buffer_at(buffers, i);

        flags |= indirect ? VRING_DESC_F_INDIRECT : flags_at(buffers, i);
        if (i + 1 < n)
            flags |= VRING_DESC_F_NEXT;
        desc->addr = buffer->gpa;
        desc->len = indirect ? 16 * buffers->n : buffer->length;
        desc->id = id;
        if (i == 0)
            first_flags = flags;
        else
            __atomic_store_n(&desc->flags, flags, __ATOMIC_RELAXED);
        advance(queue, &queue->avail, &queue->avail_wrap, 1);
    }
    queue->free = queue->next[id];
    chain->busy = TRUE;
    chain->n_slots = n;
    queue->n_free = (uint16_t)(queue->n_free - n);
    queue->unkicked = (uint16_t)(queue->unkicked + n);
    (void)__atomic_exchange_n(&ring[first].flags, first_flags, __ATOMIC_SEQ_CST);
    return id;
}

int
kiln_driver_add(KilnDriver *driver, unsigned index, const KilnDriverBuffer *out, unsigned n_out,
                const KilnDriverBuffer *in, unsigned n_in)
{
    DriverQueue *queue = &driver->queues[index];
    Buffers buffers = { .out = out, .in = in, .n_out = n_out, .n = n_out + n_in };
    gboolean indirect =
        driver->indirect && has(driver, VIRTIO_RING_F_INDIRECT_DESC) && buffers.n > 1;

    g_assert(buffers.n > 0 && queue->ring.size > 0);
    if ((indirect ? 1 : buffers.n) > queue->n_free)
        return -1;
    queue->in_flight++;
    return queue->packed ? add_packed(driver, queue, &buffers, indirect)
                         : add_split(driver, queue, &buffers, indirect);
}

/* -- kicking ----------------------------------------------------------------------------------- */

static bool
split_wants_kick(const KilnDriver *driver, const DriverQueue *queue)
{
    struct vring_used *used = used_ring(queue);
    uint16_t *event = (uint16_t *)(void *)&used->ring[queue->ring.size];

    if (!has(driver, VIRTIO_RING_F_EVENT_IDX))
        return !(__atomic_load_n(&used->flags, __ATOMIC_SEQ_CST) & VRING_USED_F_NO_NOTIFY);
    return need_event(__atomic_load_n(event, __ATOMIC_SEQ_CST), queue->avail,
                      (uint16_t)(queue->avail - queue->unkicked));
}

static bool
packed_wants_kick(const KilnDriver *driver, const DriverQueue *queue)
{
    uint32_t both = __atomic_load_n((uint32_t *)(void *)queue->ring.device.host, __ATOMIC_SEQ_CST);
    uint16_t off_wrap = (uint16_t)both, flags = (uint16_t)(both >> 16);
    uint16_t event = off_wrap & 0x7fff;

    if (flags != VRING_PACKED_EVENT_FLAG_DESC)
        return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
    g_assert(has(driver, VIRTIO_RING_F_EVENT_IDX));
    if (off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != queue->avail_wrap)
        event = (uint16_t)(event - queue->ring.size);
    return need_event(event, queue->avail, (uint16_t)(queue->avail - queue->unkicked));
}

void
kiln_driver_kick_always(KilnDriver *driver, unsigned index)
{
    driver->queues[index].unkicked = 0;
    kiln_board_write(driver->board, driver->queues[index].doorbell, index, 2);
}

void
kiln_driver_kick(KilnDriver *driver, unsigned index)
{
    DriverQueue *queue = &driver->queues[index];

    if (queue->unkicked == 0)
        return;
    if (queue->packed ? packed_wants_kick(driver, queue) : split_wants_kick(driver, queue)) {
        driver->n_kicks++;
        kiln_driver_kick_always(driver, index);
    }
    queue->unkicked = 0;
}

unsigned
kiln_driver_kicks(KilnDriver *driver)
{
    return driver->n_kicks;
}

/* -- taking ------------------------------------------------------------------------------------ */

static void
arm_interrupt(const KilnDriver *driver, DriverQueue *queue)
{
    bool event_idx = has(driver, VIRTIO_RING_F_EVENT_IDX);

    if (queue->packed) {
        uint32_t flags = !queue->interrupts ? VRING_PACKED_EVENT_FLAG_DISABLE
                         : event_idx        ? VRING_PACKED_EVENT_FLAG_DESC
                                            : VRING_PACKED_EVENT_FLAG_ENABLE;
        uint32_t both = flags << 16 | (uint32_t)queue->used_wrap << 15 | queue->used;

        (void)__atomic_exchange_n((uint32_t *)(void *)queue->ring.driver.host, both,
                                  __ATOMIC_SEQ_CST);
        return;
    }

    struct vring_avail *avail = avail_ring(queue);

    if (!event_idx)
        (void)__atomic_exchange_n(&avail->flags, queue->interrupts ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
                                  __ATOMIC_SEQ_CST);
    else if (queue->interrupts)
        (void)__atomic_exchange_n(&avail->ring[queue->ring.size], queue->used, __ATOMIC_SEQ_CST);
    else /* as far away as can be */
        (void)__atomic_exchange_n(&avail->ring[queue->ring.size], (uint16_t)(queue->used - 1),
                                  __ATOMIC_SEQ_CST);
}

void
kiln_driver_set_interrupts(KilnDriver *driver, unsigned index, gboolean wanted)
{
    driver->queues[index].interrupts = wanted;
    arm_interrupt(driver, &driver->queues[index]);
}

static uint16_t
take_split(DriverQueue *queue, uint32_t *length)
{
    struct vring_used *used = used_ring(queue);
    struct vring_used_elem *element = &used->ring[queue->used % queue->ring.size];
    uint16_t at;

    if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == queue->used)
        return NO_ID;
    g_assert(element->id < queue->ring.size && queue->chains[element->id].busy);
    *length = element->len;
    at = (uint16_t)element->id;
    for (unsigned i = 1; i < queue->chains[element->id].n_slots; i++)
        at = queue->next[at];
    queue->next[at] = queue->free;
    queue->free = (uint16_t)element->id;
    queue->used++;
    return (uint16_t)element->id;
}

static uint16_t
take_packed(DriverQueue *queue, uint32_t *length)
{
    struct vring_packed_desc *desc = &packed_ring(queue)[queue->used];
    uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE), id;

    if (!!(flags & FLAG_AVAIL) != queue->used_wrap || !!(flags & FLAG_USED) != queue->used_wrap)
        return NO_ID;
    id = desc->id;
    g_assert(id < queue->ring.size && queue->chains[id].busy);
    *length = desc->len;
    advance(queue, &queue->used, &queue->used_wrap, queue->chains[id].n_slots);
    queue->next[id] = queue->free;
    queue->free = id;
    return id;
}

gboolean
kiln_driver_take_used(KilnDriver *driver, unsigned index, int *id, uint32_t *length)
{
    DriverQueue *queue = &driver->queues[index];
    uint32_t written = 0;
    uint16_t which = queue->packed ? take_packed(queue, &written) : take_split(queue, &written);

    if (which == NO_ID)
        return FALSE;
    queue->chains[which].busy = FALSE;
    queue->n_free = (uint16_t)(queue->n_free + queue->chains[which].n_slots);
    queue->in_flight--;
    arm_interrupt(driver, queue);
    if (id != NULL)
        *id = which;
    if (length != NULL)
        *length = written;
    return TRUE;
}

typedef struct {
    KilnDriver *driver;
    unsigned queue;
    int *id;
    uint32_t *length;
} Take;

static gboolean
take(gpointer data)
{
    Take *take = data;

    return kiln_driver_take_used(take->driver, take->queue, take->id, take->length);
}

void
kiln_driver_wait_used(KilnDriver *driver, unsigned queue, int *id, uint32_t *length)
{
    Take arguments = { driver, queue, id, length };

    kiln_driver_run_until(driver, take, &arguments);
}

uint32_t
kiln_driver_request(KilnDriver *driver, unsigned queue, const KilnDriverBuffer *out, unsigned n_out,
                    const KilnDriverBuffer *in, unsigned n_in)
{
    uint32_t length;
    int id, used;

    id = kiln_driver_add(driver, queue, out, n_out, in, n_in);
    g_assert(id >= 0 && kiln_driver_in_flight(driver, queue) == 1);
    kiln_driver_kick(driver, queue);
    kiln_driver_wait_used(driver, queue, &used, &length);
    g_assert(used == id);
    return length;
}
