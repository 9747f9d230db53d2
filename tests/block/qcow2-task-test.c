/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks of the qcow2 layer: what they allocate, which is nothing once there were as many. */
#include "block/qcow2-task.h"

#include <stdlib.h>

#include "tests/lib/kiln-test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOCATIONS_ARE_COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOCATIONS_ARE_COUNTED 0
#endif
#endif
#ifndef ALLOCATIONS_ARE_COUNTED
#define ALLOCATIONS_ARE_COUNTED 1
#endif

enum { N = 12 };

static unsigned n_allocations;

#if ALLOCATIONS_ARE_COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *malloc(size_t size);
void *calloc(size_t n, size_t size);

void *
malloc(size_t size)
{
    n_allocations++;
    return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
    n_allocations++;
    return __libc_calloc(n, size);
}
#endif

typedef struct {
    Qcow2Tasks tasks;
    Qcow2Waiters waiters;
    unsigned n_ended;
} All;

static void
wait_once(gpointer data)
{
    All *all = data;

    qcow2_wait(&all->tasks, &all->waiters);
    all->n_ended++;
}

/* @n tasks at the same time.  Returns: how often memory was allocated. */
static unsigned
run_some(All *all, unsigned n)
{
    unsigned before = n_allocations, allocated, at_once;

    all->n_ended = 0;
    for (unsigned i = 0; i < n; i++)
        qcow2_task_start(&all->tasks, wait_once, all);
    at_once = all->tasks.n - all->n_ended;
    qcow2_wake_all(&all->tasks, &all->waiters);
    allocated = n_allocations - before; /* what follows allocates, too */
    ck_assert_uint_eq(at_once, n);
    ck_assert_uint_eq(all->tasks.n, 0);
    ck_assert_uint_eq(all->n_ended, n);
    return allocated;
}

START_TEST(a_task_that_was_is_the_next_one)
{
    All all = { 0 };

    qcow2_tasks_init(&all.tasks, N);
    ck_assert(run_some(&all, N) > 0 || !ALLOCATIONS_ARE_COUNTED);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(run_some(&all, N), 0);
    (void)run_some(&all, 3 * N); /* more than are kept */
    ck_assert_uint_eq(all.tasks.n_free, N);
    qcow2_tasks_clear(&all.tasks);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("qcow2-task");
    TCase *tcase = kiln_test_case(suite, "tasks");

    tcase_add_test(tcase, a_task_that_was_is_the_next_one);
    return suite;
}

KILN_TEST_MAIN(make_suite)
