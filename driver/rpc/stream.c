/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream.h"

#include "loop/fd-source.h"
#include "rpc/client-private.h"
#include "rpc/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    PENDING_MAX = 4 << 20, /* bytes from the client that may wait until it is read no further */
    PENDING_LOW = 1 << 20, /* and until it is read again */
    PIECE_COST = 256,      /* bytes that each packet takes besides what it carries */
    FINISH_SECONDS = 10,   /* that a client waits for what it sent last to be taken */
};

typedef struct {
    GBytes *bytes; /* (owned) */
    gsize offset;  /* into it, past the header and what has gone */
} Piece;

typedef struct {
    KilnClient *client; /* (owned) */
    guint closer;       /* id of its close callback */
    KilnPacket header;  /* of what is sent */
    gboolean held;      /* the client is not read */

    KilnFd fd;       /* -1: bytes */
    GSource *source; /* (owned) (nullable) */
    gboolean reads;  /* the descriptor may still give something */
    gboolean writes; /* it takes something */
    GQueue input;    /* (element-type Piece): what it has not taken yet */
    gsize pending;   /* bytes that it takes */
    guint finishing; /* source id of the limit, once the client has finished; else 0 */

    GBytes *bytes; /* (owned) (nullable): to be sent */
    gsize sent;    /* of them */
} Stream;

static void
piece_free(gpointer data)
{
    Piece *piece = data;

    g_bytes_unref(piece->bytes);
    g_free(piece);
}

static void
stream_free(Stream *stream)
{
    kiln_client_claim_serial(stream->client, stream->header.serial, NULL, NULL);
    kiln_client_not_drained(stream->client, stream);
    kiln_client_off_close(stream->client, stream->closer);
    kiln_source_free(stream->source);
    kiln_fd_clear(&stream->fd);
    if (stream->finishing != 0)
        g_source_remove(stream->finishing);
    if (stream->held)
        kiln_client_release(stream->client);
    g_queue_clear_full(&stream->input, piece_free);
    g_clear_pointer(&stream->bytes, g_bytes_unref);
    kiln_client_unref(stream->client);
    g_free(stream);
}

static void
on_client_closed(KilnClient *client, gpointer data)
{
    stream_free(data);
}

static void
send_data(Stream *stream, KilnFrameStatus status, gconstpointer data, gsize length)
{
    KilnPacket header = stream->header;
    g_autoptr(GBytes) packet = NULL;

    header.status = status;
    packet = kiln_frame_encode_raw(&header, data, length);
    kiln_client_queue(stream->client, packet, NULL, 0);
}

/* Ends the stream. */
static void
fail(Stream *stream, int code, const char *particular)
{
    g_autofree char *text = kiln_vir_error_text(code, particular);

    if (!kiln_client_is_closed(stream->client))
        kiln_client_fail_packet(stream->client, &stream->header, code, text);
    stream_free(stream);
}

static void
fail_errno(Stream *stream, const char *what, int errnum)
{
    g_autofree char *text = g_strdup_printf("%s: %s", what, g_strerror(errnum));

    fail(stream, VIR_ERR_SYSTEM_ERROR, text);
}

/* What both sides agree on. */
static void
confirm(Stream *stream)
{
    send_data(stream, KILN_FRAME_OK, NULL, 0);
    stream_free(stream);
}

/* ---- From here to the client ---- */

static void update(Stream *stream);

static void
on_drained(KilnClient *client, gpointer data)
{
    update(data);
}

/* Returns: FALSE if the stream is gone. */
static gboolean
read_fd(Stream *stream)
{
    g_autofree guint8 *buffer = g_malloc(KILN_FRAME_STREAM_CHUNK);
    ssize_t n = read(stream->fd, buffer, KILN_FRAME_STREAM_CHUNK);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return TRUE;
    /* A pty whose other end has been closed gives EIO. */
    if (n < 0 && errno != EIO && errno != ECONNRESET) {
        fail_errno(stream, "cannot read from stream", errno);
        return FALSE;
    }
    if (n <= 0)
        stream->reads = FALSE;
    send_data(stream, KILN_FRAME_CONTINUE, buffer, MAX(n, 0));
    return TRUE;
}

static void
send_bytes(Stream *stream)
{
    gsize length = 0;
    const guint8 *data = g_bytes_get_data(stream->bytes, &length);

    while (stream->reads && !kiln_client_is_closed(stream->client) &&
           !kiln_client_is_congested(stream->client, on_drained, stream)) {
        gsize n = MIN(length - stream->sent, KILN_FRAME_STREAM_CHUNK);

        send_data(stream, KILN_FRAME_CONTINUE, data + stream->sent, n);
        stream->sent += n;
        stream->reads = n > 0;
    }
}

/* ---- From the client to here ---- */

/* Returns: 0 when everything has been taken, else -errno. */
static int
write_input(Stream *stream)
{
    while (!g_queue_is_empty(&stream->input)) {
        Piece *piece = g_queue_peek_head(&stream->input);
        gsize length = 0;
        const guint8 *data = g_bytes_get_data(piece->bytes, &length);
        ssize_t n = 0;

        if (piece->offset < length)
            n = write(stream->fd, data + piece->offset, length - piece->offset);
        if (n < 0)
            return -errno;
        piece->offset += n;
        stream->pending -= n;
        if (piece->offset < length)
            continue;
        stream->pending -= PIECE_COST;
        piece_free(g_queue_pop_head(&stream->input));
    }
    return 0;
}

/* Returns: FALSE if the stream is gone. */
static gboolean
take_input(Stream *stream)
{
    int result = write_input(stream);

    if (result < 0 && result != -EAGAIN && result != -EINTR) {
        fail_errno(stream, "cannot write to stream", -result);
        return FALSE;
    }
    if (result == 0 && stream->finishing != 0) {
        confirm(stream);
        return FALSE;
    }
    if (stream->held && stream->pending < PENDING_LOW) {
        stream->held = FALSE;
        kiln_client_release(stream->client);
    }
    return TRUE;
}

static gboolean
on_finish_late(gpointer data)
{
    Stream *stream = data;

    stream->finishing = 0;
    fail(stream, VIR_ERR_OPERATION_TIMEOUT, "the other end of the stream takes no data");
    return G_SOURCE_REMOVE;
}

static void
on_data(Stream *stream, const KilnPacket *packet)
{
    Piece piece = { g_bytes_ref(packet->bytes), KILN_FRAME_HEADER_SIZE };

    stream->pending += PIECE_COST + g_bytes_get_size(packet->bytes) - piece.offset;
    g_queue_push_tail(&stream->input, g_memdup2(&piece, sizeof piece));
    if (!take_input(stream))
        return;
    if (!stream->held && stream->pending > PENDING_MAX) {
        stream->held = TRUE;
        kiln_client_hold(stream->client);
    }
    update(stream);
}

static void
on_finish(Stream *stream)
{
    if (g_queue_is_empty(&stream->input)) {
        confirm(stream);
        return;
    }
    if (stream->finishing == 0)
        stream->finishing = g_timeout_add_seconds(FINISH_SECONDS, on_finish_late, stream);
    stream->reads = FALSE;
    update(stream);
}

static void
on_packet(KilnClient *client, KilnPacket *packet, gpointer data)
{
    Stream *stream = data;

    if (packet->program != stream->header.program || packet->procedure != stream->header.procedure)
        return;
    if (packet->type == KILN_FRAME_STREAM_HOLE) {
        fail(stream, VIR_ERR_RPC, "Unexpected stream hole");
    } else if (packet->status == KILN_FRAME_OK) {
        on_finish(stream);
    } else if (packet->status == KILN_FRAME_ERROR) {
        confirm(stream);
    } else if (packet->status != KILN_FRAME_CONTINUE) {
        fail(stream, VIR_ERR_RPC, "stream aborted with unexpected status");
    } else if (!stream->writes) {
        fail(stream, VIR_ERR_OPERATION_INVALID, "this stream takes no data");
    } else if (stream->finishing == 0) {
        on_data(stream, packet);
    }
}

/* ---- Both ---- */

static gboolean
on_fd(int fd, GIOCondition ready, gpointer data)
{
    Stream *stream = data;

    if ((ready & (G_IO_OUT | G_IO_HUP | G_IO_ERR)) != 0 && stream->input.length > 0) {
        if (!take_input(stream))
            return G_SOURCE_REMOVE;
        /* Nobody will ever take the rest. */
        if ((ready & (G_IO_HUP | G_IO_ERR)) != 0 && stream->input.length > 0) {
            fail_errno(stream, "cannot write to stream", EPIPE);
            return G_SOURCE_REMOVE;
        }
    }
    if ((ready & (G_IO_IN | G_IO_HUP | G_IO_ERR)) != 0 && stream->reads && !read_fd(stream))
        return G_SOURCE_REMOVE;
    update(stream);
    return G_SOURCE_CONTINUE;
}

/* Waits for what can be dealt with; a descriptor whose reading has ended may be hung up for ever,
 * so that nothing at all is waited for then. */
static void
update(Stream *stream)
{
    GIOCondition condition = 0;

    if (stream->bytes != NULL) {
        send_bytes(stream);
        return;
    }
    if (stream->reads && !kiln_client_is_congested(stream->client, on_drained, stream))
        condition |= G_IO_IN;
    if (!g_queue_is_empty(&stream->input))
        condition |= G_IO_OUT;
    kiln_fd_source_set_condition(stream->source, condition);
}

static Stream *
stream_new(KilnClient *client, const KilnPacket *call)
{
    Stream *stream = g_new0(Stream, 1);

    stream->client = kiln_client_ref(client);
    stream->header = (KilnPacket){
        .program = call->program,
        .version = call->version,
        .procedure = call->procedure,
        .type = KILN_FRAME_STREAM,
        .serial = call->serial,
    };
    stream->fd = -1;
    stream->reads = TRUE;
    g_queue_init(&stream->input);
    stream->closer = kiln_client_on_close(client, on_client_closed, stream);
    kiln_client_claim_serial(client, call->serial, on_packet, stream);
    return stream;
}

void
kiln_stream_begin_fd(KilnClient *client, const KilnPacket *call, int fd)
{
    Stream *stream = stream_new(client, call);
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    stream->fd = fd;
    stream->reads = (flags & O_ACCMODE) != O_WRONLY;
    stream->writes = (flags & O_ACCMODE) != O_RDONLY;
    stream->source = kiln_fd_source_new(NULL, fd, 0, on_fd, stream);
    update(stream);
}

void
kiln_stream_begin_bytes(KilnClient *client, const KilnPacket *call, GBytes *bytes)
{
    Stream *stream = stream_new(client, call);

    stream->bytes = g_bytes_ref(bytes);
    update(stream);
}
