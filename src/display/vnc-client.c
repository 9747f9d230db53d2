/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client of the VNC server.  The library would read and write sockets, and wait for them: its
 * functions for that are replaced here (rfbWriteExact and its kin come first in this module), so
 * that it gets whole messages that are there already, and writes into a buffer.
 */
#include "display/vnc-message.h"
#include "display/vnc-private.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SPARE_BYTES = 4 << 20 }; /* that a client may owe beside two pictures */

/* ---- instead of the library's own --------------------------------------------------------------
 */

int
rfbWriteExact(rfbClientPtr rfb, const char *data, int length)
{
    KilnVncClient *client = rfb->clientData;
    const KilnVnc *vnc;

    if (client == NULL) /* its version, which the client has got from the handshake */
        return 1;
    vnc = client->vnc;
    if (client->doomed || length < 0) {
        errno = EPIPE;
        return -1;
    }
    if (kiln_vnc_stream_pending(client->stream) + (gsize)length >
        (gsize)vnc->width * vnc->height * 8 + SPARE_BYTES) {
        kiln_vnc_client_doom(client, "it takes nothing");
        errno = EPIPE;
        return -1;
    }
    kiln_vnc_stream_write(client->stream, data, (gsize)length);
    return 1;
}

int
rfbReadExact(rfbClientPtr rfb, char *data, int length)
{
    KilnVncClient *client = rfb->clientData;

    if (client == NULL || client->doomed || length < 0 || (gsize)length > client->message_length)
        return 0; /* as if it had hung up */
    memcpy(data, client->message, (gsize)length);
    client->message += length;
    client->message_length -= (gsize)length;
    return 1;
}

int
rfbReadExactTimeout(rfbClientPtr rfb, char *data, int length, int timeout_ms)
{
    (void)timeout_ms;
    return rfbReadExact(rfb, data, length);
}

/* The library looks for WebSockets. */
int
rfbPeekExactTimeout(rfbClientPtr rfb, char *data, int length, int timeout_ms)
{
    (void)rfb;
    (void)data;
    (void)length;
    (void)timeout_ms;
    errno = ETIMEDOUT;
    return -1;
}

void
kiln_vnc_client_feed(KilnVncClient *client, const uint8_t *message, gsize length)
{
    client->message = message;
    client->message_length = length;
    rfbProcessClientMessage(client->rfb);
    client->message = NULL;
    client->message_length = 0;
    if (client->rfb->sock < 0)
        kiln_vnc_client_doom(client, "it sent something that is not to be understood");
}

/* ---- who it is ---------------------------------------------------------------------------------
 */

/* The bus takes nothing else, and the peer chose its path itself. */
static char *
valid_text(const char *text, gsize length)
{
    g_autofree char *ended = g_strndup(text, length);

    return g_utf8_make_valid(ended, -1);
}

static void
describe(const struct sockaddr *address, socklen_t length, const char **family, char **node,
         char **service)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    *family = "unix";
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        *family = address->sa_family == AF_INET ? "ipv4" : "ipv6";
        if (getnameinfo(address, length, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
            *node = g_strdup(host);
            *service = g_strdup(port);
            return;
        }
    }
    *node = NULL;
    if (address->sa_family == AF_UNIX && length > offsetof(struct sockaddr_un, sun_path))
        *node = valid_text(((const struct sockaddr_un *)address)->sun_path,
                           length - offsetof(struct sockaddr_un, sun_path));
    if (*node == NULL)
        *node = g_strdup("");
    *service = g_strdup("");
}

static void
find_peer(KilnVncClient *client, int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t length = sizeof address;

    (void)getpeername(fd, (struct sockaddr *)&address, &length);
    describe((struct sockaddr *)&address, MIN(length, (socklen_t)sizeof address),
             &client->peer.family, &client->peer.node, &client->peer.service);
    memset(&address, 0, sizeof address);
    length = sizeof address;
    (void)getsockname(fd, (struct sockaddr *)&address, &length);
    describe((struct sockaddr *)&address, MIN(length, (socklen_t)sizeof address),
             &client->peer.family, &client->peer.local_node, &client->peer.local_service);
}

/* ---- handshake ---------------------------------------------------------------------------------
 */

/* The example of FIPS PUB 81, table B1; VNC has the bits of a key's bytes the other way round. */
gboolean
kiln_vnc_can_check_password(void)
{
    static const uint8_t answer[] = {
        0x3f, 0xa4, 0x0e, 0x8a, 0x98, 0x4d, 0x48, 0x15,
        0x6a, 0x27, 0x17, 0x87, 0xab, 0x88, 0x83, 0xf9,
    };
    unsigned char text[KILN_VNC_CHALLENGE_BYTES + 1] = "Now is the time ";
    char key[] = "\x80\xc4\xa2\xe6\x91\xd5\xb3\xf7";

    rfbEncryptBytes(text, key);
    return memcmp(text, answer, sizeof answer) == 0;
}

/* RFC 6143 §7.2.2; the library has DES */
static gboolean
check_password(void *data, const uint8_t *challenge, const uint8_t *response)
{
    const KilnVncClient *client = data;
    const KilnVnc *vnc = client->vnc;
    unsigned char expected[KILN_VNC_CHALLENGE_BYTES];
    char password[9] = "";
    uint8_t difference = 0;

    if (vnc->password == NULL || vnc->password[0] == '\0')
        return FALSE;
    if (vnc->valid_to != 0 && g_get_real_time() / G_USEC_PER_SEC >= vnc->valid_to)
        return FALSE;
    memcpy(expected, challenge, sizeof expected);
    g_strlcpy(password, vnc->password, sizeof password);
    rfbEncryptBytes(expected, password);
    if (memcmp(expected, challenge, sizeof expected) == 0)
        return FALSE; /* the library has no DES (now): it does not say so */
    for (gsize i = 0; i < sizeof expected; i++)
        difference |= expected[i] ^ response[i];
    return difference == 0;
}

static void
shake_hands(KilnVncClient *client)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    KilnVncHandshakeResult result;
    gsize taken;

    do {
        gsize length;
        const uint8_t *data = kiln_vnc_stream_peek(client->stream, &length);

        result = kiln_vnc_handshake_step(&client->handshake, data, length, &taken, out);
        if (taken > 0)
            kiln_vnc_stream_take(client->stream, taken);
    } while (result == KILN_VNC_HANDSHAKE_MORE && taken > 0);
    kiln_vnc_stream_write(client->stream, out->data, out->len);
    if (result == KILN_VNC_HANDSHAKE_TLS)
        kiln_vnc_stream_start_tls(client->stream, client->vnc->credentials,
                                  client->vnc->tls_verify);
    else if (result == KILN_VNC_HANDSHAKE_DONE)
        client->state = KILN_VNC_CLIENT_INIT;
    else if (result == KILN_VNC_HANDSHAKE_ENDED)
        kiln_vnc_client_doom(client, "it was not let in");
}

/* ---- ClientInit --------------------------------------------------------------------------------
 */

static gboolean
may_share(KilnVncClient *client)
{
    const KilnVnc *vnc = client->vnc;

    if (!client->shared && vnc->sharing == KILN_VNC_FORCE_SHARED)
        return FALSE;
    if (vnc->sharing != KILN_VNC_ALLOW_EXCLUSIVE)
        return TRUE;
    for (guint i = 0; i < vnc->clients->len; i++) {
        KilnVncClient *other = g_ptr_array_index(vnc->clients, i);

        if (other == client || other->doomed || other->state != KILN_VNC_CLIENT_NORMAL)
            continue;
        if (!client->shared)
            kiln_vnc_client_doom(other, "another one wants to be alone");
        else if (!other->shared)
            return FALSE;
    }
    return TRUE;
}

/* The library gets a socket of its own, which it never reads or writes. */
static gboolean
make_rfb(KilnVncClient *client)
{
    int fd = fcntl(kiln_vnc_stream_fd(client->stream), F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return FALSE;
    if (fd >= FD_SETSIZE) { /* it has a set of them */
        kiln_fd_clear(&fd);
        return FALSE;
    }
    client->rfb = rfbNewClient(client->vnc->screen, fd);
    if (client->rfb == NULL)
        return FALSE;
    client->rfb->clientData = client;
    client->rfb->protocolMajorVersion = 3;
    client->rfb->protocolMinorVersion = 8;
    client->rfb->state = RFB_INITIALISATION;
    return TRUE;
}

static void
take_init(KilnVncClient *client, uint8_t shared)
{
    const uint8_t message = 1;

    client->shared = shared != 0;
    if (!may_share(client)) {
        kiln_vnc_client_doom(client, "it may not share the screen, or must");
        return;
    }
    if (!kiln_vnc_screen_begin(client->vnc) || !make_rfb(client)) {
        kiln_vnc_client_doom(client, "there is no memory or descriptor for it");
        return;
    }
    kiln_vnc_client_feed(client, &message, sizeof message);
    if (client->doomed)
        return;
    client->state = KILN_VNC_CLIENT_NORMAL;
    client->peer.x509_name = kiln_vnc_stream_peer_name(client->stream);
    kiln_vnc_tell(client, KILN_VNC_INITIALIZED);
    kiln_vnc_hurry(client->vnc);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

/* Texts, sizes and power cost others more than the sender: a few at once, then so many a second. */
static gboolean
may_cost(KilnVncClient *client)
{
    enum { AT_ONCE = 8, INTERVAL_US = 250 * 1000 };
    gint64 now = g_get_monotonic_time();
    gint64 free_at = MAX(client->costly_us, now);

    if (free_at - now > (AT_ONCE - 1) * INTERVAL_US)
        return FALSE;
    client->costly_us = free_at + INTERVAL_US;
    return TRUE;
}

/* The extended clipboard's Caps are due once, whatever came before. */
static gboolean
is_costly(const uint8_t *message, gsize length)
{
    if (message[0] == KILN_VNC_CUT_TEXT && (message[4] & 0x80) != 0 && length >= 12 && length <= 76)
        return (kiln_vnc_u32(message + 8) & rfbExtendedClipboard_Caps) == 0;
    return message[0] == KILN_VNC_CUT_TEXT || message[0] == KILN_VNC_XVP ||
           message[0] == KILN_VNC_SET_DESKTOP_SIZE;
}

/* What the client can do has that bit too. */
static gboolean
is_provide(const KilnVncClient *client, const uint8_t *message, gsize length)
{
    uint32_t flags;

    if (!client->rfb->enableExtendedClipboard || (message[4] & 0x80) == 0 || length < 12)
        return FALSE;
    flags = kiln_vnc_u32(message + 8);
    return (flags & rfbExtendedClipboard_Provide) != 0 && (flags & rfbExtendedClipboard_Caps) == 0;
}

static void
take_message(KilnVncClient *client, const uint8_t *message, gsize length)
{
    if (is_costly(message, length) && !may_cost(client))
        return;
    switch (message[0]) {
    case KILN_VNC_SET_ENCODINGS:
        kiln_vnc_client_feed(client, message, length);
        if (!client->doomed)
            kiln_vnc_input_encodings(client, message, length);
        break;
    case KILN_VNC_CUT_TEXT:
        if (is_provide(client, message, length))
            kiln_vnc_screen_provide(client, message, length);
        else
            kiln_vnc_client_feed(client, message, length);
        break;
    case KILN_VNC_KEY: kiln_vnc_input_key(client, message); break;
    case KILN_VNC_QEMU: kiln_vnc_input_qemu(client, message); break;
    case KILN_VNC_POINTER: kiln_vnc_input_pointer(client, message); break;
    case KILN_VNC_UPDATE_REQUEST:
        kiln_vnc_client_feed(client, message, length);
        kiln_vnc_client_update(client);
        break;
    default: kiln_vnc_client_feed(client, message, length); break;
    }
}

/* Returns: FALSE if the next message is not whole, or there will be none. */
static gboolean
next_message(KilnVncClient *client)
{
    gsize there;
    const uint8_t *data = kiln_vnc_stream_peek(client->stream, &there);
    gssize length;

    if (client->state == KILN_VNC_CLIENT_INIT) {
        if (there < 1)
            return FALSE;
        take_init(client, data[0]);
        kiln_vnc_stream_take(client->stream, 1);
        return TRUE;
    }
    length = kiln_vnc_message_length(data, there);
    if (length < 0) {
        kiln_vnc_client_doom(client, "it sent a message of a kind that is not taken");
        return FALSE;
    }
    if (length == 0 || (gsize)length > there) {
        kiln_vnc_stream_want(client->stream, (gsize)length);
        return FALSE;
    }
    take_message(client, data, (gsize)length);
    kiln_vnc_stream_take(client->stream, (gsize)length);
    return TRUE;
}

static void
on_readable(void *data)
{
    KilnVncClient *client = data;

    if (!client->doomed && client->state == KILN_VNC_CLIENT_HANDSHAKE)
        shake_hands(client);
    while (!client->doomed && client->state != KILN_VNC_CLIENT_HANDSHAKE && next_message(client))
        continue;
}

static void
on_drained(void *data)
{
    kiln_vnc_client_update(data);
}

static void
on_ended(void *data, const char *reason)
{
    (void)reason; /* nobody's fault */
    kiln_vnc_client_doom(data, NULL);
}

void
kiln_vnc_client_update(KilnVncClient *client)
{
    enum { PARTS = 2 }; /* a new size goes alone */

    if (client->doomed || client->state != KILN_VNC_CLIENT_NORMAL)
        return;
    for (guint i = 0; i < PARTS && kiln_vnc_stream_pending(client->stream) == 0 &&
                      FB_UPDATE_PENDING(client->rfb) && !sraRgnEmpty(client->rfb->requestedRegion);
         i++)
        (void)rfbSendFramebufferUpdate(client->rfb, client->rfb->modifiedRegion);
    if (client->rfb->sock < 0)
        kiln_vnc_client_doom(client, "an update could not be made");
}

/* ---- begin and end -----------------------------------------------------------------------------
 */

static const KilnVncStreamFuncs stream_funcs = {
    .readable = on_readable,
    .drained = on_drained,
    .ended = on_ended,
};

KilnVncClient *
kiln_vnc_client_new(KilnVnc *vnc, int fd, gboolean let_in)
{
    KilnVncClient *client = g_new0(KilnVncClient, 1);
    g_autoptr(GByteArray) out = g_byte_array_new();
    int one = 1;

    client->vnc = vnc;
    client->let_in = let_in;
    client->told_absolute = client->told_lights = -1;
    client->deadline_us = g_get_monotonic_time() + KILN_VNC_LOGIN_SECONDS * G_USEC_PER_SEC;
    client->handshake.tls = !let_in && vnc->credentials != NULL;
    client->handshake.password = !let_in && vnc->password != NULL;
    client->handshake.check = check_password;
    client->handshake.data = client;
    if (client->handshake.tls)
        client->peer.scheme = client->handshake.password ? "x509+vnc" : "x509";
    else
        client->peer.scheme = client->handshake.password ? "vnc" : "none";
    if (getrandom(client->handshake.challenge, sizeof client->handshake.challenge, 0) !=
        (ssize_t)sizeof client->handshake.challenge)
        client->doomed = TRUE;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    find_peer(client, fd);
    client->stream = kiln_vnc_stream_new(fd, &stream_funcs, client);
    kiln_vnc_handshake_begin(&client->handshake, out);
    kiln_vnc_stream_write(client->stream, out->data, out->len);
    return client;
}

void
kiln_vnc_client_free(KilnVncClient *client)
{
    kiln_vnc_input_release(client);
    if (client->rfb != NULL) {
        client->doomed = TRUE;
        rfbCloseClient(client->rfb);
        rfbClientConnectionGone(client->rfb);
    }
    kiln_vnc_stream_free(client->stream);
    g_free(client->peer.node);
    g_free(client->peer.service);
    g_free(client->peer.local_node);
    g_free(client->peer.local_service);
    g_free(client->peer.x509_name);
    g_free(client);
}
