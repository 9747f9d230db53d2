/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The build of firmware that a definition asks for. */
#ifndef KILN_FIRMWARE_CHOOSE_H
#define KILN_FIRMWARE_CHOOSE_H

#include "domain/domain.h"
#include "firmware/descriptor.h"

/**
 * kiln_firmware_usable:
 *
 * Returns: NULL if guests of this kiln can boot @build by UEFI, else why not: "it needs system
 *   management mode, …".  Whether its files are there is not looked at.
 */
const char *kiln_firmware_usable(const KilnFirmwareBuild *build);

/* Whether some of @builds can be booted by UEFI, and its files are there. */
gboolean kiln_firmware_any(const GPtrArray *builds);

/**
 * kiln_firmware_has_variables:
 *
 * Returns: whether a guest of @os has a variable store of its own: <nvram>, which
 *   kiln_firmware_nvram_path() places where the definition does not.
 */
gboolean kiln_firmware_has_variables(const KilnOs *os);

/**
 * kiln_firmware_nvram_path:
 * @system: of the system's guests, else the user's
 *
 * Returns: (transfer full): where the variable store of the guest @name is, if its definition does
 *   not say.
 */
char *kiln_firmware_nvram_path(const char *name, gboolean system);

/**
 * kiln_firmware_choose:
 * @domain: with <os firmware='efi'> or <loader type='pflash'>; others are left as they are
 * @builds: (element-type KilnFirmwareBuild): in the order of preference
 *
 * Completes <os>: the loader, whether the guest can write it, and the variable store with its
 * template.
 *
 * Returns: FALSE with @error set if there is no build that does all that is asked for and can be
 *   booted; it names one that can, where there is.
 */
gboolean kiln_firmware_choose(KilnDomain *domain, const GPtrArray *builds, GError **error);

#endif
