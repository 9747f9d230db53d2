/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See qcow2-task.h. */
#include "block/qcow2-task.h"

struct Qcow2Task {
    Qcow2Task *next;      /* in the ready queue, or among the free ones */
    Qcow2Task *next_wait; /* in a list of waiters */
    gboolean waiting;     /* in such a list */
    Qcow2TaskFunc func;
    gpointer data;
    gboolean queued;
    gboolean parked;
    gboolean ended;
    KilnCoroutine *coroutine;
};

void
qcow2_tasks_init(Qcow2Tasks *tasks, unsigned keep)
{
    *tasks = (Qcow2Tasks){ .keep = keep, .pool = kiln_coroutine_pool_new(keep) };
    tasks->ready_end = &tasks->ready;
}

void
qcow2_tasks_clear(Qcow2Tasks *tasks)
{
    while (tasks->free != NULL) {
        Qcow2Task *task = tasks->free;

        tasks->free = task->next;
        g_free(task);
    }
    tasks->n_free = 0;
    g_clear_pointer(&tasks->pool, kiln_coroutine_pool_free);
}

/* All zero. */
static Qcow2Task *
take(Qcow2Tasks *tasks)
{
    Qcow2Task *task = tasks->free;

    if (task == NULL)
        return g_new0(Qcow2Task, 1);
    tasks->free = task->next;
    tasks->n_free--;
    *task = (Qcow2Task){ 0 };
    return task;
}

static void
give_back(Qcow2Tasks *tasks, Qcow2Task *task)
{
    if (tasks->n_free == tasks->keep) {
        g_free(task);
        return;
    }
    task->next = tasks->free;
    tasks->free = task;
    tasks->n_free++;
}

static void
run(gpointer data)
{
    Qcow2Task *task = data;

    task->func(task->data);
    task->ended = TRUE;
}

static void
push(Qcow2Tasks *tasks, Qcow2Task *task)
{
    task->queued = TRUE;
    task->next = NULL;
    *tasks->ready_end = task;
    tasks->ready_end = &task->next;
}

static void
drain(Qcow2Tasks *tasks)
{
    if (tasks->draining)
        return;
    tasks->draining = TRUE;
    while (tasks->ready != NULL) {
        Qcow2Task *task = tasks->ready;

        tasks->ready = task->next;
        if (tasks->ready == NULL)
            tasks->ready_end = &tasks->ready;
        task->queued = FALSE;
        task->parked = FALSE;
        tasks->current = task;
        kiln_coroutine_enter(task->coroutine);
        tasks->current = NULL;
        if (task->ended) {
            tasks->n--;
            give_back(tasks, task);
        }
    }
    tasks->draining = FALSE;
}

void
qcow2_task_start(Qcow2Tasks *tasks, Qcow2TaskFunc func, gpointer data)
{
    Qcow2Task *task = take(tasks);

    task->func = func;
    task->data = data;
    task->coroutine = kiln_coroutine_new(tasks->pool, run, task);
    tasks->n++;
    push(tasks, task);
    drain(tasks);
}

void
qcow2_task_park(Qcow2Tasks *tasks)
{
    Qcow2Task *task = tasks->current;

    g_assert(task != NULL);
    task->parked = TRUE;
    kiln_coroutine_yield(task->coroutine);
}

void
qcow2_task_wake(Qcow2Tasks *tasks, Qcow2Task *task)
{
    if (!task->parked || task->queued)
        return;
    push(tasks, task);
    drain(tasks);
}

void
qcow2_wait(Qcow2Tasks *tasks, Qcow2Waiters *waiters)
{
    Qcow2Task *me = tasks->current;

    me->waiting = TRUE;
    me->next_wait = NULL;
    if (waiters->first == NULL)
        waiters->first = me;
    else
        waiters->last->next_wait = me;
    waiters->last = me;
    while (me->waiting)
        qcow2_task_park(tasks);
}

/* Takes the first one out, and wakes him. */
static void
wake_first(Qcow2Tasks *tasks, Qcow2Waiters *waiters)
{
    Qcow2Task *task = waiters->first;

    waiters->first = task->next_wait;
    task->waiting = FALSE;
    qcow2_task_wake(tasks, task);
}

void
qcow2_wake_all(Qcow2Tasks *tasks, Qcow2Waiters *waiters)
{
    Qcow2Waiters all = *waiters;

    *waiters = (Qcow2Waiters){ 0 };
    while (all.first != NULL)
        wake_first(tasks, &all);
}

void
qcow2_lock(Qcow2Tasks *tasks, Qcow2Lock *lock)
{
    if (lock->held)
        qcow2_wait(tasks, &lock->waiters); /* and it is ours */
    lock->held = TRUE;
}

void
qcow2_unlock(Qcow2Tasks *tasks, Qcow2Lock *lock)
{
    g_assert(lock->held);
    if (lock->waiters.first != NULL)
        wake_first(tasks, &lock->waiters);
    else
        lock->held = FALSE;
}
