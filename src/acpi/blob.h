/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The blob that the tables are made in, for the files of this room: each table is begun, filled
 * field by field, and ended; lengths are filled in, sums and pointers become fixups (tables.h).
 */
#ifndef KILN_ACPI_BLOB_H
#define KILN_ACPI_BLOB_H

#include "acpi/tables.h"

typedef struct {
    KilnAcpiTables *tables; /* borrowed */
    GArray *listed;         /* (owned): of uint32_t: offsets of the tables that XSDT names */
    uint32_t start;         /* of the open table */
} KilnAcpiBlob;

/* ACPI 6.5 §5.2.3.2: generic address structure, address spaces and access sizes. */
enum {
    KILN_ACPI_GAS_MEMORY = 0,
    KILN_ACPI_GAS_IO = 1,
    KILN_ACPI_ACCESS_BYTE = 1,
    KILN_ACPI_ACCESS_WORD = 2,
    KILN_ACPI_ACCESS_DWORD = 3,
};

enum { KILN_ACPI_HEADER_LENGTH = 36 }; /* ACPI 6.5 table 5.4 */

/* Where PC serial ports are, n from 0 for COM1. */
static inline uint16_t
kiln_acpi_com_port(guint n)
{
    static const uint16_t ports[KILN_ACPI_N_COMS] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

    return ports[n];
}

static inline uint8_t
kiln_acpi_com_irq(guint n)
{
    return n % 2 == 0 ? 4 : 3;
}

/* Fields of the open table, little-endian, in the order of its specification. */
void kiln_acpi_put8(KilnAcpiBlob *blob, uint8_t value);
void kiln_acpi_put16(KilnAcpiBlob *blob, uint16_t value);
void kiln_acpi_put32(KilnAcpiBlob *blob, uint32_t value);
void kiln_acpi_put64(KilnAcpiBlob *blob, uint64_t value);
void kiln_acpi_put_bytes(KilnAcpiBlob *blob, const void *data, gsize length);
void kiln_acpi_put_zeroes(KilnAcpiBlob *blob, gsize length);
/* All zeroes if @address is 0: absent. */
void kiln_acpi_put_gas(KilnAcpiBlob *blob, uint8_t space, uint8_t bits, uint8_t access,
                       uint64_t address);
/* The address of what is at @target in the blob, in 4 or 8 bytes. */
void kiln_acpi_put_pointer(KilnAcpiBlob *blob, guint size, uint32_t target);

/* Fills up with zeroes to a multiple of @alignment, and returns where that is. */
uint32_t kiln_acpi_align(KilnAcpiBlob *blob, guint alignment);

/**
 * kiln_acpi_begin:
 * @signature: four characters
 *
 * Writes the standard header.  Returns: the table's offset.
 */
uint32_t kiln_acpi_begin(KilnAcpiBlob *blob, const char *signature, uint8_t revision);

/* Fills in the length, and asks for the sum; @listed: XSDT names it. */
void kiln_acpi_end(KilnAcpiBlob *blob, gboolean listed);

#endif
