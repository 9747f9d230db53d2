/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See guest.h: what is known of a domain. */
#include "guest/guest.h"

#include "error/vir-error.h"
#include "guest/cgroup.h"
#include "guest/guest-private.h"
#include "guest/talk.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_SECOND = 1000000000 };

KilnGuest *
kiln_guest_ref(KilnGuest *guest)
{
    guest->references++;
    return guest;
}

void
kiln_guest_unref(KilnGuest *guest)
{
    if (guest == NULL || --guest->references > 0)
        return;
    kiln_run_free(guest->run);
    g_free(guest->name);
    g_free(guest);
}

const char *
kiln_guest_name(const KilnGuest *guest)
{
    return guest->name;
}

const guint8 *
kiln_guest_uuid(const KilnGuest *guest)
{
    return guest->uuid;
}

gboolean
kiln_guest_is_active(const KilnGuest *guest)
{
    return guest->run != NULL && guest->run->active;
}

int
kiln_guest_id(const KilnGuest *guest)
{
    return kiln_guest_is_active(guest) ? guest->run->id : -1;
}

pid_t
kiln_guest_pid(const KilnGuest *guest)
{
    return kiln_guest_is_active(guest) ? guest->run->pid : 0;
}

gboolean
kiln_guest_is_persistent(const KilnGuest *guest)
{
    return guest->persistent;
}

gboolean
kiln_guest_is_updated(const KilnGuest *guest)
{
    return guest->updated;
}

gboolean
kiln_guest_autostart(const KilnGuest *guest)
{
    return guest->autostart;
}

int
kiln_guest_state(const KilnGuest *guest, int *reason)
{
    gboolean active = kiln_guest_is_active(guest);

    if (reason != NULL)
        *reason = active ? guest->run->reason : guest->off_reason;
    return active ? guest->run->state : (int)VIR_DOMAIN_SHUTOFF;
}

guint64
kiln_guest_cpu_time(const KilnGuest *guest)
{
    struct timespec time;
    clockid_t clock;

    if (!kiln_guest_is_active(guest) || clock_getcpuclockid(guest->run->pid, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        return 0;
    return (guint64)time.tv_sec * NS_PER_SECOND + (guint64)time.tv_nsec;
}

KilnDomain *
kiln_guest_definition(KilnGuest *guest, GError **error)
{
    if (!guest->persistent) {
        kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                           "transient domains do not have any persistent config");
        return NULL;
    }
    return kiln_store_read(guest->list->store, guest->name, guest->uuid, error);
}

/* Of one that was adopted and has not told yet: what it was started with. */
static KilnDomain *
read_document(KilnGuest *guest)
{
    g_autofree char *path = kiln_run_path(guest, ".xml");
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    return kiln_domain_load(path, faults, NULL);
}

const KilnDomain *
kiln_guest_live(KilnGuest *guest)
{
    if (!kiln_guest_is_active(guest))
        return NULL;
    if (guest->run->live == NULL)
        kiln_run_set_live(guest->run, read_document(guest));
    return guest->run->live;
}

gboolean
kiln_guest_has_told(const KilnGuest *guest)
{
    return !kiln_guest_is_active(guest) || kiln_talk_has_told(guest->run->talk);
}

gboolean
kiln_guest_affects(KilnGuest *guest, unsigned flags, gboolean *live, gboolean *config,
                   GError **error)
{
    gboolean active = kiln_guest_is_active(guest);
    gboolean to_live = (flags & VIR_DOMAIN_AFFECT_LIVE) != 0;
    gboolean to_config = (flags & VIR_DOMAIN_AFFECT_CONFIG) != 0;

    if (!to_live && !to_config) {
        to_live = active;
        to_config = !active;
    }
    if (to_live && !active)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID, "domain is not running");
    if (to_config && !guest->persistent)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "transient domains do not have any persistent config");
    *live = to_live;
    *config = to_config;
    return TRUE;
}

/* ---- Asking the process ---- */

void
kiln_guest_call(KilnGuest *guest, const char *method, GVariant *arguments, GUnixFDList *fds,
                int timeout_ms, KilnGuestAnswer answered, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (kiln_guest_is_active(guest) && guest->run->talk != NULL) {
        kiln_talk_call(guest->run->talk, method, arguments, fds, timeout_ms, answered, data);
        return;
    }
    if (arguments != NULL)
        g_variant_unref(g_variant_ref_sink(arguments));
    kiln_vir_error_set(&error, VIR_ERR_OPERATION_INVALID, "domain is not running");
    answered(guest, NULL, NULL, error, data);
}

GArray *
kiln_guest_statistics(KilnGuest *guest)
{
    return kiln_guest_is_active(guest) ? kiln_talk_statistics(guest->run->talk) : NULL;
}

/* A guest that took over its process may name any thread of the host. */
static gboolean
is_of_process(pid_t pid, pid_t thread)
{
    char path[64];

    g_snprintf(path, sizeof path, "/proc/%d/task/%d", (int)pid, (int)thread);
    return thread > 0 && access(path, F_OK) == 0;
}

pid_t
kiln_guest_thread(KilnGuest *guest, const char *name)
{
    pid_t thread = kiln_guest_is_active(guest) ? kiln_talk_thread(guest->run->talk, name) : 0;

    if (thread != 0 && !is_of_process(guest->run->pid, thread))
        thread = 0;
    return thread == 0 && strcmp(name, "emulator") == 0 ? kiln_guest_pid(guest) : thread;
}

/* Looked up until it is there: systemd takes its time, and an adopted process has one already. */
const char *
kiln_guest_cgroup(const KilnGuest *guest)
{
    KilnRun *run = guest->run;

    if (!kiln_guest_is_active(guest) || guest->list->cgroups == NULL)
        return NULL;
    if (!run->cgroup_seen) {
        g_free(run->cgroup);
        run->cgroup = kiln_cgroup_of(run);
        run->cgroup_seen = run->cgroup != NULL;
    }
    return run->cgroup;
}
