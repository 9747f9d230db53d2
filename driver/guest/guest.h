/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One domain: its definition on disk, its process if it runs, and what may be done with it.
 *
 *   defined (a file) <-> running (a kiln process) ; a transient one has no file
 *
 * Main thread.  Nothing here waits: what takes time ends in a callback, and is done one after the
 * other for one domain (changes of its definition, start) while other domains go on.  Destroying
 * waits for nothing.
 * Constants are libvirt's (libvirt/libvirt.h).
 */
#ifndef KILN_GUEST_GUEST_H
#define KILN_GUEST_GUEST_H

#include "domain/domain.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

typedef struct KilnGuest KilnGuest;
typedef struct KilnGuestList KilnGuestList;

enum {
    KILN_GUEST_CALL_MS = 15000
}; /* what a guest's process has for an answer, unless it is said */

/* The end of something: @error is NULL if it went well, else borrowed. */
typedef void (*KilnGuestDone)(KilnGuest *guest, const GError *error, gpointer data);

KilnGuest *kiln_guest_ref(KilnGuest *guest);
void kiln_guest_unref(KilnGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnGuest, kiln_guest_unref)

/* ---- What is known without asking anybody ---- */

const char *kiln_guest_name(const KilnGuest *guest);
const guint8 *kiln_guest_uuid(const KilnGuest *guest); /* 16 bytes */
int kiln_guest_id(const KilnGuest *guest);             /* -1: does not run */
pid_t kiln_guest_pid(const KilnGuest *guest);          /* 0: does not run */
gboolean kiln_guest_is_active(const KilnGuest *guest);
gboolean kiln_guest_is_persistent(const KilnGuest *guest);
/* Whether the definition on disk differs from what runs because it was changed meanwhile. */
gboolean kiln_guest_is_updated(const KilnGuest *guest);
gboolean kiln_guest_autostart(const KilnGuest *guest);
/* virDomainState, and the reason that belongs to it (virDomainRunningReason and so on). */
int kiln_guest_state(const KilnGuest *guest, int *reason);
/* CPU time of its process, user and system, in ns; 0 if it does not run. */
guint64 kiln_guest_cpu_time(const KilnGuest *guest);

/**
 * kiln_guest_definition:
 *
 * The definition on disk, read and parsed when it is asked for.
 *
 * Returns: (transfer full): the persistent definition, or NULL with @error set (broken file, or
 *   a transient domain: VIR_ERR_OPERATION_INVALID).
 */
KilnDomain *kiln_guest_definition(KilnGuest *guest, GError **error);

/**
 * kiln_guest_live:
 *
 * Returns: (transfer none) (nullable): what runs, as the process last told; NULL if nothing runs.
 *   Valid until the main loop runs again.
 */
const KilnDomain *kiln_guest_live(KilnGuest *guest);

/* Whether nothing is missing in it: a process that has just begun, or that was found, has yet to
 * tell of its terminals and sockets, and one that was changed of the change.  Who asks it anything
 * (kiln_guest_call()) is answered after that. */
gboolean kiln_guest_has_told(const KilnGuest *guest);

/* As VIR_DOMAIN_AFFECT_*: TRUE with `*live` or `*config` or both set, else FALSE with @error set:
 * not running, transient, or both flags where @both is FALSE. */
gboolean kiln_guest_affects(KilnGuest *guest, unsigned flags, gboolean *live, gboolean *config,
                            GError **error);

/* ---- Changes of the definition ---- */

/**
 * KilnGuestEdit:
 * @domain: a copy of the definition, to be changed
 *
 * Returns: FALSE with @error set if it cannot be: nothing changes then.
 */
typedef gboolean (*KilnGuestEdit)(KilnDomain *domain, gpointer data, GError **error);

/**
 * kiln_guest_edit:
 * @edit: called once, when it is this change's turn
 *
 * Definition -> edit -> validate -> assign -> written and synced -> @done.
 */
void kiln_guest_edit(KilnGuest *guest, KilnGuestEdit edit, gpointer edit_data, KilnGuestDone done,
                     gpointer data);

/**
 * kiln_guest_undefine:
 *
 * Removes definition and autostart; a running guest is transient from then on, another one is gone
 * from its list.
 */
void kiln_guest_undefine(KilnGuest *guest, KilnGuestDone done, gpointer data);

/* The domain must not run (libvirt's rule). */
void kiln_guest_rename(KilnGuest *guest, const char *name, KilnGuestDone done, gpointer data);
void kiln_guest_set_autostart(KilnGuest *guest, gboolean autostart, KilnGuestDone done,
                              gpointer data);

/* ---- Life ---- */

/**
 * kiln_guest_start:
 * @flags: VIR_DOMAIN_START_PAUSED and the like, those that the list does not refuse
 *
 * @done when its first vCPU runs (or it stands ready, paused), or with what its process said why
 * not.
 */
void kiln_guest_start(KilnGuest *guest, unsigned flags, KilnGuestDone done, gpointer data);

/* SIGKILL after SIGTERM: @done when the process is gone.  @graceful: not more than SIGTERM, and
 * VIR_ERR_OPERATION_FAILED if it does not end. */
void kiln_guest_destroy(KilnGuest *guest, gboolean graceful, KilnGuestDone done, gpointer data);

/* ---- Asking the process ---- */

/**
 * KilnGuestAnswer:
 * @answer: (nullable): the tuple of results, borrowed
 * @fds: (nullable): that came with it, borrowed
 * @error: (nullable): KILN_ERROR as the process gave it; VIR_ERR_OPERATION_TIMEOUT if it did
 *   not answer in time; VIR_ERR_OPERATION_INVALID if it does not run (any more)
 */
typedef void (*KilnGuestAnswer)(KilnGuest *guest, GVariant *answer, GUnixFDList *fds,
                                const GError *error, gpointer data);

/**
 * kiln_guest_call:
 * @method: of org.kiln.VM1
 * @arguments: (nullable) (transfer floating): a tuple
 * @timeout_ms: KILN_GUEST_CALL_MS usually
 */
void kiln_guest_call(KilnGuest *guest, const char *method, GVariant *arguments, GUnixFDList *fds,
                     int timeout_ms, KilnGuestAnswer answered, gpointer data);

/**
 * kiln_guest_statistics:
 *
 * Reads what the process publishes in shared memory, which is a second old at most while somebody
 * reads it; the process is not waited for.
 *
 * Returns: the number of entries copied into @entries, which the caller frees with g_array_unref();
 *   NULL if nothing runs or nothing is published (yet).
 */
GArray *kiln_guest_statistics(KilnGuest *guest); /* of KilnStatistic, base/statistics.h */

/* Thread ids of its threads: "vcpu.0", "iothread.1", "emulator" (the main one); 0 if there is none,
 * or if what its process says is not a thread of it. */
pid_t kiln_guest_thread(KilnGuest *guest, const char *name);

/* Path of its cgroup below /sys/fs/cgroup; NULL if it has none of its own.  Borrowed. */
const char *kiln_guest_cgroup(const KilnGuest *guest);

#endif
