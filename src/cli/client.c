/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See client.h. */
#include "cli/client.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "cli/commands.h"
#include "control/dbus-error.h"
#include "control/paths.h"

/* Waits for one answer; @timeout ends it. */
typedef struct {
    GAsyncResult *result;
    GCancellable *timeout;
} Wait;

static void
on_result(GObject *source, GAsyncResult *result, gpointer data)
{
    Wait *wait = data;

    wait->result = g_object_ref(result);
}

static void
wait_for_result(Wait *wait)
{
    g_clear_object(&wait->result);
    while (wait->result == NULL)
        g_main_context_iteration(NULL, TRUE);
}

static gboolean
on_timeout(gpointer data)
{
    g_cancellable_cancel(data);
    return G_SOURCE_CONTINUE;
}

/* Returns: (transfer full) (nullable): a stream over @fd, which it owns. */
static GIOStream *
stream_of(int fd, GError **error)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(fd, error);

    if (socket == NULL) {
        kiln_fd_clear(&fd);
        return NULL;
    }
    return G_IO_STREAM(g_socket_connection_factory_create_connection(socket));
}

static KilnDbusVM1 *
talk(int fd, Wait *wait, GError **error)
{
    g_autoptr(GIOStream) stream = stream_of(fd, error);
    g_autoptr(GDBusConnection) bus = NULL;

    if (stream == NULL)
        return NULL;
    g_dbus_connection_new(stream, NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL,
                          wait->timeout, on_result, wait);
    wait_for_result(wait);
    bus = g_dbus_connection_new_finish(wait->result, error);
    if (bus == NULL)
        return NULL;
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    kiln_dbus_vm1_proxy_new(bus, G_DBUS_PROXY_FLAGS_NONE, NULL, "/org/kiln/VM1", wait->timeout,
                            on_result, wait);
    wait_for_result(wait);
    return kiln_dbus_vm1_proxy_new_finish(wait->result, error);
}

KilnDbusVM1 *
kiln_client_connect(const char *name, guint timeout_ms, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) failure = NULL;
    Wait wait = { .timeout = cancellable };
    KilnDbusVM1 *guest;
    guint timeout;
    int fd;

    path = kiln_control_path(name, ".sock", error);
    if (path == NULL)
        return NULL;
    kiln_dbus_error_register();
    fd = kiln_unix_connect(path, &failure);
    if (fd < 0) {
        if (g_error_matches(failure, KILN_ERROR, KILN_ERROR_NOT_FOUND))
            kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                           "no guest named '%s' runs ('kiln list' tells which do)", name);
        else
            g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    timeout = g_timeout_add(timeout_ms, on_timeout, cancellable);
    guest = talk(fd, &wait, &failure);
    g_source_remove(timeout);
    g_clear_object(&wait.result);
    if (guest == NULL)
        kiln_error_set(error, KILN_ERROR_FAILED, "the process of guest '%s' %s", name,
                       g_cancellable_is_cancelled(cancellable) ? "does not answer"
                                                               : "closed the connection");
    return guest;
}

GVariant *
kiln_client_call(KilnDbusVM1 *guest, const char *method, GVariant *arguments, GUnixFDList **fds,
                 GError **error)
{
    g_autoptr(GUnixFDList) given = fds != NULL ? g_steal_pointer(fds) : NULL;
    Wait wait = { 0 };
    GVariant *answer;

    g_dbus_proxy_call_with_unix_fd_list(G_DBUS_PROXY(guest), method, arguments,
                                        G_DBUS_CALL_FLAGS_NONE, KILN_CLIENT_CALL_MS, given, NULL,
                                        on_result, &wait);
    wait_for_result(&wait);
    answer =
        g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(guest), fds, wait.result, error);
    g_clear_object(&wait.result);
    if (answer == NULL && error != NULL)
        g_dbus_error_strip_remote_error(*error);
    return answer;
}

const KilnClientModule kiln_client_module = {
    .list = kiln_client_list,
    .console = kiln_client_console,
    .ctl = kiln_client_ctl,
};
