/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an input device is: its names, numbers and events, as the configuration space of virtio 1.2
 * §5.8.4 tells them; of the built-in kinds, or asked of an evdev.
 */
#ifndef KILN_DEVICE_VIRTIO_INPUT_HOST_H
#define KILN_DEVICE_VIRTIO_INPUT_HOST_H

#include <glib.h>
#include <linux/virtio_input.h>
#include <stdint.h>

enum {
    KILN_INPUT_N_TYPES = 0x20,     /* EV_CNT */
    KILN_INPUT_N_ABS = 0x40,       /* ABS_CNT */
    KILN_INPUT_BITMAP_BYTES = 128, /* of virtio_input_config.u.bitmap */
};

typedef struct {
    char name[128]; /* not terminated if it is as long */
    char serial[128];
    struct virtio_input_devids ids; /* little-endian, as in configuration space */
    uint8_t properties[KILN_INPUT_BITMAP_BYTES];
    uint8_t events[KILN_INPUT_N_TYPES][KILN_INPUT_BITMAP_BYTES]; /* by EV_… */
    struct virtio_input_absinfo abs[KILN_INPUT_N_ABS];           /* little-endian */
} KilnInputIdentity;

void kiln_input_identity_keyboard(KilnInputIdentity *identity);
void kiln_input_identity_mouse(KilnInputIdentity *identity);
void kiln_input_identity_tablet(KilnInputIdentity *identity);

/**
 * kiln_input_identity_host:
 * @fd: an evdev
 *
 * Returns: FALSE with @error set if @fd is none.
 */
gboolean kiln_input_identity_host(KilnInputIdentity *identity, int fd, GError **error);

/* Whether it has the event: @type is EV_… */
gboolean kiln_input_identity_has(const KilnInputIdentity *identity, uint16_t type, uint16_t code);

/**
 * kiln_input_identity_config:
 * @select, @subselect: what the driver asks for
 * @to: (out): KILN_INPUT_BITMAP_BYTES, zeroed behind the answer
 *
 * Returns: the answer's size, 0 if there is none.
 */
uint8_t kiln_input_identity_config(const KilnInputIdentity *identity, uint8_t select,
                                   uint8_t subselect, uint8_t *to);

#endif
