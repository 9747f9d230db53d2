/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest is told of its machine: ACPI and SMBIOS tables from the definition and the board.
 */
#ifndef KILN_MACHINE_TABLES_H
#define KILN_MACHINE_TABLES_H

#include "acpi/smbios.h"
#include "acpi/tables.h"
#include "machine/machine.h"

/* Returns: (transfer full): not placed yet. */
KilnAcpiTables *kiln_machine_acpi_tables(KilnMachine *machine);

/* Returns: (transfer full): or NULL with @error set, naming the entry of <sysinfo> at fault. */
KilnSmbios *kiln_machine_smbios(KilnMachine *machine, GError **error);

/* The domain's UUID, in the order of its text form. */
void kiln_machine_uuid(const KilnMachine *machine, uint8_t uuid[KILN_SMBIOS_UUID_LENGTH]);

#endif
