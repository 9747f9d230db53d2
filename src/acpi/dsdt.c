/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DSDT (ACPI 6.5 §5.2.11.1) as byte code:
 *
 *   \_S5, \_SB { PCI0 { windows, pins, _OSC, LPC { RTC, COMs, keyboard, pvpanic } },
 *                board resources, HPET, TPM, a processor device for each vCPU }
 *
 * Of the interrupt modes only the IOAPIC's is described: a _PRT with plain GSIs.
 */
#include "acpi/dsdt.h"

#include "acpi/aml.h"
#include "acpi/resources.h"

enum {
    DSDT_REVISION = 2, /* from 2 on, integers have 64 bits: ACPI 6.5 §5.2.11.1 */
    PCI_CONFIG_PORTS = 0xcf8,
    PCI_CONFIG_PORTS_END = 0xd00,
    PCI_N_SLOTS = 32,
    PCI_N_PINS = 4,
    LPC_ADDRESS = 0x1f << 16, /* _ADR of 00:1f.0 */
    PM_BYTES = 128,
    PVPANIC_PORT = 0x505,
};

#define VGA_BASE       G_GUINT64_CONSTANT(0xa0000)
#define VGA_LENGTH     G_GUINT64_CONSTANT(0x20000)
#define ECAM_PER_BUS   G_GUINT64_CONSTANT(0x100000)
#define HPET_BASE      0xfed00000u
#define HPET_LENGTH    0x400u
#define TPM_BASE       0xfed40000u
#define TPM_TIS_LENGTH 0x5000u
#define TPM_CRB_LENGTH 0x1000u

static void
pci_windows(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_bus_window(aml, 0, (uint16_t)(options->n_buses - 1));
    kiln_aml_res_io(aml, PCI_CONFIG_PORTS, PCI_CONFIG_PORTS_END - PCI_CONFIG_PORTS);
    kiln_aml_res_io_window(aml, 0, PCI_CONFIG_PORTS);
    kiln_aml_res_io_window(aml, PCI_CONFIG_PORTS_END, 0x10000 - PCI_CONFIG_PORTS_END);
    kiln_aml_res_memory_window(aml, VGA_BASE, VGA_LENGTH, TRUE);
    for (guint i = 0; i < options->n_pci_windows; i++) {
        const KilnAcpiRange *window = &options->pci_windows[i];

        kiln_aml_res_memory_window(aml, window->base, window->length, TRUE);
    }
    kiln_aml_end(aml);
}

/* _PRT, ACPI 6.5 §6.2.13: a source of 0 makes the index a GSI. */
static void
pci_pins(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_name(aml, "_PRT");
    kiln_aml_begin_package(aml, PCI_N_SLOTS * PCI_N_PINS);
    for (guint slot = 0; slot < PCI_N_SLOTS; slot++) {
        for (guint pin = 0; pin < PCI_N_PINS; pin++) {
            kiln_aml_begin_package(aml, 4);
            kiln_aml_integer(aml, (uint64_t)slot << 16 | 0xffff);
            kiln_aml_integer(aml, pin);
            kiln_aml_integer(aml, 0);
            kiln_aml_integer(aml, options->pci_gsi[slot][pin]);
            kiln_aml_end(aml);
        }
    }
    kiln_aml_end(aml);
}

/* CDW1 |= @bits, inside _OSC. */
static void
osc_status(KilnAml *aml, uint64_t bits)
{
    kiln_aml_op(aml, KILN_AML_OR);
    kiln_aml_path(aml, "CDW1");
    kiln_aml_integer(aml, bits);
    kiln_aml_path(aml, "CDW1");
}

/* _OSC, ACPI 6.5 §6.2.11 and PCI Firmware 3.3 §4.5.1: what the operating system may drive itself.
 */
static void
pci_osc(KilnAml *aml)
{
    enum {
        CONTROL_NATIVE_HOTPLUG = 1 << 0, /* of PCI Express */
        CONTROL_NATIVE_PME = 1 << 2,
        CONTROL_AER = 1 << 3,
        CONTROL_CAPABILITY = 1 << 4, /* the PCI Express capability structure */
        CONTROL_LTR = 1 << 5,        /* latency tolerance reporting */
        CONTROL_GRANTED = CONTROL_NATIVE_HOTPLUG | CONTROL_NATIVE_PME | CONTROL_AER |
                          CONTROL_CAPABILITY | CONTROL_LTR,
        STATUS_UNKNOWN_UUID = 1 << 2,
        STATUS_UNKNOWN_REVISION = 1 << 3,
        STATUS_MASKED = 1 << 4,
    };

    kiln_aml_begin_method(aml, "_OSC", 4, TRUE);
    kiln_aml_op(aml, KILN_AML_CREATE_DWORD_FIELD);
    kiln_aml_arg(aml, 3);
    kiln_aml_integer(aml, 0);
    kiln_aml_path(aml, "CDW1");
    kiln_aml_begin_if(aml);
    kiln_aml_op(aml, KILN_AML_LEQUAL);
    kiln_aml_arg(aml, 0);
    kiln_aml_uuid(aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");

    kiln_aml_op(aml, KILN_AML_CREATE_DWORD_FIELD);
    kiln_aml_arg(aml, 3);
    kiln_aml_integer(aml, 8);
    kiln_aml_path(aml, "CDW3");
    kiln_aml_op(aml, KILN_AML_AND); /* Local0 = CDW3 & granted */
    kiln_aml_path(aml, "CDW3");
    kiln_aml_integer(aml, CONTROL_GRANTED);
    kiln_aml_local(aml, 0);

    kiln_aml_begin_if(aml);
    kiln_aml_op(aml, KILN_AML_LNOT);
    kiln_aml_op(aml, KILN_AML_LEQUAL);
    kiln_aml_arg(aml, 1);
    kiln_aml_integer(aml, 1);
    osc_status(aml, STATUS_UNKNOWN_REVISION);
    kiln_aml_end(aml);

    kiln_aml_begin_if(aml);
    kiln_aml_op(aml, KILN_AML_LNOT);
    kiln_aml_op(aml, KILN_AML_LEQUAL);
    kiln_aml_path(aml, "CDW3");
    kiln_aml_local(aml, 0);
    osc_status(aml, STATUS_MASKED);
    kiln_aml_end(aml);

    kiln_aml_op(aml, KILN_AML_STORE);
    kiln_aml_local(aml, 0);
    kiln_aml_path(aml, "CDW3");
    kiln_aml_end(aml);

    kiln_aml_begin_else(aml);
    osc_status(aml, STATUS_UNKNOWN_UUID);
    kiln_aml_end(aml);
    kiln_aml_op(aml, KILN_AML_RETURN);
    kiln_aml_arg(aml, 3);
    kiln_aml_end(aml);
}

static void
rtc(KilnAml *aml)
{
    kiln_aml_begin_device(aml, "RTC");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0B00");
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_io(aml, 0x70, 2);
    kiln_aml_res_irq(aml, 8);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

static void
com(KilnAml *aml, guint n)
{
    char name[] = "COM1";

    name[3] = (char)('1' + n);
    kiln_aml_begin_device(aml, name);
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0501");
    kiln_aml_name_integer(aml, "_UID", n + 1);
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_io(aml, kiln_acpi_com_port(n), 8);
    kiln_aml_res_irq(aml, kiln_acpi_com_irq(n));
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

static void
keyboard(KilnAml *aml)
{
    kiln_aml_begin_device(aml, "KBD");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0303");
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_io(aml, 0x60, 1);
    kiln_aml_res_io(aml, 0x64, 1);
    kiln_aml_res_irq(aml, 1);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

static void
mouse(KilnAml *aml)
{
    kiln_aml_begin_device(aml, "MOU");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0F13");
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_irq(aml, 12);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

/* QEMU 7.2 docs/specs/pvpanic.txt: read the events it knows, write those that happened. */
static void
pvpanic(KilnAml *aml)
{
    enum { STATUS_PRESENT_ENABLED_WORKING_SHOWN = 0xf }; /* ACPI 6.5 §6.3.7 */

    kiln_aml_begin_device(aml, "PEVT");
    kiln_aml_name_string(aml, "_HID", "QEMU0001");
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_io(aml, PVPANIC_PORT, 1);
    kiln_aml_end(aml);
    kiln_aml_operation_region(aml, "PEOR", KILN_AML_SYSTEM_IO, PVPANIC_PORT, 1);
    kiln_aml_begin_field(aml, "PEOR", KILN_AML_ACCESS_BYTE);
    kiln_aml_field_unit(aml, "PEPT", 8);
    kiln_aml_end(aml);
    kiln_aml_name_integer(aml, "_STA", STATUS_PRESENT_ENABLED_WORKING_SHOWN);
    kiln_aml_begin_method(aml, "RDPT", 0, FALSE);
    kiln_aml_op(aml, KILN_AML_RETURN);
    kiln_aml_path(aml, "PEPT");
    kiln_aml_end(aml);
    kiln_aml_begin_method(aml, "WRPT", 1, FALSE);
    kiln_aml_op(aml, KILN_AML_STORE);
    kiln_aml_arg(aml, 0);
    kiln_aml_path(aml, "PEPT");
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

static void
lpc(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_begin_device(aml, "LPC");
    kiln_aml_name_integer(aml, "_ADR", LPC_ADDRESS);
    if (options->rtc)
        rtc(aml);
    for (guint n = 0; n < KILN_ACPI_N_COMS; n++) {
        if (options->coms & 1u << n)
            com(aml, n);
    }
    if (options->i8042_keyboard)
        keyboard(aml);
    if (options->i8042_mouse)
        mouse(aml);
    if (options->pvpanic)
        pvpanic(aml);
    kiln_aml_end(aml);
}

static void
pci_host(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_begin_device(aml, "PCI0");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0A08");
    kiln_aml_name_eisa_id(aml, "_CID", "PNP0A03");
    kiln_aml_name_integer(aml, "_UID", 0);
    kiln_aml_name_integer(aml, "_SEG", 0);
    kiln_aml_name_integer(aml, "_BBN", 0);
    pci_windows(aml, options);
    pci_pins(aml, options);
    pci_osc(aml);
    lpc(aml, options);
    kiln_aml_end(aml);
}

/* What no driver may be given: operating systems use ECAM only if a board resource reserves it. */
static void
board_resources(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_begin_device(aml, "MRES");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0C02");
    kiln_aml_name_integer(aml, "_UID", 0);
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_memory_reserved(aml, options->ecam_base, options->n_buses * ECAM_PER_BUS);
    kiln_aml_res_io(aml, options->pm_base, PM_BYTES);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

static void
hpet(KilnAml *aml)
{
    kiln_aml_begin_device(aml, "HPET");
    kiln_aml_name_eisa_id(aml, "_HID", "PNP0103");
    kiln_aml_name_integer(aml, "_UID", 0);
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_memory32_fixed(aml, FALSE, HPET_BASE, HPET_LENGTH);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

/* TCG ACPI Specification 1.4 §8: the device of a TPM 2.0, and PNP0C31 for one of version 1.2. */
static void
tpm(KilnAml *aml, const KilnAcpiOptions *options)
{
    const gboolean crb = options->tpm == KILN_ACPI_TPM_CRB;

    kiln_aml_begin_device(aml, "TPM");
    if (options->tpm == KILN_ACPI_TPM_TIS_1_2)
        kiln_aml_name_eisa_id(aml, "_HID", "PNP0C31");
    else
        kiln_aml_name_string(aml, "_HID", "MSFT0101");
    kiln_aml_name_integer(aml, "_UID", 1);
    kiln_aml_name_integer(aml, "_STA", 0xf);
    kiln_aml_name(aml, "_CRS");
    kiln_aml_begin_resources(aml);
    kiln_aml_res_memory32_fixed(aml, TRUE, TPM_BASE, crb ? TPM_CRB_LENGTH : TPM_TIS_LENGTH);
    kiln_aml_end(aml);
    kiln_aml_end(aml);
}

/* Processor devices, ACPI 6.5 §8.4: the _UID leads to the MADT's entry. */
static void
processors(KilnAml *aml, const KilnAcpiOptions *options)
{
    for (guint i = 0; i < options->n_cpus; i++) {
        char name[5] = { 'C' };

        for (guint digit = 0; digit < 3; digit++)
            name[1 + digit] = "0123456789ABCDEF"[i >> (8 - 4 * digit) & 0xf];
        if (i >= 0x1000) /* past C000-CFFF go on with D000, then E000, … */
            name[0] = (char)('C' + i / 0x1000);
        kiln_aml_begin_device(aml, name);
        kiln_aml_name_string(aml, "_HID", "ACPI0007");
        kiln_aml_name_integer(aml, "_UID", i);
        kiln_aml_end(aml);
    }
}

/* \_S5, ACPI 6.5 §7.4.2: SLP_TYP for PM1a and PM1b, two reserved. */
static void
soft_off(KilnAml *aml, const KilnAcpiOptions *options)
{
    kiln_aml_name(aml, "\\_S5");
    kiln_aml_begin_package(aml, 4);
    kiln_aml_integer(aml, options->s5_sleep_type);
    for (guint i = 0; i < 3; i++)
        kiln_aml_integer(aml, 0);
    kiln_aml_end(aml);
}

uint32_t
kiln_acpi_add_dsdt(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    uint32_t offset = kiln_acpi_begin(blob, "DSDT", DSDT_REVISION);
    g_auto(KilnAml) aml = { 0 };

    kiln_aml_init(&aml);
    soft_off(&aml, options);
    kiln_aml_begin_scope(&aml, "\\_SB");
    pci_host(&aml, options);
    board_resources(&aml, options);
    if (options->hpet)
        hpet(&aml);
    if (options->tpm != KILN_ACPI_TPM_NONE)
        tpm(&aml, options);
    processors(&aml, options);
    kiln_aml_end(&aml);
    kiln_acpi_put_bytes(blob, kiln_aml_bytes(&aml)->data, kiln_aml_bytes(&aml)->len);
    kiln_acpi_end(blob, FALSE); /* named by FADT, not by XSDT */
    return offset;
}
