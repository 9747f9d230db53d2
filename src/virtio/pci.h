/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PCI transport (virtio 1.2 §4.1), modern only: common, notify, ISR, device and PCI
 * configuration access structures, shared-memory regions, MSI-X with a vector a queue and one for
 * configuration; INTx for drivers that do without.
 *
 *   kick: write to the notify structure -> doorbell (ioeventfd) -> the device's I/O context
 *   interrupt: kiln_virtqueue_flush() -> eventfd of the vector (irqfd)
 */
#ifndef KILN_VIRTIO_PCI_H
#define KILN_VIRTIO_PCI_H

#include "bus/doorbell.h"
#include "bus/msi.h"
#include "bus/pci.h"
#include "virtio/device.h"

/**
 * KilnVirtioWindowOps:
 * @add: @length bytes at @host are guest memory at @address from now on.  FALSE if the machine can
 *   take no more: accesses then come to the region's ops, which is slow
 * @remove: takes that back
 *
 * For shared memory regions (virtio 1.2 §2.10).  Any thread, from KilnRegionOps.mapped.
 */
typedef struct {
    gboolean (*add)(void *opaque, uint64_t address, uint64_t length, void *host);
    void (*remove)(void *opaque, uint64_t address, uint64_t length);
} KilnVirtioWindowOps;

/**
 * KilnVirtioPciOptions:
 * @instance: tells functions of one device type apart in saved state
 * @class_code: 24 bits; 0 is what the device type usually has
 * @doorbells: where kicks are caught; all zeroes: they come as register writes
 * @window, @window_opaque: (nullable): makes shared memory guest memory
 * @n_vectors: of MSI-X; 0 is one a queue and one for configuration
 * @page_per_vq: each queue's notify address is in a page of its own
 * @express: a PCI Express function: it is behind a root port (else an integrated endpoint of the
 *   root bus)
 */
typedef struct {
    uint32_t instance;
    uint32_t class_code;
    KilnDoorbells doorbells;
    const KilnVirtioWindowOps *window;
    void *window_opaque;
    unsigned n_vectors;
    gboolean page_per_vq;
    gboolean express;
} KilnVirtioPciOptions;

/**
 * kiln_virtio_pci_new:
 * @virtio: (transfer full): set up; freed with the function, also on error
 *
 * Returns: (transfer full): a PCI function on no bus: kiln_pci_bus_add(), then it is reset, saved
 *   and freed as a KilnDevice like others.  NULL with @error set: the host has no eventfds left.
 */
KilnPciDevice *kiln_virtio_pci_new(KilnVirtioDevice *virtio, const KilnVirtioPciOptions *options,
                                   GError **error);

/* The device that a function shows.  Borrowed. */
KilnVirtioDevice *kiln_virtio_pci_device(KilnPciDevice *pci);

#endif
