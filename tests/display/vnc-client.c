/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/display/vnc-client.h"

#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <glib-unix.h>
#include <rfb/rfb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gboolean
on_readable(gint fd, GIOCondition ready, gpointer data)
{
    (void)fd;
    (void)ready;
    (void)data;
    return G_SOURCE_CONTINUE; /* the loop has woken up */
}

void
vnc_client_init(VncClient *client, int *server)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *client = (VncClient){ .fd = pair[0] };
    *server = pair[1];
    client->source = g_unix_fd_add(client->fd, G_IO_IN, on_readable, NULL);
}

void
vnc_client_clear(VncClient *client)
{
    if (client->fd < 0)
        return;
    if (client->tls != NULL)
        gnutls_deinit(client->tls);
    g_source_remove(client->source);
    (void)close(client->fd);
    client->fd = -1;
}

static ssize_t
send_some(VncClient *client, const void *data, gsize length)
{
    ssize_t n;

    if (client->tls == NULL)
        return send(client->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    n = gnutls_record_send(client->tls, data, length);
    errno = n == GNUTLS_E_AGAIN ? EAGAIN : EPIPE;
    return n;
}

void
vnc_send(VncClient *client, const void *data, gsize length)
{
    const uint8_t *bytes = data;

    while (length > 0) {
        ssize_t n = send_some(client, bytes, length);

        if (n > 0) {
            bytes += n;
            length -= (gsize)n;
        } else if (errno == EAGAIN) {
            (void)g_main_context_iteration(NULL, FALSE);
        } else {
            return; /* the server has hung up, as the test sees next */
        }
    }
}

static ssize_t
receive_some(VncClient *client, void *data, gsize length)
{
    ssize_t n;

    if (client->tls == NULL)
        return recv(client->fd, data, length, MSG_DONTWAIT);
    n = gnutls_record_recv(client->tls, data, length);
    errno = n == GNUTLS_E_AGAIN ? EAGAIN : EPIPE;
    return n;
}

gboolean
vnc_receive(VncClient *client, void *data, gsize length)
{
    uint8_t *bytes = data;

    while (length > 0) {
        ssize_t n = receive_some(client, bytes, length);

        if (n > 0) {
            bytes += n;
            length -= (gsize)n;
        } else if (n < 0 && errno == EAGAIN) {
            (void)g_main_context_iteration(NULL, TRUE);
        } else {
            return FALSE;
        }
    }
    return TRUE;
}

void
vnc_expect_end(VncClient *client)
{
    uint8_t byte;

    while (vnc_receive(client, &byte, 1))
        continue;
}

void
vnc_send_u8(VncClient *client, uint8_t value)
{
    vnc_send(client, &value, 1);
}

uint8_t
vnc_u8(VncClient *client)
{
    uint8_t value = 0;

    ck_assert(vnc_receive(client, &value, 1));
    return value;
}

uint16_t
vnc_u16(VncClient *client)
{
    uint16_t value = 0;

    ck_assert(vnc_receive(client, &value, sizeof value));
    return GUINT16_FROM_BE(value);
}

uint32_t
vnc_u32(VncClient *client)
{
    uint32_t value = 0;

    ck_assert(vnc_receive(client, &value, sizeof value));
    return GUINT32_FROM_BE(value);
}

uint32_t
vnc_answer(VncClient *client, const char *password)
{
    unsigned char challenge[16];
    char key[9] = "";

    ck_assert(vnc_receive(client, challenge, sizeof challenge));
    g_strlcpy(key, password, sizeof key);
    rfbEncryptBytes(challenge, key);
    vnc_send(client, challenge, sizeof challenge);
    return vnc_u32(client);
}

void
vnc_login(VncClient *client, gboolean shared, guint *width, guint *height)
{
    char version[12];
    uint8_t rest[16];
    char name[64];
    uint32_t length;

    ck_assert(vnc_receive(client, version, sizeof version));
    ck_assert_int_eq(memcmp(version, "RFB 003.008\n", 12), 0);
    vnc_send(client, version, sizeof version);
    ck_assert_uint_eq(vnc_u8(client), 1);
    ck_assert_uint_eq(vnc_u8(client), 1);
    vnc_send_u8(client, 1);
    ck_assert_uint_eq(vnc_u32(client), 0);
    vnc_send_u8(client, shared ? 1 : 0);
    *width = vnc_u16(client);
    *height = vnc_u16(client);
    ck_assert(vnc_receive(client, rest, sizeof rest));
    ck_assert_uint_eq(rest[0], 32); /* bits per pixel */
    ck_assert_uint_eq(rest[10], 16);
    ck_assert_uint_eq(rest[12], 0);
    length = vnc_u32(client);
    ck_assert_uint_le(length, sizeof name);
    ck_assert(vnc_receive(client, name, length));
}

void
vnc_encodings(VncClient *client, const int32_t *encodings, guint n)
{
    g_autofree uint8_t *message = g_malloc0(4 + n * 4);

    message[0] = 2;
    message[3] = (uint8_t)n;
    for (guint i = 0; i < n; i++) {
        uint32_t value = GUINT32_TO_BE((uint32_t)encodings[i]);

        memcpy(message + 4 + i * 4, &value, 4);
    }
    vnc_send(client, message, 4 + n * 4);
}

void
vnc_request(VncClient *client, gboolean incremental, guint width, guint height)
{
    const uint8_t message[] = {
        3,
        incremental ? 1 : 0,
        0,
        0,
        0,
        0,
        (uint8_t)(width >> 8),
        (uint8_t)width,
        (uint8_t)(height >> 8),
        (uint8_t)height,
    };

    vnc_send(client, message, sizeof message);
}

guint
vnc_update(VncClient *client)
{
    ck_assert_uint_eq(vnc_u8(client), 0);
    (void)vnc_u8(client);
    return vnc_u16(client);
}

VncRect
vnc_rect(VncClient *client)
{
    VncRect rect = { .x = vnc_u16(client) };

    rect.y = vnc_u16(client);
    rect.width = vnc_u16(client);
    rect.height = vnc_u16(client);
    rect.encoding = (int32_t)vnc_u32(client);
    return rect;
}
