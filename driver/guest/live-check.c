/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/live-check.h"

#include "base/error.h"

#include <string.h>

/* In a folder of the daemon's, by a name of one part. */
static gboolean
is_placed(const char *path, const char *runtime_dir)
{
    g_autofree char *folder = g_build_filename(runtime_dir, "channel", NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    return strcmp(parent, folder) == 0 && strcmp(name, "..") != 0 && strcmp(name, ".") != 0;
}

static gboolean
check_channels(const KilnDomain *known, const KilnDomain *told, const char *runtime_dir,
               GError **error)
{
    if (known->channels->len != told->channels->len)
        return kiln_error_set(error, KILN_ERROR_INVALID, "other channels");
    for (guint i = 0; i < told->channels->len; i++) {
        const KilnCharSource *before =
            &((const KilnChannel *)g_ptr_array_index(known->channels, i))->source;
        const KilnCharSource *now =
            &((const KilnChannel *)g_ptr_array_index(told->channels, i))->source;

        if (now->type != before->type)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a channel of another type");
        if (now->type != KILN_CHAR_TYPE_UNIX || now->endpoint.path == NULL ||
            g_strcmp0(now->endpoint.path, before->endpoint.path) == 0 ||
            (before->endpoint.path == NULL && is_placed(now->endpoint.path, runtime_dir)))
            continue;
        return kiln_error_set(error, KILN_ERROR_INVALID, "a channel's socket '%s'",
                              now->endpoint.path);
    }
    return TRUE;
}

/* A volume becomes a file or a device when the process starts, as libvirt's storage driver says;
 * the medium of a drive is changed while it runs. */
static gboolean
may_change(const KilnDisk *disk)
{
    return disk->source.type == KILN_DISK_TYPE_VOLUME || disk->device == KILN_DISK_DEVICE_CDROM ||
           disk->device == KILN_DISK_DEVICE_FLOPPY;
}

static gboolean
check_disks(const KilnDomain *known, const KilnDomain *told, GError **error)
{
    if (known->disks->len != told->disks->len)
        return kiln_error_set(error, KILN_ERROR_INVALID, "other disks");
    for (guint i = 0; i < told->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(known->disks, i);
        const KilnDiskSource *before = &disk->source;
        const KilnDiskSource *now = &((const KilnDisk *)g_ptr_array_index(told->disks, i))->source;

        if (may_change(disk))
            continue;
        if (now->type != before->type)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a disk of another type");
        if (g_strcmp0(now->file, before->file) != 0 || g_strcmp0(now->dev, before->dev) != 0)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a disk's source '%s'",
                                  now->file != NULL ? now->file : now->dev);
    }
    return TRUE;
}

/* Firmware is chosen when the process starts; what was said of it before stays. */
static gboolean
check_os(const KilnOs *known, const KilnOs *told, GError **error)
{
    if (known->loader != NULL && g_strcmp0(known->loader, told->loader) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "another loader");
    if (known->nvram != NULL && g_strcmp0(known->nvram, told->nvram) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "another variable store");
    return TRUE;
}

gboolean
kiln_live_check(const KilnDomain *known, const KilnDomain *told, const char *runtime_dir,
                GError **error)
{
    if (known == NULL)
        return TRUE;
    if (known->hostdevs->len != told->hostdevs->len)
        return kiln_error_set(error, KILN_ERROR_INVALID, "other devices of the host");
    return check_os(&known->os, &told->os, error) &&
           check_channels(known, told, runtime_dir, error) && check_disks(known, told, error);
}
