/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server's side of the telnet protocol (RFC 854) on a byte stream: commands are taken out of
 * the input, the break command is noted, and output bytes of value 255 are doubled.  Options are
 * announced (RFC 857 echo, RFC 858 suppress go ahead, RFC 856 binary) and never negotiated further,
 * so that no peer can make us loop.
 */
#ifndef KILN_CHARDEV_TELNET_H
#define KILN_CHARDEV_TELNET_H

#include <glib.h>
#include <stdint.h>

/* Where the parser of a peer's bytes stands; initialise with zeroes. */
typedef struct {
    enum {
        KILN_TELNET_DATA,
        KILN_TELNET_CARRIAGE_RETURN, /* a NUL may follow, which means nothing (RFC 854 p. 11) */
        KILN_TELNET_COMMAND,
        KILN_TELNET_OPTION,      /* the byte after WILL, WONT, DO, DONT */
        KILN_TELNET_SUB,         /* inside SB ... IAC SE */
        KILN_TELNET_SUB_COMMAND, /* inside it, after IAC */
    } state;
} KilnTelnet;

/* What is sent to a client first. */
extern const uint8_t kiln_telnet_greeting[];
extern const gsize kiln_telnet_greeting_length;

/**
 * kiln_telnet_decode:
 * @data: (inout): @length bytes from the peer; what is left of them
 * @breaks: (inout): one is added for each break command
 *
 * Returns: how many bytes are left in @data.
 */
gsize kiln_telnet_decode(KilnTelnet *telnet, uint8_t *data, gsize length, guint *breaks);

/**
 * kiln_telnet_encode:
 * @to: room for twice @length bytes
 *
 * Returns: how many bytes were written to @to.
 */
gsize kiln_telnet_encode(const uint8_t *data, gsize length, uint8_t *to);

#endif
