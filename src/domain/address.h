/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a device is plugged in (<address>), and what every device has besides: its alias, place in
 * the boot order, option ROM and ACPI index.
 */
#ifndef KILN_DOMAIN_ADDRESS_H
#define KILN_DOMAIN_ADDRESS_H

#include "domain/fields.h"

typedef enum {
    KILN_ADDRESS_ABSENT,
    KILN_ADDRESS_PCI,
    KILN_ADDRESS_DRIVE,
    KILN_ADDRESS_VIRTIO_SERIAL,
    KILN_ADDRESS_CCID,
    KILN_ADDRESS_USB,
    KILN_ADDRESS_ISA,
    KILN_ADDRESS_DIMM,
    KILN_ADDRESS_VIRTIO_MMIO,
    KILN_ADDRESS_UNASSIGNED, /* a hostdev that libvirt knows but does not plug in */
    KILN_N_ADDRESSES
} KilnAddressType;

/* All zero is "some PCI slot, not chosen yet": 0000:00:00.0 is the host bridge's. */
typedef struct {
    guint domain;
    guint bus;
    guint slot;
    guint function;
    KilnSwitch multifunction;
} KilnPciAddress;

typedef struct {
    guint controller;
    guint bus;
    guint target;
    guint unit;
} KilnDriveAddress;

typedef struct {
    guint controller;
    guint bus;
    guint port;
} KilnVirtioSerialAddress;

typedef struct {
    guint controller;
    guint slot;
} KilnCcidAddress;

typedef struct {
    guint bus;
    char *port; /* (owned) (nullable) "1.4.2" */
} KilnUsbAddress;

typedef struct {
    KilnUint iobase;
    KilnUint irq;
} KilnIsaAddress;

typedef struct {
    KilnUint slot;
    KilnUint base; /* guest-physical */
} KilnDimmAddress;

typedef struct {
    KilnAddressType type;
    union {
        KilnPciAddress pci;
        KilnDriveAddress drive;
        KilnVirtioSerialAddress virtio_serial;
        KilnCcidAddress ccid;
        KilnUsbAddress usb;
        KilnIsaAddress isa;
        KilnDimmAddress dimm;
    };
} KilnAddress;

/* What every device has; a member named @info of each device struct. */
typedef struct {
    KilnAddress address;
    char *alias;         /* (owned) (nullable) <alias name=>; made anew for each run unless "ua-" */
    KilnUint boot_order; /* from 1 */
    char *boot_loadparm; /* (owned) (nullable) */
    KilnUint acpi_index; /* from 1 */
    KilnSwitch rom_enabled;
    KilnSwitch rom_bar;
    char *rom_file; /* (owned) (nullable) */
} KilnDeviceInfo;

/* Embedded in each device's table, at its end:
 * KILN_FIELD_EMBED(KilnDisk, info, "", &kiln_device_info_struct). */
extern const KilnStruct kiln_device_info_struct;

/* A bare PCI address, whose element is the path: such as a hostdev's "source/address". */
extern const KilnStruct kiln_pci_address_struct;

/* Of a KilnAddress, whose element is the path. */
extern const KilnFieldOps kiln_address_ops;

/* Whether a slot is chosen. */
gboolean kiln_pci_address_chosen(const KilnPciAddress *address);

#endif
