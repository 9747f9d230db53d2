/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process in the place of kiln: it takes the arguments of `kiln run`, claims the name, says that
 * it is ready, and speaks org.kiln.VM1.  What it is to do besides is in the document:
 *
 *   <title>fail</title>      says "error 3 ..." and ends
 *   <title>die</title>       ends without a word
 *   <title>stubborn</title>  does not end by SIGTERM
 *   <title>forever</title>   is never ready
 *   <title>silent</title>    nobody is answered on its socket
 *   <title>telling</title>   is "told" in the live document
 *   <title>brief</title>     ends when it is asked for that
 *
 * And by the method Play: "panic", "io-error", "watchdog", "memory", "reboot", "pause", "xml",
 * "poweroff", "crash", "abort".
 *
 * It ends after KILN_FAKE_SECONDS, else 20: its test may have failed.
 */
#include "base/fd.h"
#include "base/statistics.h"
#include "base/unix-socket.h"
#include "control/paths.h"
#include "domain/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char interface_xml[] =
    "<node><interface name='org.kiln.VM1'>"
    "<property name='Name' type='s' access='read'/><property name='Uuid' type='s' access='read'/>"
    "<property name='State' type='s' access='read'/>"
    "<property name='StateReason' type='s' access='read'/>"
    "<method name='Pause'/><method name='Resume'/><method name='Quit'/><method name='Reset'/>"
    "<method name='GetXml'><arg type='u' direction='in'/><arg type='s' direction='out'/></method>"
    "<method name='OpenStatistics'><arg type='h' direction='out'/></method>"
    "<method name='GetThreads'><arg type='a{su}' direction='out'/></method>"
    "<method name='Play'><arg type='s' direction='in'/></method>"
    "</interface></node>";

static KilnDomain *domain;
static const char *title = "";
static char *pid_path;
static char *sock_path;
static GDBusConnection *client; /* the last one */
static const char *state = "running";
static const char *reason = "booted";
static KilnStatisticsPublisher *statistics;
static guint32 n_asked; /* for threads */

enum { BURST = 1000 };

static void G_GNUC_NORETURN
finish(int status)
{
    if (client != NULL)
        (void)g_dbus_connection_flush_sync(client, NULL, NULL);
    (void)unlink(sock_path);
    (void)unlink(pid_path);
    exit(status);
}

static void
emit(const char *name, GVariant *arguments)
{
    if (client != NULL)
        (void)g_dbus_connection_emit_signal(client, NULL, "/org/kiln/VM1", "org.kiln.VM1", name,
                                            arguments, NULL);
}

static void
move(const char *to, const char *why)
{
    state = to;
    reason = why;
    emit("StateChanged", g_variant_new("(ss)", state, reason));
}

static void
play(const char *what)
{
    if (g_str_equal(what, "panic"))
        emit("Crashed", NULL);
    else if (g_str_equal(what, "reboot"))
        emit("Rebooted", NULL);
    else if (g_str_equal(what, "watchdog"))
        emit("Watchdog", NULL);
    else if (g_str_equal(what, "memory"))
        emit("MemoryChanged", g_variant_new("(t)", (guint64)65536));
    else if (g_str_equal(what, "pause"))
        move("paused", "io-error");
    else if (g_str_equal(what, "io-error"))
        emit("IoError", g_variant_new("(ssss)", "virtio-disk0", "write", "pause", "no space"));
    else if (g_str_equal(what, "xml")) {
        g_free(domain->title);
        domain->title = g_strdup("changed");
        emit("XmlChanged", NULL);
    } else if (g_str_equal(what, "burst")) {
        for (guint i = 0; i < BURST; i++)
            emit("XmlChanged", NULL);
    } else if (g_str_equal(what, "asked")) {
        emit("MemoryChanged", g_variant_new("(t)", (guint64)(n_asked < BURST / 2 ? 1 : 2)));
    } else if (g_str_equal(what, "poweroff")) {
        emit("Finished", g_variant_new("(s)", "poweroff"));
        finish(0);
    } else if (g_str_equal(what, "crash")) {
        emit("Finished", g_variant_new("(s)", "crashed"));
        finish(4);
    } else if (g_str_equal(what, "abort")) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
    }
}

static void
answer_statistics(GDBusMethodInvocation *call)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();

    if (statistics == NULL) {
        GVariantDict values;

        g_variant_dict_init(&values, NULL);
        g_variant_dict_insert(&values, "vcpu.current", "u", 2);
        statistics = kiln_statistics_publisher_new(NULL);
        kiln_statistics_publish(statistics, g_variant_dict_end(&values));
    }
    (void)g_unix_fd_list_append(fds, kiln_statistics_publisher_fd(statistics), NULL);
    g_dbus_method_invocation_return_value_with_unix_fd_list(call, g_variant_new("(h)", 0), fds);
}

static void
answer_threads(GDBusMethodInvocation *call)
{
    GVariantBuilder builder;

    n_asked++;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{su}"));
    g_variant_builder_add(&builder, "{su}", "emulator", (guint32)getpid());
    g_variant_builder_add(&builder, "{su}", "vcpu.0", (guint32)getpid());
    g_variant_builder_add(&builder, "{su}", "vcpu.7", (guint32)getppid());
    g_variant_builder_add(&builder, "{su}", "vcpu.8", G_MAXUINT32);
    g_dbus_method_invocation_return_value(call, g_variant_new("(a{su})", &builder));
}

static void
on_call(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
        const char *method, GVariant *arguments, GDBusMethodInvocation *call, gpointer data)
{
    if (g_str_equal(method, "GetXml")) {
        g_autofree char *text = NULL;

        if (g_str_equal(title, "brief"))
            finish(0);
        if (g_str_equal(title, "telling")) {
            g_free(domain->title);
            domain->title = g_strdup("told");
        }
        text = kiln_domain_format(domain, KILN_FORMAT_SECURE);
        g_dbus_method_invocation_return_value(call, g_variant_new("(s)", text));
    } else if (g_str_equal(method, "OpenStatistics")) {
        answer_statistics(call);
    } else if (g_str_equal(method, "GetThreads")) {
        answer_threads(call);
    } else if (g_str_equal(method, "Pause") && g_str_equal(state, "paused")) {
        g_dbus_method_invocation_return_dbus_error(call, "org.kiln.Error.State",
                                                   "the guest is paused");
    } else {
        g_autofree char *what = NULL;

        if (g_str_equal(method, "Pause"))
            move("paused", "user");
        else if (g_str_equal(method, "Resume"))
            move("running", "unpaused");
        g_dbus_method_invocation_return_value(call, NULL);
        if (g_str_equal(method, "Play")) {
            g_variant_get(arguments, "(s)", &what);
            play(what);
        }
    }
}

static GVariant *
on_property(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
            const char *name, GError **error, gpointer data)
{
    return g_variant_new_string(g_str_equal(name, "Name")    ? domain->name
                                : g_str_equal(name, "Uuid")  ? domain->uuid
                                : g_str_equal(name, "State") ? state
                                                             : reason);
}

static gboolean
on_client(int fd, GIOCondition ready, gpointer data)
{
    static const GDBusInterfaceVTable table = { on_call, on_property, NULL, { NULL } };
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(interface_xml, NULL);
    g_autofree char *guid = g_dbus_generate_guid();
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    g_autoptr(GSocket) socket = g_socket_new_from_fd(accepted, NULL);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    GDBusConnection *bus =
        g_dbus_connection_new_sync(G_IO_STREAM(stream), guid,
                                   G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                                       G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                   NULL, NULL, NULL);

    if (bus == NULL)
        return G_SOURCE_CONTINUE;
    (void)g_dbus_connection_register_object(bus, "/org/kiln/VM1", node->interfaces[0], &table, NULL,
                                            NULL, NULL);
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    g_dbus_connection_start_message_processing(bus);
    client = bus;
    return G_SOURCE_CONTINUE;
}

static gboolean
on_term(gpointer data)
{
    if (!g_str_equal(title, "stubborn")) {
        emit("Finished", g_variant_new("(s)", "destroyed"));
        finish(5);
    }
    return G_SOURCE_CONTINUE;
}

/* As control/listener.c does it. */
static int
claim(void)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    int fd;

    pid_path = kiln_control_path(domain->name, ".pid", NULL);
    sock_path = kiln_control_path(domain->name, ".sock", NULL);
    fd = open(pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    (void)ftruncate(fd, 0);
    (void)kiln_write_full(fd, text, strlen(text), 0);
    return kiln_unix_listen(sock_path, 16, NULL);
}

static void
say(int fd, const char *text)
{
    if (fd >= 0)
        (void)kiln_write_full(fd, text, strlen(text), -1);
}

int
main(int argc, char **argv)
{
    const char *seconds = g_getenv("KILN_FAKE_SECONDS");
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    int ready = -1;
    int listener;

    (void)prctl(PR_SET_PDEATHSIG, 0);
    (void)alarm(seconds != NULL ? (guint)g_ascii_strtoull(seconds, NULL, 10) : 20);
    (void)signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (g_str_equal(argv[i], "--ready-fd"))
            ready = (int)g_ascii_strtoll(argv[i + 1], NULL, 10);
        if (g_str_equal(argv[i], "--paused"))
            state = "paused", reason = "starting";
    }
    domain = kiln_domain_load(argv[argc - 1], faults, &error);
    if (domain == NULL) {
        say(ready, "error 2 bad document\n");
        return 3;
    }
    kiln_domain_assign(domain, faults);
    title = g_strdup(domain->title != NULL ? domain->title : "");
    listener = claim();
    if (listener < 0 || g_str_equal(title, "fail")) {
        fprintf(stderr, "it failed\n");
        say(ready,
            listener < 0 ? "error 6 it runs already\n" : "error 3 element 'x' is not offered\n");
        if (listener >= 0)
            finish(3);
        return 1;
    }
    if (g_str_equal(title, "die"))
        finish(1);
    (void)g_unix_signal_add(SIGTERM, on_term, NULL);
    if (!g_str_equal(title, "silent"))
        (void)g_unix_fd_add(listener, G_IO_IN, on_client, NULL);
    if (!g_str_equal(title, "forever"))
        say(ready, "ready\n");
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
    return 0;
}
