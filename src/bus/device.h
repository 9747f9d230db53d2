/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every device of the board is: a name, a lock, and how to reset, save and free it.  A
 * device's own struct begins with a KilnDevice (or with a struct that does, as KilnPciDevice).
 *
 * The lock: each device has one, taken by the bus around every register access (bus/space.h), by
 * kiln_device_reset() and by whoever saves or loads it.  Order: a device's lock is taken before any
 * lock of the bus (map, shared line, PCI table); no device takes another device's lock, but for a
 * PCI bridge, which may take those of functions behind it.
 */
#ifndef KILN_BUS_DEVICE_H
#define KILN_BUS_DEVICE_H

#include <glib.h>

#include "base/lock.h"
#include "state/state.h"

typedef struct KilnDevice KilnDevice;

/**
 * KilnDeviceOps:
 * @name: what kind of device it is, as in log lines and in saved state: "serial"
 * @reset: (nullable): brings the registers to what they are after power-on; called with the lock
 * held
 * @free: frees the device and what it owns; no thread is inside the device any more
 * @state: (nullable): its saved state, described on the device's own struct; NULL only for a device
 *   that keeps nothing
 * @unsaved: (nullable): why a guest with this device cannot be saved; @state is NULL then
 */
typedef struct {
    const char *name;
    void (*reset)(KilnDevice *device);
    void (*free)(KilnDevice *device);
    const KilnStateDescription *state;
    const char *unsaved;
} KilnDeviceOps;

struct KilnDevice {
    const KilnDeviceOps *ops;
    char *id;          /* (owned): unique on the board, for messages */
    uint32_t instance; /* tells several of one kind apart in saved state; set by the constructor */
    KilnMutex lock;
};

/**
 * kiln_device_init:
 * @device: embedded in the caller's struct
 * @ops: static
 * @id: unique on the board: "serial0", "pci-0000:00:1f.0"; copied
 */
void kiln_device_init(KilnDevice *device, const KilnDeviceOps *ops, const char *id);

/**
 * kiln_device_clear:
 *
 * Frees what kiln_device_init() made; the last thing that a device's own free does to the base.
 */
void kiln_device_clear(KilnDevice *device);

/**
 * kiln_device_state:
 *
 * Returns: the device's section for kiln_state_save() and kiln_state_load(); its description is
 * NULL if the device keeps nothing.
 */
KilnStateEntry kiln_device_state(KilnDevice *device);

/**
 * kiln_device_reset:
 *
 * Takes the lock and resets the device.  Not from inside the device's own ops.
 */
void kiln_device_reset(KilnDevice *device);

/**
 * kiln_device_free:
 * @device: (nullable): taken out of every bus before, and no reader is inside it:
 *   kiln_space_synchronize()
 */
void kiln_device_free(KilnDevice *device);

#endif
