/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-connection.h. */
#include "device/virtio-vsock-connection.h"

#include "loop/fd-source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* What a connection has for the guest; given in this order. */
enum {
    PENDING_RESET = 1 << 0,
    PENDING_REQUEST = 1 << 1,
    PENDING_RESPONSE = 1 << 2,
    PENDING_DATA = 1 << 3, /* the socket is readable, as far as is known */
    PENDING_SHUTDOWN = 1 << 4,
    PENDING_CREDIT_REQUEST = 1 << 5,
    PENDING_CREDIT = 1 << 6,
};

enum {
    BOTH = VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND,
    MAX_IOV = 64, /* of one read or write; a packet may take several */
};

/* -- the socket -------------------------------------------------------------------------------- */

static gboolean socket_ready(int fd, GIOCondition ready, gpointer data);

/* Watches for what would change something.  G_IO_PRI stands for nothing but a hang-up. */
static void
watch(KilnVsockConnection *c)
{
    GIOCondition wanted = G_IO_PRI;

    if (c->source == NULL)
        return;
    if (c->state == KILN_VSOCK_OPEN && !c->drained && !(c->pending & PENDING_DATA) &&
        !(c->guest_flags & VIRTIO_VSOCK_SHUTDOWN_RCV))
        wanted |= G_IO_IN;
    if (c->buffer_length > 0)
        wanted |= G_IO_OUT;
    if (wanted == G_IO_PRI && (c->told_flags == BOTH || (c->pending & PENDING_DATA)))
        wanted = 0; /* a hang-up is known, or will be found by reading */
    kiln_fd_source_set_condition(c->source, wanted);
}

static void
drop_socket(KilnVsockConnection *c)
{
    kiln_source_free(g_steal_pointer(&c->source));
    kiln_fd_clear(&c->socket);
    g_clear_pointer(&c->buffer, g_free);
    c->buffer_length = 0;
}

static void
take_socket(KilnVsockConnection *c, KilnFd socket)
{
    c->socket = socket;
    c->source = kiln_fd_source_new(c->end->context, socket, 0, socket_ready, c);
}

/* Ends the connection, with a last word to the guest. */
static void
reset(KilnVsockConnection *c)
{
    drop_socket(c);
    c->state = KILN_VSOCK_ENDED;
    c->pending = PENDING_RESET;
}

/* The host closed one direction or both: the guest is told what it was not yet. */
static void
tell_shutdown(KilnVsockConnection *c, uint32_t flags)
{
    if ((c->told_flags | flags) == c->told_flags)
        return;
    c->told_flags |= flags;
    c->pending |= PENDING_SHUTDOWN;
}

/* The host reads no more: nothing that the guest sent or sends gets there. */
static void
become_deaf(KilnVsockConnection *c)
{
    c->deaf = TRUE;
    c->forwarded += c->buffer_length;
    c->buffer_length = 0;
    tell_shutdown(c, VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Virtio 1.2 §5.10.6.3: the guest counts on the room that it was told of; it hears of more before
 * it has used up half of that. */
static void
note_forwarded(KilnVsockConnection *c)
{
    if (c->received - c->told_forwarded > KILN_VSOCK_BUFFER / 2 &&
        c->forwarded != c->told_forwarded)
        c->pending |= PENDING_CREDIT;
}

/* When all that the guest sent has reached the host: closes what the guest closed. */
static void
follow_shutdown(KilnVsockConnection *c)
{
    if (c->buffer_length > 0 || c->state != KILN_VSOCK_OPEN)
        return;
    if (c->guest_flags == BOTH)
        reset(c);
    else if (c->guest_flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
        (void)shutdown(c->socket, SHUT_WR);
}

/* Sends from the buffer what the socket takes. */
static void
flush_buffer(KilnVsockConnection *c)
{
    while (c->buffer_length > 0) {
        uint32_t piece = MIN(c->buffer_length, KILN_VSOCK_BUFFER - c->buffer_start);
        ssize_t n =
            send(c->socket, c->buffer + c->buffer_start, piece, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            become_deaf(c);
            break;
        }
        c->buffer_start = (c->buffer_start + (uint32_t)n) % KILN_VSOCK_BUFFER;
        c->buffer_length -= (uint32_t)n;
        c->forwarded += (uint32_t)n;
    }
    if (c->buffer_length == 0)
        g_clear_pointer(&c->buffer, g_free);
    note_forwarded(c);
    follow_shutdown(c);
}

static gboolean
socket_ready(int fd, GIOCondition ready, gpointer data)
{
    KilnVsockConnection *c = data;

    if (c->state == KILN_VSOCK_ASKING && (ready & (G_IO_HUP | G_IO_ERR)))
        reset(c);
    if (c->state == KILN_VSOCK_OPEN && (ready & G_IO_OUT))
        flush_buffer(c);
    if (c->state == KILN_VSOCK_OPEN && (ready & (G_IO_HUP | G_IO_ERR)) && c->drained)
        become_deaf(c);
    else if (c->state == KILN_VSOCK_OPEN && (ready & (G_IO_IN | G_IO_HUP | G_IO_ERR)) &&
             !c->drained)
        c->pending |= PENDING_DATA;
    watch(c);
    if (kiln_vsock_connection_ready(c))
        c->end->ready(c->end->opaque, c);
    return G_SOURCE_CONTINUE;
}

/* -- from the guest ---------------------------------------------------------------------------- */

static KilnVsockConnection *
connection_new(const KilnVsockEnd *end, uint32_t host_port, uint32_t guest_port)
{
    KilnVsockConnection *c = g_new0(KilnVsockConnection, 1);

    c->end = end;
    c->host_port = host_port;
    c->guest_port = guest_port;
    c->link.data = c;
    c->socket = -1;
    return c;
}

KilnVsockConnection *
kiln_vsock_connection_new_of_guest(const KilnVsockEnd *end, const KilnVsockHeader *request)
{
    KilnVsockConnection *c = connection_new(end, request->dst_port, request->src_port);

    c->state = KILN_VSOCK_WAITING;
    c->guest_buf_alloc = request->buf_alloc;
    c->guest_fwd_cnt = request->fwd_cnt;
    return c;
}

KilnVsockConnection *
kiln_vsock_connection_new_of_host(const KilnVsockEnd *end, uint32_t host_port, uint32_t guest_port,
                                  KilnFd socket)
{
    KilnVsockConnection *c = connection_new(end, host_port, guest_port);

    c->state = KILN_VSOCK_ASKING;
    c->pending = PENDING_REQUEST;
    take_socket(c, socket);
    watch(c);
    return c;
}

void
kiln_vsock_connection_free(KilnVsockConnection *c)
{
    drop_socket(c);
    g_free(c);
}

void
kiln_vsock_connection_attach(KilnVsockConnection *c, KilnFd socket)
{
    if (socket < 0) {
        reset(c);
        return;
    }
    take_socket(c, socket);
    c->state = KILN_VSOCK_OPEN;
    c->pending = PENDING_RESPONSE;
    watch(c);
}

/* Fills @part with the @length bytes of @iov from @offset on, as far as it goes.  Returns: pieces.
 */
static unsigned
cut(const struct iovec *iov, unsigned n_iov, size_t offset, size_t length,
    struct iovec part[MAX_IOV])
{
    unsigned n = 0;

    for (unsigned i = 0; i < n_iov && length > 0 && n < MAX_IOV; i++) {
        size_t piece;

        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        piece = MIN(iov[i].iov_len - offset, length);
        part[n++] =
            (struct iovec){ .iov_base = (uint8_t *)iov[i].iov_base + offset, .iov_len = piece };
        length -= piece;
        offset = 0;
    }
    return n;
}

/* Sends to the host without keeping anything.  Returns: bytes that were taken. */
static uint32_t
send_direct(KilnVsockConnection *c, const KilnVirtqElement *element, size_t offset, uint32_t length)
{
    uint32_t done = 0;

    while (done < length) {
        struct iovec part[MAX_IOV];
        struct msghdr message = { .msg_iov = part };
        ssize_t n;

        message.msg_iovlen = cut(element->iov, element->n_out, offset + done, length - done, part);
        n = sendmsg(c->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            become_deaf(c);
        if (n <= 0)
            break;
        done += (uint32_t)n;
    }
    return done;
}

static void
keep(KilnVsockConnection *c, const KilnVirtqElement *element, size_t offset, uint32_t length)
{
    if (c->buffer == NULL) {
        c->buffer = g_malloc(KILN_VSOCK_BUFFER);
        c->buffer_start = 0;
    }
    while (length > 0) {
        uint32_t at = (c->buffer_start + c->buffer_length) % KILN_VSOCK_BUFFER;
        uint32_t piece = MIN(length, KILN_VSOCK_BUFFER - at);

        (void)kiln_virtqueue_copy_out(element, offset, c->buffer + at, piece);
        c->buffer_length += piece;
        offset += piece;
        length -= piece;
    }
}

static void
receive_data(KilnVsockConnection *c, const KilnVsockHeader *header, const KilnVirtqElement *element,
             size_t offset)
{
    uint32_t done = 0;

    if ((c->guest_flags & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
        header->len > KILN_VSOCK_BUFFER - (c->received - c->forwarded)) {
        reset(c); /* it said that it would send no more, or sends more than it was given room for */
        return;
    }
    c->received += header->len;
    if (!c->deaf && c->buffer_length == 0) {
        done = send_direct(c, element, offset, header->len);
        c->forwarded += done;
    }
    if (c->deaf)
        c->forwarded += header->len - done;
    else if (done < header->len)
        keep(c, element, offset + done, header->len - done);
    note_forwarded(c);
}

/* The guest took what the host asked: the host's program hears of it (as Firecracker's do). */
static void
receive_response(KilnVsockConnection *c)
{
    char line[32];
    int length = g_snprintf(line, sizeof line, "OK %u\n", c->host_port);

    c->state = KILN_VSOCK_OPEN;
    if (send(c->socket, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) != length)
        reset(c);
}

static void
receive_open(KilnVsockConnection *c, const KilnVsockHeader *header, const KilnVirtqElement *element,
             size_t offset)
{
    switch (header->op) {
    case VIRTIO_VSOCK_OP_RW: receive_data(c, header, element, offset); break;
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        c->guest_flags |= header->flags & BOTH;
        if (c->guest_flags & VIRTIO_VSOCK_SHUTDOWN_RCV) {
            c->pending &= ~(unsigned)(PENDING_DATA | PENDING_CREDIT_REQUEST);
            (void)shutdown(c->socket, SHUT_RD);
        }
        follow_shutdown(c);
        break;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST: c->pending |= PENDING_CREDIT; break;
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE: break;
    default: reset(c); break;
    }
}

void
kiln_vsock_connection_receive(KilnVsockConnection *c, const KilnVsockHeader *header,
                              const KilnVirtqElement *element, size_t offset)
{
    c->guest_buf_alloc = header->buf_alloc;
    c->guest_fwd_cnt = header->fwd_cnt;
    if (header->op == VIRTIO_VSOCK_OP_RST) {
        drop_socket(c);
        c->state = KILN_VSOCK_ENDED;
        c->pending = 0;
    } else if (c->state == KILN_VSOCK_OPEN) {
        receive_open(c, header, element, offset);
    } else if (c->state == KILN_VSOCK_ASKING && header->op == VIRTIO_VSOCK_OP_RESPONSE &&
               !(c->pending & PENDING_REQUEST)) {
        receive_response(c);
    } else if (c->state != KILN_VSOCK_ENDED) {
        reset(c);
    }
    watch(c);
}

/* -- to the guest ------------------------------------------------------------------------------ */

/* Bytes that the guest has room for; what it says of that may be nonsense. */
static uint32_t
credit(const KilnVsockConnection *c)
{
    uint32_t under_way = c->sent - c->guest_fwd_cnt;

    return under_way < c->guest_buf_alloc ? c->guest_buf_alloc - under_way : 0;
}

gboolean
kiln_vsock_connection_ready(const KilnVsockConnection *c)
{
    unsigned pending = c->pending;

    if (credit(c) == 0)
        pending &= ~(unsigned)PENDING_DATA;
    if (c->pending & PENDING_DATA)
        pending &= ~(unsigned)PENDING_SHUTDOWN; /* after the last byte */
    return pending != 0 || c->state == KILN_VSOCK_ENDED;
}

static gboolean
hung_up(int socket)
{
    struct pollfd poller = { .fd = socket };

    return poll(&poller, 1, 0) > 0 && (poller.revents & (POLLHUP | POLLERR));
}

/* Reads from the host.  Returns: bytes, 0 if there are none. */
static uint32_t
read_data(KilnVsockConnection *c, const struct iovec *iov, unsigned n_iov)
{
    struct iovec part[MAX_IOV];
    struct msghdr message = { .msg_iov = part };
    size_t room = MIN(credit(c), KILN_VSOCK_PACKET);
    ssize_t n;

    message.msg_iovlen = cut(iov, n_iov, 0, room, part);
    if (message.msg_iovlen == 0)
        return 0; /* a buffer for a header alone */
    do
        n = recvmsg(c->socket, &message, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return (uint32_t)n;
    c->pending &= ~(unsigned)PENDING_DATA;
    if (n < 0 && errno == EAGAIN)
        return 0;
    c->drained = TRUE;
    tell_shutdown(c, VIRTIO_VSOCK_SHUTDOWN_SEND);
    if (n < 0 || hung_up(c->socket))
        become_deaf(c);
    return 0;
}

/* Takes the next thing off @c->pending.  Returns: the packet's op, VIRTIO_VSOCK_OP_INVALID if there
 * is none. */
static uint16_t
next_op(KilnVsockConnection *c, const struct iovec *iov, unsigned n_iov, uint32_t *length)
{
    static const struct {
        unsigned pending;
        uint16_t op;
    } first[] = {
        { PENDING_RESET, VIRTIO_VSOCK_OP_RST },
        { PENDING_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
        { PENDING_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
    }, last[] = {
        { PENDING_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
        { PENDING_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST },
        { PENDING_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(first); i++)
        if (c->pending & first[i].pending) {
            c->pending &= ~first[i].pending;
            return first[i].op;
        }
    if ((c->pending & PENDING_DATA) && credit(c) > 0) {
        *length = read_data(c, iov, n_iov);
        if (*length > 0)
            return VIRTIO_VSOCK_OP_RW;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(last); i++)
        if ((c->pending & last[i].pending) &&
            !(last[i].pending == PENDING_SHUTDOWN && (c->pending & PENDING_DATA))) {
            c->pending &= ~last[i].pending;
            return last[i].op;
        }
    return VIRTIO_VSOCK_OP_INVALID;
}

gboolean
kiln_vsock_connection_give(KilnVsockConnection *c, const struct iovec *iov, unsigned n_iov,
                           KilnVsockHeader *header)
{
    uint32_t length = 0;
    uint16_t op = next_op(c, iov, n_iov, &length);

    if (op != VIRTIO_VSOCK_OP_INVALID) {
        c->sent += length;
        c->told_forwarded = c->forwarded;
        c->pending &= ~(unsigned)PENDING_CREDIT; /* every packet tells it */
        *header = (KilnVsockHeader){
            .src_cid = KILN_VSOCK_HOST_CID,
            .dst_cid = c->end->cid,
            .src_port = c->host_port,
            .dst_port = c->guest_port,
            .len = length,
            .type = VIRTIO_VSOCK_TYPE_STREAM,
            .op = op,
            .flags = op == VIRTIO_VSOCK_OP_SHUTDOWN ? c->told_flags : 0,
            .buf_alloc = KILN_VSOCK_BUFFER,
            .fwd_cnt = c->forwarded,
        };
        if (op == VIRTIO_VSOCK_OP_RW && credit(c) == 0)
            c->pending |= PENDING_CREDIT_REQUEST;
    }
    watch(c);
    return op != VIRTIO_VSOCK_OP_INVALID;
}
