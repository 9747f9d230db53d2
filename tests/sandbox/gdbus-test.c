/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A D-Bus server on a listening socket, inside the sandbox: what the control module does for its
 * clients, GIO's worker thread and a passed descriptor included.
 */
#include "tests/lib/kiln-test.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox.h"

enum { DONE = 0, FAILED = 100, NOT_ENTERED = 101 };

static const char interface_xml[] =
    "<node><interface name='org.kiln.Test'><method name='Pipe'>"
    "<arg type='h' direction='out'/></method><method name='Stop'/></interface></node>";

static void
on_call(GDBusConnection *connection, const char *sender, const char *path, const char *interface,
        const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer loop)
{
    g_autoptr(GUnixFDList) list = g_unix_fd_list_new();

    if (g_str_equal(method, "Stop")) {
        g_dbus_method_invocation_return_value(invocation, NULL);
        g_dbus_connection_flush_sync(connection, NULL, NULL);
        g_main_loop_quit(loop);
        return;
    }
    g_unix_fd_list_append(list, STDERR_FILENO, NULL);
    g_dbus_method_invocation_return_value_with_unix_fd_list(invocation, g_variant_new("(h)", 0),
                                                            list);
}

static gboolean
same_user(GDBusAuthObserver *observer, GIOStream *stream, GCredentials *peer, gpointer data)
{
    return peer != NULL && g_credentials_get_unix_user(peer, NULL) == geteuid();
}

/* The child: enters, takes one client, and serves it until it says Stop. */
static int
serve(int listening)
{
    static const KilnSandboxOptions options = { .mode = KILN_SANDBOX_ON };
    static const GDBusInterfaceVTable table = { .method_call = on_call };
    GError *error = NULL;
    GMainLoop *loop;
    GDBusAuthObserver *observer;
    GDBusConnection *connection;
    GSocketConnection *stream;
    GSocket *server;
    GSocket *client;
    g_autofree char *guid = NULL;

    if (!kiln_sandbox_enter(&options, &error))
        return NOT_ENTERED;
    server = g_socket_new_from_fd(listening, &error);
    client = server != NULL ? g_socket_accept(server, NULL, &error) : NULL;
    if (client == NULL)
        return FAILED;
    stream = g_socket_connection_factory_create_connection(client);
    observer = g_dbus_auth_observer_new();
    g_signal_connect(observer, "authorize-authenticated-peer", G_CALLBACK(same_user), NULL);
    guid = g_dbus_generate_guid();
    connection = g_dbus_connection_new_sync(G_IO_STREAM(stream), guid,
                                            G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                                                G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                            observer, NULL, &error);
    if (connection == NULL)
        return FAILED;
    loop = g_main_loop_new(NULL, FALSE);
    g_dbus_connection_register_object(
        connection, "/test", g_dbus_node_info_new_for_xml(interface_xml, NULL)->interfaces[0],
        &table, loop, NULL, NULL);
    g_dbus_connection_start_message_processing(connection);
    g_main_loop_run(loop);
    return DONE;
}

START_TEST(a_dbus_client_is_served_inside)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *bus_address = g_strdup_printf("unix:path=%s/s", dir);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_auto(KilnFd) listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_autoptr(GDBusConnection) connection = NULL;
    g_autoptr(GUnixFDList) list = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) stopped = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;
    pid_t child;

    g_snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    child = fork();
    ck_assert_int_ne(child, -1);
    if (child == 0)
        _exit(serve(listening));
    kiln_fd_clear(&listening);

    connection = g_dbus_connection_new_for_address_sync(
        bus_address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &error);
    kiln_assert_no_error(error);
    reply = g_dbus_connection_call_with_unix_fd_list_sync(
        connection, NULL, "/test", "org.kiln.Test", "Pipe", NULL, G_VARIANT_TYPE("(h)"),
        G_DBUS_CALL_FLAGS_NONE, 20000, NULL, &list, NULL, &error);
    kiln_assert_no_error(error);
    ck_assert_int_eq(g_unix_fd_list_get_length(list), 1);
    stopped = g_dbus_connection_call_sync(connection, NULL, "/test", "org.kiln.Test", "Stop", NULL,
                                          NULL, G_DBUS_CALL_FLAGS_NONE, 20000, NULL, &error);
    kiln_assert_no_error(error);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
}
END_TEST

static Suite *
gdbus_suite(void)
{
    Suite *suite = suite_create("sandbox/gdbus");
    TCase *tcase = kiln_test_case(suite, "gdbus");

    tcase_add_test(tcase, a_dbus_client_is_served_inside);
    return suite;
}

int
main(void)
{
    if (kiln_sandbox_default_mode() == KILN_SANDBOX_OFF)
        return kiln_test_skip_all("sanitizer builds have no sandbox");
    return kiln_test_main(gdbus_suite());
}
