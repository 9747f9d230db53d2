/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See spawn.h. */
#include "guest/spawn.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Its runtime has to know of a child that goes on in its memory, and knows only fork(). */
#if defined(__SANITIZE_THREAD__)
#define FORKS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FORKS 1
#endif
#endif

enum {
    READY_FD = 3,
    STACK_BYTES = 64 * 1024, /* of the child until it executes the program */
    PRIVATE_FILE = 0600,
};

/* All that the child needs, made before: it allocates nothing. */
typedef struct {
    const char *program;
    char **argv;
    char **environment;
    int null;
    int log;
    int ready;
} Plan;

void
kiln_spawn_clear(KilnSpawn *spawn)
{
    g_clear_pointer(&spawn->program, g_free);
    g_clear_pointer(&spawn->document, g_free);
    g_clear_pointer(&spawn->text, g_free);
    g_clear_pointer(&spawn->log, g_free);
    g_clear_pointer(&spawn->runtime_dir, g_free);
    g_clear_pointer(&spawn->user, g_free);
    kiln_fd_clear(&spawn->cgroup);
    kiln_fd_clear(&spawn->pidfd);
    kiln_fd_clear(&spawn->ready);
}

/* ---- In the child, on a stack that AddressSanitizer does not know ---- */

#define IN_CHILD __attribute__((no_sanitize_address))

static IN_CHILD void
reset_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };

    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* fails for some, which cannot be changed */
    sigemptyset(&action.sa_mask);
    (void)sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

/* The three may have numbers that are to be another one's. */
static IN_CHILD gboolean
arrange_descriptors(const Plan *plan)
{
    int null = fcntl(plan->null, F_DUPFD_CLOEXEC, READY_FD + 1);
    int log = fcntl(plan->log, F_DUPFD_CLOEXEC, READY_FD + 1);
    int ready = fcntl(plan->ready, F_DUPFD_CLOEXEC, READY_FD + 1);

    return null >= 0 && log >= 0 && ready >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
           dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 &&
           dup2(ready, READY_FD) >= 0 &&
           close_range(READY_FD + 1, ~0U, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) == 0;
}

/* "exec N\n" */
static IN_CHILD void
report(int fd, int errnum)
{
    char text[] = KILN_SPAWN_EXEC "000\n";
    gsize end = sizeof text - 3;

    for (guint i = 0; i < 3; i++, errnum /= 10)
        text[end - i] = (char)('0' + errnum % 10);
    (void)!write(fd, text, sizeof text - 1);
}

static IN_CHILD int
child(void *data)
{
    const Plan *plan = data;

    (void)setsid();
    reset_signals();
    if (arrange_descriptors(plan))
        execve(plan->program, plan->argv, plan->environment);
    report(plan->ready, errno);
    _exit(127);
}

/* ---- In the daemon ---- */

#ifdef FORKS
static pid_t
begin_borrowing(Plan *plan, int *pidfd)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(child(plan));
    if (pid > 0)
        *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return pid;
}
#else
/* The child borrows this process's memory until it executes: nothing is copied. */
static pid_t
begin_borrowing(Plan *plan, int *pidfd)
{
    char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    pid_t pid;

    if (stack == MAP_FAILED)
        return -1;
    pid = clone(child, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, plan,
                pidfd);
    (void)munmap(stack, STACK_BYTES);
    return pid;
}
#endif

/* To begin in a cgroup, which the other way cannot say. */
static pid_t
begin_in_cgroup(Plan *plan, int cgroup, int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
        .pidfd = (guintptr)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (guint64)cgroup,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);

    if (pid == 0)
        _exit(child(plan));
    return pid;
}

static gboolean
begin(KilnSpawn *spawn, Plan *plan, GError **error)
{
    sigset_t all;
    sigset_t before;
    pid_t pid = -1;
    int pidfd = -1;
    int errnum;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    if (spawn->cgroup >= 0)
        pid = begin_in_cgroup(plan, spawn->cgroup, &pidfd);
    if (pid < 0) /* also without the cgroup */
        pid = begin_borrowing(plan, &pidfd);
    errnum = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return kiln_error_set_errno(error, errnum, "cannot start a process");
    spawn->pid = pid;
    spawn->pidfd = pidfd;
    return TRUE;
}

gboolean
kiln_spawn_write_document(const char *path, const char *text, GError **error)
{
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);
    g_auto(KilnFd) fd =
        kiln_open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, PRIVATE_FILE, error);
    int written;

    if (fd < 0)
        return FALSE;
    written = kiln_write_full(fd, text, strlen(text), -1);
    if (written == 0 && rename(fresh, path) < 0)
        written = -errno;
    if (written == 0)
        return TRUE;
    (void)unlink(fresh);
    return kiln_error_set_errno(error, -written, "cannot write '%s'", path);
}

static char **
arguments_of(const KilnSpawn *spawn)
{
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, spawn->program);
    g_ptr_array_add(argv, (gpointer) "run");
    g_ptr_array_add(argv, (gpointer) "--ready-fd");
    g_ptr_array_add(argv, (gpointer) "3");
    if (spawn->user != NULL) {
        g_ptr_array_add(argv, (gpointer) "--user");
        g_ptr_array_add(argv, spawn->user);
    }
    if (spawn->paused)
        g_ptr_array_add(argv, (gpointer) "--paused");
    if (spawn->reset_nvram)
        g_ptr_array_add(argv, (gpointer) "--reset-nvram");
    g_ptr_array_add(argv, spawn->document);
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

/* The log and the pipe, and then the process. */
static gboolean
begin_with_files(KilnSpawn *spawn, GError **error)
{
    g_auto(KilnFd) null = kiln_open("/dev/null", O_RDONLY, 0, error);
    g_auto(KilnFd) log = null < 0
                             ? -1
                             : kiln_open(spawn->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
                                         PRIVATE_FILE, error);
    g_autofree char **argv = arguments_of(spawn);
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "KILN_RUNTIME_DIR", spawn->runtime_dir, TRUE);
    g_auto(KilnFd) writing = -1;
    int ends[2];
    Plan plan;

    if (log < 0)
        return FALSE;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return kiln_error_set_errno(error, errno, "cannot make a pipe");
    spawn->ready = ends[0];
    writing = ends[1];
    (void)fcntl(spawn->ready, F_SETFL, O_NONBLOCK);
    plan = (Plan){ spawn->program, argv, environment, null, log, writing };
    return begin(spawn, &plan, error);
}

gboolean
kiln_spawn(KilnSpawn *spawn, GError **error)
{
    if (!kiln_spawn_write_document(spawn->document, spawn->text, error))
        return FALSE;
    if (begin_with_files(spawn, error))
        return TRUE;
    (void)unlink(spawn->document);
    return FALSE;
}
