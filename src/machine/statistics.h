/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What statistics.c gathers from other files of the room. */
#ifndef KILN_MACHINE_STATISTICS_H
#define KILN_MACHINE_STATISTICS_H

#include "machine/machine.h"

/* Disks, interfaces, balloon and I/O threads, under libvirt's keys. */
void kiln_machine_add_device_statistics(GVariantBuilder *builder, KilnMachine *machine);

#endif
