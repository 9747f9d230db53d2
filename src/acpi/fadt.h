/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The FADT, which names the fixed hardware, and FACS, which firmware and system share. */
#ifndef KILN_ACPI_FADT_H
#define KILN_ACPI_FADT_H

#include "acpi/blob.h"

/* Appends FACS.  Returns: its offset, for FADT. */
uint32_t kiln_acpi_add_facs(KilnAcpiBlob *blob);

/* Appends FADT; @facs and @dsdt are their offsets in the blob. */
void kiln_acpi_add_fadt(KilnAcpiBlob *blob, const KilnAcpiOptions *options, uint32_t facs,
                        uint32_t dsdt);

#endif
