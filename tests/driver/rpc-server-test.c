/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/rpc-peer.h"

#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A small table ---- */

static GPtrArray *waiting; /* (element-type KilnCall): of DOMAIN_CREATE, ended by the test */
static int driver_data;

static void
on_hostname(KilnCall *call, gconstpointer args)
{
    remote_connect_get_hostname_ret ret = { (char *)"a.host" };

    ck_assert_ptr_eq(kiln_call_driver(call), &driver_data);
    kiln_call_reply(call, &ret);
}

static void
on_lookup(KilnCall *call, gconstpointer data)
{
    const remote_domain_lookup_by_name_args *args = data;

    kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", args->name);
}

static void
on_wait(KilnCall *call, gconstpointer args)
{
    g_ptr_array_add(waiting, call);
}

static void
on_define(KilnCall *call, gconstpointer data)
{
    const remote_domain_define_xml_args *args = data;

    ck_assert_str_eq(args->xml, "<domain/>");
    kiln_call_fail(call, VIR_ERR_XML_ERROR, "empty");
}

static void
on_big(KilnCall *call, gconstpointer args)
{
    g_autofree char *text = g_strnfill(4 << 20, 'x');
    remote_connect_get_capabilities_ret ret = { text };

    kiln_call_reply(call, &ret);
}

static guint n_raw;
static gboolean raw_silent; /* it is not answered (yet) */

static void
on_raw(KilnClient *client, KilnPacket *packet)
{
    KilnPacket header = *packet;
    g_autoptr(GBytes) answer = NULL;

    n_raw++;
    if (raw_silent)
        return;
    header.type = KILN_FRAME_REPLY;
    answer = kiln_frame_encode_raw(&header, "raw!", 4);
    kiln_client_send_packet(client, answer);
}

/* Gives back what it was sent, and what it says. */
static void
on_files(KilnCall *call, gconstpointer args)
{
    int fd = kiln_call_steal_fd(call, 0);
    remote_domain_create_with_files_ret ret = { { (char *)"x", "", 1 } };

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(kiln_call_steal_fd(call, 0), -1);
    ck_assert_int_ge(kiln_call_steal_fd(call, 1), 0);
    ck_assert_int_eq(kiln_call_steal_fd(call, 2), -1);
    kiln_call_reply_fds(call, &ret, &fd, 1);
    ck_assert_int_eq(write(fd, "hello", 5), 5);
    close(fd);
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_hostname),
    KILN_PROC_RET(CONNECT_GET_CAPABILITIES, connect_get_capabilities, KILN_ACCESS_READ, on_big),
    KILN_PROC(DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, KILN_ACCESS_READ, on_lookup),
    KILN_PROC(DOMAIN_DEFINE_XML, domain_define_xml, KILN_ACCESS_WRITE, on_define),
    KILN_PROC_ARGS(DOMAIN_CREATE, domain_create, KILN_ACCESS_WRITE, on_wait),
    KILN_PROC(DOMAIN_CREATE_WITH_FILES, domain_create_with_files, KILN_ACCESS_WRITE, on_files),
    KILN_PROC_REFUSED(DOMAIN_MIGRATE_PREPARE, KILN_ACCESS_WRITE, "guests cannot be migrated yet"),
    KILN_PROC_RAW(CONNECT_NUM_OF_NETWORKS, KILN_ACCESS_READ, on_raw),
};
static const KilnProcedureTable table = { rows, G_N_ELEMENTS(rows) };

static void
on_agent(KilnCall *call, gconstpointer data)
{
    const qemu_domain_agent_command_args *args = data;
    char *line = args->cmd;
    const qemu_domain_agent_command_ret ret = { &line };

    kiln_call_reply(call, &ret);
}

static const KilnProcedure qemu_rows[] = {
    KILN_PROC_QEMU(DOMAIN_AGENT_COMMAND, domain_agent_command, KILN_ACCESS_WRITE, on_agent),
};
static const KilnProcedureTable qemu = { qemu_rows, G_N_ELEMENTS(qemu_rows) };
static const KilnProcedureTable *const tables[] = { &table, NULL };

static RpcHost *
host_new(KilnServerLimits limits)
{
    KilnServerOptions options = {
        .tables = tables,
        .qemu = &qemu,
        .driver = &driver_data,
        .limits = limits,
    };

    g_clear_pointer(&waiting, g_ptr_array_unref);
    waiting = g_ptr_array_new();
    return rpc_host_new(&options, KILN_AUTH_NONE);
}

static void
call_create(RpcPeer *peer)
{
    remote_domain_create_args args = { { (char *)"web", "", 1 } };

    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_CREATE, (xdrproc_t)xdr_remote_domain_create_args, &args);
}

/* ---- Calls ---- */

START_TEST(a_call_is_answered)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    remote_connect_get_hostname_ret ret = { 0 };

    rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    rpc_peer_expect_reply(peer, (xdrproc_t)xdr_remote_connect_get_hostname_ret, &ret);
    ck_assert_str_eq(ret.hostname, "a.host");
    xdr_free((xdrproc_t)xdr_remote_connect_get_hostname_ret, (char *)&ret);
}
END_TEST

START_TEST(an_error_has_code_and_text)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    remote_domain_lookup_by_name_args args = { (char *)"web" };

    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME,
                  (xdrproc_t)xdr_remote_domain_lookup_by_name_args, &args);
    rpc_peer_expect_error(peer, VIR_ERR_NO_DOMAIN,
                          "Domain not found: no domain with matching name 'web'");
}
END_TEST

START_TEST(what_is_not_served_says_why)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_MIGRATE_PREPARE, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_OPERATION_UNSUPPORTED, "guests cannot be migrated yet");
    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_SUSPEND, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_NO_SUPPORT, "not supported by the connection driver");
    rpc_peer_call(peer, 449, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "unknown procedure: 449");
    rpc_peer_call(peer, 0, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "unknown procedure: 0");
    rpc_peer_call(peer, -7, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "unknown procedure: -7");
    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_DEFINE_XML, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "Unable to decode message payload");
}
END_TEST

static void
call_header(RpcPeer *peer, guint32 program, guint32 version, gint32 procedure, guint32 status)
{
    const KilnPacket header = {
        .program = program,
        .version = version,
        .procedure = procedure,
        .serial = ++peer->serial,
        .status = status,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, "", 0);

    rpc_peer_send_packet(peer, packet);
}

static void
expect_refused(RpcPeer *peer, guint32 program, int code, const char *text)
{
    KilnPacket *packet = rpc_peer_receive(peer);

    ck_assert_ptr_nonnull(packet);
    ck_assert_uint_eq(packet->program, program);
    ck_assert_uint_eq(packet->serial, peer->serial);
    rpc_peer_expect_packet_error(packet, code, text);
    kiln_packet_free(packet);
}

START_TEST(other_programs_are_refused)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

    call_header(peer, 0x12345678, 1, 1, 0);
    expect_refused(peer, 0x12345678, VIR_ERR_RPC, "Cannot find program 305419896 version 1");
    call_header(peer, KILN_PROGRAM_REMOTE, 2, 1, 0);
    call_header(peer, KILN_PROGRAM_QEMU, 1, 1, 0);
    peer->serial--;
    expect_refused(peer, KILN_PROGRAM_REMOTE, VIR_ERR_RPC, "version 2");
    peer->serial++;
    expect_refused(peer, KILN_PROGRAM_QEMU, VIR_ERR_NO_SUPPORT, "QEMU");
    call_header(peer, KILN_PROGRAM_LXC, 1, 1, 0);
    expect_refused(peer, KILN_PROGRAM_LXC, VIR_ERR_NO_SUPPORT, "LXC");
    call_header(peer, KILN_PROGRAM_REMOTE, 1, REMOTE_PROC_CONNECT_GET_HOSTNAME, KILN_FRAME_ERROR);
    expect_refused(peer, KILN_PROGRAM_REMOTE, VIR_ERR_RPC, "Unexpected message status 1");
}
END_TEST

START_TEST(an_agent_command_is_of_the_qemu_program)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    g_autoptr(RpcPeer) reader = rpc_peer_open(host->path, 1);
    qemu_domain_agent_command_args args = { { (char *)"web", "", 1 }, (char *)"{}", 5, 0 };
    qemu_domain_agent_command_ret ret = { NULL };
    const KilnPacket header = { KILN_PROGRAM_QEMU,
                                KILN_PROGRAM_VERSION,
                                QEMU_PROC_DOMAIN_AGENT_COMMAND,
                                KILN_FRAME_CALL,
                                9,
                                0 };
    g_autoptr(GBytes) packet =
        kiln_frame_encode(&header, 0, (xdrproc_t)xdr_qemu_domain_agent_command_args, &args);
    KilnPacket *answer = NULL;

    rpc_peer_send_packet(peer, packet);
    answer = rpc_peer_receive(peer);
    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->program, KILN_PROGRAM_QEMU);
    ck_assert(kiln_frame_decode(answer, (xdrproc_t)xdr_qemu_domain_agent_command_ret, &ret));
    ck_assert_str_eq(*ret.result, "{}");
    xdr_free((xdrproc_t)xdr_qemu_domain_agent_command_ret, (char *)&ret);
    kiln_packet_free(answer);
    rpc_peer_send_packet(reader, packet);
    reader->serial = 9;
    expect_refused(reader, KILN_PROGRAM_QEMU, VIR_ERR_OPERATION_DENIED, "read only");
}
END_TEST

/* A connection that is read-only by its socket, or by what it said. */
START_TEST(read_only_refuses_writes)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });

    for (int i = 0; i < 2; i++) {
        g_autoptr(RpcPeer) peer =
            i == 0 ? rpc_peer_open(host->path_ro, 0) : rpc_peer_open(host->path, 1);

        rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
        rpc_peer_expect_reply(peer, NULL, NULL);
        call_create(peer);
        rpc_peer_expect_error(peer, VIR_ERR_OPERATION_DENIED,
                              "operation forbidden: read only access prevents virDomainCreate");
        rpc_peer_call(peer, REMOTE_PROC_DOMAIN_DEFINE_XML, NULL, NULL);
        rpc_peer_expect_error(peer, VIR_ERR_OPERATION_DENIED, "prevents virDomainDefineXML");
        call_header(peer, KILN_PROGRAM_QEMU, 1, 1, 0);
        expect_refused(peer, KILN_PROGRAM_QEMU, VIR_ERR_OPERATION_DENIED, "read only");
    }
    ck_assert_uint_eq(waiting->len, 0);
}
END_TEST

START_TEST(first_authenticate_then_open)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_new(host->path);
    char *name = (char *)"kiln:///system";
    remote_connect_open_args args = { &name, 0 };
    remote_auth_list_ret types = { { 0 } };

    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "authentication required");
    rpc_peer_call(peer, REMOTE_PROC_DOMAIN_SUSPEND, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "authentication required");
    rpc_peer_call(peer, REMOTE_PROC_AUTH_SASL_INIT, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_AUTH_FAILED, "SASL");
    rpc_peer_call(peer, REMOTE_PROC_AUTH_LIST, NULL, NULL);
    rpc_peer_expect_reply(peer, (xdrproc_t)xdr_remote_auth_list_ret, &types);
    ck_assert_uint_eq(types.types.types_len, 1);
    ck_assert_int_eq(types.types.types_val[0], REMOTE_AUTH_NONE);
    xdr_free((xdrproc_t)xdr_remote_auth_list_ret, (char *)&types);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_INTERNAL_ERROR, "connection not open");
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    rpc_peer_expect_reply(peer, NULL, NULL);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    rpc_peer_expect_error(peer, VIR_ERR_INTERNAL_ERROR, "connection already open");
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_CLOSE, NULL, NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
    rpc_peer_assert_ended(peer);
    rpc_run_until(kiln_server_n_clients(host->server) == 0);
}
END_TEST

START_TEST(an_answer_may_be_late)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

    call_create(peer);
    rpc_run_until(waiting->len == 1);
    ck_assert(rpc_peer_is_quiet(peer));
    kiln_call_reply(waiting->pdata[0], NULL);
    rpc_peer_expect_reply(peer, NULL, NULL);
}
END_TEST

START_TEST(a_client_may_leave_before_its_answer)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    RpcPeer *peer = rpc_peer_open(host->path, 0);

    call_create(peer);
    call_create(peer);
    rpc_run_until(waiting->len == 2);
    ck_assert(!kiln_call_abandoned(waiting->pdata[0]));
    rpc_peer_free(peer);
    rpc_run_until(kiln_server_n_clients(host->server) == 0);
    ck_assert(kiln_call_abandoned(waiting->pdata[0]));
    kiln_call_reply(waiting->pdata[0], NULL);
    g_clear_pointer(&host->server, kiln_server_free);
    kiln_call_fail(waiting->pdata[1], VIR_ERR_OPERATION_FAILED, "too late");
}
END_TEST

START_TEST(descriptors_come_and_go)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
    remote_domain_create_with_files_args args = { { (char *)"web", "", 1 }, 0 };
    KilnPacket header = {
        .program = KILN_PROGRAM_REMOTE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = REMOTE_PROC_DOMAIN_CREATE_WITH_FILES,
        .type = KILN_FRAME_CALL_WITH_FDS,
        .serial = 77,
    };
    g_autoptr(GBytes) packet =
        kiln_frame_encode(&header, 2, (xdrproc_t)xdr_remote_domain_create_with_files_args, &args);
    KilnPacket *answer = NULL;
    char text[8] = "";
    int ends[2];
    int fd = -1;

    ck_assert_int_eq(pipe(ends), 0);
    rpc_peer_send_packet(peer, packet);
    ck_assert(rpc_peer_is_quiet(peer));
    rpc_peer_send_fd(peer, ends[1]);
    ck_assert(rpc_peer_is_quiet(peer));
    rpc_peer_send_fd(peer, ends[0]);
    close(ends[1]);
    /* A packet right behind them is one more. */
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_GET_HOSTNAME, NULL, NULL);
    answer = rpc_peer_receive(peer);
    ck_assert_ptr_nonnull(answer);
    ck_assert_uint_eq(answer->type, KILN_FRAME_REPLY_WITH_FDS);
    ck_assert_uint_eq(answer->serial, 77);
    ck_assert_int_eq(kiln_frame_n_fds(answer), 1);
    kiln_packet_free(answer);
    fd = rpc_peer_receive_fd(peer);
    ck_assert_int_eq(write(fd, "!", 1), 1);
    ck_assert_int_eq(read(ends[0], text, sizeof text), 6);
    ck_assert_mem_eq(text, "hello!", 6);
    rpc_peer_expect_reply(peer, NULL, NULL);
    close(fd);
    close(ends[0]);
}
END_TEST

START_TEST(bytes_where_descriptors_belong_end_it)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });

    for (guint32 n = 1; n <= 33; n += 32) {
        g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);
        const KilnPacket header = {
            .program = KILN_PROGRAM_REMOTE,
            .version = KILN_PROGRAM_VERSION,
            .type = KILN_FRAME_CALL_WITH_FDS,
        };
        g_autoptr(GBytes) packet = kiln_frame_encode(&header, n, NULL, NULL);

        rpc_peer_send_packet(peer, packet);
        rpc_peer_send(peer, "xxxx", 4);
        rpc_peer_assert_ended(peer);
    }
}
END_TEST

START_TEST(a_raw_row_gets_the_packet)
{
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

    /* More than may be under way: each answer makes place. */
    for (int i = 0; i < 20; i++) {
        KilnPacket *answer = NULL;
        gsize length = 0;

        rpc_peer_call(peer, REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, NULL, NULL);
        answer = rpc_peer_receive(peer);
        ck_assert_ptr_nonnull(answer);
        ck_assert_mem_eq(kiln_frame_payload(answer, &length), "raw!", 4);
        kiln_packet_free(answer);
    }
}
END_TEST

START_TEST(a_serial_is_one_raw_call)
{
    static const int second[] = { REMOTE_PROC_CONNECT_NUM_OF_NETWORKS,
                                  REMOTE_PROC_DOMAIN_MIGRATE_PREPARE };

    raw_silent = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(second); i++) {
        g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
        g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

        n_raw = 0;
        rpc_peer_call(peer, REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, NULL, NULL);
        rpc_settle();
        peer->serial--;
        rpc_peer_call(peer, second[i], NULL, NULL);
        rpc_peer_assert_ended(peer);
        ck_assert_uint_eq(n_raw, 1);
    }
    raw_silent = FALSE;
}
END_TEST

START_TEST(a_string_is_utf8)
{
    static const char *const names[] = { "\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80" };
    g_autoptr(RpcHost) host = host_new((KilnServerLimits){ 0 });
    g_autoptr(RpcPeer) peer = rpc_peer_open(host->path, 0);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        remote_domain_lookup_by_name_args args = { (char *)names[i] };

        rpc_peer_call(peer, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME,
                      (xdrproc_t)xdr_remote_domain_lookup_by_name_args, &args);
        rpc_peer_expect_error(peer, VIR_ERR_RPC, "Unable to decode message payload");
    }
}
END_TEST

static Suite *
suite(void)
{
    Suite *rpc = suite_create("rpc-server");
    TCase *calls = kiln_test_case(rpc, "calls");

    tcase_add_test(calls, a_call_is_answered);
    tcase_add_test(calls, an_error_has_code_and_text);
    tcase_add_test(calls, what_is_not_served_says_why);
    tcase_add_test(calls, other_programs_are_refused);
    tcase_add_test(calls, an_agent_command_is_of_the_qemu_program);
    tcase_add_test(calls, read_only_refuses_writes);
    tcase_add_test(calls, first_authenticate_then_open);
    tcase_add_test(calls, an_answer_may_be_late);
    tcase_add_test(calls, a_client_may_leave_before_its_answer);
    tcase_add_test(calls, descriptors_come_and_go);
    tcase_add_test(calls, bytes_where_descriptors_belong_end_it);
    tcase_add_test(calls, a_raw_row_gets_the_packet);
    tcase_add_test(calls, a_serial_is_one_raw_call);
    tcase_add_test(calls, a_string_is_utf8);
    return rpc;
}

KILN_TEST_MAIN(suite)
