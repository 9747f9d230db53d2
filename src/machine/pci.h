/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The board's PCI windows and pins, as tables tell of them and as functions are set up. */
#ifndef KILN_MACHINE_PCI_H
#define KILN_MACHINE_PCI_H

#include "bus/pci.h"
#include "machine/machine.h"

enum { KILN_MACHINE_MAX_PCI_WINDOWS = 3 };

/**
 * kiln_machine_pci_windows:
 * @windows: (out): memory that BARs may have: the first is below 4 GiB; one above it comes last
 *
 * Where firmware places BARs they are all that RAM, ECAM and the fixed devices leave.
 *
 * Returns: how many there are: 3, or 2 if the CPU can address nothing above RAM, and one less if
 *   nothing is left below ECAM.
 */
guint kiln_machine_pci_windows(const KilnMachine *machine,
                               KilnPciWindow windows[KILN_MACHINE_MAX_PCI_WINDOWS]);

/* Where ECAM is; where it is to be, if firmware has not put it anywhere yet.  Any thread. */
uint64_t kiln_machine_ecam(const KilnMachine *machine);

/* The GSI that a pin (0 to 3) of a slot on the root bus comes to; as device/ich9-lpc.h routes it.
 */
guint kiln_machine_pci_gsi(guint slot, guint pin);

/**
 * kiln_machine_setup_pci:
 *
 * What firmware would do to PCI, for a guest that starts without any.  All functions have just been
 * reset.
 */
gboolean kiln_machine_setup_pci(KilnMachine *machine, GError **error);

#endif
