/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller>: what other devices are plugged into. */
#ifndef KILN_DOMAIN_CONTROLLER_H
#define KILN_DOMAIN_CONTROLLER_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_CONTROLLER_TYPE_ABSENT,
    KILN_CONTROLLER_TYPE_PCI,
    KILN_CONTROLLER_TYPE_USB,
    KILN_CONTROLLER_TYPE_VIRTIO_SERIAL,
    KILN_CONTROLLER_TYPE_SCSI,
    KILN_CONTROLLER_TYPE_SATA,
    KILN_CONTROLLER_TYPE_IDE,
    KILN_CONTROLLER_TYPE_FDC,
    KILN_CONTROLLER_TYPE_CCID,
    KILN_CONTROLLER_TYPE_ISA,
    KILN_N_CONTROLLER_TYPE
} KilnControllerType;

extern const char *const kiln_controller_type_names[KILN_N_CONTROLLER_TYPE];

typedef enum {
    KILN_CONTROLLER_PCI_MODEL_ABSENT,
    KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT,
    KILN_CONTROLLER_PCI_MODEL_PCI_ROOT,
    KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT_PORT,
    KILN_CONTROLLER_PCI_MODEL_PCIE_TO_PCI_BRIDGE,
    KILN_CONTROLLER_PCI_MODEL_DMI_TO_PCI_BRIDGE,
    KILN_CONTROLLER_PCI_MODEL_PCIE_SWITCH_UPSTREAM_PORT,
    KILN_CONTROLLER_PCI_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT,
    KILN_CONTROLLER_PCI_MODEL_PCI_BRIDGE,
    KILN_CONTROLLER_PCI_MODEL_PCI_EXPANDER_BUS,
    KILN_CONTROLLER_PCI_MODEL_PCIE_EXPANDER_BUS,
    KILN_N_CONTROLLER_PCI_MODEL
} KilnControllerPciModel;

extern const char *const kiln_controller_pci_model_names[KILN_N_CONTROLLER_PCI_MODEL];

typedef enum {
    KILN_CONTROLLER_PCI_NAME_ABSENT,
    KILN_CONTROLLER_PCI_NAME_PCI_BRIDGE,
    KILN_CONTROLLER_PCI_NAME_I82801B11_BRIDGE,
    KILN_CONTROLLER_PCI_NAME_PCIE_PCI_BRIDGE,
    KILN_CONTROLLER_PCI_NAME_IOH3420,
    KILN_CONTROLLER_PCI_NAME_PCIE_ROOT_PORT,
    KILN_CONTROLLER_PCI_NAME_X3130_UPSTREAM,
    KILN_CONTROLLER_PCI_NAME_XIO3130_DOWNSTREAM,
    KILN_CONTROLLER_PCI_NAME_PXB,
    KILN_CONTROLLER_PCI_NAME_PXB_PCIE,
    KILN_N_CONTROLLER_PCI_NAME
} KilnControllerPciName;

extern const char *const kiln_controller_pci_name_names[KILN_N_CONTROLLER_PCI_NAME];

typedef enum {
    KILN_CONTROLLER_USB_MODEL_ABSENT,
    KILN_CONTROLLER_USB_MODEL_PIIX3_UHCI,
    KILN_CONTROLLER_USB_MODEL_PIIX4_UHCI,
    KILN_CONTROLLER_USB_MODEL_EHCI,
    KILN_CONTROLLER_USB_MODEL_ICH9_EHCI1,
    KILN_CONTROLLER_USB_MODEL_ICH9_UHCI1,
    KILN_CONTROLLER_USB_MODEL_ICH9_UHCI2,
    KILN_CONTROLLER_USB_MODEL_ICH9_UHCI3,
    KILN_CONTROLLER_USB_MODEL_VT82C686B_UHCI,
    KILN_CONTROLLER_USB_MODEL_PCI_OHCI,
    KILN_CONTROLLER_USB_MODEL_NEC_XHCI,
    KILN_CONTROLLER_USB_MODEL_QEMU_XHCI,
    KILN_CONTROLLER_USB_MODEL_NONE,
    KILN_N_CONTROLLER_USB_MODEL
} KilnControllerUsbModel;

extern const char *const kiln_controller_usb_model_names[KILN_N_CONTROLLER_USB_MODEL];

typedef enum {
    KILN_CONTROLLER_SCSI_MODEL_ABSENT,
    KILN_CONTROLLER_SCSI_MODEL_AUTO,
    KILN_CONTROLLER_SCSI_MODEL_BUSLOGIC,
    KILN_CONTROLLER_SCSI_MODEL_LSILOGIC,
    KILN_CONTROLLER_SCSI_MODEL_LSISAS1068,
    KILN_CONTROLLER_SCSI_MODEL_LSISAS1078,
    KILN_CONTROLLER_SCSI_MODEL_VMPVSCSI,
    KILN_CONTROLLER_SCSI_MODEL_NCR53C90,
    KILN_CONTROLLER_SCSI_MODEL_DC390,
    KILN_CONTROLLER_SCSI_MODEL_AM53C974,
    KILN_CONTROLLER_SCSI_MODEL_VIRTIO_SCSI,
    KILN_CONTROLLER_SCSI_MODEL_VIRTIO_TRANSITIONAL,
    KILN_CONTROLLER_SCSI_MODEL_VIRTIO_NON_TRANSITIONAL,
    KILN_N_CONTROLLER_SCSI_MODEL
} KilnControllerScsiModel;

extern const char *const kiln_controller_scsi_model_names[KILN_N_CONTROLLER_SCSI_MODEL];

typedef enum {
    KILN_CONTROLLER_IDE_MODEL_ABSENT,
    KILN_CONTROLLER_IDE_MODEL_PIIX3,
    KILN_CONTROLLER_IDE_MODEL_PIIX4,
    KILN_CONTROLLER_IDE_MODEL_ICH6,
    KILN_N_CONTROLLER_IDE_MODEL
} KilnControllerIdeModel;

extern const char *const kiln_controller_ide_model_names[KILN_N_CONTROLLER_IDE_MODEL];

/* How the bridge shows itself; hotplug on a root port only. */
typedef struct {
    KilnUint chassis_nr;
    KilnUint chassis;
    KilnUint port;
    KilnUint bus_nr;
    KilnUint index;
    KilnSwitch hotplug;
    KilnUint node; /* guest NUMA node */
} KilnControllerPciTarget;

typedef struct {
    KilnUint queues;
    KilnUint cmd_per_lun;
    KilnUint max_sectors; /* of 512 bytes */
    KilnSwitch ioeventfd;
    KilnUint iothread;
    KilnVirtioDriver virtio;
} KilnControllerDriver;

typedef struct {
    KilnXmlPlace place;
    KilnControllerType type;
    KilnUint index; /* among those of its type; assigned when absent */
    KilnControllerPciModel pci_model;
    KilnControllerUsbModel usb_model;
    KilnVirtioModel serial_model;
    KilnControllerScsiModel scsi_model;
    KilnControllerIdeModel ide_model;
    KilnUint ports;
    KilnUint vectors;               /* MSI-X */
    KilnControllerPciName pci_name; /* the device that QEMU makes of it */
    KilnControllerPciTarget pci_target;
    KilnUint pcihole64; /* bytes of the roots only */
    KilnUint usb_master_startport;
    KilnControllerDriver driver;
    KilnDeviceInfo info;
} KilnController;

KILN_FAMILY_DECLARE(KilnController, controller)

#endif
