/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller type='scsi'> with its disks and CD-ROM drives; and units, for whoever has them. */
#include "machine/devices.h"

#include "base/error.h"
#include "device/virtio-scsi.h"
#include "machine/disks.h"
#include "machine/functions.h"
#include "machine/private.h"

/* ---- Units -------------------------------------------------------------------------------------
 */

/* Sixteen hexadecimal digits, which the parser has checked. */
static uint64_t
wwn_of(const KilnDisk *disk)
{
    return disk->wwn != NULL ? g_ascii_strtoull(disk->wwn, NULL, 16) : 0;
}

static void
take_disk(KilnScsiUnitOptions *options, const KilnDisk *disk)
{
    options->kind = disk->device == KILN_DISK_DEVICE_CDROM ? KILN_SCSI_CDROM : KILN_SCSI_DISK;
    options->vendor = disk->vendor;
    options->product = disk->product;
    options->serial = disk->serial;
    options->wwn = wwn_of(disk);
    options->logical_size = (uint32_t)disk->logical_block_size.value;
    options->physical_size = (uint32_t)disk->physical_block_size.value;
    options->rotation_rate = (uint16_t)MIN(disk->rotation_rate.value, G_MAXUINT16);
    options->read_only = disk->readonly;
    options->removable = disk->removable == KILN_SWITCH_ON;
    options->write_back = kiln_machine_disk_write_back(disk);
    options->discard = disk->driver.discard == KILN_DISK_DISCARD_UNMAP;
    kiln_machine_disk_policies(disk, &options->read_policy, &options->write_policy);
}

KilnScsiUnit *
kiln_machine_make_scsi_unit(KilnMachineDisk *entry, guint iothread, gboolean atapi, GError **error)
{
    const KilnDisk *disk = entry->disk;
    g_autofree char *id = g_strdup_printf("drive-%s", disk->info.alias);
    KilnScsiUnitOptions options = {
        .atapi = atapi,
        .id = id,
        .io_error = kiln_machine_disk_error,
        .opaque = entry,
    };
    KilnUring *uring;

    entry->iothread = iothread;
    take_disk(&options, disk);
    if (!kiln_machine_disk_is_empty(disk)) {
        options.chain =
            kiln_machine_open_chain(entry->machine, disk, iothread, &options.context, NULL, error);
        if (options.chain == NULL)
            return NULL;
    } else if (!kiln_io_threads_get(entry->machine->threads, iothread, KILN_URING_AUTO,
                                    &options.context, &uring, error)) {
        return NULL;
    }
    entry->unit = kiln_scsi_unit_new(&options, error);
    return entry->unit;
}

/* ---- Controllers -------------------------------------------------------------------------------
 */

static gboolean
is_at(const KilnDisk *disk, const KilnController *controller)
{
    return disk->bus == KILN_DISK_BUS_SCSI && disk->info.address.type == KILN_ADDRESS_DRIVE &&
           disk->info.address.drive.controller == controller->index.value;
}

static gboolean
add_unit(KilnMachine *machine, KilnVirtioDevice *device, const KilnDisk *disk, guint iothread,
         GError **error)
{
    KilnMachineDisk *entry = kiln_machine_add_disk(machine, disk);
    const KilnDriveAddress *at = &disk->info.address.drive;
    KilnScsiUnit *unit;

    if (at->bus != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a SCSI controller has one bus, 0");
    entry->device = device;
    unit = kiln_machine_make_scsi_unit(entry, iothread, FALSE, error);
    return unit != NULL && kiln_virtio_scsi_add(device, at->target, at->unit, unit, error);
}

static gboolean
add_units(KilnMachine *machine, KilnVirtioDevice *device, const KilnController *controller,
          guint iothread, GError **error)
{
    const GPtrArray *disks = machine->domain->disks;

    for (guint i = 0; i < disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(disks, i);

        if (is_at(disk, controller) && !add_unit(machine, device, disk, iothread, error)) {
            g_prefix_error(error, "disk '%s': ", disk->target_dev);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
build_controller(KilnMachine *machine, const KilnController *controller, GError **error)
{
    const KilnControllerDriver *driver = &controller->driver;
    guint iothread = driver->iothread.set ? (guint)driver->iothread.value : KILN_IO_SHARED;
    KilnVirtioScsiOptions options = {
        .virtio = kiln_machine_virtio_options(machine, &controller->info, &driver->virtio),
        .max_sectors = (uint32_t)driver->max_sectors.value,
        .cmd_per_lun = (uint32_t)driver->cmd_per_lun.value,
    };
    KilnVirtioDevice *device;

    options.virtio.n_queues = driver->queues.set ? (unsigned)driver->queues.value : 0;
    if (!kiln_io_threads_get(machine->threads, iothread, KILN_URING_AUTO, &options.virtio.context,
                             &options.uring, error))
        return FALSE;
    device = kiln_virtio_scsi_new(&options, error);
    if (device == NULL)
        return FALSE;
    if (!add_units(machine, device, controller, iothread, error)) {
        device->ops->free(device);
        return FALSE;
    }
    return kiln_machine_add_virtio(machine, device, &controller->info, &driver->virtio, 0, error);
}

gboolean
kiln_machine_build_scsi(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(machine->domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_SCSI &&
            !build_controller(machine, controller, error)) {
            g_prefix_error(error, "controller %s: ", controller->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}
