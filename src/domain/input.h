/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <input>: tablets, mice and keyboards, and host input devices passed on. */
#ifndef KILN_DOMAIN_INPUT_H
#define KILN_DOMAIN_INPUT_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_INPUT_TYPE_ABSENT,
    KILN_INPUT_TYPE_TABLET,
    KILN_INPUT_TYPE_MOUSE,
    KILN_INPUT_TYPE_KEYBOARD,
    KILN_INPUT_TYPE_PASSTHROUGH,
    KILN_INPUT_TYPE_EVDEV,
    KILN_N_INPUT_TYPE
} KilnInputType;

extern const char *const kiln_input_type_names[KILN_N_INPUT_TYPE];

typedef enum {
    KILN_INPUT_BUS_ABSENT,
    KILN_INPUT_BUS_PS2,
    KILN_INPUT_BUS_USB,
    KILN_INPUT_BUS_VIRTIO,
    KILN_N_INPUT_BUS
} KilnInputBus;

extern const char *const kiln_input_bus_names[KILN_N_INPUT_BUS];

typedef enum { KILN_INPUT_GRAB_ABSENT, KILN_INPUT_GRAB_ALL, KILN_N_INPUT_GRAB } KilnInputGrab;

extern const char *const kiln_input_grab_names[KILN_N_INPUT_GRAB];

typedef enum {
    KILN_INPUT_GRAB_TOGGLE_ABSENT,
    KILN_INPUT_GRAB_TOGGLE_CTRL_CTRL,
    KILN_INPUT_GRAB_TOGGLE_ALT_ALT,
    KILN_INPUT_GRAB_TOGGLE_SHIFT_SHIFT,
    KILN_INPUT_GRAB_TOGGLE_META_META,
    KILN_INPUT_GRAB_TOGGLE_SCROLLLOCK,
    KILN_INPUT_GRAB_TOGGLE_CTRL_SCROLLLOCK,
    KILN_N_INPUT_GRAB_TOGGLE
} KilnInputGrabToggle;

extern const char *const kiln_input_grab_toggle_names[KILN_N_INPUT_GRAB_TOGGLE];

typedef struct {
    KilnXmlPlace place;
    KilnInputType type;
    KilnInputBus bus;
    KilnVirtioModel model;
    KilnVirtioDriver virtio;
    char *evdev;      /* (owned) (nullable) device of the host */
    char *source_dev; /* (owned) (nullable) device of the host */
    KilnInputGrab grab;
    KilnInputGrabToggle grab_toggle;
    KilnSwitch repeat;
    KilnDeviceInfo info;
} KilnInput;

KILN_FAMILY_DECLARE(KilnInput, input)

#endif
