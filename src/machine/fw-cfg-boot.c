/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What firmware is to boot from, as libvirt tells QEMU: devices with <boot order=...> in that
 * order; or else, for each <os><boot dev=...>, the first device of that kind; hd if there is
 * neither.
 */
#include "machine/fw-cfg.h"

#include "base/le.h"
#include "device/rtc.h"
#include "domain/devices.h"
#include "domain/domain.h"
#include "machine/private.h"

/* ---- Paths -------------------------------------------------------------------------------------
 */

static const KilnController *
find_controller(const KilnDomain *domain, KilnControllerType type, guint index)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->type == type && controller->index.value == index)
            return controller;
    }
    return NULL;
}

/* The function at @pci, called @name, with the bridges before it. */
static void
append_function(GString *path, const KilnDomain *domain, const KilnPciAddress *pci,
                const char *name, guint depth)
{
    enum { MAX_DEPTH = 16 }; /* no loop in a definition leads on for ever */
    const KilnController *bridge = pci->bus != 0 && depth < MAX_DEPTH
                                       ? find_controller(domain, KILN_CONTROLLER_TYPE_PCI, pci->bus)
                                       : NULL;

    if (bridge != NULL && bridge->info.address.type == KILN_ADDRESS_PCI)
        append_function(path, domain, &bridge->info.address.pci, "pci-bridge", depth + 1);
    else
        g_string_append(path, "/pci@i0cf8");
    g_string_append_printf(path, "/%s@%x", name, pci->slot);
    if (pci->function != 0)
        g_string_append_printf(path, ",%x", pci->function);
}

/* A disk that is a unit of a controller. */
static gboolean
append_unit(GString *path, const KilnDomain *domain, const KilnDisk *disk)
{
    const KilnDriveAddress *drive = &disk->info.address.drive;
    gboolean scsi = disk->bus == KILN_DISK_BUS_SCSI;
    const KilnController *controller;

    if (disk->info.address.type != KILN_ADDRESS_DRIVE)
        return FALSE;
    controller = find_controller(domain,
                                 scsi                              ? KILN_CONTROLLER_TYPE_SCSI
                                 : disk->bus == KILN_DISK_BUS_SATA ? KILN_CONTROLLER_TYPE_SATA
                                                                   : KILN_CONTROLLER_TYPE_IDE,
                                 drive->controller);
    if (controller == NULL || controller->info.address.type != KILN_ADDRESS_PCI)
        return FALSE;
    append_function(path, domain, &controller->info.address.pci,
                    scsi                              ? "scsi"
                    : disk->bus == KILN_DISK_BUS_SATA ? "pci8086,2922"
                                                      : "ide",
                    0);
    if (scsi)
        g_string_append_printf(path, "/channel@%x/disk@%x,%x", drive->bus, drive->target,
                               drive->unit);
    else if (disk->bus == KILN_DISK_BUS_SATA)
        g_string_append_printf(path, "/drive@%x/disk@0", drive->unit);
    else
        g_string_append_printf(path, "/drive@%x/disk@%x", drive->bus, drive->unit);
    return TRUE;
}

static gboolean
append_disk(GString *path, const KilnDomain *domain, const KilnDisk *disk)
{
    if (disk->bus != KILN_DISK_BUS_VIRTIO)
        return append_unit(path, domain, disk);
    if (disk->info.address.type != KILN_ADDRESS_PCI)
        return FALSE;
    append_function(path, domain, &disk->info.address.pci, "scsi", 0);
    g_string_append(path, "/disk@0,0");
    return TRUE;
}

static gboolean
append_net(GString *path, const KilnDomain *domain, const KilnNet *net)
{
    if (net->info.address.type != KILN_ADDRESS_PCI)
        return FALSE;
    append_function(path, domain, &net->info.address.pci, "ethernet", 0);
    g_string_append(path, "/ethernet-phy@0");
    return TRUE;
}

static gboolean
append_hostdev(GString *path, const KilnDomain *domain, const KilnHostdev *hostdev)
{
    if (hostdev->info.address.type != KILN_ADDRESS_PCI)
        return FALSE;
    append_function(path, domain, &hostdev->info.address.pci, "pci", 0);
    return TRUE;
}

/* ---- Order -------------------------------------------------------------------------------------
 */

/* The device whose place in the order is @order, if it can be booted from. */
static gboolean
append_ordered(GString *path, const KilnDomain *domain, guint64 order)
{
    for (guint i = 0; i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->info.boot_order.set && disk->info.boot_order.value == order)
            return append_disk(path, domain, disk);
    }
    for (guint i = 0; i < domain->interfaces->len; i++) {
        const KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        if (net->info.boot_order.set && net->info.boot_order.value == order)
            return append_net(path, domain, net);
    }
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const KilnHostdev *hostdev = g_ptr_array_index(domain->hostdevs, i);

        if (hostdev->info.boot_order.set && hostdev->info.boot_order.value == order)
            return append_hostdev(path, domain, hostdev);
    }
    return FALSE;
}

static void
note_order(const char *element, void *device, KilnDeviceInfo *info, gpointer orders)
{
    if (info != NULL && info->boot_order.set)
        g_array_append_val((GArray *)orders, info->boot_order.value);
}

static int
compare_orders(gconstpointer a, gconstpointer b)
{
    guint64 x = *(const guint64 *)a;
    guint64 y = *(const guint64 *)b;

    return (x > y) - (x < y);
}

static void
append_line(GString *order, const GString *path, gboolean found)
{
    if (found)
        g_string_append_printf(order, "%s\n", path->str);
}

/* The first device of @kind. */
static gboolean
append_kind(GString *path, const KilnDomain *domain, KilnBootDeviceKind kind)
{
    KilnDiskDevice device =
        kind == KILN_BOOT_DEVICE_CDROM ? KILN_DISK_DEVICE_CDROM : KILN_DISK_DEVICE_DISK;

    if (kind == KILN_BOOT_DEVICE_NETWORK)
        return domain->interfaces->len > 0 &&
               append_net(path, domain, g_ptr_array_index(domain->interfaces, 0));
    for (guint i = 0; kind != KILN_BOOT_DEVICE_FD && i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (disk->device == device ||
            (disk->device == KILN_DISK_DEVICE_LUN && device == KILN_DISK_DEVICE_DISK))
            return append_disk(path, domain, disk);
    }
    return FALSE;
}

static void
append_kinds(GString *order, const KilnDomain *domain)
{
    static const KilnBootDevice hd = { KILN_BOOT_DEVICE_HD };
    guint n = MAX(domain->os.boot->len, 1);

    for (guint i = 0; i < n; i++) {
        const KilnBootDevice *boot =
            domain->os.boot->len > 0 ? g_ptr_array_index(domain->os.boot, i) : &hd;
        g_autoptr(GString) path = g_string_new(NULL);

        append_line(order, path, append_kind(path, domain, boot->kind));
    }
}

GString *
kiln_machine_boot_order(const KilnDomain *domain)
{
    g_autoptr(GArray) orders = g_array_new(FALSE, FALSE, sizeof(guint64));
    GString *order = g_string_new(NULL);

    if (domain->os.kernel != NULL) /* ahead of them all */
        g_string_append(order, "/rom@" KILN_MACHINE_LINUXBOOT "\n");
    kiln_devices_foreach((KilnDomain *)domain, note_order, orders);
    g_array_sort(orders, compare_orders);
    for (guint i = 0; i < orders->len; i++) {
        g_autoptr(GString) path = g_string_new(NULL);

        append_line(order, path, append_ordered(path, domain, g_array_index(orders, guint64, i)));
    }
    if (orders->len == 0)
        append_kinds(order, domain);
    if (order->len > 0)
        g_string_append(order, "HALT");
    return order;
}

/* ---- Items -------------------------------------------------------------------------------------
 */

static gboolean
add_number(KilnFwCfg *fw_cfg, const char *name, uint32_t value, gsize size, GError **error)
{
    uint8_t bytes[4];

    kiln_le32_store(bytes, value);
    return kiln_fw_cfg_add_file(fw_cfg, name, g_bytes_new(bytes, size), error);
}

/* The kinds of devices in their order, for what SeaBIOS finds no path of: QEMU's "-boot order=". */
static void
set_cmos_order(KilnMachine *machine)
{
    enum { CMOS_FIRST_TWO = 0x3d, CMOS_THIRD = 0x38, NO_FLOPPY_CHECK = 1, NIBBLES = 3 };
    static const uint8_t codes[] = {
        [KILN_BOOT_DEVICE_FD] = 1,
        [KILN_BOOT_DEVICE_HD] = 2,
        [KILN_BOOT_DEVICE_CDROM] = 3,
        [KILN_BOOT_DEVICE_NETWORK] = 4,
    };
    const GPtrArray *boot = machine->domain->os.boot;
    uint8_t nibbles[NIBBLES] = { 2, 3, 1 }; /* QEMU's default, "cad" but for the floppy */

    for (guint i = 0; boot->len > 0 && i < NIBBLES; i++)
        nibbles[i] =
            i < boot->len ? codes[((const KilnBootDevice *)g_ptr_array_index(boot, i))->kind] : 0;
    kiln_rtc_set_cmos(machine->rtc, CMOS_FIRST_TWO, (uint8_t)(nibbles[1] << 4 | nibbles[0]));
    kiln_rtc_set_cmos(machine->rtc, CMOS_THIRD, (uint8_t)(nibbles[2] << 4 | NO_FLOPPY_CHECK));
}

gboolean
kiln_machine_add_boot_items(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error)
{
    enum { COM1 = 0x3f8 };
    const KilnOs *os = &machine->domain->os;
    g_autoptr(GString) order = kiln_machine_boot_order(machine->domain);
    int64_t again_ms = os->bios_reboot_timeout_ms.set ? os->bios_reboot_timeout_ms.value : -1;

    set_cmos_order(machine);
    kiln_fw_cfg_add_16(fw_cfg, KILN_FW_CFG_BOOT_MENU, os->bootmenu == KILN_SWITCH_ON);
    if (order->len > 0 &&
        !kiln_fw_cfg_add_file(fw_cfg, "bootorder", g_bytes_new(order->str, order->len + 1), error))
        return FALSE;
    if (os->bootmenu == KILN_SWITCH_ON && os->bootmenu_timeout_ms.set &&
        !add_number(fw_cfg, "etc/boot-menu-wait", (uint32_t)os->bootmenu_timeout_ms.value, 2,
                    error))
        return FALSE;
    if (os->bios_useserial == KILN_SWITCH_ON &&
        !add_number(fw_cfg, "etc/sercon-port", COM1, 2, error))
        return FALSE;
    return add_number(fw_cfg, "etc/boot-fail-wait", (uint32_t)again_ms, 4, error);
}
