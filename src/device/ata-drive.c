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

KilnAtaDrive *
kiln_ata_drive_new_disk(const char *id, KilnAtaDisk *disk)
{
    KilnAtaDrive *drive = g_new0(KilnAtaDrive, 1);

    kiln_device_init(&drive->device, &disk_ops, id);
    drive->disk = disk;
    drive->context = kiln_ata_chain(disk)->context;
    return drive;
}

void
kiln_ata_drive_reset(KilnAtaDrive *drive, gboolean power_on)
{
    kiln_ata_reset(drive->disk, power_on);
}

void
kiln_ata_drive_signature(const KilnAtaDrive *drive, KilnAtaAnswer *answer)
{
    kiln_ata_signature(answer);
}
