/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vnc-stream.h. */
#include "display/vnc-stream.h"

#include "base/fd.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_AHEAD = 16 << 10,
    READ_AT_ONCE = 16 << 10,
    KEPT_BYTES = 256 << 10, /* of an empty output buffer */
};

typedef enum { TLS_NONE, TLS_AFTER_OUTPUT, TLS_HANDSHAKE, TLS_ON } Tls;

struct KilnVncStream {
    KilnFd fd;       /* (owned) */
    GSource *source; /* (owned) */
    const KilnVncStreamFuncs *funcs;
    void *data;
    GByteArray *in;  /* (owned) */
    gsize want;      /* bytes of the next message */
    GByteArray *out; /* (owned) */
    gsize sent;      /* of @out */
    gint64 stuck_since;
    gboolean ended;
    gboolean busy;   /* a callback may be under way … */
    gboolean doomed; /* … which has freed it: done at its end */

    Tls tls;
    gboolean verify;
    gnutls_certificate_credentials_t credentials; /* borrowed */
    gnutls_session_t session;                     /* (owned) (nullable) */
    gsize record;                                 /* bytes that GnuTLS has taken and not written */
};

static gboolean on_ready(int fd, GIOCondition ready, gpointer data);

KilnVncStream *
kiln_vnc_stream_new(int fd, const KilnVncStreamFuncs *funcs, void *data)
{
    KilnVncStream *stream = g_new0(KilnVncStream, 1);

    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    stream->fd = fd;
    stream->funcs = funcs;
    stream->data = data;
    stream->in = g_byte_array_new();
    stream->out = g_byte_array_new();
    stream->source = kiln_fd_source_new(NULL, fd, G_IO_IN, on_ready, stream);
    return stream;
}

int
kiln_vnc_stream_fd(const KilnVncStream *stream)
{
    return stream->fd;
}

static void
end(KilnVncStream *stream, const char *reason)
{
    if (stream->ended)
        return;
    stream->ended = TRUE;
    kiln_fd_source_set_condition(stream->source, 0);
    stream->funcs->ended(stream->data, reason);
}

static void
update_condition(KilnVncStream *stream)
{
    GIOCondition condition = 0;

    if (stream->ended)
        return;
    if (stream->tls == TLS_HANDSHAKE)
        condition = gnutls_record_get_direction(stream->session) == 1 ? G_IO_OUT : G_IO_IN;
    else if (stream->in->len < MAX(stream->want, READ_AHEAD) && stream->tls != TLS_AFTER_OUTPUT)
        condition |= G_IO_IN;
    if (stream->tls != TLS_HANDSHAKE && kiln_vnc_stream_pending(stream) > 0)
        condition |= G_IO_OUT;
    kiln_fd_source_set_condition(stream->source, condition);
}

/* ---- input -------------------------------------------------------------------------------------
 */

const uint8_t *
kiln_vnc_stream_peek(const KilnVncStream *stream, gsize *length)
{
    *length = stream->in->len;
    return stream->in->data;
}

void
kiln_vnc_stream_take(KilnVncStream *stream, gsize length)
{
    g_byte_array_remove_range(stream->in, 0, (guint)length);
    stream->want = 0;
    update_condition(stream);
}

void
kiln_vnc_stream_want(KilnVncStream *stream, gsize length)
{
    stream->want = length;
    update_condition(stream);
}

/* Returns: bytes, 0 at the end, -1 with errno EAGAIN or another. */
static ssize_t
receive(KilnVncStream *stream, uint8_t *data, gsize length)
{
    ssize_t n;

    if (stream->tls != TLS_ON)
        return recv(stream->fd, data, length, MSG_DONTWAIT);
    n = gnutls_record_recv(stream->session, data, length);
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return -1;
}

static void
fill(KilnVncStream *stream)
{
    do {
        uint8_t buffer[READ_AT_ONCE];
        gsize room = MAX(stream->want, READ_AHEAD) - stream->in->len;
        ssize_t n = receive(stream, buffer, MIN(sizeof buffer, room));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            end(stream, n == 0 ? "it hung up" : g_strerror(errno));
            return;
        }
        g_byte_array_append(stream->in, buffer, (guint)n);
        stream->funcs->readable(stream->data);
    } while (!stream->ended && stream->in->len < MAX(stream->want, READ_AHEAD) &&
             stream->tls == TLS_ON && gnutls_record_check_pending(stream->session) > 0);
}

/* ---- output ------------------------------------------------------------------------------------
 */

gsize
kiln_vnc_stream_pending(const KilnVncStream *stream)
{
    return stream->out->len - stream->sent;
}

gint64
kiln_vnc_stream_stuck_since(const KilnVncStream *stream)
{
    return stream->stuck_since;
}

void
kiln_vnc_stream_write(KilnVncStream *stream, const void *data, gsize length)
{
    if (stream->ended || length == 0)
        return;
    if (stream->out->len > G_MAXINT || length > G_MAXINT - stream->out->len) {
        end(stream, "it owes too much"); /* with a part left out it would make no sense */
        return;
    }
    if (kiln_vnc_stream_pending(stream) == 0)
        stream->stuck_since = g_get_monotonic_time();
    g_byte_array_append(stream->out, data, (guint)length);
    update_condition(stream);
}

static ssize_t
transmit(KilnVncStream *stream)
{
    const uint8_t *data = stream->out->data + stream->sent;
    gsize length = kiln_vnc_stream_pending(stream);
    ssize_t n;

    if (stream->tls != TLS_ON)
        return send(stream->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    /* a record that is under way is gone on with by no data */
    if (stream->record > 0)
        n = gnutls_record_send(stream->session, NULL, 0);
    else
        n = gnutls_record_send(stream->session, data, length);
    if (n >= 0) {
        stream->record = 0;
        return n;
    }
    stream->record = 1;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return -1;
}

/* A peer that always takes a little must not make the buffer grow for ever; half at least goes at
 * once, so that a byte is moved once on average.  GnuTLS has its own copy of a record. */
static void
forget_sent(KilnVncStream *stream)
{
    if (stream->sent < stream->out->len) {
        if (stream->sent >= KEPT_BYTES && stream->sent >= stream->out->len / 2) {
            g_byte_array_remove_range(stream->out, 0, (guint)stream->sent);
            stream->sent = 0;
        }
        return;
    }
    stream->sent = 0;
    stream->stuck_since = 0;
    if (stream->out->len > KEPT_BYTES) {
        g_byte_array_unref(stream->out);
        stream->out = g_byte_array_new();
    } else {
        g_byte_array_set_size(stream->out, 0);
    }
}

/* Returns: FALSE if the stream has ended. */
static gboolean
flush(KilnVncStream *stream)
{
    while (kiln_vnc_stream_pending(stream) > 0) {
        ssize_t n = transmit(stream);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            end(stream, g_strerror(errno));
            return FALSE;
        }
        stream->sent += (gsize)n;
        stream->stuck_since = g_get_monotonic_time();
    }
    forget_sent(stream);
    return TRUE;
}

/* ---- TLS ---------------------------------------------------------------------------------------
 */

void
kiln_vnc_stream_start_tls(KilnVncStream *stream, gnutls_certificate_credentials_t credentials,
                          gboolean verify)
{
    stream->credentials = credentials;
    stream->verify = verify;
    stream->tls = TLS_AFTER_OUTPUT;
    update_condition(stream);
}

gboolean
kiln_vnc_stream_is_tls(const KilnVncStream *stream)
{
    return stream->tls == TLS_ON;
}

char *
kiln_vnc_stream_peer_name(const KilnVncStream *stream)
{
    const gnutls_datum_t *certificates;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t name = { 0 };
    unsigned n = 0;
    char *text = NULL;

    if (stream->tls != TLS_ON)
        return NULL;
    certificates = gnutls_certificate_get_peers(stream->session, &n);
    if (certificates == NULL || n == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return NULL;
    if (gnutls_x509_crt_import(certificate, &certificates[0], GNUTLS_X509_FMT_DER) >= 0 &&
        gnutls_x509_crt_get_dn2(certificate, &name) >= 0) {
        g_autofree char *raw = g_strndup((const char *)name.data, name.size);

        text = g_utf8_make_valid(raw, -1); /* strings of some types are not converted */
        gnutls_free(name.data);
    }
    gnutls_x509_crt_deinit(certificate);
    return text;
}

static gboolean
begin_tls(KilnVncStream *stream)
{
    if (stream->in->len > 0) { /* in the clear, after TLS was agreed on */
        end(stream, "it sent data between VeNCrypt and TLS");
        return FALSE;
    }
    if (gnutls_init(&stream->session, GNUTLS_SERVER | GNUTLS_NONBLOCK) < 0 ||
        gnutls_set_default_priority(stream->session) < 0 ||
        gnutls_credentials_set(stream->session, GNUTLS_CRD_CERTIFICATE, stream->credentials) < 0) {
        end(stream, "TLS cannot begin");
        return FALSE;
    }
    gnutls_certificate_server_set_request(stream->session, stream->verify ? GNUTLS_CERT_REQUIRE
                                                                          : GNUTLS_CERT_IGNORE);
    if (stream->verify)
        gnutls_session_set_verify_cert(stream->session, NULL, 0);
    gnutls_transport_set_int(stream->session, stream->fd);
    stream->tls = TLS_HANDSHAKE;
    return TRUE;
}

static void
shake_hands(KilnVncStream *stream)
{
    int result = gnutls_handshake(stream->session);

    if (result == GNUTLS_E_SUCCESS) {
        stream->tls = TLS_ON;
        stream->funcs->readable(stream->data);
    } else if (gnutls_error_is_fatal(result)) {
        end(stream, gnutls_strerror(result));
    }
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

static void
write_out(KilnVncStream *stream)
{
    gboolean had_output = kiln_vnc_stream_pending(stream) > 0;

    if (!flush(stream) || !had_output || kiln_vnc_stream_pending(stream) > 0)
        return;
    if (stream->tls == TLS_AFTER_OUTPUT) {
        if (begin_tls(stream))
            shake_hands(stream);
    } else {
        stream->funcs->drained(stream->data);
    }
}

static void
destroy(KilnVncStream *stream)
{
    if (stream->session != NULL)
        gnutls_deinit(stream->session);
    kiln_source_free(stream->source);
    kiln_fd_clear(&stream->fd);
    g_byte_array_unref(stream->in);
    g_byte_array_unref(stream->out);
    g_free(stream);
}

static gboolean
on_ready(int fd, GIOCondition ready, gpointer data)
{
    KilnVncStream *stream = data;

    (void)fd;
    stream->busy = TRUE;
    if (stream->tls == TLS_HANDSHAKE) {
        shake_hands(stream);
    } else {
        write_out(stream);
        if (!stream->ended && (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR)) != 0 &&
            (stream->tls == TLS_NONE || stream->tls == TLS_ON))
            fill(stream);
    }
    stream->busy = FALSE;
    if (stream->doomed)
        destroy(stream);
    else
        update_condition(stream);
    return G_SOURCE_CONTINUE;
}

void
kiln_vnc_stream_free(KilnVncStream *stream)
{
    if (stream == NULL)
        return;
    if (!stream->ended && stream->tls != TLS_HANDSHAKE) {
        stream->ended = TRUE; /* nobody is told any more */
        (void)flush(stream);
    }
    stream->ended = TRUE;
    stream->doomed = TRUE;
    if (!stream->busy)
        destroy(stream);
}
