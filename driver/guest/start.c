/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a domain, one step of its queue of jobs:
 *
 *   definition -> id -> worker: document, log, process (spawn.h) -> it says that it is ready
 *   -> running: observers are told -> the conversation begins (talk.h) -> its live definition, for
 *   a moment -> the caller is answered
 *
 * The caller waits for nothing but these: who asks next finds the names of taps and terminals.  A
 * domain that is destroyed in between fails to start.
 */
#include "base/error.h"
#include "base/log.h"
#include "domain/assign.h"
#include "error/vir-error.h"
#include "guest/cgroup.h"
#include "guest/guest-private.h"
#include "guest/spawn.h"
#include "guest/worker.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Much memory that is to be there from the beginning takes its time; what never ends is ended. */
enum { READY_SECONDS = 300, TOLD_MS = 500, LINE_BYTES = 4096 };

struct KilnStart {
    KilnGuest *guest;
    KilnDomain *domain; /* (owned) (nullable): NULL is what is on disk */
    gboolean paused;
    gboolean reset_nvram;
    KilnGuestDone done;
    gpointer data;
    KilnSpawn spawn;
    char *cgroup;    /* (owned) (nullable): where it is to begin */
    KilnRun *run;    /* borrowed */
    GSource *ready;  /* of the pipe */
    GString *line;   /* what came of it */
    GError *failure; /* (nullable): what the process said, or did not say in time */
    guint deadline;
};

static void
start_free(KilnStart *start)
{
    if (start->deadline != 0)
        (void)g_source_remove(start->deadline);
    kiln_source_free(start->ready);
    kiln_spawn_clear(&start->spawn);
    g_free(start->cgroup);
    kiln_domain_free(start->domain);
    if (start->line != NULL)
        (void)g_string_free(start->line, TRUE);
    g_clear_error(&start->failure);
    g_free(start);
}

void
kiln_start_abandon(KilnStart *start)
{
    if (start != NULL)
        start_free(start);
}

/* Answers, and lets the next job begin. */
static void
finish(KilnStart *start, const GError *error)
{
    KilnGuest *guest = start->guest;

    if (start->run != NULL)
        start->run->start = NULL;
    if (error != NULL && start->run != NULL)
        kiln_run_end(start->run);
    start->done(guest, error, start->data);
    start_free(start);
    kiln_guest_job_end(guest);
}

/* ---- Ready ---- */

void
kiln_start_answer(KilnRun *run)
{
    if (run->started != NULL)
        finish(g_steal_pointer(&run->started), NULL);
}

static gboolean
on_not_told(gpointer data)
{
    KilnStart *start = data;

    start->deadline = 0;
    kiln_start_answer(start->guest->run); /* its own, or it would have been answered at its end */
    return G_SOURCE_REMOVE;
}

static void
answer_when_told(KilnStart *start)
{
    if (start->deadline != 0)
        (void)g_source_remove(start->deadline);
    start->deadline = g_timeout_add(TOLD_MS, on_not_told, start);
    start->guest->run->started = start;
}

static void
succeed(KilnStart *start)
{
    KilnGuest *guest = start->guest;

    start->run->start = NULL;
    kiln_run_activate(start->run, start->paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING,
                      start->paused ? (int)VIR_DOMAIN_PAUSED_USER : (int)VIR_DOMAIN_RUNNING_BOOTED);
    guest->updated = FALSE;
    kiln_cgroup_begin(guest->list->cgroups, start->run);
    start->run = NULL; /* what comes of it now is not this start's */
    kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    if (start->paused)
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_SUSPENDED,
                                  VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    answer_when_told(start);
}

/* "error N TEXT" */
static void
take_error(KilnStart *start, const char *text)
{
    char *rest = NULL;
    guint64 code = g_ascii_strtoull(text, &rest, 10);
    g_autofree char *message = g_utf8_make_valid(rest, -1);

    g_set_error_literal(&start->failure, KILN_ERROR,
                        code <= KILN_ERROR_KVM ? (int)code : (int)KILN_ERROR_FAILED,
                        g_strstrip(message));
}

static void
take_line(KilnStart *start, const char *line)
{
    kiln_source_free(g_steal_pointer(&start->ready));
    if (strcmp(line, "ready") == 0) {
        succeed(start);
        return;
    }
    if (g_str_has_prefix(line, "error "))
        take_error(start, line + strlen("error "));
    else if (g_str_has_prefix(line, KILN_SPAWN_EXEC))
        (void)kiln_error_set_errno(&start->failure,
                                   (int)g_ascii_strtoll(line + strlen(KILN_SPAWN_EXEC), NULL, 10),
                                   "cannot execute '%s'", start->spawn.program);
    /* Its end, which comes soon, ends the start. */
}

static gboolean
on_ready(int fd, GIOCondition ready, gpointer data)
{
    KilnStart *start = data;
    char bytes[LINE_BYTES];
    ssize_t length = read(fd, bytes, sizeof bytes);
    char *end;

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (length <= 0) /* it ends: the process tells how */
        return G_SOURCE_REMOVE;
    g_string_append_len(start->line, bytes, length);
    end = memchr(start->line->str, '\n', start->line->len);
    if (end == NULL)
        return start->line->len < LINE_BYTES;
    *end = '\0';
    take_line(start, start->line->str);
    return G_SOURCE_REMOVE;
}

static gboolean
on_deadline(gpointer data)
{
    KilnStart *start = data;

    start->deadline = 0;
    kiln_vir_error_set(&start->failure, VIR_ERR_OPERATION_TIMEOUT,
                       "domain '%s' was not ready after %d seconds", start->guest->name,
                       READY_SECONDS);
    kiln_run_signal(start->run, SIGKILL);
    return G_SOURCE_REMOVE;
}

/* ---- The process ended ---- */

static GError *
why(const KilnStart *start, int status)
{
    GError *error = NULL;

    if (start->run->killed)
        kiln_vir_error_set(&error, VIR_ERR_OPERATION_FAILED,
                           "domain '%s' was destroyed while it started", start->guest->name);
    else if (status >= 0 && WIFSIGNALED(status))
        kiln_vir_error_set(&error, VIR_ERR_INTERNAL_ERROR,
                           "the process of domain '%s' was ended by signal %d while it started",
                           start->guest->name, WTERMSIG(status));
    else
        kiln_vir_error_set(&error, VIR_ERR_INTERNAL_ERROR,
                           "the process of domain '%s' ended with status %d before it was ready; "
                           "see '%s'",
                           start->guest->name, status >= 0 ? WEXITSTATUS(status) : -1,
                           start->spawn.log);
    return error;
}

void
kiln_start_last_words(KilnStart *start)
{
    if (start->ready != NULL)
        (void)on_ready(start->spawn.ready, G_IO_IN, start);
}

void
kiln_start_ended(KilnStart *start, int status)
{
    g_autoptr(GError) error = start->failure != NULL && !start->run->killed
                                  ? g_steal_pointer(&start->failure)
                                  : why(start, status);
    finish(start, error);
}

/* ---- Begin ---- */

static gboolean
spawn(gpointer work, GError **error)
{
    KilnStart *start = work;

    return kiln_spawn(&start->spawn, error);
}

static void
on_spawned(gpointer work, const GError *error)
{
    KilnStart *start = work;
    KilnRun *run = start->run;

    if (error != NULL) {
        finish(start, error);
        return;
    }
    kiln_run_watch(run, start->spawn.pid, kiln_fd_steal(&start->spawn.pidfd));
    start->line = g_string_new(NULL);
    start->ready = kiln_fd_source_new(NULL, start->spawn.ready, G_IO_IN, on_ready, start);
    start->deadline = g_timeout_add_seconds(READY_SECONDS, on_deadline, start);
    if (run->killed)
        kiln_destroy_begin(run);
}

static char *
user_of(const KilnGuestList *list)
{
    GString *text;

    if (list->user == (uid_t)-1)
        return NULL;
    text = g_string_new(NULL);
    g_string_append_printf(text, "%u:%u", (guint)list->user, (guint)list->group);
    for (gsize i = 0; i < list->n_groups; i++)
        g_string_append_printf(text, ":%u", (guint)list->groups[i]);
    return g_string_free(text, FALSE);
}

static void
plan(KilnStart *start, int id)
{
    const KilnGuest *guest = start->guest;
    const KilnGuestList *list = guest->list;
    g_autofree char *log = kiln_store_file_name(guest->name, ".log", NULL);

    start->domain->id = (KilnInt){ TRUE, id };
    start->spawn = (KilnSpawn){
        .program = g_strdup(list->program),
        .document = kiln_run_path(guest, ".xml"),
        .text = kiln_domain_format(start->domain, KILN_FORMAT_SECURE),
        .log = g_build_filename(list->log_dir, log, NULL),
        .runtime_dir = g_strdup(list->runtime_dir),
        .user = user_of(list),
        .paused = start->paused,
        .reset_nvram = start->reset_nvram,
        .cgroup = kiln_cgroup_make(list->cgroups, guest->name, id, &start->cgroup),
        .pidfd = -1,
        .ready = -1,
    };
}

/* Returns: FALSE with @error set if @guest is not to be started now. */
static gboolean
may_start(KilnStart *start, GError **error)
{
    KilnGuest *guest = start->guest;

    if (guest->run != NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain is already running");
    if (start->domain == NULL)
        start->domain = kiln_guest_definition(guest, error);
    return start->domain != NULL;
}

static void
begin(KilnGuest *guest, gpointer data)
{
    KilnStart *start = data;
    g_autoptr(GError) error = NULL;
    int id;

    if (!may_start(start, &error)) {
        finish(start, error);
        return;
    }
    id = guest->list->next_id++;
    plan(start, id);
    kiln_assign_aliases(start->domain); /* as the process does, which tells more of it soon */
    start->run = kiln_run_new(guest, id, g_steal_pointer(&start->domain));
    start->run->start = start;
    start->run->cgroup = g_steal_pointer(&start->cgroup);
    kiln_worker_run(spawn, on_spawned, start);
}

static void
enqueue(KilnGuest *guest, KilnDomain *domain, unsigned flags, KilnGuestDone done, gpointer data)
{
    KilnStart *start = g_new0(KilnStart, 1);

    start->guest = guest;
    start->domain = domain;
    start->paused = (flags & VIR_DOMAIN_START_PAUSED) != 0;
    start->reset_nvram = (flags & VIR_DOMAIN_START_RESET_NVRAM) != 0;
    start->done = done;
    start->data = data;
    start->spawn.cgroup = start->spawn.pidfd = start->spawn.ready = -1;
    kiln_guest_job(guest, begin, start);
}

void
kiln_guest_start(KilnGuest *guest, unsigned flags, KilnGuestDone done, gpointer data)
{
    enqueue(guest, NULL, flags, done, data);
}

/* ---- Of a list ---- */

typedef struct {
    KilnGuestMade made;
    gpointer data;
} Made;

static void
on_started(KilnGuest *guest, const GError *error, gpointer data)
{
    g_autofree Made *made = data;

    made->made(error == NULL ? guest : NULL, error, made->data);
}

/* The domain that @domain is, if it may be started. */
static KilnGuest *
reserve(KilnGuestList *list, const KilnDomain *domain, GError **error)
{
    guint8 uuid[KILN_UUID_BYTES];
    KilnGuest *guest;

    if (!kiln_store_check_name(domain->name, error))
        return NULL;
    if (!kiln_uuid_parse(domain->uuid, strlen(domain->uuid), uuid)) {
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "malformed uuid");
        return NULL;
    }
    guest = kiln_guest_list_reserve(list, domain->name, uuid, error);
    if (guest == NULL)
        return NULL;
    if (kiln_guest_is_active(guest)) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain '%s' is already active",
                           guest->name);
        return NULL;
    }
    if (guest->run != NULL) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain '%s' is already being started",
                           guest->name);
        return NULL;
    }
    return guest;
}

void
kiln_guest_list_create(KilnGuestList *list, KilnDomain *domain, unsigned flags, KilnGuestMade made,
                       gpointer data)
{
    g_autoptr(GError) error = NULL;
    KilnGuest *guest = reserve(list, domain, &error);
    Made *wrapped;

    if (guest == NULL) {
        kiln_domain_free(domain);
        made(NULL, error, data);
        return;
    }
    wrapped = g_new(Made, 1);
    *wrapped = (Made){ made, data };
    enqueue(guest, domain, flags, on_started, wrapped);
}
