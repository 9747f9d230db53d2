/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PCI Express root port (PCI Express Base 5.0 §7.5.3, hot-plug §6.7): 1b36:000c, by which guests
 * know QEMU's pcie-root-port.  Behind it is a bus with one slot.
 *
 *   plug: functions added to the bus -> kiln_root_port_plug() -> presence changed, button pressed
 *     -> the guest powers the slot -> link active -> the guest finds the functions
 *   unplug: kiln_root_port_unplug_request() -> button pressed -> the guest lets go of the
 *     functions, powers the slot off, turns its power indicator off -> the callback: functions may
 *     be taken off the bus -> kiln_root_port_unplugged()
 *
 * Commands are carried out at once, so the port has no "command completed" events.  It has no I/O
 * window: express functions do without I/O space.
 */
#ifndef KILN_DEVICE_ROOT_PORT_H
#define KILN_DEVICE_ROOT_PORT_H

#include "bus/pci-bus.h"

/**
 * KilnRootPortFn:
 * @opaque: of the options
 * @port: the guest has powered its slot off, and wants what is in it to be taken out
 *
 * In any thread, with the port's lock held: leave a note.
 */
typedef void (*KilnRootPortFn)(void *opaque, KilnPciDevice *port);

/**
 * KilnRootPortOptions:
 * @id: unique on the board: "pci.1"; copied
 * @number: of the port and of its slot, 0 to 255; unique on the board, tells its state apart
 * @hotplug: whether what is in the slot can come and go
 * @ejected: (nullable)
 */
typedef struct {
    const char *id;
    uint8_t number;
    gboolean hotplug;
    KilnRootPortFn ejected;
    void *opaque;
} KilnRootPortOptions;

/**
 * kiln_root_port_new:
 *
 * Returns: (transfer full): on no bus yet: kiln_pci_bus_add() to the root bus, and only then can
 *   functions be added behind it.  Freed as a KilnDevice, after those.  NULL with @error set: the
 *   host has no eventfds left.
 */
KilnPciDevice *kiln_root_port_new(const KilnRootPortOptions *options, GError **error);

/* The bus behind @port.  Borrowed. */
KilnPciBus *kiln_root_port_bus(KilnPciDevice *port);

/**
 * kiln_root_port_plug:
 * @running: the guest has started, and is told; else it finds the slot powered, as after a reset
 *
 * All functions of the slot have been added to the bus, the first one is there.  Control thread.
 *
 * Returns: FALSE with @error set, and nothing changed, if the port has no hotplug or the guest is
 *   at work on the slot.
 */
gboolean kiln_root_port_plug(KilnPciDevice *port, gboolean running, GError **error);

/**
 * kiln_root_port_unplug_request:
 *
 * Asks the guest to let go of what is in the slot.  If the slot has no power, the callback comes
 * from inside this function.  Control thread.
 *
 * Returns: FALSE with @error set if the port has no hotplug, there is nothing in the slot, or the
 *   guest is at work on it already.
 */
gboolean kiln_root_port_unplug_request(KilnPciDevice *port, GError **error);

/* The functions have been taken off the bus, whether the guest was asked or not.  Control thread.
 */
void kiln_root_port_unplugged(KilnPciDevice *port);

#endif
