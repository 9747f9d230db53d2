/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What firmware does to PCI before it starts a system, for guests that start without any: bus
 * numbers, BARs, bridge windows, interrupt lines, command registers.
 */
#ifndef KILN_BUS_PCI_SETUP_H
#define KILN_BUS_PCI_SETUP_H

#include "bus/pci-bus.h"

enum { KILN_PCI_N_SLOTS = 32 };

/**
 * KilnPciSetupOptions:
 * @io: ports that BARs may have
 * @low: below 4 GiB: all memory BARs that must be there; with no @high, all
 * @high: (nullable): above 4 GiB: 64-bit BARs, of functions behind bridges the prefetchable ones
 * @lines: what the interrupt line register of a function says whose pin (0 to 3) comes to a slot of
 *   the root bus, after the bridges' swizzle
 * @decode: functions decode their BARs, else that is left to their drivers; bridges always do
 *
 * The windows are those that the guest is told of (ACPI's _CRS).
 */
typedef struct {
    KilnPciWindow io;
    KilnPciWindow low;
    KilnPciWindow high;
    uint8_t lines[KILN_PCI_N_SLOTS][KILN_PCI_N_PINS];
    gboolean decode;
} KilnPciSetupOptions;

/**
 * kiln_pci_setup:
 *
 * Sets up all functions on @host, which have just been reset or were made.  The same functions at
 * the same places are always set up alike.  Bridges whose slot is hotplug-capable get room for what
 * may come: 2 MiB in @low and 32 MiB in @high.  Control thread; no vCPU runs.
 *
 * Returns: FALSE with @error set, naming a function, if a window is too small.
 */
gboolean kiln_pci_setup(KilnPciHost *host, const KilnPciSetupOptions *options, GError **error);

#endif
