/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A packet device (ATAPI; ACS-3 §4.3, §7.18): a SCSI unit, mostly a CD-ROM drive, on an ATA bus.
 * Its requests are those of ata.h; what a PACKET command carries is in @cdb of them.
 */
#ifndef KILN_DEVICE_ATA_PACKET_H
#define KILN_DEVICE_ATA_PACKET_H

#include "device/ata.h"

typedef struct KilnAtaPacket KilnAtaPacket;

enum { KILN_ATA_PACKET = 0xa0 }; /* the command */

/**
 * KilnAtaPacketOptions:
 * @unit: (transfer full): made with @atapi
 * @serial, @model, @firmware: (nullable): as in KilnAtaOptions; NULL is nothing, "KILN DVD-ROM"
 *   and a version
 * @parallel: on a cable (IDE)
 */
typedef struct {
    KilnScsiUnit *unit;
    const char *serial;
    const char *model;
    const char *firmware;
    gboolean parallel;
} KilnAtaPacketOptions;

/* Returns: (transfer full).  Main thread. */
KilnAtaPacket *kiln_ata_packet_new(const KilnAtaPacketOptions *options);

/* (nullable); nothing is under way. */
void kiln_ata_packet_free(KilnAtaPacket *packet);

/* As those of ata.h. */
void kiln_ata_packet_decode(KilnAtaPacket *packet, KilnAtaRequest *request);
void kiln_ata_packet_submit(KilnAtaPacket *packet, KilnAtaRequest *request);
void kiln_ata_packet_reset(KilnAtaPacket *packet, gboolean power_on);
void kiln_ata_packet_signature(KilnAtaAnswer *answer);

/* Borrowed. */
KilnScsiUnit *kiln_ata_packet_unit(KilnAtaPacket *packet);

/* Of a KilnAtaPacket with its unit; nothing is under way. */
extern const KilnStateDescription kiln_ata_packet_state;

#endif
