/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stream.h. */
#include "chardev/stream.h"

#include "base/fd.h"
#include "chardev/telnet.h"
#include "chardev/terminal.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_BYTES = 1024,
    OUTPUT_BYTES = 2048,  /* one write: a terminal works through them with our lock held */
    ENCODED_BYTES = 1024, /* telnet: twice what is taken from the ring at a time */
    HELD_BYTES = 4096,    /* type-ahead */
};

struct KilnStream {
    const KilnStreamHost *host;
    KilnStreamOptions options;
    KilnRingReader *reader;
    KilnFd in;
    KilnFd out;          /* the same as @in, or owned */
    GSource *in_source;  /* (nullable) */
    GSource *out_source; /* (nullable) */
    gboolean hung_up;
    gboolean output_failed; /* locked */
    KilnTelnet telnet;
    uint8_t encoded[ENCODED_BYTES]; /* locked: bytes on their way, from @encoded_at on */
    gsize encoded_at;
    gsize encoded_end;
    GByteArray *held; /* (nullable): with @leave_key, which must work when the guest takes nothing:
                         input that waits for room */
};

/* ---- Output, all locked ---- */

static void
fail_output(KilnStream *stream)
{
    if (stream->output_failed)
        return;
    stream->output_failed = TRUE;
    stream->encoded_at = stream->encoded_end = 0;
    kiln_ring_leave(stream->host->ring, stream->reader);
    stream->host->output_failed(stream->host->opaque, stream);
}

static ssize_t
push(const KilnStream *stream, const uint8_t *data, gsize length)
{
    ssize_t pushed;

    do {
        pushed = stream->options.socket
                     ? send(stream->out, data, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                     : write(stream->out, data, length);
    } while (pushed < 0 && errno == EINTR);
    return pushed < 0 ? -errno : pushed;
}

/* Returns: what goes out next, 0 if there is nothing. */
static gsize
next_output(KilnStream *stream, const uint8_t **data)
{
    gsize length;

    if (stream->encoded_at == stream->encoded_end) {
        length = kiln_ring_peek(stream->host->ring, stream->reader, data);
        if (!stream->options.telnet)
            return MIN(length, OUTPUT_BYTES);
        length = MIN(length, ENCODED_BYTES / 2);
        stream->encoded_at = 0;
        stream->encoded_end = kiln_telnet_encode(*data, length, stream->encoded);
        kiln_ring_take(stream->host->ring, stream->reader, length);
    }
    *data = stream->encoded + stream->encoded_at;
    return stream->encoded_end - stream->encoded_at;
}

void
kiln_stream_pump(KilnStream *stream)
{
    const uint8_t *data;
    gsize length;

    if (stream->out < 0 || stream->output_failed)
        return;
    while ((length = next_output(stream, &data)) > 0) {
        ssize_t pushed = push(stream, data, length);

        if (pushed == -EAGAIN) {
            kiln_fd_source_set_condition(stream->out_source, G_IO_OUT);
            return;
        }
        if (pushed < 0) {
            fail_output(stream);
            return;
        }
        if (stream->encoded_at < stream->encoded_end)
            stream->encoded_at += (gsize)pushed;
        else
            kiln_ring_take(stream->host->ring, stream->reader, (gsize)pushed);
    }
}

static gboolean
on_writable(int fd, GIOCondition ready, gpointer data)
{
    KilnStream *stream = data;
    KILN_LOCK_SCOPE(stream->host->lock);

    kiln_fd_source_set_condition(stream->out_source, 0);
    kiln_stream_pump(stream);
    stream->host->output_went_on(stream->host->opaque);
    return G_SOURCE_CONTINUE;
}

/* ---- Input, not locked ---- */

static void
input_ended(KilnStream *stream)
{
    kiln_fd_source_set_condition(stream->in_source, 0);
    if (!stream->options.outlives_input)
        stream->host->ended(stream->host->opaque, stream);
}

/* The peer is gone, and the guest has no room for what it may have left. */
static void
hang_up(KilnStream *stream)
{
    kiln_mutex_lock(stream->host->lock);
    stream->hung_up = TRUE;
    if (stream->in == stream->out)
        fail_output(stream);
    kiln_mutex_unlock(stream->host->lock);
    stream->host->hung_up(stream->host->opaque, stream);
}

static void
hand_over(KilnStream *stream, uint8_t *data, gsize length)
{
    guint breaks = 0;

    if (stream->options.telnet)
        length = kiln_telnet_decode(&stream->telnet, data, length, &breaks);
    if (length > 0)
        stream->host->input(stream->host->opaque, data, length);
    for (guint i = 0; i < breaks; i++)
        stream->host->telnet_break(stream->host->opaque);
}

static void
hand_over_held(KilnStream *stream)
{
    while (stream->held->len > 0) {
        gsize length = MIN(stream->host->room(stream->host->opaque), stream->held->len);

        if (length == 0)
            return;
        stream->host->input(stream->host->opaque, stream->held->data, length);
        g_byte_array_remove_range(stream->held, 0, (guint)length);
    }
}

/* Takes all that was typed; of what neither the guest nor @held has room for, the last is lost. */
static void
type_ahead(KilnStream *stream, const uint8_t *data, gsize length)
{
    const uint8_t *leave_key = memchr(data, KILN_TERMINAL_LEAVE_KEY, length);

    if (leave_key != NULL)
        length = (gsize)(leave_key - data);
    g_byte_array_append(stream->held, data, (guint)MIN(length, HELD_BYTES - stream->held->len));
    hand_over_held(stream);
    if (leave_key != NULL)
        stream->host->leave(stream->host->opaque, stream);
}

static gboolean
on_readable(int fd, GIOCondition ready, gpointer data)
{
    KilnStream *stream = data;
    uint8_t buffer[INPUT_BYTES];
    gsize room = sizeof buffer;
    ssize_t length;

    if (stream->held == NULL)
        room = MIN(stream->host->room(stream->host->opaque), sizeof buffer);
    if (room == 0) {
        gboolean gone = (ready & (G_IO_HUP | G_IO_ERR | G_IO_NVAL)) != 0;
        int left = 0;

        if (gone && ioctl(fd, FIONREAD, &left) == 0 && left == 0) {
            input_ended(stream); /* it left nothing: no need to wait for the guest */
            return G_SOURCE_CONTINUE;
        }

        kiln_fd_source_set_condition(stream->in_source, gone ? 0 : G_IO_HUP);
        if (gone)
            hang_up(stream);
        return G_SOURCE_CONTINUE;
    }
    length = read(fd, buffer, room);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (length <= 0)
        input_ended(stream);
    else if (stream->held != NULL)
        type_ahead(stream, buffer, (gsize)length);
    else
        hand_over(stream, buffer, (gsize)length);
    return G_SOURCE_CONTINUE;
}

void
kiln_stream_resume(KilnStream *stream)
{
    if (stream->held != NULL)
        hand_over_held(stream);
    else if (stream->in_source != NULL)
        kiln_fd_source_set_condition(stream->in_source, G_IO_IN);
}

gboolean
kiln_stream_hung_up(const KilnStream *stream)
{
    return stream->hung_up;
}

int
kiln_stream_out_fd(const KilnStream *stream)
{
    return stream->out;
}

KilnStream *
kiln_stream_new(const KilnStreamHost *host, KilnRingReader *reader,
                const KilnStreamOptions *options)
{
    KilnStream *stream = g_new0(KilnStream, 1);

    stream->host = host;
    stream->reader = reader;
    stream->options = *options;
    stream->in = options->in;
    stream->out = options->out;
    if (options->leave_key)
        stream->held = g_byte_array_new();
    if (stream->in >= 0)
        stream->in_source =
            kiln_fd_source_new(host->context, stream->in, G_IO_IN, on_readable, stream);
    if (stream->out >= 0) {
        KILN_LOCK_SCOPE(host->lock);

        stream->out_source = kiln_fd_source_new(host->context, stream->out, 0, on_writable, stream);
        kiln_ring_join(host->ring, reader);
        if (options->telnet) {
            memcpy(stream->encoded, kiln_telnet_greeting, kiln_telnet_greeting_length);
            stream->encoded_end = kiln_telnet_greeting_length;
        }
        kiln_stream_pump(stream);
    }
    return stream;
}

void
kiln_stream_free(KilnStream *stream)
{
    if (stream == NULL)
        return;
    kiln_source_free(stream->in_source);
    kiln_source_free(stream->out_source);
    kiln_mutex_lock(stream->host->lock);
    kiln_ring_leave(stream->host->ring, stream->reader);
    kiln_mutex_unlock(stream->host->lock);
    if (stream->in == stream->out)
        stream->in = -1;
    kiln_fd_clear(&stream->in);
    kiln_fd_clear(&stream->out);
    g_clear_pointer(&stream->held, g_byte_array_unref);
    g_free(stream);
}
