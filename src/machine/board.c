/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Q35 board: spaces, clock, PCI with its two chipset functions, and the devices that every PC
 * has.  What the definition can choose is read in build.c and its like; here is what it cannot.
 */
#include "machine/private.h"

#include "device/hpet.h"
#include "device/i8042.h"
#include "device/ich9-lpc.h"
#include "device/mch.h"
#include "device/port92.h"
#include "device/pvpanic.h"
#include "device/rtc.h"
#include "domain/domain.h"
#include "machine/devices.h"
#include "memory/layout.h"

enum {
    ISA_IRQ_PIT = 0,
    ISA_IRQ_KEYBOARD = 1,
    ISA_IRQ_CASCADE = 2, /* nobody else has it */
    ISA_IRQ_RTC = 8,
    ISA_IRQ_AUX = 12,
    IO_PORTS = 1 << 16,
    PM_BASE = 0x600,
};

static void
set_gsi(void *opaque, unsigned gsi, gboolean level)
{
    const KilnMachine *machine = opaque;

    kiln_vm_set_irq_line(machine->vm, gsi, level);
}

KilnIrq
kiln_machine_isa_irq(KilnMachine *machine, guint irq)
{
    return kiln_irq_or_source(&machine->isa_irqs[irq]);
}

KilnDevice *
kiln_machine_add_device(KilnMachine *machine, KilnDevice *device)
{
    g_ptr_array_add(machine->devices, device);
    return device;
}

static void
power_off(void *opaque)
{
    kiln_machine_request(opaque, KILN_REQUEST_POWER_OFF);
}

static void
guest_panic(void *opaque, unsigned events)
{
    kiln_machine_request(opaque, events & KILN_PVPANIC_PANICKED ? KILN_REQUEST_PANIC
                                                                : KILN_REQUEST_CRASH_LOADED);
}

/* Takes a device or fails with its error. */
static gboolean
add(KilnMachine *machine, KilnDevice *device)
{
    return device != NULL && kiln_machine_add_device(machine, device) != NULL;
}

static gboolean
build_chipset(KilnMachine *machine, GError **error)
{
    KilnMchOptions mch = { .host = machine->pci,
                           .ecam_base = kiln_machine_has_firmware(machine) ? 0 : KILN_LAYOUT_ECAM };
    KilnIch9PmOptions pm = {
        .io = machine->io,
        .clock = machine->clock,
        .sci = kiln_machine_isa_irq(machine, KILN_MACHINE_GSI_SCI),
        .acpi_at_reset = TRUE,
        .power_off = power_off,
        .reset = kiln_machine_request_reset,
        .opaque = machine,
    };
    KilnIch9LpcOptions lpc = {
        .host = machine->pci,
        .pm_base = PM_BASE,
        .gsi = set_gsi,
        .gsi_opaque = machine,
        .reset = kiln_machine_request_reset,
        .reset_opaque = machine,
    };

    for (guint irq = 0; irq < KILN_ICH9_N_ISA_IRQS; irq++)
        lpc.isa[irq] = kiln_machine_isa_irq(machine, irq);
    machine->pm = kiln_ich9_pm_new(&pm, error);
    if (machine->pm == NULL)
        return FALSE;
    lpc.pm = machine->pm;
    return add(machine, kiln_ich9_pm_device(machine->pm)) &&
           add(machine, kiln_mch_new(&mch, error)) && add(machine, kiln_ich9_lpc_new(&lpc, error));
}

static gboolean
build_isa_devices(KilnMachine *machine, GError **error)
{
    uint64_t ram = kiln_memory_size(machine->memory);
    KilnRtcOptions rtc = {
        .io = machine->io,
        .clock = machine->clock,
        .irq = kiln_machine_isa_irq(machine, ISA_IRQ_RTC),
        .seconds = kiln_machine_time_of_day(machine),
        .memory_below_4g = kiln_layout_low_ram(ram),
        .memory_above_4g = kiln_layout_high_ram(ram),
    };
    KilnI8042Options i8042 = {
        .io = machine->io,
        .keyboard_irq = kiln_machine_isa_irq(machine, ISA_IRQ_KEYBOARD),
        .aux_irq = kiln_machine_isa_irq(machine, ISA_IRQ_AUX),
        .reset = kiln_machine_request_reset,
        .reset_opaque = machine,
    };
    KilnPort92Options port92 = {
        .io = machine->io,
        .reset = kiln_machine_request_reset,
        .reset_opaque = machine,
    };
    KilnPvpanicOptions pvpanic = { .io = machine->io, .event = guest_panic, .opaque = machine };

    if (kiln_machine_has_ps2(machine, KILN_INPUT_TYPE_KEYBOARD))
        i8042.keyboard = kiln_machine_inputs(machine);
    if (kiln_machine_has_ps2(machine, KILN_INPUT_TYPE_MOUSE))
        i8042.mouse = kiln_machine_inputs(machine);
    i8042.clock = i8042.keyboard != NULL ? machine->clock : NULL;
    machine->rtc = kiln_rtc_new(&rtc, error);
    return add(machine, machine->rtc) && add(machine, kiln_i8042_new(&i8042, error)) &&
           add(machine, kiln_port92_new(&port92, error)) &&
           (machine->domain->panics->len == 0 || add(machine, kiln_pvpanic_new(&pvpanic, error)));
}

gboolean
kiln_machine_has_hpet(const KilnMachine *machine)
{
    const KilnDomainTimer *timer = kiln_clock_timer(&machine->domain->clock, KILN_TIMER_HPET);

    return timer != NULL && timer->present == KILN_SWITCH_ON;
}

static void
hpet_legacy(void *opaque, gboolean on)
{
    const KilnMachine *machine = opaque;

    kiln_vm_set_hpet_legacy(machine->vm, on);
}

static gboolean
build_hpet(KilnMachine *machine, GError **error)
{
    KilnHpetOptions options = {
        .space = machine->mmio,
        .base = KILN_LAYOUT_HPET,
        .clock = machine->clock,
        .legacy = hpet_legacy,
        .opaque = machine,
    };

    if (!kiln_machine_has_hpet(machine))
        return TRUE;
    options.irq0 = kiln_machine_isa_irq(machine, ISA_IRQ_PIT);
    options.irq2 = kiln_machine_isa_irq(machine, ISA_IRQ_CASCADE);
    options.irq8 = kiln_machine_isa_irq(machine, ISA_IRQ_RTC);
    return add(machine, kiln_hpet_new(&options, error));
}

gboolean
kiln_machine_build_board(KilnMachine *machine, GError **error)
{
    KilnPciHostOptions pci = { 0 };

    machine->clock = kiln_clock_new(NULL, error);
    if (machine->clock == NULL)
        return FALSE;
    machine->io = kiln_space_new("I/O port", IO_PORTS);
    machine->mmio = kiln_space_new("memory", 0);
    for (guint irq = 0; irq < KILN_MACHINE_N_ISA_IRQS; irq++)
        kiln_irq_or_init(&machine->isa_irqs[irq], (KilnIrq){ set_gsi, machine, irq });
    pci.io = machine->io;
    pci.memory = machine->mmio;
    machine->msi = kiln_machine_msi_new(machine->vm);
    pci.msi = kiln_machine_msi_wires(machine->msi);
    machine->pci = kiln_pci_host_new(&pci, error);
    return machine->pci != NULL && build_chipset(machine, error) &&
           build_isa_devices(machine, error) && build_hpet(machine, error);
}
