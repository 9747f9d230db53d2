/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MSI of a PCI function with one message (PCI Local Bus 3.0 §6.8.1): its capability, and an eventfd
 * that is connected to the message while the guest has it enabled.  For many vectors: bus/msix.h.
 */
#ifndef KILN_BUS_MSI_VECTOR_H
#define KILN_BUS_MSI_VECTOR_H

#include "bus/msi.h"
#include "bus/pci.h"

/* Embedded in the function's struct; its registers are in the configuration space, and saved with
 * it. */
typedef struct {
    KilnPciDevice *pci; /* (not owned) (nullable): NULL before kiln_msi_vector_init() */
    KilnMsi msi;        /* of the host, once it was needed */
    KilnMsiWire wire;   /* (owned) descriptor */
    uint8_t capability; /* where in the configuration space */
} KilnMsiVector;

/**
 * kiln_msi_vector_init:
 * @pci: set up, on no bus yet
 *
 * Adds the capability.  The function's config_written and reset ops, and its post_load, must call
 * kiln_msi_vector_update().
 *
 * Returns: FALSE with @error set if the host has no eventfds left.
 */
gboolean kiln_msi_vector_init(KilnMsiVector *vector, KilnPciDevice *pci, GError **error);

/* After the function is off its bus; also of one that was never initialised. */
void kiln_msi_vector_clear(KilnMsiVector *vector);

/* Connects or disconnects as the configuration space says now.  Lock held. */
void kiln_msi_vector_update(KilnMsiVector *vector);

/* Whether the guest wants messages, and so no interrupts by the pin.  Lock held. */
gboolean kiln_msi_vector_enabled(const KilnMsiVector *vector);

/* Interrupts, if enabled.  Lock held. */
void kiln_msi_vector_notify(KilnMsiVector *vector);

#endif
