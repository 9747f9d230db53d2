/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/rpc-peer.h"

#include "base/be.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

RpcHost *
rpc_host_new(const KilnServerOptions *options, KilnAuth auth)
{
    RpcHost *host = g_new0(RpcHost, 1);
    g_autoptr(GError) error = NULL;
    int fd = -1;

    host->directory = kiln_test_dir();
    host->path = g_build_filename(host->directory, "sock", NULL);
    host->path_ro = g_build_filename(host->directory, "sock-ro", NULL);
    host->server = kiln_server_new(options);
    fd = kiln_unix_listen(host->path, 4096, &error);
    kiln_assert_no_error(error);
    kiln_server_listen(host->server, fd, FALSE, auth);
    fd = kiln_unix_listen(host->path_ro, 4096, &error);
    kiln_assert_no_error(error);
    kiln_server_listen(host->server, fd, TRUE, auth);
    return host;
}

void
rpc_host_free(RpcHost *host)
{
    kiln_server_free(host->server);
    g_free(host->directory);
    g_free(host->path);
    g_free(host->path_ro);
    g_free(host);
}

RpcPeer *
rpc_peer_new(const char *path)
{
    RpcPeer *peer = g_new0(RpcPeer, 1);
    g_autoptr(GError) error = NULL;

    peer->fd = kiln_unix_connect(path, &error);
    kiln_assert_no_error(error);
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    return peer;
}

void
rpc_peer_free(RpcPeer *peer)
{
    if (peer->fd >= 0)
        kiln_fd_clear(&peer->fd);
    g_free(peer);
}

RpcPeer *
rpc_peer_open(const char *path, unsigned flags)
{
    RpcPeer *peer = rpc_peer_new(path);
    char *name = (char *)"kiln:///system";
    remote_connect_open_args args = { &name, flags };

    rpc_peer_call(peer, REMOTE_PROC_AUTH_LIST, NULL, NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    rpc_peer_expect_reply(peer, NULL, NULL);
    return peer;
}

void
rpc_step(int fd)
{
    struct pollfd wait = { fd, POLLIN, 0 };

    if (!g_main_context_iteration(NULL, FALSE))
        poll(&wait, 1, 1);
}

void
rpc_settle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

void
rpc_peer_send(RpcPeer *peer, gconstpointer data, gsize length)
{
    const guint8 *at = data;
    gint64 deadline_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (length > 0) {
        ssize_t n = send(peer->fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        /* Who is dropped while he talks finds out when he listens. */
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;
        ck_assert_msg(n > 0 || errno == EAGAIN, "cannot send: %s", g_strerror(errno));
        ck_assert_msg(g_get_monotonic_time() < deadline_us, "nobody takes what is sent");
        if (n > 0) {
            at += n;
            length -= n;
        } else {
            rpc_step(-1);
        }
    }
}

void
rpc_peer_send_packet(RpcPeer *peer, GBytes *packet)
{
    rpc_peer_send(peer, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet));
}

void
rpc_peer_call(RpcPeer *peer, int procedure, xdrproc_t codec, gconstpointer args)
{
    const KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .serial = ++peer->serial,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode(&header, 0, codec, args);

    ck_assert_ptr_nonnull(packet);
    rpc_peer_send_packet(peer, packet);
}

void
rpc_peer_stream(RpcPeer *peer, int procedure, guint32 serial, KilnFrameStatus status,
                gconstpointer data, gsize length)
{
    const KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .type = KILN_FRAME_STREAM,
        .serial = serial,
        .status = status,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, data, length);

    rpc_peer_send_packet(peer, packet);
}

void
rpc_peer_send_fd(RpcPeer *peer, int fd)
{
    char byte = 0;
    struct iovec iov = { &byte, 1 };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { NULL, 0, &iov, 1, &control, sizeof control, 0 };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ck_assert_int_eq(sendmsg(peer->fd, &message, 0), 1);
}

int
rpc_peer_receive_fd(RpcPeer *peer)
{
    char byte = 1;
    struct iovec iov = { &byte, 1 };
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = { NULL, 0, &iov, 1, &control, sizeof control, 0 };
    int fd = -1;
    ssize_t n = -1;

    rpc_run_until((n = recvmsg(peer->fd, &message, MSG_CMSG_CLOEXEC)) >= 0 || errno != EAGAIN);
    ck_assert_int_eq(n, 1);
    ck_assert_int_eq(byte, 0);
    ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

/* Returns: FALSE at the end of the connection. */
static gboolean
receive_bytes(RpcPeer *peer, guint8 *to, gsize length)
{
    gint64 deadline_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (length > 0) {
        ssize_t n = recv(peer->fd, to, length, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return FALSE;
        ck_assert_msg(n > 0 || errno == EAGAIN, "cannot receive: %s", g_strerror(errno));
        ck_assert_msg(g_get_monotonic_time() < deadline_us, "nothing comes");
        if (n > 0) {
            to += n;
            length -= n;
        } else {
            rpc_step(peer->fd);
        }
    }
    return TRUE;
}

KilnPacket *
rpc_peer_receive(RpcPeer *peer)
{
    guint8 word[KILN_FRAME_LENGTH_SIZE];
    guint8 *data = NULL;
    gsize length = 0;
    KilnPacket *packet = NULL;

    if (!receive_bytes(peer, word, sizeof word))
        return NULL;
    length = kiln_frame_length(word, KILN_FRAME_MAX);
    ck_assert_uint_ne(length, 0);
    data = g_malloc(length);
    memcpy(data, word, sizeof word);
    ck_assert(receive_bytes(peer, data + sizeof word, length - sizeof word));
    packet = kiln_frame_parse(g_bytes_new_take(data, length));
    ck_assert_ptr_nonnull(packet);
    return packet;
}

gboolean
rpc_peer_is_quiet(RpcPeer *peer)
{
    char byte = 0;

    rpc_settle();
    return recv(peer->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

void
rpc_peer_assert_ended(RpcPeer *peer)
{
    KilnPacket *packet = rpc_peer_receive(peer);

    ck_assert_msg(packet == NULL, "the connection is still there");
}

void
rpc_peer_expect_reply(RpcPeer *peer, xdrproc_t codec, gpointer ret)
{
    KilnPacket *packet = rpc_peer_receive(peer);

    ck_assert_msg(packet != NULL, "the connection has ended");
    if (packet->status == KILN_FRAME_ERROR)
        rpc_peer_expect_packet_error(packet, 0, "none");
    ck_assert_uint_eq(packet->type, KILN_FRAME_REPLY);
    ck_assert_uint_eq(packet->program, KILN_PROGRAM_REMOTE);
    ck_assert_uint_eq(packet->status, KILN_FRAME_OK);
    ck_assert_uint_eq(packet->serial, peer->serial);
    ck_assert(kiln_frame_decode(packet, codec, ret));
    kiln_packet_free(packet);
}

void
rpc_peer_expect_packet_error(const KilnPacket *packet, int code, const char *text)
{
    remote_error error = { 0 };

    ck_assert_uint_eq(packet->status, KILN_FRAME_ERROR);
    ck_assert(kiln_frame_decode(packet, (xdrproc_t)xdr_remote_error, &error));
    ck_assert_ptr_nonnull(error.message);
    ck_assert_msg(error.code == code, "code %d (%s), not %d", error.code, *error.message, code);
    ck_assert_msg(strstr(*error.message, text) != NULL, "'%s' lacks '%s'", *error.message, text);
    ck_assert_int_eq(error.level, VIR_ERR_ERROR);
    xdr_free((xdrproc_t)xdr_remote_error, (char *)&error);
}

void
rpc_peer_expect_error(RpcPeer *peer, int code, const char *text)
{
    KilnPacket *packet = rpc_peer_receive(peer);

    ck_assert_msg(packet != NULL, "the connection has ended");
    ck_assert_uint_eq(packet->type, KILN_FRAME_REPLY);
    ck_assert_uint_eq(packet->serial, peer->serial);
    rpc_peer_expect_packet_error(packet, code, text);
    kiln_packet_free(packet);
}

void
rpc_peer_expect_stream(RpcPeer *peer, guint32 serial, KilnFrameStatus status, gconstpointer data,
                       gsize length)
{
    KilnPacket *packet = rpc_peer_receive(peer);
    const guint8 *payload = NULL;
    gsize n = 0;

    ck_assert_msg(packet != NULL, "the connection has ended");
    ck_assert_uint_eq(packet->type, KILN_FRAME_STREAM);
    ck_assert_uint_eq(packet->serial, serial);
    ck_assert_uint_eq(packet->status, status);
    payload = kiln_frame_payload(packet, &n);
    ck_assert_uint_eq(n, length);
    ck_assert(length == 0 || memcmp(payload, data, length) == 0);
    kiln_packet_free(packet);
}
