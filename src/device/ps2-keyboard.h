/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PS/2 keyboard of 102 keys and the usual others: what goes over its wire, in scan code set 2 or
 * 1 (IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)").
 *
 * It has no lock: that of its controller guards it.
 */
#ifndef KILN_DEVICE_PS2_KEYBOARD_H
#define KILN_DEVICE_PS2_KEYBOARD_H

#include <glib.h>
#include <stdint.h>

#include "device/ps2-queue.h"

typedef struct {
    KilnPs2Queue queue;
    uint8_t command;  /* that waits for its parameter, or 0 */
    uint8_t set;      /* scan code set: 1 or 2 */
    uint8_t scanning; /* 0 or 1: keys are sent */
    uint8_t lights;   /* bit 0 scroll lock, 1 num lock, 2 caps lock */
    uint8_t rate;     /* as the host wrote it: delay and typematic rate */
    uint16_t held;    /* key that repeats, KEY_…; 0: none */
} KilnPs2Keyboard;

void kiln_ps2_keyboard_reset(KilnPs2Keyboard *keyboard);

/* A byte from the host. */
void kiln_ps2_keyboard_write(KilnPs2Keyboard *keyboard, uint8_t byte);

/* Whether the keyboard has KEY_… @code. */
gboolean kiln_ps2_keyboard_has(uint16_t code);

/* A key goes down or up, or @down once more. */
void kiln_ps2_keyboard_key(KilnPs2Keyboard *keyboard, uint16_t code, gboolean down);

/* When a key that is held down comes again, in ns: the first time, and each time after. */
uint64_t kiln_ps2_keyboard_delay_ns(const KilnPs2Keyboard *keyboard);
uint64_t kiln_ps2_keyboard_period_ns(const KilnPs2Keyboard *keyboard);

/**
 * kiln_ps2_translate:
 * @released: (inout): set 2's prefix of a release has come
 *
 * What the controller makes of a byte of set 2: one of set 1.
 *
 * Returns: FALSE if the byte was that prefix.
 */
gboolean kiln_ps2_translate(uint8_t *byte, uint8_t *released);

extern const KilnStateDescription kiln_ps2_keyboard_state;

#endif
