/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/chardev.h"

const char *const kiln_serial_target_names[KILN_N_SERIAL_TARGET] = {
    [KILN_SERIAL_TARGET_ISA_SERIAL] = "isa-serial",
    [KILN_SERIAL_TARGET_USB_SERIAL] = "usb-serial",
    [KILN_SERIAL_TARGET_PCI_SERIAL] = "pci-serial",
    [KILN_SERIAL_TARGET_ISA_DEBUG] = "isa-debug",
};

const char *const kiln_serial_model_names[KILN_N_SERIAL_MODEL] = {
    [KILN_SERIAL_MODEL_ISA_SERIAL] = "isa-serial",
    [KILN_SERIAL_MODEL_USB_SERIAL] = "usb-serial",
    [KILN_SERIAL_MODEL_PCI_SERIAL] = "pci-serial",
    [KILN_SERIAL_MODEL_16550A] = "16550a",
    [KILN_SERIAL_MODEL_ISA_DEBUGCON] = "isa-debugcon",
};

const char *const kiln_console_target_names[KILN_N_CONSOLE_TARGET] = {
    [KILN_CONSOLE_TARGET_SERIAL] = "serial",
    [KILN_CONSOLE_TARGET_VIRTIO] = "virtio",
};

const char *const kiln_channel_target_names[KILN_N_CHANNEL_TARGET] = {
    [KILN_CHANNEL_TARGET_GUESTFWD] = "guestfwd",
    [KILN_CHANNEL_TARGET_VIRTIO] = "virtio",
};

const char *const kiln_channel_state_names[KILN_N_CHANNEL_STATE] = {
    [KILN_CHANNEL_STATE_CONNECTED] = "connected",
    [KILN_CHANNEL_STATE_DISCONNECTED] = "disconnected",
};

static const KilnField serial_fields[] = {
    KILN_FIELD_CUSTOM(KilnSerial, place, "", &kiln_place_ops),
    KILN_FIELD_STRING(KilnSerial, tty, "@tty", .rule = &kiln_path_rule),
    KILN_FIELD_EMBED(KilnSerial, source, "", &kiln_char_source_struct),
    KILN_FIELD_ENUM(KilnSerial, target, "target@type", kiln_serial_target_names),
    KILN_FIELD_UINT(KilnSerial, port, "target@port", 0, G_MAXUINT32),
    KILN_FIELD_ENUM(KilnSerial, model, "target/model@name", kiln_serial_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnSerial, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_serial_struct = {
    .size = sizeof(KilnSerial),
    .fields = serial_fields,
};

static const KilnField console_fields[] = {
    KILN_FIELD_CUSTOM(KilnConsole, place, "", &kiln_place_ops),
    KILN_FIELD_STRING(KilnConsole, tty, "@tty", .rule = &kiln_path_rule),
    KILN_FIELD_EMBED(KilnConsole, source, "", &kiln_char_source_struct),
    KILN_FIELD_ENUM(KilnConsole, target, "target@type", kiln_console_target_names),
    KILN_FIELD_UINT(KilnConsole, port, "target@port", 0, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnConsole, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_console_struct = {
    .size = sizeof(KilnConsole),
    .fields = console_fields,
};

static void
check_target(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnChannelEnd *target = object;

    if (target->type == KILN_CHANNEL_TARGET_GUESTFWD &&
        (target->address == NULL || !target->port.set))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "type 'guestfwd' needs 'address' and 'port'");
}

static const KilnField channel_end_fields[] = {
    KILN_FIELD_ENUM(KilnChannelEnd, type, "@type", kiln_channel_target_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnChannelEnd, name, "@name", .only = KILN_ONLY(KILN_CHANNEL_TARGET_VIRTIO)),
    KILN_FIELD_ENUM(KilnChannelEnd, state, "@state", kiln_channel_state_names,
                    .only = KILN_ONLY(KILN_CHANNEL_TARGET_VIRTIO), .flags = KILN_FIELD_LIVE),
    KILN_FIELD_STRING(KilnChannelEnd, address, "@address",
                      .only = KILN_ONLY(KILN_CHANNEL_TARGET_GUESTFWD), .rule = &kiln_ip_rule),
    KILN_FIELD_UINT(KilnChannelEnd, port, "@port", 1, 65535,
                    .only = KILN_ONLY(KILN_CHANNEL_TARGET_GUESTFWD)),
    KILN_FIELD_END,
};

static const KilnStruct channel_end_struct = {
    .size = sizeof(KilnChannelEnd),
    .fields = channel_end_fields,
    .check = check_target,
    KILN_STRUCT_VARIANT(KilnChannelEnd, type),
};

static const KilnField channel_fields[] = {
    KILN_FIELD_CUSTOM(KilnChannel, place, "", &kiln_place_ops),
    KILN_FIELD_EMBED(KilnChannel, source, "", &kiln_char_source_struct),
    KILN_FIELD_EMBED(KilnChannel, target, "target", &channel_end_struct,
                     .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnChannel, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_channel_struct = {
    .size = sizeof(KilnChannel),
    .fields = channel_fields,
};

KILN_FAMILY_DEFINE(KilnSerial, serial, "serial")

KILN_FAMILY_DEFINE(KilnConsole, console, "console")

KILN_FAMILY_DEFINE(KilnChannel, channel, "channel")
