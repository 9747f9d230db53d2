/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller type='virtio-serial'> with its consoles and channels. */
#include "machine/devices.h"

#include "base/error.h"
#include "device/virtio-console.h"
#include "machine/chars.h"
#include "machine/functions.h"
#include "machine/private.h"

/* What the guest does with a channel is said in the live definition. */
static void
guest_connected(void *opaque, unsigned number, gboolean connected)
{
    KilnChannel *channel = opaque;

    channel->target.state =
        connected ? KILN_CHANNEL_STATE_CONNECTED : KILN_CHANNEL_STATE_DISCONNECTED;
}

/* The live definition says which pty it became. */
static void
record_path(KilnCharSource *source, const KilnChardev *chardev)
{
    const char *path = kiln_chardev_path(chardev);

    if (source->type != KILN_CHAR_TYPE_PTY || path == NULL)
        return;
    g_free(source->endpoint.path);
    source->endpoint.path = g_strdup(path);
}

static gboolean
is_at(const KilnDeviceInfo *info, const KilnController *controller)
{
    return info->address.type == KILN_ADDRESS_VIRTIO_SERIAL &&
           info->address.virtio_serial.controller == controller->index.value;
}

static gboolean
add_console(KilnMachine *machine, KilnVirtioDevice *device, KilnConsole *console, gboolean terminal,
            GError **error)
{
    KilnVirtioConsolePort port = { .number = console->info.address.virtio_serial.port,
                                   .console = TRUE };

    port.chardev = kiln_machine_open_chardev(machine, console->info.alias,
                                             terminal ? NULL : &console->source, TRUE, error);
    if (port.chardev == NULL)
        return FALSE;
    record_path(&console->source, port.chardev);
    return kiln_virtio_console_add_port(device, &port, error);
}

static gboolean
add_channel(KilnMachine *machine, KilnVirtioDevice *device, KilnChannel *channel, GError **error)
{
    KilnVirtioConsolePort port = {
        .number = channel->info.address.virtio_serial.port,
        .name = channel->target.name,
        .guest_connected = guest_connected,
        .opaque = channel,
    };

    channel->target.state = KILN_CHANNEL_STATE_DISCONNECTED;
    port.chardev =
        kiln_machine_open_chardev(machine, channel->info.alias, &channel->source, FALSE, error);
    if (port.chardev == NULL)
        return FALSE;
    record_path(&channel->source, port.chardev);
    return kiln_virtio_console_add_port(device, &port, error);
}

static gboolean
add_ports(KilnMachine *machine, KilnVirtioDevice *device, const KilnController *controller,
          GError **error)
{
    const KilnDomain *domain = machine->domain;
    gboolean terminal = machine->options.console && domain->serials->len == 0;

    for (guint i = 0; i < domain->consoles->len; i++) {
        KilnConsole *console = g_ptr_array_index(domain->consoles, i);

        if (!is_at(&console->info, controller))
            continue;
        if (!add_console(machine, device, console, terminal, error)) {
            g_prefix_error(error, "console %s: ", console->info.alias);
            return FALSE;
        }
        terminal = FALSE;
    }
    for (guint i = 0; i < domain->channels->len; i++) {
        KilnChannel *channel = g_ptr_array_index(domain->channels, i);

        if (is_at(&channel->info, controller) && !add_channel(machine, device, channel, error)) {
            g_prefix_error(error, "channel '%s': ",
                           channel->target.name != NULL ? channel->target.name
                                                        : channel->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
build_controller(KilnMachine *machine, const KilnController *controller, GError **error)
{
    KilnVirtioConsoleOptions options = {
        .virtio =
            kiln_machine_virtio_options(machine, &controller->info, &controller->driver.virtio),
        .max_ports = controller->ports.set ? (unsigned)controller->ports.value
                                           : KILN_VIRTIO_CONSOLE_DEFAULT_PORTS,
    };
    KilnVirtioDevice *device = kiln_virtio_console_new(&options, error);

    if (device == NULL)
        return FALSE;
    if (!add_ports(machine, device, controller, error)) {
        device->ops->free(device);
        return FALSE;
    }
    return kiln_machine_add_virtio(machine, device, &controller->info, &controller->driver.virtio,
                                   controller->vectors.set ? (guint)controller->vectors.value : 0,
                                   error);
}

gboolean
kiln_machine_build_virtio_serials(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(machine->domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_VIRTIO_SERIAL &&
            !build_controller(machine, controller, error))
            return FALSE;
    }
    return TRUE;
}
