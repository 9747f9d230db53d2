/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources of one thread: descriptors, events, timers, signals. */
#include "tests/lib/kiln-test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop/event.h"
#include "loop/fd-source.h"
#include "loop/signal.h"
#include "loop/timer.h"

enum { FAR_NS = 1000000000 }; /* farther than any test goes on */

typedef struct {
    GMainContext *context;
    guint calls;
    GIOCondition ready;
    GSource *source;  /* (nullable): freed by the callback that frees */
    KilnTimer *timer; /* (nullable) */
    int signal;
} Seen;

static void
run_until_called(Seen *seen, guint calls)
{
    while (seen->calls < calls)
        g_main_context_iteration(seen->context, TRUE);
}

static void
run_all_ready(Seen *seen)
{
    while (g_main_context_iteration(seen->context, FALSE))
        continue;
}

static gboolean
note_fd(int fd, GIOCondition ready, gpointer data)
{
    Seen *seen = data;

    seen->calls++;
    seen->ready = ready;
    return G_SOURCE_CONTINUE;
}

static gboolean
note_fd_once(int fd, GIOCondition ready, gpointer data)
{
    note_fd(fd, ready, data);
    return G_SOURCE_REMOVE;
}

static void
note(gpointer data)
{
    ((Seen *)data)->calls++;
}

static void
note_and_free(gpointer data)
{
    Seen *seen = data;

    seen->calls++;
    kiln_source_free(g_steal_pointer(&seen->source));
    kiln_timer_free(g_steal_pointer(&seen->timer));
}

static void
note_signal(const struct signalfd_siginfo *info, gpointer data)
{
    Seen *seen = data;

    seen->calls++;
    seen->signal = (int)info->ssi_signo;
}

START_TEST(fd_condition_can_be_changed)
{
    Seen seen = { .context = g_main_context_new() };
    int pair[2];
    GSource *source;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    source = kiln_fd_source_new(seen.context, pair[0], G_IO_IN, note_fd, &seen);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 0);

    kiln_fd_source_set_condition(source, G_IO_IN | G_IO_OUT);
    g_main_context_iteration(seen.context, FALSE);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.ready, G_IO_OUT);

    kiln_fd_source_set_condition(source, G_IO_IN);
    ck_assert_int_eq(kiln_write_full(pair[1], "x", 1, -1), 0);
    g_main_context_iteration(seen.context, FALSE);
    ck_assert_uint_eq(seen.ready, G_IO_IN);

    kiln_source_free(source);
    close(pair[0]);
    close(pair[1]);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(fd_without_condition_ignores_hang_up)
{
    Seen seen = { .context = g_main_context_new() };
    int pair[2];
    GSource *source;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    source = kiln_fd_source_new(seen.context, pair[0], G_IO_IN, note_fd, &seen);
    kiln_fd_source_set_condition(source, 0);
    close(pair[1]);
    ck_assert(!g_main_context_iteration(seen.context, FALSE));
    ck_assert_uint_eq(seen.calls, 0);

    kiln_fd_source_set_condition(source, G_IO_IN);
    g_main_context_iteration(seen.context, FALSE);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert((seen.ready & G_IO_HUP) != 0);

    kiln_source_free(source);
    close(pair[0]);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(fd_source_removes_itself)
{
    Seen seen = { .context = g_main_context_new() };
    int pair[2];
    GSource *source;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    source = kiln_fd_source_new(seen.context, pair[0], G_IO_OUT, note_fd_once, &seen);
    g_main_context_iteration(seen.context, FALSE);
    ck_assert(!g_main_context_iteration(seen.context, FALSE));
    ck_assert_uint_eq(seen.calls, 1);
    kiln_fd_source_set_condition(source, 0); /* does no harm */
    kiln_source_free(source);
    close(pair[0]);
    close(pair[1]);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(event_is_cleared_before_the_call)
{
    Seen seen = { .context = g_main_context_new() };
    g_auto(KilnEvent) event = KILN_EVENT_NONE;
    GSource *source;

    ck_assert(kiln_event_open(&event, NULL));
    ck_assert(!kiln_event_test_and_clear(&event));
    source = kiln_event_source_new(&event, seen.context, note, &seen);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 0);
    kiln_event_set(&event);
    kiln_event_set(&event);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert(!kiln_event_test_and_clear(&event));
    kiln_event_set(&event);
    ck_assert(kiln_event_test_and_clear(&event));
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 1);
    kiln_source_free(source);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(event_source_frees_itself)
{
    Seen seen = { .context = g_main_context_new() };
    g_auto(KilnEvent) event = KILN_EVENT_NONE;

    ck_assert(kiln_event_open(&event, NULL));
    seen.source = kiln_event_source_new(&event, seen.context, note_and_free, &seen);
    kiln_event_set(&event);
    run_until_called(&seen, 1);
    kiln_event_set(&event);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 1);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(timer_fires_once_and_not_early)
{
    Seen seen = { .context = g_main_context_new() };
    KilnTimer *timer = kiln_timer_open(seen.context, note, &seen, NULL);
    uint64_t deadline = kiln_clock_ns() + 2000000;

    ck_assert_ptr_nonnull(timer);
    kiln_timer_arm(timer, deadline);
    run_until_called(&seen, 1);
    ck_assert_uint_ge(kiln_clock_ns(), deadline);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 1);

    kiln_timer_arm(timer, 0); /* long past */
    run_until_called(&seen, 2);
    kiln_timer_arm(timer, UINT64_MAX);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 2);
    kiln_timer_free(timer);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(timer_that_is_changed_does_not_fire)
{
    Seen seen = { .context = g_main_context_new() };
    KilnTimer *timer = kiln_timer_open(seen.context, note, &seen, NULL);

    kiln_timer_arm(timer, 1);
    kiln_timer_cancel(timer);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 0);

    kiln_timer_arm(timer, 1);
    kiln_timer_arm(timer, kiln_clock_ns() + FAR_NS * (uint64_t)3600);
    run_all_ready(&seen);
    ck_assert_uint_eq(seen.calls, 0);
    kiln_timer_free(timer);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(timer_frees_itself)
{
    Seen seen = { .context = g_main_context_new() };

    seen.timer = kiln_timer_open(seen.context, note_and_free, &seen, NULL);
    kiln_timer_arm(seen.timer, 1);
    run_until_called(&seen, 1);
    ck_assert_ptr_null(seen.timer);
    g_main_context_unref(seen.context);
}
END_TEST

START_TEST(signals_arrive_in_the_loop)
{
    Seen seen = { .context = g_main_context_new() };
    GSource *source;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    source = kiln_signal_source_open(seen.context, &signals, note_signal, &seen, NULL);
    ck_assert_ptr_nonnull(source);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    run_until_called(&seen, 1);
    ck_assert_int_eq(seen.signal, SIGTERM);
    ck_assert_int_eq(raise(SIGUSR1), 0);
    run_until_called(&seen, 2);
    ck_assert_int_eq(seen.signal, SIGUSR1);
    kiln_source_free(source);
    g_main_context_unref(seen.context);
}
END_TEST

static Suite *
source_suite(void)
{
    Suite *suite = suite_create("source");
    TCase *tcase = kiln_test_case(suite, "source");

    tcase_add_test(tcase, fd_condition_can_be_changed);
    tcase_add_test(tcase, fd_without_condition_ignores_hang_up);
    tcase_add_test(tcase, fd_source_removes_itself);
    tcase_add_test(tcase, event_is_cleared_before_the_call);
    tcase_add_test(tcase, event_source_frees_itself);
    tcase_add_test(tcase, timer_fires_once_and_not_early);
    tcase_add_test(tcase, timer_that_is_changed_does_not_fire);
    tcase_add_test(tcase, timer_frees_itself);
    tcase_add_test(tcase, signals_arrive_in_the_loop);
    return suite;
}

KILN_TEST_MAIN(source_suite)
