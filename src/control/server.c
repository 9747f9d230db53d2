/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The D-Bus server of one guest: schemas/org.kiln.VM1.xml on a connection per client.  Unpacks,
 * calls the machine, replies; all on the main thread.  This is the module control.so.
 */
#include "control/dbus-error.h"
#include "control/module.h"
#include "control/vm1-glue.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/statistics.h"
#include "domain/domain.h"
#include "machine/machine.h"

#include <errno.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <sys/socket.h>
#include <unistd.h>

#define OBJECT_PATH "/org/kiln/VM1"

enum {
    LOGIN_SECONDS = 10, /* a client that has not authenticated by then is sent away */
    FLUSH_MS = 200,     /* what a client that reads nothing can delay the end */
};

enum { CONSOLE_FORCE = 1 };              /* OpenConsole, @flags */
enum { MEDIUM_FORCE = 1 };               /* ChangeMedium, @flags */
enum { GRAPHICS_LET_IN = 1 };            /* OpenGraphics, @flags */
enum { XML_FLAGS = KILN_FORMAT_SECURE }; /* GetXml, @flags */

typedef struct {
    KilnControlGuest guest;
    KilnDbusVM1 *object;
    GPtrArray *clients;                  /* of Client, owned */
    guint listener;                      /* of the machine's events */
    KilnStatisticsPublisher *statistics; /* (owned) (nullable): once somebody asked for it */
    guint publishing;                    /* source of its timer */
} Server;

/* Referenced by the list of clients and by what is under way for it. */
typedef struct {
    Server *server; /* (nullable): NULL when it was dropped from the list */
    guint references;
    GCancellable *cancellable; /* of the authentication */
    GSource *login_timeout;    /* (nullable): while it authenticates */
    GDBusConnection *bus;      /* (nullable): when it has */
} Client;

/* ---- Clients ---- */

static void
client_unref(Client *client)
{
    if (--client->references > 0)
        return;
    g_object_unref(client->cancellable);
    g_clear_object(&client->bus);
    g_free(client);
}

static void
stop_login_timeout(Client *client)
{
    if (client->login_timeout != NULL) {
        g_source_destroy(client->login_timeout);
        g_clear_pointer(&client->login_timeout, g_source_unref);
    }
}

/* The list's reference goes. */
static void
client_dropped(gpointer data)
{
    Client *client = data;
    GDBusInterfaceSkeleton *object = G_DBUS_INTERFACE_SKELETON(client->server->object);

    stop_login_timeout(client);
    g_cancellable_cancel(client->cancellable);
    if (client->bus != NULL) {
        g_signal_handlers_disconnect_by_data(client->bus, client);
        if (g_dbus_interface_skeleton_has_connection(object, client->bus))
            g_dbus_interface_skeleton_unexport_from_connection(object, client->bus);
    }
    client->server = NULL;
    client_unref(client);
}

static void
drop(Client *client)
{
    if (client->server != NULL)
        g_ptr_array_remove_fast(client->server->clients, client);
}

static void
on_closed(GDBusConnection *bus, gboolean remote, GError *error, gpointer data)
{
    drop(data);
}

static gboolean
on_login_timeout(gpointer data)
{
    drop(data);
    return G_SOURCE_REMOVE;
}

/* The listener has looked at the socket's peer; this is what the client says of itself.  From
 * GDBus's thread. */
static gboolean
authorize(GDBusAuthObserver *observer, GIOStream *stream, GCredentials *credentials, gpointer data)
{
    uid_t user = credentials != NULL ? g_credentials_get_unix_user(credentials, NULL) : (uid_t)-1;

    return user == 0 || user == geteuid();
}

/* Other mechanisms would touch files in the user's home. */
static gboolean
allow_mechanism(GDBusAuthObserver *observer, const gchar *mechanism, gpointer data)
{
    return g_strcmp0(mechanism, "EXTERNAL") == 0;
}

static void
client_welcome(Client *client, GDBusConnection *bus)
{
    stop_login_timeout(client);
    client->bus = g_object_ref(bus);
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    g_signal_connect(bus, "closed", G_CALLBACK(on_closed), client);
    if (g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(client->server->object), bus,
                                         OBJECT_PATH, NULL))
        g_dbus_connection_start_message_processing(bus);
    else
        drop(client);
}

static void
on_authenticated(GObject *source, GAsyncResult *result, gpointer data)
{
    Client *client = data;
    g_autoptr(GDBusConnection) bus = g_dbus_connection_new_finish(result, NULL);

    if (client->server != NULL && bus != NULL)
        client_welcome(client, bus);
    else
        drop(client);
    client_unref(client);
}

/* Returns: (transfer full) (nullable): a stream that owns @fd. */
static GIOStream *
stream_of(int fd)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(fd, NULL);

    if (socket == NULL) {
        kiln_fd_clear(&fd);
        return NULL;
    }
    return G_IO_STREAM(g_socket_connection_factory_create_connection(socket));
}

static void
server_add_client(void *data, int fd)
{
    Server *server = data;
    g_autoptr(GIOStream) stream = stream_of(fd);
    g_autoptr(GDBusAuthObserver) observer = g_dbus_auth_observer_new();
    g_autofree char *guid = g_dbus_generate_guid();
    Client *client;

    if (stream == NULL)
        return;
    client = g_new0(Client, 1);
    client->server = server;
    client->references = 2; /* the list, and the authentication */
    client->cancellable = g_cancellable_new();
    client->login_timeout = g_timeout_source_new_seconds(LOGIN_SECONDS);
    g_source_set_callback(client->login_timeout, on_login_timeout, client, NULL);
    g_source_attach(client->login_timeout, NULL);
    g_ptr_array_add(server->clients, client);
    g_signal_connect(observer, "authorize-authenticated-peer", G_CALLBACK(authorize), NULL);
    g_signal_connect(observer, "allow-mechanism", G_CALLBACK(allow_mechanism), NULL);
    g_dbus_connection_new(stream, guid,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                              G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                          observer, client->cancellable, on_authenticated, client);
}

static guint
server_n_clients(void *data)
{
    Server *server = data;

    return server->clients->len;
}

/* ---- Methods ---- */

enum { MAX_KIB_BITS = 53 };
#define MAX_KIB (G_GUINT64_CONSTANT(1) << MAX_KIB_BITS) /* so that bytes fit into 64 bits */

/* Ends @invocation with @error, if it is set; else the caller completes it. */
static gboolean
failed(GDBusMethodInvocation *invocation, GError *error)
{
    if (error != NULL)
        g_dbus_method_invocation_return_gerror(invocation, error);
    return error != NULL;
}

/* The methods that take nothing, return nothing and may fail. */
#define SIMPLE_METHOD(name)                                                                        \
    static gboolean on_##name(KilnDbusVM1 *object, GDBusMethodInvocation *invocation,              \
                              gpointer data)                                                       \
    {                                                                                              \
        const Server *server = data;                                                               \
        g_autoptr(GError) error = NULL;                                                            \
                                                                                                   \
        (void)kiln_machine_##name(server->guest.machine, &error);                                  \
        if (!failed(invocation, error))                                                            \
            kiln_dbus_vm1_complete_##name(object, invocation);                                     \
        return TRUE;                                                                               \
    }

SIMPLE_METHOD(pause)
SIMPLE_METHOD(resume)
SIMPLE_METHOD(shutdown)
SIMPLE_METHOD(reboot)
SIMPLE_METHOD(reset)

static gboolean
on_quit(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    const Server *server = data;

    kiln_machine_quit(server->guest.machine, KILN_REASON_DESTROYED);
    kiln_dbus_vm1_complete_quit(object, invocation);
    return TRUE;
}

/* Returns: (transfer full): the client's end of a new console, or -1 with @error set. */
static KilnFd
open_console(const Server *server, const char *name, guint flags, GError **error)
{
    KilnChardev *chardev;
    int ends[2];

    if ((flags & ~(guint)CONSOLE_FORCE) != 0) {
        kiln_error_set(error, KILN_ERROR_INVALID, "unknown flags 0x%x", flags);
        return -1;
    }
    chardev = kiln_machine_console(server->guest.machine, *name != '\0' ? name : NULL, error);
    if (chardev == NULL)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        kiln_error_set_errno(error, errno, "cannot make a socket for the console");
        return -1;
    }
    if (!kiln_chardev_attach(chardev, ends[0], (flags & CONSOLE_FORCE) != 0, error))
        kiln_fd_clear(&ends[1]);
    return ends[1];
}

static gboolean
on_open_console(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GUnixFDList *given,
                const char *name, guint flags, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_auto(KilnFd) fd = open_console(data, name, flags, &error);
    int handle = fd >= 0 ? g_unix_fd_list_append(fds, fd, &error) : -1;

    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_open_console(object, invocation, fds, g_variant_new_handle(handle));
    return TRUE;
}

static gboolean
on_get_xml(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, guint flags, gpointer data)
{
    const Server *server = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;

    if ((flags & ~(guint)XML_FLAGS) != 0)
        kiln_error_set(&error, KILN_ERROR_INVALID, "unknown flags 0x%x", flags);
    if (failed(invocation, error))
        return TRUE;
    xml = kiln_domain_format(kiln_machine_domain(server->guest.machine), flags);
    kiln_dbus_vm1_complete_get_xml(object, invocation, xml);
    return TRUE;
}

static gboolean
on_get_statistics(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    const Server *server = data;

    kiln_dbus_vm1_complete_get_statistics(object, invocation,
                                          kiln_machine_statistics(server->guest.machine));
    return TRUE;
}

static gboolean
publish_statistics(gpointer data)
{
    Server *server = data;
    g_autoptr(GVariant) values = g_variant_ref_sink(kiln_machine_statistics(server->guest.machine));

    kiln_statistics_publish(server->statistics, values);
    return G_SOURCE_CONTINUE;
}

/* Once begun, it goes on: who reads does not say when it has enough. */
static gboolean
begin_publishing(Server *server, GError **error)
{
    if (server->statistics == NULL)
        server->statistics = kiln_statistics_publisher_new(error);
    if (server->statistics == NULL)
        return FALSE;
    if (server->publishing == 0)
        server->publishing = g_timeout_add_seconds(1, publish_statistics, server);
    (void)publish_statistics(server);
    return TRUE;
}

static gboolean
on_open_statistics(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GUnixFDList *given,
                   gpointer data)
{
    Server *server = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    int handle = -1;

    if (begin_publishing(server, &error))
        handle =
            g_unix_fd_list_append(fds, kiln_statistics_publisher_fd(server->statistics), &error);
    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_open_statistics(object, invocation, fds,
                                               g_variant_new_handle(handle));
    return TRUE;
}

static gboolean
on_get_threads(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, gpointer data)
{
    const Server *server = data;

    kiln_dbus_vm1_complete_get_threads(object, invocation,
                                       kiln_machine_threads(server->guest.machine));
    return TRUE;
}

static gboolean
on_send_keys(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GVariant *keys,
             guint milliseconds, gpointer data)
{
    const Server *server = data;
    g_autoptr(GError) error = NULL;
    gsize n;
    const guint16 *codes = g_variant_get_fixed_array(keys, &n, sizeof *codes);

    (void)kiln_machine_send_keys(server->guest.machine, codes, (guint)MIN(n, G_MAXUINT),
                                 milliseconds, &error);
    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_send_keys(object, invocation);
    return TRUE;
}

/* Returns: FALSE with @error set if there is not the one descriptor, or none. */
static gboolean
take_image(GUnixFDList *given, GVariant *handles, KilnFd *fd, GError **error)
{
    gint32 handle;

    if (g_variant_n_children(handles) == 0)
        return TRUE;
    if (g_variant_n_children(handles) > 1 || given == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "there is not one descriptor of an image");
    g_variant_get_child(handles, 0, "h", &handle);
    if (handle < 0 || handle >= g_unix_fd_list_get_length(given))
        return kiln_error_set(error, KILN_ERROR_INVALID, "there is no descriptor %d", handle);
    *fd = g_unix_fd_list_get(given, handle, error);
    return *fd >= 0;
}

static gboolean
on_change_medium(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GUnixFDList *given,
                 const char *target, const char *path, const char *format, guint flags,
                 GVariant *image, gpointer data)
{
    const Server *server = data;
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = -1;

    if ((flags & ~(guint)MEDIUM_FORCE) != 0)
        kiln_error_set(&error, KILN_ERROR_INVALID, "unknown flags 0x%x", flags);
    else if (take_image(given, image, &fd, &error))
        (void)kiln_machine_change_medium(server->guest.machine, target, kiln_fd_steal(&fd), path,
                                         *format != '\0' ? format : NULL, flags & MEDIUM_FORCE,
                                         &error);
    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_change_medium(object, invocation, NULL);
    return TRUE;
}

/* Descriptor @handle of @given as our own, or -1 with @error set. */
static KilnFd
take_fd(GUnixFDList *given, GVariant *handle, GError **error)
{
    gint32 i = g_variant_get_handle(handle);

    if (given != NULL && i >= 0 && i < g_unix_fd_list_get_length(given))
        return g_unix_fd_list_get(given, i, error);
    kiln_error_set(error, KILN_ERROR_INVALID, "a descriptor is missing");
    return -1;
}

static gboolean
on_open_graphics(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GUnixFDList *given,
                 guint index, guint flags, GVariant *handle, gpointer data)
{
    const Server *server = data;
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = take_fd(given, handle, &error);

    if (fd >= 0 && (flags & ~(guint)GRAPHICS_LET_IN) != 0)
        kiln_error_set(&error, KILN_ERROR_INVALID, "unknown flags 0x%x", flags);
    else if (fd >= 0)
        (void)kiln_machine_open_graphics(server->guest.machine, index, kiln_fd_steal(&fd),
                                         (flags & GRAPHICS_LET_IN) != 0, &error);
    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_open_graphics(object, invocation, NULL);
    return TRUE;
}

static gboolean
on_screenshot(KilnDbusVM1 *object, GDBusMethodInvocation *invocation, GUnixFDList *given,
              guint screen, gpointer data)
{
    const Server *server = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_auto(KilnFd) fd = kiln_machine_screenshot(server->guest.machine, screen, &error);
    int handle = fd >= 0 ? g_unix_fd_list_append(fds, fd, &error) : -1;

    if (!failed(invocation, error))
        kiln_dbus_vm1_complete_screenshot(object, invocation, fds, g_variant_new_handle(handle));
    return TRUE;
}

/* The methods that return nothing: @call, with @error, is what is done. */
#define LIVE_METHOD(name, parameters, call)                                                        \
    static gboolean on_##name parameters                                                           \
    {                                                                                              \
        Server *server = data;                                                                     \
        KilnMachine *machine = server->guest.machine;                                              \
        g_autoptr(GError) error = NULL;                                                            \
                                                                                                   \
        (void)call;                                                                                \
        if (failed(invocation, error))                                                             \
            return TRUE;                                                                           \
        if (server->publishing != 0) /* who asks next finds what was changed */                    \
            (void)publish_statistics(server);                                                      \
        kiln_dbus_vm1_complete_##name(object, invocation);                                         \
        return TRUE;                                                                               \
    }

LIVE_METHOD(resize_block,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, const char *target,
             guint64 bytes, gpointer data),
            kiln_machine_resize_disk(machine, target, bytes, &error))
LIVE_METHOD(set_memory,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, guint64 kib, gpointer data),
            kiln_machine_set_memory(machine, MIN(kib, MAX_KIB) * 1024, &error))
LIVE_METHOD(set_memory_period,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, guint seconds, gpointer data),
            kiln_machine_set_memory_period(machine, seconds, &error))
LIVE_METHOD(set_memory_device,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, const char *alias,
             guint64 kib, gpointer data),
            kiln_machine_set_memory_device(machine, alias, MIN(kib, MAX_KIB) * 1024, &error))
LIVE_METHOD(set_link,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, const char *interface,
             gboolean up, gpointer data),
            kiln_machine_set_link(machine, interface, up, &error))
LIVE_METHOD(set_metadata,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, int kind, const char *text,
             const char *key, const char *uri, gpointer data),
            kiln_machine_set_metadata(machine, kind, text, key, uri, &error))
LIVE_METHOD(set_lifecycle,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, const char *event,
             const char *action, gpointer data),
            kiln_machine_set_lifecycle(machine, event, action, &error))
LIVE_METHOD(set_graphics_password,
            (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, gboolean ask,
             const char *password, const char *valid_to, gpointer data),
            kiln_machine_set_graphics_password(machine, ask ? password : NULL,
                                               valid_to[0] != '\0' ? valid_to : NULL, &error))
LIVE_METHOD(inject_nmi, (KilnDbusVM1 * object, GDBusMethodInvocation *invocation, gpointer data),
            kiln_machine_nmi(machine, &error))

static const struct {
    const char *signal;
    GCallback callback;
} methods[] = {
    { "handle-pause", G_CALLBACK(on_pause) },
    { "handle-resume", G_CALLBACK(on_resume) },
    { "handle-shutdown", G_CALLBACK(on_shutdown) },
    { "handle-reboot", G_CALLBACK(on_reboot) },
    { "handle-reset", G_CALLBACK(on_reset) },
    { "handle-quit", G_CALLBACK(on_quit) },
    { "handle-open-console", G_CALLBACK(on_open_console) },
    { "handle-get-xml", G_CALLBACK(on_get_xml) },
    { "handle-get-statistics", G_CALLBACK(on_get_statistics) },
    { "handle-resize-block", G_CALLBACK(on_resize_block) },
    { "handle-change-medium", G_CALLBACK(on_change_medium) },
    { "handle-set-memory", G_CALLBACK(on_set_memory) },
    { "handle-set-memory-period", G_CALLBACK(on_set_memory_period) },
    { "handle-set-memory-device", G_CALLBACK(on_set_memory_device) },
    { "handle-set-link", G_CALLBACK(on_set_link) },
    { "handle-set-metadata", G_CALLBACK(on_set_metadata) },
    { "handle-set-lifecycle", G_CALLBACK(on_set_lifecycle) },
    { "handle-open-statistics", G_CALLBACK(on_open_statistics) },
    { "handle-get-threads", G_CALLBACK(on_get_threads) },
    { "handle-inject-nmi", G_CALLBACK(on_inject_nmi) },
    { "handle-send-keys", G_CALLBACK(on_send_keys) },
    { "handle-open-graphics", G_CALLBACK(on_open_graphics) },
    { "handle-screenshot", G_CALLBACK(on_screenshot) },
    { "handle-set-graphics-password", G_CALLBACK(on_set_graphics_password) },
};

/* ---- Properties and signals ---- */

static const char *
outcome_name(KilnMachineOutcome outcome)
{
    switch (outcome) {
    case KILN_OUTCOME_NONE: break;
    case KILN_OUTCOME_POWEROFF: return "poweroff";
    case KILN_OUTCOME_DESTROYED: return "destroyed";
    case KILN_OUTCOME_CRASHED: return "crashed";
    case KILN_OUTCOME_FAILED: return "failed";
    }
    return "none";
}

static void
publish_state(Server *server)
{
    KilnMachine *machine = server->guest.machine;

    kiln_dbus_vm1_set_state(server->object, kiln_machine_state_name(kiln_machine_state(machine)));
    kiln_dbus_vm1_set_state_reason(server->object,
                                   kiln_machine_reason_name(kiln_machine_reason(machine)));
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(server->object));
}

static void
tell_io_error(Server *server)
{
    const KilnMachineIoError *error = kiln_machine_io_error(server->guest.machine);

    kiln_dbus_vm1_emit_io_error(server->object, error->alias, error->is_read ? "read" : "write",
                                error->action, g_strerror(error->error));
}

static void
tell_graphics(Server *server)
{
    const KilnMachineGraphicsEvent *event = kiln_machine_graphics_event(server->guest.machine);

    kiln_dbus_vm1_emit_graphics(server->object, event->phase, event->family,
                                g_variant_new("(ss)", event->local_node, event->local_service),
                                g_variant_new("(ss)", event->node, event->service), event->scheme,
                                event->x509_name != NULL ? event->x509_name : "");
}

static void
on_event(KilnMachine *machine, KilnMachineEvent event, void *opaque)
{
    Server *server = opaque;

    switch (event) {
    case KILN_EVENT_STATE:
        publish_state(server);
        kiln_dbus_vm1_emit_state_changed(server->object, kiln_dbus_vm1_get_state(server->object),
                                         kiln_dbus_vm1_get_state_reason(server->object));
        break;
    case KILN_EVENT_REBOOT: kiln_dbus_vm1_emit_rebooted(server->object); break;
    case KILN_EVENT_PANIC: kiln_dbus_vm1_emit_crashed(server->object); break;
    case KILN_EVENT_IO_ERROR: tell_io_error(server); break;
    case KILN_EVENT_WATCHDOG: kiln_dbus_vm1_emit_watchdog(server->object); break;
    case KILN_EVENT_BALLOON:
        kiln_dbus_vm1_emit_memory_changed(server->object, kiln_machine_memory(machine) / 1024);
        kiln_dbus_vm1_emit_xml_changed(server->object);
        break;
    case KILN_EVENT_DEFINITION: kiln_dbus_vm1_emit_xml_changed(server->object); break;
    case KILN_EVENT_GRAPHICS: tell_graphics(server); break;
    case KILN_EVENT_FINISHED:
        kiln_dbus_vm1_emit_finished(server->object, outcome_name(kiln_machine_outcome(machine)));
        break;
    }
}

/* ---- Life ---- */

static void *
server_open(const KilnControlGuest *guest)
{
    static const char *const features[] = { "live-devices", "supervision", "describe",
                                            "media",        "graphics",    NULL };
    Server *server = g_new0(Server, 1);

    kiln_dbus_error_register();
    server->guest = *guest;
    server->clients = g_ptr_array_new_with_free_func(client_dropped);
    server->object = kiln_dbus_vm1_skeleton_new();
    for (guint i = 0; i < G_N_ELEMENTS(methods); i++)
        g_signal_connect(server->object, methods[i].signal, methods[i].callback, server);
    kiln_dbus_vm1_set_name(server->object, guest->name);
    kiln_dbus_vm1_set_uuid(server->object, guest->uuid);
    kiln_dbus_vm1_set_pid(server->object, (guint)getpid());
    kiln_dbus_vm1_set_version(server->object, PACKAGE_VERSION);
    kiln_dbus_vm1_set_features(server->object, features);
    publish_state(server);
    server->listener = kiln_machine_listen(guest->machine, on_event, server);
    return server;
}

static void
on_flushed(GObject *source, GAsyncResult *result, gpointer data)
{
    guint *waiting = data;

    (void)g_dbus_connection_flush_finish(G_DBUS_CONNECTION(source), result, NULL);
    (*waiting)--;
}

static gboolean
on_flush_timeout(gpointer data)
{
    g_cancellable_cancel(data);
    return G_SOURCE_REMOVE;
}

/* Waits until every client has the last signals and replies, or FLUSH_MS have passed. */
static void
flush(Server *server)
{
    g_autoptr(GCancellable) enough = g_cancellable_new();
    guint timeout = g_timeout_add(FLUSH_MS, on_flush_timeout, enough);
    guint waiting = 0;

    for (guint i = 0; i < server->clients->len; i++) {
        Client *client = g_ptr_array_index(server->clients, i);

        if (client->bus == NULL)
            continue;
        waiting++;
        g_dbus_connection_flush(client->bus, enough, on_flushed, &waiting);
    }
    while (waiting > 0)
        g_main_context_iteration(NULL, TRUE);
    if (!g_cancellable_is_cancelled(enough))
        g_source_remove(timeout);
}

static void
server_close(void *data)
{
    Server *server = data;

    kiln_machine_unlisten(server->guest.machine, server->listener);
    flush(server);
    if (server->publishing != 0)
        g_source_remove(server->publishing);
    kiln_statistics_publisher_free(server->statistics);
    g_ptr_array_unref(server->clients);
    g_object_unref(server->object);
    g_free(server);
}

const KilnControlModule kiln_control_module = {
    .open = server_open,
    .add_client = server_add_client,
    .n_clients = server_n_clients,
    .close = server_close,
};
