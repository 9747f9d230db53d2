/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pvpanic.h. */
#include "device/pvpanic.h"

enum { EVENTS = KILN_PVPANIC_PANICKED | KILN_PVPANIC_CRASH_LOADED };

typedef struct {
    KilnDevice device;
    KilnPvpanicOptions options;
    KilnRegion region;
} Pvpanic;

static uint64_t
pvpanic_read(void *opaque, uint64_t offset, unsigned size)
{
    return EVENTS;
}

static void
pvpanic_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Pvpanic *pvpanic = opaque;

    if (data & EVENTS)
        pvpanic->options.event(pvpanic->options.opaque, data & EVENTS);
}

static const KilnRegionOps pvpanic_region = { .read = pvpanic_read,
                                              .write = pvpanic_write,
                                              .max_access = 1 };

static void
pvpanic_free(KilnDevice *device)
{
    Pvpanic *pvpanic = (Pvpanic *)device;

    kiln_space_remove(pvpanic->options.io, &pvpanic->region);
    kiln_device_clear(device);
    g_free(pvpanic);
}

/* It remembers nothing: no reset, no state. */
static const KilnDeviceOps pvpanic_ops = { .name = "pvpanic", .free = pvpanic_free };

KilnDevice *
kiln_pvpanic_new(const KilnPvpanicOptions *options, GError **error)
{
    Pvpanic *pvpanic = g_new0(Pvpanic, 1);
    uint16_t port = options->port != 0 ? options->port : KILN_PVPANIC_PORT;

    kiln_device_init(&pvpanic->device, &pvpanic_ops, "pvpanic");
    pvpanic->options = *options;
    kiln_region_init(&pvpanic->region, &pvpanic->device, &pvpanic_region, 1);
    if (!kiln_space_add(options->io, &pvpanic->region, port, error)) {
        pvpanic_free(&pvpanic->device);
        return NULL;
    }
    return &pvpanic->device;
}
