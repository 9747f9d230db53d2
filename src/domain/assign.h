/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of kiln_domain_assign() that have files of their own. */
#ifndef KILN_DOMAIN_ASSIGN_H
#define KILN_DOMAIN_ASSIGN_H

#include "domain/domain.h"

/**
 * kiln_assign_controllers:
 *
 * Numbers the controllers of each type, and adds the PCIe root.
 */
void kiln_assign_controllers(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_assign_devices:
 *
 * What disks, interfaces and the other devices leave open: buses, models, MAC addresses (made from
 * the guest's UUID and the interface's place, in QEMU's range), actions.
 */
void kiln_assign_devices(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_assign_drives:
 *
 * Gives an address to each SCSI, SATA and IDE disk that has none, by its name, and adds SCSI
 * controllers as needed.
 */
void kiln_assign_drives(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_assign_virtio_serial:
 *
 * Gives a port of a virtio-serial controller to each channel and virtio console that has none, and
 * adds controllers as needed.  Port 0 is for consoles only.
 */
void kiln_assign_virtio_serial(KilnDomain *domain, KilnFaults *faults);

/**
 * kiln_assign_aliases:
 *
 * Names every device as libvirt names those of a running guest: "virtio-disk0", "net0".  Names of
 * the user's own stay.  Not part of kiln_domain_assign(): a definition has none.
 */
void kiln_assign_aliases(KilnDomain *domain);

/**
 * kiln_assign_pci:
 *
 * Gives a slot to every PCI device that has none, each behind a root port of its own, as libvirt
 * does for q35; root ports are added as needed, eight to a slot of the root bus from 00:02 on.
 */
void kiln_assign_pci(KilnDomain *domain, KilnFaults *faults);

#endif
