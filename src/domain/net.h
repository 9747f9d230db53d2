/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <interface>: network adapters. */
#ifndef KILN_DOMAIN_NET_H
#define KILN_DOMAIN_NET_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/net-options.h"
#include "domain/unix-socket.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_NET_TYPE_ABSENT,
    KILN_NET_TYPE_BRIDGE,
    KILN_NET_TYPE_NETWORK,
    KILN_NET_TYPE_ETHERNET,
    KILN_NET_TYPE_USER,
    KILN_NET_TYPE_DIRECT,
    KILN_NET_TYPE_VHOSTUSER,
    KILN_NET_TYPE_INTERNAL,
    KILN_NET_TYPE_MCAST,
    KILN_NET_TYPE_CLIENT,
    KILN_NET_TYPE_SERVER,
    KILN_NET_TYPE_UDP,
    KILN_NET_TYPE_HOSTDEV,
    KILN_NET_TYPE_VDPA,
    KILN_NET_TYPE_NULL,
    KILN_N_NET_TYPE
} KilnNetType;

extern const char *const kiln_net_type_names[KILN_N_NET_TYPE];

typedef enum {
    KILN_NET_MAC_TABLE_ABSENT,
    KILN_NET_MAC_TABLE_KERNEL,
    KILN_NET_MAC_TABLE_LIBVIRT,
    KILN_N_NET_MAC_TABLE
} KilnNetMacTable;

extern const char *const kiln_net_mac_table_names[KILN_N_NET_MAC_TABLE];

typedef enum {
    KILN_NET_DIRECT_MODE_ABSENT,
    KILN_NET_DIRECT_MODE_VEPA,
    KILN_NET_DIRECT_MODE_BRIDGE,
    KILN_NET_DIRECT_MODE_PRIVATE,
    KILN_NET_DIRECT_MODE_PASSTHROUGH,
    KILN_N_NET_DIRECT_MODE
} KilnNetDirectMode;

extern const char *const kiln_net_direct_mode_names[KILN_N_NET_DIRECT_MODE];

typedef enum {
    KILN_NET_MAC_KIND_ABSENT,
    KILN_NET_MAC_KIND_GENERATED,
    KILN_NET_MAC_KIND_STATIC,
    KILN_N_NET_MAC_KIND
} KilnNetMacKind;

extern const char *const kiln_net_mac_kind_names[KILN_N_NET_MAC_KIND];

typedef enum {
    KILN_NET_LINK_STATE_ABSENT,
    KILN_NET_LINK_STATE_UP,
    KILN_NET_LINK_STATE_DOWN,
    KILN_N_NET_LINK_STATE
} KilnNetLinkState;

extern const char *const kiln_net_link_state_names[KILN_N_NET_LINK_STATE];

/* absent is the built-in user network of the hypervisor */
typedef enum { KILN_NET_BACKEND_ABSENT, KILN_NET_BACKEND_PASST, KILN_N_NET_BACKEND } KilnNetBackend;

extern const char *const kiln_net_backend_names[KILN_N_NET_BACKEND];

/* the last two of type hostdev only */
typedef enum {
    KILN_NET_DRIVER_ABSENT,
    KILN_NET_DRIVER_QEMU,
    KILN_NET_DRIVER_VHOST,
    KILN_NET_DRIVER_KVM,
    KILN_NET_DRIVER_VFIO,
    KILN_N_NET_DRIVER
} KilnNetDriver;

extern const char *const kiln_net_driver_names[KILN_N_NET_DRIVER];

typedef enum {
    KILN_NET_TXMODE_ABSENT,
    KILN_NET_TXMODE_IOTHREAD,
    KILN_NET_TXMODE_TIMER,
    KILN_N_NET_TXMODE
} KilnNetTxmode;

extern const char *const kiln_net_txmode_names[KILN_N_NET_TXMODE];

typedef enum {
    KILN_NET_TEAMING_ABSENT,
    KILN_NET_TEAMING_PERSISTENT,
    KILN_NET_TEAMING_TRANSIENT,
    KILN_N_NET_TEAMING
} KilnNetTeaming;

extern const char *const kiln_net_teaming_names[KILN_N_NET_TEAMING];

/* <source>; the interface's type says which members count. */
typedef struct {
    char *network;   /* (owned) (nullable) */
    char *portgroup; /* (owned) (nullable) */
    char *portid;    /* (owned) (nullable) */
    char *bridge;    /* (owned) (nullable) */
    KilnNetMacTable mac_table;
    char *dev; /* (owned) (nullable) */
    KilnNetDirectMode direct_mode;
    char *name;    /* (owned) (nullable) */
    char *address; /* (owned) (nullable) */
    KilnUint port;
    KilnSwitch missing;
    char *local_address; /* (owned) (nullable) */
    KilnUint local_port;
    KilnUint usb_vendor;
    KilnUint usb_product;
    KilnNetHostdevAddress *hostdev; /* (owned) (nullable) */
    GPtrArray *ips;                 /* (owned) of KilnNetIp */
    GPtrArray *routes;              /* (owned) of KilnNetRoute */
    KilnUnixSocket socket;
} KilnNetSource;

/* What the adapter may leave to one side. */
typedef struct {
    KilnSwitch csum;
    KilnSwitch gso;
    KilnSwitch tso4;
    KilnSwitch tso6;
    KilnSwitch ecn;
    KilnSwitch ufo;
    KilnSwitch mrg_rxbuf;
} KilnNetOffloads;

typedef struct {
    KilnSwitch csum;
    KilnSwitch tso4;
    KilnSwitch tso6;
    KilnSwitch ecn;
    KilnSwitch ufo;
} KilnNetGuestOffloads;

typedef struct {
    KilnNetDriver name;
    KilnUint queues;        /* pairs of them */
    KilnUint rx_queue_size; /* descriptors */
    KilnUint tx_queue_size; /* descriptors */
    KilnNetTxmode txmode;
    KilnSwitch ioeventfd;
    KilnSwitch event_idx;
    KilnSwitch rss;
    KilnSwitch rss_hash_report;
    KilnVirtioDriver virtio;
    KilnNetOffloads host;
    KilnNetGuestOffloads guest;
} KilnNetDriverOptions;

/* This one and another adapter are one to the guest. */
typedef struct {
    KilnNetTeaming type;
    char *persistent; /* (owned) (nullable) alias of the other, for the transient one */
} KilnNetTeamingOptions;

typedef struct {
    KilnXmlPlace place;
    KilnNetType type;
    KilnSwitch managed;
    KilnSwitch trust_guest_rx_filters;
    char *mac; /* (owned) (nullable) */
    KilnNetMacKind mac_kind;
    KilnSwitch mac_check;
    KilnNetSource source;
    KilnNetVirtualport *virtualport; /* (owned) (nullable) */
    GPtrArray *ips;                  /* (owned) of KilnNetIp */
    GPtrArray *routes;               /* (owned) of KilnNetRoute */
    GPtrArray *forwards;             /* (owned) of KilnNetForward */
    char *script;                    /* (owned) (nullable) */
    char *downscript;                /* (owned) (nullable) */
    char *target_dev;                /* (owned) (nullable) name of the host's side */
    KilnSwitch target_managed;
    char *guest_dev;    /* (owned) (nullable) */
    char *guest_actual; /* (owned) (nullable) */
    char *model;        /* (owned) (nullable) "virtio", "e1000e" ... */
    KilnNetBackend backend;
    char *backend_tap;   /* (owned) (nullable) device node of the tap driver */
    char *backend_vhost; /* (owned) (nullable) device node of vhost-net */
    char *backend_log;   /* (owned) (nullable) */
    KilnNetDriverOptions driver;
    KilnNetFilterref *filterref; /* (owned) (nullable) */
    KilnUint sndbuf;             /* bytes */
    KilnNetLinkState link;
    KilnUint mtu;                /* bytes */
    KilnNetBandwidth *bandwidth; /* (owned) (nullable) */
    KilnNetVlan *vlan;           /* (owned) (nullable) */
    KilnUint coalesce_rx_frames;
    KilnSwitch isolated;
    KilnNetTeamingOptions *teaming; /* (owned) (nullable) */
    KilnDeviceInfo info;
} KilnNet;

extern const KilnStruct kiln_net_teaming_options_struct;
KILN_FAMILY_DECLARE(KilnNet, net)

#endif
