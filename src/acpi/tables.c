/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set of tables and its roots.  The order in the blob is the order of making, each table after
 * those it points to: FACS, DSDT, FADT, MADT, MCFG, WAET, SPCR, HPET, TPM2, SRAT, SLIT, XSDT.
 */
#include "acpi/tables.h"

#include "acpi/blob.h"
#include "acpi/dsdt.h"
#include "acpi/fadt.h"
#include "acpi/topology.h"
#include "base/le.h"

#include <string.h>

void
kiln_acpi_options_init(KilnAcpiOptions *options)
{
    *options = (KilnAcpiOptions){
        .ecam_base = 0xe0000000u,
        .n_buses = 256,
        .pm_base = 0x600,
        .sci_irq = 9,
        .s5_sleep_type = 7,
        .console_com = KILN_ACPI_NO_COM,
        .rtc = TRUE,
    };
    /* The ICH9's routing after reset: slots 0-24 share PIRQE-H in turn, 25-31 have PIRQA-D. */
    for (guint slot = 0; slot < 32; slot++) {
        for (guint pin = 0; pin < 4; pin++)
            options->pci_gsi[slot][pin] = (uint8_t)(16 + (slot < 25 ? 4 + (slot + pin) % 4 : pin));
    }
}

/* PCI Firmware 3.3 §4.1.2. */
static void
add_mcfg(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    kiln_acpi_begin(blob, "MCFG", 1);
    kiln_acpi_put64(blob, 0);
    kiln_acpi_put64(blob, options->ecam_base);
    kiln_acpi_put16(blob, 0); /* segment */
    kiln_acpi_put8(blob, 0);
    kiln_acpi_put8(blob, (uint8_t)(options->n_buses - 1));
    kiln_acpi_put32(blob, 0);
    kiln_acpi_end(blob, TRUE);
}

/* Windows ACPI Emulated Devices Table 1.0: which work-arounds for real hardware are needless. */
static void
add_waet(KilnAcpiBlob *blob)
{
    enum { PM_TIMER_GOOD = 1 << 1 }; /* one read of the PM timer is enough */

    kiln_acpi_begin(blob, "WAET", 1);
    kiln_acpi_put32(blob, PM_TIMER_GOOD);
    kiln_acpi_end(blob, TRUE);
}

/* Serial Port Console Redirection Table 1.03 (revision 2). */
static void
add_spcr(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    enum { TYPE_16550 = 0, INTERRUPT_PIC_IOAPIC = 3, BAUD_115200 = 7, TERMINAL_VT_UTF8 = 2 };
    int n = options->console_com;

    if (n < 0 || n >= KILN_ACPI_N_COMS || !(options->coms & 1u << n))
        return;
    kiln_acpi_begin(blob, "SPCR", 2);
    kiln_acpi_put8(blob, TYPE_16550);
    kiln_acpi_put_zeroes(blob, 3);
    kiln_acpi_put_gas(blob, KILN_ACPI_GAS_IO, 8, KILN_ACPI_ACCESS_BYTE,
                      kiln_acpi_com_port((guint)n));
    kiln_acpi_put8(blob, INTERRUPT_PIC_IOAPIC);
    kiln_acpi_put8(blob, kiln_acpi_com_irq((guint)n));
    kiln_acpi_put32(blob, kiln_acpi_com_irq((guint)n)); /* its GSI */
    kiln_acpi_put8(blob, BAUD_115200);
    kiln_acpi_put8(blob, 0); /* no parity */
    kiln_acpi_put8(blob, 1); /* one stop bit */
    kiln_acpi_put8(blob, 0); /* no flow control */
    kiln_acpi_put8(blob, TERMINAL_VT_UTF8);
    kiln_acpi_put8(blob, 0);           /* language */
    kiln_acpi_put16(blob, UINT16_MAX); /* not a PCI device */
    kiln_acpi_put16(blob, UINT16_MAX);
    kiln_acpi_put_zeroes(blob, 3); /* bus, device, function */
    kiln_acpi_put32(blob, 0);      /* flags */
    kiln_acpi_put8(blob, 0);       /* segment */
    kiln_acpi_put32(blob, 0);
    kiln_acpi_end(blob, TRUE);
}

/* IA-PC HPET 1.0a §3.2.4. */
static void
add_hpet(KilnAcpiBlob *blob)
{
    /* Vendor 8086, legacy replacement, 64-bit counter, 3 timers, revision 1. */
    const uint32_t event_timer_block = 0x8086a201u;

    kiln_acpi_begin(blob, "HPET", 1);
    kiln_acpi_put32(blob, event_timer_block);
    kiln_acpi_put_gas(blob, KILN_ACPI_GAS_MEMORY, 0, 0, 0xfed00000u);
    kiln_acpi_put8(blob, 0);  /* the first and only one */
    kiln_acpi_put16(blob, 0); /* least tick in periodic mode: not told */
    kiln_acpi_put8(blob, 0);  /* page protection */
    kiln_acpi_end(blob, TRUE);
}

/* TCG ACPI Specification 1.4 §7.3.  There is no log area: nobody measures before firmware does, and
 * firmware hands its log on by other ways. */
static void
add_tpm2(KilnAcpiBlob *blob, const KilnAcpiOptions *options)
{
    enum { REVISION = 4, CLASS_CLIENT = 0, START_TIS = 6, START_CRB = 7 };
    const gboolean crb = options->tpm == KILN_ACPI_TPM_CRB;

    kiln_acpi_begin(blob, "TPM2", REVISION);
    kiln_acpi_put16(blob, CLASS_CLIENT);
    kiln_acpi_put16(blob, 0);
    kiln_acpi_put64(blob, crb ? 0xfed40040u : 0); /* the control area */
    kiln_acpi_put32(blob, crb ? START_CRB : START_TIS);
    kiln_acpi_put_zeroes(blob, 12); /* parameters of the start method */
    kiln_acpi_put32(blob, 0);       /* least length of the log area */
    kiln_acpi_put64(blob, 0);       /* and where it is */
    kiln_acpi_end(blob, TRUE);
}

/* ACPI 6.5 §5.2.8. */
static uint32_t
add_xsdt(KilnAcpiBlob *blob)
{
    uint32_t offset = kiln_acpi_begin(blob, "XSDT", 1);

    for (guint i = 0; i < blob->listed->len; i++)
        kiln_acpi_put_pointer(blob, 8, g_array_index(blob->listed, uint32_t, i));
    kiln_acpi_end(blob, FALSE);
    return offset;
}

/* ACPI 6.5 §5.2.5.3: the first sum covers what ACPI 1.0 had, the second all of it. */
static void
make_rsdp(KilnAcpiTables *tables, uint32_t xsdt)
{
    enum { REVISION = 2, LENGTH_1_0 = 20, SUM = 8, SUM_ALL = 32, XSDT = 24 };
    static const KilnAcpiFixup fixups[] = {
        { .file = KILN_ACPI_FILE_RSDP, .pointer_size = 8, .offset = XSDT },
        { .file = KILN_ACPI_FILE_RSDP, .offset = SUM, .length = LENGTH_1_0 },
        { .file = KILN_ACPI_FILE_RSDP, .offset = SUM_ALL, .length = KILN_ACPI_RSDP_LENGTH },
    };

    memset(tables->rsdp, 0, sizeof tables->rsdp);
    memcpy(tables->rsdp, "RSD PTR ", 8);
    memcpy(tables->rsdp + 9, "KILN  ", 6);
    tables->rsdp[15] = REVISION;
    kiln_le32_store(tables->rsdp + 20, KILN_ACPI_RSDP_LENGTH);
    kiln_le64_store(tables->rsdp + XSDT, xsdt);
    g_array_append_vals(tables->fixups, fixups, G_N_ELEMENTS(fixups));
}

KilnAcpiTables *
kiln_acpi_build(const KilnAcpiOptions *options)
{
    g_autoptr(KilnAcpiTables) tables = g_new0(KilnAcpiTables, 1);
    g_autoptr(GArray) listed = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    KilnAcpiBlob blob = { .tables = tables, .listed = listed };
    uint32_t facs;
    uint32_t dsdt;

    g_assert(options->n_cpus >= 1 && options->n_cpus <= UINT16_MAX);
    g_assert(options->n_buses >= 1 && options->n_buses <= 256);
    tables->tables = g_byte_array_new();
    tables->fixups = g_array_new(FALSE, FALSE, sizeof(KilnAcpiFixup));
    facs = kiln_acpi_add_facs(&blob);
    dsdt = kiln_acpi_add_dsdt(&blob, options);
    kiln_acpi_add_fadt(&blob, options, facs, dsdt);
    kiln_acpi_add_madt(&blob, options);
    add_mcfg(&blob, options);
    add_waet(&blob);
    add_spcr(&blob, options);
    if (options->hpet)
        add_hpet(&blob);
    if (options->tpm == KILN_ACPI_TPM_TIS_2_0 || options->tpm == KILN_ACPI_TPM_CRB)
        add_tpm2(&blob, options);
    kiln_acpi_add_srat(&blob, options);
    kiln_acpi_add_slit(&blob, options);
    make_rsdp(tables, add_xsdt(&blob));
    return g_steal_pointer(&tables);
}

void
kiln_acpi_tables_free(KilnAcpiTables *tables)
{
    if (tables == NULL)
        return;
    g_clear_pointer(&tables->tables, g_byte_array_unref);
    g_clear_pointer(&tables->fixups, g_array_unref);
    g_free(tables);
}

void
kiln_acpi_place(KilnAcpiTables *tables, uint64_t gpa)
{
    g_assert(gpa % KILN_ACPI_ALIGN == 0);
    g_assert(gpa + tables->tables->len <= G_GUINT64_CONSTANT(0x100000000));
    for (guint i = 0; i < tables->fixups->len; i++) {
        const KilnAcpiFixup *fixup = &g_array_index(tables->fixups, KilnAcpiFixup, i);
        uint8_t *file = fixup->file == KILN_ACPI_FILE_RSDP ? tables->rsdp : tables->tables->data;
        uint8_t *at = file + fixup->offset;

        if (fixup->pointer_size == 8) {
            kiln_le64_store(at, kiln_le64_load(at) + gpa);
        } else if (fixup->pointer_size == 4) {
            kiln_le32_store(at, (uint32_t)(kiln_le32_load(at) + gpa));
        } else {
            uint8_t sum = 0;

            for (uint32_t n = 0; n < fixup->length; n++)
                sum = (uint8_t)(sum + file[fixup->start + n]);
            *at = (uint8_t)-sum;
        }
    }
}
