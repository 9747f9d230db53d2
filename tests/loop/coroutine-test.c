/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Coroutines: the order in which things happen, nesting, many of them, and their thread's change.
 */
#include "tests/lib/kiln-test.h"

#include <signal.h>
#include <string.h>

#include "loop/coroutine.h"

enum { N_MANY = 100 };

typedef struct {
    KilnCoroutinePool *pool;
    KilnCoroutine *self;
    GString *log;
    unsigned turns;
    unsigned done;
    double sum;
} Job;

static void
letters(gpointer data)
{
    Job *job = data;

    g_string_append(job->log, "a");
    kiln_coroutine_yield(job->self);
    g_string_append(job->log, "b");
    kiln_coroutine_yield(job->self);
    g_string_append(job->log, "c");
}

START_TEST(goes_on_where_it_was)
{
    g_autoptr(KilnCoroutinePool) pool = kiln_coroutine_pool_new(1);
    g_autoptr(GString) log = g_string_new(NULL);
    Job job = { .pool = pool, .log = log };

    for (unsigned round = 0; round < 2; round++) {
        job.self = kiln_coroutine_new(pool, letters, &job);
        g_string_append(log, "1");
        kiln_coroutine_enter(job.self);
        g_string_append(log, "2");
        kiln_coroutine_enter(job.self);
        g_string_append(log, "3");
        kiln_coroutine_enter(job.self);
    }
    ck_assert_str_eq(log->str, "1a2b3c1a2b3c");
}
END_TEST

static void
outer(gpointer data)
{
    Job *job = data;
    Job inner = { .pool = job->pool, .log = job->log };

    inner.self = kiln_coroutine_new(job->pool, letters, &inner);
    kiln_coroutine_enter(inner.self);
    g_string_append(job->log, "-");
    kiln_coroutine_yield(job->self);
    kiln_coroutine_enter(inner.self);
    kiln_coroutine_enter(inner.self);
}

START_TEST(one_enters_another)
{
    g_autoptr(KilnCoroutinePool) pool = kiln_coroutine_pool_new(2);
    g_autoptr(GString) log = g_string_new(NULL);
    Job job = { .pool = pool, .log = log };

    job.self = kiln_coroutine_new(pool, outer, &job);
    kiln_coroutine_enter(job.self);
    g_string_append(log, "+");
    kiln_coroutine_enter(job.self);
    ck_assert_str_eq(log->str, "a-+bc");
}
END_TEST

/* Uses much stack, floating point and what a called function must keep. */
static void
work(gpointer data)
{
    Job *job = data;
    char bytes[32 * 1024];

    memset(bytes, (int)job->turns, sizeof bytes);
    for (unsigned i = 0; i < job->turns; i++) {
        job->sum += (double)bytes[i] / 4;
        kiln_coroutine_yield(job->self);
    }
    job->done++;
}

START_TEST(many_at_a_time)
{
    g_autoptr(KilnCoroutinePool) pool = kiln_coroutine_pool_new(8);
    Job jobs[N_MANY] = { 0 };
    unsigned left = N_MANY;

    for (unsigned i = 0; i < N_MANY; i++) {
        jobs[i].turns = i % 7;
        jobs[i].self = kiln_coroutine_new(pool, work, &jobs[i]);
    }
    while (left > 0) {
        for (unsigned i = 0; i < N_MANY; i++) {
            if (jobs[i].done == 0) {
                kiln_coroutine_enter(jobs[i].self);
                left -= jobs[i].done;
            }
        }
    }
    for (unsigned i = 0; i < N_MANY; i++)
        ck_assert_double_eq(jobs[i].sum, (double)(i % 7) * (i % 7) / 4);
}
END_TEST

static gpointer
enter_it(gpointer data)
{
    kiln_coroutine_enter(((Job *)data)->self);
    return NULL;
}

START_TEST(another_thread_goes_on)
{
    g_autoptr(KilnCoroutinePool) pool = kiln_coroutine_pool_new(1);
    g_autoptr(GString) log = g_string_new(NULL);
    Job job = { .pool = pool, .log = log };

    job.self = kiln_coroutine_new(pool, letters, &job);
    kiln_coroutine_enter(job.self);
    for (unsigned i = 0; i < 2; i++)
        g_thread_join(g_thread_new("other", enter_it, &job));
    ck_assert_str_eq(log->str, "abc");
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void
sink(volatile char *above, gpointer data)
{
    volatile char bytes[4096];

    bytes[0] = above[0];
    if (++((Job *)data)->turns < G_MAXUINT)
        sink(bytes, data);
    above[1] = bytes[0];
}

static void
overflow(gpointer data)
{
    volatile char bytes[2] = { 0 };

    sink(bytes, data);
}

START_TEST(a_stack_that_overflows_hits_its_guard)
{
    KilnCoroutinePool *pool = kiln_coroutine_pool_new(1);
    Job job = { .pool = pool };

    kiln_coroutine_enter(kiln_coroutine_new(pool, overflow, &job));
}
END_TEST
#endif

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("coroutine");
    TCase *tests = kiln_test_case(suite, "coroutines");

    tcase_add_test(tests, goes_on_where_it_was);
    tcase_add_test(tests, one_enters_another);
    tcase_add_test(tests, many_at_a_time);
    tcase_add_test(tests, another_thread_goes_on);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test_raise_signal(tests, a_stack_that_overflows_hits_its_guard, SIGSEGV);
#endif
    return suite;
}

KILN_TEST_MAIN(make_suite)
