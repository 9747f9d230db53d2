/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of <interface> that are structs of their own: addresses, port forwards, traffic limits,
 * VLANs, virtual ports, filters.
 */
#ifndef KILN_DOMAIN_NET_OPTIONS_H
#define KILN_DOMAIN_NET_OPTIONS_H

#include "domain/address.h"
#include "domain/fields.h"

typedef enum {
    KILN_NET_FAMILY_ABSENT,
    KILN_NET_FAMILY_IPV4,
    KILN_NET_FAMILY_IPV6,
    KILN_N_NET_FAMILY
} KilnNetFamily;

extern const char *const kiln_net_family_names[KILN_N_NET_FAMILY];

typedef enum {
    KILN_NET_FORWARD_PROTOCOL_ABSENT,
    KILN_NET_FORWARD_PROTOCOL_TCP,
    KILN_NET_FORWARD_PROTOCOL_UDP,
    KILN_N_NET_FORWARD_PROTOCOL
} KilnNetForwardProtocol;

extern const char *const kiln_net_forward_protocol_names[KILN_N_NET_FORWARD_PROTOCOL];

typedef enum {
    KILN_NET_VIRTUALPORT_TYPE_ABSENT,
    KILN_NET_VIRTUALPORT_TYPE_802_1QBG,
    KILN_NET_VIRTUALPORT_TYPE_802_1QBH,
    KILN_NET_VIRTUALPORT_TYPE_OPENVSWITCH,
    KILN_NET_VIRTUALPORT_TYPE_MIDONET,
    KILN_N_NET_VIRTUALPORT_TYPE
} KilnNetVirtualportType;

extern const char *const kiln_net_virtualport_type_names[KILN_N_NET_VIRTUALPORT_TYPE];

typedef enum {
    KILN_NET_VLAN_MODE_ABSENT,
    KILN_NET_VLAN_MODE_TAGGED,
    KILN_NET_VLAN_MODE_UNTAGGED,
    KILN_N_NET_VLAN_MODE
} KilnNetVlanMode;

extern const char *const kiln_net_vlan_mode_names[KILN_N_NET_VLAN_MODE];

typedef enum {
    KILN_NET_HOSTDEV_ADDRESS_TYPE_ABSENT,
    KILN_NET_HOSTDEV_ADDRESS_TYPE_PCI,
    KILN_NET_HOSTDEV_ADDRESS_TYPE_USB,
    KILN_N_NET_HOSTDEV_ADDRESS_TYPE
} KilnNetHostdevAddressType;

extern const char *const kiln_net_hostdev_address_type_names[KILN_N_NET_HOSTDEV_ADDRESS_TYPE];

/* An address of the guest's (or, in <source>, the host's) side. */
typedef struct {
    char *address; /* (owned) (nullable) */
    KilnNetFamily family;
    KilnUint prefix;
    char *peer; /* (owned) (nullable) */
} KilnNetIp;

typedef struct {
    KilnNetFamily family;
    char *address; /* (owned) (nullable) */
    char *netmask; /* (owned) (nullable) */
    KilnUint prefix;
    char *gateway; /* (owned) (nullable) */
    KilnUint metric;
} KilnNetRoute;

typedef struct {
    KilnUint start;
    KilnUint end;
    KilnUint to;        /* first port in the guest */
    KilnSwitch exclude; /* these ports are not forwarded */
} KilnNetForwardRange;

/* Ports of the host that lead into the guest. */
typedef struct {
    KilnNetForwardProtocol proto;
    char *address;     /* (owned) (nullable) */
    char *dev;         /* (owned) (nullable) */
    GPtrArray *ranges; /* (owned) of KilnNetForwardRange */
} KilnNetForward;

/* Of one direction. */
typedef struct {
    KilnUint average; /* KiB/s */
    KilnUint peak;    /* KiB/s */
    KilnUint floor;   /* KiB/s */
    KilnUint burst;   /* KiB */
} KilnNetLimit;

typedef struct {
    KilnUint class_id;
    KilnNetLimit *inbound;  /* (owned) (nullable) */
    KilnNetLimit *outbound; /* (owned) (nullable) */
} KilnNetBandwidth;

typedef struct {
    KilnUint id;
    KilnNetVlanMode native_mode;
} KilnNetVlanTag;

typedef struct {
    KilnSwitch trunk;
    GPtrArray *tags; /* (owned) of KilnNetVlanTag */
} KilnNetVlan;

typedef struct {
    KilnNetVirtualportType type;
    KilnUint manager_id;
    KilnUint type_id;
    KilnUint type_id_version;
    char *instance_id;  /* (owned) (nullable) */
    char *profile_id;   /* (owned) (nullable) */
    char *interface_id; /* (owned) (nullable) */
} KilnNetVirtualport;

typedef struct {
    char *name;  /* (owned) (nullable) */
    char *value; /* (owned) (nullable) */
} KilnNetFilterParameter;

typedef struct {
    char *filter;          /* (owned) (nullable) */
    GPtrArray *parameters; /* (owned) of KilnNetFilterParameter */
} KilnNetFilterref;

/* A virtual function or USB adapter of the host. */
typedef struct {
    KilnNetHostdevAddressType type;
    KilnUint usb_bus;
    KilnUint usb_device;
    KilnPciAddress pci;
} KilnNetHostdevAddress;

extern const KilnStruct kiln_net_ip_struct;
extern const KilnStruct kiln_net_route_struct;
extern const KilnStruct kiln_net_forward_struct;
extern const KilnStruct kiln_net_bandwidth_struct;
extern const KilnStruct kiln_net_vlan_struct;
extern const KilnStruct kiln_net_virtualport_struct;
extern const KilnStruct kiln_net_filterref_struct;
extern const KilnStruct kiln_net_hostdev_address_struct;

#endif
