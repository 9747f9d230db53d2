/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See proxy.h. */
#include "guest/proxy.h"

#include "base/error.h"
#include "base/unix-socket.h"
#include "control/dbus-error.h"
#include "error/vir-error.h"

#define OBJECT_PATH "/org/kiln/VM1"
#define INTERFACE   "org.kiln.VM1"

enum {
    SOON_MS = 10,     /* until a socket is listened on */
    LATER_MS = 1000,  /* between attempts else */
    LOGIN_MS = 10000, /* for authenticating, which holds one of GLib's threads */
};

/* Referenced by its owner and by what is under way in GDBus. */
struct KilnProxy {
    guint references;
    gboolean freed;
    char *path;
    char *name;
    KilnProxyOps ops;
    gpointer data;
    GDBusConnection *bus;      /* (nullable) */
    GCancellable *cancellable; /* (nullable): of connecting */
    guint timer;               /* of the next attempt, or of the login */
    guint subscription;
    gulong closed_handler;
    guint failures; /* one after the other */
    GQueue calls;   /* of Call, all that are not answered */
};

/* Referenced by the proxy's queue and by GDBus. */
typedef struct {
    guint references;
    KilnProxy *proxy;
    GList *link; /* NULL when it was answered */
    char *interface;
    char *method;
    GVariant *arguments; /* (nullable) */
    GUnixFDList *fds;    /* (nullable) */
    guint timer;
    gboolean sent;
    GCancellable *cancellable;
    KilnProxyAnswer answered;
    gpointer data;
} Call;

static void attempt(KilnProxy *proxy, guint after_ms);

static void
proxy_unref(KilnProxy *proxy)
{
    if (--proxy->references > 0)
        return;
    g_free(proxy->path);
    g_free(proxy->name);
    g_free(proxy);
}

/* ---- Calls ---- */

static void
call_unref(Call *call)
{
    if (--call->references > 0)
        return;
    g_free(call->interface);
    g_free(call->method);
    g_clear_pointer(&call->arguments, g_variant_unref);
    g_clear_object(&call->fds);
    g_object_unref(call->cancellable);
    proxy_unref(call->proxy);
    g_free(call);
}

/* Once for each call. */
static void
answer(Call *call, GVariant *result, GUnixFDList *fds, const GError *error)
{
    if (call->link == NULL)
        return;
    g_queue_delete_link(&call->proxy->calls, call->link);
    call->link = NULL;
    if (call->timer != 0)
        (void)g_source_remove(call->timer);
    call->timer = 0;
    call->answered(result, fds, error, call->data);
    call_unref(call);
}

static gboolean
on_timeout(gpointer data)
{
    Call *call = data;
    g_autoptr(GError) error = NULL;

    call->timer = 0;
    kiln_vir_error_set(&error, VIR_ERR_OPERATION_TIMEOUT,
                       "the process of domain '%s' did not answer '%s' in time", call->proxy->name,
                       call->method);
    call->references++;
    answer(call, NULL, NULL, error);
    g_cancellable_cancel(call->cancellable);
    call_unref(call);
    return G_SOURCE_REMOVE;
}

static GError *
error_of(const Call *call, GError *error)
{
    GError *own = NULL;

    g_dbus_error_strip_remote_error(error);
    if (error->domain == KILN_ERROR)
        return g_error_copy(error);
    if (error->domain == G_DBUS_ERROR && error->code == G_DBUS_ERROR_UNKNOWN_METHOD)
        kiln_vir_error_set(&own, VIR_ERR_OPERATION_UNSUPPORTED,
                           "the process of domain '%s' is of a version without '%s'",
                           call->proxy->name, call->method);
    else
        kiln_vir_error_set(&own, VIR_ERR_OPERATION_FAILED, "the process of domain '%s', '%s': %s",
                           call->proxy->name, call->method, error->message);
    return own;
}

static void
on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) value = g_dbus_connection_call_with_unix_fd_list_finish(
        G_DBUS_CONNECTION(source), &fds, result, &error);
    g_autoptr(GError) translated = error != NULL ? error_of(call, error) : NULL;

    answer(call, value, fds, translated);
    call_unref(call);
}

/* The time that it has is counted here, from when it was made. */
static void
send(Call *call)
{
    call->sent = TRUE;
    call->references++;
    g_dbus_connection_call_with_unix_fd_list(
        call->proxy->bus, NULL, OBJECT_PATH, call->interface, call->method, call->arguments, NULL,
        G_DBUS_CALL_FLAGS_NONE, G_MAXINT, call->fds, call->cancellable, on_answer, call);
}

void
kiln_proxy_call(KilnProxy *proxy, const char *interface, const char *method, GVariant *arguments,
                GUnixFDList *fds, int timeout_ms, KilnProxyAnswer answered, gpointer data)
{
    Call *call = g_new0(Call, 1);

    proxy->references++;
    call->references = 1;
    call->proxy = proxy;
    call->interface = g_strdup(interface != NULL ? interface : INTERFACE);
    call->method = g_strdup(method);
    call->arguments = arguments != NULL ? g_variant_ref_sink(arguments) : NULL;
    call->fds = fds != NULL ? g_object_ref(fds) : NULL;
    call->cancellable = g_cancellable_new();
    call->answered = answered;
    call->data = data;
    g_queue_push_tail(&proxy->calls, call);
    call->link = g_queue_peek_tail_link(&proxy->calls);
    if (timeout_ms >= 0)
        call->timer = g_timeout_add((guint)timeout_ms, on_timeout, call);
    if (proxy->bus != NULL)
        send(call);
}

/* ---- The connection ---- */

static void
on_signal(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
          const char *name, GVariant *arguments, gpointer data)
{
    KilnProxy *proxy = data;

    if (!proxy->freed && proxy->ops.signal != NULL)
        proxy->ops.signal(name, arguments, proxy->data);
}

static void
drop_connection(KilnProxy *proxy)
{
    if (proxy->bus == NULL)
        return;
    g_dbus_connection_signal_unsubscribe(proxy->bus, proxy->subscription);
    g_signal_handler_disconnect(proxy->bus, proxy->closed_handler);
    g_dbus_connection_close(proxy->bus, NULL, NULL, NULL);
    g_clear_object(&proxy->bus);
}

static void
on_closed(GDBusConnection *bus, gboolean remote, GError *error, gpointer data)
{
    KilnProxy *proxy = data;

    proxy->references++;
    drop_connection(proxy);
    proxy->failures++;
    if (proxy->ops.closed != NULL)
        proxy->ops.closed(proxy->data);
    if (!proxy->freed)
        attempt(proxy, LATER_MS);
    proxy_unref(proxy);
}

static void
adopt_connection(KilnProxy *proxy, GDBusConnection *bus)
{
    proxy->bus = bus;
    proxy->failures = 0;
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    proxy->closed_handler = g_signal_connect(bus, "closed", G_CALLBACK(on_closed), proxy);
    proxy->subscription =
        g_dbus_connection_signal_subscribe(bus, NULL, INTERFACE, NULL, OBJECT_PATH, NULL,
                                           G_DBUS_SIGNAL_FLAGS_NONE, on_signal, proxy, NULL);
    g_dbus_connection_start_message_processing(bus);
    if (proxy->ops.connected != NULL)
        proxy->ops.connected(proxy->data);
    for (GList *link = proxy->calls.head; link != NULL && !proxy->freed; link = link->next)
        if (!((Call *)link->data)->sent)
            send(link->data);
}

static void
stop_timer(KilnProxy *proxy)
{
    if (proxy->timer != 0)
        (void)g_source_remove(proxy->timer);
    proxy->timer = 0;
}

static void
on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    KilnProxy *proxy = data;
    GDBusConnection *bus = g_dbus_connection_new_finish(result, NULL);

    g_clear_object(&proxy->cancellable);
    stop_timer(proxy);
    if (proxy->freed) {
        if (bus != NULL)
            g_dbus_connection_close(bus, NULL, NULL, NULL);
        g_clear_object(&bus);
    } else if (bus != NULL) {
        adopt_connection(proxy, bus);
    } else {
        proxy->failures++;
        attempt(proxy, LATER_MS);
    }
    proxy_unref(proxy);
}

static gboolean
on_login_timeout(gpointer data)
{
    KilnProxy *proxy = data;

    proxy->timer = 0;
    g_cancellable_cancel(proxy->cancellable);
    return G_SOURCE_REMOVE;
}

static void
log_in(KilnProxy *proxy, GSocket *socket)
{
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);

    proxy->cancellable = g_cancellable_new();
    proxy->timer = g_timeout_add(LOGIN_MS, on_login_timeout, proxy);
    proxy->references++;
    g_dbus_connection_new(G_IO_STREAM(stream), NULL,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                              G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                          NULL, proxy->cancellable, on_connected, proxy);
}

static gboolean
on_attempt(gpointer data)
{
    KilnProxy *proxy = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) socket = NULL;
    g_auto(KilnFd) fd = kiln_unix_connect(proxy->path, &error);

    proxy->timer = 0;
    if (fd >= 0)
        socket = g_socket_new_from_fd(fd, NULL);
    if (socket != NULL) {
        (void)kiln_fd_steal(&fd);
        log_in(proxy, socket);
        return G_SOURCE_REMOVE;
    }
    proxy->failures++;
    attempt(proxy, proxy->failures < LATER_MS / SOON_MS ? SOON_MS : LATER_MS);
    return G_SOURCE_REMOVE;
}

static void
attempt(KilnProxy *proxy, guint after_ms)
{
    proxy->timer = g_timeout_add(after_ms, on_attempt, proxy);
}

KilnProxy *
kiln_proxy_new(const char *path, const char *name, const KilnProxyOps *ops, gpointer data)
{
    KilnProxy *proxy = g_new0(KilnProxy, 1);

    kiln_dbus_error_register();
    proxy->references = 1;
    proxy->path = g_strdup(path);
    proxy->name = g_strdup(name);
    proxy->ops = *ops;
    proxy->data = data;
    g_queue_init(&proxy->calls);
    attempt(proxy, 0);
    return proxy;
}

void
kiln_proxy_free(KilnProxy *proxy)
{
    g_autoptr(GError) error = NULL;

    if (proxy == NULL)
        return;
    proxy->freed = TRUE;
    stop_timer(proxy);
    if (proxy->cancellable != NULL)
        g_cancellable_cancel(proxy->cancellable);
    kiln_vir_error_set(&error, VIR_ERR_OPERATION_INVALID, "domain is not running");
    while (proxy->calls.head != NULL)
        answer(proxy->calls.head->data, NULL, NULL, error);
    drop_connection(proxy);
    proxy_unref(proxy);
}
