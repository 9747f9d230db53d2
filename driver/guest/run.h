/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process of a guest, from before its start to after its end; for this room alone.
 *
 *   kiln_run_new -> (kiln_spawn | found by adopt.c) -> kiln_run_watch -> kiln_run_activate
 *                -> it ends -> what is left is removed, observers are told
 *
 * What survives what:
 *   NAME.xml of the runtime directory  is there from before the process begins until after its end;
 *                                      has <domain id='N'>
 *   NAME.pid, NAME.sock                the process's own; locked as long as it lives
 * A daemon that is killed at any instant finds the process by them, or its remains.
 */
#ifndef KILN_GUEST_RUN_H
#define KILN_GUEST_RUN_H

#include "base/fd.h"
#include "guest/guest.h"

typedef struct KilnRun KilnRun;
typedef struct KilnStart KilnStart; /* start.c */
typedef struct KilnTalk KilnTalk;   /* talk.c */

/* How it ended, as far as is known. */
typedef enum {
    KILN_RUN_UNKNOWN,
    KILN_RUN_POWEROFF,
    KILN_RUN_DESTROYED,
    KILN_RUN_CRASHED,
    KILN_RUN_KILLED, /* by a signal that was not meant for it */
    KILN_RUN_FAILED,
} KilnRunOutcome;

struct KilnRun {
    KilnGuest *guest; /* borrowed: owns this */
    int id;
    pid_t pid;    /* 0: none yet */
    KilnFd pidfd; /* (owned) */
    GSource *end; /* of @pidfd */
    gboolean active;
    gboolean killed; /* by kiln_guest_destroy() */
    int state;       /* virDomainState */
    int reason;
    KilnRunOutcome outcome;
    gboolean reason_unknown; /* adopted, and it has not said */
    gboolean shutdown_told;
    KilnDomain *live;   /* (owned) (nullable) */
    KilnStart *start;   /* (nullable): while it starts */
    KilnStart *started; /* (nullable): it runs, and who started it is not answered yet */
    KilnTalk *talk;     /* (owned) (nullable) */
    GArray *destroyers; /* (nullable): who waits for the end */
    guint patience;     /* timer of the destruction */
    guint late;         /* timer: its last news may be under way */
    char *cgroup;       /* (owned) (nullable): that it was begun in, or was seen in */
    gboolean cgroup_seen;
};

/**
 * kiln_run_new:
 * @live: (transfer full) (nullable)
 *
 * Gives @guest a run, which must have none.
 */
KilnRun *kiln_run_new(KilnGuest *guest, int id, KilnDomain *live);
/* @live: (transfer full) (nullable): takes the place of the last one */
void kiln_run_set_live(KilnRun *run, KilnDomain *live);
/* (nullable): the process goes on. */
void kiln_run_free(KilnRun *run);

/* @pidfd: (transfer full): of a child of ours, or of any process: then nobody tells how it ended
 * but itself. */
void kiln_run_watch(KilnRun *run, pid_t pid, KilnFd pidfd);

/* From now on it is a running domain; others are told by the caller. */
void kiln_run_activate(KilnRun *run, int state, int reason);

/* It ended, or never began: the guest is without a run, and @run is gone. */
void kiln_run_end(KilnRun *run);

/* The last news of a process that was not our child came: no need to wait longer for it. */
void kiln_run_hurry(KilnRun *run);

/* Sends a signal to the process, if it lives. */
void kiln_run_signal(const KilnRun *run, int signal);

/* Returns: (transfer full): a path in the runtime directory. */
char *kiln_run_path(const KilnGuest *guest, const char *suffix);

/* Removes what a dead process of that name left, unless another one has claimed the name. */
void kiln_run_sweep(const char *runtime_dir, const char *name);

/* ---- start.c ---- */

/* The process ended: what it wrote and nobody read yet is taken; it may have been ready, and @start
 * is over then. */
void kiln_start_last_words(KilnStart *start);

/* Answers who started @run, if that is still to be done. */
void kiln_start_answer(KilnRun *run);

/* The process of a start ended.  @status as of waitpid(2). */
void kiln_start_ended(KilnStart *start, int status);

/* (nullable): The daemon ends: nobody is answered any more. */
void kiln_start_abandon(KilnStart *start);

/* ---- destroy.c ---- */

/* (nullable): as kiln_start_abandon() */
void kiln_destroy_abandon(GArray *destroyers);

/* A process came to be that is to be destroyed already. */
void kiln_destroy_begin(KilnRun *run);
/* The process is gone. */
void kiln_destroy_end(KilnGuest *guest, GArray *destroyers);

#endif
