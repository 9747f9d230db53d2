/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vnc-message.h. */
#include "display/vnc-message.h"

enum {
    PIXEL_FORMAT_BYTES = 20,
    QEMU_EXTENDED_KEY = 0,
};

/* A colour's bits: @max is 2^n - 1, and shifted within the pixel. */
static gboolean
colour_fits(uint16_t max, uint8_t shift, uint8_t bits_per_pixel)
{
    guint bits = 0;

    if (max == 0 || (max & (max + 1)) != 0)
        return FALSE;
    while (bits < 16 && max >> bits != 0)
        bits++;
    return shift < bits_per_pixel && shift + bits <= bits_per_pixel;
}

/* RFC 6143 §7.4 */
static gboolean
pixel_format_is_valid(const uint8_t *message)
{
    uint8_t bits_per_pixel = message[4];
    gboolean true_colour = message[7] != 0;

    if (bits_per_pixel != 8 && bits_per_pixel != 16 && bits_per_pixel != 32)
        return FALSE;
    if (!true_colour)
        return bits_per_pixel == 8;
    return colour_fits(kiln_vnc_u16(message + 8), message[14], bits_per_pixel) &&
           colour_fits(kiln_vnc_u16(message + 10), message[15], bits_per_pixel) &&
           colour_fits(kiln_vnc_u16(message + 12), message[16], bits_per_pixel);
}

static gssize
cut_text_length(const uint8_t *data)
{
    int32_t length = (int32_t)kiln_vnc_u32(data + 4);

    /* a negative one is of the extended clipboard */
    if (length < -KILN_VNC_MAX_TEXT || length > KILN_VNC_MAX_TEXT || (length < 0 && length > -4))
        return -1;
    return 8 + ABS(length);
}

gssize
kiln_vnc_message_length(const uint8_t *data, gsize length)
{
    if (length == 0)
        return 0;
    switch (data[0]) {
    case KILN_VNC_SET_PIXEL_FORMAT:
        if (length < PIXEL_FORMAT_BYTES)
            return 0;
        return pixel_format_is_valid(data) ? PIXEL_FORMAT_BYTES : -1;
    case KILN_VNC_SET_ENCODINGS: return length < 4 ? 0 : 4 + 4 * (gssize)kiln_vnc_u16(data + 2);
    case KILN_VNC_UPDATE_REQUEST: return 10;
    case KILN_VNC_KEY: return 8;
    case KILN_VNC_POINTER: return 6;
    case KILN_VNC_CUT_TEXT: return length < 8 ? 0 : cut_text_length(data);
    case KILN_VNC_XVP: return 4;
    case KILN_VNC_SET_DESKTOP_SIZE: return length < 8 ? 0 : 8 + 16 * (gssize)data[6];
    case KILN_VNC_QEMU:
        if (length < 2)
            return 0;
        return data[1] == QEMU_EXTENDED_KEY ? 12 : -1;
    default: return -1;
    }
}
