/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See loader.h. */
#include "acpi/loader.h"

#include <string.h>

#include "base/le.h"

/* Numbers are little-endian and follow each other without gaps; names have 56 bytes. */
enum {
    COMMAND_BYTES = 128,
    COMMAND_ALLOCATE = 1,     /* name, alignment (4), zone (1) */
    COMMAND_ADD_POINTER = 2,  /* name of what is patched, of what is pointed to, offset, size (1) */
    COMMAND_ADD_CHECKSUM = 3, /* name, offset of the sum, start, length */
    NAME_BYTES = 56,
    ARGUMENTS = 4,
    ZONE_HIGH = 1,
    ZONE_FSEG = 2, /* 0xf0000-0xfffff, where the RSDP is looked for */
    RSDP_ALIGN = 16,
};

static const char *
file_name(KilnAcpiFile file)
{
    return file == KILN_ACPI_FILE_RSDP ? KILN_ACPI_RSDP_NAME : KILN_ACPI_TABLES_NAME;
}

/* A command about @name, otherwise empty; valid until the next one. */
static uint8_t *
add_command(GByteArray *script, uint32_t command, const char *name)
{
    uint8_t *at;

    g_byte_array_set_size(script, script->len + COMMAND_BYTES);
    at = script->data + script->len - COMMAND_BYTES;
    memset(at, 0, COMMAND_BYTES);
    kiln_le32_store(at, command);
    memcpy(at + ARGUMENTS, name, strlen(name));
    return at + ARGUMENTS;
}

static void
add_allocate(GByteArray *script, KilnAcpiFile file, uint32_t align, uint8_t zone)
{
    uint8_t *arguments = add_command(script, COMMAND_ALLOCATE, file_name(file));

    kiln_le32_store(arguments + NAME_BYTES, align);
    arguments[NAME_BYTES + 4] = zone;
}

static void
add_fixup(GByteArray *script, const KilnAcpiFixup *fixup)
{
    const char *name = file_name(fixup->file);
    uint8_t *arguments;

    if (fixup->pointer_size == 0) {
        arguments = add_command(script, COMMAND_ADD_CHECKSUM, name);
        kiln_le32_store(arguments + NAME_BYTES, fixup->offset);
        kiln_le32_store(arguments + NAME_BYTES + 4, fixup->start);
        kiln_le32_store(arguments + NAME_BYTES + 8, fixup->length);
        return;
    }
    arguments = add_command(script, COMMAND_ADD_POINTER, name);
    memcpy(arguments + NAME_BYTES, KILN_ACPI_TABLES_NAME, sizeof KILN_ACPI_TABLES_NAME);
    kiln_le32_store(arguments + 2 * NAME_BYTES, fixup->offset);
    arguments[2 * NAME_BYTES + 4] = (uint8_t)fixup->pointer_size;
}

GByteArray *
kiln_acpi_loader(const KilnAcpiTables *tables)
{
    GByteArray *script = g_byte_array_new();

    add_allocate(script, KILN_ACPI_FILE_RSDP, RSDP_ALIGN, ZONE_FSEG);
    add_allocate(script, KILN_ACPI_FILE_TABLES, KILN_ACPI_ALIGN, ZONE_HIGH);
    for (guint i = 0; i < tables->fixups->len; i++)
        add_fixup(script, &g_array_index(tables->fixups, KilnAcpiFixup, i));
    return script;
}
