/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See adopt.h. */
#include "guest/adopt.h"

#include "base/error.h"
#include "base/log.h"
#include "control/paths.h"
#include "guest/found.h"
#include "guest/guest-private.h"
#include "guest/probe.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process that was begun claims its name within milliseconds. */
enum { GRACE_MS = 500, PRIVATE_DIRECTORY = 0700 };

struct KilnAdoption {
    KilnGuestList *list;
    KilnFd inotify;
    GSource *events;
    GHashTable *probes; /* of names, owned: processes that have not told who they are */
    GPtrArray *orphans; /* names of documents without a process */
    guint grace;        /* timer of these */
    gboolean at_start;  /* nobody is told what was there already */
};

/* ---- Who it is is known ---- */

static void
on_known(const char *name, const KilnHead *head, pid_t pid, KilnFd pidfd, gpointer data)
{
    KilnAdoption *adoption = data;
    KilnGuestList *list = adoption->list;
    g_auto(KilnFd) owned = pidfd;
    g_autoptr(GError) error = NULL;
    KilnGuest *guest = kiln_guest_list_reserve(list, name, head->uuid, &error);
    KilnRun *run;

    if (guest == NULL) {
        kiln_log(KILN_LOG_WARNING, "process %d, a guest named '%s', is left alone: %s", (int)pid,
                 name, error->message);
        return;
    }
    if (guest->run != NULL)
        return;
    run = kiln_run_new(guest, head->id, NULL);
    run->reason_unknown = TRUE;
    list->next_id = MAX(list->next_id, head->id + 1);
    kiln_run_watch(run, pid, kiln_fd_steal(&owned));
    kiln_run_activate(run, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNKNOWN);
    if (!adoption->at_start)
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
}

/* ---- It has to be asked ---- */

/* @head: NULL if it ended without telling. */
static void
on_probed(KilnProbe *probe, KilnHead *head, gpointer data)
{
    KilnAdoption *adoption = data;
    g_autofree char *name = g_strdup(kiln_probe_name(probe));
    KilnFd pidfd;
    pid_t pid = kiln_probe_steal(probe, &pidfd);

    (void)g_hash_table_remove(adoption->probes, name);
    if (head != NULL) {
        on_known(name, head, pid, pidfd, adoption);
        return;
    }
    kiln_fd_clear(&pidfd);
    kiln_run_sweep(adoption->list->runtime_dir, name);
}

static gboolean
is_known(KilnAdoption *adoption, const char *name)
{
    const KilnGuest *guest = kiln_guest_list_find(adoption->list, name);

    return (guest != NULL && guest->run != NULL) || g_hash_table_contains(adoption->probes, name);
}

/* Returns: FALSE if there is no process of that name. */
static gboolean
look(KilnAdoption *adoption, const char *name)
{
    KilnGuestList *list = adoption->list;
    g_auto(KilnHead) head = { 0 };
    KilnFd pidfd = -1;
    pid_t pid;

    if (is_known(adoption, name))
        return TRUE;
    pid = kiln_found_process(list->runtime_dir, name, &pidfd);
    if (pid <= 0)
        return FALSE;
    if (kiln_found_document(list->runtime_dir, name, &head))
        on_known(name, &head, pid, pidfd, adoption);
    else
        (void)g_hash_table_insert(adoption->probes, g_strdup(name),
                                  kiln_probe_new(list->runtime_dir, name, pid, pidfd,
                                                 &list->next_id, on_probed, adoption));
    return TRUE;
}

/* ---- Documents without a process ---- */

static void
sweep_orphan(KilnAdoption *adoption, const char *name)
{
    g_auto(KilnHead) head = { 0 };
    KilnGuest *guest = NULL;

    if (kiln_found_document(adoption->list->runtime_dir, name, &head))
        guest = kiln_guest_list_find_uuid(adoption->list, head.uuid);
    kiln_log(KILN_LOG_WARNING, "guest '%s' ended while nobody looked", name);
    kiln_run_sweep(adoption->list->runtime_dir, name);
    if (guest != NULL && guest->shown && guest->run == NULL && strcmp(guest->name, name) == 0)
        kiln_guest_tell_lifecycle(guest, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

static gboolean
on_grace(gpointer data)
{
    KilnAdoption *adoption = data;

    adoption->grace = 0;
    for (guint i = 0; i < adoption->orphans->len; i++) {
        const char *name = g_ptr_array_index(adoption->orphans, i);

        if (!look(adoption, name))
            sweep_orphan(adoption, name);
    }
    g_ptr_array_set_size(adoption->orphans, 0);
    return G_SOURCE_REMOVE;
}

static void
on_file(const char *name, gboolean has_document, gpointer data)
{
    KilnAdoption *adoption = data;
    g_auto(KilnHead) head = { 0 };

    if (has_document && kiln_found_document(adoption->list->runtime_dir, name, &head))
        adoption->list->next_id = MAX(adoption->list->next_id, head.id + 1);
    if (look(adoption, name) || !has_document)
        return;
    g_ptr_array_add(adoption->orphans, g_strdup(name));
    if (adoption->grace == 0)
        adoption->grace = g_timeout_add(GRACE_MS, on_grace, adoption);
}

static void
scan(KilnAdoption *adoption)
{
    kiln_found_names(adoption->list->runtime_dir, on_file, adoption);
}

/* ---- What comes later ---- */

static void
on_event(KilnAdoption *adoption, const struct inotify_event *event)
{
    g_autofree char *name = NULL;

    if ((event->mask & IN_Q_OVERFLOW) != 0)
        scan(adoption);
    if (event->len > 0)
        name = kiln_control_guest_of(event->name);
    if (name != NULL)
        (void)look(adoption, name);
}

static gboolean
on_inotify(int fd, GIOCondition ready, gpointer data)
{
    char bytes[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t length = read(fd, bytes, sizeof bytes);

    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= length;) {
        const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

        on_event(data, event);
        at += (ssize_t)(sizeof *event + event->len);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
watch(KilnAdoption *adoption, GError **error)
{
    const char *directory = adoption->list->runtime_dir;

    adoption->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (adoption->inotify < 0 ||
        inotify_add_watch(adoption->inotify, directory, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
        return kiln_error_set_errno(error, errno, "cannot watch the directory '%s'", directory);
    adoption->events = kiln_fd_source_new(NULL, adoption->inotify, G_IO_IN, on_inotify, adoption);
    return TRUE;
}

/* ---- Life ---- */

/* It is as the guests' own processes make it (control/paths.h). */
static gboolean
make_directories(const KilnGuestList *list, GError **error)
{
    const char *const paths[] = { list->runtime_dir, list->log_dir };

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++)
        if (g_mkdir_with_parents(paths[i], PRIVATE_DIRECTORY) < 0)
            return kiln_error_set_errno(error, errno, "cannot make the directory '%s'", paths[i]);
    return TRUE;
}

KilnAdoption *
kiln_adoption_begin(KilnGuestList *list, GError **error)
{
    KilnAdoption *adoption = g_new0(KilnAdoption, 1);

    adoption->list = list;
    adoption->inotify = -1;
    adoption->probes =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)kiln_probe_free);
    adoption->orphans = g_ptr_array_new_with_free_func(g_free);
    if (!make_directories(list, error) || !watch(adoption, error)) {
        kiln_adoption_end(adoption);
        return NULL;
    }
    adoption->at_start = TRUE; /* watched already: what comes meanwhile is seen once or twice */
    scan(adoption);
    adoption->at_start = FALSE;
    return adoption;
}

void
kiln_adoption_end(KilnAdoption *adoption)
{
    if (adoption == NULL)
        return;
    kiln_source_free(adoption->events);
    kiln_fd_clear(&adoption->inotify);
    if (adoption->grace != 0)
        (void)g_source_remove(adoption->grace);
    g_hash_table_unref(adoption->probes);
    g_ptr_array_unref(adoption->orphans);
    g_free(adoption);
}
