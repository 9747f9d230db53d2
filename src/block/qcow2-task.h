/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tasks: coroutines that run in the chain's thread.  A task that is woken is put in a queue, and
 * runs when the one that runs now has parked: waking somebody never runs him at once.
 */
#ifndef KILN_BLOCK_QCOW2_TASK_H
#define KILN_BLOCK_QCOW2_TASK_H

#include "loop/coroutine.h"

typedef struct Qcow2Task Qcow2Task;
typedef void (*Qcow2TaskFunc)(gpointer data);

/* The tasks of one layer. */
typedef struct {
    Qcow2Task *current;    /* (nullable) */
    Qcow2Task *ready;      /* first of a queue */
    Qcow2Task **ready_end; /* where the next one is put */
    gboolean draining;
    unsigned n;      /* that have not ended */
    Qcow2Task *free; /* (owned) (nullable): @n_free, for the next */
    unsigned n_free;
    unsigned keep;
    KilnCoroutinePool *pool; /* (owned) */
} Qcow2Tasks;

/* Tasks that wait for something. */
typedef struct {
    Qcow2Task *first; /* (nullable) */
    Qcow2Task *last;
} Qcow2Waiters;

/* A lock that is handed on in the order in which it was asked for. */
typedef struct {
    gboolean held;
    Qcow2Waiters waiters;
} Qcow2Lock;

/* @keep: tasks and stacks that are kept for the next: so many at a time allocate nothing. */
void qcow2_tasks_init(Qcow2Tasks *tasks, unsigned keep);
void qcow2_tasks_clear(Qcow2Tasks *tasks); /* all have ended */

/* Runs @func in a task of its own: at once, unless a task of this layer is running. */
void qcow2_task_start(Qcow2Tasks *tasks, Qcow2TaskFunc func, gpointer data);

/* In a task: waits until somebody wakes it; may be woken without cause. */
void qcow2_task_park(Qcow2Tasks *tasks);

/* Lets a parked task go on; one that is not parked goes on anyway. */
void qcow2_task_wake(Qcow2Tasks *tasks, Qcow2Task *task);

/* In a task: waits until the list is woken. */
void qcow2_wait(Qcow2Tasks *tasks, Qcow2Waiters *waiters);
void qcow2_wake_all(Qcow2Tasks *tasks, Qcow2Waiters *waiters);

void qcow2_lock(Qcow2Tasks *tasks, Qcow2Lock *lock);
void qcow2_unlock(Qcow2Tasks *tasks, Qcow2Lock *lock);

#endif
