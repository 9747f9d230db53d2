/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables as bytes in one array. */
#include "acpi/blob.h"

#include "base/le.h"

#include <string.h>

enum { OFFSET_LENGTH = 4, OFFSET_SUM = 9, TABLE_ALIGN = 16, OEM_REVISION = 1 };

void
kiln_acpi_put_bytes(KilnAcpiBlob *blob, const void *data, gsize length)
{
    g_byte_array_append(blob->tables->tables, data, (guint)length);
}

void
kiln_acpi_put8(KilnAcpiBlob *blob, uint8_t value)
{
    kiln_acpi_put_bytes(blob, &value, 1);
}

void
kiln_acpi_put16(KilnAcpiBlob *blob, uint16_t value)
{
    uint8_t bytes[2];

    kiln_le16_store(bytes, value);
    kiln_acpi_put_bytes(blob, bytes, sizeof bytes);
}

void
kiln_acpi_put32(KilnAcpiBlob *blob, uint32_t value)
{
    uint8_t bytes[4];

    kiln_le32_store(bytes, value);
    kiln_acpi_put_bytes(blob, bytes, sizeof bytes);
}

void
kiln_acpi_put64(KilnAcpiBlob *blob, uint64_t value)
{
    uint8_t bytes[8];

    kiln_le64_store(bytes, value);
    kiln_acpi_put_bytes(blob, bytes, sizeof bytes);
}

void
kiln_acpi_put_zeroes(KilnAcpiBlob *blob, gsize length)
{
    GByteArray *bytes = blob->tables->tables;
    gsize at = bytes->len;

    g_byte_array_set_size(bytes, (guint)(at + length));
    memset(bytes->data + at, 0, length);
}

void
kiln_acpi_put_gas(KilnAcpiBlob *blob, uint8_t space, uint8_t bits, uint8_t access, uint64_t address)
{
    if (address == 0) {
        kiln_acpi_put_zeroes(blob, 12);
        return;
    }
    kiln_acpi_put8(blob, space);
    kiln_acpi_put8(blob, bits);
    kiln_acpi_put8(blob, 0); /* bit offset */
    kiln_acpi_put8(blob, access);
    kiln_acpi_put64(blob, address);
}

void
kiln_acpi_put_pointer(KilnAcpiBlob *blob, guint size, uint32_t target)
{
    const KilnAcpiFixup fixup = { .file = KILN_ACPI_FILE_TABLES,
                                  .pointer_size = size,
                                  .offset = blob->tables->tables->len };

    g_array_append_val(blob->tables->fixups, fixup);
    if (size == 8)
        kiln_acpi_put64(blob, target);
    else
        kiln_acpi_put32(blob, target);
}

uint32_t
kiln_acpi_align(KilnAcpiBlob *blob, guint alignment)
{
    guint tail = blob->tables->tables->len % alignment;

    if (tail != 0)
        kiln_acpi_put_zeroes(blob, alignment - tail);
    return blob->tables->tables->len;
}

/* ACPI 6.5 §5.2.6, table 5.4. */
uint32_t
kiln_acpi_begin(KilnAcpiBlob *blob, const char *signature, uint8_t revision)
{
    blob->start = kiln_acpi_align(blob, TABLE_ALIGN);
    kiln_acpi_put_bytes(blob, signature, 4);
    kiln_acpi_put32(blob, 0); /* length: kiln_acpi_end() */
    kiln_acpi_put8(blob, revision);
    kiln_acpi_put8(blob, 0); /* sum: a fixup */
    kiln_acpi_put_bytes(blob, "KILN  ", 6);
    kiln_acpi_put_bytes(blob, "KILNPC  ", 8);
    kiln_acpi_put32(blob, OEM_REVISION);
    kiln_acpi_put_bytes(blob, "KILN", 4); /* the creator is the same */
    kiln_acpi_put32(blob, OEM_REVISION);
    return blob->start;
}

void
kiln_acpi_end(KilnAcpiBlob *blob, gboolean listed)
{
    GByteArray *bytes = blob->tables->tables;
    const KilnAcpiFixup sum = { .file = KILN_ACPI_FILE_TABLES,
                                .offset = blob->start + OFFSET_SUM,
                                .start = blob->start,
                                .length = bytes->len - blob->start };

    kiln_le32_store(bytes->data + blob->start + OFFSET_LENGTH, sum.length);
    g_array_append_val(blob->tables->fixups, sum);
    if (listed)
        g_array_append_val(blob->listed, blob->start);
}
