/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See qcow2-task.h. */
#include "block/qcow2-task.h"

#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    STACK_SIZE = 128 << 10, /* bytes; below it a page that is not there */
    GUARD_SIZE = 4096,
    MAX_SPARE = 16, /* stacks that are kept */
};

struct Qcow2Task {
    Qcow2Task *next;      /* in the ready queue */
    Qcow2Task *next_wait; /* in a list of waiters */
    gboolean waiting;     /* in such a list */
    Qcow2TaskFunc func;
    gpointer data;
    gboolean queued;
    gboolean parked;
    gboolean ended;
    ucontext_t context;
    ucontext_t caller;
    void *stack; /* (owned): with its guard */
};

void
qcow2_tasks_init(Qcow2Tasks *tasks)
{
    *tasks = (Qcow2Tasks){ 0 };
    tasks->ready_end = &tasks->ready;
}

static void
entry(unsigned high, unsigned low)
{
    Qcow2Task *task = (Qcow2Task *)(((uintptr_t)high << 32) | low);

    task->func(task->data);
    task->ended = TRUE;
    swapcontext(&task->context, &task->caller);
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
task_free(Qcow2Task *task)
{
    munmap(task->stack, GUARD_SIZE + STACK_SIZE);
    g_free(task);
}

/* Kept for the next one. */
static void
task_end(Qcow2Tasks *tasks, Qcow2Task *task)
{
    tasks->n--;
    if (tasks->n_spare == MAX_SPARE) {
        task_free(task);
        return;
    }
    task->next = tasks->spare;
    tasks->spare = task;
    tasks->n_spare++;
}

static Qcow2Task *
task_new(Qcow2Tasks *tasks)
{
    Qcow2Task *task = tasks->spare;
    void *stack;

    if (task != NULL) {
        tasks->spare = task->next;
        tasks->n_spare--;
        return task;
    }
    stack = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED ||
        mmap((char *)stack + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        g_error("no memory for a stack");
    task = g_new0(Qcow2Task, 1);
    task->stack = stack;
    return task;
}

void
qcow2_tasks_clear(Qcow2Tasks *tasks)
{
    while (tasks->spare != NULL) {
        Qcow2Task *task = tasks->spare;

        tasks->spare = task->next;
        task_free(task);
    }
    tasks->n_spare = 0;
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
        swapcontext(&task->caller, &task->context);
        tasks->current = NULL;
        if (task->ended)
            task_end(tasks, task);
    }
    tasks->draining = FALSE;
}

void
qcow2_task_start(Qcow2Tasks *tasks, Qcow2TaskFunc func, gpointer data)
{
    Qcow2Task *task = task_new(tasks);

    task->func = func;
    task->data = data;
    task->ended = FALSE;
    getcontext(&task->context);
    task->context.uc_stack.ss_sp = (char *)task->stack + GUARD_SIZE;
    task->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&task->context, (void (*)(void))entry, 2, (unsigned)((uintptr_t)task >> 32),
                (unsigned)(uintptr_t)task);
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
    swapcontext(&task->context, &task->caller);
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
