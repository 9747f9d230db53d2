/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/input.h"

const char *const kiln_input_type_names[KILN_N_INPUT_TYPE] = {
    [KILN_INPUT_TYPE_TABLET] = "tablet",     [KILN_INPUT_TYPE_MOUSE] = "mouse",
    [KILN_INPUT_TYPE_KEYBOARD] = "keyboard", [KILN_INPUT_TYPE_PASSTHROUGH] = "passthrough",
    [KILN_INPUT_TYPE_EVDEV] = "evdev",
};

const char *const kiln_input_bus_names[KILN_N_INPUT_BUS] = {
    [KILN_INPUT_BUS_PS2] = "ps2",
    [KILN_INPUT_BUS_USB] = "usb",
    [KILN_INPUT_BUS_VIRTIO] = "virtio",
};

const char *const kiln_input_grab_names[KILN_N_INPUT_GRAB] = {
    [KILN_INPUT_GRAB_ALL] = "all",
};

const char *const kiln_input_grab_toggle_names[KILN_N_INPUT_GRAB_TOGGLE] = {
    [KILN_INPUT_GRAB_TOGGLE_CTRL_CTRL] = "ctrl-ctrl",
    [KILN_INPUT_GRAB_TOGGLE_ALT_ALT] = "alt-alt",
    [KILN_INPUT_GRAB_TOGGLE_SHIFT_SHIFT] = "shift-shift",
    [KILN_INPUT_GRAB_TOGGLE_META_META] = "meta-meta",
    [KILN_INPUT_GRAB_TOGGLE_SCROLLLOCK] = "scrolllock",
    [KILN_INPUT_GRAB_TOGGLE_CTRL_SCROLLLOCK] = "ctrl-scrolllock",
};

static void
check_input(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnInput *input = object;

    if (input->type == KILN_INPUT_TYPE_PASSTHROUGH && input->bus != KILN_INPUT_BUS_VIRTIO)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "bus",
                       "an input device is passed through on bus 'virtio' only");
    if (input->type == KILN_INPUT_TYPE_PASSTHROUGH && input->evdev == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <source evdev=>");
    if (input->type == KILN_INPUT_TYPE_EVDEV && input->source_dev == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <source dev=>");
}

static const KilnField input_fields[] = {
    KILN_FIELD_CUSTOM(KilnInput, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnInput, type, "@type", kiln_input_type_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnInput, bus, "@bus", kiln_input_bus_names,
                    .only = KILN_ONLY(KILN_INPUT_TYPE_TABLET) | KILN_ONLY(KILN_INPUT_TYPE_MOUSE) |
                            KILN_ONLY(KILN_INPUT_TYPE_KEYBOARD) |
                            KILN_ONLY(KILN_INPUT_TYPE_PASSTHROUGH)),
    KILN_FIELD_ENUM(KilnInput, model, "@model", kiln_virtio_model_names),
    KILN_FIELD_EMBED(KilnInput, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_STRING(KilnInput, evdev, "source@evdev",
                      .only = KILN_ONLY(KILN_INPUT_TYPE_PASSTHROUGH), .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnInput, source_dev, "source@dev", .only = KILN_ONLY(KILN_INPUT_TYPE_EVDEV),
                      .flags = KILN_FIELD_REQUIRED, .rule = &kiln_path_rule),
    KILN_FIELD_ENUM(KilnInput, grab, "source@grab", kiln_input_grab_names,
                    .only = KILN_ONLY(KILN_INPUT_TYPE_EVDEV)),
    KILN_FIELD_ENUM(KilnInput, grab_toggle, "source@grabToggle", kiln_input_grab_toggle_names,
                    .only = KILN_ONLY(KILN_INPUT_TYPE_EVDEV)),
    KILN_FIELD_SWITCH(KilnInput, repeat, "source@repeat", ONOFF,
                      .only = KILN_ONLY(KILN_INPUT_TYPE_EVDEV)),
    KILN_FIELD_EMBED(KilnInput, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_input_struct = {
    .size = sizeof(KilnInput),
    .fields = input_fields,
    .check = check_input,
    KILN_STRUCT_VARIANT(KilnInput, type),
};

KILN_FAMILY_DEFINE(KilnInput, input, "input")
