/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/controller.h"

const char *const kiln_controller_type_names[KILN_N_CONTROLLER_TYPE] = {
    [KILN_CONTROLLER_TYPE_PCI] = "pci",
    [KILN_CONTROLLER_TYPE_USB] = "usb",
    [KILN_CONTROLLER_TYPE_VIRTIO_SERIAL] = "virtio-serial",
    [KILN_CONTROLLER_TYPE_SCSI] = "scsi",
    [KILN_CONTROLLER_TYPE_SATA] = "sata",
    [KILN_CONTROLLER_TYPE_IDE] = "ide",
    [KILN_CONTROLLER_TYPE_FDC] = "fdc",
    [KILN_CONTROLLER_TYPE_CCID] = "ccid",
    [KILN_CONTROLLER_TYPE_ISA] = "isa",
};

const char *const kiln_controller_pci_model_names[KILN_N_CONTROLLER_PCI_MODEL] = {
    [KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT] = "pcie-root",
    [KILN_CONTROLLER_PCI_MODEL_PCI_ROOT] = "pci-root",
    [KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT_PORT] = "pcie-root-port",
    [KILN_CONTROLLER_PCI_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-to-pci-bridge",
    [KILN_CONTROLLER_PCI_MODEL_DMI_TO_PCI_BRIDGE] = "dmi-to-pci-bridge",
    [KILN_CONTROLLER_PCI_MODEL_PCIE_SWITCH_UPSTREAM_PORT] = "pcie-switch-upstream-port",
    [KILN_CONTROLLER_PCI_MODEL_PCIE_SWITCH_DOWNSTREAM_PORT] = "pcie-switch-downstream-port",
    [KILN_CONTROLLER_PCI_MODEL_PCI_BRIDGE] = "pci-bridge",
    [KILN_CONTROLLER_PCI_MODEL_PCI_EXPANDER_BUS] = "pci-expander-bus",
    [KILN_CONTROLLER_PCI_MODEL_PCIE_EXPANDER_BUS] = "pcie-expander-bus",
};

const char *const kiln_controller_pci_name_names[KILN_N_CONTROLLER_PCI_NAME] = {
    [KILN_CONTROLLER_PCI_NAME_PCI_BRIDGE] = "pci-bridge",
    [KILN_CONTROLLER_PCI_NAME_I82801B11_BRIDGE] = "i82801b11-bridge",
    [KILN_CONTROLLER_PCI_NAME_PCIE_PCI_BRIDGE] = "pcie-pci-bridge",
    [KILN_CONTROLLER_PCI_NAME_IOH3420] = "ioh3420",
    [KILN_CONTROLLER_PCI_NAME_PCIE_ROOT_PORT] = "pcie-root-port",
    [KILN_CONTROLLER_PCI_NAME_X3130_UPSTREAM] = "x3130-upstream",
    [KILN_CONTROLLER_PCI_NAME_XIO3130_DOWNSTREAM] = "xio3130-downstream",
    [KILN_CONTROLLER_PCI_NAME_PXB] = "pxb",
    [KILN_CONTROLLER_PCI_NAME_PXB_PCIE] = "pxb-pcie",
};

const char *const kiln_controller_usb_model_names[KILN_N_CONTROLLER_USB_MODEL] = {
    [KILN_CONTROLLER_USB_MODEL_PIIX3_UHCI] = "piix3-uhci",
    [KILN_CONTROLLER_USB_MODEL_PIIX4_UHCI] = "piix4-uhci",
    [KILN_CONTROLLER_USB_MODEL_EHCI] = "ehci",
    [KILN_CONTROLLER_USB_MODEL_ICH9_EHCI1] = "ich9-ehci1",
    [KILN_CONTROLLER_USB_MODEL_ICH9_UHCI1] = "ich9-uhci1",
    [KILN_CONTROLLER_USB_MODEL_ICH9_UHCI2] = "ich9-uhci2",
    [KILN_CONTROLLER_USB_MODEL_ICH9_UHCI3] = "ich9-uhci3",
    [KILN_CONTROLLER_USB_MODEL_VT82C686B_UHCI] = "vt82c686b-uhci",
    [KILN_CONTROLLER_USB_MODEL_PCI_OHCI] = "pci-ohci",
    [KILN_CONTROLLER_USB_MODEL_NEC_XHCI] = "nec-xhci",
    [KILN_CONTROLLER_USB_MODEL_QEMU_XHCI] = "qemu-xhci",
    [KILN_CONTROLLER_USB_MODEL_NONE] = "none",
};

const char *const kiln_controller_scsi_model_names[KILN_N_CONTROLLER_SCSI_MODEL] = {
    [KILN_CONTROLLER_SCSI_MODEL_AUTO] = "auto",
    [KILN_CONTROLLER_SCSI_MODEL_BUSLOGIC] = "buslogic",
    [KILN_CONTROLLER_SCSI_MODEL_LSILOGIC] = "lsilogic",
    [KILN_CONTROLLER_SCSI_MODEL_LSISAS1068] = "lsisas1068",
    [KILN_CONTROLLER_SCSI_MODEL_LSISAS1078] = "lsisas1078",
    [KILN_CONTROLLER_SCSI_MODEL_VMPVSCSI] = "vmpvscsi",
    [KILN_CONTROLLER_SCSI_MODEL_NCR53C90] = "ncr53c90",
    [KILN_CONTROLLER_SCSI_MODEL_DC390] = "dc390",
    [KILN_CONTROLLER_SCSI_MODEL_AM53C974] = "am53c974",
    [KILN_CONTROLLER_SCSI_MODEL_VIRTIO_SCSI] = "virtio-scsi",
    [KILN_CONTROLLER_SCSI_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
    [KILN_CONTROLLER_SCSI_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
};

const char *const kiln_controller_ide_model_names[KILN_N_CONTROLLER_IDE_MODEL] = {
    [KILN_CONTROLLER_IDE_MODEL_PIIX3] = "piix3",
    [KILN_CONTROLLER_IDE_MODEL_PIIX4] = "piix4",
    [KILN_CONTROLLER_IDE_MODEL_ICH6] = "ich6",
};

static const KilnField controller_pci_target_fields[] = {
    KILN_FIELD_UINT(KilnControllerPciTarget, chassis_nr, "@chassisNr", 0, 255),
    KILN_FIELD_UINT(KilnControllerPciTarget, chassis, "@chassis", 0, 255),
    KILN_FIELD_HEX(KilnControllerPciTarget, port, "@port", 255, 1),
    KILN_FIELD_UINT(KilnControllerPciTarget, bus_nr, "@busNr", 0, 254),
    KILN_FIELD_UINT(KilnControllerPciTarget, index, "@index", 0, 255),
    KILN_FIELD_SWITCH(KilnControllerPciTarget, hotplug, "@hotplug", ONOFF),
    KILN_FIELD_UINT(KilnControllerPciTarget, node, "node", 0, G_MAXUINT32),
    KILN_FIELD_END,
};

static const KilnStruct controller_pci_target_struct = {
    .size = sizeof(KilnControllerPciTarget),
    .fields = controller_pci_target_fields,
};

static const KilnField controller_driver_fields[] = {
    KILN_FIELD_UINT(KilnControllerDriver, queues, "@queues", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnControllerDriver, cmd_per_lun, "@cmd_per_lun", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnControllerDriver, max_sectors, "@max_sectors", 0, G_MAXUINT32),
    KILN_FIELD_SWITCH(KilnControllerDriver, ioeventfd, "@ioeventfd", ONOFF),
    KILN_FIELD_UINT(KilnControllerDriver, iothread, "@iothread", 0, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnControllerDriver, virtio, "", &kiln_virtio_driver_struct),
    KILN_FIELD_END,
};

static const KilnStruct controller_driver_struct = {
    .size = sizeof(KilnControllerDriver),
    .fields = controller_driver_fields,
};

static void
check_controller(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnController *controller = object;

    if (controller->pcihole64.set && controller->pci_model != KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT &&
        controller->pci_model != KILN_CONTROLLER_PCI_MODEL_PCI_ROOT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "<pcihole64> is of models 'pcie-root' and 'pci-root' only");
}

static const KilnField controller_fields[] = {
    KILN_FIELD_CUSTOM(KilnController, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnController, type, "@type", kiln_controller_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnController, index, "@index", 0, G_MAXUINT32),
    KILN_FIELD_ENUM(KilnController, pci_model, "@model", kiln_controller_pci_model_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_PCI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnController, usb_model, "@model", kiln_controller_usb_model_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_USB)),
    KILN_FIELD_ENUM(KilnController, serial_model, "@model", kiln_virtio_model_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_VIRTIO_SERIAL)),
    KILN_FIELD_ENUM(KilnController, scsi_model, "@model", kiln_controller_scsi_model_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_SCSI)),
    KILN_FIELD_ENUM(KilnController, ide_model, "@model", kiln_controller_ide_model_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_IDE)),
    KILN_FIELD_UINT(KilnController, ports, "@ports", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_USB) |
                            KILN_ONLY(KILN_CONTROLLER_TYPE_VIRTIO_SERIAL)),
    KILN_FIELD_UINT(KilnController, vectors, "@vectors", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_VIRTIO_SERIAL)),
    KILN_FIELD_ENUM(KilnController, pci_name, "model@name", kiln_controller_pci_name_names,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_PCI), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnController, pci_target, "target", &controller_pci_target_struct,
                     .only = KILN_ONLY(KILN_CONTROLLER_TYPE_PCI)),
    KILN_FIELD_SIZE(KilnController, pcihole64, "pcihole64",
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_PCI)),
    KILN_FIELD_UINT(KilnController, usb_master_startport, "master@startport", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_CONTROLLER_TYPE_USB)),
    KILN_FIELD_EMBED(KilnController, driver, "driver", &controller_driver_struct),
    KILN_FIELD_EMBED(KilnController, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_controller_struct = {
    .size = sizeof(KilnController),
    .fields = controller_fields,
    .check = check_controller,
    KILN_STRUCT_VARIANT(KilnController, type),
};

KILN_FAMILY_DEFINE(KilnController, controller, "controller")
