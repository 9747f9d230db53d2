/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PCI Express capability: what every function of a PCI Express board has (PCI Express Base 5.0
 * §7.5.3). */
#ifndef KILN_BUS_PCI_EXPRESS_H
#define KILN_BUS_PCI_EXPRESS_H

#include "bus/pci.h"

/**
 * kiln_pci_device_add_express:
 * @type: PCI_EXP_TYPE_ENDPOINT behind a root port, PCI_EXP_TYPE_RC_END on the root bus,
 *   PCI_EXP_TYPE_ROOT_PORT
 *
 * Adds the capability, version 2, with what is common to all: error reporting bits that can be set,
 * and, of all but integrated endpoints, a link that is up.  At set-up.
 *
 * Returns: its offset in the configuration space.
 */
uint8_t kiln_pci_device_add_express(KilnPciDevice *pci, uint8_t type);

#endif
