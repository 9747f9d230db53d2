/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where one message of a VNC client ends (RFC 6143 §7.5 and its registered extensions). */
#ifndef KILN_DISPLAY_VNC_MESSAGE_H
#define KILN_DISPLAY_VNC_MESSAGE_H

#include <glib.h>
#include <stdint.h>

/* Types; those that are not here are not taken. */
enum {
    KILN_VNC_SET_PIXEL_FORMAT = 0,
    KILN_VNC_SET_ENCODINGS = 2,
    KILN_VNC_UPDATE_REQUEST = 3,
    KILN_VNC_KEY = 4,
    KILN_VNC_POINTER = 5,
    KILN_VNC_CUT_TEXT = 6,
    KILN_VNC_XVP = 250,
    KILN_VNC_SET_DESKTOP_SIZE = 251,
    KILN_VNC_QEMU = 255,
};

/* Encodings that are ours; the others are the library's. */
enum {
    KILN_VNC_ENCODING_POINTER_CHANGE = -257, /* QEMU: positions or distances */
    KILN_VNC_ENCODING_EXTENDED_KEY = -258,   /* QEMU: keys by scan code */
    KILN_VNC_ENCODING_LED_STATE = -261,      /* QEMU: lights of the keyboard */
};

enum {
    KILN_VNC_MAX_TEXT = 1 << 20,                  /* bytes of cut text */
    KILN_VNC_MAX_MESSAGE = 8 + KILN_VNC_MAX_TEXT, /* bytes */
};

/**
 * kiln_vnc_message_length:
 * @data: what the client has sent since the last message, @length bytes
 *
 * A message of this length is well-formed as far as the library relies on it: its pixel format is
 * one that can be made, for instance.
 *
 * Returns: bytes of the first message, which may be more than @length; 0 if more must come to tell;
 *   -1 if it is none that is taken.
 */
gssize kiln_vnc_message_length(const uint8_t *data, gsize length);

/* A big-endian number of the protocol. */
static inline uint16_t
kiln_vnc_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t
kiln_vnc_u32(const uint8_t *data)
{
    return (uint32_t)kiln_vnc_u16(data) << 16 | kiln_vnc_u16(data + 2);
}

#endif
