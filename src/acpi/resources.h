/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Resource descriptors (ACPI 6.5 §6.4), to be appended between kiln_aml_begin_resources() and
 * kiln_aml_end().  Ranges are given as base and length in bytes; a length is never 0.
 */
#ifndef KILN_ACPI_RESOURCES_H
#define KILN_ACPI_RESOURCES_H

#include "acpi/aml.h"

/* IO (Decode16, @base, @base, 1, @length): a fixed range, §6.4.2.5. */
void kiln_aml_res_io(KilnAml *aml, uint16_t base, uint8_t length);
/* IRQNoFlags () {@irq}: edge-triggered, active high, exclusive, §6.4.2.1. */
void kiln_aml_res_irq(KilnAml *aml, guint irq);
/* Interrupt (ResourceConsumer, Level or Edge, ActiveHigh or ActiveLow, …) {@gsi}, §6.4.3.6. */
void kiln_aml_res_interrupt(KilnAml *aml, uint32_t gsi, gboolean level, gboolean active_low,
                            gboolean shared);
/* Memory32Fixed (ReadWrite or ReadOnly, …), §6.4.3.4. */
void kiln_aml_res_memory32_fixed(KilnAml *aml, gboolean writable, uint32_t base, uint32_t length);

/* What a bridge hands down: producer windows with fixed ends, §6.4.3.5. */
void kiln_aml_res_bus_window(KilnAml *aml, uint16_t first, uint16_t last);
void kiln_aml_res_io_window(KilnAml *aml, uint16_t base, uint32_t length);
/* As a DWord descriptor if the range ends below 4 GiB, else as a QWord one. */
void kiln_aml_res_memory_window(KilnAml *aml, uint64_t base, uint64_t length, gboolean cacheable);
/* A consumed (reserved) range at any address, as a QWord descriptor. */
void kiln_aml_res_memory_reserved(KilnAml *aml, uint64_t base, uint64_t length);

#endif
