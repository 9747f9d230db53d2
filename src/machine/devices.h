/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the definition to devices, a function a family; parts of kiln_machine_new(). */
#ifndef KILN_MACHINE_DEVICES_H
#define KILN_MACHINE_DEVICES_H

#include "display/input.h"
#include "domain/domain.h"
#include "machine/machine.h"
#include "virtio/device.h"

/* All devices of <devices> but serial ports, in the order in which they are to be reset. */
gboolean kiln_machine_build_devices(KilnMachine *machine, GError **error);

/* The families; each error names its device. */
gboolean kiln_machine_build_root_ports(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_sata(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_disks(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_scsi(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_nets(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_virtio_serials(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_rngs(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_balloon(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_memory_devices(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_inputs(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_videos(KilnMachine *machine, GError **error);
/* After all that it shows, and that types. */
gboolean kiln_machine_build_graphics(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_watchdogs(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_vsocks(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_filesystems(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_tpm(KilnMachine *machine, GError **error);
gboolean kiln_machine_build_hostdevs(KilnMachine *machine, GError **error);

/* Whether there is an adapter with VGA's memory at 0xa0000. */
gboolean kiln_machine_has_vga(const KilnMachine *machine);

/* Whether <timer name='hpet' present='yes'/> asks for one. */
gboolean kiln_machine_has_hpet(const KilnMachine *machine);

/* Whether <input bus='ps2'> asks for one of @type. */
gboolean kiln_machine_has_ps2(const KilnMachine *machine, KilnInputType type);

/* Keyboards and pointers; made when there is the first. */
KilnInputs *kiln_machine_inputs(KilnMachine *machine);

/* What every virtio device is told: its name, guest RAM, ring features, if it has a <driver>
 * (nullable); the main context. */
KilnVirtioOptions kiln_machine_virtio_options(const KilnMachine *machine,
                                              const KilnDeviceInfo *info,
                                              const KilnVirtioDriver *driver);

#endif
