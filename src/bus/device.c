/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See device.h. */
#include "bus/device.h"

void
kiln_device_init(KilnDevice *device, const KilnDeviceOps *ops, const char *id)
{
    device->ops = ops;
    device->id = g_strdup(id);
    kiln_mutex_init(&device->lock);
}

void
kiln_device_clear(KilnDevice *device)
{
    kiln_mutex_clear(&device->lock);
    g_clear_pointer(&device->id, g_free);
}

KilnStateEntry
kiln_device_state(KilnDevice *device)
{
    return (KilnStateEntry){ .description = device->ops->state,
                             .instance = device->instance,
                             .object = device };
}

void
kiln_device_reset(KilnDevice *device)
{
    KILN_LOCK_SCOPE(&device->lock);

    if (device->ops->reset != NULL)
        device->ops->reset(device);
}

void
kiln_device_free(KilnDevice *device)
{
    if (device != NULL)
        device->ops->free(device);
}
