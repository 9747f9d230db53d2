/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/relay/wire.h"

#include "base/be.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "relay/relay.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

Wire *
wire_new(int fd)
{
    Wire *wire = g_new0(Wire, 1);

    wire->fd = fd;
    wire->input = g_byte_array_new();
    return wire;
}

void
wire_free(Wire *wire)
{
    kiln_fd_clear(&wire->fd);
    g_byte_array_unref(wire->input);
    g_free(wire);
}

void
run_pending(void)
{
    for (guint i = 0; i < 20; i++)
        g_main_context_iteration(NULL, FALSE);
}

void
wire_send_bytes(Wire *wire, const void *bytes, gsize length)
{
    gsize sent = 0;

    while (sent < length) {
        ssize_t n =
            send(wire->fd, (const char *)bytes + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            sent += (gsize)n;
        else
            ck_assert_int_eq(errno, EAGAIN);
        g_main_context_iteration(NULL, FALSE);
    }
}

void
wire_send(Wire *wire, int procedure, KilnFrameType type, guint32 serial, KilnFrameStatus status,
          const void *payload, gsize length)
{
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .type = type,
        .serial = serial,
        .status = status,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, payload, length);

    wire_send_bytes(wire, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet));
}

void
wire_send_number(Wire *wire, int procedure, KilnFrameType type, guint32 serial, guint32 number)
{
    guint8 payload[4];

    kiln_be32_store(payload, number);
    wire_send(wire, procedure, type, serial, KILN_FRAME_OK, payload, sizeof payload);
}

static KilnPacket *
take(Wire *wire)
{
    gsize length;
    KilnPacket *packet;

    if (wire->input->len < KILN_FRAME_LENGTH_SIZE)
        return NULL;
    length = kiln_frame_length(wire->input->data, KILN_FRAME_MAX);
    ck_assert_uint_ne(length, 0);
    if (wire->input->len < length)
        return NULL;
    packet = kiln_frame_parse(g_bytes_new(wire->input->data, length));
    g_byte_array_remove_range(wire->input, 0, (guint)length);
    return packet;
}

/* Returns: FALSE: the other end has closed. */
static gboolean
fill(Wire *wire)
{
    guint8 chunk[65536];
    ssize_t n = recv(wire->fd, chunk, sizeof chunk, MSG_DONTWAIT);

    if (n > 0)
        g_byte_array_append(wire->input, chunk, (guint)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

KilnPacket *
wire_wait(Wire *wire)
{
    for (;;) {
        KilnPacket *packet = take(wire);

        if (packet != NULL)
            return packet;
        g_main_context_iteration(NULL, FALSE);
        if (!fill(wire))
            return NULL;
    }
}

guint32
wire_expect(Wire *wire, int procedure, KilnFrameType type, guint32 serial, KilnFrameStatus status)
{
    KilnPacket *packet = wire_wait(wire);
    guint32 number = 0;
    gsize length = 0;
    const guint8 *payload;

    ck_assert_ptr_nonnull(packet);
    ck_assert_int_eq(packet->procedure, procedure);
    ck_assert_uint_eq(packet->type, type);
    ck_assert_uint_eq(packet->serial, serial);
    ck_assert_uint_eq(packet->status, status);
    payload = kiln_frame_payload(packet, &length);
    if (length >= sizeof number)
        number = kiln_be32_load(payload);
    kiln_packet_free(packet);
    return number;
}

gboolean
wire_is_quiet(Wire *wire)
{
    run_pending();
    fill(wire);
    return wire->input->len == 0;
}

int
upstream_listen(const char *path)
{
    GError *error = NULL;
    int fd = kiln_unix_listen(path, 8, &error);
    pid_t child;
    int status = 0;

    kiln_assert_no_error(error);
    child = fork();
    if (child == 0)
        _exit(listen(fd, 8) == 0 ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    return fd;
}

Wire *
upstream_accept(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            return wire_new(fd);
        ck_assert_int_eq(errno, EAGAIN);
        g_main_context_iteration(NULL, FALSE);
    }
}

void
upstream_boot(Wire *upstream, const char *uri, guint32 flags)
{
    static const guint8 none[] = { 0, 0, 0, 1, 0, 0, 0, 0 }; /* a list of one: no authentication */
    remote_connect_open_args args = { 0 };
    KilnPacket *packet = wire_wait(upstream);

    ck_assert_int_eq(packet->procedure, REMOTE_PROC_AUTH_LIST);
    ck_assert_uint_ge(packet->serial, 0x40000000);
    wire_send(upstream, packet->procedure, KILN_FRAME_REPLY, packet->serial, KILN_FRAME_OK, none,
              sizeof none);
    kiln_packet_free(packet);
    packet = wire_wait(upstream);
    ck_assert_int_eq(packet->procedure, REMOTE_PROC_CONNECT_OPEN);
    ck_assert(kiln_frame_decode(packet, (xdrproc_t)xdr_remote_connect_open_args, &args));
    ck_assert_str_eq(*args.name, uri);
    ck_assert_uint_eq(args.flags, flags);
    xdr_free((xdrproc_t)xdr_remote_connect_open_args, (char *)&args);
    wire_send(upstream, packet->procedure, KILN_FRAME_REPLY, packet->serial, KILN_FRAME_OK, NULL,
              0);
    kiln_packet_free(packet);
    packet = wire_wait(upstream);
    ck_assert_int_eq(packet->procedure, REMOTE_PROC_CONNECT_SET_IDENTITY);
    wire_send(upstream, packet->procedure, KILN_FRAME_REPLY, packet->serial, KILN_FRAME_OK, NULL,
              0);
    kiln_packet_free(packet);
}

KilnServer *
relay_server(const char *dir)
{
    static const KilnProcedureTable *const tables[] = { &kiln_relay_table, NULL };
    KilnServerOptions options = { .tables = tables };
    g_autofree char *path = g_build_filename(dir, "virtkilnd-sock", NULL);
    GError *error = NULL;
    int fd = kiln_unix_listen(path, 8, &error);
    KilnServer *server;

    kiln_assert_no_error(error);
    server = kiln_server_new(&options);
    kiln_server_listen(server, fd, FALSE, KILN_AUTH_NONE);
    return server;
}

Wire *
relay_client(const char *dir, gboolean read_only)
{
    g_autofree char *path = g_build_filename(dir, "virtkilnd-sock", NULL);
    char *uri = (char *)"kiln:///system";
    remote_connect_open_args args = { &uri, read_only ? 1 : 0 };
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = REMOTE_PROC_CONNECT_OPEN,
        .serial = 1,
    };
    g_autoptr(GBytes) open =
        kiln_frame_encode(&header, 0, (xdrproc_t)xdr_remote_connect_open_args, &args);
    GError *error = NULL;
    Wire *client = wire_new(kiln_unix_connect(path, &error));

    kiln_assert_no_error(error);
    wire_send(client, REMOTE_PROC_AUTH_LIST, KILN_FRAME_CALL, 0, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, REMOTE_PROC_AUTH_LIST, KILN_FRAME_REPLY, 0, KILN_FRAME_OK);
    wire_send_bytes(client, g_bytes_get_data(open, NULL), g_bytes_get_size(open));
    wire_expect(client, REMOTE_PROC_CONNECT_OPEN, KILN_FRAME_REPLY, 1, KILN_FRAME_OK);
    return client;
}
