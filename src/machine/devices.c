/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See devices.h. */
#include "machine/devices.h"

typedef gboolean (*Build)(KilnMachine *machine, GError **error);

/* Root ports first: the others are plugged into them. */
static const Build builds[] = {
    kiln_machine_build_root_ports,  kiln_machine_build_disks,     kiln_machine_build_sata,
    kiln_machine_build_scsi,        kiln_machine_build_nets,      kiln_machine_build_virtio_serials,
    kiln_machine_build_rngs,        kiln_machine_build_balloon,   kiln_machine_build_inputs,
    kiln_machine_build_videos,      kiln_machine_build_watchdogs, kiln_machine_build_vsocks,
    kiln_machine_build_filesystems, kiln_machine_build_tpm,       kiln_machine_build_memory_devices,
    kiln_machine_build_hostdevs,
    kiln_machine_build_graphics,
};

gboolean
kiln_machine_build_devices(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(builds); i++) {
        if (!builds[i](machine, error))
            return FALSE;
    }
    return TRUE;
}
