/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ACPI tables' fixups as commands that firmware runs: fw_cfg's "etc/table-loader" (QEMU 7.2
 * hw/acpi/bios-linker-loader.c), 128 bytes each.
 */
#ifndef KILN_ACPI_LOADER_H
#define KILN_ACPI_LOADER_H

#include "acpi/tables.h"

#define KILN_ACPI_TABLES_NAME "etc/acpi/tables"
#define KILN_ACPI_RSDP_NAME   "etc/acpi/rsdp"
#define KILN_ACPI_LOADER_NAME "etc/table-loader"

/**
 * kiln_acpi_loader:
 * @tables: not placed
 *
 * Returns: (transfer full): commands that put both files into memory and do there what
 *   kiln_acpi_place() does here.
 */
GByteArray *kiln_acpi_loader(const KilnAcpiTables *tables);

#endif
