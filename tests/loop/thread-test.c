/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between threads: calls, events, timers and conditions set from another thread than the loop's. */
#include "tests/lib/kiln-test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop/call.h"
#include "loop/event.h"
#include "loop/fd-source.h"
#include "loop/thread.h"
#include "loop/timer.h"

enum { ROUNDS = 200 };

typedef struct {
    KilnLoopThread *thread;
    KilnEvent done;   /* set by the loop's thread, waited for by the test's */
    pthread_t ran_in; /* read only behind kiln_call_wait() */
    gint calls;       /* (atomic) of the loop's thread */
    guint last;       /* number of the last call, to see their order */
    KilnTimer *timer;
} Shared;

static void
shared_init(Shared *shared)
{
    *shared = (Shared){ .thread = kiln_loop_thread_new("a-name-that-is-too-long"),
                        .done = KILN_EVENT_NONE };
    ck_assert(kiln_event_open(&shared->done, NULL));
    ck_assert(kiln_loop_thread_start(shared->thread, NULL));
}

static void
shared_clear(Shared *shared)
{
    kiln_loop_thread_free(shared->thread);
    kiln_event_clear(&shared->done);
}

static void
wait_for_event(Shared *shared)
{
    GPollFD poll_fd = { .fd = shared->done.fd, .events = G_IO_IN };

    while (!kiln_event_test_and_clear(&shared->done))
        g_poll(&poll_fd, 1, -1);
}

static void
note_thread(gpointer data)
{
    Shared *shared = data;

    shared->ran_in = pthread_self();
    g_atomic_int_inc(&shared->calls);
}

static void
note_done(gpointer data)
{
    Shared *shared = data;

    note_thread(shared);
    kiln_event_set(&shared->done);
}

static gboolean
note_readable(int fd, GIOCondition ready, gpointer data)
{
    Shared *shared = data;
    char byte;

    ck_assert_int_eq(kiln_read_full(fd, &byte, 1, -1), 1);
    note_done(shared);
    return G_SOURCE_CONTINUE;
}

static void
nested_call(gpointer data)
{
    Shared *shared = data;

    kiln_call_wait(kiln_loop_thread_context(shared->thread), note_thread, shared);
}

static void
free_timer(gpointer data)
{
    kiln_timer_free(g_steal_pointer(&((Shared *)data)->timer));
}

START_TEST(call_waits_for_the_other_thread)
{
    Shared shared;

    shared_init(&shared);
    for (guint i = 0; i < ROUNDS; i++) {
        kiln_call_wait(kiln_loop_thread_context(shared.thread), note_thread, &shared);
        ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), i + 1);
        ck_assert(!pthread_equal(shared.ran_in, pthread_self()));
    }
    kiln_call_wait(kiln_loop_thread_context(shared.thread), nested_call, &shared);
    ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), ROUNDS + 1);
    shared_clear(&shared);
}
END_TEST

typedef struct {
    Shared *shared;
    guint number;
} Numbered;

static void
note_order(gpointer data)
{
    Numbered *numbered = data;

    ck_assert_uint_eq(numbered->shared->last + 1, numbered->number);
    numbered->shared->last = numbered->number;
    if (numbered->number == ROUNDS)
        kiln_event_set(&numbered->shared->done);
}

START_TEST(later_calls_come_in_order)
{
    Shared shared;
    Numbered numbered[ROUNDS];

    shared_init(&shared);
    for (guint i = 0; i < ROUNDS; i++) {
        numbered[i] = (Numbered){ .shared = &shared, .number = i + 1 };
        kiln_call_later(kiln_loop_thread_context(shared.thread), note_order, &numbered[i]);
    }
    wait_for_event(&shared);
    shared_clear(&shared);
}
END_TEST

START_TEST(sources_attached_before_the_start_run)
{
    Shared shared = { .thread = kiln_loop_thread_new("loop"), .done = KILN_EVENT_NONE };

    ck_assert(kiln_event_open(&shared.done, NULL));
    kiln_call_later(kiln_loop_thread_context(shared.thread), note_done, &shared);
    ck_assert(kiln_loop_thread_start(shared.thread, NULL));
    ck_assert(kiln_loop_thread_start(shared.thread, NULL)); /* is started: nothing to do */
    wait_for_event(&shared);
    kiln_loop_thread_stop(shared.thread);
    ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), 1);

    ck_assert(kiln_loop_thread_start(shared.thread, NULL));
    kiln_call_wait(kiln_loop_thread_context(shared.thread), note_thread, &shared);
    ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), 2);
    shared_clear(&shared);
}
END_TEST

START_TEST(event_from_another_thread)
{
    Shared shared;
    g_auto(KilnEvent) event = KILN_EVENT_NONE;
    GSource *source;

    shared_init(&shared);
    ck_assert(kiln_event_open(&event, NULL));
    source =
        kiln_event_source_new(&event, kiln_loop_thread_context(shared.thread), note_done, &shared);
    for (guint i = 0; i < ROUNDS; i++) {
        kiln_event_set(&event);
        wait_for_event(&shared);
        ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), i + 1);
    }
    kiln_loop_thread_stop(shared.thread);
    kiln_source_free(source);
    shared_clear(&shared);
}
END_TEST

START_TEST(timer_armed_by_another_thread)
{
    Shared shared;

    shared_init(&shared);
    shared.timer =
        kiln_timer_open(kiln_loop_thread_context(shared.thread), note_done, &shared, NULL);
    ck_assert_ptr_nonnull(shared.timer);
    for (guint i = 0; i < ROUNDS; i++) {
        kiln_timer_arm(shared.timer, UINT64_MAX);
        kiln_timer_cancel(shared.timer);
        kiln_timer_arm(shared.timer, kiln_clock_ns());
        wait_for_event(&shared);
        ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), i + 1);
    }
    kiln_call_wait(kiln_loop_thread_context(shared.thread), free_timer, &shared);
    shared_clear(&shared);
}
END_TEST

START_TEST(condition_changed_by_another_thread)
{
    Shared shared;
    GSource *source;
    int pair[2];

    shared_init(&shared);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    source = kiln_fd_source_new(kiln_loop_thread_context(shared.thread), pair[0], 0, note_readable,
                                &shared);
    for (guint i = 0; i < ROUNDS; i++) {
        kiln_fd_source_set_condition(source, 0);
        ck_assert_int_eq(kiln_write_full(pair[1], "x", 1, -1), 0);
        kiln_fd_source_set_condition(source, G_IO_IN);
        wait_for_event(&shared);
        ck_assert_uint_eq((guint)g_atomic_int_get(&shared.calls), i + 1);
    }
    kiln_loop_thread_stop(shared.thread);
    kiln_source_free(source);
    close(pair[0]);
    close(pair[1]);
    shared_clear(&shared);
}
END_TEST

static void
check_thread(gpointer data)
{
    char name[16];
    sigset_t blocked;

    ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    ck_assert_str_eq(name, "a-name-that-is-");
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    ck_assert_int_eq(sigismember(&blocked, SIGTERM), 1);
    *(gboolean *)data = TRUE;
}

START_TEST(thread_has_its_name_and_no_signals)
{
    Shared shared;
    sigset_t blocked;
    gboolean checked = FALSE;

    shared_init(&shared);
    kiln_call_wait(kiln_loop_thread_context(shared.thread), check_thread, &checked);
    ck_assert(checked);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    ck_assert_int_eq(sigismember(&blocked, SIGTERM), 0);
    shared_clear(&shared);
}
END_TEST

static Suite *
thread_suite(void)
{
    Suite *suite = suite_create("thread");
    TCase *tcase = kiln_test_case(suite, "thread");

    tcase_add_test(tcase, call_waits_for_the_other_thread);
    tcase_add_test(tcase, later_calls_come_in_order);
    tcase_add_test(tcase, sources_attached_before_the_start_run);
    tcase_add_test(tcase, event_from_another_thread);
    tcase_add_test(tcase, timer_armed_by_another_thread);
    tcase_add_test(tcase, condition_changed_by_another_thread);
    tcase_add_test(tcase, thread_has_its_name_and_no_signals);
    return suite;
}

KILN_TEST_MAIN(thread_suite)
