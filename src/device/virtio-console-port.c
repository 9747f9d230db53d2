/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port's bytes: from its transmit queue to the chardev, from the chardev to its receive queue. */
#include "device/virtio-console-private.h"
#include "device/virtio-turn.h"

/* Returns: whether all of the port's transmit buffer is sent. */
static gboolean
send_buffer(KilnConsolePort *port)
{
    uint32_t skip = port->out_offset;

    for (unsigned i = 0; i < port->out.n_out; i++) {
        const struct iovec *piece = &port->out.iov[i];
        gsize taken, wanted = piece->iov_len - MIN(piece->iov_len, skip);

        if (wanted == 0) {
            skip -= (uint32_t)piece->iov_len;
            continue;
        }
        taken = kiln_chardev_write(port->chardev, (const uint8_t *)piece->iov_base + skip, wanted);
        port->out_offset += (uint32_t)taken;
        if (taken < wanted)
            return FALSE;
        skip = 0;
    }
    port->out_offset = 0;
    return TRUE;
}

void
kiln_console_transmit(KilnConsolePort *port)
{
    KilnConsole *console = port->console;
    unsigned number = kiln_console_in_queue(port->number) + 1;
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN; turns++) {
        if (!port->out_held && !kiln_console_pop(console, number, &port->out, port->out_iov))
            break;
        port->out_held = TRUE;
        if (!send_buffer(port))
            break; /* on_writable() goes on */
        port->out_held = FALSE;
        kiln_virtqueue_push(queue, &port->out, 0);
    }
    kiln_virtqueue_flush(queue);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&console->device, number);
}

void
kiln_console_discard(KilnConsole *console, unsigned number)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    KilnVirtqElement element;

    for (unsigned turns = 0; turns < KILN_VIRTIO_TURN &&
                             kiln_console_pop(console, number, &element, console->control_iov);
         turns++)
        kiln_virtqueue_push(queue, &element, 0);
    kiln_virtqueue_flush(queue);
    if (kiln_virtqueue_started(queue) && kiln_virtqueue_has_work(queue))
        kiln_virtio_another_turn(&console->device, number);
}

static gsize
on_can_receive(void *context)
{
    KilnConsolePort *port = context;
    KilnConsole *console = port->console;

    if (!kiln_virtio_device_running(&console->device) ||
        !(kiln_console_multiport(console) ? port->guest_open : port->number == 0))
        return 0; /* start and PORT_OPEN resume */
    if (!port->in_held)
        port->in_held =
            kiln_console_pop(console, kiln_console_in_queue(port->number), &port->in, port->in_iov);
    port->in_blocked = !port->in_held;
    if (port->in_blocked)
        return 0;
    if (port->in.in_bytes == 0)
        kiln_virtio_device_broken(&console->device, "a receive buffer of no bytes");
    return port->in.in_bytes;
}

static void
on_receive(void *context, const uint8_t *data, gsize length)
{
    KilnConsolePort *port = context;
    KilnVirtqueue *queue =
        kiln_virtio_device_queue(&port->console->device, kiln_console_in_queue(port->number));

    kiln_virtqueue_copy_in(&port->in, 0, data, length);
    port->in_held = FALSE;
    kiln_virtqueue_push(queue, &port->in, (uint32_t)length);
    kiln_virtqueue_flush(queue);
}

static void
on_event(void *context, KilnChardevEvent event)
{
    KilnConsolePort *port = context;

    if (event == KILN_CHARDEV_BREAK || port->is_console)
        return;
    kiln_console_host_opened(port, event == KILN_CHARDEV_OPENED);
    kiln_console_tell_driver(port->console);
}

static void
on_writable(void *context)
{
    KilnConsolePort *port = context;

    if (kiln_virtio_device_running(&port->console->device))
        kiln_console_transmit(port);
}

/* A kernel that prints waits for its buffer with interrupts off; a program on a channel sleeps. */
const KilnChardevFrontend kiln_console_frontend = {
    .can_receive = on_can_receive, .receive = on_receive, .event = on_event, .writable = on_writable
};
const KilnChardevFrontend kiln_channel_frontend = { .can_receive = on_can_receive,
                                                    .receive = on_receive,
                                                    .event = on_event,
                                                    .writable = on_writable,
                                                    .patient = TRUE };

void
kiln_console_take_back(KilnConsolePort *port, gboolean in, gboolean out)
{
    KilnVirtioDevice *device = &port->console->device;
    unsigned queue = kiln_console_in_queue(port->number);

    if (in && port->in_held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, queue), &port->in);
    if (out && port->out_held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, queue + 1), &port->out);
    port->in_held = port->in_held && !in;
    port->out_held = port->out_held && !out;
}
