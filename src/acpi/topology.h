/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processors, interrupt controllers and NUMA cells: MADT, SRAT, SLIT. */
#ifndef KILN_ACPI_TOPOLOGY_H
#define KILN_ACPI_TOPOLOGY_H

#include "acpi/blob.h"

/* Appends MADT. */
void kiln_acpi_add_madt(KilnAcpiBlob *blob, const KilnAcpiOptions *options);
/* Each appends nothing unless the options tell of NUMA cells (and of distances). */
void kiln_acpi_add_srat(KilnAcpiBlob *blob, const KilnAcpiOptions *options);
void kiln_acpi_add_slit(KilnAcpiBlob *blob, const KilnAcpiOptions *options);

#endif
