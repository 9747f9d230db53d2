/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function of no host: plain memory behind KilnVfioOps.  Like many NVMe disks it has one 64-bit
 * BAR with registers, the MSI-X table and the pending bits, and ports in another.
 */
#ifndef KILN_TEST_FAKE_VFIO_H
#define KILN_TEST_FAKE_VFIO_H

#include "bus/slots.h"
#include "vfio/device.h"

enum {
    FAKE_VFIO_BAR_BYTES = 0x8000,
    FAKE_VFIO_TABLE = 0x2800, /* in the middle of a page, which is trapped whole */
    FAKE_VFIO_PENDING = 0x4000,
    FAKE_VFIO_IO_BYTES = 0x20,
    FAKE_VFIO_N_VECTORS = 40,
    FAKE_VFIO_N_MSI = 4,
    FAKE_VFIO_PM = 0x40,
    FAKE_VFIO_MSI = 0x50,
    FAKE_VFIO_VPD = 0x6c,
    FAKE_VFIO_MSIX = 0x74,
    FAKE_VFIO_EXPRESS = 0x80,
    FAKE_VFIO_VENDOR = 0xc0,
    FAKE_VFIO_VENDOR_BYTES = 8,
};

typedef struct {
    uint64_t address;
    uint64_t length;
    void *host;
} FakeVfioSlot;

typedef struct {
    KilnVfioDevice base;
    uint8_t config[4096];
    uint8_t *bar; /* (owned) FAKE_VFIO_BAR_BYTES, page aligned */
    uint8_t io[FAKE_VFIO_IO_BYTES];
    int fds[FAKE_VFIO_N_VECTORS]; /* what was turned on last */
    int irqs;                     /* of which index, -1: none */
    unsigned n_irqs;
    unsigned room; /* interrupts that the host has, 0: enough */
    unsigned n_resets;
    gboolean *freed;       /* (nullable): set when it is */
    FakeVfioSlot slots[8]; /* what the guest reaches by itself; length 0: free */
    gboolean no_slots;     /* the host takes none */
} FakeVfio;

/* Returns: (transfer full): its bytes can be changed before it is given away. */
FakeVfio *fake_vfio_new(void);

/* Those that go to @slots. */
KilnSlots fake_vfio_slots(FakeVfio *fake);

/* How many bytes from @address on the guest reaches by itself; @host: (out) (nullable): where. */
uint64_t fake_vfio_reached(const FakeVfio *fake, uint64_t address, void **host);

#endif
