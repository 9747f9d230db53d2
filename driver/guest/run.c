/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See run.h. */
#include "guest/run.h"

#include "base/log.h"
#include "domain/assign.h"
#include "guest/cgroup.h"
#include "guest/guest-private.h"
#include "guest/talk.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* kiln's exit statuses (kiln(1)). */
enum { EXIT_DONE = 0, EXIT_CRASHED = 4, EXIT_DESTROYED = 5 };

/* What an adopted process says last may come a moment after its end. */
enum { LAST_NEWS_MS = 100 };

KilnRun *
kiln_run_new(KilnGuest *guest, int id, KilnDomain *live)
{
    KilnRun *run = g_new0(KilnRun, 1);

    run->guest = guest;
    run->id = id;
    run->pidfd = -1;
    kiln_run_set_live(run, live);
    run->state = VIR_DOMAIN_NOSTATE;
    guest->run = run;
    return run;
}

/* The text's tree is for people whose document has a fault; aliases are not taken from a text, but
 * they are the process's own. */
void
kiln_run_set_live(KilnRun *run, KilnDomain *live)
{
    if (live != NULL) {
        g_clear_pointer(&live->document, kiln_xml_node_free);
        kiln_assign_aliases(live);
    }
    kiln_domain_free(run->live);
    run->live = live;
}

void
kiln_run_free(KilnRun *run)
{
    if (run == NULL)
        return;
    kiln_start_abandon(run->start);
    kiln_start_abandon(g_steal_pointer(&run->started));
    kiln_talk_free(run->talk);
    kiln_source_free(run->end);
    kiln_fd_clear(&run->pidfd);
    if (run->patience != 0)
        (void)g_source_remove(run->patience);
    if (run->late != 0)
        (void)g_source_remove(run->late);
    kiln_destroy_abandon(run->destroyers);
    kiln_domain_free(run->live);
    g_free(run->cgroup);
    g_free(run);
}

char *
kiln_run_path(const KilnGuest *guest, const char *suffix)
{
    g_autofree char *file = kiln_store_file_name(guest->name, suffix, NULL);

    return g_build_filename(guest->list->runtime_dir, file, NULL);
}

void
kiln_run_signal(const KilnRun *run, int signal)
{
    if (run->pidfd >= 0)
        (void)pidfd_send_signal(run->pidfd, signal, NULL, 0);
}

/* ---- What is left in the runtime directory ---- */

/* Whether @fd still is what stands at @path. */
static gboolean
is_at(int fd, const char *path)
{
    struct stat of_fd;
    struct stat of_path;

    return fstat(fd, &of_fd) == 0 && lstat(path, &of_path) == 0 && of_fd.st_dev == of_path.st_dev &&
           of_fd.st_ino == of_path.st_ino;
}

static char *
path_of(const char *runtime_dir, const char *name, const char *suffix)
{
    g_autofree char *file = kiln_store_file_name(name, suffix, NULL);

    return file != NULL ? g_build_filename(runtime_dir, file, NULL) : NULL;
}

/* Who holds the lock of the claim owns the socket too (control/listener.h). */
void
kiln_run_sweep(const char *runtime_dir, const char *name)
{
    g_autofree char *document = path_of(runtime_dir, name, ".xml");
    g_autofree char *claim = path_of(runtime_dir, name, ".pid");
    g_autofree char *socket = path_of(runtime_dir, name, ".sock");
    g_auto(KilnFd) fd = -1;

    if (document == NULL || claim == NULL || socket == NULL)
        return;
    (void)unlink(document);
    fd = open(claim, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_at(fd, claim))
        return;
    (void)unlink(socket);
    (void)unlink(claim);
}

/* ---- The end ---- */

static KilnRunOutcome
outcome_of(const KilnRun *run, int status)
{
    if (run->killed)
        return KILN_RUN_DESTROYED;
    if (status < 0)
        return run->outcome;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM ? KILN_RUN_DESTROYED
                                                                          : KILN_RUN_KILLED;
    switch (WEXITSTATUS(status)) {
    case EXIT_DONE: return KILN_RUN_POWEROFF;
    case EXIT_CRASHED: return KILN_RUN_CRASHED;
    case EXIT_DESTROYED: return KILN_RUN_DESTROYED;
    default: return KILN_RUN_FAILED;
    }
}

static void
log_end(const KilnRun *run, int status)
{
    const char *name = run->guest->name;

    if (run->killed || status < 0)
        return;
    if (WIFSIGNALED(status))
        kiln_log(KILN_LOG_ERROR, "the process of '%s' (pid %d) was ended by signal %d (%s)", name,
                 (int)run->pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_CRASHED)
        kiln_log(KILN_LOG_WARNING, "guest '%s' crashed", name);
    else if (WEXITSTATUS(status) != EXIT_DONE && WEXITSTATUS(status) != EXIT_DESTROYED)
        kiln_log(KILN_LOG_ERROR, "the process of '%s' (pid %d) ended with status %d; see its log",
                 name, (int)run->pid, WEXITSTATUS(status));
}

/* Of the shut-off state and the event. */
static const struct {
    int reason;
    int detail;
} ends[] = {
    [KILN_RUN_UNKNOWN] = { VIR_DOMAIN_SHUTOFF_UNKNOWN, VIR_DOMAIN_EVENT_STOPPED_FAILED },
    [KILN_RUN_POWEROFF] = { VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN },
    [KILN_RUN_DESTROYED] = { VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED },
    [KILN_RUN_CRASHED] = { VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED },
    [KILN_RUN_KILLED] = { VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_FAILED },
    [KILN_RUN_FAILED] = { VIR_DOMAIN_SHUTOFF_FAILED, VIR_DOMAIN_EVENT_STOPPED_FAILED },
};

void
kiln_run_end(KilnRun *run)
{
    g_autoptr(KilnGuest) guest = kiln_guest_ref(run->guest);
    g_autoptr(GArray) destroyers = g_steal_pointer(&run->destroyers);
    KilnRunOutcome outcome = run->outcome;
    gboolean was_active = run->active;
    gboolean shutdown_told = run->shutdown_told;

    kiln_start_answer(run);
    kiln_run_sweep(guest->list->runtime_dir, guest->name);
    kiln_guest_list_activated(guest, FALSE, run->id);
    kiln_cgroup_end(guest->list->cgroups, run);
    guest->run = NULL;
    kiln_run_free(run);
    if (was_active) {
        guest->off_reason = ends[outcome].reason;
        guest->updated = FALSE;
        if (outcome == KILN_RUN_POWEROFF && !shutdown_told)
            kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_SHUTDOWN,
                                      VIR_DOMAIN_EVENT_SHUTDOWN_GUEST);
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_STOPPED, ends[outcome].detail);
    }
    kiln_destroy_end(guest, destroyers);
    kiln_guest_settle(guest);
}

static gboolean
on_late(gpointer data)
{
    KilnRun *run = data;

    run->late = 0;
    kiln_run_end(run);
    return G_SOURCE_REMOVE;
}

void
kiln_run_hurry(KilnRun *run)
{
    if (run->late != 0)
        kiln_run_end(run);
}

/* Returns: the status as of waitpid(2), -1 if it is not known. */
static int
reap(const KilnRun *run)
{
    siginfo_t info = { 0 };

    if (waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG) < 0)
        return -1;
    return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0)
                                      : W_EXITCODE(0, info.si_status);
}

static gboolean
on_process_end(int fd, GIOCondition ready, gpointer data)
{
    KilnRun *run = data;
    int status = reap(run);

    if (run->start != NULL)
        kiln_start_last_words(run->start);
    if (run->start != NULL) {
        kiln_start_ended(run->start, status);
        return G_SOURCE_REMOVE;
    }
    log_end(run, status);
    run->outcome = outcome_of(run, status);
    if (run->outcome == KILN_RUN_UNKNOWN && run->talk != NULL)
        run->late = g_timeout_add(LAST_NEWS_MS, on_late, run);
    else
        kiln_run_end(run);
    return G_SOURCE_REMOVE;
}

void
kiln_run_watch(KilnRun *run, pid_t pid, KilnFd pidfd)
{
    run->pid = pid;
    run->pidfd = pidfd;
    run->end = kiln_fd_source_new(NULL, pidfd, G_IO_IN, on_process_end, run);
}

void
kiln_run_activate(KilnRun *run, int state, int reason)
{
    run->active = TRUE;
    run->state = state;
    run->reason = reason;
    kiln_guest_list_activated(run->guest, TRUE, run->id);
    kiln_guest_settle(run->guest);
    run->talk = kiln_talk_new(run);
}
