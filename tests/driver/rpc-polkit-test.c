/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking polkit: an authority of the test's own, on a bus between two of its descriptors. */
#include "tests/lib/rpc-peer.h"

#include "rpc/client-private.h"
#include "rpc/polkit.h"
#include "rpc/server-private.h"
#include "tests/lib/kiln-test.h"

#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char interface[] =
    "<node><interface name='org.freedesktop.PolicyKit1.Authority'>"
    "<method name='CheckAuthorization'>"
    "<arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='a{ss}' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='(bba{ss})' direction='out'/>"
    "</method></interface></node>";

typedef struct {
    RpcHost *host;
    GDBusConnection *near;
    GDBusConnection *far;
    GPtrArray *asked; /* (element-type GDBusMethodInvocation) */
} Fixture;

static Fixture f;

static void
on_method(GDBusConnection *connection, const char *sender, const char *path, const char *name,
          const char *method, GVariant *arguments, GDBusMethodInvocation *invocation, gpointer data)
{
    g_ptr_array_add(f.asked, invocation);
}

static GDBusConnection *
connection_new(int fd, GDBusConnectionFlags flags)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) socket = g_socket_new_from_fd(fd, &error);
    g_autoptr(GIOStream) stream = NULL;
    GDBusConnection *connection = NULL;

    kiln_assert_no_error(error);
    stream = G_IO_STREAM(g_socket_connection_factory_create_connection(socket));
    connection = g_dbus_connection_new_sync(stream, NULL, flags, NULL, NULL, &error);
    kiln_assert_no_error(error);
    return connection;
}

static void
set_up_bus(void)
{
    static const GDBusInterfaceVTable methods = { .method_call = on_method };
    g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(interface, NULL);
    g_autoptr(GError) error = NULL;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    f.near = connection_new(ends[0], G_DBUS_CONNECTION_FLAGS_NONE);
    f.far = connection_new(ends[1], G_DBUS_CONNECTION_FLAGS_NONE);
    g_dbus_connection_register_object(f.far, "/org/freedesktop/PolicyKit1/Authority",
                                      info->interfaces[0], &methods, NULL, NULL, &error);
    kiln_assert_no_error(error);
    f.asked = g_ptr_array_new();
    kiln_polkit_set_bus(f.near);
}

static void
set_up(void)
{
    const KilnServerOptions options = { .limits.max_anonymous_clients = 4 };

    set_up_bus();
    f.host = rpc_host_new(&options, KILN_AUTH_POLKIT);
}

static void
tear_down(void)
{
    rpc_host_free(f.host);
    kiln_polkit_set_bus(NULL);
    g_object_unref(f.near);
    g_object_unref(f.far);
    g_ptr_array_unref(f.asked);
}

/* A client that is neither root nor who runs the daemon, as far as the server knows. */
static RpcPeer *
stranger(const char *path)
{
    RpcPeer *peer = rpc_peer_new(path);
    guint n = kiln_server_n_clients(f.host->server);
    KilnClient *client = NULL;

    rpc_run_until(kiln_server_n_clients(f.host->server) > n);
    client = g_queue_peek_tail(&f.host->server->clients);
    client->user->uid = 4711;
    return peer;
}

static void
ask(RpcPeer *peer)
{
    remote_auth_list_ret types = { { 0 } };

    rpc_peer_call(peer, REMOTE_PROC_AUTH_LIST, NULL, NULL);
    rpc_peer_expect_reply(peer, (xdrproc_t)xdr_remote_auth_list_ret, &types);
    ck_assert_uint_eq(types.types.types_len, 1);
    ck_assert_int_eq(types.types.types_val[0], REMOTE_AUTH_POLKIT);
    xdr_free((xdrproc_t)xdr_remote_auth_list_ret, (char *)&types);
    rpc_peer_call(peer, REMOTE_PROC_AUTH_POLKIT, NULL, NULL);
}

static void
answer(guint i, gboolean yes, gboolean challenge, const char *detail)
{
    GVariantBuilder details = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));

    if (detail != NULL)
        g_variant_builder_add(&details, "{ss}", detail, "true");
    rpc_run_until(f.asked->len > i);
    g_dbus_method_invocation_return_value(
        f.asked->pdata[i],
        g_variant_new("((bb@a{ss}))", yes, challenge, g_variant_builder_end(&details)));
}

START_TEST(a_yes_lets_in)
{
    g_autoptr(RpcPeer) peer = stranger(f.host->path);
    remote_connect_open_args args = { 0 };
    remote_auth_polkit_ret ret = { 0 };
    GVariant *question = NULL;
    g_autoptr(GVariant) subject = NULL;
    const char *kind = NULL;
    const char *action = NULL;
    guint32 pid = 0;
    guint64 start = 0;

    ask(peer);
    rpc_run_until(f.asked->len == 1);
    question = g_dbus_method_invocation_get_parameters(f.asked->pdata[0]);
    g_variant_get(question, "((&s@a{sv})&s@a{ss}u&s)", &kind, &subject, &action, NULL, NULL, NULL);
    ck_assert_str_eq(kind, "unix-process");
    ck_assert_str_eq(action, "org.libvirt.unix.manage");
    ck_assert(g_variant_lookup(subject, "pid", "u", &pid));
    ck_assert(g_variant_lookup(subject, "start-time", "t", &start));
    ck_assert_uint_eq(pid, getpid());
    ck_assert_uint_ne(start, 0);
    /* Meanwhile the others are served, and it is not let in. */
    ck_assert(rpc_peer_is_quiet(peer));
    answer(0, TRUE, FALSE, NULL);
    rpc_peer_expect_reply(peer, (xdrproc_t)xdr_remote_auth_polkit_ret, &ret);
    ck_assert_int_eq(ret.complete, 1);
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, (xdrproc_t)xdr_remote_connect_open_args, &args);
    rpc_peer_expect_reply(peer, NULL, NULL);
}
END_TEST

START_TEST(a_no_says_why)
{
    g_autoptr(RpcPeer) peer = stranger(f.host->path);

    ask(peer);
    answer(0, FALSE, FALSE, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_AUTH_FAILED, "access denied by policy");
    ask(peer);
    answer(1, FALSE, TRUE, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_AUTH_UNAVAILABLE, "no polkit agent available");
    ask(peer);
    answer(2, FALSE, TRUE, "polkit.dismissed");
    rpc_peer_expect_error(peer, VIR_ERR_AUTH_CANCELLED, "user cancelled");
    rpc_peer_call(peer, REMOTE_PROC_CONNECT_OPEN, NULL, NULL);
    rpc_peer_expect_error(peer, VIR_ERR_RPC, "authentication required");
}
END_TEST

/* Where polkit is not installed: reading for all, writing for nobody but root and the group. */
START_TEST(without_polkit_there_is_reading)
{
    g_autoptr(RpcPeer) writer = stranger(f.host->path);
    g_autoptr(RpcPeer) reader = stranger(f.host->path_ro);
    g_autofree char *text = NULL;

    ask(writer);
    rpc_run_until(f.asked->len == 1);
    g_dbus_method_invocation_return_dbus_error(f.asked->pdata[0],
                                               "org.freedesktop.DBus.Error.ServiceUnknown", "no");
    rpc_peer_expect_error(writer, VIR_ERR_AUTH_FAILED, "polkit is not there");
    ask(reader);
    rpc_run_until(f.asked->len == 2);
    text = g_variant_print(g_dbus_method_invocation_get_parameters(f.asked->pdata[1]), FALSE);
    ck_assert_ptr_nonnull(strstr(text, "org.libvirt.unix.monitor"));
    g_dbus_method_invocation_return_dbus_error(f.asked->pdata[1],
                                               "org.freedesktop.DBus.Error.ServiceUnknown", "no");
    rpc_peer_expect_reply(reader, NULL, NULL);
}
END_TEST

START_TEST(who_leaves_is_not_waited_for)
{
    RpcPeer *peer = stranger(f.host->path);

    ask(peer);
    rpc_run_until(f.asked->len == 1);
    ck_assert_uint_eq(f.host->server->n_polkit, 1);
    rpc_peer_free(peer);
    rpc_run_until(kiln_server_n_clients(f.host->server) == 0);
    ck_assert_uint_eq(f.host->server->n_polkit, 0);
    rpc_settle();
    answer(0, TRUE, FALSE, NULL);
    rpc_settle();
}
END_TEST

/* One user has polkit asked about two of four at a time. */
START_TEST(polkit_is_not_asked_about_too_many)
{
    g_autoptr(RpcPeer) one = stranger(f.host->path);
    g_autoptr(RpcPeer) two = stranger(f.host->path);
    g_autoptr(RpcPeer) three = stranger(f.host->path);

    ask(one);
    ask(two);
    rpc_run_until(f.asked->len == 2);
    ask(three);
    rpc_peer_expect_error(three, VIR_ERR_AUTH_FAILED, "too many");
    answer(0, TRUE, FALSE, NULL);
    rpc_peer_expect_reply(one, NULL, NULL);
    ask(three);
    answer(2, TRUE, FALSE, NULL);
    rpc_peer_expect_reply(three, NULL, NULL);
    answer(1, FALSE, FALSE, NULL);
    rpc_peer_expect_error(two, VIR_ERR_AUTH_FAILED, "denied");
}
END_TEST

START_TEST(own_user_and_root_pass)
{
    g_autoptr(RpcPeer) peer = rpc_peer_open(f.host->path, 0);

    ck_assert_uint_eq(f.asked->len, 0);
}
END_TEST

static Suite *
suite(void)
{
    Suite *rpc = suite_create("rpc-polkit");
    TCase *polkit = kiln_test_case(rpc, "polkit");

    tcase_add_checked_fixture(polkit, set_up, tear_down);
    tcase_add_test(polkit, a_yes_lets_in);
    tcase_add_test(polkit, a_no_says_why);
    tcase_add_test(polkit, without_polkit_there_is_reading);
    tcase_add_test(polkit, who_leaves_is_not_waited_for);
    tcase_add_test(polkit, polkit_is_not_asked_about_too_many);
    tcase_add_test(polkit, own_user_and_root_pass);
    return rpc;
}

KILN_TEST_MAIN(suite)
