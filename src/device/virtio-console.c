/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-console.h. */
#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "device/virtio-console-private.h"

enum {
    CONFIG_BYTES = 12, /* struct virtio_console_config */
    CONFIG_EMERGENCY = 8,
};

int
kiln_console_pop(KilnConsole *console, unsigned number, KilnVirtqElement *element,
                 struct iovec *iov)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    int popped;

    if (!kiln_virtqueue_started(queue))
        return 0;
    element->iov = iov;
    element->max_iov = CONSOLE_QUEUE_SIZE;
    popped = kiln_virtqueue_pop(queue, element);
    if (popped < 0)
        kiln_virtio_device_broken(&console->device, "bad descriptors in queue %u", number);
    return MAX(popped, 0);
}

static void
on_changed(gpointer data)
{
    KilnConsole *console = data;

    for (unsigned i = 0; i < console->max_ports; i++)
        kiln_console_report(&console->ports[i]);
}

static void
console_kick(KilnVirtioDevice *device, unsigned queue)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnConsolePort *port = &console->ports[queue < 2 ? 0 : (queue - 2) / 2];

    if (queue == CONSOLE_QUEUE_CONTROL_IN) {
        kiln_console_tell_driver(console);
    } else if (queue == CONSOLE_QUEUE_CONTROL_OUT) {
        kiln_console_take_control(console);
    } else if (queue % 2 == 0) {
        if (port->chardev != NULL && port->in_blocked)
            kiln_chardev_resume_input(port->chardev);
    } else if (port->chardev != NULL) {
        kiln_console_transmit(port);
    } else {
        kiln_console_discard(console, queue);
    }
}

static gboolean
console_start(KilnVirtioDevice *device, GError **error)
{
    KilnConsole *console = (KilnConsole *)device;

    for (unsigned i = 0; i < console->max_ports; i++) {
        KilnConsolePort *port = &console->ports[i];

        if (port->chardev == NULL)
            continue;
        kiln_console_host_opened(port, port->host_open); /* what was loaded was so elsewhere */
        kiln_chardev_resume_input(port->chardev);
    }
    kiln_console_tell_driver(console);
    return TRUE;
}

static void
console_stop(KilnVirtioDevice *device)
{
    KilnConsole *console = (KilnConsole *)device;

    for (unsigned i = 0; i < console->max_ports; i++)
        kiln_console_take_back(&console->ports[i], TRUE, TRUE);
    kiln_virtio_device_stopped(device);
}

static void
console_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnConsolePort *port = &console->ports[queue < 2 ? 0 : (queue - 2) / 2];

    if (queue != CONSOLE_QUEUE_CONTROL_IN && queue != CONSOLE_QUEUE_CONTROL_OUT) {
        kiln_console_take_back(port, queue % 2 == 0, queue % 2 == 1);
        port->out_offset = queue % 2 == 1 ? 0 : port->out_offset;
    }
    kiln_virtio_device_queue_stopped(device, queue);
}

static void
console_reset(KilnVirtioDevice *device)
{
    KilnConsole *console = (KilnConsole *)device;

    console->driver_ready = FALSE;
    for (unsigned i = 0; i < console->max_ports; i++) {
        KilnConsolePort *port = &console->ports[i];

        port->announced = port->ready = port->told_open = port->guest_open = FALSE;
        port->tell = 0;
        port->out_offset = 0;
    }
    kiln_event_set(&console->changed); /* reported without the lock */
}

static void
console_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnChardev *chardev = console->ports[0].chardev;

    /* The emergency write, virtio 1.2 §5.3.4: a byte that needs no queue. */
    if (offset == CONFIG_EMERGENCY && chardev != NULL)
        kiln_chardev_write(chardev, data, 1);
}

static void
clear_port(KilnConsolePort *port)
{
    kiln_chardev_set_frontend(port->chardev, NULL, NULL);
    kiln_virtio_device_lock(&port->console->device);
    port->chardev = NULL;
    kiln_virtio_device_unlock(&port->console->device);
    g_clear_pointer(&port->name, g_free);
    g_clear_pointer(&port->in_iov, g_free);
    g_clear_pointer(&port->out_iov, g_free);
}

static void
console_free(KilnVirtioDevice *device)
{
    KilnConsole *console = (KilnConsole *)device;

    for (unsigned i = 0; i < console->max_ports; i++)
        if (console->ports[i].chardev != NULL)
            clear_port(&console->ports[i]);
    kiln_source_free(console->changed_source);
    kiln_event_clear(&console->changed);
    kiln_virtio_device_clear(device);
    g_free(console);
}

static void
console_pre_save(void *object)
{
    KilnConsole *console = object;

    for (unsigned i = 0; i < console->max_ports; i++)
        console->ports[i].there = console->ports[i].chardev != NULL;
}

static gboolean
console_post_load(void *object, GError **error)
{
    KilnConsole *console = object;

    for (unsigned i = 0; i < KILN_VIRTIO_CONSOLE_MAX_PORTS; i++) {
        KilnConsolePort *port = &console->ports[i];

        if (port->there != (port->chardev != NULL))
            return kiln_error_set(error, KILN_ERROR_INVALID, "port %u is %s", i,
                                  port->there ? "not there" : "new");
        if (!port->there) {
            port->tell &= CONSOLE_TELL_REMOVE;
            port->ready = FALSE;
        }
        if (port->name == NULL)
            port->tell &= (uint8_t)~CONSOLE_TELL_NAME;
    }
    kiln_event_set(&console->changed);
    return TRUE;
}

static const KilnStateField port_fields[] = {
    KILN_STATE_FLAG(KilnConsolePort, there, 1),
    KILN_STATE_FLAG(KilnConsolePort, announced, 1),
    KILN_STATE_FLAG(KilnConsolePort, ready, 1),
    KILN_STATE_FLAG(KilnConsolePort, told_open, 1),
    KILN_STATE_FLAG(KilnConsolePort, guest_open, 1),
    KILN_STATE_RANGE(KilnConsolePort, tell, 1, 0, CONSOLE_TELL_ALL),
    KILN_STATE(KilnConsolePort, columns, 1),
    KILN_STATE(KilnConsolePort, rows, 1),
    KILN_STATE(KilnConsolePort, out_offset, 1),
    KILN_STATE_END,
};

static const KilnStateDescription port_state = {
    .name = "port", .version = 1, .min_version = 1, .fields = port_fields
};

static const KilnStateField console_fields[] = {
    KILN_STATE_FLAG(KilnConsole, driver_ready, 1),
    KILN_STATE_STRUCT_ARRAY(KilnConsole, ports, 1, &port_state),
    KILN_STATE_END,
};

static const KilnStateDescription console_state = { .name = "virtio-console",
                                                    .version = 1,
                                                    .min_version = 1,
                                                    .fields = console_fields,
                                                    .pre_save = console_pre_save,
                                                    .post_load = console_post_load };

static const KilnVirtioOps console_ops = {
    .name = "virtio-console",
    .id = VIRTIO_ID_CONSOLE,
    .start = console_start,
    .stop = console_stop,
    .kick = console_kick,
    .queue_stop = console_queue_stop,
    .config_write = console_config_write,
    .reset = console_reset,
    .free = console_free,
    .state = &console_state,
};

KilnVirtioDevice *
kiln_virtio_console_new(const KilnVirtioConsoleOptions *options, GError **error)
{
    KilnVirtioOptions virtio = options->virtio;
    KilnConsole *console;
    KilnEvent changed = KILN_EVENT_NONE;

    g_return_val_if_fail(
        options->max_ports > 0 && options->max_ports <= KILN_VIRTIO_CONSOLE_MAX_PORTS, NULL);
    if (!kiln_event_open(&changed, error))
        return NULL;
    virtio.context = NULL;
    virtio.n_queues = 2 * options->max_ports + 2;
    virtio.queue_size = CONSOLE_QUEUE_SIZE;
    virtio.features = UINT64_C(1) << VIRTIO_CONSOLE_F_SIZE |
                      UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT |
                      UINT64_C(1) << VIRTIO_CONSOLE_F_EMERG_WRITE;
    virtio.config_size = CONFIG_BYTES;
    console = g_new0(KilnConsole, 1);
    console->max_ports = options->max_ports;
    console->changed = changed;
    console->changed_source = kiln_event_source_new(&console->changed, NULL, on_changed, console);
    for (unsigned i = 0; i < KILN_VIRTIO_CONSOLE_MAX_PORTS; i++)
        console->ports[i] = (KilnConsolePort){ .console = console, .number = i };
    kiln_virtio_device_init(&console->device, &console_ops, &virtio);
    kiln_le32_store(console->device.config + 4, console->max_ports);
    return &console->device;
}

gboolean
kiln_virtio_console_add_port(KilnVirtioDevice *device, const KilnVirtioConsolePort *options,
                             GError **error)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnConsolePort *port =
        options->number < console->max_ports ? &console->ports[options->number] : NULL;

    if (port == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%s: port %u of a device with %u ports",
                              device->id, options->number, console->max_ports);
    if (port->chardev != NULL)
        return kiln_error_set(error, KILN_ERROR_EXISTS, "%s: port %u is there already", device->id,
                              options->number);
    if (options->name != NULL && strlen(options->name) > KILN_VIRTIO_CONSOLE_MAX_NAME)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%s: the name '%s' is too long",
                              device->id, options->name);
    port->name = g_strdup(options->name);
    port->is_console = port->host_open = options->console;
    port->guest_connected = options->guest_connected;
    port->opaque = options->opaque;
    port->in_iov = g_new(struct iovec, CONSOLE_QUEUE_SIZE);
    port->out_iov = g_new(struct iovec, CONSOLE_QUEUE_SIZE);
    kiln_virtio_device_lock(device);
    port->chardev = options->chardev;
    kiln_virtio_device_unlock(device);
    kiln_chardev_set_frontend(
        port->chardev, port->is_console ? &kiln_console_frontend : &kiln_channel_frontend, port);
    if (console->driver_ready)
        port->tell |= CONSOLE_TELL_ADD;
    kiln_console_tell_driver(console);
    return TRUE;
}

gboolean
kiln_virtio_console_remove_port(KilnVirtioDevice *device, unsigned number, GError **error)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnConsolePort *port = number < console->max_ports ? &console->ports[number] : NULL;

    if (port == NULL || port->chardev == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "%s: there is no port %u", device->id,
                              number);
    kiln_console_take_back(port, TRUE, TRUE);
    clear_port(port);
    port->tell = port->announced ? CONSOLE_TELL_REMOVE : 0;
    port->ready = port->told_open = port->guest_open = port->reported = FALSE;
    port->host_open = port->in_blocked = FALSE;
    port->out_offset = 0;
    port->columns = port->rows = 0;
    if (kiln_virtio_device_running(device))
        kiln_console_discard(console, kiln_console_in_queue(number) +
                                          1); /* nobody waits for what was under way */
    kiln_console_tell_driver(console);
    return TRUE;
}

gboolean
kiln_virtio_console_guest_connected(const KilnVirtioDevice *device, unsigned number)
{
    const KilnConsole *console = (const KilnConsole *)device;

    return number < console->max_ports && console->ports[number].guest_open;
}

void
kiln_virtio_console_resize(KilnVirtioDevice *device, unsigned number, uint16_t columns,
                           uint16_t rows)
{
    KilnConsole *console = (KilnConsole *)device;
    KilnConsolePort *port = number < console->max_ports ? &console->ports[number] : NULL;

    if (port == NULL || !port->is_console || (port->columns == columns && port->rows == rows))
        return;
    port->columns = columns;
    port->rows = rows;
    if (port->ready)
        port->tell |= CONSOLE_TELL_SIZE;
    kiln_console_tell_driver(console);
    if (number != 0)
        return;
    kiln_virtio_device_lock(device);
    kiln_le16_store(device->config, columns);
    kiln_le16_store(device->config + 2, rows);
    kiln_virtio_device_unlock(device);
    kiln_virtio_device_config_changed(device);
}
