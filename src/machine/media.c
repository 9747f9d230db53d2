/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lies in a CD-ROM drive is changed while the guest runs.  The process may open no files then,
 * so the caller brings a descriptor.  The drive's device stands still for it; the chain is opened,
 * and the old one closed, in the thread where chains of that device work.
 */
#include "machine/disks.h"

#include <string.h>

#include "base/error.h"
#include "device/ahci.h"
#include "loop/call.h"
#include "machine/functions.h"
#include "machine/private.h"

typedef struct {
    KilnMachineDisk *disk;
    int fd; /* -1: the drive is to be empty */
    const char *path;
    const char *format; /* (nullable) */
    gboolean force;
    gboolean done;
    GError *error; /* (owned) (nullable) */
} Change;

static void
change(gpointer data)
{
    Change *change = data;
    KilnMachineDisk *disk = change->disk;
    KilnBlock *chain = NULL;

    if (change->fd >= 0) {
        chain = kiln_machine_open_medium(disk, change->fd, change->path, change->format,
                                         &change->error);
        if (chain == NULL)
            return;
    }
    change->done = kiln_scsi_unit_set_medium(disk->unit, chain, change->force, &change->error);
}

static void
no_answer(Change *change_)
{
    kiln_error_set(&change_->error, KILN_ERROR_FAILED,
                   "the host does not answer to what the guest has asked it");
}

static void
change_scsi(Change *change_)
{
    KilnVirtioDevice *device = change_->disk->device;

    if (kiln_virtio_device_quiesce_until(device, kiln_machine_quiesce_end()))
        kiln_call_wait(device->context, change, change_);
    else
        no_answer(change_);
    if (change_->disk->machine->state == KILN_MACHINE_RUNNING)
        kiln_virtio_device_resume(device);
}

static void
change_ata(Change *change_)
{
    KilnPciDevice *ahci = change_->disk->ahci;

    if (kiln_ahci_quiesce_until(ahci, kiln_machine_quiesce_end()))
        kiln_call_wait(change_->disk->drive->context, change, change_);
    else
        no_answer(change_);
    if (change_->disk->machine->state == KILN_MACHINE_RUNNING)
        kiln_ahci_resume(ahci);
}

/* The live definition says what lies in the drive. */
static void
record(KilnMachine *machine, const KilnDisk *of, const char *path)
{
    for (guint i = 0; i < machine->domain->disks->len; i++) {
        KilnDisk *disk = g_ptr_array_index(machine->domain->disks, i);

        if (disk != of)
            continue;
        disk->source.type = KILN_DISK_TYPE_FILE;
        g_free(disk->source.file);
        disk->source.file = g_strdup(path);
    }
}

static KilnMachineDisk *
find_drive(KilnMachine *machine, const char *target, GError **error)
{
    for (guint i = 0; i < machine->disks->len; i++) {
        KilnMachineDisk *disk = g_ptr_array_index(machine->disks, i);

        if (strcmp(target, disk->disk->target_dev) != 0 &&
            strcmp(target, disk->disk->info.alias) != 0)
            continue;
        if (disk->unit != NULL && (disk->device != NULL || disk->ahci != NULL) &&
            disk->disk->device == KILN_DISK_DEVICE_CDROM)
            return disk;
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                       "the disk '%s' is no drive whose medium can be changed", target);
        return NULL;
    }
    kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no disk '%s'", target);
    return NULL;
}

gboolean
kiln_machine_change_medium(KilnMachine *machine, const char *target, int fd, const char *path,
                           const char *format, gboolean force, GError **error)
{
    g_auto(KilnFd) owned = fd;
    Change what = { .path = path, .format = format, .force = force };

    if (machine->state != KILN_MACHINE_RUNNING && machine->state != KILN_MACHINE_PAUSED)
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                              kiln_machine_state_name(machine->state));
    what.disk = find_drive(machine, target, error);
    if (what.disk == NULL)
        return FALSE;
    what.fd = kiln_fd_steal(&owned);
    if (what.disk->ahci != NULL)
        change_ata(&what);
    else
        change_scsi(&what);
    if (what.done)
        record(machine, what.disk->disk, fd >= 0 ? path : NULL);
    if (what.error != NULL)
        g_propagate_prefixed_error(error, what.error, "drive '%s': ", target);
    return what.done;
}
