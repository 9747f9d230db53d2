/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MSI-X of a PCI function (PCI Local Bus 3.0 §6.8.2): its capability, the table and the pending
 * bits in a BAR.  A vector is an eventfd: whoever has it, this process, the kernel's vhost or a
 * vhost-user peer, interrupts by writing to it.  While a vector is masked its eventfd is connected
 * to nothing, so a count that piles up in it *is* the pending bit, and unmasking delivers it.
 */
#ifndef KILN_BUS_MSIX_H
#define KILN_BUS_MSIX_H

#include "bus/pci.h"

typedef struct KilnMsix KilnMsix;

enum {
    KILN_MSIX_MAX_VECTORS = 2048, /* PCI Local Bus 3.0 §6.8.2.3 */
    KILN_MSIX_NO_VECTOR = 0xffff, /* VIRTIO_MSI_NO_VECTOR too */
};

/**
 * kiln_msix_new:
 * @pci: set up, on no bus yet
 * @bar: the register that is added for the table and the pending bits
 * @n_vectors: 1 to KILN_MSIX_MAX_VECTORS
 *
 * Adds the capability.  The function's config_written and reset ops must call kiln_msix_written()
 * and kiln_msix_reset().
 *
 * Returns: (transfer full): NULL with @error set if the host has no eventfds left.
 */
KilnMsix *kiln_msix_new(KilnPciDevice *pci, unsigned bar, unsigned n_vectors, GError **error);

/**
 * kiln_msix_new_in:
 * @capability: where in the configuration space the capability is already, its table and pending
 *   bits anywhere in BARs whose ops call kiln_msix_table_read() and its kin
 *
 * For a function whose registers are laid out by somebody else: one of the host.  Else as
 * kiln_msix_new().
 */
KilnMsix *kiln_msix_new_in(KilnPciDevice *pci, unsigned capability, unsigned n_vectors,
                           GError **error);

/* 4 bytes at the aligned @offset of the table or the pending bits; beyond their end reads give 0
 * and writes are dropped.  Lock held. */
uint32_t kiln_msix_table_read(const KilnMsix *msix, uint64_t offset);
void kiln_msix_table_write(KilnMsix *msix, uint64_t offset, uint32_t value);
uint32_t kiln_msix_pending_read(const KilnMsix *msix, uint64_t offset);

/* (nullable); after the function is off its bus. */
void kiln_msix_free(KilnMsix *msix);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnMsix, kiln_msix_free)

/* The function's configuration space was written at @offset; connects or disconnects what the
 * enable and mask bits changed.  Lock held. */
void kiln_msix_written(KilnMsix *msix, unsigned offset, unsigned size);

/* As after power-on.  Lock held. */
void kiln_msix_reset(KilnMsix *msix);

/* After loading: connects what the loaded table says.  Lock held. */
void kiln_msix_update(KilnMsix *msix);

gboolean kiln_msix_enabled(const KilnMsix *msix);
unsigned kiln_msix_n_vectors(const KilnMsix *msix);

/**
 * kiln_msix_fd:
 * Returns: (transfer none): the eventfd of @vector, valid while @msix lives, or -1 if there is no
 *   such vector.  Any thread.
 */
int kiln_msix_fd(const KilnMsix *msix, unsigned vector);

/* Interrupts; a vector that is not there is ignored.  Any thread, no lock needed. */
void kiln_msix_notify(KilnMsix *msix, unsigned vector);

/* State of table and pending bits, for KILN_STATE_POINTER(…, msix, …) after the function's own
 * kiln_pci_state; the device's post_load calls kiln_msix_update(). */
extern const KilnStateDescription kiln_msix_state;

#endif
