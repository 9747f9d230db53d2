/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A polled driver's half of virtio 1.2 over PCI, for a guest without an operating system: functions
 * are looked for on bus 0 by ports 0xcf8 and 0xcfc, rings are split ones with the event index, and
 * no interrupt is ever asked for.
 */
#ifndef KILN_BENCH_GUEST_VIRTIO_H
#define KILN_BENCH_GUEST_VIRTIO_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

enum { GUEST_RING_SIZE = 256 };

typedef struct {
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    volatile uint16_t *used_event;        /* ours: when to interrupt */
    const volatile uint16_t *avail_event; /* the device's: when to kick */
    volatile uint16_t *bell;
    uint16_t number;
    uint16_t size;
    uint16_t added;  /* our next avail index */
    uint16_t kicked; /* @added as the device last learnt of it */
    uint16_t seen;   /* used entries that were taken */
    uint64_t n_kicks;
} GuestQueue;

typedef struct {
    volatile uint8_t *common, *notify, *config;
    uint32_t notify_multiplier;
    uint64_t features;
} GuestDevice;

/* Ports. */
static inline void
guest_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint8_t
guest_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void
guest_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint32_t
guest_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Finds the function of modern device type @type, resets it, and takes those of @features that it
 * offers.  FALSE: there is none. */
bool guest_device_open(GuestDevice *device, unsigned type, uint64_t features);

/* Sets up queue @number in @memory (a page's alignment, 16 KiB, zeroes). */
bool guest_queue_open(GuestDevice *device, GuestQueue *queue, unsigned number, uint8_t *memory);

/* DRIVER_OK. */
void guest_device_start(GuestDevice *device);

/* Makes descriptor chain @head available. */
void guest_queue_add(GuestQueue *queue, uint16_t head);

/* Tells the device of what was added, if it wants to know. */
void guest_queue_kick(GuestQueue *queue);

/* The next chain that the device is done with; FALSE: none yet. */
bool guest_queue_take(GuestQueue *queue, uint32_t *head, uint32_t *length);

#endif
