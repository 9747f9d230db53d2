/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Addresses of drives: which controller, bus, target and unit a disk of SCSI, SATA or IDE is.  As
 * in libvirt the disk's name says it: sda is unit 0 of controller 0, and a SCSI controller has 7
 * units before the next one comes (domain_conf.c's virDomainDiskDefAssignAddress()).
 */
#include "domain/assign.h"

#include "domain/devices.h"

#include <string.h>

enum {
    SCSI_UNITS = 7,
    SATA_UNITS = 6,
    IDE_UNITS = 4, /* of which two are on each bus */
    IDE_BUS_UNITS = 2,
    MAX_CONTROLLERS = 256,
};

static gboolean
is_drive(const KilnDisk *disk)
{
    return disk->bus == KILN_DISK_BUS_SCSI || disk->bus == KILN_DISK_BUS_SATA ||
           disk->bus == KILN_DISK_BUS_IDE;
}

/* The number in a name: sda is 0, sdz 25, sdaa 26. */
static guint
number_of(const char *name)
{
    guint number = 0;

    if (strlen(name) < 3)
        return 0;
    for (name += 2; g_ascii_islower(*name) && number < MAX_CONTROLLERS * SCSI_UNITS; name++)
        number = number * 26 + (guint)(*name - 'a' + 1);
    return number > 0 ? number - 1 : 0;
}

static KilnDriveAddress
place_of(KilnDiskBus bus, guint number)
{
    if (bus == KILN_DISK_BUS_SCSI)
        return (KilnDriveAddress){ .controller = number / SCSI_UNITS, .unit = number % SCSI_UNITS };
    if (bus == KILN_DISK_BUS_SATA)
        return (KilnDriveAddress){ .controller = number / SATA_UNITS, .unit = number % SATA_UNITS };
    return (KilnDriveAddress){ .controller = number / IDE_UNITS,
                               .bus = number % IDE_UNITS / IDE_BUS_UNITS,
                               .unit = number % IDE_BUS_UNITS };
}

/* (nullable): the drive before @until (or of all) that is at @at of the same kind of bus. */
static const KilnDisk *
find_drive(const KilnDomain *domain, guint until, KilnDiskBus bus, const KilnDriveAddress *at)
{
    for (guint i = 0; i < until; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->bus == bus && disk->info.address.type == KILN_ADDRESS_DRIVE &&
            memcmp(&disk->info.address.drive, at, sizeof *at) == 0)
            return disk;
    }
    return NULL;
}

static void
give_place(const KilnDomain *domain, KilnDisk *disk)
{
    guint number = number_of(disk->target_dev);
    KilnDriveAddress at;

    do
        at = place_of(disk->bus, number++);
    while (find_drive(domain, domain->disks->len, disk->bus, &at) != NULL);
    disk->info.address.type = KILN_ADDRESS_DRIVE;
    disk->info.address.drive = at;
}

static KilnControllerType
controller_type(KilnDiskBus bus)
{
    return bus == KILN_DISK_BUS_SCSI   ? KILN_CONTROLLER_TYPE_SCSI
           : bus == KILN_DISK_BUS_SATA ? KILN_CONTROLLER_TYPE_SATA
                                       : KILN_CONTROLLER_TYPE_IDE;
}

static gboolean
has_controller(const KilnDomain *domain, KilnControllerType type, guint index)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->type == type &&
            (controller->index.set ? controller->index.value : 0) == index)
            return TRUE;
    }
    return FALSE;
}

static void
add_controller(KilnDomain *domain, KilnControllerType type, guint index)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *text = g_strdup_printf("<controller type='%s' index='%u'/>",
                                            kiln_controller_type_names[type], index);
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(text, strlen(text), faults);

    g_ptr_array_add(domain->controllers, kiln_controller_parse(node, faults));
}

static void
check_place(KilnDomain *domain, guint i, KilnFaults *faults)
{
    const KilnDisk *disk = g_ptr_array_index(domain->disks, i);
    const KilnDriveAddress *at = &disk->info.address.drive;
    KilnControllerType type = controller_type(disk->bus);

    if (find_drive(domain, i, disk->bus, at) != NULL)
        kiln_fault_add_at(faults, KILN_FAULT_XML, disk->place, "domain/devices/disk",
                          "another disk has its address");
    else if (at->controller >= MAX_CONTROLLERS)
        kiln_fault_add_at(faults, KILN_FAULT_XML, disk->place, "domain/devices/disk",
                          "there are no more than %d controllers of its bus", MAX_CONTROLLERS);
    else if (disk->bus == KILN_DISK_BUS_SATA &&
             (at->bus != 0 || at->target != 0 || at->unit >= SATA_UNITS))
        kiln_fault_add_at(faults, KILN_FAULT_XML, disk->place, "domain/devices/disk",
                          "a SATA controller has units 0 to 5 of bus 0, target 0");
    else if (!has_controller(domain, type, at->controller))
        add_controller(domain, type, at->controller);
}

/* Of the SCSI adapters there is one kind. */
static void
name_models(KilnDomain *domain)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_SCSI &&
            (controller->scsi_model == KILN_CONTROLLER_SCSI_MODEL_ABSENT ||
             controller->scsi_model == KILN_CONTROLLER_SCSI_MODEL_AUTO))
            controller->scsi_model = KILN_CONTROLLER_SCSI_MODEL_VIRTIO_SCSI;
    }
}

void
kiln_assign_drives(KilnDomain *domain, KilnFaults *faults)
{
    for (guint i = 0; i < domain->disks->len; i++) {
        KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (is_drive(disk) && disk->target_dev != NULL &&
            disk->info.address.type != KILN_ADDRESS_DRIVE)
            give_place(domain, disk);
    }
    for (guint i = 0; i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (is_drive(disk) && disk->info.address.type == KILN_ADDRESS_DRIVE)
            check_place(domain, i, faults);
    }
    name_models(domain);
}
