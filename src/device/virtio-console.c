/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-console.h. */
#include "device/virtio-console.h"

#include <linux/virtio_console.h>
#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "base/log.h"
#include "device/virtio-turn.h"
#include "loop/event.h"

enum {
    QUEUE_CONTROL_IN = 2, /* virtio 1.2 §5.3.2; the device writes it */
    QUEUE_CONTROL_OUT = 3,
    QUEUE_SIZE = 128,
    CONTROL_BYTES = 8, /* struct virtio_console_control */
    CONTROL_MAX = CONTROL_BYTES + KILN_VIRTIO_CONSOLE_MAX_NAME,
    CONFIG_BYTES = 12, /* struct virtio_console_config */
    CONFIG_EMERGENCY = 8,

    /* What the driver is still to be told of a port, in this order. */
    TELL_REMOVE = 1 << 0,
    TELL_ADD = 1 << 1,
    TELL_CONSOLE = 1 << 2,
    TELL_NAME = 1 << 3,
    TELL_SIZE = 1 << 4,
    TELL_CLOSED = 1 << 5,
    TELL_OPEN = 1 << 6,
    TELL_ALL = 0x7f,
    TELL_LAST = TELL_OPEN,
};

typedef struct Console Console;

typedef struct {
    Console *console;
    unsigned number;
    KilnChardev *chardev; /* (nullable): a place without a port; guarded by the device lock */
    char *name;           /* (owned) (nullable) */
    gboolean is_console;
    void (*guest_connected)(void *opaque, unsigned number, gboolean connected);
    void *opaque;
    gboolean host_open;  /* somebody is at the chardev's other end */
    gboolean reported;   /* what @guest_connected was told last */
    gboolean in_blocked; /* the chardev was told that there is no room */
    gboolean in_held, out_held;
    KilnVirtqElement in, out; /* popped while so */
    struct iovec *in_iov;     /* (owned): QUEUE_SIZE each */
    struct iovec *out_iov;

    /* Saved. */
    gboolean there;      /* whether there was a port; for a check at loading */
    gboolean announced;  /* the driver knows of it: PORT_ADD was sent */
    gboolean ready;      /* the driver has set it up: PORT_READY */
    gboolean told_open;  /* the last PORT_OPEN that it was sent */
    gboolean guest_open; /* the last that it sent */
    uint8_t tell;        /* TELL_… */
    uint16_t columns, rows;
    uint32_t out_offset; /* bytes of the next transmit buffer that are sent already */
} Port;

struct Console {
    KilnVirtioDevice device;
    unsigned max_ports;
    gboolean driver_ready; /* saved: DEVICE_READY came */
    KilnEvent changed;     /* what the guest has open may be other than was reported */
    GSource *changed_source;
    KilnRatelimit log_limit;
    struct iovec control_iov[QUEUE_SIZE];
    Port ports[KILN_VIRTIO_CONSOLE_MAX_PORTS];
};

/* Port 0 has queues 0 and 1, port n > 0 has 2n + 2 and 2n + 3: virtio 1.2 §5.3.2. */
static unsigned
in_queue(unsigned port)
{
    return port == 0 ? 0 : 2 * port + 2;
}

static gboolean
multiport(const Console *console)
{
    return kiln_virtio_device_has_feature(&console->device, VIRTIO_CONSOLE_F_MULTIPORT);
}

static int
pop(Console *console, unsigned number, KilnVirtqElement *element, struct iovec *iov)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    int popped;

    if (!kiln_virtqueue_started(queue))
        return 0;
    element->iov = iov;
    element->max_iov = QUEUE_SIZE;
    popped = kiln_virtqueue_pop(queue, element);
    if (popped < 0)
        kiln_virtio_device_broken(&console->device, "bad descriptors in queue %u", number);
    return MAX(popped, 0);
}

/* ---- Telling the driver ---- */

/* Writes the message that @tell stands for.  Returns: its length. */
static size_t
message(const Port *port, unsigned tell, uint8_t *to)
{
    uint16_t event = VIRTIO_CONSOLE_PORT_OPEN, value = 1;
    size_t length = CONTROL_BYTES;

    switch (tell) {
    case TELL_REMOVE: event = VIRTIO_CONSOLE_PORT_REMOVE; break;
    case TELL_ADD: event = VIRTIO_CONSOLE_PORT_ADD; break;
    case TELL_CONSOLE: event = VIRTIO_CONSOLE_CONSOLE_PORT; break;
    case TELL_NAME: /* without a NUL: virtio 1.2 §5.3.6.2 */
        event = VIRTIO_CONSOLE_PORT_NAME;
        memcpy(to + length, port->name, strlen(port->name));
        length += strlen(port->name);
        break;
    case TELL_SIZE:
        /* The specification has the columns first; Linux, whose drivers alone know the message,
         * reads the rows first. */
        event = VIRTIO_CONSOLE_RESIZE;
        kiln_le16_store(to + length, port->rows);
        kiln_le16_store(to + length + 2, port->columns);
        length += 4;
        break;
    case TELL_CLOSED: value = 0; break;
    default: break;
    }
    kiln_le32_store(to, port->number);
    kiln_le16_store(to + 4, event);
    kiln_le16_store(to + 6, value);
    return length;
}

/* Returns: FALSE if the driver has no buffer for it now. */
static gboolean
send_message(Console *console, Port *port, unsigned tell)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, QUEUE_CONTROL_IN);
    KilnVirtqElement element;
    uint8_t bytes[CONTROL_MAX];
    size_t length = message(port, tell, bytes);

    if (!pop(console, QUEUE_CONTROL_IN, &element, console->control_iov))
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
told(Port *port, unsigned tell)
{
    port->tell &= (uint8_t)~tell;
    if (tell == TELL_ADD || tell == TELL_REMOVE)
        port->announced = tell == TELL_ADD;
    else if (tell == TELL_OPEN || tell == TELL_CLOSED)
        port->told_open = tell == TELL_OPEN;
}

/* What of @tell may be sent already: of a port that is not set up only that it comes or goes. */
static unsigned
due(const Port *port)
{
    return port->tell & (port->ready ? TELL_ALL : TELL_REMOVE | TELL_ADD);
}

/* Returns: FALSE if the driver has too few buffers. */
static gboolean
tell_of_port(Console *console, Port *port)
{
    for (unsigned tell = 1; tell <= TELL_LAST; tell <<= 1) {
        if (!(due(port) & tell))
            continue;
        if (!send_message(console, port, tell))
            return FALSE;
        told(port, tell);
    }
    return TRUE;
}

static void
tell_driver(Console *console)
{
    if (!kiln_virtio_device_running(&console->device) || !multiport(console) ||
        !console->driver_ready)
        return;
    for (unsigned i = 0; i < console->max_ports; i++)
        if (!tell_of_port(console, &console->ports[i]))
            break;
    kiln_virtqueue_flush(kiln_virtio_device_queue(&console->device, QUEUE_CONTROL_IN));
}

static void
host_opened(Port *port, gboolean open)
{
    port->host_open = open;
    if (!port->ready)
        return; /* it is told when it is */
    if (!open) {
        port->tell &= (uint8_t)~TELL_OPEN;
        port->tell |= port->told_open ? TELL_CLOSED : 0;
    } else if (!port->told_open || (port->tell & TELL_CLOSED)) {
        port->tell |= TELL_OPEN;
    }
}

/* ---- Hearing from the driver ---- */

static void
report(Port *port)
{
    gboolean open = port->guest_open;

    if (port->chardev == NULL || open == port->reported)
        return;
    port->reported = open;
    if (port->guest_connected != NULL)
        port->guest_connected(port->opaque, port->number, open);
}

static void
on_changed(gpointer data)
{
    Console *console = data;

    for (unsigned i = 0; i < console->max_ports; i++)
        report(&console->ports[i]);
}

static void
port_is_ready(Port *port)
{
    port->ready = TRUE;
    port->told_open = FALSE;
    port->tell &= TELL_REMOVE | TELL_ADD;
    port->tell |= port->is_console ? TELL_CONSOLE : 0;
    port->tell |= port->name != NULL ? TELL_NAME : 0;
    port->tell |= port->is_console && port->columns != 0 ? TELL_SIZE : 0;
    port->tell |= port->host_open ? TELL_OPEN : 0;
}

static void
driver_is_ready(Console *console)
{
    console->driver_ready = TRUE;
    for (unsigned i = 0; i < console->max_ports; i++)
        if (console->ports[i].chardev != NULL && !console->ports[i].announced)
            console->ports[i].tell |= TELL_ADD;
}

static void
control(Console *console, uint32_t id, uint16_t event, uint16_t value)
{
    Port *port = id < console->max_ports ? &console->ports[id] : NULL;

    if (event == VIRTIO_CONSOLE_DEVICE_READY && value == 1) {
        driver_is_ready(console);
    } else if (event == VIRTIO_CONSOLE_PORT_READY && value == 1 && port != NULL &&
               port->chardev != NULL && port->announced) {
        port_is_ready(port);
    } else if (event == VIRTIO_CONSOLE_PORT_OPEN && port != NULL && port->chardev != NULL) {
        port->guest_open = value != 0;
        report(port);
        if (port->guest_open)
            kiln_chardev_resume_input(port->chardev);
    } else if (event != VIRTIO_CONSOLE_PORT_OPEN) { /* of a port that was just removed: usual */
        kiln_log_guest(&console->log_limit, "%s: the driver sent event %u with %u for port %u",
                       console->device.id, event, value, id);
    }
}

static void
take_control(Console *console)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, QUEUE_CONTROL_OUT);
    KilnVirtqElement element;
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN &&
           pop(console, QUEUE_CONTROL_OUT, &element, console->control_iov);
         turns++) {
        uint8_t bytes[CONTROL_BYTES];
        size_t length = kiln_virtqueue_copy_out(&element, 0, bytes, sizeof bytes);

        kiln_virtqueue_push(queue, &element, 0);
        if (length == sizeof bytes)
            control(console, kiln_le32_load(bytes), kiln_le16_load(bytes + 4),
                    kiln_le16_load(bytes + 6));
    }
    kiln_virtqueue_flush(queue);
    tell_driver(console);
    if (turns == KILN_VIRTIO_TURN)
        kiln_virtio_another_turn(&console->device, QUEUE_CONTROL_OUT);
}

/* ---- Bytes ---- */

/* Returns: whether all of the port's transmit buffer is sent. */
static gboolean
send_buffer(Port *port)
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

static void
transmit(Port *port)
{
    Console *console = port->console;
    unsigned number = in_queue(port->number) + 1;
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    unsigned turns = 0;

    for (; turns < KILN_VIRTIO_TURN; turns++) {
        if (!port->out_held && !pop(console, number, &port->out, port->out_iov))
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

/* Of a place without a port: a driver that has not heard yet loses what it sends. */
static void
discard(Console *console, unsigned number)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&console->device, number);
    KilnVirtqElement element;

    for (unsigned turns = 0;
         turns < KILN_VIRTIO_TURN && pop(console, number, &element, console->control_iov); turns++)
        kiln_virtqueue_push(queue, &element, 0);
    kiln_virtqueue_flush(queue);
    if (kiln_virtqueue_started(queue) && kiln_virtqueue_has_work(queue))
        kiln_virtio_another_turn(&console->device, number);
}

static gsize
on_can_receive(void *context)
{
    Port *port = context;
    Console *console = port->console;

    if (!kiln_virtio_device_running(&console->device) ||
        !(multiport(console) ? port->guest_open : port->number == 0))
        return 0; /* start and PORT_OPEN resume */
    if (!port->in_held)
        port->in_held = pop(console, in_queue(port->number), &port->in, port->in_iov);
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
    Port *port = context;
    KilnVirtqueue *queue = kiln_virtio_device_queue(&port->console->device, in_queue(port->number));

    kiln_virtqueue_copy_in(&port->in, 0, data, length);
    port->in_held = FALSE;
    kiln_virtqueue_push(queue, &port->in, (uint32_t)length);
    kiln_virtqueue_flush(queue);
}

static void
on_event(void *context, KilnChardevEvent event)
{
    Port *port = context;

    if (event == KILN_CHARDEV_BREAK || port->is_console)
        return;
    host_opened(port, event == KILN_CHARDEV_OPENED);
    tell_driver(port->console);
}

static void
on_writable(void *context)
{
    Port *port = context;

    if (kiln_virtio_device_running(&port->console->device))
        transmit(port);
}

/* A kernel that prints waits for its buffer with interrupts off; a program on a channel sleeps. */
static const KilnChardevFrontend console_frontend = {
    .can_receive = on_can_receive, .receive = on_receive, .event = on_event, .writable = on_writable
};
static const KilnChardevFrontend channel_frontend = { .can_receive = on_can_receive,
                                                      .receive = on_receive,
                                                      .event = on_event,
                                                      .writable = on_writable,
                                                      .patient = TRUE };

/* ---- The device ---- */

static void
console_kick(KilnVirtioDevice *device, unsigned queue)
{
    Console *console = (Console *)device;
    Port *port = &console->ports[queue < 2 ? 0 : (queue - 2) / 2];

    if (queue == QUEUE_CONTROL_IN) {
        tell_driver(console);
    } else if (queue == QUEUE_CONTROL_OUT) {
        take_control(console);
    } else if (queue % 2 == 0) {
        if (port->chardev != NULL && port->in_blocked)
            kiln_chardev_resume_input(port->chardev);
    } else if (port->chardev != NULL) {
        transmit(port);
    } else {
        discard(console, queue);
    }
}

static gboolean
console_start(KilnVirtioDevice *device, GError **error)
{
    Console *console = (Console *)device;

    for (unsigned i = 0; i < console->max_ports; i++) {
        Port *port = &console->ports[i];

        if (port->chardev == NULL)
            continue;
        host_opened(port, port->host_open); /* what was loaded was so elsewhere */
        kiln_chardev_resume_input(port->chardev);
    }
    tell_driver(console);
    return TRUE;
}

static void
take_back(Port *port, gboolean in, gboolean out)
{
    KilnVirtioDevice *device = &port->console->device;
    unsigned queue = in_queue(port->number);

    if (in && port->in_held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, queue), &port->in);
    if (out && port->out_held)
        kiln_virtqueue_unpop(kiln_virtio_device_queue(device, queue + 1), &port->out);
    port->in_held = port->in_held && !in;
    port->out_held = port->out_held && !out;
}

static void
console_stop(KilnVirtioDevice *device)
{
    Console *console = (Console *)device;

    for (unsigned i = 0; i < console->max_ports; i++)
        take_back(&console->ports[i], TRUE, TRUE);
    kiln_virtio_device_stopped(device);
}

static void
console_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    Console *console = (Console *)device;
    Port *port = &console->ports[queue < 2 ? 0 : (queue - 2) / 2];

    if (queue != QUEUE_CONTROL_IN && queue != QUEUE_CONTROL_OUT) {
        take_back(port, queue % 2 == 0, queue % 2 == 1);
        port->out_offset = queue % 2 == 1 ? 0 : port->out_offset;
    }
    kiln_virtio_device_queue_stopped(device, queue);
}

static void
console_reset(KilnVirtioDevice *device)
{
    Console *console = (Console *)device;

    console->driver_ready = FALSE;
    for (unsigned i = 0; i < console->max_ports; i++) {
        Port *port = &console->ports[i];

        port->announced = port->ready = port->told_open = port->guest_open = FALSE;
        port->tell = 0;
        port->out_offset = 0;
    }
    kiln_event_set(&console->changed); /* reported without the lock */
}

static void
console_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    Console *console = (Console *)device;
    KilnChardev *chardev = console->ports[0].chardev;

    /* The emergency write, virtio 1.2 §5.3.4: a byte that needs no queue. */
    if (offset == CONFIG_EMERGENCY && chardev != NULL)
        kiln_chardev_write(chardev, data, 1);
}

static void
clear_port(Port *port)
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
    Console *console = (Console *)device;

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
    Console *console = object;

    for (unsigned i = 0; i < console->max_ports; i++)
        console->ports[i].there = console->ports[i].chardev != NULL;
}

static gboolean
console_post_load(void *object, GError **error)
{
    Console *console = object;

    for (unsigned i = 0; i < KILN_VIRTIO_CONSOLE_MAX_PORTS; i++) {
        Port *port = &console->ports[i];

        if (port->there != (port->chardev != NULL))
            return kiln_error_set(error, KILN_ERROR_INVALID, "port %u is %s", i,
                                  port->there ? "not there" : "new");
        if (!port->there) {
            port->tell &= TELL_REMOVE;
            port->ready = FALSE;
        }
        if (port->name == NULL)
            port->tell &= (uint8_t)~TELL_NAME;
    }
    kiln_event_set(&console->changed);
    return TRUE;
}

static const KilnStateField port_fields[] = {
    KILN_STATE_FLAG(Port, there, 1),      KILN_STATE_FLAG(Port, announced, 1),
    KILN_STATE_FLAG(Port, ready, 1),      KILN_STATE_FLAG(Port, told_open, 1),
    KILN_STATE_FLAG(Port, guest_open, 1), KILN_STATE_RANGE(Port, tell, 1, 0, TELL_ALL),
    KILN_STATE(Port, columns, 1),         KILN_STATE(Port, rows, 1),
    KILN_STATE(Port, out_offset, 1),      KILN_STATE_END,
};

static const KilnStateDescription port_state = {
    .name = "port", .version = 1, .min_version = 1, .fields = port_fields
};

static const KilnStateField console_fields[] = {
    KILN_STATE_FLAG(Console, driver_ready, 1),
    KILN_STATE_STRUCT_ARRAY(Console, ports, 1, &port_state),
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
    Console *console;
    KilnEvent changed = KILN_EVENT_NONE;

    g_return_val_if_fail(
        options->max_ports > 0 && options->max_ports <= KILN_VIRTIO_CONSOLE_MAX_PORTS, NULL);
    if (!kiln_event_open(&changed, error))
        return NULL;
    virtio.context = NULL;
    virtio.n_queues = 2 * options->max_ports + 2;
    virtio.queue_size = QUEUE_SIZE;
    virtio.features = UINT64_C(1) << VIRTIO_CONSOLE_F_SIZE |
                      UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT |
                      UINT64_C(1) << VIRTIO_CONSOLE_F_EMERG_WRITE;
    virtio.config_size = CONFIG_BYTES;
    console = g_new0(Console, 1);
    console->max_ports = options->max_ports;
    console->changed = changed;
    console->changed_source = kiln_event_source_new(&console->changed, NULL, on_changed, console);
    for (unsigned i = 0; i < KILN_VIRTIO_CONSOLE_MAX_PORTS; i++)
        console->ports[i] = (Port){ .console = console, .number = i };
    kiln_virtio_device_init(&console->device, &console_ops, &virtio);
    kiln_le32_store(console->device.config + 4, console->max_ports);
    return &console->device;
}

gboolean
kiln_virtio_console_add_port(KilnVirtioDevice *device, const KilnVirtioConsolePort *options,
                             GError **error)
{
    Console *console = (Console *)device;
    Port *port = options->number < console->max_ports ? &console->ports[options->number] : NULL;

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
    port->in_iov = g_new(struct iovec, QUEUE_SIZE);
    port->out_iov = g_new(struct iovec, QUEUE_SIZE);
    kiln_virtio_device_lock(device);
    port->chardev = options->chardev;
    kiln_virtio_device_unlock(device);
    kiln_chardev_set_frontend(port->chardev,
                              port->is_console ? &console_frontend : &channel_frontend, port);
    if (console->driver_ready)
        port->tell |= TELL_ADD;
    tell_driver(console);
    return TRUE;
}

gboolean
kiln_virtio_console_remove_port(KilnVirtioDevice *device, unsigned number, GError **error)
{
    Console *console = (Console *)device;
    Port *port = number < console->max_ports ? &console->ports[number] : NULL;

    if (port == NULL || port->chardev == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "%s: there is no port %u", device->id,
                              number);
    take_back(port, TRUE, TRUE);
    clear_port(port);
    port->tell = port->announced ? TELL_REMOVE : 0;
    port->ready = port->told_open = port->guest_open = port->reported = FALSE;
    port->host_open = port->in_blocked = FALSE;
    port->out_offset = 0;
    port->columns = port->rows = 0;
    if (kiln_virtio_device_running(device))
        discard(console, in_queue(number) + 1); /* nobody waits for what was under way */
    tell_driver(console);
    return TRUE;
}

gboolean
kiln_virtio_console_guest_connected(const KilnVirtioDevice *device, unsigned number)
{
    const Console *console = (const Console *)device;

    return number < console->max_ports && console->ports[number].guest_open;
}

void
kiln_virtio_console_resize(KilnVirtioDevice *device, unsigned number, uint16_t columns,
                           uint16_t rows)
{
    Console *console = (Console *)device;
    Port *port = number < console->max_ports ? &console->ports[number] : NULL;

    if (port == NULL || !port->is_console || (port->columns == columns && port->rows == rows))
        return;
    port->columns = columns;
    port->rows = rows;
    if (port->ready)
        port->tell |= TELL_SIZE;
    tell_driver(console);
    if (number != 0)
        return;
    kiln_virtio_device_lock(device);
    kiln_le16_store(device->config, columns);
    kiln_le16_store(device->config + 2, rows);
    kiln_virtio_device_unlock(device);
    kiln_virtio_device_config_changed(device);
}
