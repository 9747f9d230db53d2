/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DSDT: the devices that no bus can enumerate, and how interrupts and windows are wired. */
#ifndef KILN_ACPI_DSDT_H
#define KILN_ACPI_DSDT_H

#include "acpi/blob.h"

/* Appends the DSDT.  Returns: its offset, for FADT. */
uint32_t kiln_acpi_add_dsdt(KilnAcpiBlob *blob, const KilnAcpiOptions *options);

#endif
