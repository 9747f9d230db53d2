/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control queues (virtio 1.2 §5.3.6.2): what driver and device tell each other of ports. */
#include <string.h>

#include "base/le.h"
#include "device/virtio-console-private.h"
#include "device/virtio-turn.h"

enum {
    CONTROL_BYTES = 8, /* struct virtio_console_control */
    CONTROL_MAX = CONTROL_BYTES + KILN_VIRTIO_CONSOLE_MAX_NAME,
};

/* ---- Telling the driver ---- */

/* Writes the message that @tell stands for.  Returns: its length. */
static size_t
message(const KilnConsolePort *port, unsigned tell, uint8_t *to)
{
    uint16_t event = VIRTIO_CONSOLE_PORT_OPEN, value = 1;
    size_t length = CONTROL_BYTES;

    switch (tell) {
    case CONSOLE_TELL_REMOVE: event = VIRTIO_CONSOLE_PORT_REMOVE; break;
    case CONSOLE_TELL_ADD: event = VIRTIO_CONSOLE_PORT_ADD; break;
    case CONSOLE_TELL_CONSOLE: event = VIRTIO_CONSOLE_CONSOLE_PORT; break;
    case CONSOLE_TELL_NAME: /* without a NUL: virtio 1.2 §5.3.6.2 */
        event = VIRTIO_CONSOLE_PORT_NAME;
        memcpy(to + length, port->name, strlen(port->name));
        length += strlen(port->name);
        break;
    case CONSOLE_TELL_SIZE:
        /* The specification has the columns first; Linux, whose drivers alone know the message,
         * reads the rows first. */
        event = VIRTIO_CONSOLE_RESIZE;
        kiln_le16_store(to + length, port->rows);
        kiln_le16_store(to + length + 2, port->columns);
        length += 4;
        break;
    case CONSOLE_TELL_CLOSED: value = 0; break;
    default: break;
    }
    kiln_le32_store(to, port->number);
    kiln_le16_store(to + 4, event);
    kiln_le16_store(to + 6, value);
    return length;
}

/* Returns: FALSE if the driver has no buffer for it now. */
static gboolean
send_message(KilnConsole *console, KilnConsolePort *port, unsigned tell)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, CONSOLE_QUEUE_CONTROL_IN);
    KilnVirtqElement element;
    uint8_t bytes[CONTROL_MAX];
    size_t length = message(port, tell, bytes);

    if (!kiln_console_pop(console, CONSOLE_QUEUE_CONTROL_IN, &element, console->control_iov))
        return FALSE;
    if (element.in_bytes < CONTROL_BYTES) {
        kiln_virtio_device_broken(&console->device, "a control buffer of %u bytes",
                                  element.in_bytes);
        return FALSE;
    }
    length = kiln_virtqueue_copy_in(&element, 0, bytes, length);
    kiln_virtqueue_push(queue, &element, (uint32_t)length);
    return TRUE;
}

static void
told(KilnConsolePort *port, unsigned tell)
{
    port->tell &= (uint8_t)~tell;
    if (tell == CONSOLE_TELL_ADD || tell == CONSOLE_TELL_REMOVE)
        port->announced = tell == CONSOLE_TELL_ADD;
    else if (tell == CONSOLE_TELL_OPEN || tell == CONSOLE_TELL_CLOSED)
        port->told_open = tell == CONSOLE_TELL_OPEN;
}

/* What of @tell may be sent already: of a port that is not set up only that it comes or goes. */
static unsigned
due(const KilnConsolePort *port)
{
    return port->tell & (port->ready ? CONSOLE_TELL_ALL : CONSOLE_TELL_REMOVE | CONSOLE_TELL_ADD);
}

/* Returns: FALSE if the driver has too few buffers. */
static gboolean
tell_of_port(KilnConsole *console, KilnConsolePort *port)
{
    for (unsigned tell = 1; tell <= CONSOLE_TELL_LAST; tell <<= 1) {
        if (!(due(port) & tell))
            continue;
        if (!send_message(console, port, tell))
            return FALSE;
        told(port, tell);
    }
    return TRUE;
}

void
kiln_console_tell_driver(KilnConsole *console)
{
    if (!kiln_virtio_device_running(&console->device) || !kiln_console_multiport(console) ||
        !console->driver_ready)
        return;
    for (unsigned i = 0; i < console->max_ports; i++)
        if (!tell_of_port(console, &console->ports[i]))
            break;
    kiln_virtqueue_flush(kiln_virtio_device_queue(&console->device, CONSOLE_QUEUE_CONTROL_IN));
}

void
kiln_console_host_opened(KilnConsolePort *port, gboolean open)
{
    port->host_open = open;
    if (!port->ready)
        return; /* it is told when it is */
    if (!open) {
        port->tell &= (uint8_t)~CONSOLE_TELL_OPEN;
        port->tell |= port->told_open ? CONSOLE_TELL_CLOSED : 0;
    } else if (!port->told_open || (port->tell & CONSOLE_TELL_CLOSED)) {
        port->tell |= CONSOLE_TELL_OPEN;
    }
}

/* ---- Hearing from the driver ---- */

void
kiln_console_report(KilnConsolePort *port)
{
    gboolean open = port->guest_open;

    if (port->chardev == NULL || open == port->reported)
        return;
    port->reported = open;
    if (port->guest_connected != NULL)
        port->guest_connected(port->opaque, port->number, open);
}

static void
port_is_ready(KilnConsolePort *port)
{
    port->ready = TRUE;
    port->told_open = FALSE;
    port->tell &= CONSOLE_TELL_REMOVE | CONSOLE_TELL_ADD;
    port->tell |= port->is_console ? CONSOLE_TELL_CONSOLE : 0;
    port->tell |= port->name != NULL ? CONSOLE_TELL_NAME : 0;
    port->tell |= port->is_console && port->columns != 0 ? CONSOLE_TELL_SIZE : 0;
    port->tell |= port->host_open ? CONSOLE_TELL_OPEN : 0;
}

static void
driver_is_ready(KilnConsole *console)
{
    console->driver_ready = TRUE;
    for (unsigned i = 0; i < console->max_ports; i++)
        if (console->ports[i].chardev != NULL && !console->ports[i].announced)
            console->ports[i].tell |= CONSOLE_TELL_ADD;
}

static void
control(KilnConsole *console, uint32_t id, uint16_t event, uint16_t value)
{
    KilnConsolePort *port = id < console->max_ports ? &console->ports[id] : NULL;

    if (event == VIRTIO_CONSOLE_DEVICE_READY && value == 1) {
        driver_is_ready(console);
    } else if (event == VIRTIO_CONSOLE_PORT_READY && value == 1 && port != NULL &&
               port->chardev != NULL && port->announced) {
        port_is_ready(port);
    } else if (event == VIRTIO_CONSOLE_PORT_OPEN && port != NULL && port->chardev != NULL) {
        port->guest_open = value != 0;
        kiln_console_report(port);
        if (port->guest_open)
            kiln_chardev_resume_input(port->chardev);
    } else if (event != VIRTIO_CONSOLE_PORT_OPEN) { /* of a port that was just removed: usual */
        kiln_log_guest(&console->log_limit, "%s: the driver sent event %u with %u for port %u",
                       console->device.id, event, value, id);
    }
}

void
kiln_console_take_control(KilnConsole *console)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, CONSOLE_QUEUE_CONTROL_OUT);
    KilnVirtqElement element;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN &&
           kiln_console_pop(console, CONSOLE_QUEUE_CONTROL_OUT, &element, console->control_iov);
         turns++) {
        uint8_t bytes[CONTROL_BYTES];
        size_t length = kiln_virtqueue_copy_out(&element, 0, bytes, sizeof bytes);

        kiln_virtqueue_push(queue, &element, 0);
        if (length == sizeof bytes)
            control(console, kiln_le32_load(bytes), kiln_le16_load(bytes + 4),
                    kiln_le16_load(bytes + 6));
    }
    kiln_virtqueue_flush(queue);
    kiln_console_tell_driver(console);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&console->device, CONSOLE_QUEUE_CONTROL_OUT);
}
