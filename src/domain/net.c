/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/net.h"

const char *const kiln_net_type_names[KILN_N_NET_TYPE] = {
    [KILN_NET_TYPE_BRIDGE] = "bridge",     [KILN_NET_TYPE_NETWORK] = "network",
    [KILN_NET_TYPE_ETHERNET] = "ethernet", [KILN_NET_TYPE_USER] = "user",
    [KILN_NET_TYPE_DIRECT] = "direct",     [KILN_NET_TYPE_VHOSTUSER] = "vhostuser",
    [KILN_NET_TYPE_INTERNAL] = "internal", [KILN_NET_TYPE_MCAST] = "mcast",
    [KILN_NET_TYPE_CLIENT] = "client",     [KILN_NET_TYPE_SERVER] = "server",
    [KILN_NET_TYPE_UDP] = "udp",           [KILN_NET_TYPE_HOSTDEV] = "hostdev",
    [KILN_NET_TYPE_VDPA] = "vdpa",         [KILN_NET_TYPE_NULL] = "null",
};

const char *const kiln_net_mac_table_names[KILN_N_NET_MAC_TABLE] = {
    [KILN_NET_MAC_TABLE_KERNEL] = "kernel",
    [KILN_NET_MAC_TABLE_LIBVIRT] = "libvirt",
};

const char *const kiln_net_direct_mode_names[KILN_N_NET_DIRECT_MODE] = {
    [KILN_NET_DIRECT_MODE_VEPA] = "vepa",
    [KILN_NET_DIRECT_MODE_BRIDGE] = "bridge",
    [KILN_NET_DIRECT_MODE_PRIVATE] = "private",
    [KILN_NET_DIRECT_MODE_PASSTHROUGH] = "passthrough",
};

const char *const kiln_net_mac_kind_names[KILN_N_NET_MAC_KIND] = {
    [KILN_NET_MAC_KIND_GENERATED] = "generated",
    [KILN_NET_MAC_KIND_STATIC] = "static",
};

const char *const kiln_net_link_state_names[KILN_N_NET_LINK_STATE] = {
    [KILN_NET_LINK_STATE_UP] = "up",
    [KILN_NET_LINK_STATE_DOWN] = "down",
};

const char *const kiln_net_backend_names[KILN_N_NET_BACKEND] = {
    [KILN_NET_BACKEND_PASST] = "passt",
};

const char *const kiln_net_driver_names[KILN_N_NET_DRIVER] = {
    [KILN_NET_DRIVER_QEMU] = "qemu",
    [KILN_NET_DRIVER_VHOST] = "vhost",
    [KILN_NET_DRIVER_KVM] = "kvm",
    [KILN_NET_DRIVER_VFIO] = "vfio",
};

const char *const kiln_net_txmode_names[KILN_N_NET_TXMODE] = {
    [KILN_NET_TXMODE_IOTHREAD] = "iothread",
    [KILN_NET_TXMODE_TIMER] = "timer",
};

const char *const kiln_net_teaming_names[KILN_N_NET_TEAMING] = {
    [KILN_NET_TEAMING_PERSISTENT] = "persistent",
    [KILN_NET_TEAMING_TRANSIENT] = "transient",
};

static const KilnField net_source_fields[] = {
    KILN_FIELD_STRING(KilnNetSource, network, "@network",
                      .only = KILN_ONLY(KILN_NET_TYPE_NETWORK) | KILN_ONLY(KILN_NET_TYPE_BRIDGE) |
                              KILN_ONLY(KILN_NET_TYPE_DIRECT)),
    KILN_FIELD_STRING(KilnNetSource, portgroup, "@portgroup",
                      .only = KILN_ONLY(KILN_NET_TYPE_NETWORK) | KILN_ONLY(KILN_NET_TYPE_BRIDGE) |
                              KILN_ONLY(KILN_NET_TYPE_DIRECT),
                      .rule = &kiln_device_rule),
    KILN_FIELD_STRING(KilnNetSource, portid, "@portid",
                      .only = KILN_ONLY(KILN_NET_TYPE_NETWORK) | KILN_ONLY(KILN_NET_TYPE_BRIDGE) |
                              KILN_ONLY(KILN_NET_TYPE_DIRECT),
                      .flags = KILN_FIELD_LIVE, .rule = &kiln_uuid_rule),
    KILN_FIELD_STRING(KilnNetSource, bridge, "@bridge",
                      .only = KILN_ONLY(KILN_NET_TYPE_BRIDGE) | KILN_ONLY(KILN_NET_TYPE_NETWORK),
                      .rule = &kiln_device_rule),
    KILN_FIELD_ENUM(KilnNetSource, mac_table, "@macTableManager", kiln_net_mac_table_names,
                    .only = KILN_ONLY(KILN_NET_TYPE_BRIDGE) | KILN_ONLY(KILN_NET_TYPE_NETWORK)),
    KILN_FIELD_STRING(KilnNetSource, dev, "@dev",
                      .only = KILN_ONLY(KILN_NET_TYPE_DIRECT) | KILN_ONLY(KILN_NET_TYPE_USER) |
                              KILN_ONLY(KILN_NET_TYPE_VDPA),
                      .flags = KILN_FIELD_REQUIRED, .rule = &kiln_device_path_rule),
    KILN_FIELD_ENUM(KilnNetSource, direct_mode, "@mode", kiln_net_direct_mode_names,
                    .only = KILN_ONLY(KILN_NET_TYPE_DIRECT)),
    KILN_FIELD_STRING(KilnNetSource, name, "@name", .only = KILN_ONLY(KILN_NET_TYPE_INTERNAL),
                      .flags = KILN_FIELD_REQUIRED, .rule = &kiln_device_rule),
    KILN_FIELD_STRING(KilnNetSource, address, "@address",
                      .only = KILN_ONLY(KILN_NET_TYPE_MCAST) | KILN_ONLY(KILN_NET_TYPE_CLIENT) |
                              KILN_ONLY(KILN_NET_TYPE_SERVER) | KILN_ONLY(KILN_NET_TYPE_UDP),
                      .rule = &kiln_ipv4_rule),
    KILN_FIELD_UINT(KilnNetSource, port, "@port", 0, 65535,
                    .only = KILN_ONLY(KILN_NET_TYPE_MCAST) | KILN_ONLY(KILN_NET_TYPE_CLIENT) |
                            KILN_ONLY(KILN_NET_TYPE_SERVER) | KILN_ONLY(KILN_NET_TYPE_UDP),
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnNetSource, missing, "@missing", YESNO,
                      .only = KILN_ONLY(KILN_NET_TYPE_HOSTDEV), .flags = KILN_FIELD_LIVE),
    KILN_FIELD_STRING(KilnNetSource, local_address, "local@address",
                      .only = KILN_ONLY(KILN_NET_TYPE_UDP), .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_ipv4_rule),
    KILN_FIELD_UINT(KilnNetSource, local_port, "local@port", 0, 65535,
                    .only = KILN_ONLY(KILN_NET_TYPE_UDP), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_HEX(KilnNetSource, usb_vendor, "vendor@id", 0xffff, 4,
                   .only = KILN_ONLY(KILN_NET_TYPE_HOSTDEV), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_HEX(KilnNetSource, usb_product, "product@id", 0xffff, 4,
                   .only = KILN_ONLY(KILN_NET_TYPE_HOSTDEV), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRUCT(KilnNetSource, hostdev, "address", &kiln_net_hostdev_address_struct,
                      .only = KILN_ONLY(KILN_NET_TYPE_HOSTDEV)),
    KILN_FIELD_LIST(KilnNetSource, ips, "ip", &kiln_net_ip_struct,
                    .only = KILN_ONLY(KILN_NET_TYPE_ETHERNET)),
    KILN_FIELD_LIST(KilnNetSource, routes, "route", &kiln_net_route_struct,
                    .only = KILN_ONLY(KILN_NET_TYPE_ETHERNET)),
    KILN_FIELD_EMBED(KilnNetSource, socket, "", &kiln_unix_socket_struct,
                     .only = KILN_ONLY(KILN_NET_TYPE_VHOSTUSER)),
    KILN_FIELD_END,
};

static const KilnStruct net_source_struct = {
    .size = sizeof(KilnNetSource),
    .fields = net_source_fields,
};

static const KilnField net_offloads_fields[] = {
    KILN_FIELD_SWITCH(KilnNetOffloads, csum, "@csum", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, gso, "@gso", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, tso4, "@tso4", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, tso6, "@tso6", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, ecn, "@ecn", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, ufo, "@ufo", ONOFF),
    KILN_FIELD_SWITCH(KilnNetOffloads, mrg_rxbuf, "@mrg_rxbuf", ONOFF),
    KILN_FIELD_END,
};

static const KilnStruct net_offloads_struct = {
    .size = sizeof(KilnNetOffloads),
    .fields = net_offloads_fields,
};

static const KilnField net_guest_offloads_fields[] = {
    KILN_FIELD_SWITCH(KilnNetGuestOffloads, csum, "@csum", ONOFF),
    KILN_FIELD_SWITCH(KilnNetGuestOffloads, tso4, "@tso4", ONOFF),
    KILN_FIELD_SWITCH(KilnNetGuestOffloads, tso6, "@tso6", ONOFF),
    KILN_FIELD_SWITCH(KilnNetGuestOffloads, ecn, "@ecn", ONOFF),
    KILN_FIELD_SWITCH(KilnNetGuestOffloads, ufo, "@ufo", ONOFF),
    KILN_FIELD_END,
};

static const KilnStruct net_guest_offloads_struct = {
    .size = sizeof(KilnNetGuestOffloads),
    .fields = net_guest_offloads_fields,
};

static const KilnField net_driver_options_fields[] = {
    KILN_FIELD_ENUM(KilnNetDriverOptions, name, "@name", kiln_net_driver_names),
    KILN_FIELD_UINT(KilnNetDriverOptions, queues, "@queues", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnNetDriverOptions, rx_queue_size, "@rx_queue_size", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnNetDriverOptions, tx_queue_size, "@tx_queue_size", 1, G_MAXUINT32),
    KILN_FIELD_ENUM(KilnNetDriverOptions, txmode, "@txmode", kiln_net_txmode_names),
    KILN_FIELD_SWITCH(KilnNetDriverOptions, ioeventfd, "@ioeventfd", ONOFF),
    KILN_FIELD_SWITCH(KilnNetDriverOptions, event_idx, "@event_idx", ONOFF),
    KILN_FIELD_SWITCH(KilnNetDriverOptions, rss, "@rss", ONOFF),
    KILN_FIELD_SWITCH(KilnNetDriverOptions, rss_hash_report, "@rss_hash_report", ONOFF),
    KILN_FIELD_EMBED(KilnNetDriverOptions, virtio, "", &kiln_virtio_driver_struct),
    KILN_FIELD_EMBED(KilnNetDriverOptions, host, "host", &net_offloads_struct),
    KILN_FIELD_EMBED(KilnNetDriverOptions, guest, "guest", &net_guest_offloads_struct),
    KILN_FIELD_END,
};

static const KilnStruct net_driver_options_struct = {
    .size = sizeof(KilnNetDriverOptions),
    .fields = net_driver_options_fields,
};

static void
check_teaming(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnNetTeamingOptions *teaming = object;

    if ((teaming->type == KILN_NET_TEAMING_TRANSIENT) != (teaming->persistent != NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, node, "persistent",
                       "names the other adapter of a 'transient' one, and of no other");
}

static const KilnField net_teaming_options_fields[] = {
    KILN_FIELD_ENUM(KilnNetTeamingOptions, type, "@type", kiln_net_teaming_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnNetTeamingOptions, persistent, "@persistent"),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_teaming_options_struct = {
    .size = sizeof(KilnNetTeamingOptions),
    .fields = net_teaming_options_fields,
    .check = check_teaming,
};

/* What each type cannot be without. */
static void
check_net(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnNet *net = object;
    const KilnNetSource *source = &net->source;
    const char *missing = NULL;

    switch (net->type) {
    case KILN_NET_TYPE_NETWORK: missing = source->network == NULL ? "network" : NULL; break;
    case KILN_NET_TYPE_BRIDGE: missing = source->bridge == NULL ? "bridge" : NULL; break;
    case KILN_NET_TYPE_DIRECT:
    case KILN_NET_TYPE_VDPA: missing = source->dev == NULL ? "dev" : NULL; break;
    case KILN_NET_TYPE_VHOSTUSER:
        missing = source->socket.path == NULL ? "path" : source->socket.mode == 0 ? "mode" : NULL;
        break;
    case KILN_NET_TYPE_INTERNAL: missing = source->name == NULL ? "name" : NULL; break;
    case KILN_NET_TYPE_MCAST:
    case KILN_NET_TYPE_CLIENT:
    case KILN_NET_TYPE_UDP: missing = source->address == NULL ? "address" : NULL; break;
    case KILN_NET_TYPE_SERVER: missing = source->port.set ? NULL : "port"; break;
    case KILN_NET_TYPE_HOSTDEV:
        if (source->hostdev == NULL && !source->usb_vendor.set)
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "type 'hostdev' needs <source> with <address>");
        break;
    default: break;
    }
    if (missing != NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "type '%s' needs <source %s=>",
                       kiln_net_type_names[net->type], missing);
    if (source->mac_table != KILN_NET_MAC_TABLE_ABSENT && source->bridge == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "<source macTableManager=> needs 'bridge' beside it");
    if (net->type != KILN_NET_TYPE_HOSTDEV &&
        (net->driver.name == KILN_NET_DRIVER_KVM || net->driver.name == KILN_NET_DRIVER_VFIO))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "driver '%s' is for type 'hostdev' only",
                       kiln_net_driver_names[net->driver.name]);
}

static const KilnField net_fields[] = {
    KILN_FIELD_CUSTOM(KilnNet, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnNet, type, "@type", kiln_net_type_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnNet, managed, "@managed", YESNO,
                      .only = KILN_ONLY(KILN_NET_TYPE_HOSTDEV)),
    KILN_FIELD_SWITCH(KilnNet, trust_guest_rx_filters, "@trustGuestRxFilters", YESNO),
    KILN_FIELD_STRING(KilnNet, mac, "mac@address", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_mac_rule),
    KILN_FIELD_ENUM(KilnNet, mac_kind, "mac@type", kiln_net_mac_kind_names),
    KILN_FIELD_SWITCH(KilnNet, mac_check, "mac@check", YESNO),
    KILN_FIELD_EMBED(KilnNet, source, "source", &net_source_struct,
                     .only = KILN_ONLY(KILN_NET_TYPE_BRIDGE) | KILN_ONLY(KILN_NET_TYPE_NETWORK) |
                             KILN_ONLY(KILN_NET_TYPE_ETHERNET) | KILN_ONLY(KILN_NET_TYPE_USER) |
                             KILN_ONLY(KILN_NET_TYPE_DIRECT) | KILN_ONLY(KILN_NET_TYPE_VHOSTUSER) |
                             KILN_ONLY(KILN_NET_TYPE_INTERNAL) | KILN_ONLY(KILN_NET_TYPE_MCAST) |
                             KILN_ONLY(KILN_NET_TYPE_CLIENT) | KILN_ONLY(KILN_NET_TYPE_SERVER) |
                             KILN_ONLY(KILN_NET_TYPE_UDP) | KILN_ONLY(KILN_NET_TYPE_HOSTDEV) |
                             KILN_ONLY(KILN_NET_TYPE_VDPA)),
    KILN_FIELD_STRUCT(KilnNet, virtualport, "virtualport", &kiln_net_virtualport_struct,
                      .only = KILN_ONLY(KILN_NET_TYPE_BRIDGE) | KILN_ONLY(KILN_NET_TYPE_NETWORK) |
                              KILN_ONLY(KILN_NET_TYPE_DIRECT) | KILN_ONLY(KILN_NET_TYPE_HOSTDEV)),
    KILN_FIELD_LIST(KilnNet, ips, "ip", &kiln_net_ip_struct),
    KILN_FIELD_LIST(KilnNet, routes, "route", &kiln_net_route_struct),
    KILN_FIELD_LIST(KilnNet, forwards, "portForward", &kiln_net_forward_struct),
    KILN_FIELD_STRING(KilnNet, script, "script@path"),
    KILN_FIELD_STRING(KilnNet, downscript, "downscript@path"),
    KILN_FIELD_STRING(KilnNet, target_dev, "target@dev", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_device_rule),
    KILN_FIELD_SWITCH(KilnNet, target_managed, "target@managed", YESNO),
    KILN_FIELD_STRING(KilnNet, guest_dev, "guest@dev", .rule = &kiln_device_rule),
    KILN_FIELD_STRING(KilnNet, guest_actual, "guest@actual", .flags = KILN_FIELD_LIVE,
                      .rule = &kiln_device_rule),
    KILN_FIELD_STRING(KilnNet, model, "model@type", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_model_rule),
    KILN_FIELD_ENUM(KilnNet, backend, "backend@type", kiln_net_backend_names),
    KILN_FIELD_STRING(KilnNet, backend_tap, "backend@tap", .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnNet, backend_vhost, "backend@vhost", .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnNet, backend_log, "backend@logFile", .rule = &kiln_path_rule),
    KILN_FIELD_EMBED(KilnNet, driver, "driver", &net_driver_options_struct),
    KILN_FIELD_STRUCT(KilnNet, filterref, "filterref", &kiln_net_filterref_struct),
    KILN_FIELD_UINT(KilnNet, sndbuf, "tune/sndbuf", 0, G_MAXUINT32),
    KILN_FIELD_ENUM(KilnNet, link, "link@state", kiln_net_link_state_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnNet, mtu, "mtu@size", 0, 65535),
    KILN_FIELD_STRUCT(KilnNet, bandwidth, "bandwidth", &kiln_net_bandwidth_struct),
    KILN_FIELD_STRUCT(KilnNet, vlan, "vlan", &kiln_net_vlan_struct),
    KILN_FIELD_UINT(KilnNet, coalesce_rx_frames, "coalesce/rx/frames@max", 0, G_MAXUINT32),
    KILN_FIELD_SWITCH(KilnNet, isolated, "port@isolated", YESNO),
    KILN_FIELD_STRUCT(KilnNet, teaming, "teaming", &kiln_net_teaming_options_struct),
    KILN_FIELD_EMBED(KilnNet, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_net_struct = {
    .size = sizeof(KilnNet),
    .fields = net_fields,
    .check = check_net,
    KILN_STRUCT_VARIANT(KilnNet, type),
};

KILN_FAMILY_DEFINE(KilnNet, net, "interface")
