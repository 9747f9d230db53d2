/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See port92.h. */
#include "device/port92.h"

enum {
    PORT = 0x92,
    INIT_NOW = 1 << 0, /* 0 to 1 pulses INIT# */
    A20_GATE = 1 << 1,
};

typedef struct {
    KilnDevice device;
    KilnPort92Options options;
    KilnRegion region;
    uint8_t value;
} Port92;

static uint64_t
port92_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Port92 *)opaque)->value;
}

static void
port92_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Port92 *port = opaque;
    gboolean pulse = (data & INIT_NOW) && !(port->value & INIT_NOW);

    port->value = (uint8_t)(data & (INIT_NOW | A20_GATE));
    if (pulse)
        port->options.reset(port->options.reset_opaque, KILN_RESET_PORT_92);
}

static const KilnRegionOps port92_region = { .read = port92_read,
                                             .write = port92_write,
                                             .max_access = 1 };

static void
port92_reset(KilnDevice *device)
{
    ((Port92 *)device)->value = A20_GATE; /* on, since nothing masks the line */
}

static void
port92_free(KilnDevice *device)
{
    Port92 *port = (Port92 *)device;

    kiln_space_remove(port->options.io, &port->region);
    kiln_device_clear(device);
    g_free(port);
}

static const KilnStateField port92_fields[] = {
    KILN_STATE_RANGE(Port92, value, 1, 0, INIT_NOW | A20_GATE),
    KILN_STATE_END,
};

static const KilnStateDescription port92_state = {
    .name = "port92", .version = 1, .min_version = 1, .fields = port92_fields
};

static const KilnDeviceOps port92_ops = {
    .name = "port92", .reset = port92_reset, .free = port92_free, .state = &port92_state
};

KilnDevice *
kiln_port92_new(const KilnPort92Options *options, GError **error)
{
    Port92 *port = g_new0(Port92, 1);

    kiln_device_init(&port->device, &port92_ops, "port92");
    port->options = *options;
    kiln_region_init(&port->region, &port->device, &port92_region, 1);
    port92_reset(&port->device);
    if (!kiln_space_add(options->io, &port->region, PORT, error)) {
        port92_free(&port->device);
        return NULL;
    }
    return &port->device;
}
