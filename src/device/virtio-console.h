/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The console device (virtio 1.2 §5.3) with several ports: <controller type='virtio-serial'> with
 * its consoles and channels, each of them a chardev on the host's side.
 *
 *   guest's transmit queue -> kiln_chardev_write(), straight from the guest's buffer; what the
 * chardev has no room for stays in the buffer, and the buffer in the queue's hands, until it has
 *   chardev's input -> straight into the next receive buffer; while there is none, it waits outside
 *   control queues: ports come and go, are opened and closed, on both sides
 *
 * So nothing is buffered here and nothing lost.  What the driver is to be told is kept as flags of
 * a port, not as a list of messages: it is bounded however slowly the driver takes them.
 *
 * All functions, and the chardevs, are the main thread's.
 */
#ifndef KILN_DEVICE_VIRTIO_CONSOLE_H
#define KILN_DEVICE_VIRTIO_CONSOLE_H

#include "chardev/chardev.h"
#include "virtio/device.h"

enum {
    KILN_VIRTIO_CONSOLE_MAX_PORTS = 128,
    KILN_VIRTIO_CONSOLE_DEFAULT_PORTS = 31, /* what libvirt's users are used to */
    KILN_VIRTIO_CONSOLE_MAX_NAME = 255,     /* bytes */
};

/**
 * KilnVirtioConsolePort:
 * @number: below the device's @max_ports; port 0 is the one that a driver without
 *   VIRTIO_CONSOLE_F_MULTIPORT uses, so is best a console
 * @name: (nullable): by which programs in the guest find it: "org.qemu.guest_agent.0"; copied
 * @console: a terminal (hvc), not a channel; always open on the host's side
 * @chardev: whose front end the port is from now on; outlives it
 * @guest_connected: (nullable): the guest opened or closed the port: what <target state=> says;
 * also "closed" when its driver is reset.  Main thread
 */
typedef struct {
    unsigned number;
    const char *name;
    gboolean console;
    KilnChardev *chardev;
    void (*guest_connected)(void *opaque, unsigned number, gboolean connected);
    void *opaque;
} KilnVirtioConsolePort;

/**
 * KilnVirtioConsoleOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @max_ports: 1 to KILN_VIRTIO_CONSOLE_MAX_PORTS
 */
typedef struct {
    KilnVirtioOptions virtio;
    unsigned max_ports;
} KilnVirtioConsoleOptions;

/* Returns: (transfer full): for a transport, without ports; NULL with @error set.  Main thread. */
KilnVirtioDevice *kiln_virtio_console_new(const KilnVirtioConsoleOptions *options, GError **error);

/**
 * kiln_virtio_console_add_port:
 *
 * At set-up, or while the guest runs, which is then told.
 *
 * Returns: FALSE with @error set if there is such a port already or the number is too high.
 */
gboolean kiln_virtio_console_add_port(KilnVirtioDevice *device, const KilnVirtioConsolePort *port,
                                      GError **error);

/* Takes the port away and lets go of its chardev; @guest_connected is not called.  A number without
 * a port is an error. */
gboolean kiln_virtio_console_remove_port(KilnVirtioDevice *device, unsigned number, GError **error);

/* Whether the guest has the port open. */
gboolean kiln_virtio_console_guest_connected(const KilnVirtioDevice *device, unsigned number);

/* The terminal at the port's host side has this size now (0: not known). */
void kiln_virtio_console_resize(KilnVirtioDevice *device, unsigned number, uint16_t columns,
                                uint16_t rows);

#endif
