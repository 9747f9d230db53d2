/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ACPI tables of the board (ACPI 6.5 §5.2), built in one pass from plain options:
 *
 *   options -> build -> one blob of tables, an RSDP, and the list of what is to be patched in them
 *     -> place: patched for one guest address, for direct boot
 *     -> handed out as they are: firmware's table loader follows the same list (fw_cfg)
 *
 * What the tables promise, and the board has to keep: without @smi_cmd, SCI_EN is set from the
 * start; the PM timer has 24 bits, the SCI is level-triggered and active high at its own GSI, INTx
 * lines arrive at the GSIs of @pci_gsi in IOAPIC mode.
 */
#ifndef KILN_ACPI_TABLES_H
#define KILN_ACPI_TABLES_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_ACPI_NO_NODE = 0xffffffffu, /* as a NUMA node: not told */
    KILN_ACPI_NO_COM = -1,
    KILN_ACPI_N_COMS = 4,
    KILN_ACPI_ALIGN = 64, /* the least alignment of the guest address of the tables: FACS */
    KILN_ACPI_RSDP_LENGTH = 36,
};

typedef struct {
    uint64_t base;
    uint64_t length;
} KilnAcpiRange;

typedef struct {
    uint32_t apic_id;
    uint32_t node; /* or KILN_ACPI_NO_NODE */
} KilnAcpiCpu;

typedef struct {
    KilnAcpiRange range;
    uint32_t node;
    gboolean hot_pluggable; /* not there at boot: memory may come there later */
} KilnAcpiMemory;

typedef enum {
    KILN_ACPI_TPM_NONE,
    KILN_ACPI_TPM_TIS_1_2,
    KILN_ACPI_TPM_TIS_2_0,
    KILN_ACPI_TPM_CRB, /* 2.0 */
} KilnAcpiTpm;

/**
 * KilnAcpiOptions:
 *
 * Call kiln_acpi_options_init() first; it gives the board's own values.  Arrays are borrowed.
 */
typedef struct {
    const KilnAcpiCpu *cpus; /* in the order of their numbers, which become their _UID */
    guint n_cpus;            /* 1 to 65535 */

    uint64_t ecam_base;               /* of bus 0; 0xe0000000 */
    guint n_buses;                    /* 256 */
    const KilnAcpiRange *pci_windows; /* memory that BARs may use, 32- and 64-bit */
    guint n_pci_windows;
    uint8_t pci_gsi[32][4]; /* GSI of each slot's INTA to INTD on bus 0 */

    uint16_t pm_base;      /* 0x600: PM1a event +0, control +4, timer +8, GPE0 +0x20 (16 bytes) */
    uint8_t sci_irq;       /* 9 */
    uint8_t s5_sleep_type; /* SLP_TYP of soft off: 7 (ICH9 datasheet 316972-004 §13.8.3.3) */
    uint8_t pit_gsi;  /* where the PIT's IRQ 0 arrives: 0, as KVM routes it from the start, or 2 */
    uint16_t smi_cmd; /* port that takes the next two; 0: ACPI mode is on from the start */
    uint8_t acpi_enable;
    uint8_t acpi_disable;

    guint coms;      /* bit n: COM(n+1) is there */
    int console_com; /* the serial console that SPCR tells of, 0 to 3, or KILN_ACPI_NO_COM */
    gboolean rtc;    /* TRUE */
    gboolean i8042_keyboard;
    gboolean i8042_mouse;
    gboolean pvpanic; /* at port 0x505 */
    gboolean hpet;    /* at 0xfed00000 */
    KilnAcpiTpm tpm;  /* at 0xfed40000 */

    /* NUMA: SRAT is made if @n_nodes is not 0, SLIT if @distances is not NULL as well. */
    guint n_nodes;
    const KilnAcpiMemory *memory; /* all RAM, and where some may be plugged in */
    guint n_memory;
    const uint8_t *distances; /* n_nodes * n_nodes, row by row; 10 is local */
} KilnAcpiOptions;

void kiln_acpi_options_init(KilnAcpiOptions *options);

typedef enum {
    KILN_ACPI_FILE_TABLES, /* fw_cfg "etc/acpi/tables" */
    KILN_ACPI_FILE_RSDP,   /* fw_cfg "etc/acpi/rsdp" */
} KilnAcpiFile;

/**
 * KilnAcpiFixup:
 * @pointer_size: 4 or 8: to the little-endian number of that size at @offset of @file, the address
 *   at which the tables are put is to be added; 0: the byte at @offset is to be set so that the
 *   bytes [@start, @start + @length) of @file add up to 0
 *
 * To be done in the order of the list: sums come after the pointers that they cover.
 */
typedef struct {
    KilnAcpiFile file;
    guint pointer_size;
    uint32_t offset;
    uint32_t start;
    uint32_t length;
} KilnAcpiFixup;

typedef struct {
    GByteArray *tables; /* (owned): FACS, DSDT, FADT, MADT, …, XSDT, each aligned */
    uint8_t rsdp[KILN_ACPI_RSDP_LENGTH];
    GArray *fixups; /* (owned): of KilnAcpiFixup */
} KilnAcpiTables;

/**
 * kiln_acpi_build:
 *
 * Pointers hold offsets into the blob and sums are 0 until they are placed.  The same options give
 * the same bytes.
 *
 * Returns: (transfer full): the tables.
 */
KilnAcpiTables *kiln_acpi_build(const KilnAcpiOptions *options);
void kiln_acpi_tables_free(KilnAcpiTables *tables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnAcpiTables, kiln_acpi_tables_free)

/**
 * kiln_acpi_place:
 * @gpa: where the guest will see the tables: aligned to KILN_ACPI_ALIGN, and below 4 GiB, since
 *   FADT's pointer to FACS has 32 bits
 *
 * Applies the fixups, once.  Afterwards @tables->tables is what to copy to @gpa, and @tables->rsdp
 * what to copy to any 16-byte boundary, in 0xe0000-0xfffff if the guest is to find it by a scan
 * (ACPI 6.5 §5.2.5.1) and anywhere if it is told (boot_params.acpi_rsdp_addr, PVH's rsdp_paddr).
 */
void kiln_acpi_place(KilnAcpiTables *tables, uint64_t gpa);

#endif
