/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is served, and every method and signal of org.kiln.VM1, over the socket and through the
 * module as it is installed. */
#include "control/listener.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/statistics.h"
#include "base/unix-socket.h"
#include "control/dbus-error.h"
#include "control/paths.h"
#include "control/vm1-glue.h"
#include "tests/control/fake-machine.h"
#include "tests/lib/kiln-test.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static KilnMachine *machine;
static KilnChardev *console;
static KilnListener *listener;
static KilnControlGuest guest;

#define RUN_UNTIL(condition)                                                                       \
    while (!(condition))                                                                           \
    g_main_context_iteration(NULL, TRUE)

static void
use_own_directory(void)
{
    g_autofree char *dir = kiln_test_dir();

    g_setenv("KILN_RUNTIME_DIR", dir, TRUE);
    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR"), TRUE);
}

static void
set_up(void)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;

    use_own_directory();
    console = kiln_chardev_open(&options, NULL, &error);
    kiln_assert_no_error(error);
    machine = fake_machine_new(console);
    guest = (KilnControlGuest){ machine, "guest", "c0ffee00-0000-4000-8000-000000000001" };
    listener = kiln_listener_open("guest", &error);
    kiln_assert_no_error(error);
    kiln_listener_serve(listener, &guest);
    kiln_dbus_error_register();
}

static void
tear_down(void)
{
    kiln_listener_free(listener);
    kiln_chardev_free(console);
    g_free(machine);
}

static void
on_ready(GObject *source, GAsyncResult *result, gpointer data)
{
    GAsyncResult **slot = data;

    *slot = g_object_ref(result);
}

/* Returns: (transfer full): a client on the connection @fd, which it takes. */
static KilnDbusVM1 *
client_on(int fd)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(fd, NULL);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_autoptr(GDBusConnection) bus = NULL;
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GError) error = NULL;
    KilnDbusVM1 *proxy;

    g_dbus_connection_new(G_IO_STREAM(stream), NULL, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT,
                          NULL, NULL, on_ready, &result);
    RUN_UNTIL(result != NULL);
    bus = g_dbus_connection_new_finish(result, &error);
    kiln_assert_no_error(error);
    g_clear_object(&result);
    kiln_dbus_vm1_proxy_new(bus, G_DBUS_PROXY_FLAGS_NONE, NULL, "/org/kiln/VM1", NULL, on_ready,
                            &result);
    RUN_UNTIL(result != NULL);
    proxy = kiln_dbus_vm1_proxy_new_finish(result, &error);
    kiln_assert_no_error(error);
    return proxy;
}

/* Returns: (transfer full): a client of the guest, as another process would be one. */
static KilnDbusVM1 *
connect_client(void)
{
    g_autofree char *path = kiln_control_path("guest", ".sock", NULL);

    return client_on(kiln_unix_connect(path, NULL));
}

/* Calls a method with its arguments in @arguments (floating).  Returns: what it returned. */
static GVariant *
call(KilnDbusVM1 *proxy, const char *method, GVariant *arguments, GUnixFDList **fds, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    g_dbus_proxy_call_with_unix_fd_list(G_DBUS_PROXY(proxy), method, arguments,
                                        G_DBUS_CALL_FLAGS_NONE, 30000, NULL, NULL, on_ready,
                                        &result);
    RUN_UNTIL(result != NULL);
    return g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(proxy), fds, result, error);
}

static void
call_plain(KilnDbusVM1 *proxy, const char *method)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = call(proxy, method, NULL, NULL, &error);

    kiln_assert_no_error(error);
    ck_assert_ptr_nonnull(answer);
}

START_TEST(properties_say_who_it_is)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();

    ck_assert_str_eq(kiln_dbus_vm1_get_name(proxy), "guest");
    ck_assert_str_eq(kiln_dbus_vm1_get_uuid(proxy), "c0ffee00-0000-4000-8000-000000000001");
    ck_assert_uint_eq(kiln_dbus_vm1_get_pid(proxy), (guint)getpid());
    ck_assert_str_eq(kiln_dbus_vm1_get_state(proxy), "running");
    ck_assert_str_eq(kiln_dbus_vm1_get_state_reason(proxy), "booted");
    ck_assert_str_eq(kiln_dbus_vm1_get_version(proxy), PACKAGE_VERSION);
}
END_TEST

static void
note_state(KilnDbusVM1 *proxy, const char *state, const char *reason, GString *log)
{
    g_string_append_printf(log, "%s/%s ", state, reason);
}

static void
note_rebooted(KilnDbusVM1 *proxy, GString *log)
{
    g_string_append(log, "rebooted ");
}

static void
note_crashed(KilnDbusVM1 *proxy, GString *log)
{
    g_string_append(log, "crashed ");
}

static void
note_finished(KilnDbusVM1 *proxy, const char *outcome, GString *log)
{
    g_string_append_printf(log, "finished:%s", outcome);
}

static GString *
watch(KilnDbusVM1 *proxy)
{
    GString *log = g_string_new(NULL);

    g_signal_connect(proxy, "state-changed", G_CALLBACK(note_state), log);
    g_signal_connect(proxy, "rebooted", G_CALLBACK(note_rebooted), log);
    g_signal_connect(proxy, "crashed", G_CALLBACK(note_crashed), log);
    g_signal_connect(proxy, "finished", G_CALLBACK(note_finished), log);
    return log;
}

START_TEST(every_client_hears_every_change)
{
    static const char expected[] = "paused/user running/unpaused rebooted shutdown/user crashed "
                                   "shutoff/destroyed finished:destroyed";
    g_autoptr(KilnDbusVM1) actor = connect_client();
    g_autoptr(KilnDbusVM1) watcher = connect_client();
    g_autoptr(GString) first = watch(actor);
    g_autoptr(GString) second = watch(watcher);

    call_plain(actor, "Pause");
    call_plain(actor, "Resume");
    call_plain(actor, "Reset");
    call_plain(actor, "Shutdown");
    fake_machine_event(machine, KILN_EVENT_PANIC);
    call_plain(actor, "Quit");
    RUN_UNTIL(first->len >= strlen(expected) && second->len >= strlen(expected));
    ck_assert_str_eq(first->str, expected);
    ck_assert_str_eq(second->str, expected);
    ck_assert_str_eq(kiln_dbus_vm1_get_state(watcher), "shutoff"); /* PropertiesChanged came too */
}
END_TEST

START_TEST(errors_keep_their_kind)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(call(proxy, "Resume", NULL, NULL, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_STATE));
    g_dbus_error_strip_remote_error(error);
    ck_assert_str_eq(error->message, "the guest is running");
    g_clear_error(&error);
    ck_assert_ptr_null(call(proxy, "GetXml", g_variant_new("(u)", 0x80u), NULL, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_INVALID));
    g_clear_error(&error);
    ck_assert_ptr_null(
        call(proxy, "OpenConsole", g_variant_new("(su)", "serial9", 0u), NULL, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND));
    g_clear_error(&error);
    ck_assert_ptr_null(call(proxy, "Explode", NULL, NULL, &error));
    ck_assert(g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD));
}
END_TEST

START_TEST(xml_and_statistics)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GVariant) xml = call(proxy, "GetXml", g_variant_new("(u)", 0u), NULL, NULL);
    g_autoptr(GVariant) answer = call(proxy, "GetStatistics", NULL, NULL, NULL);
    g_autoptr(GVariant) statistics = g_variant_get_child_value(answer, 0);
    const char *text;
    guint32 vcpus = 0;

    g_variant_get(xml, "(&s)", &text);
    ck_assert_str_eq(text, "<domain type='kvm'/>\n");
    ck_assert(g_variant_lookup(statistics, "vcpu.current", "u", &vcpus));
    ck_assert_uint_eq(vcpus, 2);
}
END_TEST

START_TEST(statistics_are_published_in_shared_memory)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer = call(proxy, "OpenStatistics", NULL, &fds, NULL);
    g_auto(KilnFd) fd = g_unix_fd_list_get(fds, 0, NULL);
    g_autoptr(GError) error = NULL;
    KilnStatisticsReader *reader = kiln_statistics_reader_new(fd, &error);
    const KilnStatistic *entries;
    gint64 first;
    gint64 next;

    kiln_assert_no_error(error);
    ck_assert_uint_gt(kiln_statistics_read(reader, &entries, &first), 0);
    ck_assert_str_eq(entries[0].name, "vcpu.current");
    ck_assert_uint_eq(entries[0].value.count, 2);
    do { /* again, without being asked */
        g_main_context_iteration(NULL, TRUE);
        (void)kiln_statistics_read(reader, &entries, &next);
    } while (next == first);
    first = next;
    g_variant_unref(answer);
    answer = call(proxy, "SetLink", g_variant_new("(sb)", "net0", FALSE), NULL, &error);
    kiln_assert_no_error(error);
    (void)kiln_statistics_read(reader, &entries, &next);
    ck_assert_int_gt(next, first); /* with what was changed, before the answer */
    kiln_statistics_reader_free(reader);
}
END_TEST

START_TEST(threads_keys_and_interrupts)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GVariant) answer = call(proxy, "GetThreads", NULL, NULL, NULL);
    g_autoptr(GVariant) threads = g_variant_get_child_value(answer, 0);
    const guint16 keys[] = { 29, 46 };
    g_autoptr(GVariant) sent = NULL;
    g_autoptr(GVariant) refused = NULL;
    g_autoptr(GError) error = NULL;
    guint32 id = 0;

    ck_assert(g_variant_lookup(threads, "vcpu.0", "u", &id));
    ck_assert_uint_eq(id, 2);
    sent = call(
        proxy, "SendKeys",
        g_variant_new("(@aqu)", g_variant_new_fixed_array(G_VARIANT_TYPE_UINT16, keys, 2, 2), 50u),
        NULL, &error);
    kiln_assert_no_error(error);
    ck_assert(sent != NULL);
    refused = call(proxy, "InjectNmi", NULL, NULL, &error);
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_STATE));
    kiln_assert_error_has(error, "running");
}
END_TEST

START_TEST(what_is_said_of_a_guest)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(call(proxy, "SetMetadata",
                            g_variant_new("(isss)", 2, "<a/>", "k", "http://a.example/"), NULL,
                            &error));
    kiln_assert_error_has(error, "metadata <a/> k http://a.example/ 2");
    g_clear_error(&error);
    ck_assert_ptr_null(
        call(proxy, "SetLifecycle", g_variant_new("(ss)", "crash", "preserve"), NULL, &error));
    kiln_assert_error_has(error, "crash preserve 0");
}
END_TEST

/* Returns: the console's descriptor. */
static int
open_console(KilnDbusVM1 *proxy, guint flags, GError **error)
{
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer =
        call(proxy, "OpenConsole", g_variant_new("(su)", "", flags), &fds, error);

    return answer != NULL ? g_unix_fd_list_get(fds, 0, error) : -1;
}

START_TEST(console_is_a_socket_to_the_guest)
{
    g_autoptr(KilnDbusVM1) proxy = connect_client();
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) first = open_console(proxy, 0, &error);
    g_auto(KilnFd) second = -1;
    char got[8] = "";

    kiln_assert_no_error(error);
    ck_assert_uint_eq(kiln_chardev_write(console, (const uint8_t *)"hello", 5), 5);
    g_main_context_iteration(NULL, FALSE);
    ck_assert_int_eq(recv(first, got, 5, MSG_WAITALL), 5);
    ck_assert_str_eq(got, "hello");
    ck_assert_int_eq(open_console(proxy, 0, &error), -1);
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    second = open_console(proxy, 1, NULL);
    ck_assert_int_ge(second, 0);
    ck_assert_int_eq(read(first, got, 1), 0);
}
END_TEST

START_TEST(a_client_that_says_nothing_holds_up_nobody)
{
    g_autofree char *path = kiln_control_path("guest", ".sock", NULL);
    g_auto(KilnFd) silent = kiln_unix_connect(path, NULL);
    g_auto(KilnFd) rubbish = kiln_unix_connect(path, NULL);
    g_autoptr(KilnDbusVM1) proxy = NULL;

    ck_assert_int_ge(silent, 0);
    ck_assert_int_eq(kiln_write_full(rubbish, "GET / HTTP/1.0\r\n\r\n", 18, -1), 0);
    proxy = connect_client();
    call_plain(proxy, "Pause");
}
END_TEST

/* Returns: (transfer full): the client's end of a connection that the server knows of. */
static int
connect_silently(const char *path)
{
    int fd = kiln_unix_connect(path, NULL);

    ck_assert_int_ge(fd, 0);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    return fd;
}

static gboolean
was_sent_away(int fd)
{
    struct pollfd end = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&end, 1, 0) == 1 && read(fd, &byte, 1) == 0;
}

START_TEST(clients_beyond_the_limit_are_sent_away)
{
    g_autofree char *path = kiln_control_path("guest", ".sock", NULL);
    g_autoptr(KilnDbusVM1) proxy = NULL;
    int fds[KILN_CONTROL_MAX_CLIENTS + 1];

    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = connect_silently(path);
    ck_assert(!was_sent_away(fds[KILN_CONTROL_MAX_CLIENTS - 1]));
    ck_assert(was_sent_away(fds[KILN_CONTROL_MAX_CLIENTS]));
    /*
     * They go, and there is room as soon as the server has seen it.  All of them: each has one of
     * GIO's threads, of which it has ten and makes more slowly.
     */
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        kiln_fd_clear(&fds[i]);
    fds[0] = connect_silently(path);
    while (was_sent_away(fds[0])) {
        kiln_fd_clear(&fds[0]);
        fds[0] = connect_silently(path);
    }
    proxy = client_on(fds[0]);
    call_plain(proxy, "Pause");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("control");
    TCase *clients = kiln_test_case(suite, "clients");

    tcase_add_checked_fixture(clients, set_up, tear_down);
    tcase_add_test(clients, properties_say_who_it_is);
    tcase_add_test(clients, every_client_hears_every_change);
    tcase_add_test(clients, errors_keep_their_kind);
    tcase_add_test(clients, xml_and_statistics);
    tcase_add_test(clients, statistics_are_published_in_shared_memory);
    tcase_add_test(clients, threads_keys_and_interrupts);
    tcase_add_test(clients, what_is_said_of_a_guest);
    tcase_add_test(clients, console_is_a_socket_to_the_guest);
    tcase_add_test(clients, a_client_that_says_nothing_holds_up_nobody);
    tcase_add_test(clients, clients_beyond_the_limit_are_sent_away);
    return suite;
}

KILN_TEST_MAIN(make_suite)
