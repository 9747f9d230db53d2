/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See debugcon.h. */
#include "device/debugcon.h"

typedef struct {
    KilnDevice device;
    KilnDebugconOptions options;
    KilnRegion region;
} Debugcon;

static uint64_t
debugcon_read(void *opaque, uint64_t offset, unsigned size)
{
    return KILN_DEBUGCON_HERE;
}

static void
debugcon_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Debugcon *debugcon = opaque;
    uint8_t byte = (uint8_t)data;

    kiln_chardev_write(debugcon->options.chardev, &byte, 1);
}

static const KilnRegionOps debugcon_region = { .read = debugcon_read,
                                               .write = debugcon_write,
                                               .max_access = 1 };

static void
debugcon_free(KilnDevice *device)
{
    Debugcon *debugcon = (Debugcon *)device;

    kiln_space_remove(debugcon->options.io, &debugcon->region);
    kiln_chardev_set_frontend(debugcon->options.chardev, NULL, NULL);
    kiln_device_clear(device);
    g_free(debugcon);
}

/* It remembers nothing: no reset, no state. */
static const KilnDeviceOps debugcon_ops = { .name = "debugcon", .free = debugcon_free };

KilnDevice *
kiln_debugcon_new(const KilnDebugconOptions *options, GError **error)
{
    static const KilnChardevFrontend frontend = { .can_receive = NULL };
    Debugcon *debugcon = g_new0(Debugcon, 1);

    kiln_device_init(&debugcon->device, &debugcon_ops, "debugcon");
    debugcon->options = *options;
    kiln_region_init(&debugcon->region, &debugcon->device, &debugcon_region, 1);
    kiln_chardev_set_frontend(options->chardev, &frontend, debugcon);
    if (!kiln_space_add(options->io, &debugcon->region,
                        options->port != 0 ? options->port : KILN_DEBUGCON_PORT, error)) {
        debugcon_free(&debugcon->device);
        return NULL;
    }
    return &debugcon->device;
}
