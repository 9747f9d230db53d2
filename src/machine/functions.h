/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI functions of the definition: root ports, and what is plugged in behind them; and the virtio
 * devices among them, which stop and go on with the guest.
 */
#ifndef KILN_MACHINE_FUNCTIONS_H
#define KILN_MACHINE_FUNCTIONS_H

#include "bus/pci.h"
#include "domain/address.h"
#include "domain/virtio-driver.h"
#include "machine/machine.h"
#include "virtio/device.h"

/**
 * kiln_machine_add_function:
 * @pci: (transfer full): set up; freed on error
 * @info: with its PCI address
 *
 * Plugs it in, and has it reset and saved with the other devices.
 */
gboolean kiln_machine_add_function(KilnMachine *machine, KilnPciDevice *pci,
                                   const KilnDeviceInfo *info, GError **error);

/* Whether the place of @info is behind a root port, so that a PCI Express function belongs there.
 */
gboolean kiln_machine_is_express(const KilnDeviceInfo *info);

/**
 * kiln_machine_add_net_rom:
 * @pci: a network interface, set up, on no bus
 *
 * Gives it the expansion ROM that its <rom> and the boot order ask for; none if there is no such
 * file, unless it is named.
 */
gboolean kiln_machine_add_net_rom(KilnMachine *machine, KilnPciDevice *pci,
                                  const KilnDeviceInfo *info, GError **error);

/**
 * kiln_machine_add_virtio:
 * @virtio: (transfer full): set up; freed on error
 * @driver: (nullable): its <driver>
 * @n_vectors: of MSI-X, 0 for the device's own choice
 */
gboolean kiln_machine_add_virtio(KilnMachine *machine, KilnVirtioDevice *virtio,
                                 const KilnDeviceInfo *info, const KilnVirtioDriver *driver,
                                 guint n_vectors, GError **error);

/**
 * kiln_machine_quiesce:
 *
 * Stops the I/O side of every virtio device and waits for what is under way, some seconds at most:
 * a host's disk may never answer, and who ends the guest must not wait for it.  vCPUs are parked.
 *
 * Returns: (nullable): NULL if all stand still; else the alias of a device that does not.
 */
const char *kiln_machine_quiesce(KilnMachine *machine);

/* When patience with a device that is to stand still ends, by g_get_monotonic_time(). */
gint64 kiln_machine_quiesce_end(void);

/* Lets them go on. */
void kiln_machine_unquiesce(KilnMachine *machine);

#endif
