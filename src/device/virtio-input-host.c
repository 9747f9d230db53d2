/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-input-host.h. */
#include "device/virtio-input-host.h"

#include <errno.h>
#include <linux/input.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/le.h"
#include "device/virtio-input.h"

enum {
    VENDOR = 0x0627, /* as QEMU's input devices say */
    PRODUCT_KEYBOARD = 1,
    PRODUCT_MOUSE = 2,
    PRODUCT_TABLET = 3,
    IDENTITY_VERSION = 1,
};

static void
set_bit(uint8_t *bitmap, unsigned bit)
{
    bitmap[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static gboolean
test_bit(const uint8_t *bitmap, unsigned bit)
{
    return bit / 8 < KILN_INPUT_BITMAP_BYTES && (bitmap[bit / 8] >> bit % 8 & 1);
}

static void
identify(KilnInputIdentity *identity, const char *name, uint16_t product)
{
    *identity = (KilnInputIdentity){ .ids = { .bustype = GUINT16_TO_LE(BUS_VIRTUAL),
                                              .vendor = GUINT16_TO_LE(VENDOR),
                                              .product = GUINT16_TO_LE(product),
                                              .version = GUINT16_TO_LE(IDENTITY_VERSION) } };
    memcpy(identity->name, name, strlen(name));
}

void
kiln_input_identity_keyboard(KilnInputIdentity *identity)
{
    identify(identity, "QEMU Virtio Keyboard", PRODUCT_KEYBOARD);
    for (unsigned key = KEY_ESC; key <= KEY_MICMUTE; key++)
        set_bit(identity->events[EV_KEY], key);
    set_bit(identity->events[EV_REP], REP_DELAY);
    set_bit(identity->events[EV_REP], REP_PERIOD);
    for (unsigned led = LED_NUML; led <= LED_SCROLLL; led++)
        set_bit(identity->events[EV_LED], led);
}

static void
add_buttons(KilnInputIdentity *identity)
{
    static const uint16_t buttons[] = { BTN_LEFT,  BTN_RIGHT,   BTN_MIDDLE,   BTN_SIDE,
                                        BTN_EXTRA, BTN_GEAR_UP, BTN_GEAR_DOWN };

    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++)
        set_bit(identity->events[EV_KEY], buttons[i]);
    set_bit(identity->events[EV_REL], REL_WHEEL);
    set_bit(identity->events[EV_REL], REL_HWHEEL);
}

void
kiln_input_identity_mouse(KilnInputIdentity *identity)
{
    identify(identity, "QEMU Virtio Mouse", PRODUCT_MOUSE);
    add_buttons(identity);
    set_bit(identity->events[EV_REL], REL_X);
    set_bit(identity->events[EV_REL], REL_Y);
}

void
kiln_input_identity_tablet(KilnInputIdentity *identity)
{
    identify(identity, "QEMU Virtio Tablet", PRODUCT_TABLET);
    add_buttons(identity);
    set_bit(identity->events[EV_KEY], BTN_TOUCH);
    for (unsigned axis = ABS_X; axis <= ABS_Y; axis++) {
        set_bit(identity->events[EV_ABS], axis);
        identity->abs[axis].max = GUINT32_TO_LE(KILN_VIRTIO_INPUT_ABS_MAX);
    }
}

/* ---- Of the host ---- */

static void
ask_axes(KilnInputIdentity *identity, int fd)
{
    for (unsigned axis = 0; axis < KILN_INPUT_N_ABS; axis++) {
        struct input_absinfo info = { 0 };

        if (!test_bit(identity->events[EV_ABS], axis) || ioctl(fd, EVIOCGABS(axis), &info) < 0)
            continue;
        identity->abs[axis] =
            (struct virtio_input_absinfo){ .min = GUINT32_TO_LE((uint32_t)info.minimum),
                                           .max = GUINT32_TO_LE((uint32_t)info.maximum),
                                           .fuzz = GUINT32_TO_LE((uint32_t)info.fuzz),
                                           .flat = GUINT32_TO_LE((uint32_t)info.flat),
                                           .res = GUINT32_TO_LE((uint32_t)info.resolution) };
    }
}

gboolean
kiln_input_identity_host(KilnInputIdentity *identity, int fd, GError **error)
{
    struct input_id id;
    int version;

    *identity = (KilnInputIdentity){ 0 };
    if (ioctl(fd, EVIOCGVERSION, &version) < 0 || ioctl(fd, EVIOCGID, &id) < 0)
        return kiln_error_set_errno(error, errno, "not an evdev");
    identity->ids.bustype = GUINT16_TO_LE(id.bustype);
    identity->ids.vendor = GUINT16_TO_LE(id.vendor);
    identity->ids.product = GUINT16_TO_LE(id.product);
    identity->ids.version = GUINT16_TO_LE(id.version);
    if (ioctl(fd, EVIOCGNAME(sizeof identity->name - 1), identity->name) < 0)
        return kiln_error_set_errno(error, errno, "cannot ask for the name");
    ioctl(fd, EVIOCGUNIQ(sizeof identity->serial - 1), identity->serial); /* most have none */
    ioctl(fd, EVIOCGPROP(sizeof identity->properties), identity->properties);
    for (unsigned type = EV_SYN + 1; type < KILN_INPUT_N_TYPES; type++)
        ioctl(fd, EVIOCGBIT(type, sizeof identity->events[type]), identity->events[type]);
    ask_axes(identity, fd);
    return TRUE;
}

/* ---- Answers ---- */

gboolean
kiln_input_identity_has(const KilnInputIdentity *identity, uint16_t type, uint16_t code)
{
    return type < KILN_INPUT_N_TYPES && test_bit(identity->events[type], code);
}

/* Bitmaps and texts end with their last byte that is not zero. */
static uint8_t
answer(uint8_t *to, const void *from, size_t length)
{
    const uint8_t *bytes = from;

    while (length > 0 && bytes[length - 1] == 0)
        length--;
    memcpy(to, bytes, length);
    return (uint8_t)length;
}

uint8_t
kiln_input_identity_config(const KilnInputIdentity *identity, uint8_t select, uint8_t subselect,
                           uint8_t *to)
{
    memset(to, 0, KILN_INPUT_BITMAP_BYTES);
    switch (select) {
    case VIRTIO_INPUT_CFG_ID_NAME: return answer(to, identity->name, sizeof identity->name);
    case VIRTIO_INPUT_CFG_ID_SERIAL: return answer(to, identity->serial, sizeof identity->serial);
    case VIRTIO_INPUT_CFG_ID_DEVIDS:
        memcpy(to, &identity->ids, sizeof identity->ids);
        return sizeof identity->ids;
    case VIRTIO_INPUT_CFG_PROP_BITS:
        return answer(to, identity->properties, sizeof identity->properties);
    case VIRTIO_INPUT_CFG_EV_BITS:
        if (subselect >= KILN_INPUT_N_TYPES)
            return 0;
        return answer(to, identity->events[subselect], KILN_INPUT_BITMAP_BYTES);
    case VIRTIO_INPUT_CFG_ABS_INFO:
        if (!kiln_input_identity_has(identity, EV_ABS, subselect) || subselect >= KILN_INPUT_N_ABS)
            return 0;
        memcpy(to, &identity->abs[subselect], sizeof identity->abs[subselect]);
        return sizeof identity->abs[subselect];
    default: return 0;
    }
}
