/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/rpc-peer.h"

#include "base/fd.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONSOLE = REMOTE_PROC_DOMAIN_OPEN_CONSOLE, SHOT = REMOTE_PROC_DOMAIN_SCREENSHOT };

static int next_fd = -1;   /* what DOMAIN_OPEN_CONSOLE gives */
static GBytes *next_bytes; /* what DOMAIN_SCREENSHOT gives */

static void
on_console(KilnCall *call, gconstpointer args)
{
    kiln_call_reply_stream(call, NULL, kiln_fd_steal(&next_fd));
}

static void
on_screenshot(KilnCall *call, gconstpointer args)
{
    char *mime = (char *)"image/png";
    const remote_domain_screenshot_ret ret = { &mime };

    kiln_call_reply_bytes(call, &ret, next_bytes);
}

static void
on_hostname(KilnCall *call, gconstpointer args)
{
    remote_connect_get_hostname_ret ret = { (char *)"a.host" };

    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC_PLAIN(DOMAIN_OPEN_CONSOLE, KILN_ACCESS_WRITE, on_console),
    KILN_PROC_RET(DOMAIN_SCREENSHOT, domain_screenshot, KILN_ACCESS_READ, on_screenshot),
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_hostname),
};
static const KilnProcedureTable table = { rows, G_N_ELEMENTS(rows) };
static const KilnProcedureTable *const tables[] = { &table, NULL };

typedef struct {
    RpcHost *host;
    RpcPeer *peer;
    guint32 serial; /* of the stream */
    int end;        /* the far end of its descriptor */
} Fixture;

static Fixture
open_stream(int near, int far)
{
    const KilnServerOptions options = { .tables = tables };
    Fixture f = { rpc_host_new(&options, KILN_AUTH_NONE), NULL, 0, far };

    next_fd = near;
    f.peer = rpc_peer_open(f.host->path, 0);
    rpc_peer_call(f.peer, CONSOLE, NULL, NULL);
    rpc_peer_expect_reply(f.peer, NULL, NULL);
    f.serial = f.peer->serial;
    if (far >= 0)
        fcntl(far, F_SETFL, O_NONBLOCK);
    return f;
}

static Fixture
open_pair(void)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return open_stream(ends[0], ends[1]);
}

static void
clear(Fixture *f)
{
    rpc_peer_free(f->peer);
    rpc_host_free(f->host);
    if (f->end >= 0)
        close(f->end);
}

/* The near end is closed. */
static void
assert_hung_up(Fixture *f)
{
    char byte = 0;
    ssize_t n = -1;

    rpc_run_until((n = read(f->end, &byte, 1)) >= 0 || errno != EAGAIN);
    ck_assert_int_le(n, 0);
}

static void
expect_read(Fixture *f, const char *text)
{
    char buffer[64] = "";
    ssize_t n = -1;

    rpc_run_until((n = read(f->end, buffer, sizeof buffer)) >= 0 || errno != EAGAIN);
    ck_assert_int_eq(n, strlen(text));
    ck_assert_mem_eq(buffer, text, n);
}

static void
expect_error(Fixture *f, int code, const char *text)
{
    KilnPacket *packet = rpc_peer_receive(f->peer);

    ck_assert_ptr_nonnull(packet);
    ck_assert_uint_eq(packet->type, KILN_FRAME_STREAM);
    ck_assert_uint_eq(packet->serial, f->serial);
    rpc_peer_expect_packet_error(packet, code, text);
    kiln_packet_free(packet);
}

static void
assert_alive(Fixture *f)
{
    rpc_peer_call(f->peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    rpc_peer_expect_reply(f->peer, NULL, NULL);
}

START_TEST(data_goes_both_ways_until_finished)
{
    Fixture f = open_pair();

    ck_assert_int_eq(write(f.end, "login: ", 7), 7);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, "login: ", 7);
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "root\n", 5);
    expect_read(&f, "root\n");
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "", 0);
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_OK, NULL, 0);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_OK, NULL, 0);
    assert_hung_up(&f);
    /* What comes for it now is nobody's. */
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "late", 4);
    assert_alive(&f);
    clear(&f);
}
END_TEST

START_TEST(an_abort_is_confirmed)
{
    Fixture f = open_pair();

    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_ERROR, NULL, 0);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_OK, NULL, 0);
    assert_hung_up(&f);
    assert_alive(&f);
    clear(&f);
}
END_TEST

START_TEST(an_end_is_an_empty_packet)
{
    Fixture f = open_pair();

    ck_assert_int_eq(write(f.end, "bye", 3), 3);
    shutdown(f.end, SHUT_WR);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, "bye", 3);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, NULL, 0);
    ck_assert(rpc_peer_is_quiet(f.peer));
    /* The other way is open still. */
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "ok", 2);
    expect_read(&f, "ok");
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_OK, NULL, 0);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_OK, NULL, 0);
    clear(&f);
}
END_TEST

START_TEST(writing_to_nobody_fails)
{
    Fixture f = open_pair();

    close(f.end);
    f.end = -1;
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, NULL, 0);
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "x", 1);
    expect_error(&f, VIR_ERR_SYSTEM_ERROR, "Broken pipe");
    assert_alive(&f);
    clear(&f);
}
END_TEST

START_TEST(a_pipe_is_read_to_its_end_and_takes_nothing)
{
    int ends[2];
    Fixture f = { 0 };

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    f = open_stream(ends[0], ends[1]);
    ck_assert_int_eq(write(f.end, "abc", 3), 3);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, "abc", 3);
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, "x", 1);
    expect_error(&f, VIR_ERR_OPERATION_INVALID, "takes no data");
    clear(&f);
}
END_TEST

START_TEST(a_file_is_read_to_its_end)
{
    g_autofree char *text = g_strnfill(KILN_FRAME_STREAM_CHUNK + 10, 'x');
    int fd = memfd_create("stream", MFD_CLOEXEC);
    Fixture f = { 0 };

    ck_assert_int_eq(kiln_write_full(fd, text, strlen(text), 0), 0);
    f = open_stream(fd, -1);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, text, KILN_FRAME_STREAM_CHUNK);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, text, 10);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, NULL, 0);
    ck_assert(rpc_peer_is_quiet(f.peer));
    clear(&f);
}
END_TEST

START_TEST(strange_packets_end_it)
{
    for (int i = 0; i < 2; i++) {
        Fixture f = open_pair();
        KilnPacket header = { KILN_PROGRAM_REMOTE, KILN_PROGRAM_VERSION, CONSOLE, 0, f.serial, 0 };
        g_autoptr(GBytes) packet = NULL;

        header.type = i == 0 ? KILN_FRAME_STREAM_HOLE : KILN_FRAME_STREAM;
        header.status = i == 0 ? KILN_FRAME_CONTINUE : 77;
        packet = kiln_frame_encode_raw(&header, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
        rpc_peer_send_packet(f.peer, packet);
        expect_error(&f, VIR_ERR_RPC, i == 0 ? "Unexpected stream hole" : "unexpected status");
        assert_hung_up(&f);
        /* Of another procedure: not this stream's. */
        assert_alive(&f);
        clear(&f);
    }
}
END_TEST

START_TEST(a_serial_is_one_stream)
{
    Fixture f = open_pair();
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    next_fd = ends[0];
    f.peer->serial--;
    rpc_peer_call(f.peer, CONSOLE, NULL, NULL);
    rpc_peer_expect_error(f.peer, VIR_ERR_RPC, "is open");
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    ck_assert_int_lt(write(ends[1], "x", 1), 0); /* closed: it was taken over */
    ck_assert_int_eq(write(f.end, "x", 1), 1);
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_CONTINUE, "x", 1);
    close(ends[1]);
    clear(&f);
}
END_TEST

/* What the descriptor gives waits in it while the client does not read. */
START_TEST(a_client_that_does_not_read_stops_the_source)
{
    Fixture f = open_pair();
    g_autofree char *chunk = g_strnfill(65536, 'y');
    gsize written = 0;
    gsize read = 0;
    guint idle = 0;

    while (idle < 50) {
        ssize_t n = write(f.end, chunk, 65536);

        idle = n > 0 ? 0 : idle + 1;
        written += MAX(n, 0);
        rpc_step(-1);
        ck_assert_uint_lt(written, 64 << 20);
    }
    ck_assert_uint_gt(written, 1 << 20);
    ck_assert_uint_lt(written, 8 << 20);
    shutdown(f.end, SHUT_WR);
    for (;;) {
        KilnPacket *packet = rpc_peer_receive(f.peer);
        gsize length = 0;

        ck_assert_ptr_nonnull(packet);
        kiln_frame_payload(packet, &length);
        kiln_packet_free(packet);
        read += length;
        if (length == 0)
            break;
    }
    ck_assert_uint_eq(read, written);
    clear(&f);
}
END_TEST

/* What the client sends waits, up to some megabytes; then the client is not read.  All arrives. */
START_TEST(a_descriptor_that_takes_nothing_stops_the_client)
{
    Fixture f = open_pair();
    g_autofree char *chunk = g_strnfill(KILN_FRAME_STREAM_CHUNK, 'z');
    const KilnPacket header = {
        KILN_PROGRAM_REMOTE, KILN_PROGRAM_VERSION, CONSOLE, KILN_FRAME_STREAM, f.serial,
        KILN_FRAME_CONTINUE,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, chunk, KILN_FRAME_STREAM_CHUNK);
    gsize size = g_bytes_get_size(packet);
    const guint8 *data = g_bytes_get_data(packet, NULL);
    gsize sent = 0;
    gsize read_bytes = 0;
    guint idle = 0;

    while (idle < 50) {
        ssize_t n =
            send(f.peer->fd, data + sent % size, size - sent % size, MSG_DONTWAIT | MSG_NOSIGNAL);

        idle = n > 0 ? 0 : idle + 1;
        sent += MAX(n, 0);
        rpc_step(-1);
        ck_assert_uint_lt(sent, 64 << 20);
    }
    ck_assert_uint_gt(sent, 4 << 20);
    ck_assert_uint_lt(sent, 12 << 20);
    /* Taken at the other end, the rest comes. */
    while (read_bytes < sent / size * KILN_FRAME_STREAM_CHUNK) {
        g_autofree char *buffer = g_malloc(1 << 20);
        ssize_t n = read(f.end, buffer, 1 << 20);

        read_bytes += MAX(n, 0);
        rpc_step(-1);
    }
    clear(&f);
}
END_TEST

/* Each takes a hundred times the memory of what it carries. */
START_TEST(small_packets_stop_the_client_too)
{
    enum { PACKETS = 1000 };
    Fixture f = open_pair();
    const KilnPacket header = {
        KILN_PROGRAM_REMOTE, KILN_PROGRAM_VERSION, CONSOLE, KILN_FRAME_STREAM, f.serial,
        KILN_FRAME_CONTINUE,
    };
    g_autoptr(GByteArray) many = g_byte_array_new();
    gsize sent = 0;
    ssize_t n = 1;

    for (guint i = 0; i < PACKETS; i++) {
        g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, "z", i % 2);

        g_byte_array_append(many, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet));
    }
    while (n > 0) { /* it stops when what has come is dealt with, and no more is taken */
        const guint8 *from = many->data + sent % many->len;
        gsize rest = many->len - sent % many->len;

        n = send(f.peer->fd, from, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            rpc_settle();
            n = send(f.peer->fd, from, rest, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        sent += MAX(n, 0);
        ck_assert_uint_lt(sent, 4 << 20);
    }
    clear(&f);
}
END_TEST

START_TEST(finish_waits_for_what_was_sent)
{
    Fixture f = open_pair();
    g_autofree char *chunk = g_strnfill(KILN_FRAME_STREAM_CHUNK, 'z');
    gsize read_bytes = 0;

    for (int i = 0; i < 4; i++)
        rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, chunk,
                        KILN_FRAME_STREAM_CHUNK);
    rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_OK, NULL, 0);
    ck_assert(rpc_peer_is_quiet(f.peer));
    while (read_bytes < 4 * KILN_FRAME_STREAM_CHUNK) {
        char buffer[65536];
        ssize_t n = read(f.end, buffer, sizeof buffer);

        read_bytes += MAX(n, 0);
        rpc_step(-1);
    }
    rpc_peer_expect_stream(f.peer, f.serial, KILN_FRAME_OK, NULL, 0);
    assert_hung_up(&f);
    clear(&f);
}
END_TEST

START_TEST(a_client_that_leaves_ends_its_streams)
{
    Fixture f = open_pair();
    g_autofree char *chunk = g_strnfill(KILN_FRAME_STREAM_CHUNK, 'z');

    for (int i = 0; i < 4; i++)
        rpc_peer_stream(f.peer, CONSOLE, f.serial, KILN_FRAME_CONTINUE, chunk,
                        KILN_FRAME_STREAM_CHUNK);
    rpc_settle();
    close(f.peer->fd);
    f.peer->fd = -1;
    rpc_run_until(kiln_server_n_clients(f.host->server) == 0);
    clear(&f);
}
END_TEST

START_TEST(bytes_come_in_chunks_and_end)
{
    const KilnServerOptions options = { .tables = tables };
    g_autoptr(RpcHost) host = rpc_host_new(&options, KILN_AUTH_NONE);
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    gsize length = 8 << 20;
    gsize got = 0;
    guint32 serial = 0;

    next_bytes = g_bytes_new_take(g_strnfill(length, 'p'), length);
    rpc_peer_call(peer, SHOT, NULL, NULL);
    serial = peer->serial;
    rpc_peer_expect_reply(peer, NULL, NULL);
    g_clear_pointer(&next_bytes, g_bytes_unref);
    while (got < length) {
        gsize n = MIN(length - got, KILN_FRAME_STREAM_CHUNK);
        g_autofree char *want = g_strnfill(n, 'p');

        rpc_peer_expect_stream(peer, serial, KILN_FRAME_CONTINUE, want, n);
        got += n;
    }
    rpc_peer_expect_stream(peer, serial, KILN_FRAME_CONTINUE, NULL, 0);
    rpc_peer_stream(peer, SHOT, serial, KILN_FRAME_OK, NULL, 0);
    rpc_peer_expect_stream(peer, serial, KILN_FRAME_OK, NULL, 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *rpc = suite_create("rpc-stream");
    TCase *streams = kiln_test_case(rpc, "streams");

    tcase_add_test(streams, data_goes_both_ways_until_finished);
    tcase_add_test(streams, an_abort_is_confirmed);
    tcase_add_test(streams, an_end_is_an_empty_packet);
    tcase_add_test(streams, writing_to_nobody_fails);
    tcase_add_test(streams, a_pipe_is_read_to_its_end_and_takes_nothing);
    tcase_add_test(streams, a_file_is_read_to_its_end);
    tcase_add_test(streams, strange_packets_end_it);
    tcase_add_test(streams, a_serial_is_one_stream);
    tcase_add_test(streams, a_client_that_does_not_read_stops_the_source);
    tcase_add_test(streams, a_descriptor_that_takes_nothing_stops_the_client);
    tcase_add_test(streams, small_packets_stop_the_client_too);
    tcase_add_test(streams, finish_waits_for_what_was_sent);
    tcase_add_test(streams, a_client_that_leaves_ends_its_streams);
    tcase_add_test(streams, bytes_come_in_chunks_and_end);
    return rpc;
}

KILN_TEST_MAIN(suite)
