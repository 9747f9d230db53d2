/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See telnet.h. */
#include "chardev/telnet.h"

enum { /* RFC 854 p. 14 */
       SE = 240,
       BREAK = 243,
       SB = 250,
       WILL = 251,
       WONT = 252,
       DO = 253,
       DONT = 254,
       IAC = 255,
};

enum { OPTION_BINARY = 0, OPTION_ECHO = 1, OPTION_SUPPRESS_GO_AHEAD = 3 };

const uint8_t kiln_telnet_greeting[] = {
    IAC, WILL, OPTION_ECHO,   IAC, WILL, OPTION_SUPPRESS_GO_AHEAD,
    IAC, WILL, OPTION_BINARY, IAC, DO,   OPTION_BINARY,
};
const gsize kiln_telnet_greeting_length = sizeof kiln_telnet_greeting;

/* Returns: whether @byte is data for the guest. */
static gboolean
step(KilnTelnet *telnet, uint8_t byte, guint *breaks)
{
    switch (telnet->state) {
    case KILN_TELNET_CARRIAGE_RETURN:
        telnet->state = KILN_TELNET_DATA;
        if (byte == 0)
            return FALSE;
        G_GNUC_FALLTHROUGH;
    case KILN_TELNET_DATA:
        if (byte == IAC)
            telnet->state = KILN_TELNET_COMMAND;
        else if (byte == '\r')
            telnet->state = KILN_TELNET_CARRIAGE_RETURN;
        return byte != IAC;
    case KILN_TELNET_COMMAND:
        telnet->state = byte == SB                     ? KILN_TELNET_SUB
                        : byte >= WILL && byte <= DONT ? KILN_TELNET_OPTION
                                                       : KILN_TELNET_DATA;
        if (byte == BREAK)
            (*breaks)++;
        return byte == IAC;
    case KILN_TELNET_OPTION: telnet->state = KILN_TELNET_DATA; return FALSE;
    case KILN_TELNET_SUB:
        if (byte == IAC)
            telnet->state = KILN_TELNET_SUB_COMMAND;
        return FALSE;
    case KILN_TELNET_SUB_COMMAND:
        telnet->state = byte == SE ? KILN_TELNET_DATA : KILN_TELNET_SUB;
        return FALSE;
    }
    return FALSE;
}

gsize
kiln_telnet_decode(KilnTelnet *telnet, uint8_t *data, gsize length, guint *breaks)
{
    gsize kept = 0;

    for (gsize i = 0; i < length; i++) {
        uint8_t byte = data[i];

        if (step(telnet, byte, breaks))
            data[kept++] = byte;
    }
    return kept;
}

gsize
kiln_telnet_encode(const uint8_t *data, gsize length, uint8_t *to)
{
    gsize written = 0;

    for (gsize i = 0; i < length; i++) {
        to[written++] = data[i];
        if (data[i] == IAC)
            to[written++] = IAC;
    }
    return written;
}
