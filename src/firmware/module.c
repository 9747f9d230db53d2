/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "firmware/choose.h"
#include "firmware/descriptor.h"
#include "firmware/firmware.h"

static gboolean
resolve(KilnDomain *domain, const char *const *directories, GError **error)
{
    g_autoptr(GPtrArray) builds = kiln_firmware_builds(directories);

    return kiln_firmware_choose(domain, builds, error);
}

extern const KilnFirmwareModule kiln_firmware_module;
const KilnFirmwareModule kiln_firmware_module = { .resolve = resolve };
