/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration space of a function of the host, as its guest sees it: what is copied, what the
 * guest's writes change here, and what they change in the function itself.
 */
#ifndef KILN_DEVICE_VFIO_CAPABILITIES_H
#define KILN_DEVICE_VFIO_CAPABILITIES_H

#include "bus/pci.h"

/**
 * KilnVfioLayout:
 * @passed: bytes that are read from the function each time, and whose writes go to it
 * @msi: where the capability is, 0 for none; the same below
 */
typedef struct {
    gboolean passed[PCI_CFG_SPACE_SIZE];
    uint8_t msi;
    uint8_t msix;
    uint8_t express;
} KilnVfioLayout;

/**
 * kiln_vfio_identity:
 * @config: 256 bytes or 4096, as the host reads them
 *
 * Returns: what the function is, without a pin: its line is not passed in.
 */
KilnPciIdentity kiln_vfio_identity(const uint8_t *config, gsize size);

/**
 * kiln_vfio_copy_capabilities:
 * @pci: set up with that identity; gets copies of power management, MSI, MSI-X, PCI Express,
 *   advanced features and the vendor's own, at the same offsets, and the serial number; all others
 *   are left out of the list
 * @express: it is behind a root port, else on the root bus, where it is an integrated endpoint
 */
void kiln_vfio_copy_capabilities(KilnPciDevice *pci, const uint8_t *config, gsize size,
                                 gboolean express, KilnVfioLayout *layout);

#endif
