/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Expansion ROMs of network interfaces, <rom>: iPXE, from Debian's package ipxe-qemu, unless a file
 * is named.  Only guests that boot by firmware have them, and only interfaces that they may boot
 * from: others would cost the time in which iPXE finds out that it is not wanted.
 */
#include "machine/functions.h"

#include "base/error.h"
#include "base/le.h"
#include "bus/pci-rom.h"
#include "domain/domain.h"
#include "machine/private.h"
#include "machine/slots.h"

static const struct {
    uint16_t vendor;
    uint16_t device;
    const char *file;
} roms[] = {
    { 0x1af4, 0x1041, "efi-virtio.rom" }, /* BIOS code too */
    { 0x8086, 0x100e, "efi-e1000.rom" },
    { 0x8086, 0x10d3, "efi-e1000e.rom" },
};

static const char *const directories[] = {
    "/usr/lib/ipxe/qemu",
    "/usr/share/qemu",
    "/usr/local/share/qemu",
};

/* The file for @pci if it is there, else NULL. */
static char *
default_file(const KilnPciDevice *pci)
{
    for (guint i = 0; i < G_N_ELEMENTS(roms); i++) {
        if (roms[i].vendor != kiln_le16_load(pci->config + PCI_VENDOR_ID) ||
            roms[i].device != kiln_le16_load(pci->config + PCI_DEVICE_ID))
            continue;
        for (guint j = 0; j < G_N_ELEMENTS(directories); j++) {
            g_autofree char *path = g_build_filename(directories[j], roms[i].file, NULL);

            if (g_file_test(path, G_FILE_TEST_EXISTS))
                return g_steal_pointer(&path);
        }
    }
    return NULL;
}

/* Whether the interface with @info is among what the guest may boot from. */
static gboolean
is_boot_device(const KilnDomain *domain, const KilnDeviceInfo *info)
{
    const KilnNet *first =
        domain->interfaces->len > 0 ? g_ptr_array_index(domain->interfaces, 0) : NULL;

    if (info->boot_order.set || domain->os.bootmenu == KILN_SWITCH_ON)
        return TRUE;
    for (guint i = 0; i < domain->os.boot->len; i++) {
        const KilnBootDevice *boot = g_ptr_array_index(domain->os.boot, i);

        if (boot->kind == KILN_BOOT_DEVICE_NETWORK && first != NULL && info == &first->info)
            return TRUE;
    }
    return FALSE;
}

gboolean
kiln_machine_add_net_rom(KilnMachine *machine, KilnPciDevice *pci, const KilnDeviceInfo *info,
                         GError **error)
{
    g_autofree char *path = NULL;
    g_autofree char *image = NULL;
    gsize length;
    KilnSlots slots = kiln_machine_slots(machine);

    if (!kiln_machine_has_firmware(machine) || info->rom_enabled == KILN_SWITCH_OFF ||
        info->rom_bar == KILN_SWITCH_OFF)
        return TRUE;
    if (info->rom_file != NULL)
        path = g_strdup(info->rom_file);
    else if (info->rom_enabled == KILN_SWITCH_ON || is_boot_device(machine->domain, info))
        path = default_file(pci);
    if (path == NULL)
        return TRUE;
    if (g_file_get_contents(path, &image, &length, error) &&
        kiln_pci_device_add_rom(pci, (const uint8_t *)image, length, &slots, error))
        return TRUE;
    g_prefix_error(error, "rom '%s': ", path);
    return FALSE;
}
