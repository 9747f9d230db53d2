/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where functions' BARs are decoded: what their own registers ask for, if the windows of all
 * bridges above let it pass (PCI-to-PCI Bridge 1.2 §3.2.5.6 to §3.2.5.10, §4).  Used by pci.c and
 * pci-bus.c.
 *
 *   registers of a function or bridge change -> wanted places, windows -> those that changed are
 *   placed in the spaces
 *
 * All of it is under one lock of the host, which is taken after any device's lock and before those
 * of the spaces: so a bridge places BARs of functions behind it without taking their locks.
 */
#ifndef KILN_BUS_PCI_DECODE_H
#define KILN_BUS_PCI_DECODE_H

#include "bus/pci.h"

/* @pci is on a bus and its command register, BARs or windows may have changed.  Its lock held. */
void kiln_pci_decode_update(KilnPciDevice *pci);

/* Nothing of @pci is decoded any more, nor of what is behind it.  Its lock held; still on its bus.
 */
void kiln_pci_decode_remove(KilnPciDevice *pci);

#endif
