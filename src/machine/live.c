/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be changed of a running guest's devices; see machine.h. */
#include "machine/private.h"

#include "base/error.h"
#include "block/block.h"
#include "device/ahci.h"
#include "device/virtio-balloon.h"
#include "device/virtio-blk.h"
#include "device/virtio-net.h"
#include "domain/domain.h"
#include "domain/metadata.h"
#include "loop/call.h"
#include "machine/functions.h"

#include <string.h>

static gboolean
require_guest(const KilnMachine *machine, GError **error)
{
    if (machine->state == KILN_MACHINE_RUNNING || machine->state == KILN_MACHINE_PAUSED)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_STATE, "the guest is %s",
                          kiln_machine_state_name(machine->state));
}

/* ---- Disks -------------------------------------------------------------------------------------
 */

static KilnMachineDisk *
find_disk(KilnMachine *machine, const char *target)
{
    for (guint i = 0; i < machine->disks->len; i++) {
        KilnMachineDisk *disk = g_ptr_array_index(machine->disks, i);

        if (strcmp(target, disk->disk->target_dev) == 0 ||
            strcmp(target, disk->disk->info.alias) == 0)
            return disk;
    }
    return NULL;
}

typedef struct {
    KilnBlock *chain;
    uint64_t bytes;
    gboolean done;
    GError *error; /* (owned) (nullable) */
} Resizing;

/* In the disk's thread: its layers wait for what they ask of the file by running its loop. */
static void
resize(gpointer data)
{
    Resizing *resizing = data;

    resizing->done = kiln_block_resize(resizing->chain, resizing->bytes, &resizing->error);
}

/* The same for one on SATA, which has no way to tell: it says so when it is asked what it is. */
static gboolean
resize_ata(const KilnMachineDisk *disk, Resizing *resizing, GError **error)
{
    resizing->chain = kiln_ata_chain(disk->drive->disk);
    if (kiln_ahci_quiesce_until(disk->ahci, kiln_machine_quiesce_end()))
        kiln_call_wait(disk->drive->context, resize, resizing);
    else
        kiln_error_set(&resizing->error, KILN_ERROR_FAILED,
                       "the host does not answer to what the guest has asked it");
    if (disk->machine->state == KILN_MACHINE_RUNNING)
        kiln_ahci_resume(disk->ahci);
    if (resizing->error != NULL)
        g_propagate_error(error, resizing->error);
    return resizing->done;
}

/* The device stands still for it; nothing of the guest has to. */
static gboolean
resize_disk(const KilnMachineDisk *disk, uint64_t bytes, GError **error)
{
    const KilnMachine *machine = disk->machine;
    Resizing resizing = { .bytes = bytes };

    if (disk->disk->source.type == KILN_DISK_TYPE_VHOSTUSER)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "its size is its back end's to change");
    if (disk->disk->device == KILN_DISK_DEVICE_CDROM)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "a CD-ROM is as long as it is");
    if (disk->drive != NULL)
        return resize_ata(disk, &resizing, error);
    resizing.chain =
        disk->unit != NULL ? kiln_scsi_unit_chain(disk->unit) : kiln_virtio_blk_chain(disk->device);
    if (kiln_virtio_device_quiesce_until(disk->device, kiln_machine_quiesce_end()))
        kiln_call_wait(disk->device->context, resize, &resizing);
    else
        kiln_error_set(&resizing.error, KILN_ERROR_FAILED,
                       "the host does not answer to what the guest has asked it");
    if (resizing.done && disk->unit != NULL)
        kiln_scsi_unit_resized(disk->unit);
    else if (resizing.done)
        kiln_virtio_blk_resized(disk->device);
    if (machine->state == KILN_MACHINE_RUNNING) /* else it stands still with the guest */
        kiln_virtio_device_resume(disk->device);
    if (resizing.error != NULL)
        g_propagate_error(error, resizing.error);
    return resizing.done;
}

gboolean
kiln_machine_resize_disk(KilnMachine *machine, const char *target, uint64_t bytes, GError **error)
{
    KilnMachineDisk *disk = find_disk(machine, target);

    if (!require_guest(machine, error))
        return FALSE;
    if (disk == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no disk '%s'", target);
    if (resize_disk(disk, bytes, error))
        return TRUE;
    g_prefix_error(error, "disk '%s': ", target);
    return FALSE;
}

/* ---- Memory ------------------------------------------------------------------------------------
 */

static gboolean
require_balloon(const KilnMachine *machine, GError **error)
{
    if (!require_guest(machine, error))
        return FALSE;
    return machine->balloon != NULL ||
           kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "the guest has no balloon: its definition lacks <memballoon "
                          "model='virtio'/>");
}

gboolean
kiln_machine_set_memory(KilnMachine *machine, uint64_t bytes, GError **error)
{
    if (!require_balloon(machine, error))
        return FALSE;
    if (bytes == 0 || bytes > kiln_memory_size(machine->memory))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the guest can have 1 to %" G_GUINT64_FORMAT " KiB",
                              kiln_memory_size(machine->memory) / 1024);
    kiln_virtio_balloon_set_target(machine->balloon, bytes);
    return TRUE;
}

gboolean
kiln_machine_set_memory_period(KilnMachine *machine, guint seconds, GError **error)
{
    if (!require_balloon(machine, error))
        return FALSE;
    kiln_virtio_balloon_set_stats_period(machine->balloon, seconds);
    return TRUE;
}

gboolean
kiln_machine_set_memory_device(KilnMachine *machine, const char *alias, uint64_t bytes,
                               GError **error)
{
    return require_guest(machine, error) &&
           kiln_machine_request_memory(machine, alias, bytes, error);
}

uint64_t
kiln_machine_memory(const KilnMachine *machine)
{
    uint64_t bytes = machine->balloon != NULL ? kiln_virtio_balloon_actual(machine->balloon)
                                              : kiln_memory_size(machine->memory);

    return bytes + kiln_machine_plugged_memory(machine);
}

/* ---- Interfaces --------------------------------------------------------------------------------
 */

gboolean
kiln_machine_set_link(KilnMachine *machine, const char *interface, gboolean up, GError **error)
{
    if (!require_guest(machine, error))
        return FALSE;
    for (guint i = 0; i < machine->nets->len; i++) {
        const KilnMachineNet *net = &g_array_index(machine->nets, KilnMachineNet, i);

        if (strcmp(interface, net->net->info.alias) != 0 &&
            g_ascii_strcasecmp(interface, net->net->mac) != 0 &&
            g_strcmp0(interface, net->net->target_dev) != 0)
            continue;
        kiln_virtio_net_set_link(net->device, up);
        net->net->link = up ? KILN_NET_LINK_STATE_UP : KILN_NET_LINK_STATE_DOWN;
        kiln_machine_emit(machine, KILN_EVENT_DEFINITION);
        return TRUE;
    }
    return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no interface '%s'",
                          interface);
}

/* ---- What its definition says of it ------------------------------------------------------------
 */

gboolean
kiln_machine_set_metadata(KilnMachine *machine, int kind, const char *text, const char *key,
                          const char *uri, GError **error)
{
    if (!kiln_metadata_set(machine->domain, kind, text, key, uri, error))
        return FALSE;
    kiln_machine_emit(machine, KILN_EVENT_DEFINITION);
    return TRUE;
}

gboolean
kiln_machine_set_lifecycle(KilnMachine *machine, const char *event, const char *action,
                           GError **error)
{
    if (!kiln_lifecycle_set(machine->domain, event, action, error))
        return FALSE;
    kiln_machine_emit(machine, KILN_EVENT_DEFINITION);
    return TRUE;
}

/* ---- Errors of disks ---------------------------------------------------------------------------
 */

const KilnMachineIoError *
kiln_machine_io_error(const KilnMachine *machine)
{
    return &machine->io_error;
}

/* So many a second: each is a message to every client, and a guest may go on reading a bad disk. */
static gboolean
may_tell(KilnMachine *machine)
{
    gint64 now = g_get_monotonic_time();

    if (now - machine->io_errors_since_us >= G_USEC_PER_SEC) {
        machine->io_errors_since_us = now;
        machine->n_io_errors_told = 0;
    }
    return machine->n_io_errors_told++ < KILN_MACHINE_MAX_IO_ERRORS;
}

void
kiln_machine_tell_io_errors(KilnMachine *machine)
{
    KilnMachineIoError errors[KILN_MACHINE_MAX_IO_ERRORS];
    guint n;

    kiln_mutex_lock(&machine->lock);
    n = machine->n_io_errors;
    memcpy(errors, machine->io_errors, n * sizeof *errors);
    machine->n_io_errors = 0;
    kiln_mutex_unlock(&machine->lock);
    for (guint i = 0; i < n && machine->state != KILN_MACHINE_SHUTOFF; i++) {
        if (!may_tell(machine) && strcmp(errors[i].action, "pause") != 0)
            continue;
        machine->io_error = errors[i];
        kiln_machine_emit(machine, KILN_EVENT_IO_ERROR);
    }
}
