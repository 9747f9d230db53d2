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
    MAX_PHYS_BITS = 52, /* x86's architectural limit */
};

guint
kiln_machine_pci_gsi(guint slot, guint pin)
{
    return GSI_PIRQ_A +
           (slot < FIRST_SLOT_OF_ITS_OWN ? KILN_PCI_N_PINS + (slot + pin) % KILN_PCI_N_PINS : pin);
}

uint64_t
kiln_machine_ecam(const KilnMachine *machine)
{
    uint64_t base = kiln_pci_host_ecam(machine->pci);

    return base != KILN_SPACE_UNMAPPED ? base : KILN_LAYOUT_ECAM;
}

/* SeaBIOS and OVMF put 32-bit BARs anywhere between the end of low RAM and the IOAPIC but in ECAM,
 * 64-bit ones from fw_cfg's "etc/reserved-memory-end" on, or at the end of what the CPU addresses.
 */
static guint
firmware_windows(const KilnMachine *machine, KilnPciWindow windows[KILN_MACHINE_MAX_PCI_WINDOWS])
{
    uint64_t ram = kiln_memory_size(machine->memory);
    uint64_t start = kiln_layout_low_ram(ram);
    uint64_t ecam = kiln_machine_ecam(machine);
    uint64_t high = kiln_layout_pci64_start(ram, kiln_memory_modules_span(machine->memory));
    uint64_t end = UINT64_C(1) << MIN(kiln_cpuid_phys_bits(machine->cpuid), MAX_PHYS_BITS);
    guint n = 0;

    if (ecam >= start && ecam <= KILN_LAYOUT_PCI32_TOP_END - KILN_LAYOUT_ECAM_SIZE) {
        if (ecam > start)
            windows[n++] = (KilnPciWindow){ start, ecam - start };
        start = ecam + KILN_LAYOUT_ECAM_SIZE;
    }
    windows[n++] = (KilnPciWindow){ start, KILN_LAYOUT_PCI32_TOP_END - start };
    if (high < end)
        windows[n++] = (KilnPciWindow){ high, end - high };
    return n;
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

    if (kiln_machine_has_firmware(machine))
        return firmware_windows(machine, windows);
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
