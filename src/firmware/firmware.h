/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module firmware.so: finds the builds of firmware that the host has by their descriptors, and
 * the one that a definition asks for.  It is loaded by kiln_module_load(KILN_FIRMWARE_MODULE,
 * KILN_FIRMWARE_SYMBOL, …) when a definition asks for UEFI: only such guests need a JSON parser,
 * and only while they start.
 */
#ifndef KILN_FIRMWARE_FIRMWARE_H
#define KILN_FIRMWARE_FIRMWARE_H

#include "domain/domain.h"

#define KILN_FIRMWARE_MODULE "firmware.so"
#define KILN_FIRMWARE_SYMBOL "kiln_firmware_module"

/* What the module exports under KILN_FIRMWARE_SYMBOL. */
typedef struct {
    /**
     * resolve:
     * @directories: (nullable): NULL-terminated, the most important first; NULL: the host's
     *
     * Completes <os>: kiln_firmware_choose().
     */
    gboolean (*resolve)(KilnDomain *domain, const char *const *directories, GError **error);
} KilnFirmwareModule;

#endif
