/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a client of virtkilnd sends, to a server with a row of each kind.  The first byte of the
 * input says how far the connection has come by itself (1: authenticated, 2: open) and whether it
 * is read-only (4); the rest is the bytes on the socket.
 */
#include "rpc/call.h"
#include "rpc/frame.h"
#include "rpc/server-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_hostname(KilnCall *call, gconstpointer args)
{
    remote_connect_get_hostname_ret ret = { (char *)"a.host" };

    kiln_call_reply(call, &ret);
}

static void
on_domain(KilnCall *call, gconstpointer data)
{
    const remote_domain_destroy_args *args = data;

    kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain '%s'", args->dom.name);
}

static void
on_console(KilnCall *call, gconstpointer args)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        g_error("no socketpair");
    close(ends[0]);
    kiln_call_reply_stream(call, NULL, ends[1]);
}

static void
on_shot(KilnCall *call, gconstpointer args)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static("png", 3);
    const remote_domain_screenshot_ret ret = { NULL };

    kiln_call_reply_bytes(call, &ret, bytes);
}

static void
on_raw(KilnClient *client, KilnPacket *packet)
{
    kiln_client_fail_packet(client, packet, VIR_ERR_NO_SUPPORT, "nobody");
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_hostname),
    KILN_PROC_ARGS(DOMAIN_DESTROY, domain_destroy, KILN_ACCESS_WRITE, on_domain),
    KILN_PROC_ARGS(DOMAIN_OPEN_CONSOLE, domain_open_console, KILN_ACCESS_WRITE, on_console),
    KILN_PROC(DOMAIN_SCREENSHOT, domain_screenshot, KILN_ACCESS_READ, on_shot),
    KILN_PROC_RAW(CONNECT_NUM_OF_NETWORKS, KILN_ACCESS_READ, on_raw),
    KILN_PROC_REFUSED(DOMAIN_CREATE, KILN_ACCESS_WRITE, "no"),
};
static const KilnProcedureTable table = { rows, G_N_ELEMENTS(rows) };
static const KilnProcedureTable *const tables[] = { &table, NULL };

/* Whatever comes back is let go. */
static void
run(int fd)
{
    static char buffer[1 << 16];

    do {
        while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
            ;
    } while (g_main_context_iteration(NULL, FALSE));
}

static void
call(int fd, int procedure, xdrproc_t codec, gconstpointer args)
{
    const KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode(&header, 0, codec, args);

    if (send(fd, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet), MSG_NOSIGNAL) < 0)
        g_error("cannot send");
    run(fd);
}

/* A packet that can be parsed is the same when it is made again. */
static void
check_round_trip(const uint8_t *data, size_t size)
{
    KilnPacket *packet = kiln_frame_parse(g_bytes_new(data, size));
    gsize length = 0;

    if (packet == NULL)
        return;
    if (packet->type != KILN_FRAME_CALL_WITH_FDS && packet->type != KILN_FRAME_REPLY_WITH_FDS) {
        const guint8 *payload = kiln_frame_payload(packet, &length);
        g_autoptr(GBytes) again = kiln_frame_encode_raw(packet, payload, length);

        if (!g_bytes_equal(again, packet->bytes))
            g_error("the packet is another");
    }
    kiln_frame_n_fds(packet);
    packet->n_fds = 0;
    kiln_packet_free(packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const KilnServerOptions options = { .tables = tables };
    g_autoptr(KilnServer) server = NULL;
    remote_connect_open_args args = { 0 };
    int ends[2];

    if (size < 1)
        return 0;
    check_round_trip(data + 1, size - 1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        g_error("no socketpair");
    server = kiln_server_new(&options);
    kiln_server_adopt(server, ends[0], (data[0] & 4) != 0, KILN_AUTH_NONE);
    if ((data[0] & 3) != 0)
        call(ends[1], REMOTE_PROC_AUTH_LIST, NULL, NULL);
    if ((data[0] & 2) != 0)
        call(ends[1], REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    for (size_t at = 1; at < size;) {
        ssize_t n = send(ends[1], data + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n <= 0)
            break;
        at += n;
        run(ends[1]);
    }
    run(ends[1]);
    close(ends[1]);
    run(-1);
    if (kiln_server_n_clients(server) != 0)
        g_error("the client is still there");
    return 0;
}
