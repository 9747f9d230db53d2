/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first messages of a VNC connection: version, security type, VeNCrypt, password (RFC 6143
 * §7.1, §7.2; VeNCrypt 0.2).  A state machine over bytes that neither reads nor writes: whatever a
 * stranger sends before he is let in goes through here and nowhere else.
 */
#ifndef KILN_DISPLAY_VNC_HANDSHAKE_H
#define KILN_DISPLAY_VNC_HANDSHAKE_H

#include <glib.h>
#include <stdint.h>

enum { KILN_VNC_CHALLENGE_BYTES = 16 };

typedef enum {
    KILN_VNC_HANDSHAKE_MORE,  /* more bytes are needed */
    KILN_VNC_HANDSHAKE_TLS,   /* once the output is sent, TLS begins; then step again */
    KILN_VNC_HANDSHAKE_DONE,  /* let in: ClientInit comes next */
    KILN_VNC_HANDSHAKE_ENDED, /* once the output is sent, the connection is to be closed */
} KilnVncHandshakeResult;

/**
 * KilnVncHandshake:
 * @tls: nobody comes in without TLS
 * @password: a password is asked for
 * @challenge: random bytes, filled in by the caller
 * @check: (nullable): whether @response is the answer to @challenge
 */
typedef struct {
    gboolean tls;
    gboolean password;
    uint8_t challenge[KILN_VNC_CHALLENGE_BYTES];
    gboolean (*check)(void *data, const uint8_t *challenge, const uint8_t *response);
    void *data;

    /* its own */
    guint state;
    guint minor; /* of the version: 3, 7 or 8 */
} KilnVncHandshake;

/* Writes what the server says first. */
void kiln_vnc_handshake_begin(const KilnVncHandshake *handshake, GByteArray *out);

/**
 * kiln_vnc_handshake_step:
 * @in: what the client has sent, @length bytes
 * @taken: (out): how many of them are done with
 * @out: the answer is appended
 *
 * Call it again as long as it takes bytes, and once after TLS has begun.
 */
KilnVncHandshakeResult kiln_vnc_handshake_step(KilnVncHandshake *handshake, const uint8_t *in,
                                               gsize length, gsize *taken, GByteArray *out);

#endif
