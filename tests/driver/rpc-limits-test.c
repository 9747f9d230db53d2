/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one client may not do to the others, what it is told, and when it is closed. */
#include "tests/lib/rpc-peer.h"

#include "rpc/client-private.h"
#include "rpc/events.h"
#include "rpc/keepalive.h"
#include "rpc/server-private.h"
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static GPtrArray *waiting; /* (element-type KilnCall): of DOMAIN_CREATE */

static void
on_hostname(KilnCall *call, gconstpointer args)
{
    remote_connect_get_hostname_ret ret = { (char *)"a.host" };

    kiln_call_reply(call, &ret);
}

static void
on_wait(KilnCall *call, gconstpointer args)
{
    g_ptr_array_add(waiting, call);
}

static void
on_feature(KilnCall *call, gconstpointer args)
{
    remote_connect_supports_feature_ret ret = { 1 };

    kiln_client_start_keepalive(kiln_call_client(call));
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_hostname),
    KILN_PROC(CONNECT_SUPPORTS_FEATURE, connect_supports_feature, KILN_ACCESS_CONNECT, on_feature),
    KILN_PROC_PLAIN(DOMAIN_CREATE, KILN_ACCESS_WRITE, on_wait),
};
static const KilnProcedureTable table = { rows, G_N_ELEMENTS(rows) };
static const KilnProcedureTable *const tables[] = { &table, NULL };

static RpcHost *
host_new(KilnServerLimits limits)
{
    KilnServerOptions options = { .tables = tables, .limits = limits };

    g_clear_pointer(&waiting, g_ptr_array_unref);
    waiting = g_ptr_array_new();
    return rpc_host_new(&options, KILN_AUTH_NONE);
}

static void
assert_served(RpcPeer *peer)
{
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
}

/* ---- Limits ---- */

START_TEST(more_calls_wait_in_the_socket)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ .max_client_requests = 3 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) other = rpc_peer_open(host->path, 0);

    for (int i = 0; i < 10; i++)
        rpc_peer_call(peer, REMOTE_PROC_DOMAIN_CREATE, NULL, NULL);
    rpc_settle();
    ck_assert_uint_eq(waiting->len, 3);
    assert_served(other);
    for (guint i = 0; i < 10; i++) {
        rpc_run_until(waiting->len > i);
        ck_assert_uint_le(waiting->len, i + 3);
        kiln_call_reply(waiting->pdata[i], NULL);
    }
    for (guint i = 0; i < 10; i++) {
        peer->serial = i + 3;
        rpc_peer_expect_reply(peer, NULL, NULL);
    }
}
END_TEST

START_TEST(a_full_house_takes_nobody)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ .max_clients = 2 });
    g_autoptr(RpcPeer) one = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) two = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) three = rpc_peer_new(host->path);

    rpc_peer_assert_ended(three);
    assert_served(one);
    assert_served(two);
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 2);
}
END_TEST

/* Connections that never open make place for those that do. */
START_TEST(half_open_ones_hold_no_place)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ .max_clients = 10 });
    RpcPeer *idle[100];

    for (guint i = 0; i < G_N_ELEMENTS(idle); i++) {
        idle[i] = rpc_peer_new(host->path);
        rpc_peer_send(idle[i], "\0\0", i % 3);
    }
    rpc_settle();
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 10);
    for (int i = 0; i < 9; i++) {
        RpcPeer *peer = rpc_peer_open(host->path, 0);

        assert_served(peer);
        rpc_peer_free(peer);
    }
    for (guint i = 0; i < G_N_ELEMENTS(idle); i++)
        rpc_peer_free(idle[i]);
}
END_TEST

START_TEST(a_handshake_has_its_time)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ .handshake_seconds = 5 });
    g_autoptr(RpcPeer) open = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) half = rpc_peer_new(host->path);
    gint64 now_us = g_get_monotonic_time();

    rpc_peer_call(half, REMOTE_PROC_AUTH_LIST, NULL, NULL);
    rpc_peer_expect_reply(half, NULL, NULL);
    kiln_server_check_handshakes(host->server, now_us + 4 * G_USEC_PER_SEC);
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 2);
    kiln_server_check_handshakes(host->server, now_us + 10 * G_USEC_PER_SEC);
    rpc_peer_assert_ended(half);
    assert_served(open);
}
END_TEST

START_TEST(noise_ends_the_connection)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) good = rpc_peer_open(host->path, 0);
    g_autofree char *noise = g_strnfill(1 << 20, '\xa5');
    const char *const lengths[] = { "\0\0\0\0", "\0\0\0\x1b", "\x02\0\0\x05", "\xff\xff\xff\xff" };

    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(RpcPeer) bad = rpc_peer_open(host->path, 0);

        rpc_peer_send(bad, lengths[i], 4);
        for (int j = 0; j < 4; j++)
            rpc_peer_send(bad, noise, 1 << 20);
        rpc_peer_assert_ended(bad);
        assert_served(good);
    }
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 1);
}
END_TEST

/* The largest packet there may be is one, and whose length says that much is given memory as it
 * comes; who is not authenticated may not send as much. */
START_TEST(a_packet_of_32_mib_is_taken)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) good = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) big = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) early = rpc_peer_new(host->path);
    const KilnPacket header = { KILN_PROGRAM_REMOTE,
                                KILN_PROGRAM_VERSION,
                                REMOTE_PROC_CONNECT_GET_HOSTNAME,
                                KILN_FRAME_CALL,
                                3,
                                0 };
    gsize length = KILN_FRAME_MAX - KILN_FRAME_HEADER_SIZE;
    g_autofree char *payload = g_malloc0(length);
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, payload, length);

    rpc_peer_send(big, g_bytes_get_data(packet, NULL), 100);
    rpc_settle();
    ck_assert_uint_lt(((KilnClient *)g_queue_peek_nth(&host->server->clients, 1))->in.allocated,
                      65536);
    rpc_peer_send(big, (const char *)g_bytes_get_data(packet, NULL) + 100, KILN_FRAME_MAX - 100);
    big->serial = 3;
    rpc_peer_expect_reply(big, NULL, NULL);
    rpc_peer_send(early, g_bytes_get_data(packet, NULL), 100);
    rpc_peer_assert_ended(early);
    assert_served(good);
}
END_TEST

START_TEST(who_vanishes_in_a_packet_is_forgotten)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    RpcPeer *peer = rpc_peer_open(host->path, 0);

    rpc_peer_send(peer, "\0\1\0\0abc", 7);
    rpc_settle();
    rpc_peer_free(peer);
    rpc_run_until(kiln_server_n_clients(host->server) == 0);
}
END_TEST

/* ---- Events ---- */

static gint32
listen_for(RpcPeer *peer, int event_id, const char *uuid)
{
    remote_nonnull_domain domain = { (char *)"web", "", 1 };
    remote_connect_domain_event_callback_register_any_args args = { event_id, NULL };
    remote_connect_domain_event_callback_register_any_ret ret = { -1 };

    if (uuid != NULL) {
        memcpy(domain.uuid, uuid, VIR_UUID_BUFLEN);
        args.dom = &domain;
    }
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
                  (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_args, &args);
    rpc_peer_expect_reply(
        peer, (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_ret, &ret);
    return ret.callbackID;
}

static void
emit(RpcHost *host, const char *uuid, int detail)
{
    remote_domain_event_callback_lifecycle_msg message = {
        .msg = { .dom.name = (char *)"web", .event = VIR_DOMAIN_EVENT_STARTED, .detail = detail },
    };

    kiln_events_emit(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE, (const guint8 *)uuid, &message);
}

static void
expect_event(RpcPeer *peer, gint32 callback, int detail)
{
    remote_domain_event_callback_lifecycle_msg message = { 0 };
    KilnPacket *packet = rpc_peer_receive(peer);

    ck_assert_ptr_nonnull(packet);
    ck_assert_uint_eq(packet->type, KILN_FRAME_MESSAGE);
    ck_assert_int_eq(packet->procedure, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
    ck_assert(kiln_frame_decode(packet, (xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg,
                                &message));
    ck_assert_int_eq(message.callbackID, callback);
    ck_assert_int_eq(message.msg.detail, detail);
    ck_assert_str_eq(message.msg.dom.name, "web");
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, (char *)&message);
    kiln_packet_free(packet);
}

static const char A[] = "aaaaaaaaaaaaaaaa";
static const char B[] = "bbbbbbbbbbbbbbbb";

START_TEST(events_are_filtered_and_in_order)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) all = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) some = rpc_peer_open(host->path_ro, 0);
    remote_connect_domain_event_callback_deregister_any_args args = { 0 };
    gint32 every = 0;
    gint32 other = 0;
    gint32 only_b = 0;

    ck_assert(!kiln_events_wanted(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE));
    every = listen_for(all, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL);
    other = listen_for(all, VIR_DOMAIN_EVENT_ID_LIFECYCLE, A);
    only_b = listen_for(some, VIR_DOMAIN_EVENT_ID_LIFECYCLE, B);
    ck_assert_int_ne(every, other);
    ck_assert(kiln_events_wanted(host->server, VIR_DOMAIN_EVENT_ID_LIFECYCLE));
    ck_assert(!kiln_events_wanted(host->server, VIR_DOMAIN_EVENT_ID_REBOOT));
    emit(host, A, 1);
    emit(host, B, 2);
    expect_event(all, every, 1);
    expect_event(all, other, 1);
    expect_event(all, every, 2);
    expect_event(some, only_b, 2);
    ck_assert(rpc_peer_is_quiet(all) && rpc_peer_is_quiet(some));

    args.callbackID = every;
    for (int i = 0; i < 2; i++) {
        rpc_peer_call(all, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
                      (xdrproc_t)xdr_remote_connect_domain_event_callback_deregister_any_args,
                      &args);
        if (i == 0)
            rpc_peer_expect_reply(all, NULL, NULL);
        else
            rpc_peer_expect_error(all, VIR_ERR_INTERNAL_ERROR, "not registered");
    }
    emit(host, A, 3);
    expect_event(all, other, 3);
    ck_assert(rpc_peer_is_quiet(all));
}
END_TEST

START_TEST(every_kind_of_event_can_be_asked_for)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    RpcPeer *peer = rpc_peer_open(host->path, 0);
    remote_connect_domain_event_callback_register_any_args args = { 27, NULL };

    for (int id = 0; id < 27; id++) {
        ck_assert_int_eq(listen_for(peer, id, NULL), id);
        ck_assert(kiln_events_wanted(host->server, id));
    }
    for (args.eventID = 27; args.eventID > -3; args.eventID -= 28) {
        rpc_peer_call(peer, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
                      (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_args, &args);
        rpc_peer_expect_error(peer, VIR_ERR_INTERNAL_ERROR, "unsupported event ID");
    }
    rpc_peer_free(peer);
    rpc_run_until(kiln_server_n_clients(host->server) == 0);
    for (int id = 0; id < 27; id++)
        ck_assert(!kiln_events_wanted(host->server, id));
}
END_TEST

START_TEST(who_does_not_read_is_dropped)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ .max_queued_bytes = 1 << 20 });
    g_autoptr(RpcPeer) deaf = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) good = rpc_peer_open(host->path, 0);
    gint32 callback = 0;
    guint events = 0;

    listen_for(deaf, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL);
    callback = listen_for(good, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL);
    while (kiln_server_n_clients(host->server) == 2) {
        emit(host, A, (int)events);
        expect_event(good, callback, (int)events);
        rpc_settle();
        ck_assert_uint_lt(events++, 100000);
    }
    assert_served(good);
}
END_TEST

/* ---- Keepalive, identity, closing ---- */

START_TEST(keepalive_answers_and_asks)
{
    g_autoptr(RpcHost) host =
        host_new((KilnServerLimits){ .keepalive_interval = 60, .keepalive_count = 2 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) plain = rpc_peer_open(host->path, 0);
    remote_connect_supports_feature_args args = { 10 };
    const KilnPacket ping = { KILN_PROGRAM_KEEPALIVE, 1, KILN_KEEPALIVE_PING, KILN_FRAME_MESSAGE };
    g_autoptr(GBytes) question = kiln_frame_encode_raw(&ping, NULL, 0);
    KilnPacket *packet = NULL;

    rpc_peer_send_packet(peer, question);
    packet = rpc_peer_receive(peer);
    ck_assert_uint_eq(packet->program, KILN_PROGRAM_KEEPALIVE);
    ck_assert_int_eq(packet->procedure, KILN_KEEPALIVE_PONG);
    ck_assert_uint_eq(packet->type, KILN_FRAME_MESSAGE);
    kiln_packet_free(packet);

    rpc_peer_call(peer, REMOTE_PROC_CONNECT_SUPPORTS_FEATURE,
                  (xdrproc_t)xdr_remote_connect_supports_feature_args, &args);
    rpc_peer_expect_reply(peer, NULL, NULL);
    kiln_keepalive_tick(host->server); /* it has just been heard */
    ck_assert(rpc_peer_is_quiet(peer));
    for (int i = 0; i < 5; i++) {
        kiln_keepalive_tick(host->server);
        packet = rpc_peer_receive(peer);
        ck_assert_int_eq(packet->procedure, KILN_KEEPALIVE_PING);
        kiln_packet_free(packet);
        /* Whatever it says is a sign of life. */
        assert_served(peer);
        kiln_keepalive_tick(host->server);
    }
    kiln_keepalive_tick(host->server);
    kiln_keepalive_tick(host->server);
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 2);
    kiln_keepalive_tick(host->server);
    ck_assert_uint_eq(kiln_server_n_clients(host->server), 1);
    assert_served(plain);
}
END_TEST

static void
set_identity(RpcPeer *peer, remote_typed_param *params, guint n)
{
    remote_connect_set_identity_args args = { { n, params }, 0 };

    rpc_peer_call(peer, REMOTE_PROC_CONNECT_SET_IDENTITY,
                  (xdrproc_t)xdr_remote_connect_set_identity_args, &args);
}

START_TEST(an_identity_is_passed_on)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    KilnClient *client = g_queue_peek_head(&host->server->clients);
    remote_typed_param params[] = {
        { (char *)"user-name", { VIR_TYPED_PARAM_STRING, { .s = (char *)"joe" } } },
        { (char *)"unix-user-id", { VIR_TYPED_PARAM_ULLONG, { .ul = 4711 } } },
    };

    ck_assert_uint_eq(kiln_client_identity(client)->uid, getuid());
    ck_assert_int_eq(kiln_client_identity(client)->pid, getpid());
    ck_assert_uint_ne(kiln_client_identity(client)->process_start, 0);
    ck_assert_str_eq(kiln_client_uri(client), "kiln:///system");
    set_identity(peer, params, 2);
    rpc_peer_expect_reply(peer, NULL, NULL);
    ck_assert_uint_eq(kiln_client_identity(client)->uid, 4711);
    ck_assert_str_eq(kiln_client_identity(client)->user, "joe");
    params[0].field = (char *)"favourite-colour";
    set_identity(peer, params, 1);
    rpc_peer_expect_error(peer, VIR_ERR_ARGUMENT_UNSUPPORTED, "favourite-colour");
    params[1].value.remote_typed_param_value_u.ul = G_MAXUINT32;
    set_identity(peer, params + 1, 1);
    rpc_peer_expect_error(peer, VIR_ERR_INVALID_ARG, "unix-user-id");
    params[1].value.type = VIR_TYPED_PARAM_STRING;
    params[1].value.remote_typed_param_value_u.s = (char *)"0";
    set_identity(peer, params + 1, 1);
    rpc_peer_expect_error(peer, VIR_ERR_INVALID_ARG, "unix-user-id");
    ck_assert_uint_eq(kiln_client_identity(client)->uid, 4711);
}
END_TEST

START_TEST(the_end_is_told_to_who_asked)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    KilnPacket *packet = NULL;

    rpc_peer_call(peer, REMOTE_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_INTERNAL_ERROR, "was not registered");
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_INTERNAL_ERROR, "already registered");
    g_clear_pointer(&host->server, kiln_server_free);
    packet = rpc_peer_receive(peer);
    ck_assert_ptr_nonnull(packet);
    ck_assert_int_eq(packet->procedure, REMOTE_PROC_CONNECT_EVENT_CONNECTION_CLOSED);
    kiln_packet_free(packet);
    rpc_peer_assert_ended(peer);
}
END_TEST

static Suite *
suite(void)
{
    Suite *rpc = suite_create("rpc-limits");
    TCase *limits = kiln_test_case(rpc, "limits");
    TCase *events = kiln_test_case(rpc, "events");
    TCase *life = kiln_test_case(rpc, "life");

    tcase_add_test(limits, more_calls_wait_in_the_socket);
    tcase_add_test(limits, a_full_house_takes_nobody);
    tcase_add_test(limits, half_open_ones_hold_no_place);
    tcase_add_test(limits, a_handshake_has_its_time);
    tcase_add_test(limits, noise_ends_the_connection);
    tcase_add_test(limits, a_packet_of_32_mib_is_taken);
    tcase_add_test(limits, who_vanishes_in_a_packet_is_forgotten);
    tcase_add_test(events, events_are_filtered_and_in_order);
    tcase_add_test(events, every_kind_of_event_can_be_asked_for);
    tcase_add_test(events, who_does_not_read_is_dropped);
    tcase_add_test(life, keepalive_answers_and_asks);
    tcase_add_test(life, an_identity_is_passed_on);
    tcase_add_test(life, the_end_is_told_to_who_asked);
    return rpc;
}

KILN_TEST_MAIN(suite)
