/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vnc-handshake.h. */
#include "display/vnc-handshake.h"

#include "display/vnc-message.h"

#include <string.h>

enum {
    VERSION_BYTES = 12,

    /* security types */
    SECURITY_INVALID = 0,
    SECURITY_NONE = 1,
    SECURITY_VNC = 2,
    SECURITY_VENCRYPT = 19,

    /* VeNCrypt's */
    VENCRYPT_X509_NONE = 260,
    VENCRYPT_X509_VNC = 261,
};

enum {
    STATE_VERSION,
    STATE_SECURITY,
    STATE_VENCRYPT_VERSION,
    STATE_VENCRYPT_TYPE,
    STATE_TLS,
    STATE_RESPONSE,
    STATE_ENDED,
};

static void
put_u8(GByteArray *out, uint8_t value)
{
    g_byte_array_append(out, &value, 1);
}

static void
put_u32(GByteArray *out, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    g_byte_array_append(out, (const uint8_t *)&value, sizeof value);
}

static void
put_text(GByteArray *out, const char *text)
{
    put_u32(out, (uint32_t)strlen(text));
    g_byte_array_append(out, (const uint8_t *)text, (guint)strlen(text));
}

void
kiln_vnc_handshake_begin(const KilnVncHandshake *handshake, GByteArray *out)
{
    (void)handshake;
    g_byte_array_append(out, (const uint8_t *)"RFB 003.008\n", VERSION_BYTES);
}

static KilnVncHandshakeResult
end(KilnVncHandshake *handshake)
{
    handshake->state = STATE_ENDED;
    return KILN_VNC_HANDSHAKE_ENDED;
}

/* RFC 6143 §7.1.3: SecurityResult */
static KilnVncHandshakeResult
refuse(KilnVncHandshake *handshake, const char *reason, GByteArray *out)
{
    put_u32(out, 1);
    if (handshake->minor >= 8)
        put_text(out, reason);
    return end(handshake);
}

/* The type is agreed on, and TLS runs if it must: the password, or nothing. */
static KilnVncHandshakeResult
authenticate(KilnVncHandshake *handshake, GByteArray *out)
{
    if (handshake->password) {
        g_byte_array_append(out, handshake->challenge, sizeof handshake->challenge);
        handshake->state = STATE_RESPONSE;
        return KILN_VNC_HANDSHAKE_MORE;
    }
    /* before 3.8 none comes after the security type None, which X509None is not */
    if (handshake->minor >= 8 || handshake->tls)
        put_u32(out, 0);
    return KILN_VNC_HANDSHAKE_DONE;
}

static guint
parse_minor(const uint8_t *in)
{
    guint minor = 0;

    if (memcmp(in, "RFB 003.", 8) != 0 || in[11] != '\n')
        return 0;
    for (guint i = 8; i < 11; i++) {
        if (!g_ascii_isdigit(in[i]))
            return 0;
        minor = minor * 10 + (guint)(in[i] - '0');
    }
    /* RFC 6143 §7.1.1: others are as 3.3; Apple's 3.889 can do what 3.8 can */
    return minor >= 8 ? 8 : minor == 7 ? 7 : 3;
}

static KilnVncHandshakeResult
take_version(KilnVncHandshake *handshake, const uint8_t *in, GByteArray *out)
{
    uint8_t type =
        handshake->tls ? SECURITY_VENCRYPT : (handshake->password ? SECURITY_VNC : SECURITY_NONE);

    handshake->minor = parse_minor(in);
    if (handshake->minor == 0)
        return end(handshake);
    if (handshake->minor >= 7) {
        put_u8(out, 1);
        put_u8(out, type);
        handshake->state = STATE_SECURITY;
        return KILN_VNC_HANDSHAKE_MORE;
    }
    if (handshake->tls) {
        put_u32(out, SECURITY_INVALID);
        put_text(out, "TLS is needed, which version 3.3 of the protocol lacks");
        return end(handshake);
    }
    put_u32(out, type);
    return authenticate(handshake, out);
}

static KilnVncHandshakeResult
take_security(KilnVncHandshake *handshake, uint8_t type, GByteArray *out)
{
    if (handshake->tls && type == SECURITY_VENCRYPT) {
        put_u8(out, 0); /* version 0.2 */
        put_u8(out, 2);
        handshake->state = STATE_VENCRYPT_VERSION;
        return KILN_VNC_HANDSHAKE_MORE;
    }
    if (!handshake->tls && type == (handshake->password ? SECURITY_VNC : SECURITY_NONE))
        return authenticate(handshake, out);
    return refuse(handshake, "this security type was not offered", out);
}

static uint32_t
vencrypt_type(const KilnVncHandshake *handshake)
{
    return handshake->password ? VENCRYPT_X509_VNC : VENCRYPT_X509_NONE;
}

static KilnVncHandshakeResult
take_vencrypt_version(KilnVncHandshake *handshake, const uint8_t *in, GByteArray *out)
{
    if (in[0] != 0 || in[1] != 2) {
        put_u8(out, 1);
        return end(handshake);
    }
    put_u8(out, 0);
    put_u8(out, 1);
    put_u32(out, vencrypt_type(handshake));
    handshake->state = STATE_VENCRYPT_TYPE;
    return KILN_VNC_HANDSHAKE_MORE;
}

static KilnVncHandshakeResult
take_vencrypt_type(KilnVncHandshake *handshake, const uint8_t *in, GByteArray *out)
{
    if (kiln_vnc_u32(in) != vencrypt_type(handshake)) {
        put_u8(out, 0);
        return end(handshake);
    }
    put_u8(out, 1);
    handshake->state = STATE_TLS;
    return KILN_VNC_HANDSHAKE_TLS;
}

static KilnVncHandshakeResult
take_response(KilnVncHandshake *handshake, const uint8_t *in, GByteArray *out)
{
    if (handshake->check == NULL || !handshake->check(handshake->data, handshake->challenge, in))
        return refuse(handshake, "Authentication failed", out);
    put_u32(out, 0);
    return KILN_VNC_HANDSHAKE_DONE;
}

static gsize
wanted(const KilnVncHandshake *handshake)
{
    switch (handshake->state) {
    case STATE_VERSION: return VERSION_BYTES;
    case STATE_SECURITY: return 1;
    case STATE_VENCRYPT_VERSION: return 2;
    case STATE_VENCRYPT_TYPE: return 4;
    case STATE_RESPONSE: return KILN_VNC_CHALLENGE_BYTES;
    default: return 0;
    }
}

KilnVncHandshakeResult
kiln_vnc_handshake_step(KilnVncHandshake *handshake, const uint8_t *in, gsize length, gsize *taken,
                        GByteArray *out)
{
    gsize need = wanted(handshake);

    *taken = 0;
    if (length < need)
        return KILN_VNC_HANDSHAKE_MORE;
    *taken = need;
    switch (handshake->state) {
    case STATE_VERSION: return take_version(handshake, in, out);
    case STATE_SECURITY: return take_security(handshake, in[0], out);
    case STATE_VENCRYPT_VERSION: return take_vencrypt_version(handshake, in, out);
    case STATE_VENCRYPT_TYPE: return take_vencrypt_type(handshake, in, out);
    case STATE_TLS: return authenticate(handshake, out);
    case STATE_RESPONSE: return take_response(handshake, in, out);
    default: return KILN_VNC_HANDSHAKE_ENDED;
    }
}
