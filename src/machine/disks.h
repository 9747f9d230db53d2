/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What disks of all buses have in common: chains of block layers, made of <disk>, and what is told
 * of their errors.
 */
#ifndef KILN_MACHINE_DISKS_H
#define KILN_MACHINE_DISKS_H

#include "device/io-error.h"
#include "device/scsi.h"
#include "domain/disk.h"
#include "loop/uring.h"
#include "machine/private.h"

/**
 * kiln_machine_open_chain:
 * @iothread: the number of an <iothread>, or KILN_IO_SHARED
 * @context: (out) (transfer none): of that thread, where the chain works
 * @uring: (out) (transfer none) (optional): of that thread
 */
KilnBlock *kiln_machine_open_chain(KilnMachine *machine, const KilnDisk *disk, guint iothread,
                                   GMainContext **context, KilnUring **uring, GError **error);

/* Whether a drive is empty: a CD-ROM without a <source>. */
gboolean kiln_machine_disk_is_empty(const KilnDisk *disk);

/**
 * kiln_machine_open_medium:
 * @fd: (transfer full): open for reading; closed on error
 * @path: what it is called
 * @format: (nullable): raw if not said
 *
 * A chain for the drive @entry, which is a SCSI unit; in the thread of its device.
 */
KilnBlock *kiln_machine_open_medium(const KilnMachineDisk *entry, int fd, const char *path,
                                    const char *format, GError **error);

/* The number of the disk's <iothread>, or KILN_IO_SHARED. */
guint kiln_machine_disk_iothread(const KilnDisk *disk);

/* Of reads and writes, by error_policy and rerror_policy. */
void kiln_machine_disk_policies(const KilnDisk *disk, KilnIoErrorPolicy *reads,
                                KilnIoErrorPolicy *writes);

/* Whether the guest starts with a write cache. */
gboolean kiln_machine_disk_write_back(const KilnDisk *disk);

/* A KilnIoErrorFunc: @opaque is the KilnMachineDisk. */
void kiln_machine_disk_error(void *opaque, gboolean is_read, int error, KilnIoErrorPolicy action);

/* A new entry of machine->disks, which lives as long as the machine. */
KilnMachineDisk *kiln_machine_add_disk(KilnMachine *machine, const KilnDisk *disk);

/**
 * kiln_machine_make_scsi_unit:
 * @iothread: where its chain works
 * @atapi: it is behind ATA
 *
 * The unit that @entry is, a disk or a CD-ROM drive, which is empty if there is no <source>; also
 * in @entry.  Returns: (transfer full).
 */
KilnScsiUnit *kiln_machine_make_scsi_unit(KilnMachineDisk *entry, guint iothread, gboolean atapi,
                                          GError **error);

#endif
