/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this room know of a domain and of their list; for this room alone. */
#ifndef KILN_GUEST_PRIVATE_H
#define KILN_GUEST_PRIVATE_H

#include "guest/head.h"
#include "guest/list.h"
#include "guest/run.h"
#include "guest/store.h"

struct KilnGuest {
    guint references;
    KilnGuestList *list;
    char *name; /* (owned) */
    guint8 uuid[KILN_UUID_BYTES];
    guint persistent : 1; /* has a file */
    guint autostart : 1;
    guint updated : 1; /* its file changed since it runs */
    guint shown : 1;   /* was defined or started: others may see it */
    guint busy : 1;    /* a job is under way */
    int off_reason;    /* virDomainShutoffReason */
    GQueue jobs;       /* of Job: see jobs.c */
    KilnRun *run;      /* (owned) (nullable): its process, from before its start to after its end */
};

struct KilnGuestList {
    KilnStore *store;
    char *runtime_dir;
    char *log_dir;
    char *program;
    uid_t user;
    gid_t group;
    gid_t *groups;
    gsize n_groups;
    struct KilnCgroups *cgroups; /* (nullable) */
    int next_id;
    GHashTable *by_name; /* all, also those that are not shown; owns a reference */
    GHashTable *by_uuid; /* the same, borrowed */
    GHashTable *by_id;   /* those that run, borrowed */
    guint n_shown;
    GHashTable *held; /* names that a rename is about to take; owned */
    GArray *observers;
    gboolean closing;
    struct KilnAdoption *adoption; /* adopt.c */
    struct KilnIdleCheck *check;   /* list-check.c */
};

/* ---- list.c ---- */

/* Also those that are not shown. */
KilnGuest *kiln_guest_list_find(KilnGuestList *list, const char *name);
KilnGuest *kiln_guest_list_find_uuid(KilnGuestList *list, const guint8 *uuid);

/**
 * kiln_guest_list_reserve:
 *
 * Returns: (transfer none): the domain of that name and uuid, made if there is none; NULL with
 *   VIR_ERR_OPERATION_FAILED if name or uuid is another one's.
 */
KilnGuest *kiln_guest_list_reserve(KilnGuestList *list, const char *name, const guint8 *uuid,
                                   GError **error);

/* After each change: shown when it is defined or runs, dropped when neither and nothing is to be
 * done with it.  @guest may be gone afterwards. */
void kiln_guest_settle(KilnGuest *guest);

/* From now on it is found by @name. */
void kiln_guest_list_renamed(KilnGuest *guest, const char *name);

/* Nobody else gets @name, until it is released.  Returns: FALSE if somebody has it. */
gboolean kiln_guest_list_hold_name(KilnGuestList *list, const char *name);
void kiln_guest_list_release_name(KilnGuestList *list, const char *name);

/* It has, or has no longer, that id. */
void kiln_guest_list_activated(KilnGuest *guest, gboolean active, int id);

/* ---- jobs.c ---- */

/* Begins @run when all that was queued before has ended; it ends with kiln_guest_job_end(). */
typedef void (*KilnGuestJob)(KilnGuest *guest, gpointer data);
void kiln_guest_job(KilnGuest *guest, KilnGuestJob run, gpointer data);
void kiln_guest_job_end(KilnGuest *guest);

/* ---- news.c ---- */

void kiln_guest_tell_lifecycle(KilnGuest *guest, int type, int detail);

#endif
