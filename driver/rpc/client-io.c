/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and writing of one connection.  What is read ends where the packet ends: descriptors ride
 * on the bytes behind it (libvirt sends each with one byte of its own), and a read that took these
 * would lose them.
 */
#include "rpc/client-private.h"
#include "rpc/dispatch.h"
#include "rpc/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BUDGET = 1 << 20, /* bytes of one connection in a turn of the loop */
    READ_PACKETS = 16,     /* packets, likewise */
    READ_FIRST = 4096,     /* bytes that are allocated before any have come */
};

typedef enum {
    PROGRESS_WAIT,   /* nothing more is there */
    PROGRESS_SOME,   /* something came, not the whole */
    PROGRESS_PACKET, /* a whole packet, with its descriptors */
    PROGRESS_END,    /* of the connection */
} Progress;

/* A packet that goes out. */
typedef struct {
    GBytes *bytes; /* (owned) */
    gsize sent;
    int *fds; /* (owned) (nullable) */
    guint n_fds;
    guint sent_fds;
} Outgoing;

static void
outgoing_free(gpointer data)
{
    Outgoing *outgoing = data;

    for (guint i = 0; i < outgoing->n_fds; i++)
        kiln_fd_clear(&outgoing->fds[i]);
    g_free(outgoing->fds);
    g_bytes_unref(outgoing->bytes);
    g_free(outgoing);
}

static void
incoming_clear(KilnClient *client)
{
    KilnIncoming *in = &client->in;

    if (client->server != NULL)
        kiln_server_unbuffer(client->server, client, in->allocated);
    g_free(in->data);
    kiln_packet_free(in->packet);
    memset(in, 0, sizeof *in);
}

void
kiln_client_io_clear(KilnClient *client)
{
    incoming_clear(client);
    g_queue_clear_full(&client->out, outgoing_free);
    client->queued = 0;
}

/* ---- Reading ---- */

/* Up to @length bytes, none of which may carry anything: a plain recv() drops what they carry. */
static Progress
receive(KilnClient *client, guint8 *to, gsize length, gsize *got)
{
    ssize_t n = recv(client->fd, to, length, MSG_DONTWAIT);

    *got = 0;
    if (n > 0) {
        *got = n;
        client->heard = TRUE;
        return PROGRESS_SOME;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PROGRESS_WAIT;
    return PROGRESS_END;
}

static Progress
read_length(KilnClient *client)
{
    KilnIncoming *in = &client->in;
    gsize got = 0;
    gsize max = client->authenticated ? KILN_FRAME_MAX : KILN_CLIENT_ANONYMOUS_MAX;
    Progress progress =
        receive(client, in->word + in->have, KILN_FRAME_LENGTH_SIZE - in->have, &got);

    in->have += got;
    if (progress != PROGRESS_SOME || in->have < KILN_FRAME_LENGTH_SIZE)
        return progress;
    in->length = kiln_frame_length(in->word, max);
    return in->length != 0 ? PROGRESS_SOME : PROGRESS_END;
}

/* Memory follows what has come, not what is said to come. */
static gboolean
make_room(KilnClient *client)
{
    KilnIncoming *in = &client->in;
    gsize size = MIN(in->length, MAX(READ_FIRST, in->have * 2));

    if (in->have < in->allocated)
        return TRUE;
    if (!kiln_server_buffer(client->server, client, size - in->allocated))
        return FALSE;
    in->data = g_realloc(in->data, size);
    if (in->allocated == 0)
        memcpy(in->data, in->word, KILN_FRAME_LENGTH_SIZE);
    in->allocated = size;
    return TRUE;
}

static Progress
finish_bytes(KilnClient *client)
{
    KilnIncoming *in = &client->in;
    int n_fds = 0;

    kiln_server_unbuffer(client->server, client, in->allocated);
    in->packet = kiln_frame_parse(g_bytes_new_take(g_steal_pointer(&in->data), in->length));
    in->allocated = 0;
    if (in->packet == NULL)
        return PROGRESS_END;
    n_fds = kiln_frame_n_fds(in->packet);
    if (n_fds < 0 || (n_fds > 0 && !client->authenticated))
        return PROGRESS_END;
    in->packet->n_fds = n_fds;
    if (n_fds == 0)
        return PROGRESS_PACKET;
    in->packet->fds = g_new(int, n_fds);
    for (int i = 0; i < n_fds; i++)
        in->packet->fds[i] = -1;
    return PROGRESS_SOME;
}

static Progress
read_bytes(KilnClient *client)
{
    KilnIncoming *in = &client->in;
    gsize got = 0;
    Progress progress = PROGRESS_WAIT;

    if (!make_room(client))
        return PROGRESS_END;
    progress = receive(client, in->data + in->have, in->allocated - in->have, &got);
    in->have += got;
    if (progress == PROGRESS_SOME && in->have == in->length)
        return finish_bytes(client);
    return progress;
}

/* The one descriptor of a message, or -1; what else came with it is closed. */
static int
take_fd(struct msghdr *message)
{
    int taken = -1;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        gsize n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        for (gsize i = 0; i < n; i++) {
            g_auto(KilnFd) fd = -1;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (taken < 0)
                taken = kiln_fd_steal(&fd);
        }
    }
    return taken;
}

static Progress
read_fd(KilnClient *client)
{
    KilnIncoming *in = &client->in;
    guint8 byte = 0;
    struct iovec iov = { &byte, 1 };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -1;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PROGRESS_WAIT;
    if (n <= 0)
        return PROGRESS_END;
    fd = take_fd(&message);
    if (fd < 0)
        return PROGRESS_END;
    in->packet->fds[in->n_fds++] = fd;
    return in->n_fds == in->packet->n_fds ? PROGRESS_PACKET : PROGRESS_SOME;
}

static Progress
read_some(KilnClient *client)
{
    KilnIncoming *in = &client->in;

    if (in->packet != NULL)
        return read_fd(client);
    return in->length == 0 ? read_length(client) : read_bytes(client);
}

static gboolean
takes_calls(const KilnClient *client)
{
    return client->server != NULL && !client->broken && !client->closes && client->holds == 0 &&
           client->requests < client->server->limits.max_client_requests &&
           client->queued < KILN_CLIENT_CONGESTED;
}

static void
read_ready(KilnClient *client)
{
    gsize read = 0;
    guint packets = 0;

    while (read < READ_BUDGET && packets < READ_PACKETS && takes_calls(client)) {
        gsize before = client->in.have;
        Progress progress = read_some(client);

        if (progress == PROGRESS_WAIT)
            return;
        if (progress == PROGRESS_END) {
            kiln_client_close(client);
            return;
        }
        read += client->in.have - before;
        if (progress == PROGRESS_PACKET) {
            KilnPacket *packet = g_steal_pointer(&client->in.packet);

            incoming_clear(client);
            packets++;
            kiln_dispatch_packet(client, packet);
        }
    }
}

/* ---- Writing ---- */

static int
send_fd(int socket, int fd)
{
    guint8 byte = 0;
    struct iovec iov = { &byte, 1 };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Returns: 0 when all of it has gone, else -errno. */
static int
send_outgoing(KilnClient *client, Outgoing *outgoing)
{
    gsize length = 0;
    const guint8 *data = g_bytes_get_data(outgoing->bytes, &length);

    while (outgoing->sent < length) {
        ssize_t n = send(client->fd, data + outgoing->sent, length - outgoing->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return -errno;
        outgoing->sent += n;
        client->queued -= n;
    }
    while (outgoing->sent_fds < outgoing->n_fds) {
        int result = send_fd(client->fd, outgoing->fds[outgoing->sent_fds]);

        if (result < 0)
            return result;
        outgoing->sent_fds++;
    }
    return 0;
}

void
kiln_client_io_flush(KilnClient *client)
{
    while (!g_queue_is_empty(&client->out)) {
        int result = send_outgoing(client, g_queue_peek_head(&client->out));

        if (result == -EAGAIN || result == -EINTR || result == -ETOOMANYREFS)
            break;
        if (result < 0) {
            kiln_client_abort(client);
            return;
        }
        outgoing_free(g_queue_pop_head(&client->out));
    }
    if (client->closes && g_queue_is_empty(&client->out))
        kiln_client_abort(client);
    else
        kiln_client_update(client);
}

void
kiln_client_queue(KilnClient *client, GBytes *packet, const int *fds, guint n_fds)
{
    Outgoing *outgoing = NULL;
    gboolean was_empty = g_queue_is_empty(&client->out);

    if (kiln_client_is_closed(client))
        return;
    if (client->queued > client->server->limits.max_queued_bytes) {
        kiln_client_abort(client);
        return;
    }
    outgoing = g_new0(Outgoing, 1);
    outgoing->bytes = g_bytes_ref(packet);
    outgoing->n_fds = n_fds;
    outgoing->fds = g_new(int, n_fds);
    for (guint i = 0; i < n_fds; i++)
        outgoing->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
    client->queued += g_bytes_get_size(packet);
    g_queue_push_tail(&client->out, outgoing);
    if (was_empty)
        kiln_client_io_flush(client);
}

/* ---- The poller ---- */

guint32
kiln_client_io_events(const KilnClient *client)
{
    return (takes_calls(client) ? EPOLLIN : 0) | (client->out.length == 0 ? 0 : EPOLLOUT);
}

void
kiln_client_io_ready(guint32 ready, gpointer data)
{
    KilnClient *client = kiln_client_ref(data);

    if (client->broken || ((ready & (EPOLLHUP | EPOLLERR)) != 0 && !takes_calls(client))) {
        kiln_client_close(client);
        kiln_client_unref(client);
        return;
    }
    if ((ready & EPOLLOUT) != 0) {
        kiln_client_io_flush(client);
        kiln_client_drained(client);
    }
    if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        read_ready(client);
    kiln_client_update(client);
    kiln_client_unref(client);
}
