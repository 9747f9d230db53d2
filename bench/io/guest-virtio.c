/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See guest-virtio.h.  Registers: virtio 1.2 §4.1.4; configuration space: PCI Local Bus 3.0 §6. */
#include "bench/io/guest-virtio.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>

enum {
    VENDOR = 0x1af4,
    FIRST_DEVICE = 0x1040,
    N_SLOTS = 32,
    AVAIL_AT = GUEST_RING_SIZE * 16,
    USED_AT = 2 * GUEST_RING_SIZE * 16,
    BARS_AT = 0xd0000000, /* of functions whose BARs nobody has placed where we can reach them */
    BAR_SIZE = 0x100000,
};

static uint32_t next_bar = BARS_AT;

static uint32_t
config_read(unsigned slot, unsigned at)
{
    guest_out32(0xcf8, 0x80000000u | slot << 11 | (at & ~3u));
    return guest_in32(0xcfc);
}

static void
config_write(unsigned slot, unsigned at, uint32_t value)
{
    guest_out32(0xcf8, 0x80000000u | slot << 11 | at);
    guest_out32(0xcfc, value);
}

static uint8_t
config_read8(unsigned slot, unsigned at)
{
    return (uint8_t)(config_read(slot, at) >> (at & 3) * 8);
}

/* The address of a memory BAR; placed here, if it has none below 4 GiB. */
static uint32_t
bar_address(unsigned slot, unsigned bar)
{
    unsigned at = PCI_BASE_ADDRESS_0 + 4 * bar;
    uint32_t low = config_read(slot, at);
    bool wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == (uint32_t)PCI_BASE_ADDRESS_MEM_TYPE_64;
    uint32_t high = wide ? config_read(slot, at + 4) : 0;

    if ((low & ~0xfu) != 0 && high == 0)
        return low & ~0xfu;
    config_write(slot, at, next_bar);
    if (wide)
        config_write(slot, at + 4, 0);
    next_bar += BAR_SIZE;
    return next_bar - BAR_SIZE;
}

static void
find_registers(GuestDevice *device, unsigned slot)
{
    unsigned at = config_read8(slot, PCI_CAPABILITY_LIST);

    for (; at != 0; at = config_read8(slot, at + 1)) {
        uint32_t head = config_read(slot, at);
        volatile uint8_t *base;

        if ((head & 0xff) != PCI_CAP_ID_VNDR)
            continue;
        if (head >> 24 != VIRTIO_PCI_CAP_COMMON_CFG && head >> 24 != VIRTIO_PCI_CAP_NOTIFY_CFG &&
            head >> 24 != VIRTIO_PCI_CAP_DEVICE_CFG)
            continue;
        base = (volatile uint8_t *)(uintptr_t)(bar_address(slot, config_read8(slot, at + 4)) +
                                               config_read(slot, at + 8));
        if (head >> 24 == VIRTIO_PCI_CAP_COMMON_CFG) {
            device->common = base;
        } else if (head >> 24 == VIRTIO_PCI_CAP_DEVICE_CFG) {
            device->config = base;
        } else {
            device->notify = base;
            device->notify_multiplier = config_read(slot, at + 16);
        }
    }
}

static volatile struct virtio_pci_common_cfg *
common(GuestDevice *device)
{
    return (volatile struct virtio_pci_common_cfg *)device->common;
}

bool
guest_device_open(GuestDevice *device, unsigned type, uint64_t features)
{
    volatile struct virtio_pci_common_cfg *registers;
    unsigned slot = 0;

    while (slot < N_SLOTS && config_read(slot, 0) != ((FIRST_DEVICE + type) << 16 | VENDOR))
        slot++;
    if (slot == N_SLOTS)
        return false;
    config_write(slot, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
    find_registers(device, slot);
    config_write(slot, PCI_COMMAND,
                 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    registers = common(device);
    registers->device_status = 0;
    while (registers->device_status != 0)
        ;
    registers->device_status = VIRTIO_CONFIG_S_ACKNOWLEDGE;
    registers->device_status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t mine;

        registers->device_feature_select = half;
        mine = registers->device_feature & (uint32_t)(features >> 32 * half);
        registers->guest_feature_select = half;
        registers->guest_feature = mine;
        device->features |= (uint64_t)mine << 32 * half;
    }
    registers->device_status =
        VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
    return (registers->device_status & VIRTIO_CONFIG_S_FEATURES_OK) != 0;
}

bool
guest_queue_open(GuestDevice *device, GuestQueue *queue, unsigned number, uint8_t *memory)
{
    volatile struct virtio_pci_common_cfg *registers = common(device);
    uintptr_t at = (uintptr_t)memory;

    registers->queue_select = (uint16_t)number;
    queue->number = (uint16_t)number;
    queue->size = registers->queue_size;
    if (queue->size > GUEST_RING_SIZE) {
        queue->size = GUEST_RING_SIZE;
        registers->queue_size = GUEST_RING_SIZE;
    }
    if (queue->size == 0)
        return false;
    queue->desc = (struct vring_desc *)at;
    queue->avail = (struct vring_avail *)(at + AVAIL_AT);
    queue->used = (struct vring_used *)(at + USED_AT);
    queue->used_event = &queue->avail->ring[queue->size];
    queue->avail_event = (const volatile uint16_t *)&queue->used->ring[queue->size];
    queue->bell = (volatile uint16_t *)(device->notify +
                                        registers->queue_notify_off * device->notify_multiplier);
    *queue->used_event = 0x8000;
    registers->queue_msix_vector = VIRTIO_MSI_NO_VECTOR;
    registers->queue_desc_lo = (uint32_t)at;
    registers->queue_desc_hi = 0;
    registers->queue_avail_lo = (uint32_t)at + AVAIL_AT;
    registers->queue_avail_hi = 0;
    registers->queue_used_lo = (uint32_t)at + USED_AT;
    registers->queue_used_hi = 0;
    registers->queue_enable = 1;
    return true;
}

void
guest_device_start(GuestDevice *device)
{
    common(device)->device_status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                                    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
}

void
guest_queue_add(GuestQueue *queue, uint16_t head)
{
    queue->avail->ring[queue->added & (queue->size - 1)] = head;
    queue->added++;
    __atomic_store_n(&queue->avail->idx, queue->added, __ATOMIC_RELEASE);
}

void
guest_queue_kick(GuestQueue *queue)
{
    uint16_t old = queue->kicked;

    if (old == queue->added)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    queue->kicked = queue->added;
    if ((uint16_t)(queue->added - *queue->avail_event - 1) < (uint16_t)(queue->added - old)) {
        *queue->bell = queue->number;
        queue->n_kicks++;
    }
}

bool
guest_queue_take(GuestQueue *queue, uint32_t *head, uint32_t *length)
{
    const struct vring_used_elem *element;

    if (__atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) == queue->seen)
        return false;
    element = &queue->used->ring[queue->seen & (queue->size - 1)];
    *head = element->id;
    *length = element->len;
    queue->seen++;
    *queue->used_event = (uint16_t)(queue->seen + 0x8000); /* half the world away: never */
    return true;
}
