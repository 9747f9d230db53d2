/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See resolve.h. */
#include "cli/resolve.h"

#include "base/error.h"
#include "base/module.h"
#include "firmware/firmware.h"
#include "resolve/resolve.h"

#define URI_VARIABLE "KILN_LIBVIRT_URI"

static KilnNetDirectMode
direct_mode(const char *name)
{
    for (guint i = 1; name != NULL && i < KILN_N_NET_DIRECT_MODE; i++) {
        if (g_str_equal(name, kiln_net_direct_mode_names[i]))
            return (KilnNetDirectMode)i;
    }
    return KILN_NET_DIRECT_MODE_VEPA;
}

static gboolean
resolve_net(const KilnResolveModule *libvirt, KilnNet *net, GError **error)
{
    KilnResolvedNetwork resolved;

    if (net->source.network == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "type 'network' needs <source network=>");
    if (!libvirt->network(g_getenv(URI_VARIABLE), net->source.network, &resolved, error))
        return FALSE;
    g_free(net->source.bridge);
    net->source.bridge = resolved.bridge;
    g_free(net->source.dev);
    net->source.dev = resolved.dev;
    net->source.direct_mode = direct_mode(resolved.mode);
    g_free(resolved.mode);
    return TRUE;
}

static gboolean
resolve_disk(const KilnResolveModule *libvirt, KilnDisk *disk, GError **error)
{
    KilnDiskSource *source = &disk->source;
    KilnResolvedVolume resolved;

    if (source->pool == NULL || source->volume == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "type 'volume' needs <source pool= volume=>");
    if (!libvirt->volume(g_getenv(URI_VARIABLE), source->pool, source->volume, &resolved, error))
        return FALSE;
    g_free(source->file);
    g_free(source->dev);
    source->file = resolved.block_device ? NULL : resolved.path;
    source->dev = resolved.block_device ? resolved.path : NULL;
    return TRUE;
}

static gboolean
needs_libvirt(const KilnDomain *domain)
{
    for (guint i = 0; i < domain->interfaces->len; i++) {
        if (((const KilnNet *)g_ptr_array_index(domain->interfaces, i))->type ==
            KILN_NET_TYPE_NETWORK)
            return TRUE;
    }
    for (guint i = 0; i < domain->disks->len; i++) {
        if (((const KilnDisk *)g_ptr_array_index(domain->disks, i))->source.type ==
            KILN_DISK_TYPE_VOLUME)
            return TRUE;
    }
    return FALSE;
}

static gboolean
resolve_firmware(KilnDomain *domain, GError **error)
{
    const KilnFirmwareModule *firmware;

    if (domain->os.firmware != KILN_FIRMWARE_EFI && domain->os.loader_type != KILN_LOADER_PFLASH)
        return TRUE;
    firmware = kiln_module_load(KILN_FIRMWARE_MODULE, KILN_FIRMWARE_SYMBOL, error);
    return firmware != NULL && firmware->resolve(domain, NULL, error);
}

gboolean
kiln_cli_resolve(KilnDomain *domain, GError **error)
{
    const KilnResolveModule *libvirt;

    if (!resolve_firmware(domain, error))
        return FALSE;
    if (!needs_libvirt(domain))
        return TRUE;
    libvirt = kiln_module_load(KILN_RESOLVE_MODULE, KILN_RESOLVE_SYMBOL, error);
    if (libvirt == NULL)
        return FALSE;
    for (guint i = 0; i < domain->interfaces->len; i++) {
        KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        if (net->type == KILN_NET_TYPE_NETWORK && !resolve_net(libvirt, net, error)) {
            g_prefix_error(error, "interface '%s': ", net->mac);
            return FALSE;
        }
    }
    for (guint i = 0; i < domain->disks->len; i++) {
        KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->source.type == KILN_DISK_TYPE_VOLUME && !resolve_disk(libvirt, disk, error)) {
            g_prefix_error(error, "disk '%s': ", disk->target_dev);
            return FALSE;
        }
    }
    return TRUE;
}
