/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See rings.h. */
#include "tests/virtio/rings.h"

#include <sys/eventfd.h>
#include <unistd.h>

void
rings_init(Rings *rings, uint16_t size, KilnVirtqueueMode mode)
{
    g_autoptr(GError) error = NULL;

    rings->memory = kiln_memory_new_plain(RINGS_MEMORY);
    rings->queue = kiln_virtqueue_new(rings->memory, 0, KILN_VIRTQUEUE_MAX_SIZE);
    rings->regs = (KilnVirtqueueRegs){ .size = size,
                                       .enabled = true,
                                       .desc = RINGS_DESC,
                                       .driver = RINGS_DRIVER,
                                       .device = RINGS_DEVICE };
    rings->queue->regs = rings->regs;
    rings->mode = mode;
    rings->desc = kiln_memory_map(rings->memory, RINGS_DESC, 16U * size);
    rings->packed = (void *)rings->desc;
    rings->avail = kiln_memory_map(rings->memory, RINGS_DRIVER, 6 + 2U * size);
    rings->driver_event = (void *)rings->avail;
    rings->used = kiln_memory_map(rings->memory, RINGS_DEVICE, 6 + 8U * size);
    rings->device_event = (void *)rings->used;
    rings->next = 0;
    rings->wrap = true;
    rings->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rings->queue->call_fd = rings->call_fd;
    rings->element = (KilnVirtqElement){ .iov = rings->iov, .max_iov = RINGS_MAX_IOV };
    if (!kiln_virtqueue_start(rings->queue, &rings->regs, &mode, &error))
        g_error("%s", error->message);
}

void
rings_clear(Rings *rings)
{
    kiln_virtqueue_free(rings->queue);
    kiln_memory_free(rings->memory);
    kiln_fd_clear(&rings->call_fd);
}

void
rings_desc(Rings *rings, unsigned index, KilnGpa addr, uint32_t len, uint16_t flags, uint16_t next)
{
    rings->desc[index] =
        (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

void
rings_avail(Rings *rings, uint16_t head)
{
    rings->avail->ring[rings->avail->idx % rings->regs.size] = head;
    rings->avail->idx++;
}

void
rings_packed(Rings *rings, KilnGpa addr, uint32_t len, uint16_t id, uint16_t flags)
{
    flags |= (uint16_t)(1 << (rings->wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED));
    rings->packed[rings->next] =
        (struct vring_packed_desc){ .addr = addr, .len = len, .id = id, .flags = flags };
    if (++rings->next == rings->regs.size) {
        rings->next = 0;
        rings->wrap = !rings->wrap;
    }
}

void
rings_table(Rings *rings, unsigned index, KilnGpa addr, uint32_t len, uint16_t flags, uint16_t next)
{
    void *at = kiln_memory_map(rings->memory, RINGS_TABLE + 16 * (uint64_t)index, 16);

    if (rings->mode.packed)
        *(struct vring_packed_desc *)at =
            (struct vring_packed_desc){ .addr = addr, .len = len, .flags = flags };
    else
        *(struct vring_desc *)at =
            (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

int
rings_pop(Rings *rings)
{
    return kiln_virtqueue_pop(rings->queue, &rings->element);
}

unsigned
rings_interrupts(Rings *rings)
{
    eventfd_t count;

    return eventfd_read(rings->call_fd, &count) == 0 ? (unsigned)count : 0;
}
