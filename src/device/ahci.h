/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The AHCI controller of an ICH9 (AHCI 1.3.1): six ports, command lists of 32 slots, native command
 * queuing, one MSI or the pin.  No port multipliers, no command completion coalescing, no
 * enclosure management, no staggered spin-up.
 *
 *   PxCI written -> eventfd -> the drive's thread: header, FIS and PRDs copied once, the copies
 *   checked -> kiln_ata_submit() … -> lock -> FIS into guest memory, PxIS, interrupt
 *
 * Register access does no I/O.  What drives do is stopped by PxCMD.ST, a port's or the HBA's reset
 * only once what is under way in the host is done: until then PxCMD.CR, or GHC.HR, stay set, so
 * that no data come into memory that the guest has taken back.
 */
#ifndef KILN_DEVICE_AHCI_H
#define KILN_DEVICE_AHCI_H

#include "bus/pci.h"
#include "device/ata-drive.h"
#include "memory/memory.h"

enum { KILN_AHCI_N_PORTS = 6 };

/**
 * KilnAhciOptions:
 * @id: copied
 * @memory: where command lists are
 */
typedef struct {
    const char *id;
    KilnMemory *memory;
} KilnAhciOptions;

/**
 * kiln_ahci_new:
 *
 * It begins no command before kiln_ahci_resume(), so that one that is loaded waits for the machine.
 *
 * Returns: (transfer full): the function, or NULL with @error set.
 */
KilnPciDevice *kiln_ahci_new(const KilnAhciOptions *options, GError **error);

/**
 * kiln_ahci_attach:
 * @port: below KILN_AHCI_N_PORTS, with nothing attached
 * @drive: (transfer none): lives until the controller is quiesced for the last time
 *
 * At set-up.  Only ports with drives are shown to the guest, unless there are none at all.
 *
 * Returns: FALSE with @error set if the host has no eventfds left.
 */
gboolean kiln_ahci_attach(KilnPciDevice *pci, unsigned port, KilnAtaDrive *drive, GError **error);

/* No new command is begun; when those that are under way are done, all stands still. */
void kiln_ahci_quiesce_begin(KilnPciDevice *pci);

/**
 * kiln_ahci_quiesce_until:
 * @end_us: of g_get_monotonic_time()
 *
 * Waits for that.  Not in a drive's thread, unless nothing is under way.
 *
 * Returns: whether it stands still.
 */
gboolean kiln_ahci_quiesce_until(KilnPciDevice *pci, gint64 end_us);

/* Goes on; what failed, and waited, is tried again. */
void kiln_ahci_resume(KilnPciDevice *pci);

#endif
