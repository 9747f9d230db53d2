/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci.h. */
#include "machine/pci.h"

#include "bus/pci-setup.h"
#include "machine/private.h"
#include "memory/layout.h"

enum {
    GSI_PIRQ_A = 16,
    FIRST_SLOT_OF_ITS_OWN = 25, /* from here on each slot has a route register, which is 1:1 */
    PORTS_FOR_BARS = 0x1000,    /* below are the board's own */
    PORTS_END = 0x10000,
};

guint
kiln_machine_pci_gsi(guint slot, guint pin)
{
    return GSI_PIRQ_A +
           (slot < FIRST_SLOT_OF_ITS_OWN ? KILN_PCI_N_PINS + (slot + pin) % KILN_PCI_N_PINS : pin);
}

guint
kiln_machine_pci_windows(const KilnMachine *machine,
                         KilnPciWindow windows[KILN_MACHINE_MAX_PCI_WINDOWS])
{
    uint64_t ram = kiln_memory_size(machine->memory);
    uint64_t modules = kiln_memory_modules_span(machine->memory);
    uint64_t start = kiln_layout_pci32_start(ram);
    uint64_t high = kiln_layout_pci64_size(ram, modules, kiln_cpuid_phys_bits(machine->cpuid));
    guint n = 0;

    windows[n++] = (KilnPciWindow){ start, KILN_LAYOUT_ECAM - start };
    windows[n++] =
        (KilnPciWindow){ KILN_LAYOUT_PCI32_TOP, KILN_LAYOUT_PCI32_TOP_END - KILN_LAYOUT_PCI32_TOP };
    if (high > 0)
        windows[n++] = (KilnPciWindow){ kiln_layout_pci64_start(ram, modules), high };
    return n;
}

gboolean
kiln_machine_setup_pci(KilnMachine *machine, GError **error)
{
    KilnPciWindow windows[KILN_MACHINE_MAX_PCI_WINDOWS] = { 0 };
    KilnPciSetupOptions options = {
        .io = { PORTS_FOR_BARS, PORTS_END - PORTS_FOR_BARS },
        .decode = TRUE,
    };

    kiln_machine_pci_windows(machine, windows);
    options.low = windows[0];
    options.high = windows[KILN_MACHINE_MAX_PCI_WINDOWS - 1];
    for (guint slot = 0; slot < KILN_PCI_N_SLOTS; slot++)
        for (guint pin = 0; pin < KILN_PCI_N_PINS; pin++)
            options.lines[slot][pin] = (uint8_t)kiln_machine_pci_gsi(slot, pin);
    return kiln_pci_setup(machine->pci, &options, error);
}
