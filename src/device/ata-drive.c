/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ata-drive.h. */
#include "device/ata-drive.h"

static void
drive_reset(KilnDevice *device)
{
    kiln_ata_drive_reset((KilnAtaDrive *)device, TRUE);
}

static void
drive_free(KilnDevice *device)
{
    KilnAtaDrive *drive = (KilnAtaDrive *)device;

    kiln_ata_free(drive->disk);
    kiln_ata_packet_free(drive->packet);
    kiln_device_clear(device);
    g_free(drive);
}

static const KilnStateField disk_fields[] = {
    KILN_STATE_POINTER(KilnAtaDrive, disk, 1, &kiln_ata_state),
    KILN_STATE_END,
};

static const KilnStateDescription disk_state = {
    .name = "ata-drive", .version = 1, .min_version = 1, .fields = disk_fields
};

static const KilnDeviceOps disk_ops = {
    .name = "ata-drive", .reset = drive_reset, .free = drive_free, .state = &disk_state
};

static const KilnStateField packet_fields[] = {
    KILN_STATE_POINTER(KilnAtaDrive, packet, 1, &kiln_ata_packet_state),
    KILN_STATE_END,
};

static const KilnStateDescription packet_state = {
    .name = "atapi-drive", .version = 1, .min_version = 1, .fields = packet_fields
};

static const KilnDeviceOps packet_ops = {
    .name = "atapi-drive", .reset = drive_reset, .free = drive_free, .state = &packet_state
};

KilnAtaDrive *
kiln_ata_drive_new_disk(const char *id, KilnAtaDisk *disk)
{
    KilnAtaDrive *drive = g_new0(KilnAtaDrive, 1);

    kiln_device_init(&drive->device, &disk_ops, id);
    drive->disk = disk;
    drive->context = kiln_ata_chain(disk)->context;
    return drive;
}

KilnAtaDrive *
kiln_ata_drive_new_packet(const char *id, KilnAtaPacket *packet, GMainContext *context)
{
    KilnAtaDrive *drive = g_new0(KilnAtaDrive, 1);

    kiln_device_init(&drive->device, &packet_ops, id);
    drive->packet = packet;
    drive->context = context;
    return drive;
}

size_t
kiln_ata_drive_request_size(const KilnAtaDrive *drive)
{
    return drive->disk != NULL ? kiln_ata_request_size(drive->disk) : 0;
}

void
kiln_ata_drive_decode(KilnAtaDrive *drive, KilnAtaRequest *request)
{
    if (drive->disk != NULL)
        kiln_ata_decode(drive->disk, request);
    else
        kiln_ata_packet_decode(drive->packet, request);
}

void
kiln_ata_drive_submit(KilnAtaDrive *drive, KilnAtaRequest *request)
{
    if (drive->disk != NULL)
        kiln_ata_submit(drive->disk, request);
    else
        kiln_ata_packet_submit(drive->packet, request);
}

void
kiln_ata_drive_reset(KilnAtaDrive *drive, gboolean power_on)
{
    if (drive->disk != NULL)
        kiln_ata_reset(drive->disk, power_on);
    else
        kiln_ata_packet_reset(drive->packet, power_on);
}

void
kiln_ata_drive_signature(const KilnAtaDrive *drive, KilnAtaAnswer *answer)
{
    if (drive->disk != NULL)
        kiln_ata_signature(answer);
    else
        kiln_ata_packet_signature(answer);
}
