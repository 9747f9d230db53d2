/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller type='sata'> and the disks and CD-ROM drives on it. */
#include "machine/devices.h"

#include "base/error.h"
#include "device/ahci.h"
#include "machine/disks.h"
#include "machine/functions.h"

/* ---- Controllers -------------------------------------------------------------------------------
 */

static gboolean
build_controller(KilnMachine *machine, const KilnController *controller, GError **error)
{
    KilnAhciOptions options = { .id = controller->info.alias, .memory = machine->memory };
    KilnPciDevice *pci = kiln_ahci_new(&options, error);

    if (pci == NULL || !kiln_machine_add_function(machine, pci, &controller->info, error))
        return FALSE;
    g_ptr_array_add(machine->ahcis, pci);
    return TRUE;
}

/* Its place among @ahcis is that of its <controller> among those of its type. */
static KilnPciDevice *
controller_of(const KilnMachine *machine, guint index)
{
    guint n = 0;

    for (guint i = 0; i < machine->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(machine->domain->controllers, i);

        if (controller->type != KILN_CONTROLLER_TYPE_SATA)
            continue;
        if (controller->index.value == index)
            return g_ptr_array_index(machine->ahcis, n);
        n++;
    }
    return NULL;
}

/* ---- Drives ------------------------------------------------------------------------------------
 */

/* As QEMU's, each is another's. */
static char *
serial_of(const KilnDisk *disk)
{
    const KilnDriveAddress *at = &disk->info.address.drive;

    return disk->serial != NULL
               ? g_strdup(disk->serial)
               : g_strdup_printf("KILN%02u%u%u", at->controller, at->bus, at->unit);
}

static uint64_t
wwn_of(const KilnDisk *disk)
{
    return disk->wwn != NULL ? g_ascii_strtoull(disk->wwn, NULL, 16) : 0;
}

static KilnAtaDrive *
make_disk(KilnMachineDisk *entry, GError **error)
{
    const KilnDisk *disk = entry->disk;
    g_autofree char *serial = serial_of(disk);
    GMainContext *context;
    KilnAtaOptions options = {
        .serial = serial,
        .wwn = wwn_of(disk),
        .logical_size = (uint32_t)disk->logical_block_size.value,
        .physical_size = (uint32_t)disk->physical_block_size.value,
        .rotation_rate = (uint16_t)MIN(disk->rotation_rate.value, G_MAXUINT16),
        .write_back = kiln_machine_disk_write_back(disk),
        .discard = disk->driver.discard == KILN_DISK_DISCARD_UNMAP,
        .io_error = kiln_machine_disk_error,
        .opaque = entry,
    };
    KilnAtaDisk *ata;

    kiln_machine_disk_policies(disk, &options.read_policy, &options.write_policy);
    if (disk->geometry != NULL) {
        options.cylinders = (uint16_t)MIN(disk->geometry->cylinders.value, G_MAXUINT16);
        options.heads = (uint8_t)MIN(disk->geometry->heads.value, G_MAXUINT8);
        options.sectors = (uint8_t)MIN(disk->geometry->sectors.value, G_MAXUINT8);
    }
    options.chain =
        kiln_machine_open_chain(entry->machine, disk, KILN_IO_SHARED, &context, NULL, error);
    if (options.chain == NULL)
        return NULL;
    ata = kiln_ata_new(&options, error);
    return ata != NULL ? kiln_ata_drive_new_disk(disk->info.alias, ata) : NULL;
}

static KilnAtaDrive *
make_cdrom(KilnMachineDisk *entry, GError **error)
{
    g_autofree char *serial = serial_of(entry->disk);
    KilnAtaPacketOptions options = { .serial = serial };
    GMainContext *context;
    KilnUring *uring;

    if (!kiln_io_threads_get(entry->machine->threads, KILN_IO_SHARED, KILN_URING_AUTO, &context,
                             &uring, error))
        return NULL;
    options.unit = kiln_machine_make_scsi_unit(entry, KILN_IO_SHARED, TRUE, error);
    if (options.unit == NULL)
        return NULL;
    return kiln_ata_drive_new_packet(entry->disk->info.alias, kiln_ata_packet_new(&options),
                                     context);
}

static gboolean
build_disk(KilnMachine *machine, const KilnDisk *disk, GError **error)
{
    KilnMachineDisk *entry = kiln_machine_add_disk(machine, disk);
    const KilnDriveAddress *at = &disk->info.address.drive;

    entry->ahci = controller_of(machine, at->controller);
    if (entry->ahci == NULL || at->unit >= KILN_AHCI_N_PORTS)
        return kiln_error_set(error, KILN_ERROR_INVALID, "there is no port %u of a controller %u",
                              at->unit, at->controller);
    entry->drive =
        disk->device == KILN_DISK_DEVICE_CDROM ? make_cdrom(entry, error) : make_disk(entry, error);
    if (entry->drive == NULL)
        return FALSE;
    entry->drive->device.instance = at->controller << 8 | at->unit;
    (void)kiln_machine_add_device(machine, &entry->drive->device);
    return kiln_ahci_attach(entry->ahci, at->unit, entry->drive, error);
}

/* ---- All of it ---------------------------------------------------------------------------------
 */

static gboolean
build_controllers(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(machine->domain->controllers, i);

        if (controller->type != KILN_CONTROLLER_TYPE_SATA)
            continue;
        if (!build_controller(machine, controller, error)) {
            g_prefix_error(error, "%s: ", controller->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
kiln_machine_build_sata(KilnMachine *machine, GError **error)
{
    if (!build_controllers(machine, error))
        return FALSE;
    for (guint i = 0; i < machine->domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(machine->domain->disks, i);

        if (disk->bus == KILN_DISK_BUS_SATA && !build_disk(machine, disk, error)) {
            g_prefix_error(error, "disk '%s': ", disk->target_dev);
            return FALSE;
        }
    }
    return TRUE;
}
