/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client's connection: bytes in, bytes out, with TLS from some point on.  Nothing here waits:
 * what the socket does not take now stays in a buffer, whose owner looks at its size.  Main thread.
 */
#ifndef KILN_DISPLAY_VNC_STREAM_H
#define KILN_DISPLAY_VNC_STREAM_H

#include <glib.h>
#include <gnutls/gnutls.h>
#include <stdint.h>

typedef struct KilnVncStream KilnVncStream;

/**
 * KilnVncStreamFuncs:
 * @readable: there is input, or TLS has begun
 * @drained: all output is with the socket
 * @ended: the peer has gone, or TLS failed: the stream does nothing more.  Free it from here.
 */
typedef struct {
    void (*readable)(void *data);
    void (*drained)(void *data);
    void (*ended)(void *data, const char *reason);
} KilnVncStreamFuncs;

/* @fd: (transfer full): a connected socket; made non-blocking */
KilnVncStream *kiln_vnc_stream_new(int fd, const KilnVncStreamFuncs *funcs, void *data);
/* What is still to be written is tried once, and dropped. */
void kiln_vnc_stream_free(KilnVncStream *stream);

int kiln_vnc_stream_fd(const KilnVncStream *stream);

/* Input that is there; kiln_vnc_stream_take() removes some of it.  @limit: how much is read ahead.
 */
const uint8_t *kiln_vnc_stream_peek(const KilnVncStream *stream, gsize *length);
void kiln_vnc_stream_take(KilnVncStream *stream, gsize length);
/* The next message needs so many bytes: no more are read ahead than that, or a few KiB. */
void kiln_vnc_stream_want(KilnVncStream *stream, gsize length);

/* Appends to the output, which is written when the loop runs. */
void kiln_vnc_stream_write(KilnVncStream *stream, const void *data, gsize length);
/* Bytes that the socket has not taken. */
gsize kiln_vnc_stream_pending(const KilnVncStream *stream);
/* Since when (g_get_monotonic_time()) it takes nothing, though there is output; 0: it does. */
gint64 kiln_vnc_stream_stuck_since(const KilnVncStream *stream);

/* TLS begins when the output so far is written.  readable() comes when it stands. */
void kiln_vnc_stream_start_tls(KilnVncStream *stream, gnutls_certificate_credentials_t credentials,
                               gboolean verify);
gboolean kiln_vnc_stream_is_tls(const KilnVncStream *stream);
/* Returns: (transfer full) (nullable): the distinguished name of the peer's certificate. */
char *kiln_vnc_stream_peer_name(const KilnVncStream *stream);

#endif
