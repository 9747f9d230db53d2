/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/net-options.h"

const char *const kiln_net_family_names[KILN_N_NET_FAMILY] = {
    [KILN_NET_FAMILY_IPV4] = "ipv4",
    [KILN_NET_FAMILY_IPV6] = "ipv6",
};

const char *const kiln_net_forward_protocol_names[KILN_N_NET_FORWARD_PROTOCOL] = {
    [KILN_NET_FORWARD_PROTOCOL_TCP] = "tcp",
    [KILN_NET_FORWARD_PROTOCOL_UDP] = "udp",
};

const char *const kiln_net_virtualport_type_names[KILN_N_NET_VIRTUALPORT_TYPE] = {
    [KILN_NET_VIRTUALPORT_TYPE_802_1QBG] = "802.1Qbg",
    [KILN_NET_VIRTUALPORT_TYPE_802_1QBH] = "802.1Qbh",
    [KILN_NET_VIRTUALPORT_TYPE_OPENVSWITCH] = "openvswitch",
    [KILN_NET_VIRTUALPORT_TYPE_MIDONET] = "midonet",
};

const char *const kiln_net_vlan_mode_names[KILN_N_NET_VLAN_MODE] = {
    [KILN_NET_VLAN_MODE_TAGGED] = "tagged",
    [KILN_NET_VLAN_MODE_UNTAGGED] = "untagged",
};

const char *const kiln_net_hostdev_address_type_names[KILN_N_NET_HOSTDEV_ADDRESS_TYPE] = {
    [KILN_NET_HOSTDEV_ADDRESS_TYPE_PCI] = "pci",
    [KILN_NET_HOSTDEV_ADDRESS_TYPE_USB] = "usb",
};

static const KilnField net_ip_fields[] = {
    KILN_FIELD_STRING(KilnNetIp, address, "@address", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_ip_rule),
    KILN_FIELD_ENUM(KilnNetIp, family, "@family", kiln_net_family_names),
    KILN_FIELD_UINT(KilnNetIp, prefix, "@prefix", 0, 128),
    KILN_FIELD_STRING(KilnNetIp, peer, "@peer", .rule = &kiln_ip_rule),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_ip_struct = {
    .size = sizeof(KilnNetIp),
    .fields = net_ip_fields,
};

static const KilnField net_route_fields[] = {
    KILN_FIELD_ENUM(KilnNetRoute, family, "@family", kiln_net_family_names),
    KILN_FIELD_STRING(KilnNetRoute, address, "@address", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_ip_rule),
    KILN_FIELD_STRING(KilnNetRoute, netmask, "@netmask", .rule = &kiln_ipv4_rule),
    KILN_FIELD_UINT(KilnNetRoute, prefix, "@prefix", 0, 128),
    KILN_FIELD_STRING(KilnNetRoute, gateway, "@gateway", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_ip_rule),
    KILN_FIELD_UINT(KilnNetRoute, metric, "@metric", 0, G_MAXUINT32),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_route_struct = {
    .size = sizeof(KilnNetRoute),
    .fields = net_route_fields,
};

static const KilnField net_forward_range_fields[] = {
    KILN_FIELD_UINT(KilnNetForwardRange, start, "@start", 1, 65535, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNetForwardRange, end, "@end", 1, 65535),
    KILN_FIELD_UINT(KilnNetForwardRange, to, "@to", 1, 65535),
    KILN_FIELD_SWITCH(KilnNetForwardRange, exclude, "@exclude", YESNO),
    KILN_FIELD_END,
};

static const KilnStruct net_forward_range_struct = {
    .size = sizeof(KilnNetForwardRange),
    .fields = net_forward_range_fields,
};

static const KilnField net_forward_fields[] = {
    KILN_FIELD_ENUM(KilnNetForward, proto, "@proto", kiln_net_forward_protocol_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNetForward, address, "@address", .rule = &kiln_ip_rule),
    KILN_FIELD_STRING(KilnNetForward, dev, "@dev", .rule = &kiln_device_rule),
    KILN_FIELD_LIST(KilnNetForward, ranges, "range", &net_forward_range_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_forward_struct = {
    .size = sizeof(KilnNetForward),
    .fields = net_forward_fields,
};

static const KilnField net_limit_fields[] = {
    KILN_FIELD_UINT(KilnNetLimit, average, "@average", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnNetLimit, peak, "@peak", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnNetLimit, floor, "@floor", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnNetLimit, burst, "@burst", 1, G_MAXUINT32),
    KILN_FIELD_END,
};

static const KilnStruct net_limit_struct = {
    .size = sizeof(KilnNetLimit),
    .fields = net_limit_fields,
};

static const KilnField net_bandwidth_fields[] = {
    KILN_FIELD_UINT(KilnNetBandwidth, class_id, "@classID", 1, G_MAXUINT32,
                    .flags = KILN_FIELD_LIVE),
    KILN_FIELD_STRUCT(KilnNetBandwidth, inbound, "inbound", &net_limit_struct),
    KILN_FIELD_STRUCT(KilnNetBandwidth, outbound, "outbound", &net_limit_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_bandwidth_struct = {
    .size = sizeof(KilnNetBandwidth),
    .fields = net_bandwidth_fields,
};

static const KilnField net_vlan_tag_fields[] = {
    KILN_FIELD_UINT(KilnNetVlanTag, id, "@id", 0, 4095, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnNetVlanTag, native_mode, "@nativeMode", kiln_net_vlan_mode_names),
    KILN_FIELD_END,
};

static const KilnStruct net_vlan_tag_struct = {
    .size = sizeof(KilnNetVlanTag),
    .fields = net_vlan_tag_fields,
};

static void
check_vlan(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnNetVlan *vlan = object;

    if (vlan->tags->len == 0)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs at least one <tag>");
    if (vlan->trunk == KILN_SWITCH_OFF)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "trunk", "is 'yes' or left out");
    if (vlan->tags->len > 1 && vlan->trunk != KILN_SWITCH_ON)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "trunk", "several tags need 'yes'");
}

static const KilnField net_vlan_fields[] = {
    KILN_FIELD_SWITCH(KilnNetVlan, trunk, "@trunk", YESNO),
    KILN_FIELD_LIST(KilnNetVlan, tags, "tag", &net_vlan_tag_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_vlan_struct = {
    .size = sizeof(KilnNetVlan),
    .fields = net_vlan_fields,
    .check = check_vlan,
};

static const KilnField net_virtualport_fields[] = {
    KILN_FIELD_ENUM(KilnNetVirtualport, type, "@type", kiln_net_virtualport_type_names),
    KILN_FIELD_UINT(KilnNetVirtualport, manager_id, "parameters@managerid", 0, 255,
                    .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                            KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_802_1QBG)),
    KILN_FIELD_UINT(KilnNetVirtualport, type_id, "parameters@typeid", 0, 0xffffff,
                    .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                            KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_802_1QBG)),
    KILN_FIELD_UINT(KilnNetVirtualport, type_id_version, "parameters@typeidversion", 0, 255,
                    .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                            KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_802_1QBG)),
    KILN_FIELD_STRING(KilnNetVirtualport, instance_id, "parameters@instanceid",
                      .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                              KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_802_1QBG),
                      .rule = &kiln_uuid_rule),
    KILN_FIELD_STRING(KilnNetVirtualport, profile_id, "parameters@profileid",
                      .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                              KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_802_1QBH) |
                              KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_OPENVSWITCH),
                      .rule = &kiln_profile_id_rule),
    KILN_FIELD_STRING(KilnNetVirtualport, interface_id, "parameters@interfaceid",
                      .only = KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_ABSENT) |
                              KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_OPENVSWITCH) |
                              KILN_ONLY(KILN_NET_VIRTUALPORT_TYPE_MIDONET),
                      .rule = &kiln_uuid_rule),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_virtualport_struct = {
    .size = sizeof(KilnNetVirtualport),
    .fields = net_virtualport_fields,
    KILN_STRUCT_VARIANT(KilnNetVirtualport, type),
};

static const KilnField net_filter_parameter_fields[] = {
    KILN_FIELD_STRING(KilnNetFilterParameter, name, "@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNetFilterParameter, value, "@value", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};

static const KilnStruct net_filter_parameter_struct = {
    .size = sizeof(KilnNetFilterParameter),
    .fields = net_filter_parameter_fields,
};

static const KilnField net_filterref_fields[] = {
    KILN_FIELD_STRING(KilnNetFilterref, filter, "@filter", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_LIST(KilnNetFilterref, parameters, "parameter", &net_filter_parameter_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_filterref_struct = {
    .size = sizeof(KilnNetFilterref),
    .fields = net_filterref_fields,
};

static const KilnField net_hostdev_address_fields[] = {
    KILN_FIELD_ENUM(KilnNetHostdevAddress, type, "@type", kiln_net_hostdev_address_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNetHostdevAddress, usb_bus, "@bus", 0, 4095,
                    .only = KILN_ONLY(KILN_NET_HOSTDEV_ADDRESS_TYPE_USB)),
    KILN_FIELD_UINT(KilnNetHostdevAddress, usb_device, "@device", 0, 4095,
                    .only = KILN_ONLY(KILN_NET_HOSTDEV_ADDRESS_TYPE_USB)),
    KILN_FIELD_EMBED(KilnNetHostdevAddress, pci, "", &kiln_pci_address_struct,
                     .only = KILN_ONLY(KILN_NET_HOSTDEV_ADDRESS_TYPE_PCI)),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_hostdev_address_struct = {
    .size = sizeof(KilnNetHostdevAddress),
    .fields = net_hostdev_address_fields,
    KILN_STRUCT_VARIANT(KilnNetHostdevAddress, type),
};
