/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/hostdev.h"

const char *const kiln_hostdev_mode_names[KILN_N_HOSTDEV_MODE] = {
    [KILN_HOSTDEV_MODE_SUBSYSTEM] = "subsystem",
};

const char *const kiln_hostdev_type_names[KILN_N_HOSTDEV_TYPE] = {
    [KILN_HOSTDEV_TYPE_PCI] = "pci",   [KILN_HOSTDEV_TYPE_USB] = "usb",
    [KILN_HOSTDEV_TYPE_SCSI] = "scsi", [KILN_HOSTDEV_TYPE_SCSI_HOST] = "scsi_host",
    [KILN_HOSTDEV_TYPE_MDEV] = "mdev",
};

const char *const kiln_hostdev_driver_names[KILN_N_HOSTDEV_DRIVER] = {
    [KILN_HOSTDEV_DRIVER_KVM] = "kvm",
    [KILN_HOSTDEV_DRIVER_VFIO] = "vfio",
};

const char *const kiln_hostdev_guest_reset_names[KILN_N_HOSTDEV_GUEST_RESET] = {
    [KILN_HOSTDEV_GUEST_RESET_OFF] = "off",
    [KILN_HOSTDEV_GUEST_RESET_UNINITIALIZED] = "uninitialized",
    [KILN_HOSTDEV_GUEST_RESET_ON] = "on",
};

const char *const kiln_hostdev_scsi_protocol_names[KILN_N_HOSTDEV_SCSI_PROTOCOL] = {
    [KILN_HOSTDEV_SCSI_PROTOCOL_ADAPTER] = "adapter",
    [KILN_HOSTDEV_SCSI_PROTOCOL_ISCSI] = "iscsi",
    [KILN_HOSTDEV_SCSI_PROTOCOL_VHOST] = "vhost",
};

const char *const kiln_hostdev_adapter_type_names[KILN_N_HOSTDEV_ADAPTER_TYPE] = {
    [KILN_HOSTDEV_ADAPTER_TYPE_SCSI_HOST] = "scsi_host",
    [KILN_HOSTDEV_ADAPTER_TYPE_FC_HOST] = "fc_host",
};

const char *const kiln_hostdev_model_names[KILN_N_HOSTDEV_MODEL] = {
    [KILN_HOSTDEV_MODEL_VFIO_PCI] = "vfio-pci",
    [KILN_HOSTDEV_MODEL_VIRTIO] = "virtio",
    [KILN_HOSTDEV_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [KILN_HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
};

static const KilnField hostdev_host_fields[] = {
    KILN_FIELD_STRING(KilnHostdevHost, name, "@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdevHost, port, "@port", 0, 65535),
    KILN_FIELD_END,
};

static const KilnStruct hostdev_host_struct = {
    .size = sizeof(KilnHostdevHost),
    .fields = hostdev_host_fields,
};

static const KilnField hostdev_adapter_fields[] = {
    KILN_FIELD_ENUM(KilnHostdevAdapter, type, "@type", kiln_hostdev_adapter_type_names),
    KILN_FIELD_STRING(KilnHostdevAdapter, name, "@name"),
    KILN_FIELD_STRING(KilnHostdevAdapter, parent, "@parent"),
    KILN_FIELD_SWITCH(KilnHostdevAdapter, managed, "@managed", YESNO),
    KILN_FIELD_STRING(KilnHostdevAdapter, parent_wwnn, "@parent_wwnn", .rule = &kiln_wwn_rule),
    KILN_FIELD_STRING(KilnHostdevAdapter, parent_wwpn, "@parent_wwpn", .rule = &kiln_wwn_rule),
    KILN_FIELD_STRING(KilnHostdevAdapter, parent_fabric_wwn, "@parent_fabric_wwn",
                      .rule = &kiln_wwn_rule),
    KILN_FIELD_STRING(KilnHostdevAdapter, wwnn, "@wwnn", .rule = &kiln_wwn_rule),
    KILN_FIELD_STRING(KilnHostdevAdapter, wwpn, "@wwpn", .rule = &kiln_wwn_rule),
    KILN_FIELD_UINT(KilnHostdevAdapter, parent_unique_id, "parentaddr@unique_id", 1, G_MAXUINT32),
    KILN_FIELD_STRUCT(KilnHostdevAdapter, parent_pci, "parentaddr/address",
                      &kiln_pci_address_struct),
    KILN_FIELD_END,
};

static const KilnStruct hostdev_adapter_struct = {
    .size = sizeof(KilnHostdevAdapter),
    .fields = hostdev_adapter_fields,
};

static gboolean
has_source(const KilnHostdev *hostdev)
{
    switch (hostdev->type) {
    case KILN_HOSTDEV_TYPE_PCI: return kiln_pci_address_chosen(&hostdev->pci);
    case KILN_HOSTDEV_TYPE_USB:
        return (hostdev->usb_vendor.set && hostdev->usb_product.set) || hostdev->usb_bus.set;
    case KILN_HOSTDEV_TYPE_SCSI:
        return hostdev->protocol == KILN_HOSTDEV_SCSI_PROTOCOL_ISCSI
                   ? hostdev->iscsi_name != NULL && hostdev->hosts->len > 0
                   : hostdev->adapter != NULL && hostdev->scsi_unit.set;
    case KILN_HOSTDEV_TYPE_SCSI_HOST:
        return hostdev->protocol == KILN_HOSTDEV_SCSI_PROTOCOL_VHOST && hostdev->wwpn != NULL;
    case KILN_HOSTDEV_TYPE_MDEV: return hostdev->mdev_uuid != NULL;
    case KILN_HOSTDEV_TYPE_ABSENT:
    case KILN_N_HOSTDEV_TYPE: break;
    }
    return TRUE;
}

static void
check_hostdev(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnHostdev *hostdev = object;

    if (!has_source(hostdev))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "needs a <source> that names a device of type '%s'",
                       kiln_hostdev_type_names[hostdev->type]);
    if (hostdev->type == KILN_HOSTDEV_TYPE_MDEV && hostdev->model != KILN_HOSTDEV_MODEL_VFIO_PCI)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "model", "is 'vfio-pci' for type 'mdev'");
    if (hostdev->type == KILN_HOSTDEV_TYPE_SCSI_HOST &&
        hostdev->model == KILN_HOSTDEV_MODEL_VFIO_PCI)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "model",
                       "is 'virtio', 'virtio-transitional' or 'virtio-non-transitional' for type "
                       "'scsi_host'");
}

static const KilnField hostdev_fields[] = {
    KILN_FIELD_CUSTOM(KilnHostdev, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnHostdev, mode, "@mode", kiln_hostdev_mode_names),
    KILN_FIELD_ENUM(KilnHostdev, type, "@type", kiln_hostdev_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnHostdev, managed, "@managed", YESNO),
    KILN_FIELD_ENUM(KilnHostdev, sgio, "@sgio", kiln_disk_sgio_names,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_SWITCH(KilnHostdev, rawio, "@rawio", YESNO,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_ENUM(KilnHostdev, model, "@model", kiln_hostdev_model_names,
                    .only =
                        KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI_HOST) | KILN_ONLY(KILN_HOSTDEV_TYPE_MDEV)),
    KILN_FIELD_SWITCH(KilnHostdev, ramfb, "@ramfb", ONOFF,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_MDEV)),
    KILN_FIELD_SWITCH(KilnHostdev, display, "@display", ONOFF,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_MDEV)),
    KILN_FIELD_ENUM(KilnHostdev, driver, "driver@name", kiln_hostdev_driver_names,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_PCI)),
    KILN_FIELD_STRUCT(KilnHostdev, teaming, "teaming", &kiln_net_teaming_options_struct,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_PCI)),
    KILN_FIELD_ENUM(KilnHostdev, startup_policy, "source@startupPolicy",
                    kiln_disk_startup_policy_names,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_PCI) | KILN_ONLY(KILN_HOSTDEV_TYPE_USB)),
    KILN_FIELD_SWITCH(KilnHostdev, write_filtering, "source@writeFiltering", YESNO,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_PCI)),
    KILN_FIELD_ENUM(KilnHostdev, guest_reset, "source@guestReset", kiln_hostdev_guest_reset_names,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_USB)),
    KILN_FIELD_ENUM(KilnHostdev, protocol, "source@protocol", kiln_hostdev_scsi_protocol_names,
                    .only =
                        KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI) | KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI_HOST)),
    KILN_FIELD_STRING(KilnHostdev, iscsi_name, "source@name",
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_STRING(KilnHostdev, wwpn, "source@wwpn",
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI_HOST), .rule = &kiln_wwpn_rule),
    KILN_FIELD_STRUCT(KilnHostdev, adapter, "source/adapter", &hostdev_adapter_struct,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_LIST(KilnHostdev, hosts, "source/host", &hostdev_host_struct,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_STRUCT(KilnHostdev, auth, "source/auth", &kiln_disk_auth_struct,
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI)),
    KILN_FIELD_STRING(KilnHostdev, initiator_iqn, "source/initiator/iqn@name",
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_HEX(KilnHostdev, usb_vendor, "source/vendor@id", 0xffff, 4,
                   .only = KILN_ONLY(KILN_HOSTDEV_TYPE_USB), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_HEX(KilnHostdev, usb_product, "source/product@id", 0xffff, 4,
                   .only = KILN_ONLY(KILN_HOSTDEV_TYPE_USB), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdev, usb_bus, "source/address@bus", 0, 4095,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_USB), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdev, usb_device, "source/address@device", 0, 4095,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_USB), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdev, scsi_bus, "source/address@bus", 0, 99,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdev, scsi_target, "source/address@target", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnHostdev, scsi_unit, "source/address@unit", 0, G_MAXINT64,
                    .only = KILN_ONLY(KILN_HOSTDEV_TYPE_SCSI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnHostdev, pci, "source/address", &kiln_pci_address_struct,
                     .only = KILN_ONLY(KILN_HOSTDEV_TYPE_PCI)),
    KILN_FIELD_STRING(KilnHostdev, mdev_uuid, "source/address@uuid",
                      .only = KILN_ONLY(KILN_HOSTDEV_TYPE_MDEV), .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_uuid_rule),
    KILN_FIELD_PRESENT(KilnHostdev, readonly, "readonly"),
    KILN_FIELD_PRESENT(KilnHostdev, shareable, "shareable"),
    KILN_FIELD_EMBED(KilnHostdev, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_hostdev_struct = {
    .size = sizeof(KilnHostdev),
    .fields = hostdev_fields,
    .check = check_hostdev,
    KILN_STRUCT_VARIANT(KilnHostdev, type),
};

KILN_FAMILY_DEFINE(KilnHostdev, hostdev, "hostdev")
