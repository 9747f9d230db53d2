/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MADT (ACPI 6.5 §5.2.12), SRAT (ACPI 6.5 §5.2.16) and SLIT (ACPI 6.5 §5.2.17).  A processor whose
 * APIC id does not fit a byte, or is the broadcast 255, gets the x2APIC form of its entries.
 */
#include "acpi/topology.h"

enum {
    MADT_REVISION = 5,
    SRAT_REVISION = 3,
    SLIT_REVISION = 1,
    XAPIC_IDS = 255, /* ids below it fit a local APIC entry */
    IOAPIC_ID = 0,   /* as KVM's IOAPIC reads after reset */
};

#define LAPIC_BASE  0xfee00000u
#define IOAPIC_BASE 0xfec00000u

/* ACPI 6.5 table 5.21: types of MADT's structures. */
enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
    MADT_PCAT_COMPATIBLE = 1 << 0, /* the PICs are there too */
    MADT_ENABLED = 1 << 0,
    /* MPS INTI flags, ACPI 6.5 table 5.26: active high in bits 0-1, level-triggered in bits 2-3. */
    MADT_ACTIVE_HIGH_LEVEL = 1 | 3 << 2,
};

/* ACPI 6.5 table 5.56: types of SRAT's structures. */
enum {
    SRAT_LAPIC = 0,
    SRAT_MEMORY = 1,
    SRAT_X2APIC = 2,
    SRAT_ENABLED = 1 << 0,
    SRAT_HOT_PLUGGABLE = 1 << 1, /* of memory: ACPI 6.5 table 5.60 */
};

static void
madt_processor(KilnAcpiBlob *blob, uint32_t uid, uint32_t apic_id)
{
    if (apic_id < XAPIC_IDS && uid < XAPIC_IDS) {
        kiln_acpi_put8(blob, MADT_LAPIC);
        kiln_acpi_put8(blob, 8);
        kiln_acpi_put8(blob, (uint8_t)uid);
        kiln_acpi_put8(blob, (uint8_t)apic_id);
        kiln_acpi_put32(blob, MADT_ENABLED);
        return;
    }
    kiln_acpi_put8(blob, MADT_X2APIC);
    kiln_acpi_put8(blob, 16);
    kiln_acpi_put16(blob, 0);
    kiln_acpi_put32(blob, apic_id);
    kiln_acpi_put32(blob, MADT_ENABLED);
    kiln_acpi_put32(blob, uid);
}

/* Where an ISA interrupt does not arrive at the GSI of its number, edge-triggered, active high. */
static void
madt_override(KilnAcpiBlob *blob, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    kiln_acpi_put8(blob, MADT_OVERRIDE);
    kiln_acpi_put8(blob, 10);
    kiln_acpi_put8(blob, 0); /* bus: ISA */
    kiln_acpi_put8(blob, irq);
    kiln_acpi_put32(blob, gsi);
    kiln_acpi_put16(blob, flags);
}

/* LINT1 of every processor is NMI. */
static void
madt_nmi(KilnAcpiBlob *blob, gboolean x2apic)
{
    kiln_acpi_put8(blob, MADT_LAPIC_NMI);
    kiln_acpi_put8(blob, 6);
    kiln_acpi_put8(blob, UINT8_MAX);
    kiln_acpi_put16(blob, 0); /* as the bus has it */
    kiln_acpi_put8(blob, 1);
    if (!x2apic)
        return;
    kiln_acpi_put8(blob, MADT_X2APIC_NMI);
    kiln_acpi_put8(blob, 12);
    kiln_acpi_put16(blob, 0);
    kiln_acpi_put32(blob, UINT32_MAX);
    kiln_acpi_put8(blob, 1);
    kiln_acpi_put_zeroes(blob, 3);
}

void
kiln_acpi_add_madt(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    gboolean x2apic = FALSE;

    kiln_acpi_begin(blob, "APIC", MADT_REVISION);
    kiln_acpi_put32(blob, LAPIC_BASE);
    kiln_acpi_put32(blob, MADT_PCAT_COMPATIBLE);
    for (guint i = 0; i < options->n_cpus; i++) {
        madt_processor(blob, i, options->cpus[i].apic_id);
        x2apic |= options->cpus[i].apic_id >= XAPIC_IDS || i >= XAPIC_IDS;
    }
    kiln_acpi_put8(blob, MADT_IOAPIC);
    kiln_acpi_put8(blob, 12);
    kiln_acpi_put8(blob, IOAPIC_ID);
    kiln_acpi_put8(blob, 0);
    kiln_acpi_put32(blob, IOAPIC_BASE);
    kiln_acpi_put32(blob, 0); /* its first GSI */
    if (options->pit_gsi != 0)
        madt_override(blob, 0, options->pit_gsi, 0);
    madt_override(blob, options->sci_irq, options->sci_irq, MADT_ACTIVE_HIGH_LEVEL);
    madt_nmi(blob, x2apic);
    kiln_acpi_end(blob, TRUE);
}

static void
srat_processor(KilnAcpiBlob *blob, const KilnAcpiCpu *cpu, gboolean x2apic)
{
    if (!x2apic) {
        kiln_acpi_put8(blob, SRAT_LAPIC);
        kiln_acpi_put8(blob, 16);
        kiln_acpi_put8(blob, (uint8_t)cpu->node); /* bits 0-7; the others follow below */
        kiln_acpi_put8(blob, (uint8_t)cpu->apic_id);
        kiln_acpi_put32(blob, SRAT_ENABLED);
        kiln_acpi_put8(blob, 0); /* SAPIC EID */
        kiln_acpi_put8(blob, (uint8_t)(cpu->node >> 8));
        kiln_acpi_put16(blob, (uint16_t)(cpu->node >> 16));
        kiln_acpi_put32(blob, 0); /* clock domain */
        return;
    }
    kiln_acpi_put8(blob, SRAT_X2APIC);
    kiln_acpi_put8(blob, 24);
    kiln_acpi_put16(blob, 0);
    kiln_acpi_put32(blob, cpu->node);
    kiln_acpi_put32(blob, cpu->apic_id);
    kiln_acpi_put32(blob, SRAT_ENABLED);
    kiln_acpi_put32(blob, 0); /* clock domain */
    kiln_acpi_put32(blob, 0);
}

static void
srat_memory(KilnAcpiBlob *blob, const KilnAcpiMemory *memory)
{
    kiln_acpi_put8(blob, SRAT_MEMORY);
    kiln_acpi_put8(blob, 40);
    kiln_acpi_put32(blob, memory->node);
    kiln_acpi_put16(blob, 0);
    kiln_acpi_put64(blob, memory->range.base);
    kiln_acpi_put64(blob, memory->range.length);
    kiln_acpi_put32(blob, 0);
    kiln_acpi_put32(blob, SRAT_ENABLED | (memory->hot_pluggable ? SRAT_HOT_PLUGGABLE : 0));
    kiln_acpi_put64(blob, 0);
}

void
kiln_acpi_add_srat(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    if (options->n_nodes == 0)
        return;
    kiln_acpi_begin(blob, "SRAT", SRAT_REVISION);
    kiln_acpi_put32(blob, 1); /* reserved, must be 1 */
    kiln_acpi_put64(blob, 0);
    for (guint i = 0; i < options->n_cpus; i++) {
        const KilnAcpiCpu *cpu = &options->cpus[i];

        if (cpu->node != KILN_ACPI_NO_NODE)
            srat_processor(blob, cpu, cpu->apic_id >= XAPIC_IDS);
    }
    for (guint i = 0; i < options->n_memory; i++) {
        if (options->memory[i].node != KILN_ACPI_NO_NODE)
            srat_memory(blob, &options->memory[i]);
    }
    kiln_acpi_end(blob, TRUE);
}

void
kiln_acpi_add_slit(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    if (options->n_nodes == 0 || options->distances == NULL)
        return;
    kiln_acpi_begin(blob, "SLIT", SLIT_REVISION);
    kiln_acpi_put64(blob, options->n_nodes);
    kiln_acpi_put_bytes(blob, options->distances, (gsize)options->n_nodes * options->n_nodes);
    kiln_acpi_end(blob, TRUE);
}
