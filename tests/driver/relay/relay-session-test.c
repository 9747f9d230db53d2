/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of a real server on one side, a daemon whose every packet is the test's on the other. */
#include "base/be.h"
#include "base/fd.h"
#include "relay/link.h"
#include "relay/relay.h"
#include "tests/driver/relay/wire.h"
#include "tests/lib/kiln-test.h"

#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#define LOOKUP     REMOTE_PROC_NETWORK_LOOKUP_BY_NAME
#define REGISTER   REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY
#define DEREGISTER REMOTE_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY
#define EVENT      REMOTE_PROC_NETWORK_EVENT_LIFECYCLE

static char *dir;
static char *path;
static KilnServer *server;
static Wire *client;
static Wire *upstream;
static KilnFd listener = -1;

static void
set_up(void)
{
    dir = kiln_test_dir();
    path = g_build_filename(dir, "libvirt-sock", NULL);
    kiln_relay_set_directories(dir, NULL, FALSE);
    server = relay_server(dir);
    client = relay_client(dir, FALSE);
}

static void
tear_down(void)
{
    g_clear_pointer(&upstream, wire_free);
    g_clear_pointer(&client, wire_free);
    run_pending();
    kiln_server_free(server);
    kiln_fd_clear(&listener);
    g_free(path);
    g_free(dir);
}

/* A call goes out, and a daemon that listens since before gets it. */
static void
call_and_boot(int procedure, guint32 serial, const char *uri)
{
    listener = upstream_listen(path);
    wire_send(client, procedure, KILN_FRAME_CALL, serial, KILN_FRAME_OK, "argument", 8);
    upstream = upstream_accept(listener);
    upstream_boot(upstream, uri, 0);
    wire_expect(upstream, procedure, KILN_FRAME_CALL, serial, KILN_FRAME_OK);
}

static guint32
expect_error(int procedure, KilnFrameType type, guint32 serial)
{
    return wire_expect(client, procedure, type, serial, KILN_FRAME_ERROR);
}

static void
lose_upstream(void)
{
    g_clear_pointer(&upstream, wire_free);
}

START_TEST(packets_go_through_unchanged)
{
    KilnPacket *packet;
    gsize length = 0;

    call_and_boot(LOOKUP, 7, "network:///system");
    wire_send(upstream, LOOKUP, KILN_FRAME_REPLY, 7, KILN_FRAME_OK, "the answer!!", 12);
    packet = wire_wait(client);
    ck_assert_uint_eq(packet->serial, 7);
    ck_assert_mem_eq(kiln_frame_payload(packet, &length), "the answer!!", 12);
    ck_assert_uint_eq(length, 12);
    kiln_packet_free(packet);
    /* The next one needs no boot; an error is passed on like any answer. */
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 8, KILN_FRAME_OK, NULL, 0);
    wire_expect(upstream, LOOKUP, KILN_FRAME_CALL, 8, KILN_FRAME_OK);
    wire_send(upstream, LOOKUP, KILN_FRAME_REPLY, 8, KILN_FRAME_ERROR, "\0\0\0\x2b", 4);
    ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, 8), 43);
}
END_TEST

START_TEST(drivers_have_connections_of_their_own)
{
    g_autofree char *storage = g_build_filename(dir, "virtstoraged-sock", NULL);
    g_auto(KilnFd) other = upstream_listen(storage);
    Wire *second;

    call_and_boot(LOOKUP, 2, "network:///system");
    wire_send(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_CALL, 3, KILN_FRAME_OK,
              NULL, 0);
    second = upstream_accept(other);
    upstream_boot(second, "storage:///system", 0);
    wire_expect(second, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_CALL, 3, KILN_FRAME_OK);
    /* The later one answers first. */
    wire_send_number(second, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_REPLY, 3, 1);
    wire_expect(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_REPLY, 3,
                KILN_FRAME_OK);
    wire_send_number(upstream, LOOKUP, KILN_FRAME_REPLY, 2, 1);
    wire_expect(client, LOOKUP, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    wire_free(second);
}
END_TEST

START_TEST(a_reader_opens_read_only)
{
    Wire *reader = relay_client(dir, TRUE);

    listener = upstream_listen(path);
    wire_send(reader, LOOKUP, KILN_FRAME_CALL, 2, KILN_FRAME_OK, NULL, 0);
    upstream = upstream_accept(listener);
    upstream_boot(upstream, "network:///system", 1);
    wire_send(reader, REMOTE_PROC_NETWORK_DESTROY, KILN_FRAME_CALL, 3, KILN_FRAME_OK, NULL, 0);
    ck_assert_uint_eq(
        wire_expect(reader, REMOTE_PROC_NETWORK_DESTROY, KILN_FRAME_REPLY, 3, KILN_FRAME_ERROR),
        VIR_ERR_OPERATION_DENIED);
    wire_free(reader);
}
END_TEST

START_TEST(without_a_daemon_programs_degrade)
{
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 2, KILN_FRAME_OK, NULL, 0);
    ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, 2), VIR_ERR_NO_SUPPORT);
    wire_send(client, REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, KILN_FRAME_CALL, 3, KILN_FRAME_OK, NULL,
              0);
    ck_assert_uint_eq(wire_expect(client, REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, KILN_FRAME_REPLY, 3,
                                  KILN_FRAME_OK),
                      0);
    wire_send_number(client, REMOTE_PROC_CONNECT_LIST_NETWORKS, KILN_FRAME_CALL, 4, 10);
    ck_assert_uint_eq(
        wire_expect(client, REMOTE_PROC_CONNECT_LIST_NETWORKS, KILN_FRAME_REPLY, 4, KILN_FRAME_OK),
        0);
    /* One that comes later is used. */
    call_and_boot(LOOKUP, 5, "network:///system");
}
END_TEST

START_TEST(a_daemon_without_that_driver_is_none)
{
    static const guint8 none[] = { 0, 0, 0, 1, 0, 0, 0, 0 };
    KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                          .version = 1,
                          .procedure = REMOTE_PROC_CONNECT_OPEN,
                          .type = KILN_FRAME_REPLY,
                          .serial = 0x40000002 };
    g_autoptr(GBytes) refusal =
        kiln_frame_encode_error(&header, VIR_ERR_NO_CONNECT, 0, "no connection driver available");

    listener = upstream_listen(path);
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 2, KILN_FRAME_OK, NULL, 0);
    upstream = upstream_accept(listener);
    kiln_packet_free(wire_wait(upstream));
    wire_send(upstream, REMOTE_PROC_AUTH_LIST, KILN_FRAME_REPLY, 0x40000001, KILN_FRAME_OK, none,
              sizeof none);
    kiln_packet_free(wire_wait(upstream));
    wire_send_bytes(upstream, g_bytes_get_data(refusal, NULL), g_bytes_get_size(refusal));
    ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, 2), VIR_ERR_NO_SUPPORT);
    lose_upstream();
}
END_TEST

START_TEST(a_boot_that_fails_says_why)
{
    listener = upstream_listen(path);
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 2, KILN_FRAME_OK, NULL, 0);
    upstream = upstream_accept(listener);
    lose_upstream();
    ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, 2), VIR_ERR_SYSTEM_ERROR);
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 3, KILN_FRAME_OK, NULL, 0);
    upstream = upstream_accept(listener);
    kiln_packet_free(wire_wait(upstream));
    wire_send_number(upstream, REMOTE_PROC_AUTH_LIST, KILN_FRAME_REPLY, 0x40000001, 0);
    ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, 3), VIR_ERR_AUTH_FAILED);
}
END_TEST

START_TEST(upstream_death_ends_what_is_outstanding)
{
    call_and_boot(LOOKUP, 2, "network:///system");
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 3, KILN_FRAME_OK, NULL, 0);
    wire_expect(upstream, LOOKUP, KILN_FRAME_CALL, 3, KILN_FRAME_OK);
    lose_upstream();
    for (guint i = 0; i < 2; i++) {
        KilnPacket *packet = wire_wait(client);

        ck_assert_uint_eq(packet->status, KILN_FRAME_ERROR);
        ck_assert(packet->serial == 2 || packet->serial == 3);
        kiln_packet_free(packet);
    }
    /* The next call finds the next daemon. */
    wire_send(client, LOOKUP, KILN_FRAME_CALL, 4, KILN_FRAME_OK, NULL, 0);
    upstream = upstream_accept(listener);
    upstream_boot(upstream, "network:///system", 0);
    wire_expect(upstream, LOOKUP, KILN_FRAME_CALL, 4, KILN_FRAME_OK);
}
END_TEST

START_TEST(streams_go_both_ways)
{
    const int upload = REMOTE_PROC_STORAGE_VOL_UPLOAD;

    call_and_boot(upload, 2, "storage:///system");
    wire_send(upstream, upload, KILN_FRAME_REPLY, 2, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, upload, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    wire_send(client, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE, "data", 4);
    wire_send(client, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_OK, NULL, 0);
    ck_assert_uint_eq(wire_expect(upstream, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE),
                      0x64617461);
    wire_expect(upstream, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_OK);
    wire_send(upstream, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_OK);
    /* It has ended: what either side says of it now reaches nobody. */
    wire_send(client, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE, "late", 4);
    wire_send(upstream, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE, "late", 4);
    ck_assert(wire_is_quiet(upstream));
    ck_assert(wire_is_quiet(client));
}
END_TEST

START_TEST(a_stream_ends_with_its_daemon)
{
    const int download = REMOTE_PROC_STORAGE_VOL_DOWNLOAD;

    call_and_boot(download, 2, "storage:///system");
    wire_send(upstream, download, KILN_FRAME_REPLY, 2, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, download, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    wire_send(upstream, download, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE, "data", 4);
    wire_expect(client, download, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE);
    lose_upstream();
    ck_assert_uint_eq(expect_error(download, KILN_FRAME_STREAM, 2), VIR_ERR_SYSTEM_ERROR);
    ck_assert(wire_is_quiet(client));
}
END_TEST

START_TEST(a_slow_client_stops_its_daemon_alone)
{
    const int download = REMOTE_PROC_STORAGE_VOL_DOWNLOAD;
    g_autofree guint8 *data = g_malloc0(KILN_FRAME_STREAM_CHUNK);
    gsize sent = 0;

    call_and_boot(download, 2, "storage:///system");
    wire_send(upstream, download, KILN_FRAME_REPLY, 2, KILN_FRAME_OK, NULL, 0);
    /* Nobody reads: at some point the daemon cannot send more, long before all memory is used. */
    for (guint still = 0; still < 20;) {
        KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                              .version = 1,
                              .procedure = download,
                              .type = KILN_FRAME_STREAM,
                              .serial = 2,
                              .status = KILN_FRAME_CONTINUE };
        g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, data, KILN_FRAME_STREAM_CHUNK);
        gsize length = g_bytes_get_size(packet);
        gsize at = sent % length;
        ssize_t n =
            write(upstream->fd, (const char *)g_bytes_get_data(packet, NULL) + at, length - at);

        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (gsize)n : 0;
        ck_assert_uint_lt(sent, 64 << 20);
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert_uint_gt(sent, 1 << 20);
    /* It reads again: all of it comes. */
    wire_expect(client, download, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    for (gsize i = 0; i < sent / (KILN_FRAME_STREAM_CHUNK + KILN_FRAME_HEADER_SIZE); i++)
        wire_expect(client, download, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE);
}
END_TEST

START_TEST(a_slow_daemon_stops_its_client)
{
    const int upload = REMOTE_PROC_STORAGE_VOL_UPLOAD;
    g_autofree guint8 *data = g_malloc0(KILN_FRAME_STREAM_CHUNK);
    KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                          .version = 1,
                          .procedure = upload,
                          .type = KILN_FRAME_STREAM,
                          .serial = 2,
                          .status = KILN_FRAME_CONTINUE };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, data, KILN_FRAME_STREAM_CHUNK);
    gsize length = g_bytes_get_size(packet);
    gsize sent = 0;

    call_and_boot(upload, 2, "storage:///system");
    wire_send(upstream, upload, KILN_FRAME_REPLY, 2, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, upload, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    for (guint still = 0; still < 20;) {
        gsize at = sent % length;
        ssize_t n = send(client->fd, (const char *)g_bytes_get_data(packet, NULL) + at, length - at,
                         MSG_DONTWAIT);

        still = n > 0 ? 0 : still + 1;
        sent += n > 0 ? (gsize)n : 0;
        ck_assert_uint_lt(sent, 64 << 20);
        g_main_context_iteration(NULL, FALSE);
    }
    for (gsize i = 0; i < sent / length; i++)
        wire_expect(upstream, upload, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE);
}
END_TEST

START_TEST(events_keep_their_number_over_a_restart)
{
    static const guint8 message[] = { 0, 0, 0, 9, 1, 2, 3, 4 };
    KilnPacket *packet;

    call_and_boot(REGISTER, 2, "network:///system");
    wire_send_number(upstream, REGISTER, KILN_FRAME_REPLY, 2, 3);
    ck_assert_uint_eq(wire_expect(client, REGISTER, KILN_FRAME_REPLY, 2, KILN_FRAME_OK), 3);
    wire_send_number(upstream, EVENT, KILN_FRAME_MESSAGE, 1, 3);
    ck_assert_uint_eq(wire_expect(client, EVENT, KILN_FRAME_MESSAGE, 1, KILN_FRAME_OK), 3);
    lose_upstream();
    /* It is made again without a call. */
    upstream = upstream_accept(listener);
    upstream_boot(upstream, "network:///system", 0);
    packet = wire_wait(upstream);
    ck_assert_int_eq(packet->procedure, REGISTER);
    ck_assert_uint_ge(packet->serial, 0x40000000);
    wire_send_number(upstream, REGISTER, KILN_FRAME_REPLY, packet->serial, 9);
    kiln_packet_free(packet);
    wire_send(upstream, EVENT, KILN_FRAME_MESSAGE, 1, KILN_FRAME_OK, message, sizeof message);
    ck_assert_uint_eq(wire_expect(client, EVENT, KILN_FRAME_MESSAGE, 1, KILN_FRAME_OK), 3);
    /* A new one whose number the client has already: it gets another. */
    wire_send(client, REGISTER, KILN_FRAME_CALL, 4, KILN_FRAME_OK, NULL, 0);
    wire_expect(upstream, REGISTER, KILN_FRAME_CALL, 4, KILN_FRAME_OK);
    wire_send_number(upstream, REGISTER, KILN_FRAME_REPLY, 4, 3);
    ck_assert_uint_eq(wire_expect(client, REGISTER, KILN_FRAME_REPLY, 4, KILN_FRAME_OK), 4);
    wire_send_number(upstream, EVENT, KILN_FRAME_MESSAGE, 1, 3);
    ck_assert_uint_eq(wire_expect(client, EVENT, KILN_FRAME_MESSAGE, 1, KILN_FRAME_OK), 4);
    /* It ends by the number that the daemon knows. */
    wire_send_number(client, DEREGISTER, KILN_FRAME_CALL, 5, 3);
    ck_assert_uint_eq(wire_expect(upstream, DEREGISTER, KILN_FRAME_CALL, 5, KILN_FRAME_OK), 9);
    wire_send(upstream, DEREGISTER, KILN_FRAME_REPLY, 5, KILN_FRAME_OK, NULL, 0);
    wire_expect(client, DEREGISTER, KILN_FRAME_REPLY, 5, KILN_FRAME_OK);
    wire_send_number(upstream, EVENT, KILN_FRAME_MESSAGE, 1, 9);
    ck_assert(wire_is_quiet(client));
}
END_TEST

START_TEST(what_is_no_answer_ends_the_connection)
{
    static const struct {
        const char *bytes;
        gsize length;
    } wrong[] = {
        { "\0\0\0\0", 4 },         /* too short */
        { "\xff\xff\xff\xff", 4 }, /* too long */
        { "\0\0\0\x1c\x20\0\x80\x86\0\0\0\1\0\0\0\x2e\0\0\0\0\0\0\0\2\0\0\0\0", 28 }, /* a call */
        { "\0\0\0\x1c\x20\0\x80\x87\0\0\0\1\0\0\0\x2e\0\0\0\1\0\0\0\2\0\0\0\0", 28 }, /* QEMU's */
        { "\0\0\0\x1c\x20\0\x80\x86\0\0\0\1\0\0\0\x2e\0\0\0\5\0\0\0\2\0\0\0\0", 28 }, /* with fds */
    };

    listener = upstream_listen(path);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        wire_send(client, LOOKUP, KILN_FRAME_CALL, i + 2, KILN_FRAME_OK, NULL, 0);
        upstream = upstream_accept(listener);
        upstream_boot(upstream, "network:///system", 0);
        wire_expect(upstream, LOOKUP, KILN_FRAME_CALL, i + 2, KILN_FRAME_OK);
        wire_send_bytes(upstream, wrong[i].bytes, wrong[i].length);
        ck_assert_uint_eq(expect_error(LOOKUP, KILN_FRAME_REPLY, i + 2), VIR_ERR_SYSTEM_ERROR);
        lose_upstream();
    }
}
END_TEST

START_TEST(answers_that_nobody_waits_for_are_dropped)
{
    call_and_boot(LOOKUP, 2, "network:///system");
    wire_send_number(upstream, LOOKUP, KILN_FRAME_REPLY, 77, 1);
    wire_send_number(upstream, EVENT, KILN_FRAME_MESSAGE, 1, 3);
    wire_send(upstream, EVENT, KILN_FRAME_MESSAGE, 1, KILN_FRAME_OK, NULL, 0);
    wire_send_number(upstream, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, KILN_FRAME_MESSAGE, 1,
                     0);
    wire_send(upstream, LOOKUP, KILN_FRAME_STREAM, 2, KILN_FRAME_CONTINUE, "x", 1);
    ck_assert(wire_is_quiet(client));
    wire_send_number(upstream, LOOKUP, KILN_FRAME_REPLY, 2, 1);
    wire_expect(client, LOOKUP, KILN_FRAME_REPLY, 2, KILN_FRAME_OK);
    wire_send_number(upstream, LOOKUP, KILN_FRAME_REPLY, 2, 1);
    ck_assert(wire_is_quiet(client));
}
END_TEST

START_TEST(a_ping_is_answered)
{
    KilnPacket header = { .program = KILN_PROGRAM_KEEPALIVE,
                          .version = 1,
                          .procedure = KILN_KEEPALIVE_PING,
                          .type = KILN_FRAME_MESSAGE };
    g_autoptr(GBytes) ping = kiln_frame_encode_raw(&header, NULL, 0);
    KilnPacket *pong;

    call_and_boot(LOOKUP, 2, "network:///system");
    wire_send_bytes(upstream, g_bytes_get_data(ping, NULL), g_bytes_get_size(ping));
    pong = wire_wait(upstream);
    ck_assert_uint_eq(pong->program, KILN_PROGRAM_KEEPALIVE);
    ck_assert_int_eq(pong->procedure, KILN_KEEPALIVE_PONG);
    kiln_packet_free(pong);
}
END_TEST

START_TEST(a_client_that_leaves_takes_its_connections_along)
{
    call_and_boot(LOOKUP, 2, "network:///system");
    g_clear_pointer(&client, wire_free);
    ck_assert_ptr_null(wire_wait(upstream));
}
END_TEST

static Suite *
relay_suite(void)
{
    Suite *suite = suite_create("relay");
    TCase *tcase = kiln_test_case(suite, "session");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, packets_go_through_unchanged);
    tcase_add_test(tcase, drivers_have_connections_of_their_own);
    tcase_add_test(tcase, a_reader_opens_read_only);
    tcase_add_test(tcase, without_a_daemon_programs_degrade);
    tcase_add_test(tcase, a_daemon_without_that_driver_is_none);
    tcase_add_test(tcase, a_boot_that_fails_says_why);
    tcase_add_test(tcase, upstream_death_ends_what_is_outstanding);
    tcase_add_test(tcase, streams_go_both_ways);
    tcase_add_test(tcase, a_stream_ends_with_its_daemon);
    tcase_add_test(tcase, a_slow_client_stops_its_daemon_alone);
    tcase_add_test(tcase, a_slow_daemon_stops_its_client);
    tcase_add_test(tcase, events_keep_their_number_over_a_restart);
    tcase_add_test(tcase, what_is_no_answer_ends_the_connection);
    tcase_add_test(tcase, answers_that_nobody_waits_for_are_dropped);
    tcase_add_test(tcase, a_ping_is_answered);
    tcase_add_test(tcase, a_client_that_leaves_takes_its_connections_along);
    return suite;
}

KILN_TEST_MAIN(relay_suite)
