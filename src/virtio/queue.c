/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See queue.h.  What split and packed rings have in common: starting, the buffers of an element,
 * and who is told when.
 */
#include "virtio/queue-private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/intmath.h"

KilnVirtqueue *
kiln_virtqueue_new(KilnMemory *memory, unsigned index, uint16_t max_size)
{
    KilnVirtqueue *queue = g_new0(KilnVirtqueue, 1);

    queue->memory = memory;
    queue->index = (uint16_t)index;
    queue->max_size = max_size;
    queue->call_fd = KILN_VIRTIO_CALL_NONE;
    kiln_virtqueue_reset_regs(queue);
    kiln_virtqueue_reset(queue);
    return queue;
}

void
kiln_virtqueue_free(KilnVirtqueue *queue)
{
    if (queue == NULL)
        return;
    g_free(queue->kept);
    g_free(queue);
}

void
kiln_virtqueue_reset_regs(KilnVirtqueue *queue)
{
    queue->regs = (KilnVirtqueueRegs){ .size = queue->max_size, .vector = UINT16_MAX };
}

void
kiln_virtqueue_reset(KilnVirtqueue *queue)
{
    g_assert(!queue->started);
    queue->avail = queue->used = queue->avail_seen = 0;
    queue->avail_wrap = queue->used_wrap = true; /* virtio 1.2 §2.8.1 */
    queue->interrupt_next = false;
    queue->in_flight = queue->slots_popped = 0;
    queue->kept_length = queue->kept_read = queue->kept_new = queue->n_kept = 0;
}

/* A part of the ring: aligned as virtio 1.2 §2.7 and §2.8 say, and RAM as a whole. */
static gboolean
map_part(KilnVirtqueue *queue, const char *part, KilnGpa gpa, uint64_t length, uint64_t alignment,
         void **host, GError **error)
{
    if (gpa % alignment != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "queue %u: its %s at '%#" PRIx64 "' is not aligned", queue->index,
                              part, gpa);
    *host = kiln_memory_map(queue->memory, gpa, length);
    if (*host == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "queue %u: its %s at '%#" PRIx64 "' is not in memory", queue->index,
                              part, gpa);
    return TRUE;
}

static gboolean
map_rings(KilnVirtqueue *queue, const KilnVirtqueueRegs *regs, GError **error)
{
    uint64_t n = regs->size;
    uint64_t driver = queue->packed ? sizeof(struct vring_packed_desc_event) : 6 + 2 * n;
    uint64_t device = queue->packed ? sizeof(struct vring_packed_desc_event) : 6 + 8 * n;
    void *desc, *driver_host, *device_host;

    if (!map_part(queue, "descriptor area", regs->desc, 16 * n, 16, &desc, error) ||
        !map_part(queue, "driver area", regs->driver, driver, queue->packed ? 4 : 2, &driver_host,
                  error) ||
        !map_part(queue, "device area", regs->device, device, 4, &device_host, error))
        return FALSE;
    queue->desc = desc;
    queue->avail_ring = driver_host;
    queue->used_ring = device_host;
    return TRUE;
}

static gboolean
check_size(const KilnVirtqueue *queue, const KilnVirtqueueRegs *regs, GError **error)
{
    if (regs->size == 0 || regs->size > queue->max_size ||
        (!queue->packed && !kiln_is_power_of_2(regs->size)))
        return kiln_error_set(error, KILN_ERROR_INVALID, "queue %u: it cannot have a size of %u",
                              queue->index, regs->size);
    if (queue->packed && (queue->avail >= regs->size || queue->used >= regs->size))
        return kiln_error_set(error, KILN_ERROR_INVALID, "queue %u: it stands outside of its ring",
                              queue->index);
    return TRUE;
}

gboolean
kiln_virtqueue_start(KilnVirtqueue *queue, const KilnVirtqueueRegs *regs,
                     const KilnVirtqueueMode *mode, GError **error)
{
    g_assert(!queue->started && regs->enabled);
    queue->packed = mode->packed;
    queue->event_idx = mode->event_idx;
    queue->indirect = mode->indirect;
    if (!check_size(queue, regs, error) || !map_rings(queue, regs, error))
        return FALSE;
    queue->size = regs->size;
    queue->mask = (uint16_t)(regs->size - 1);
    queue->avail_seen = queue->avail;
    queue->broken = queue->reported = false;
    queue->unflushed = 0;
    queue->in_flight = 0;
    kiln_virtqueue_compact_kept(queue);
    queue->last.size = 0;
    queue->armed = false;
    queue->started = true;
    (void)kiln_virtqueue_set_notify(queue, TRUE);
    return TRUE;
}

void
kiln_virtqueue_stop(KilnVirtqueue *queue)
{
    if (!queue->started)
        return;
    kiln_virtqueue_flush(queue);
    queue->started = false;
    queue->desc = NULL;
    queue->avail_ring = NULL;
    queue->used_ring = NULL;
}

int
kiln_virtqueue_break(KilnVirtqueue *queue)
{
    queue->broken = true;
    if (queue->reported)
        return 0;
    queue->reported = true;
    return -EPROTO;
}

/* The region that has @gpa; nearly always the one that had the last buffer. */
static bool
find_region(KilnVirtqueue *queue, KilnGpa gpa)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(queue->memory, &n);

    for (guint i = 0; i < n; i++) {
        if (gpa - regions[i].gpa < regions[i].size) {
            queue->last = regions[i];
            return true;
        }
    }
    return false;
}

void *
kiln_virtqueue_translate(KilnVirtqueue *queue, KilnGpa gpa, uint32_t length, uint32_t *piece)
{
    if (G_UNLIKELY(gpa - queue->last.gpa >= queue->last.size) && !find_region(queue, gpa))
        return NULL;

    uint64_t offset = gpa - queue->last.gpa;
    uint64_t room = queue->last.size - offset;

    *piece = room < length ? (uint32_t)room : length;
    return (uint8_t *)queue->last.host + offset;
}

const void *
kiln_virtqueue_indirect_table(KilnVirtqueue *queue, uint64_t address, uint32_t length)
{
    uint32_t piece;
    const void *table;

    if (!queue->indirect || length == 0 || length % sizeof(struct vring_desc) != 0)
        return NULL;
    table = kiln_virtqueue_translate(queue, address, length, &piece);
    return table != NULL && piece == length ? table : NULL;
}

gboolean
kiln_virtqueue_add_buffer(KilnVirtqueue *queue, KilnVirtqElement *element,
                          const KilnVirtqDescriptor *descriptor)
{
    bool writable = descriptor->flags & VRING_DESC_F_WRITE;
    uint32_t left = descriptor->len;
    KilnGpa gpa = descriptor->addr;

    /* virtio 1.2 §2.7.4.2: what the device writes comes last. */
    if (left == 0 || (!writable && element->n_in > 0) ||
        (uint64_t)element->out_bytes + element->in_bytes + left > UINT32_MAX)
        return FALSE;
    if (writable)
        element->in_bytes += left;
    else
        element->out_bytes += left;
    while (left > 0) {
        uint32_t n = (uint32_t)element->n_out + element->n_in, piece;

        if (n == element->max_iov)
            return FALSE;

        void *host = kiln_virtqueue_translate(queue, gpa, left, &piece);

        if (host == NULL)
            return FALSE;
        element->iov[n] = (struct iovec){ .iov_base = host, .iov_len = piece };
        if (writable)
            element->n_in++;
        else
            element->n_out++;
        gpa += piece;
        left -= piece;
    }
    return TRUE;
}

static inline int
pop_ring(KilnVirtqueue *queue, KilnVirtqElement *element)
{
    return queue->packed ? kiln_virtqueue_packed_pop(queue, element)
                         : kiln_virtqueue_split_pop(queue, element);
}

static inline void
arm(KilnVirtqueue *queue)
{
    if (queue->packed)
        kiln_virtqueue_packed_arm(queue);
    else
        kiln_virtqueue_split_arm(queue);
    queue->armed = true;
}

int
kiln_virtqueue_pop(KilnVirtqueue *queue, KilnVirtqElement *element)
{
    int result;

    if (G_UNLIKELY(!queue->started || queue->broken))
        return 0;
    element->n_out = element->n_in = 0;
    element->out_bytes = element->in_bytes = 0;
    element->kept = 0;
    if (G_UNLIKELY(queue->n_kept > 0)) {
        result = kiln_virtqueue_pop_kept(queue, element);
    } else {
        result = pop_ring(queue, element);
        if (result == 0 && queue->notify && queue->event_idx && !queue->armed) {
            /* The driver is told where to kick next; what it added before it knew is found now. */
            arm(queue);
            result = pop_ring(queue, element);
        }
    }
    if (result <= 0)
        return result;
    /* A driver that has more in flight than the ring has room made one available twice. */
    if (G_UNLIKELY(queue->in_flight + queue->n_kept >= queue->size))
        return kiln_virtqueue_break(queue);
    queue->in_flight++;
    queue->armed = false;
    return 1;
}

void
kiln_virtqueue_push(KilnVirtqueue *queue, const KilnVirtqElement *element, uint32_t written)
{
    g_assert(queue->in_flight > 0);
    queue->in_flight--;
    if (queue->packed)
        kiln_virtqueue_packed_push(queue, element, written);
    else
        kiln_virtqueue_split_push(queue, element->id, written);
}

void
kiln_virtqueue_unpop(KilnVirtqueue *queue, const KilnVirtqElement *element)
{
    g_assert(queue->in_flight > 0);
    queue->in_flight--;
    queue->armed = false;
    if (element->kept > 0) {
        queue->kept_read -= element->kept;
        queue->kept_new = 0;
        queue->n_kept++;
    } else if (queue->packed) {
        kiln_virtqueue_packed_unpop(queue, element->n_slots);
    } else {
        queue->avail--;
    }
}

/* One write; a count that is full is an interrupt that is pending. */
void
kiln_virtqueue_interrupt(KilnVirtqueue *queue)
{
    int fd = __atomic_load_n(&queue->call_fd, __ATOMIC_RELAXED);
    const uint64_t one = 1;

    if (G_LIKELY(fd >= 0)) {
        ssize_t written = write(fd, &one, sizeof one);

        (void)written;
    } else if (fd == KILN_VIRTIO_CALL_TRANSPORT) {
        queue->call(queue->call_opaque, queue->index);
    }
}

void
kiln_virtqueue_flush(KilnVirtqueue *queue)
{
    bool wanted;

    if (queue->unflushed == 0)
        return;
    wanted =
        queue->packed ? kiln_virtqueue_packed_publish(queue) : kiln_virtqueue_split_publish(queue);
    queue->unflushed = 0;
    if (wanted || queue->interrupt_next)
        kiln_virtqueue_interrupt(queue);
    queue->interrupt_next = false;
}

gboolean
kiln_virtqueue_has_work(const KilnVirtqueue *queue)
{
    if (!queue->started || queue->broken)
        return FALSE;
    return queue->n_kept > 0 || (queue->packed ? kiln_virtqueue_packed_has_work(queue)
                                               : kiln_virtqueue_split_has_work(queue));
}

gboolean
kiln_virtqueue_set_notify(KilnVirtqueue *queue, gboolean wanted)
{
    if (!queue->started)
        return FALSE;
    queue->notify = wanted;
    queue->armed = wanted && queue->event_idx;
    if (queue->packed)
        kiln_virtqueue_packed_notify(queue, wanted);
    else
        kiln_virtqueue_split_notify(queue, wanted);
    return wanted && kiln_virtqueue_has_work(queue);
}

void
kiln_virtqueue_suppress(KilnVirtqueue *queue)
{
    (void)kiln_virtqueue_set_notify(queue, FALSE);
    if (queue->started && queue->event_idx && !queue->packed)
        kiln_virtqueue_split_disarm(queue);
}

gboolean
kiln_virtqueue_started(const KilnVirtqueue *queue)
{
    return queue->started;
}

uint16_t
kiln_virtqueue_size(const KilnVirtqueue *queue)
{
    return queue->started ? queue->size : queue->max_size;
}

unsigned
kiln_virtqueue_index(const KilnVirtqueue *queue)
{
    return queue->index;
}

unsigned
kiln_virtqueue_in_flight(const KilnVirtqueue *queue)
{
    return queue->in_flight;
}

/* Copies between @data and @n buffers from @offset on; @to_guest says which way. */
static size_t
copy(const struct iovec *iov, unsigned n, size_t offset, void *data, size_t length, bool to_guest)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && done < length; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }

        size_t piece = MIN(iov[i].iov_len - offset, length - done);
        uint8_t *guest = (uint8_t *)iov[i].iov_base + offset;

        if (to_guest)
            memcpy(guest, (const uint8_t *)data + done, piece);
        else
            memcpy((uint8_t *)data + done, guest, piece);
        done += piece;
        offset = 0;
    }
    return done;
}

size_t
kiln_virtqueue_copy_out(const KilnVirtqElement *element, size_t offset, void *data, size_t length)
{
    return copy(element->iov, element->n_out, offset, data, length, false);
}

size_t
kiln_virtqueue_copy_in(const KilnVirtqElement *element, size_t offset, const void *data,
                       size_t length)
{
    return copy(element->iov + element->n_out, element->n_in, offset, (void *)(uintptr_t)data,
                length, true);
}
