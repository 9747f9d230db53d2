/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a VNC client says of a key to its code of linux/input-event-codes.h. */
#ifndef KILN_DISPLAY_KEYMAP_H
#define KILN_DISPLAY_KEYMAP_H

#include <glib.h>
#include <stdint.h>

/**
 * kiln_keymap_from_scancode:
 * @scancode: XT set 1, with 0x80 for those that have the prefix 0xe0 (QEMU's extended key event)
 *
 * Returns: 0 if there is none.
 */
uint16_t kiln_keymap_from_scancode(uint32_t scancode);

/**
 * kiln_keymap_from_keysym:
 * @keysym: of X11's keysymdef.h
 *
 * As a keyboard of the USA has it.
 *
 * Returns: 0 if it has none.
 */
uint16_t kiln_keymap_from_keysym(uint32_t keysym);

#endif
