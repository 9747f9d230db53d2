/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function's expansion ROM (PCI 3.0 §6.3): code that firmware runs, as to boot from a network.
 *
 *   image of a file -> ids made those of the function -> ROM register -> memory slot, read-only
 */
#ifndef KILN_BUS_PCI_ROM_H
#define KILN_BUS_PCI_ROM_H

#include "bus/pci.h"
#include "bus/slots.h"

enum { KILN_PCI_ROM_MAX = 16 << 20 }; /* bytes */

/**
 * kiln_pci_device_add_rom:
 * @pci: set up, on no bus, without a ROM; frees it with itself
 * @image: copied; the first code in it is given the function's vendor and device, for which
 *   firmware looks
 * @slots: so that firmware reads it without exits
 *
 * Returns: FALSE with @error set if @image is no expansion ROM, or larger than KILN_PCI_ROM_MAX.
 */
gboolean kiln_pci_device_add_rom(KilnPciDevice *pci, const uint8_t *image, gsize length,
                                 const KilnSlots *slots, GError **error);

/* What kiln_pci_device_clear() does to it. */
void kiln_pci_rom_free(KilnPciRom *rom);

#endif
