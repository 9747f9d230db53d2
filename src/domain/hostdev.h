/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <hostdev>: devices of the host that are given to the guest. */
#ifndef KILN_DOMAIN_HOSTDEV_H
#define KILN_DOMAIN_HOSTDEV_H

#include "domain/address.h"
#include "domain/disk.h"
#include "domain/family.h"
#include "domain/net.h"

/* capabilities are for containers */
typedef enum { KILN_HOSTDEV_MODE_SUBSYSTEM, KILN_N_HOSTDEV_MODE } KilnHostdevMode;

extern const char *const kiln_hostdev_mode_names[KILN_N_HOSTDEV_MODE];

typedef enum {
    KILN_HOSTDEV_TYPE_ABSENT,
    KILN_HOSTDEV_TYPE_PCI,
    KILN_HOSTDEV_TYPE_USB,
    KILN_HOSTDEV_TYPE_SCSI,
    KILN_HOSTDEV_TYPE_SCSI_HOST,
    KILN_HOSTDEV_TYPE_MDEV,
    KILN_N_HOSTDEV_TYPE
} KilnHostdevType;

extern const char *const kiln_hostdev_type_names[KILN_N_HOSTDEV_TYPE];

typedef enum {
    KILN_HOSTDEV_DRIVER_ABSENT,
    KILN_HOSTDEV_DRIVER_KVM,
    KILN_HOSTDEV_DRIVER_VFIO,
    KILN_N_HOSTDEV_DRIVER
} KilnHostdevDriver;

extern const char *const kiln_hostdev_driver_names[KILN_N_HOSTDEV_DRIVER];

typedef enum {
    KILN_HOSTDEV_GUEST_RESET_ABSENT,
    KILN_HOSTDEV_GUEST_RESET_OFF,
    KILN_HOSTDEV_GUEST_RESET_UNINITIALIZED,
    KILN_HOSTDEV_GUEST_RESET_ON,
    KILN_N_HOSTDEV_GUEST_RESET
} KilnHostdevGuestReset;

extern const char *const kiln_hostdev_guest_reset_names[KILN_N_HOSTDEV_GUEST_RESET];

typedef enum {
    KILN_HOSTDEV_SCSI_PROTOCOL_ABSENT,
    KILN_HOSTDEV_SCSI_PROTOCOL_ADAPTER,
    KILN_HOSTDEV_SCSI_PROTOCOL_ISCSI,
    KILN_HOSTDEV_SCSI_PROTOCOL_VHOST,
    KILN_N_HOSTDEV_SCSI_PROTOCOL
} KilnHostdevScsiProtocol;

extern const char *const kiln_hostdev_scsi_protocol_names[KILN_N_HOSTDEV_SCSI_PROTOCOL];

typedef enum {
    KILN_HOSTDEV_ADAPTER_TYPE_ABSENT,
    KILN_HOSTDEV_ADAPTER_TYPE_SCSI_HOST,
    KILN_HOSTDEV_ADAPTER_TYPE_FC_HOST,
    KILN_N_HOSTDEV_ADAPTER_TYPE
} KilnHostdevAdapterType;

extern const char *const kiln_hostdev_adapter_type_names[KILN_N_HOSTDEV_ADAPTER_TYPE];

typedef enum {
    KILN_HOSTDEV_MODEL_ABSENT,
    KILN_HOSTDEV_MODEL_VFIO_PCI,
    KILN_HOSTDEV_MODEL_VIRTIO,
    KILN_HOSTDEV_MODEL_VIRTIO_TRANSITIONAL,
    KILN_HOSTDEV_MODEL_VIRTIO_NON_TRANSITIONAL,
    KILN_N_HOSTDEV_MODEL
} KilnHostdevModel;

extern const char *const kiln_hostdev_model_names[KILN_N_HOSTDEV_MODEL];

typedef struct {
    char *name; /* (owned) (nullable) */
    KilnUint port;
} KilnHostdevHost;

/* A SCSI host by name, by its PCI parent or by its world wide names. */
typedef struct {
    KilnHostdevAdapterType type;
    char *name;   /* (owned) (nullable) */
    char *parent; /* (owned) (nullable) */
    KilnSwitch managed;
    char *parent_wwnn;       /* (owned) (nullable) */
    char *parent_wwpn;       /* (owned) (nullable) */
    char *parent_fabric_wwn; /* (owned) (nullable) */
    char *wwnn;              /* (owned) (nullable) */
    char *wwpn;              /* (owned) (nullable) */
    KilnUint parent_unique_id;
    KilnPciAddress *parent_pci; /* (owned) (nullable) */
} KilnHostdevAdapter;

typedef struct {
    KilnXmlPlace place;
    KilnHostdevMode mode;
    KilnHostdevType type;
    KilnSwitch managed; /* taken from its host driver at start, given back at the end */
    KilnDiskSgio sgio;
    KilnSwitch rawio;
    KilnHostdevModel model;
    KilnSwitch ramfb;
    KilnSwitch display;
    KilnHostdevDriver driver;
    KilnNetTeamingOptions *teaming; /* (owned) (nullable) */
    KilnDiskStartupPolicy startup_policy;
    KilnSwitch write_filtering;
    KilnHostdevGuestReset guest_reset;
    KilnHostdevScsiProtocol protocol;
    char *iscsi_name;            /* (owned) (nullable) target, LUN */
    char *wwpn;                  /* (owned) (nullable) */
    KilnHostdevAdapter *adapter; /* (owned) (nullable) */
    GPtrArray *hosts;            /* (owned) of KilnHostdevHost */
    KilnDiskAuth *auth;          /* (owned) (nullable) */
    char *initiator_iqn;         /* (owned) (nullable) */
    KilnUint usb_vendor;
    KilnUint usb_product;
    KilnUint usb_bus;
    KilnUint usb_device;
    KilnUint scsi_bus;
    KilnUint scsi_target;
    KilnUint scsi_unit;
    KilnPciAddress pci;
    char *mdev_uuid; /* (owned) (nullable) */
    gboolean readonly;
    gboolean shareable;
    KilnDeviceInfo info;
} KilnHostdev;

KILN_FAMILY_DECLARE(KilnHostdev, hostdev)

#endif
