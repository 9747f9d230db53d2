/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of virtio-console.c have in common: the device, its ports, what they do for each
 * other.  Everything is the main thread's. */
#ifndef KILN_DEVICE_VIRTIO_CONSOLE_PRIVATE_H
#define KILN_DEVICE_VIRTIO_CONSOLE_PRIVATE_H

#include <linux/virtio_console.h>

#include "base/log.h"
#include "device/virtio-console.h"
#include "loop/event.h"

enum {
    CONSOLE_QUEUE_CONTROL_IN = 2, /* virtio 1.2 §5.3.2; the device writes it */
    CONSOLE_QUEUE_CONTROL_OUT = 3,
    CONSOLE_QUEUE_SIZE = 128,

    /* What the driver is still to be told of a port, in this order. */
    CONSOLE_TELL_REMOVE = 1 << 0,
    CONSOLE_TELL_ADD = 1 << 1,
    CONSOLE_TELL_CONSOLE = 1 << 2,
    CONSOLE_TELL_NAME = 1 << 3,
    CONSOLE_TELL_SIZE = 1 << 4,
    CONSOLE_TELL_CLOSED = 1 << 5,
    CONSOLE_TELL_OPEN = 1 << 6,
    CONSOLE_TELL_ALL = 0x7f,
    CONSOLE_TELL_LAST = CONSOLE_TELL_OPEN,
};

typedef struct KilnConsole KilnConsole;

typedef struct {
    KilnConsole *console;
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
    struct iovec *in_iov;     /* (owned): CONSOLE_QUEUE_SIZE each */
    struct iovec *out_iov;

    /* Saved. */
    gboolean there;      /* whether there was a port; for a check at loading */
    gboolean announced;  /* the driver knows of it: PORT_ADD was sent */
    gboolean ready;      /* the driver has set it up: PORT_READY */
    gboolean told_open;  /* the last PORT_OPEN that it was sent */
    gboolean guest_open; /* the last that it sent */
    uint8_t tell;        /* CONSOLE_TELL_… */
    uint16_t columns, rows;
    uint32_t out_offset; /* bytes of the next transmit buffer that are sent already */
} KilnConsolePort;

struct KilnConsole {
    KilnVirtioDevice device;
    unsigned max_ports;
    gboolean driver_ready; /* saved: DEVICE_READY came */
    KilnEvent changed;     /* what the guest has open may be other than was reported */
    GSource *changed_source;
    KilnRatelimit log_limit;
    struct iovec control_iov[CONSOLE_QUEUE_SIZE];
    KilnConsolePort ports[KILN_VIRTIO_CONSOLE_MAX_PORTS];
};

/* Port 0 has queues 0 and 1, port n > 0 has 2n + 2 and 2n + 3: virtio 1.2 §5.3.2. */
static inline unsigned
kiln_console_in_queue(unsigned port)
{
    return port == 0 ? 0 : 2 * port + 2;
}

static inline gboolean
kiln_console_multiport(const KilnConsole *console)
{
    return kiln_virtio_device_has_feature(&console->device, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* 1: @element is the next of queue @number, in @iov (CONSOLE_QUEUE_SIZE); 0: there is none. */
int kiln_console_pop(KilnConsole *console, unsigned number, KilnVirtqElement *element,
                     struct iovec *iov);

/* ---- virtio-console-control.c ---- */

/* Sends what the driver is to be told, as far as it has buffers. */
void kiln_console_tell_driver(KilnConsole *console);

/* Takes what the driver tells. */
void kiln_console_take_control(KilnConsole *console);

/* Somebody is at the chardev's other end now, or nobody. */
void kiln_console_host_opened(KilnConsolePort *port, gboolean open);

/* Tells the port's owner whether the guest has it open, if that is new. */
void kiln_console_report(KilnConsolePort *port);

/* ---- virtio-console-port.c ---- */

/* Sends what is in the port's transmit queue. */
void kiln_console_transmit(KilnConsolePort *port);

/* Gives back what is in transmit queue @number of a place without a port: a driver that has not
 * heard yet loses what it sends. */
void kiln_console_discard(KilnConsole *console, unsigned number);

/* The buffers that are held become the queue's again. */
void kiln_console_take_back(KilnConsolePort *port, gboolean in, gboolean out);

extern const KilnChardevFrontend kiln_console_frontend;
extern const KilnChardevFrontend kiln_channel_frontend;

#endif
