/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pci.c (the function) and pci-regs.c (its registers) share. */
#ifndef KILN_VIRTIO_PCI_PRIVATE_H
#define KILN_VIRTIO_PCI_PRIVATE_H

#include "bus/msix.h"
#include "virtio/pci.h"
#include "virtio/transport.h"

/* Where things are, as in QEMU's modern functions: firmware and people know it so. */
enum {
    KILN_VIRTIO_PCI_BAR_MSIX = 1,
    KILN_VIRTIO_PCI_BAR_SHARED = 2, /* 64-bit: takes 3 too */
    KILN_VIRTIO_PCI_BAR_REGS = 4,   /* 64-bit: takes 5 too */

    KILN_VIRTIO_PCI_COMMON = 0x0000,
    KILN_VIRTIO_PCI_ISR = 0x1000,
    KILN_VIRTIO_PCI_CONFIG = 0x2000,
    KILN_VIRTIO_PCI_NOTIFY = 0x3000,
    KILN_VIRTIO_PCI_PAGE = 0x1000, /* bytes of each of these; the last has as many as it needs */
};

/*
 * Locks, in the order in which they are taken: the function's device lock, (the space's,) @bells.
 * A BAR moves under the space's lock, in any thread, also with another function's device lock held.
 */
typedef struct {
    KilnPciDevice pci;
    KilnVirtioTransport transport;
    KilnVirtioDevice *virtio; /* (owned) */
    KilnVirtioPciOptions options;
    KilnMsix *msix;             /* (owned) */
    KilnDeviceOps ops;          /* with the device type's name */
    KilnStateDescription state; /* same */
    KilnStateField *fields;     /* (owned): same, with a row a queue */
    KilnVirtioCore *core;       /* the device's, for @fields */
    uint32_t notify_multiplier; /* bytes between queues' doorbells */
    uint8_t cfg_capability;     /* offset of the PCI configuration access capability */
    uint8_t isr;                /* (lock): virtio 1.2 §4.1.4.5 */
    uint32_t device_select;     /* (lock): which 32 feature bits */
    uint32_t driver_select;     /* (lock): same */
    uint16_t queue_select;      /* (lock) */
    uint16_t config_vector;     /* (lock) */
    KilnMutex bells;            /* guards what follows: a leaf */
    uint64_t bells_base;        /* of BAR 4: where it is decoded, or KILN_SPACE_UNMAPPED */
    uint64_t bells_added_at;    /* where the doorbells are that were added */
    gboolean bells_wanted;      /* the driver has set DRIVER_OK */
    gboolean *bells_added;      /* (owned): one a queue */
    uint64_t window_at;         /* where shared memory is guest memory */
    KilnVirtqueue *queues[];    /* n_queues of the device's, for @fields */
} KilnVirtioPci;

/* pci-regs.c: BAR 4, with the function's lock held. */
extern const KilnRegionOps kiln_virtio_pci_regs_ops;

/* The driver accesses pci_cfg_data (virtio 1.2 §4.1.4.9): what it stands for is read or written. */
void kiln_virtio_pci_cfg_read(KilnVirtioPci *function);
void kiln_virtio_pci_cfg_write(KilnVirtioPci *function);

/* pci.c: @mapped of BAR 4. */
void kiln_virtio_pci_mapped(void *opaque, uint64_t base);

/* pci.c, lock held: where the queues' interrupts go, by their vectors and MSI-X. */
void kiln_virtio_pci_update_call(KilnVirtioPci *function, unsigned queue);

#endif
