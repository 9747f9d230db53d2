/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See stream.h. */
#include "net/stream.h"

#include "base/be.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PREFIX = 4,                                              /* bytes: the length */
    MIN_FRAME = 14,                                          /* bytes: an Ethernet header */
    MAX_FRAME = KILN_NETDEV_MAX_PACKET - KILN_NETDEV_HEADER, /* bytes */
    INPUT = 4 * (MAX_FRAME + PREFIX),                        /* bytes that are read at once */
    BATCH = 64,                                              /* frames that are sent at once */
    MAX_IOV = 1024,                                          /* UIO_MAXIOV */
};

typedef struct {
    KilnNetdev netdev;
    KilnFd socket; /* (owned) */
    gpointer data; /* (owned by @notify) */
    GDestroyNotify notify;

    uint8_t *input; /* INPUT bytes */
    size_t begin;   /* of what was read and is not a packet yet */
    size_t end;
    uint8_t *rest; /* a frame that was sent in part */
    size_t rest_begin;
    size_t rest_end;
    uint8_t prefixes[BATCH][PREFIX];
    struct iovec iov[MAX_IOV];
} Stream;

/* ---- sending ---- */

/* Sends what is left of the last frame.  Returns 1 if nothing is, 0 if the socket is full. */
static int
send_rest(Stream *stream)
{
    while (stream->rest_begin < stream->rest_end) {
        ssize_t n = send(stream->socket, stream->rest + stream->rest_begin,
                         stream->rest_end - stream->rest_begin, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        stream->rest_begin += (size_t)n;
    }
    return 1;
}

/* Appends the packet's frame to @stream's iov.  Returns FALSE if it has too many pieces for now. */
static gboolean
add_frame(Stream *stream, unsigned index, const KilnNetPacket *packet, unsigned *n_iov)
{
    uint32_t length = packet->length - KILN_NETDEV_HEADER;
    size_t skip = KILN_NETDEV_HEADER;
    unsigned n = *n_iov;

    if (n + 1 + packet->n_iov > MAX_IOV)
        return FALSE;
    kiln_be32_store(stream->prefixes[index], length);
    stream->iov[n++] = (struct iovec){ stream->prefixes[index], PREFIX };
    for (unsigned i = 0; i < packet->n_iov && length > 0; i++) {
        size_t passed = MIN(skip, packet->iov[i].iov_len);
        size_t part = MIN(packet->iov[i].iov_len - passed, length);

        skip -= passed;
        length -= (uint32_t)part;
        if (part > 0)
            stream->iov[n++] = (struct iovec){ (uint8_t *)packet->iov[i].iov_base + passed, part };
    }
    *n_iov = n;
    return TRUE;
}

/* Copies what of frame @packet comes after @sent bytes of it and its prefix. */
static void
keep_rest(Stream *stream, unsigned index, const KilnNetPacket *packet, size_t sent)
{
    unsigned n_iov = 0;

    stream->rest_begin = stream->rest_end = 0;
    add_frame(stream, index, packet, &n_iov);
    for (unsigned i = 0; i < n_iov; i++) {
        size_t passed = MIN(sent, stream->iov[i].iov_len);
        size_t part = stream->iov[i].iov_len - passed;

        memcpy(stream->rest + stream->rest_end, (uint8_t *)stream->iov[i].iov_base + passed, part);
        stream->rest_end += part;
        sent -= passed;
    }
}

/* Of @sent bytes: how many packets they are, the last one perhaps in part. */
static unsigned
count_sent(Stream *stream, const KilnNetPacket *packets, unsigned n, size_t sent)
{
    for (unsigned i = 0; i < n; i++) {
        size_t length = packets[i].length - KILN_NETDEV_HEADER + PREFIX;

        if (sent == 0)
            return i;
        if (sent < length) {
            keep_rest(stream, i, &packets[i], sent);
            return i + 1;
        }
        sent -= length;
    }
    return n;
}

static int
stream_send(KilnNetdev *netdev, unsigned queue G_GNUC_UNUSED, const KilnNetPacket *packets,
            unsigned n)
{
    Stream *stream = (Stream *)netdev;
    struct msghdr message = { .msg_iov = stream->iov };
    unsigned taken = 0;
    unsigned n_iov = 0;
    int ready = send_rest(stream);
    ssize_t sent;

    if (ready <= 0)
        return ready;
    while (taken < MIN(n, BATCH) && add_frame(stream, taken, &packets[taken], &n_iov))
        taken++;
    if (taken == 0)
        return n > 0; /* a packet of a thousand pieces: it is lost */
    message.msg_iovlen = n_iov;
    sent = sendmsg(stream->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
    return (int)count_sent(stream, packets, taken, (size_t)sent);
}

/* ---- receiving ---- */

static void
scatter(const struct iovec *iov, unsigned n_iov, const uint8_t *data, size_t length)
{
    static const uint8_t header[KILN_NETDEV_HEADER];
    const uint8_t *from = header;
    size_t left = sizeof header;

    for (unsigned i = 0; i < n_iov && left + length > 0; i++) {
        uint8_t *to = iov[i].iov_base;
        size_t room = iov[i].iov_len;

        while (room > 0 && left + length > 0) {
            size_t part;

            if (left == 0) { /* the header is there, the frame follows */
                from = data;
                left = length;
                length = 0;
            }
            part = MIN(room, left);
            memcpy(to, from, part);
            to += part;
            from += part;
            room -= part;
            left -= part;
        }
    }
}

static size_t
iov_room(const struct iovec *iov, unsigned n_iov)
{
    size_t room = 0;

    for (unsigned i = 0; i < n_iov; i++)
        room += iov[i].iov_len;
    return room;
}

/* The next whole frame that was read.  Returns 1, 0 if there is none, or -EPROTO. */
static int
take_frame(Stream *stream, KilnNetPacket *packet)
{
    uint32_t length;

    if (stream->end - stream->begin < PREFIX)
        return 0;
    length = kiln_be32_load(stream->input + stream->begin);
    if (length < MIN_FRAME || length > MAX_FRAME)
        return -EPROTO;
    if (stream->end - stream->begin - PREFIX < length)
        return 0;
    scatter(packet->iov, packet->n_iov, stream->input + stream->begin + PREFIX, length);
    packet->length =
        (uint32_t)MIN(length + KILN_NETDEV_HEADER, iov_room(packet->iov, packet->n_iov));
    stream->begin += PREFIX + length;
    return 1;
}

/* Returns 1 if something was read, 0 if nothing is there. */
static int
read_input(Stream *stream)
{
    ssize_t n;

    memmove(stream->input, stream->input + stream->begin, stream->end - stream->begin);
    stream->end -= stream->begin;
    stream->begin = 0;
    n = recv(stream->socket, stream->input + stream->end, INPUT - stream->end, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    stream->end += (size_t)n;
    return n > 0 ? 1 : -EPIPE;
}

static int
stream_receive(KilnNetdev *netdev, unsigned queue G_GNUC_UNUSED, KilnNetPacket *packets, unsigned n)
{
    Stream *stream = (Stream *)netdev;
    gboolean may_read = TRUE;
    unsigned got = 0;

    while (got < n) {
        int result = take_frame(stream, &packets[got]);

        if (result > 0) {
            got++;
            continue;
        }
        if (result == 0 && may_read) {
            may_read = FALSE; /* once is enough for a batch: what is left is told by poll */
            result = read_input(stream);
            if (result > 0)
                continue;
        }
        return got > 0 ? (int)got : result;
    }
    return (int)got;
}

/* ---- the backend ---- */

static int
stream_fd(KilnNetdev *netdev, unsigned queue G_GNUC_UNUSED)
{
    return ((Stream *)netdev)->socket;
}

static void
stream_free(KilnNetdev *netdev)
{
    Stream *stream = (Stream *)netdev;

    kiln_fd_clear(&stream->socket);
    if (stream->notify != NULL)
        stream->notify(stream->data);
    g_free(stream->input);
    g_free(stream->rest);
    g_free(stream);
}

static const KilnNetdevOps stream_ops = {
    .name = "stream",
    .send = stream_send,
    .receive = stream_receive,
    .fd = stream_fd,
    .free = stream_free,
};

KilnNetdev *
kiln_stream_netdev_new(const char *id, KilnFd socket)
{
    Stream *stream = g_new0(Stream, 1);

    kiln_netdev_init(&stream->netdev, &stream_ops, id, 1);
    stream->socket = socket;
    stream->input = g_malloc(INPUT);
    stream->rest = g_malloc(MAX_FRAME + PREFIX);
    (void)fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
    return &stream->netdev;
}

void
kiln_stream_netdev_own(KilnNetdev *netdev, gpointer data, GDestroyNotify notify)
{
    Stream *stream = (Stream *)netdev;

    stream->data = data;
    stream->notify = notify;
}
