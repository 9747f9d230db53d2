/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtkilnd: libvirt's clients on one side, a kiln process a guest on the other.
 *
 *   options -> configuration -> the domains that there are -> the calls -> sockets -> main loop
 *
 * At the end guests run on; the next start finds them.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "daemon/config.h"
#include "daemon/paths.h"
#include "daemon/sockets.h"
#include "guest/list.h"
#include "loop/signal.h"
#include "ops/agent.h"
#include "ops/driver.h"
#include "relay/relay.h"
#include "rpc/events.h"
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_TABLES = 64, MAX_GROUPS = 8, CLAIM_MS = 3000, CLAIM_STEP_MS = 20 };

typedef struct {
    char *config_file; /* (owned) (nullable) */
    char *pid_file;    /* (owned) (nullable) */
    int timeout;       /* seconds without a client; 0: for ever */
    gboolean daemon;
    gboolean session;
    gboolean verbose;
    gboolean version;
} Options;

typedef struct {
    GMainLoop *loop;
    KilnDriver driver;
    int timeout;
    guint idle; /* source: the end, unless somebody comes */
} Daemon;

/* ---- The end of a daemon that nobody uses ---- */

static gboolean
on_idle(gpointer data)
{
    Daemon *daemon = data;

    daemon->idle = 0;
    kiln_log(KILN_LOG_INFO, "no client for %d seconds, and no guest runs", daemon->timeout);
    g_main_loop_quit(daemon->loop);
    return G_SOURCE_REMOVE;
}

static void
look_for_users(Daemon *daemon)
{
    guint active = 0;
    gboolean used;

    (void)kiln_guest_list_count(daemon->driver.guests, &active);
    used = active > 0 || kiln_server_n_clients(daemon->driver.server) > 0;
    if (daemon->timeout == 0 || used == (daemon->idle == 0))
        return;
    if (used) {
        g_source_remove(daemon->idle);
        daemon->idle = 0;
    } else {
        daemon->idle = g_timeout_add_seconds((guint)daemon->timeout, on_idle, daemon);
    }
}

static void
on_clients(KilnServer *server, gpointer data)
{
    look_for_users(data);
}

static void
on_news(KilnGuest *guest, const KilnGuestNews *news, gpointer data)
{
    look_for_users(data);
}

/* ---- Start ---- */

static void
on_signal(const struct signalfd_siginfo *info, gpointer data)
{
    Daemon *daemon = data;

    if (info->ssi_signo == SIGHUP)
        kiln_log(KILN_LOG_WARNING, "the configuration is read at the start alone: restart instead; "
                                   "guests run on");
    else
        g_main_loop_quit(daemon->loop);
}

static GSource *
catch_signals(Daemon *daemon, GError **error)
{
    sigset_t signals;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    return kiln_signal_source_open(NULL, &signals, on_signal, daemon, error);
}

static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Whom guests of the system run as; a container or test host may have no such user. */
static gboolean
find_user(const KilnDaemonConfig *config, KilnGuestListOptions *options, GError **error)
{
    const struct passwd *user = getpwnam(config->user);
    const struct group *group;

    if (user == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "guests are to run as user '%s', and there is none: make it "
                              "(systemd-sysusers), or name another one in kiln.conf",
                              config->user);
    options->user = user->pw_uid;
    options->group = user->pw_gid;
    if (config->group == NULL)
        return TRUE;
    group = getgrnam(config->group);
    if (group == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "kiln.conf: there is no group '%s'",
                              config->group);
    options->group = group->gr_gid;
    return TRUE;
}

static KilnGuestList *
open_guests(const KilnDaemonConfig *config, const KilnDaemonPaths *paths, const Daemon *daemon,
            GError **error)
{
    KilnGuestListOptions options = {
        .config_dir = paths->definitions,
        .runtime_dir = paths->runtime,
        .log_dir = paths->logs,
        .program = daemon->driver.program,
        .user = (uid_t)-1,
        .group = (gid_t)-1,
        .cgroups = !daemon->driver.session,
    };
    const struct group *kvm = getgrnam("kvm");

    if (!daemon->driver.session && !find_user(config, &options, error))
        return NULL;
    if (kvm != NULL && !daemon->driver.session) {
        options.groups = &kvm->gr_gid;
        options.n_groups = 1;
    }
    return kiln_guest_list_new(&options, error);
}

static KilnServer *
open_server(const KilnDaemonConfig *config, Daemon *daemon)
{
    const KilnProcedureTable *tables[MAX_TABLES] = { &kiln_events_table, &kiln_relay_table };
    KilnServerOptions options = {
        .tables = tables,
        .qemu = &kiln_ops_qemu,
        .limits = config->limits,
        .driver = &daemon->driver,
        .open = kiln_ops_open,
        .group = config->socket_group != NULL ? config->socket_group : "libvirt",
    };
    guint n = 2;

    for (guint i = 0; kiln_ops_tables[i] != NULL; i++) {
        g_assert(n + 1 < MAX_TABLES);
        tables[n++] = kiln_ops_tables[i];
    }
    return kiln_server_new(&options);
}

static void
set_log_level(const KilnDaemonConfig *config, gboolean verbose)
{
    static const KilnLogLevel levels[] = { KILN_LOG_DEBUG, KILN_LOG_DEBUG, KILN_LOG_INFO,
                                           KILN_LOG_WARNING, KILN_LOG_ERROR };

    kiln_log_set_level(verbose ? KILN_LOG_INFO : levels[config->log_level]);
}

static int
serve(const KilnDaemonConfig *config, const KilnDaemonPaths *paths, Daemon *daemon, GError **error)
{
    GSource *signals = catch_signals(daemon, error);
    const char *directory = config->socket_dir != NULL ? config->socket_dir : paths->socket_dir;

    if (signals == NULL)
        return 1;
    daemon->driver.guests = open_guests(config, paths, daemon, error);
    if (daemon->driver.guests != NULL) {
        kiln_relay_set_directories(paths->socket_dir, paths->images, daemon->driver.session);
        daemon->driver.server = open_server(config, daemon);
        kiln_ops_watch(&daemon->driver);
        if (kiln_daemon_listen(daemon->driver.server, config, directory, daemon->driver.session,
                               error)) {
            kiln_server_on_clients(daemon->driver.server, on_clients, daemon);
            kiln_guest_list_observe(daemon->driver.guests, on_news, daemon);
            look_for_users(daemon);
            kiln_daemon_notify("READY=1");
            kiln_guest_list_autostart(daemon->driver.guests);
            g_main_loop_run(daemon->loop);
            kiln_daemon_notify("STOPPING=1");
        }
        kiln_daemon_unlisten();
        kiln_server_free(daemon->driver.server);
        kiln_guest_list_free(daemon->driver.guests);
    }
    kiln_source_free(signals);
    return *error == NULL ? 0 : 1;
}

/* ---- The process ---- */

/* Waits a little: a child of a daemon that was killed may be about to become a guest, and has the
 * daemon's files open until its exec. */
static gboolean
lock(int fd)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += CLAIM_STEP_MS) {
        if (errno != EWOULDBLOCK || waited >= CLAIM_MS)
            return FALSE;
        g_usleep(CLAIM_STEP_MS * 1000);
    }
    return TRUE;
}

/* Locked for as long as we live: a second daemon on the same files would spoil them. */
static gboolean
claim(const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%d\n", getpid());
    g_auto(KilnFd) fd = kiln_open(path, O_RDWR | O_CREAT, 0644, error);
    int failed;

    if (fd < 0)
        return FALSE;
    if (!lock(fd))
        return kiln_error_set(error, KILN_ERROR_EXISTS, "another virtkilnd runs: it has '%s'",
                              path);
    failed = ftruncate(fd, 0) != 0 ? errno : -kiln_write_full(fd, text, strlen(text), 0);
    if (failed != 0)
        return kiln_error_set_errno(error, failed, "cannot write '%s'", path);
    (void)kiln_fd_steal(&fd); /* it stays open, for the lock */
    return TRUE;
}

static gboolean
detach(GError **error)
{
    return daemon(0, 0) == 0 || kiln_error_set_errno(error, errno, "cannot become a daemon");
}

static gboolean
parse_options(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        { "config", 'f', 0, G_OPTION_ARG_FILENAME, &options->config_file,
          "Configuration, in place of virtkilnd.conf", "FILE" },
        { "timeout", 't', 0, G_OPTION_ARG_INT, &options->timeout,
          "End after so many seconds without a client or a running guest", "SECONDS" },
        { "pid-file", 'p', 0, G_OPTION_ARG_FILENAME, &options->pid_file,
          "Where the process id goes", "FILE" },
        { "daemon", 'd', 0, G_OPTION_ARG_NONE, &options->daemon, "Run in the background", NULL },
        { "session", 0, 0, G_OPTION_ARG_NONE, &options->session,
          "Serve kiln:///session, also as root", NULL },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, "Log what happens", NULL },
        { "version", 'V', 0, G_OPTION_ARG_NONE, &options->version, "Print the version", NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context, "The libvirt driver daemon of Kiln.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1)
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is not an option", (*argv)[1]);
    return options->timeout >= 0 ||
           kiln_error_set(error, KILN_ERROR_INVALID, "--timeout %d is negative", options->timeout);
}

static int
run(const Options *options, GError **error)
{
    Daemon daemon = { .timeout = options->timeout };
    g_auto(KilnDaemonConfig) config;
    g_auto(KilnDaemonPaths) paths = { 0 };
    int status;

    daemon.driver.session = options->session || geteuid() != 0;
    kiln_daemon_config_init(&config);
    kiln_daemon_paths_init(&paths, daemon.driver.session);
    if (!kiln_daemon_config_read(
            &config, options->config_file != NULL ? options->config_file : paths.config_file,
            options->config_file != NULL, error) ||
        (paths.guest_config != NULL &&
         !kiln_daemon_config_read(&config, paths.guest_config, FALSE, error)) ||
        !kiln_daemon_paths_make(&paths, daemon.driver.session, error) ||
        (options->daemon && !detach(error)) ||
        !claim(options->pid_file != NULL ? options->pid_file : paths.pid_file, error))
        return 1;
    set_log_level(&config, options->verbose);
    raise_file_limit();
    (void)g_setenv("XDG_DATA_HOME", paths.state, TRUE); /* where guests keep their state */
    daemon.driver.program = kiln_daemon_find_program();
    daemon.loop = g_main_loop_new(NULL, FALSE);
    status = serve(&config, &paths, &daemon, error);
    g_main_loop_unref(daemon.loop);
    g_free(daemon.driver.program);
    return status;
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    g_autoptr(GError) error = NULL;
    int status = 2;

    if (parse_options(&options, &argc, &argv, &error) && options.version) {
        printf("virtkilnd %s\n", PACKAGE_VERSION);
        status = 0;
    } else if (error == NULL) {
        status = run(&options, &error);
    }
    if (error != NULL)
        fprintf(stderr, "virtkilnd: %s\n", error->message);
    g_free(options.config_file);
    g_free(options.pid_file);
    return status;
}
