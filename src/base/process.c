/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See process.h. */
#include "base/process.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 512, /* of a helper's log line; longer ones are cut */
    END_PATIENCE_MS = 500,
};

struct KilnProcess {
    char *name; /* (owned) */
    pid_t pid;
    KilnFd pidfd;  /* (owned) */
    KilnFd output; /* (owned): the reading end of its standard output and error */
    GSource *end_source;
    GSource *output_source;
    KilnProcessFunc ended;
    gpointer data;
    gboolean reaped;
    int status;
    GString *line; /* what came since the last newline */
    char *last;    /* (owned): the last whole line */
};

/* What the child needs between fork and exec, where nothing may be allocated. */
typedef struct {
    const char *path;
    char **argv;
    KilnProcessFd *fds; /* by rising number; made of the options', with 0, 1 and 2 */
    unsigned n_fds;
    int report; /* written to if there is no exec: the errno */
    pid_t parent;
} ChildPlan;

static const char *const other_directories[] = {
    "/usr/libexec", "/usr/lib/qemu",   "/usr/lib/passt", "/usr/sbin",
    "/sbin",        "/usr/local/sbin", "/usr/bin",
};

char *
kiln_process_find(const char *name, GError **error)
{
    g_autofree char *path = NULL;

    if (strchr(name, '/') != NULL) {
        if (access(name, X_OK) == 0)
            return g_strdup(name);
        kiln_error_set_errno(error, errno, "program '%s'", name);
        return NULL;
    }
    path = g_find_program_in_path(name);
    for (unsigned i = 0; path == NULL && i < G_N_ELEMENTS(other_directories); i++) {
        path = g_build_filename(other_directories[i], name, NULL);
        if (access(path, X_OK) != 0)
            g_clear_pointer(&path, g_free);
    }
    if (path == NULL)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                       "program '%s' is not installed (it is neither in PATH nor in /usr/libexec)",
                       name);
    return g_steal_pointer(&path);
}

static void
child_signals(void)
{
    static const int defaults[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGCHLD };
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
        signal(defaults[i], SIG_DFL);
}

/* Moves every descriptor to its number.  First all of them above the highest number, so that none
 * is overwritten before its turn. */
static gboolean
child_descriptors(ChildPlan *plan)
{
    int above = plan->report;

    for (unsigned i = 0; i < plan->n_fds; i++)
        above = MAX(above, plan->fds[i].number);
    plan->report = fcntl(plan->report, F_DUPFD_CLOEXEC, above + 1);
    if (plan->report < 0)
        return FALSE;
    for (unsigned i = 0; i < plan->n_fds; i++) {
        plan->fds[i].fd = fcntl(plan->fds[i].fd, F_DUPFD_CLOEXEC, above + 1);
        if (plan->fds[i].fd < 0)
            return FALSE;
    }
    (void)close_range(0, (unsigned)above, CLOSE_RANGE_CLOEXEC);
    for (unsigned i = 0; i < plan->n_fds; i++)
        if (dup3(plan->fds[i].fd, plan->fds[i].number, O_CLOEXEC) < 0 ||
            fcntl(plan->fds[i].number, F_SETFD, 0) < 0) /* this one is inherited */
            return FALSE;
    return close_range((unsigned)above + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static void G_GNUC_NORETURN
child_main(ChildPlan *plan)
{
    int errnum;

    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() != plan->parent)
        _exit(127); /* the parent went before the wish was known */
    child_signals();
    if (child_descriptors(plan))
        execv(plan->path, plan->argv);
    errnum = errno;
    (void)!write(plan->report, &errnum, sizeof errnum);
    _exit(127);
}

static gboolean
has_number(const KilnProcessOptions *options, int number)
{
    for (unsigned i = 0; i < options->n_fds; i++)
        if (options->fds[i].number == number)
            return TRUE;
    return FALSE;
}

/* The caller's descriptors, and /dev/null and the log for the standard ones that are not there. */
static unsigned
plan_descriptors(const KilnProcessOptions *options, KilnProcessFd *fds, int null_fd, int log_fd)
{
    unsigned n = 0;

    for (int number = 0; number < 3; number++)
        if (!has_number(options, number))
            fds[n++] = (KilnProcessFd){ number == 0 ? null_fd : log_fd, number };
    for (unsigned i = 0; i < options->n_fds; i++)
        fds[n++] = options->fds[i];
    return n;
}

static void
log_line(KilnProcess *process)
{
    if (process->line->len == 0)
        return;
    g_free(process->last);
    process->last = g_strndup(process->line->str, process->line->len);
    g_string_truncate(process->line, 0);
    kiln_log(KILN_LOG_INFO, "%s: %s", process->name, process->last);
}

static void
take_output(KilnProcess *process, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || process->line->len == LINE_MAX_BYTES)
            log_line(process);
        if (bytes[i] != '\n')
            g_string_append_c(process->line, bytes[i]);
    }
}

/* Reads what is there.  Returns FALSE at the end of it. */
static gboolean
read_output(KilnProcess *process)
{
    char bytes[4096];

    for (unsigned rounds = 0; rounds < 16; rounds++) {
        ssize_t n = read(process->output, bytes, sizeof bytes);

        if (n > 0)
            take_output(process, bytes, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            return FALSE;
        else if (errno == EAGAIN)
            break;
    }
    return TRUE;
}

static void
drop_source(GSource **source)
{
    if (*source != NULL) {
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
    }
}

static gboolean
output_ready(gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer data)
{
    KilnProcess *process = data;

    if (read_output(process))
        return G_SOURCE_CONTINUE;
    log_line(process);
    drop_source(&process->output_source);
    return G_SOURCE_REMOVE;
}

static gboolean
reap(KilnProcess *process)
{
    siginfo_t info = { 0 };

    if (!process->reaped && waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid != 0) {
        process->reaped = TRUE;
        process->status =
            info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
    }
    return process->reaped;
}

static gboolean
process_ended(gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer data)
{
    KilnProcess *process = data;

    if (!reap(process))
        return G_SOURCE_CONTINUE;
    read_output(process);
    log_line(process);
    drop_source(&process->end_source);
    if (process->ended != NULL)
        process->ended(process, process->status, process->data); /* which may free it */
    return G_SOURCE_REMOVE;
}

static GSource *
watch(KilnProcess *process, GMainContext *context, int fd, GUnixFDSourceFunc func)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP);

    /* GLib wants a GSourceFunc, whatever the type of the source's callback */
    g_source_set_callback(source, G_SOURCE_FUNC(func), process, NULL);
    g_source_attach(source, context);
    return source;
}

/* Waits until the child has begun its program (0) or tells why not (an errno). */
static int
exec_result(int report)
{
    int errnum = 0;
    ssize_t n = kiln_read_full(report, &errnum, sizeof errnum, -1);

    return n == sizeof errnum ? errnum : 0;
}

static KilnProcess *
process_start(const KilnProcessOptions *options, ChildPlan *plan, int output, int report,
              KilnFd *report_end)
{
    KilnProcess *process;
    pid_t pid;
    int errnum;

    pid = fork();
    if (pid == 0)
        child_main(plan);
    errnum = errno;
    kiln_fd_clear(report_end);
    process = g_new0(KilnProcess, 1);
    process->name = g_strdup(options->name);
    process->pid = pid;
    process->output = output;
    process->line = g_string_new(NULL);
    process->last = g_strdup("");
    process->ended = options->ended;
    process->data = options->data;
    process->pidfd = -1;
    if (pid > 0) {
        errnum = exec_result(report);
        process->pidfd = pidfd_open(pid, 0);
        if (errnum == 0 && process->pidfd < 0)
            errnum = errno;
    }
    process->status = errnum; /* for the caller, until it is known to run */
    return process;
}

KilnProcess *
kiln_process_spawn(const KilnProcessOptions *options, GError **error)
{
    g_autofree char *path = NULL;
    g_autofree KilnProcessFd *fds = g_new0(KilnProcessFd, options->n_fds + 3);
    g_autoptr(KilnProcess) process = NULL;
    g_auto(KilnFd) null_fd = -1;
    g_auto(KilnFd) log_fd = -1;
    g_auto(KilnFd) report_end = -1;
    g_auto(KilnFd) report = -1;
    int pipes[2];
    ChildPlan plan;

    path = kiln_process_find(options->argv[0], error);
    if (path == NULL)
        return NULL;
    null_fd = kiln_open("/dev/null", O_RDONLY, 0, error);
    if (null_fd < 0)
        return NULL;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        kiln_error_set_errno(error, errno, "%s: cannot make a pipe", options->name);
        return NULL;
    }
    report = pipes[0];
    report_end = pipes[1];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        kiln_error_set_errno(error, errno, "%s: cannot make a pipe", options->name);
        return NULL;
    }
    log_fd = pipes[1];
    (void)fcntl(pipes[0], F_SETFL, O_NONBLOCK); /* the child's end stays as programs expect it */
    plan = (ChildPlan){
        .path = path,
        .argv = (char **)options->argv,
        .fds = fds,
        .n_fds = plan_descriptors(options, fds, null_fd, log_fd),
        .report = report_end,
        .parent = getpid(),
    };
    process = process_start(options, &plan, pipes[0], report, &report_end);
    if (process->status != 0) {
        int errnum = process->status;

        process->reaped = process->pid <= 0;
        kiln_error_set_errno(error, errnum, "%s: cannot run '%s'", options->name, path);
        return NULL;
    }
    process->end_source = watch(process, options->context, process->pidfd, process_ended);
    process->output_source = watch(process, options->context, process->output, output_ready);
    return g_steal_pointer(&process);
}

gboolean
kiln_process_wait_line(KilnProcess *process, int timeout_ms)
{
    struct pollfd output = { .fd = process->output, .events = POLLIN };
    gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

    while (*process->last == '\0') {
        gint64 left = MAX(0, until - g_get_monotonic_time());

        if (poll(&output, 1, (int)((left + 999) / 1000)) == 0 || !read_output(process))
            break;
    }
    return *process->last != '\0';
}

gboolean
kiln_process_wait(KilnProcess *process, int timeout_ms, int *status)
{
    struct pollfd fds[2] = { { .fd = process->pidfd, .events = POLLIN },
                             { .fd = process->output, .events = POLLIN } };
    gint64 until = g_get_monotonic_time() + (gint64)timeout_ms * 1000;

    while (!reap(process)) {
        gint64 left = MAX(0, until - g_get_monotonic_time());
        int n = poll(fds, 2, timeout_ms < 0 ? -1 : (int)((left + 999) / 1000));

        if (n == 0)
            return FALSE;
        if ((fds[1].revents & (POLLIN | POLLHUP)) != 0 && !read_output(process))
            fds[1].fd = -1; /* it closed its output and goes on */
    }
    read_output(process);
    log_line(process);
    drop_source(&process->end_source);
    if (status != NULL)
        *status = process->status;
    return TRUE;
}

void
kiln_process_free(KilnProcess *process)
{
    if (process == NULL)
        return;
    if (!process->reaped && process->pidfd >= 0) {
        (void)pidfd_send_signal(process->pidfd, SIGTERM, NULL, 0);
        if (!kiln_process_wait(process, END_PATIENCE_MS, NULL)) {
            (void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
            kiln_process_wait(process, END_PATIENCE_MS, NULL);
        }
    } else if (!process->reaped && process->pid > 0) {
        (void)waitpid(process->pid, NULL, 0); /* it never ran its program */
    }
    drop_source(&process->end_source);
    drop_source(&process->output_source);
    kiln_fd_clear(&process->pidfd);
    kiln_fd_clear(&process->output);
    g_string_free(process->line, TRUE);
    g_free(process->last);
    g_free(process->name);
    g_free(process);
}

pid_t
kiln_process_pid(const KilnProcess *process)
{
    return process->pid;
}

int
kiln_process_pidfd(const KilnProcess *process)
{
    return process->pidfd;
}

const char *
kiln_process_last_line(const KilnProcess *process)
{
    return process->last;
}

char *
kiln_process_describe(const KilnProcess *process, int status)
{
    g_autofree char *how = WIFSIGNALED(status)
                               ? g_strdup_printf("killed by signal %d", WTERMSIG(status))
                               : g_strdup_printf("ended with status %d", WEXITSTATUS(status));

    if (*process->last == '\0')
        return g_steal_pointer(&how);
    return g_strdup_printf("%s: '%s'", how, process->last);
}

gboolean
kiln_process_run(const char *const *argv, int timeout_ms, GError **error)
{
    g_autoptr(GMainContext) context = g_main_context_new(); /* which nobody runs */
    KilnProcessOptions options = { .name = argv[0], .argv = argv, .context = context };
    g_autoptr(KilnProcess) process = NULL;
    g_autofree char *how = NULL;
    g_autofree char *command = NULL;
    int status;

    process = kiln_process_spawn(&options, error);
    if (process == NULL)
        return FALSE;
    command = g_strjoinv(" ", (char **)argv);
    if (!kiln_process_wait(process, timeout_ms, &status))
        return kiln_error_set(error, KILN_ERROR_FAILED, "'%s' did not end in %d ms", command,
                              timeout_ms);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TRUE;
    how = kiln_process_describe(process, status);
    return kiln_error_set(error, KILN_ERROR_FAILED, "'%s' %s", command, how);
}
