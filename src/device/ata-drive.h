/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A drive on an ATA bus as a device of the board: its state, its reset, and the thread that it
 * works in.  Its bus is an AHCI controller's port or an IDE channel.
 */
#ifndef KILN_DEVICE_ATA_DRIVE_H
#define KILN_DEVICE_ATA_DRIVE_H

#include "bus/device.h"
#include "device/ata-packet.h"
#include "device/ata.h"

typedef struct {
    KilnDevice device;
    GMainContext *context; /* (nullable): borrowed; of the drive's thread */
    KilnAtaDisk *disk;     /* (owned) (nullable): or … */
    KilnAtaPacket *packet; /* (owned) (nullable) */
} KilnAtaDrive;

/**
 * kiln_ata_drive_new_disk:
 * @id: unique on the board; copied
 * @disk: (transfer full)
 *
 * Returns: (transfer full): freed with kiln_device_free().
 */
KilnAtaDrive *kiln_ata_drive_new_disk(const char *id, KilnAtaDisk *disk);

/**
 * kiln_ata_drive_new_packet:
 * @packet: (transfer full)
 * @context: (nullable): its unit's
 */
KilnAtaDrive *kiln_ata_drive_new_packet(const char *id, KilnAtaPacket *packet,
                                        GMainContext *context);

/* As the functions of ata.h, whatever it is. */
size_t kiln_ata_drive_request_size(const KilnAtaDrive *drive);
void kiln_ata_drive_decode(KilnAtaDrive *drive, KilnAtaRequest *request);
void kiln_ata_drive_submit(KilnAtaDrive *drive, KilnAtaRequest *request);

/* As kiln_ata_reset(). */
void kiln_ata_drive_reset(KilnAtaDrive *drive, gboolean power_on);

/* As kiln_ata_signature(). */
void kiln_ata_drive_signature(const KilnAtaDrive *drive, KilnAtaAnswer *answer);

#endif
