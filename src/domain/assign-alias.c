/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See assign.h: names of a running guest's devices, as libvirt's qemu_alias.c gives them. */
#include "domain/assign.h"

#include "domain/devices.h"

#include <string.h>

typedef struct {
    const char *element;
    const char *alias;
} Name;

static const Name names[] = {
    { "filesystem", "fs" },   { "interface", "net" },     { "serial", "serial" },
    { "console", "console" }, { "channel", "channel" },   { "tpm", "tpm" },
    { "input", "input" },     { "graphics", "graphics" }, { "video", "video" },
    { "hostdev", "hostdev" }, { "watchdog", "watchdog" }, { "memballoon", "balloon" },
    { "rng", "rng" },         { "panic", "panic" },       { "shmem", "shmem" },
    { "vsock", "vsock" },     { "iommu", "iommu" },
};

typedef struct {
    GHashTable *counts; /* element -> how many so far */
} Aliases;

static char *
controller_alias(const KilnController *controller)
{
    if (controller->type == KILN_CONTROLLER_TYPE_PCI && controller->index.value == 0)
        return g_strdup("pcie.0");
    return controller->type == KILN_CONTROLLER_TYPE_PCI
               ? g_strdup_printf("pci.%" G_GUINT64_FORMAT, controller->index.value)
               : g_strdup_printf("%s%" G_GUINT64_FORMAT,
                                 kiln_controller_type_names[controller->type],
                                 controller->index.value);
}

static char *
memory_alias(const KilnMemoryDevice *memory, guint index)
{
    return g_strdup_printf("%s%u",
                           memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM    ? "virtiomem"
                           : memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM ? "virtiopmem"
                                                                                   : "dimm",
                           index);
}

/* "vda" is virtio-disk0, as in libvirt, whatever the order of the disks. */
static char *
disk_alias(const KilnDisk *disk, guint index)
{
    const char *name = disk->target_dev != NULL ? disk->target_dev : "";
    guint number = 0;

    if (disk->info.address.type == KILN_ADDRESS_DRIVE) {
        const KilnDriveAddress *at = &disk->info.address.drive;

        return disk->bus == KILN_DISK_BUS_SCSI
                   ? g_strdup_printf("scsi%u-%u-%u-%u", at->controller, at->bus, at->target,
                                     at->unit)
                   : g_strdup_printf("%s%u-%u-%u", kiln_disk_bus_names[disk->bus], at->controller,
                                     at->bus, at->unit);
    }
    if (disk->bus != KILN_DISK_BUS_VIRTIO || strlen(name) < 3)
        return g_strdup_printf("disk%u", index);
    for (name += 2; g_ascii_islower(*name); name++)
        number = number * 26 + (guint)(*name - 'a' + 1);
    return g_strdup_printf("virtio-disk%u", number > 0 ? number - 1 : index);
}

static char *
make_alias(const char *element, const void *device, guint index)
{
    if (strcmp(element, "controller") == 0)
        return controller_alias(device);
    if (strcmp(element, "disk") == 0)
        return disk_alias(device, index);
    if (strcmp(element, "memory") == 0)
        return memory_alias(device, index);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(element, names[i].element) == 0)
            return g_strdup_printf("%s%u", names[i].alias, index);
    }
    return g_strdup_printf("%s%u", element, index);
}

static void
give_alias(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    Aliases *aliases = data;
    guint index = GPOINTER_TO_UINT(g_hash_table_lookup(aliases->counts, element));

    g_hash_table_insert(aliases->counts, (char *)element, GUINT_TO_POINTER(index + 1));
    if (info == NULL || (info->alias != NULL && g_str_has_prefix(info->alias, "ua-")))
        return;
    g_free(info->alias);
    info->alias = make_alias(element, device, index);
}

void
kiln_assign_aliases(KilnDomain *domain)
{
    Aliases aliases = { g_hash_table_new(g_str_hash, g_str_equal) };

    kiln_devices_foreach(domain, give_alias, &aliases);
    g_hash_table_unref(aliases.counts);
}
