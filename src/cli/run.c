/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kiln run: one guest in the foreground, from its file to its exit status.
 *
 *   read the definition -> claim the name -> build the machine -> lock ourselves in -> run
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/module.h"
#include "base/trim.h"
#include "chardev/terminal.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/document.h"
#include "cli/resolve.h"
#include "control/listener.h"
#include "control/paths.h"
#include "loop/signal.h"
#include "machine/machine.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static const KilnCommandHelp help = {
    .name = "run",
    .arguments = "FILE",
    .summary = "Runs the guest that FILE defines, in the foreground.  '-' is standard input.",
    .details =
        "Ctrl-] leaves a console on the terminal, and the guest runs on; SIGINT, SIGTERM and\n"
        "SIGHUP pull its plug.\n\n"
        "The exit status is 0 if the guest powered itself off, 3 if the definition has\n"
        "faults, 4 if the guest crashed, 5 if it was ended from outside, and 1 if kiln failed.",
};

typedef struct {
    gboolean console;
    gboolean paused;
    gboolean verbose;
    gboolean reset_nvram;
    char **captures; /* (owned) (nullable) */
    char *sandbox;   /* (owned) (nullable): as given */
    KilnFd ready_fd; /* -1: nobody waits there, or no more */
    char *user;      /* (owned) (nullable): as given */
    KilnSandboxMode sandbox_mode;
} RunOptions;

/* One guest, from its definition to its end. */
typedef struct {
    char *name;
    char *uuid;
    KilnListener *listener;
    KilnMachine *machine;
    GSource *signals;
    GMainLoop *loop;
    char **socket_dirs; /* where sockets have to be removed at the end */
} Run;

static void
on_signal(const struct signalfd_siginfo *info, gpointer data)
{
    Run *run = data;

    kiln_machine_quit(run->machine, KILN_REASON_DESTROYED);
}

static void
on_event(KilnMachine *machine, KilnMachineEvent event, void *opaque)
{
    static KilnRatelimit limit; /* it may panic and restart for ever */
    Run *run = opaque;

    if (event == KILN_EVENT_PANIC)
        kiln_log_guest(&limit, "guest '%s' says that it panicked", run->name);
    if (event == KILN_EVENT_FINISHED)
        g_main_loop_quit(run->loop);
}

static void
on_leave(void *data)
{
    const Run *run = data;

    fprintf(stderr, "\nkiln: guest '%s' runs on: 'kiln console %s' comes back, Ctrl-C ends it\n",
            run->name, run->name);
}

static void
add_socket_dir(GPtrArray *dirs, const KilnCharSource *source)
{
    gboolean made = source->endpoint.mode == KILN_CHAR_MODE_BIND ||
                    source->endpoint.mode == KILN_CHAR_MODE_SERVER;

    if (source->type == KILN_CHAR_TYPE_UNIX && made && source->endpoint.path != NULL)
        g_ptr_array_add(dirs, g_path_get_dirname(source->endpoint.path));
}

/* The name of a file, whatever the document's names hold. */
static char *
channel_file(const KilnDomain *domain, const KilnChannel *channel)
{
    char *file = g_strdup_printf("%s.%s", domain->name,
                                 channel->target.name != NULL ? channel->target.name : "channel");

    return g_strdelimit(file, "/", '_');
}

/* A channel whose socket the document does not place is beside the control sockets, as
 * NAME.CHANNEL, with '_' for each '/'. */
static void
place_channels(const KilnDomain *domain)
{
    for (guint i = 0; i < domain->channels->len; i++) {
        KilnChannel *channel = g_ptr_array_index(domain->channels, i);
        KilnCharEndpoint *endpoint = &channel->source.endpoint;
        g_autofree char *file = channel_file(domain, channel);

        if (channel->source.type != KILN_CHAR_TYPE_UNIX || endpoint->path != NULL)
            continue;
        endpoint->mode = KILN_CHAR_MODE_BIND;
        endpoint->path = g_build_filename(kiln_control_directory(), "channel", file, NULL);
    }
}

static void
add_graphics_dirs(GPtrArray *dirs, const KilnGraphics *graphics)
{
    if (graphics->socket != NULL)
        g_ptr_array_add(dirs, g_path_get_dirname(graphics->socket));
    for (guint i = 0; i < graphics->listens->len; i++) {
        const KilnGraphicsListen *one = g_ptr_array_index(graphics->listens, i);

        if (one->socket != NULL)
            g_ptr_array_add(dirs, g_path_get_dirname(one->socket));
    }
}

/* Returns: (transfer full): the directories of all sockets that are made for @domain. */
static char **
socket_dirs(const KilnDomain *domain)
{
    GPtrArray *dirs = g_ptr_array_new();

    place_channels(domain);
    g_ptr_array_add(dirs, g_strdup(kiln_control_directory()));
    g_ptr_array_add(dirs, g_build_filename(kiln_control_directory(), "channel", NULL));
    for (guint i = 0; i < domain->serials->len; i++)
        add_socket_dir(dirs, &((KilnSerial *)g_ptr_array_index(domain->serials, i))->source);
    for (guint i = 0; i < domain->consoles->len; i++)
        add_socket_dir(dirs, &((KilnConsole *)g_ptr_array_index(domain->consoles, i))->source);
    for (guint i = 0; i < domain->channels->len; i++)
        add_socket_dir(dirs, &((KilnChannel *)g_ptr_array_index(domain->channels, i))->source);
    for (guint i = 0; i < domain->graphics->len; i++)
        add_graphics_dirs(dirs, g_ptr_array_index(domain->graphics, i));
    g_ptr_array_add(dirs, NULL);
    return (char **)g_ptr_array_free(dirs, FALSE);
}

/* Returns: FALSE with @error set if the directory of sockets without a place cannot be made. */
static gboolean
make_channel_directory(char **directory, GError **error)
{
    *directory = g_build_filename(kiln_control_directory(), "channel", NULL);
    return g_mkdir_with_parents(*directory, 0700) == 0 ||
           kiln_error_set_errno(error, errno, "cannot make the directory '%s'", *directory);
}

static gboolean
enter_sandbox(const Run *run, KilnSandboxMode mode, GError **error)
{
    g_autofree char *module = kiln_module_path(KILN_CONTROL_MODULE_FILE);
    g_autofree char *module_dir = g_path_get_dirname(module);
    const char *module_dirs[] = { module_dir, NULL };
    KilnSandboxOptions options = {
        .mode = mode,
        .socket_dirs = (const char *const *)run->socket_dirs,
        .module_dirs = module_dirs,
    };

    return kiln_sandbox_enter(&options, error);
}

static gboolean
catch_signals(Run *run, GError **error)
{
    sigset_t signals;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    run->signals = kiln_signal_source_open(NULL, &signals, on_signal, run, error);
    return run->signals != NULL;
}

/* Each queue and each interrupt of a device is a descriptor: a few adapters of many queues are past
 * the 1024 that a process has to begin with. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        kiln_log(KILN_LOG_WARNING, "cannot raise the limit of open files: %s", g_strerror(errno));
}

/* A second after the start: by then a guest is well under way, and nothing waits for pages. */
static gboolean
trim(gpointer data)
{
    kiln_trim_mappings();
    return G_SOURCE_REMOVE;
}

/* Tells who started us that the guest runs, or why it does not: a line, and the end of the pipe. */
static void
tell_starter(RunOptions *options, const GError *error)
{
    g_autofree char *line = NULL;

    if (options->ready_fd < 0)
        return;
    if (error == NULL)
        line = g_strdup("ready\n");
    else
        line = g_strdup_printf("error %d %s\n",
                               error->domain == KILN_ERROR ? error->code : KILN_ERROR_FAILED,
                               error->message);
    (void)kiln_write_full(options->ready_fd, line, strlen(line), -1);
    kiln_fd_clear(&options->ready_fd);
}

/* Builds the machine of @domain, which is taken over, and starts it. */
static gboolean
start(Run *run, KilnDomain *domain, const RunOptions *options, GError **error)
{
    g_autoptr(KilnDomain) owned = domain;
    g_autofree char *channels = NULL;
    g_autofree char *state = g_build_filename(g_get_user_data_dir(), "libvirt", "kiln", NULL);
    KilnMachineOptions machine_options = { .kvm_fd = -1,
                                           .state_dir = state,
                                           .captures = (const char *const *)options->captures,
                                           .console = options->console,
                                           .reset_nvram = options->reset_nvram,
                                           .thread_started = kiln_sandbox_enter_vcpu_thread };
    KilnControlGuest guest;

    if (!kiln_cli_resolve(owned, error) ||
        (options->user != NULL && !kiln_sandbox_become(options->user, error)))
        return FALSE;
    run->listener = kiln_listener_open(run->name, error);
    if (run->listener == NULL || !catch_signals(run, error) ||
        ((owned->channels->len > 0 || owned->vsocks->len > 0) &&
         !make_channel_directory(&channels, error)))
        return FALSE;
    machine_options.socket_dir = channels;
    raise_file_limit();
    run->machine = kiln_machine_new(g_steal_pointer(&owned), &machine_options, error);
    if (run->machine == NULL)
        return FALSE;
    (void)kiln_machine_listen(run->machine, on_event, run);
    kiln_terminal_set_leave_callback(on_leave, run);
    guest = (KilnControlGuest){ run->machine, run->name, run->uuid };
    kiln_listener_serve(run->listener, &guest);
    if (options->sandbox_mode != KILN_SANDBOX_OFF) /* a debugger's breakpoints would go too */
        (void)g_timeout_add_seconds(1, trim, NULL);
    return enter_sandbox(run, options->sandbox_mode, error) &&
           kiln_machine_start(run->machine, options->paused, error);
}

/* Returns: the exit status of a guest that has finished. */
static int
report(const Run *run)
{
    const GError *failure = kiln_machine_failure(run->machine);

    switch (kiln_machine_outcome(run->machine)) {
    case KILN_OUTCOME_POWEROFF: return KILN_EXIT_DONE;
    case KILN_OUTCOME_DESTROYED: return KILN_EXIT_DESTROYED;
    case KILN_OUTCOME_CRASHED:
        kiln_cli_error("guest '%s' crashed", run->name);
        return KILN_EXIT_CRASHED;
    case KILN_OUTCOME_NONE:
    case KILN_OUTCOME_FAILED: break;
    }
    kiln_cli_error("guest '%s': %s", run->name,
                   failure != NULL ? failure->message : "ended for an unknown reason");
    return KILN_EXIT_FAILED;
}

/* ---- The last resort ---------------------------------------------------------------------------
 */

enum { END_PATIENCE_S = 30 };

static gboolean ended_from_outside;

/* Each second of the end.  Only what signal handlers may call. */
static void
on_second(int number)
{
    static const char text[] = "kiln: the host's disks do not answer; they are left as they are\n";
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
    static guint seconds;
    gboolean wanted = ended_from_outside;
    sigset_t pending;
    ssize_t written;

    sigemptyset(&pending);
    (void)sigpending(&pending);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        wanted |= sigismember(&pending, ends[i]) == 1;
    if (!wanted || ++seconds < END_PATIENCE_S)
        return;
    kiln_terminal_restore();
    written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(KILN_EXIT_DESTROYED);
}

/* To close disks is to write what they hold back, which a host's disk may never do.  Who pulled the
 * plug, or asks for it now, does not wait for that without end. */
static void
watch_end(const Run *run)
{
    const struct itimerval second = { .it_interval = { .tv_sec = 1 }, .it_value = { .tv_sec = 1 } };

    ended_from_outside =
        run->machine != NULL && kiln_machine_outcome(run->machine) == KILN_OUTCOME_DESTROYED;
    (void)signal(SIGALRM, on_second);
    (void)setitimer(ITIMER_REAL, &second, NULL);
}

static void
finish(Run *run)
{
    watch_end(run);
    kiln_terminal_set_leave_callback(NULL, NULL);
    kiln_listener_free(run->listener); /* while there still is a machine to ask about */
    kiln_machine_free(run->machine);
    kiln_terminal_restore();
    kiln_source_free(run->signals);
    g_main_loop_unref(run->loop);
    g_strfreev(run->socket_dirs);
    g_free(run->name);
    g_free(run->uuid);
}

static int
run_domain(KilnDomain *domain, RunOptions *options)
{
    g_autoptr(GError) error = NULL;
    Run run = {
        .name = g_strdup(domain->name),
        .uuid = g_strdup(domain->uuid),
        .loop = g_main_loop_new(NULL, FALSE),
        .socket_dirs = socket_dirs(domain),
    };
    int status = KILN_EXIT_FAILED;
    gboolean started;

    started = start(&run, domain, options, &error);
    tell_starter(options, error);
    if (started) {
        g_main_loop_run(run.loop);
        status = report(&run);
    }
    finish(&run);
    if (error != NULL) /* only now: the terminal's modes are back */
        kiln_cli_error("%s", error->message);
    return error != NULL && g_error_matches(error, KILN_ERROR, KILN_ERROR_UNSUPPORTED)
               ? KILN_EXIT_DOCUMENT
               : status;
}

static gboolean
check_options(RunOptions *options)
{
    g_autoptr(GError) error = NULL;

    options->sandbox_mode = kiln_sandbox_default_mode();
    if (options->sandbox != NULL &&
        !kiln_sandbox_parse_mode(options->sandbox, &options->sandbox_mode, &error)) {
        kiln_cli_error("%s", error->message);
        return FALSE;
    }
    if (options->verbose)
        kiln_log_set_level(KILN_LOG_INFO);
    return TRUE;
}

int
kiln_command_run(int argc, char **argv)
{
    RunOptions options = { .ready_fd = -1 };
    const GOptionEntry entries[] = {
        { "console", 'c', 0, G_OPTION_ARG_NONE, &options.console,
          "Connect the first serial port to this terminal, whatever FILE says of it", NULL },
        { "paused", 'p', 0, G_OPTION_ARG_NONE, &options.paused,
          "Wait before the first instruction, for 'kiln ctl NAME resume'", NULL },
        { "reset-nvram", 0, 0, G_OPTION_ARG_NONE, &options.reset_nvram,
          "Make the firmware's variables anew, of their template", NULL },
        { "capture", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.captures,
          "Capture what passes an interface (alias or MAC address) into a file, in libpcap's "
          "format",
          "INTERFACE=FILE" },
        { "sandbox", 0, 0, G_OPTION_ARG_STRING, &options.sandbox,
          "What a forbidden system call leads to: on (death, the default), log or off", "MODE" },
        { "ready-fd", 0, 0, G_OPTION_ARG_INT, &options.ready_fd,
          "Descriptor to write 'ready' to when the guest runs, or 'error NUMBER TEXT'", "FD" },
        { "user", 0, 0, G_OPTION_ARG_STRING, &options.user,
          "Started by root: become this user, and keep what opens the guest's files until the "
          "sandbox",
          "UID:GID[:GID...]" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options.verbose, "Log what happens", NULL },
        { NULL },
    };
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = NULL;
    g_autoptr(GError) error = NULL;
    gboolean right;
    int status;

    right = kiln_cli_parse(&help, entries, &argc, &argv, 1, 1, &status) && check_options(&options);
    g_free(options.sandbox);
    if (!right)
        return KILN_EXIT_USAGE;
    domain = kiln_cli_load(argv[1], FALSE, faults, &error);
    if (error != NULL) {
        kiln_cli_error("%s", error->message);
        tell_starter(&options, error);
        return KILN_EXIT_FAILED;
    }
    kiln_cli_print_faults(argv[1], faults);
    if (domain == NULL) {
        kiln_error_set(&error, KILN_ERROR_XML, "the definition '%s' has faults", argv[1]);
        tell_starter(&options, error);
        return KILN_EXIT_DOCUMENT;
    }
    status = run_domain(g_steal_pointer(&domain), &options);
    g_strfreev(options.captures);
    g_free(options.user);
    return status;
}
