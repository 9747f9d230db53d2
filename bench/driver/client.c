/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times what a libvirt driver does, over one connection that stays open.
 *
 *   client URI create ROUNDS DOCUMENT DIR       a guest to its first byte, and its destruction
 *   client URI define ROUNDS DOCUMENT           define, dumpxml, undefine
 *   client URI churn CYCLES DOCUMENT            define and undefine, again and again
 *   client URI list ROUNDS                      all domains
 *   client URI stats ROUNDS                     bulk statistics of those that run
 *   client URI starts CLIENTS EACH DOCUMENT     guests, by clients at once; they run on
 *   client URI events CLIENTS ROUNDS NAME       a guest's state, from the call to each listener
 *   client URI first-list                       the clock when a daemon that starts has answered
 *   client URI end                              destroys all that runs
 *
 * Prints one JSON object; what ends in _us is a list of microseconds.  In DOCUMENT, @NAME@ and
 * @UUID@ are replaced.  The first byte is seen by inotify, as a change of DIR/NAME.serial, which is
 * where the document sends the serial port.
 */
#include <errno.h>
#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 120, RETRY_US = 200, MAX_CLIENTS = 1000 };

static const char *uri;

/* ---- Tools ---- */

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void G_GNUC_NORETURN
give_up(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, virGetLastErrorMessage());
    exit(1);
}

static guint
number(const char *text)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 1, 10000000, &value, NULL)) {
        fprintf(stderr, "client: '%s' is no number\n", text);
        exit(2);
    }
    return (guint)value;
}

static virConnectPtr
connect_or_die(void)
{
    virConnectPtr connection = virConnectOpen(uri);

    if (connection == NULL)
        give_up(uri);
    return connection;
}

static char *
load(const char *path)
{
    char *text;
    GError *error = NULL;

    if (!g_file_get_contents(path, &text, NULL, &error)) {
        fprintf(stderr, "client: %s\n", error->message);
        exit(2);
    }
    return text;
}

/* Returns: (transfer full): the document of guest @number. */
static char *
fill_in(const char *document, const char *name, guint number)
{
    g_autoptr(GString) text = g_string_new(document);
    g_autofree char *uuid = g_strdup_printf("6b696c6e-0000-4000-8000-%012x", number);

    g_string_replace(text, "@NAME@", name, 0);
    g_string_replace(text, "@UUID@", uuid, 0);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
print_times(const char *name, const GArray *times)
{
    printf("\"%s\": [", name);
    for (guint i = 0; i < times->len; i++)
        printf("%s%lld", i > 0 ? ", " : "", (long long)g_array_index(times, int64_t, i));
    printf("]");
}

static GArray *
new_times(void)
{
    return g_array_new(FALSE, FALSE, sizeof(int64_t));
}

static void
add_since(GArray *times, int64_t start)
{
    int64_t took = now_us() - start;

    g_array_append_val(times, took);
}

/* ---- One guest ---- */

/* Waits until @file, in the directory that @watch is about, is written to. */
static bool
wait_for_change(int watch, const char *file)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    struct pollfd poller = { .fd = watch, .events = POLLIN };

    while (poll(&poller, 1, DEADLINE_SECONDS * 1000) > 0) {
        ssize_t length = read(watch, buffer, sizeof buffer);

        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const void *)(buffer + at);

            if (event->len > 0 && strcmp(event->name, file) == 0)
                return true;
            at += (ssize_t)sizeof *event + event->len;
        }
    }
    return false;
}

static int
do_create(char **arguments)
{
    guint rounds = number(arguments[0]);
    g_autofree char *document = load(arguments[1]);
    g_autofree char *text = fill_in(document, "bench-one", 1);
    g_autofree char *path = g_build_filename(arguments[2], "bench-one.serial", NULL);
    g_autoptr(GArray) created = new_times();
    g_autoptr(GArray) spoke = new_times();
    g_autoptr(GArray) destroyed = new_times();
    virConnectPtr connection = connect_or_die();

    for (guint i = 0; i < rounds; i++) {
        int watch = inotify_init1(IN_CLOEXEC);
        int64_t start;
        virDomainPtr domain;

        (void)unlink(path);
        if (watch < 0 || inotify_add_watch(watch, arguments[2], IN_MODIFY) < 0)
            give_up("inotify");
        start = now_us();
        domain = virDomainCreateXML(connection, text, 0);
        if (domain == NULL)
            give_up("create");
        add_since(created, start);
        if (!wait_for_change(watch, "bench-one.serial"))
            give_up("the guest says nothing");
        add_since(spoke, start);
        close(watch);
        start = now_us();
        if (virDomainDestroy(domain) < 0)
            give_up("destroy");
        add_since(destroyed, start);
        virDomainFree(domain);
    }
    virConnectClose(connection);
    print_times("create_us", created);
    printf(", ");
    print_times("first_byte_us", spoke);
    printf(", ");
    print_times("destroy_us", destroyed);
    return 0;
}

/* ---- Definitions ---- */

static int
do_define(char **arguments)
{
    guint rounds = number(arguments[0]);
    g_autofree char *document = load(arguments[1]);
    g_autoptr(GArray) defined = new_times();
    g_autoptr(GArray) dumped = new_times();
    g_autoptr(GArray) undefined = new_times();
    virConnectPtr connection = connect_or_die();

    for (guint i = 0; i < rounds; i++) {
        g_autofree char *name = g_strdup_printf("bench-define-%u", i);
        g_autofree char *text = fill_in(document, name, 0x10000000 + i);
        int64_t start = now_us();
        virDomainPtr domain = virDomainDefineXML(connection, text);
        char *xml;

        if (domain == NULL)
            give_up("define");
        add_since(defined, start);
        start = now_us();
        xml = virDomainGetXMLDesc(domain, 0);
        if (xml == NULL)
            give_up("dumpxml");
        add_since(dumped, start);
        free(xml);
        start = now_us();
        if (virDomainUndefine(domain) < 0)
            give_up("undefine");
        add_since(undefined, start);
        virDomainFree(domain);
    }
    virConnectClose(connection);
    print_times("define_us", defined);
    printf(", ");
    print_times("dumpxml_us", dumped);
    printf(", ");
    print_times("undefine_us", undefined);
    return 0;
}

static int
do_churn(char **arguments)
{
    guint cycles = number(arguments[0]);
    g_autofree char *document = load(arguments[1]);
    virConnectPtr connection = connect_or_die();
    int64_t start = now_us();

    for (guint i = 0; i < cycles; i++) {
        g_autofree char *name = g_strdup_printf("bench-churn-%u", i);
        g_autofree char *text = fill_in(document, name, 0x20000000 + i);
        virDomainPtr domain = virDomainDefineXML(connection, text);

        if (domain == NULL || virDomainUndefine(domain) < 0)
            give_up("define and undefine");
        virDomainFree(domain);
    }
    printf("\"cycles\": %u, \"took_us\": [%lld]", cycles, (long long)(now_us() - start));
    virConnectClose(connection);
    return 0;
}

static int
list_once(virConnectPtr connection)
{
    virDomainPtr *domains;
    int n = virConnectListAllDomains(connection, &domains, 0);

    if (n < 0)
        give_up("list");
    for (int i = 0; i < n; i++)
        virDomainFree(domains[i]);
    free(domains);
    return n;
}

static int
do_list(char **arguments)
{
    guint rounds = number(arguments[0]);
    g_autoptr(GArray) times = new_times();
    virConnectPtr connection = connect_or_die();
    int n = 0;

    for (guint i = 0; i < rounds; i++) {
        int64_t start = now_us();

        n = list_once(connection);
        add_since(times, start);
    }
    virConnectClose(connection);
    printf("\"domains\": %d, ", n);
    print_times("list_us", times);
    return 0;
}

/* As soon as the socket is there. */
static int
do_first_list(char **arguments)
{
    int64_t end = now_us() + (int64_t)DEADLINE_SECONDS * 1000000;
    virConnectPtr connection = NULL;
    int n;

    while ((connection = virConnectOpen(uri)) == NULL && now_us() < end)
        g_usleep(RETRY_US);
    if (connection == NULL)
        give_up(uri);
    n = list_once(connection);
    printf("\"domains\": %d, \"at_us\": [%lld]", n, (long long)now_us());
    virConnectClose(connection);
    return 0;
}

/* ---- Many guests ---- */

static int
do_stats(char **arguments)
{
    guint rounds = number(arguments[0]);
    g_autoptr(GArray) times = new_times();
    virConnectPtr connection = connect_or_die();
    int n = 0;

    for (guint i = 0; i < rounds; i++) {
        virDomainStatsRecordPtr *records;
        int64_t start = now_us();

        n = virConnectGetAllDomainStats(connection, 0, &records,
                                        VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING);
        if (n < 0)
            give_up("statistics");
        add_since(times, start);
        virDomainStatsRecordListFree(records);
    }
    virConnectClose(connection);
    printf("\"domains\": %d, ", n);
    print_times("stats_us", times);
    return 0;
}

typedef struct {
    virConnectPtr connection;
    const char *document;
    guint first;
    guint each;
} Starter;

static gpointer
start_guests(gpointer data)
{
    const Starter *starter = data;

    for (guint i = starter->first; i < starter->first + starter->each; i++) {
        g_autofree char *name = g_strdup_printf("bench-%u", i);
        g_autofree char *text = fill_in(starter->document, name, 0x30000000 + i);
        virDomainPtr domain = virDomainCreateXML(starter->connection, text, 0);

        if (domain == NULL)
            give_up(name);
        virDomainFree(domain);
    }
    return NULL;
}

static int
do_starts(char **arguments)
{
    guint clients = MIN(number(arguments[0]), MAX_CLIENTS);
    guint each = number(arguments[1]);
    g_autofree char *document = load(arguments[2]);
    Starter starters[MAX_CLIENTS];
    GThread *threads[MAX_CLIENTS];
    int64_t start;

    for (guint i = 0; i < clients; i++)
        starters[i] = (Starter){ connect_or_die(), document, i * each, each };
    start = now_us();
    for (guint i = 0; i < clients; i++)
        threads[i] = g_thread_new("client", start_guests, &starters[i]);
    for (guint i = 0; i < clients; i++)
        (void)g_thread_join(threads[i]);
    printf("\"starts\": %u, \"took_us\": [%lld]", clients * each, (long long)(now_us() - start));
    for (guint i = 0; i < clients; i++)
        virConnectClose(starters[i].connection);
    return 0;
}

static int
do_end(char **arguments)
{
    virConnectPtr connection = connect_or_die();
    g_autoptr(GArray) times = new_times();
    virDomainPtr *domains;
    int n = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    if (n < 0)
        give_up("list");
    for (int i = 0; i < n; i++) {
        int64_t start = now_us();

        if (virDomainDestroy(domains[i]) < 0)
            give_up(virDomainGetName(domains[i]));
        add_since(times, start);
        virDomainFree(domains[i]);
    }
    free(domains);
    virConnectClose(connection);
    print_times("destroy_us", times);
    return 0;
}

/* ---- Events ---- */

typedef struct {
    int64_t start;
    int expected; /* event; both are written while no event is under way */
    guint clients;
    GArray *times; /* of the event loop's thread until it posts */
    guint heard;
    sem_t all;
} Listeners;

static int
on_event(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
    Listeners *listeners = data;

    if (event != listeners->expected)
        return 0;
    add_since(listeners->times, listeners->start);
    if (++listeners->heard == listeners->clients)
        (void)sem_post(&listeners->all);
    return 0;
}

static gpointer G_GNUC_NORETURN
run_events(gpointer data)
{
    for (;;)
        (void)virEventRunDefaultImpl();
}

/* One change, and every listener has heard of it. */
static void
change(Listeners *listeners, virDomainPtr domain, bool suspend, GArray *calls)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += DEADLINE_SECONDS;
    listeners->expected = suspend ? VIR_DOMAIN_EVENT_SUSPENDED : VIR_DOMAIN_EVENT_RESUMED;
    listeners->heard = 0;
    listeners->start = now_us();
    if ((suspend ? virDomainSuspend : virDomainResume)(domain) < 0)
        give_up("suspend or resume");
    add_since(calls, listeners->start);
    while (sem_timedwait(&listeners->all, &end) < 0)
        if (errno != EINTR)
            give_up("an event did not come to all");
}

static int
do_events(char **arguments)
{
    Listeners listeners = { .clients = MIN(number(arguments[0]), MAX_CLIENTS),
                            .times = new_times() };
    guint rounds = number(arguments[1]);
    g_autoptr(GArray) calls = new_times();
    virConnectPtr connection;
    virDomainPtr domain;

    sem_init(&listeners.all, 0, 0);
    if (virEventRegisterDefaultImpl() < 0)
        give_up("event loop");
    (void)g_thread_new("events", run_events, NULL);
    for (guint i = 0; i < listeners.clients; i++)
        if (virConnectDomainEventRegisterAny(connect_or_die(), NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                             VIR_DOMAIN_EVENT_CALLBACK(on_event), &listeners,
                                             NULL) < 0)
            give_up("register");
    connection = connect_or_die();
    domain = virDomainLookupByName(connection, arguments[2]);
    if (domain == NULL)
        give_up(arguments[2]);
    for (guint i = 0; i < rounds; i++) {
        change(&listeners, domain, true, calls);
        change(&listeners, domain, false, calls);
    }
    print_times("call_us", calls);
    printf(", ");
    print_times("event_us", listeners.times);
    return 0; /* connections and thread end with the process */
}

/* ---- The command line ---- */

static const struct {
    const char *name;
    int n_arguments;
    int (*run)(char **arguments);
} commands[] = {
    { "create", 3, do_create }, { "define", 2, do_define },         { "churn", 2, do_churn },
    { "list", 1, do_list },     { "first-list", 0, do_first_list }, { "stats", 1, do_stats },
    { "starts", 3, do_starts }, { "events", 3, do_events },         { "end", 0, do_end },
};

static void
ignore_error(void *data, virErrorPtr error)
{
}

int
main(int argc, char **argv)
{
    virSetErrorFunc(NULL, ignore_error);
    for (guint i = 0; argc >= 3 && i < G_N_ELEMENTS(commands); i++) {
        int status;

        if (strcmp(argv[2], commands[i].name) != 0 || argc != 3 + commands[i].n_arguments)
            continue;
        uri = argv[1];
        printf("{");
        status = commands[i].run(argv + 3);
        printf("}\n");
        return status;
    }
    fprintf(stderr, "usage: client URI create|define|churn|list|first-list|stats|starts|events|end"
                    " [ARG...]; see the top of client.c\n");
    return 2;
}
