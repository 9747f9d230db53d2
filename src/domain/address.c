/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See address.h. */
#include "domain/address.h"

#include <string.h>

static const char *const type_names[KILN_N_ADDRESSES] = {
    [KILN_ADDRESS_PCI] = "pci",
    [KILN_ADDRESS_DRIVE] = "drive",
    [KILN_ADDRESS_VIRTIO_SERIAL] = "virtio-serial",
    [KILN_ADDRESS_CCID] = "ccid",
    [KILN_ADDRESS_USB] = "usb",
    [KILN_ADDRESS_ISA] = "isa",
    [KILN_ADDRESS_DIMM] = "dimm",
    [KILN_ADDRESS_VIRTIO_MMIO] = "virtio-mmio",
    [KILN_ADDRESS_UNASSIGNED] = "unassigned",
};

static const KilnField pci_fields[] = {
    KILN_FIELD_PLAIN(KilnPciAddress, domain, "@domain", 0xffff, .width = 4),
    KILN_FIELD_PLAIN(KilnPciAddress, bus, "@bus", 0xff, .width = 2),
    KILN_FIELD_PLAIN(KilnPciAddress, slot, "@slot", 0x1f, .width = 2),
    KILN_FIELD_PLAIN(KilnPciAddress, function, "@function", 7, .width = 1),
    KILN_FIELD_SWITCH(KilnPciAddress, multifunction, "@multifunction", ONOFF),
    KILN_FIELD_END,
};
const KilnStruct kiln_pci_address_struct = { sizeof(KilnPciAddress), pci_fields, NULL };

static const KilnField drive_fields[] = {
    KILN_FIELD_PLAIN(KilnDriveAddress, controller, "@controller", 65535),
    KILN_FIELD_PLAIN(KilnDriveAddress, bus, "@bus", 65535),
    KILN_FIELD_PLAIN(KilnDriveAddress, target, "@target", 65535),
    KILN_FIELD_PLAIN(KilnDriveAddress, unit, "@unit", 65535),
    KILN_FIELD_END,
};
static const KilnField virtio_serial_fields[] = {
    KILN_FIELD_PLAIN(KilnVirtioSerialAddress, controller, "@controller", 65535),
    KILN_FIELD_PLAIN(KilnVirtioSerialAddress, bus, "@bus", 65535),
    KILN_FIELD_PLAIN(KilnVirtioSerialAddress, port, "@port", 65535),
    KILN_FIELD_END,
};
static const KilnField ccid_fields[] = {
    KILN_FIELD_PLAIN(KilnCcidAddress, controller, "@controller", 65535),
    KILN_FIELD_PLAIN(KilnCcidAddress, slot, "@slot", 65535),
    KILN_FIELD_END,
};
static const KilnField usb_fields[] = {
    KILN_FIELD_PLAIN(KilnUsbAddress, bus, "@bus", 65535),
    KILN_FIELD_STRING(KilnUsbAddress, port, "@port", .rule = &kiln_usb_port_rule),
    KILN_FIELD_END,
};
static const KilnField isa_fields[] = {
    KILN_FIELD_HEX(KilnIsaAddress, iobase, "@iobase", 0xffff, 1),
    KILN_FIELD_HEX(KilnIsaAddress, irq, "@irq", 15, 1),
    KILN_FIELD_END,
};
static const KilnField dimm_fields[] = {
    KILN_FIELD_UINT(KilnDimmAddress, slot, "@slot", 0, 65535),
    KILN_FIELD_HEX(KilnDimmAddress, base, "@base", G_MAXUINT64, 1),
    KILN_FIELD_END,
};
static const KilnField no_fields[] = { KILN_FIELD_END };

static const KilnStruct types[KILN_N_ADDRESSES] = {
    [KILN_ADDRESS_ABSENT] = { 0, no_fields, NULL },
    [KILN_ADDRESS_PCI] = { sizeof(KilnPciAddress), pci_fields, NULL },
    [KILN_ADDRESS_DRIVE] = { sizeof(KilnDriveAddress), drive_fields, NULL },
    [KILN_ADDRESS_VIRTIO_SERIAL] = { sizeof(KilnVirtioSerialAddress), virtio_serial_fields, NULL },
    [KILN_ADDRESS_CCID] = { sizeof(KilnCcidAddress), ccid_fields, NULL },
    [KILN_ADDRESS_USB] = { sizeof(KilnUsbAddress), usb_fields, NULL },
    [KILN_ADDRESS_ISA] = { sizeof(KilnIsaAddress), isa_fields, NULL },
    [KILN_ADDRESS_DIMM] = { sizeof(KilnDimmAddress), dimm_fields, NULL },
    [KILN_ADDRESS_VIRTIO_MMIO] = { 0, no_fields, NULL },
    [KILN_ADDRESS_UNASSIGNED] = { 0, no_fields, NULL },
};

static void
address_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    KilnAddress *address = member;
    int type;

    if (!kiln_xml_take_enum(node, "type", TRUE, type_names, KILN_N_ADDRESSES, &type, faults)) {
        kiln_xml_take_subtree(node);
        return;
    }
    address->type = (KilnAddressType)type;
    kiln_struct_parse_into(&types[type], &address->pci, node, faults);
}

static gboolean
address_present(const void *member)
{
    const KilnAddress *address = member;

    return address->type != KILN_ADDRESS_ABSENT;
}

static void
address_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    const KilnAddress *address = member;

    kiln_xml_attribute(writer, "type", type_names[address->type]);
    if (address->type == KILN_ADDRESS_PCI && !kiln_pci_address_chosen(&address->pci))
        return; /* <address type='pci'/> leaves the slot to us */
    kiln_struct_format(&types[address->type], &address->pci, writer, flags);
}

static void
address_clear(void *member)
{
    KilnAddress *address = member;

    kiln_struct_clear(&types[address->type], &address->pci);
    address->type = KILN_ADDRESS_ABSENT;
}

const KilnFieldOps kiln_address_ops = {
    .parse = address_parse,
    .present = address_present,
    .format = address_format,
    .clear = address_clear,
};

gboolean
kiln_pci_address_chosen(const KilnPciAddress *address)
{
    return address->domain != 0 || address->bus != 0 || address->slot != 0 ||
           address->function != 0;
}

static const KilnField info_fields[] = {
    KILN_FIELD_UINT(KilnDeviceInfo, boot_order, "boot@order", 1, G_MAXUINT32),
    KILN_FIELD_STRING(KilnDeviceInfo, boot_loadparm, "boot@loadparm"),
    KILN_FIELD_UINT(KilnDeviceInfo, acpi_index, "acpi@index", 1, 16 * 1024 - 1),
    KILN_FIELD_SWITCH(KilnDeviceInfo, rom_enabled, "rom@enabled", YESNO),
    KILN_FIELD_SWITCH(KilnDeviceInfo, rom_bar, "rom@bar", ONOFF),
    KILN_FIELD_STRING(KilnDeviceInfo, rom_file, "rom@file", .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnDeviceInfo, alias, "alias@name", .rule = &kiln_alias_rule),
    KILN_FIELD_CUSTOM(KilnDeviceInfo, address, "address", &kiln_address_ops),
    KILN_FIELD_END,
};

/* An alias of the user's own begins with "ua-"; libvirt drops any other one from what it is given.
 */
static void
info_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDeviceInfo *info = object;

    if (info->alias != NULL && !g_str_has_prefix(info->alias, "ua-"))
        g_clear_pointer(&info->alias, g_free);
}

const KilnStruct kiln_device_info_struct = { sizeof(KilnDeviceInfo), info_fields, info_check };
