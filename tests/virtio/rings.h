/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A virtqueue on rings that the test writes by hand, without device or transport. */
#ifndef KILN_TEST_VIRTIO_RINGS_H
#define KILN_TEST_VIRTIO_RINGS_H

#include "base/fd.h"
#include "virtio/queue-private.h"

enum {
    RINGS_MEMORY = 4 << 20,
    RINGS_DESC = 0x1000,
    RINGS_DRIVER = 0x8000,
    RINGS_DEVICE = 0xa000,
    RINGS_TABLE = 0x10000, /* an indirect table */
    RINGS_DATA = 0x100000,
    RINGS_MAX_IOV = 32,
};

typedef struct {
    KilnMemory *memory;
    KilnVirtqueue *queue;
    KilnVirtqueueRegs regs;
    KilnVirtqueueMode mode;
    struct vring_desc *desc; /* or of the packed ring */
    struct vring_packed_desc *packed;
    struct vring_avail *avail;
    struct vring_used *used;
    struct vring_packed_desc_event *driver_event;
    struct vring_packed_desc_event *device_event;
    uint16_t next; /* packed: where avail_packed() writes */
    bool wrap;
    int call_fd; /* (owned) */
    struct iovec iov[RINGS_MAX_IOV];
    KilnVirtqElement element;
} Rings;

/* A started queue over zeroed rings. */
void rings_init(Rings *rings, uint16_t size, KilnVirtqueueMode mode);
void rings_clear(Rings *rings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rings, rings_clear)

#define RINGS_SPLIT  ((KilnVirtqueueMode){ .indirect = true })
#define RINGS_EVENT  ((KilnVirtqueueMode){ .indirect = true, .event_idx = true })
#define RINGS_PACKED ((KilnVirtqueueMode){ .indirect = true, .packed = true })
#define RINGS_PACKED_EVENT                                                                         \
    ((KilnVirtqueueMode){ .indirect = true, .packed = true, .event_idx = true })

/* Split: descriptor @index, and a head made available. */
void rings_desc(Rings *rings, unsigned index, KilnGpa addr, uint32_t len, uint16_t flags,
                uint16_t next);
void rings_avail(Rings *rings, uint16_t head);

/* Packed: the next slot, available. */
void rings_packed(Rings *rings, KilnGpa addr, uint32_t len, uint16_t id, uint16_t flags);

/* One of a table at RINGS_TABLE, split or packed. */
void rings_table(Rings *rings, unsigned index, KilnGpa addr, uint32_t len, uint16_t flags,
                 uint16_t next);

/* As kiln_virtqueue_pop() into rings->element. */
int rings_pop(Rings *rings);

/* Interrupts since last asked. */
unsigned rings_interrupts(Rings *rings);

#endif
