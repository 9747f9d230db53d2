/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring as a source, with both of its engines. */
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "loop/call.h"
#include "loop/event.h"
#include "loop/thread.h"
#include "loop/timer.h"
#include "loop/uring.h"

enum { N_MANY = 300 };

typedef struct {
    KilnUringOp op; /* first */
    int result;
    gboolean done;
    char data[8];
    struct iovec iov;
} Request;

static const KilnUringEngine engines[] = { KILN_URING_NATIVE, KILN_URING_THREADS };

static void
note(KilnUringOp *op, int result)
{
    Request *request = (Request *)op;

    ck_assert(!request->done);
    request->result = result;
    request->done = TRUE;
}

static KilnUring *
open_ring(GMainContext *context, int engine, unsigned entries)
{
    g_autoptr(GError) error = NULL;
    KilnUring *uring = kiln_uring_open(context, entries, engines[engine], &error);

    kiln_assert_no_error(error);
    return uring;
}

static void
run(GMainContext *context, KilnUring *uring)
{
    while (kiln_uring_in_flight(uring) > 0)
        g_main_context_iteration(context, TRUE);
}

static int
temporary_file(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autoptr(GError) error = NULL;
    int fd = kiln_open(path, O_RDWR | O_CREAT, 0600, &error);

    kiln_assert_no_error(error);
    return fd;
}

START_TEST(writes_are_read_back)
{
    GMainContext *context = g_main_context_new();
    KilnUring *uring = open_ring(context, _i, 8);
    g_autofree char *dir = kiln_test_dir();
    g_auto(KilnFd) fd = temporary_file(dir);
    g_autofree Request *requests = g_new0(Request, N_MANY);

    kiln_uring_add_file(uring, fd);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < N_MANY; i++) { /* many more than the ring has room for */
            Request *request = &requests[i];

            if (round == 0)
                g_snprintf(request->data, sizeof request->data, "%07u", i);
            request->iov = (struct iovec){ request->data, sizeof request->data };
            request->op.done = note;
            request->done = FALSE;
            if (round == 0)
                kiln_uring_writev(uring, &request->op, fd, &request->iov, 1, i * 8, RWF_DSYNC);
            else
                kiln_uring_readv(uring, &request->op, fd, &request->iov, 1, i * 8);
        }
        run(context, uring);
        for (unsigned i = 0; i < N_MANY; i++) {
            ck_assert_int_eq(requests[i].result, 8);
            ck_assert_uint_eq(g_ascii_strtoull(requests[i].data, NULL, 10), i);
            if (round == 0)
                requests[i].data[3] = '?';
        }
    }
    kiln_uring_remove_file(uring, fd);
    kiln_uring_free(uring);
    g_main_context_unref(context);
}
END_TEST

START_TEST(other_operations_and_errors)
{
    GMainContext *context = g_main_context_new();
    KilnUring *uring = open_ring(context, _i, 8);
    g_autofree char *dir = kiln_test_dir();
    g_auto(KilnFd) fd = temporary_file(dir);
    Request sync = { .op.done = note }, space = { .op.done = note }, bad = { .op.done = note };
    struct stat info;

    bad.iov = (struct iovec){ bad.data, sizeof bad.data };
    kiln_uring_fallocate(uring, &space.op, fd, FALLOC_FL_KEEP_SIZE, 0, 65536);
    kiln_uring_fdatasync(uring, &sync.op, fd);
    kiln_uring_readv(uring, &bad.op, -1, &bad.iov, 1, 0);
    ck_assert_uint_eq(kiln_uring_in_flight(uring), 3);
    run(context, uring);
    ck_assert_int_eq(space.result, 0);
    ck_assert_int_eq(sync.result, 0);
    ck_assert_int_eq(bad.result, -EBADF);
    ck_assert_int_eq(fstat(fd, &info), 0);
    ck_assert_int_ge(info.st_blocks, 128);
    kiln_uring_free(uring);
    g_main_context_unref(context);
}
END_TEST

START_TEST(sockets_wait_and_can_be_cancelled)
{
    GMainContext *context = g_main_context_new();
    KilnUring *uring = open_ring(context, 0, 8);
    Request in = { .op.done = note }, ready = { .op.done = note }, stop = { .op.done = note };
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    in.iov = (struct iovec){ in.data, sizeof in.data };
    kiln_uring_readv(uring, &in.op, pair[0], &in.iov, 1, UINT64_MAX);
    kiln_uring_submit(uring);
    while (g_main_context_iteration(context, FALSE))
        continue;
    ck_assert(!in.done);
    ck_assert_int_eq(kiln_write_full(pair[1], "abc", 3, -1), 0);
    run(context, uring);
    ck_assert_int_eq(in.result, 3);

    in.done = FALSE;
    kiln_uring_readv(uring, &in.op, pair[0], &in.iov, 1, UINT64_MAX);
    kiln_uring_poll(uring, &ready.op, pair[0], POLLOUT);
    kiln_uring_cancel(uring, &stop.op, &in.op);
    run(context, uring);
    ck_assert_int_eq(in.result, -ECANCELED);
    ck_assert_int_eq(ready.result, POLLOUT);
    kiln_uring_free(uring);
    close(pair[0]);
    close(pair[1]);
    g_main_context_unref(context);
}
END_TEST

typedef struct {
    GMainContext *context;
    KilnEvent event;
    GSource *source;  /* (owned) */
    KilnTimer *timer; /* (owned) */
    gint calls;       /* (atomic) */
} Sources;

static void
count(gpointer data)
{
    g_atomic_int_inc(&((Sources *)data)->calls);
}

static gboolean
call_count(gpointer data)
{
    count(data);
    return G_SOURCE_REMOVE;
}

static void
wait_for(Sources *sources, int calls)
{
    while (g_atomic_int_get(&sources->calls) < calls)
        g_main_context_iteration(sources->context, TRUE);
}

/* Its descriptor is closed, and the next file has its number, before the loop goes on. */
static void
replace(gpointer data)
{
    Sources *sources = data;
    int old = sources->event.fd;

    count(data);
    kiln_source_free(sources->source);
    kiln_event_clear(&sources->event);
    ck_assert(kiln_event_open(&sources->event, NULL));
    ck_assert_int_eq(sources->event.fd, old);
    sources->source = kiln_event_source_new(&sources->event, sources->context, replace, sources);
}

START_TEST(the_context_sleeps_in_its_ring)
{
    Sources sources = { .context = g_main_context_new(), .event = KILN_EVENT_NONE };
    KilnUring *uring = open_ring(sources.context, 0, 8);
    KilnUring *second = open_ring(sources.context, 0, 8);
    g_autofree char *dir = kiln_test_dir();
    g_auto(KilnFd) fd = temporary_file(dir);
    Request one = { .op.done = note }, two = { .op.done = note };
    int calls = 0;

    ck_assert(kiln_event_open(&sources.event, NULL));
    sources.timer = kiln_timer_open(sources.context, count, &sources, NULL);
    sources.source = kiln_event_source_new(&sources.event, sources.context, replace, &sources);
    for (unsigned i = 0; i < 20; i++) {
        kiln_event_set(&sources.event);
        wait_for(&sources, ++calls);
        kiln_timer_arm(sources.timer, kiln_clock_ns() + 1000);
        wait_for(&sources, ++calls);
    }
    kiln_uring_fdatasync(uring, &one.op, fd);
    kiln_uring_fdatasync(second, &two.op, fd);
    while (!one.done || !two.done)
        g_main_context_iteration(sources.context, TRUE);
    ck_assert(!g_main_context_iteration(sources.context, FALSE));
    kiln_source_free(sources.source);
    kiln_timer_free(sources.timer);
    kiln_event_clear(&sources.event);
    kiln_uring_free(second);
    kiln_uring_free(uring);
    g_main_context_unref(sources.context);
}
END_TEST

START_TEST(other_threads_wake_it)
{
    KilnLoopThread *thread = kiln_loop_thread_new("io");
    Sources sources = { .context = kiln_loop_thread_context(thread), .event = KILN_EVENT_NONE };
    KilnUring *uring = open_ring(sources.context, 0, 8);
    GSource *timeout;

    ck_assert(kiln_loop_thread_start(thread, NULL));
    for (int i = 0; i < 200; i++) {
        kiln_call_wait(sources.context, count, &sources);
        ck_assert_int_eq(g_atomic_int_get(&sources.calls), i + 1);
    }
    timeout = g_timeout_source_new(1); /* GLib's own timers are the sleep's time-out */
    g_source_set_callback(timeout, call_count, &sources, NULL);
    g_source_attach(timeout, sources.context);
    while (g_atomic_int_get(&sources.calls) < 201)
        g_thread_yield();
    kiln_source_free(timeout);
    kiln_loop_thread_free(thread);
    kiln_uring_free(uring);
}
END_TEST

START_TEST(looking_adapts)
{
    KilnPolling polling = { .max_ns = 32768, .processors = 2 };
    KilnPollingWait kind = (KilnPollingWait)_i;
    uint64_t *ns = &polling.ns[kind];

    ck_assert(kiln_polling_wanted(&polling));
    kiln_polling_adjust(&polling, kind, 20000); /* would have been found: begins to grow */
    ck_assert_uint_eq(*ns, 4000);
    for (unsigned i = 0; i < 10; i++)
        kiln_polling_adjust(&polling, kind, *ns + 1);
    ck_assert_uint_eq(*ns, 32768);
    kiln_polling_adjust(&polling, kind, 100); /* was found */
    ck_assert_uint_eq(*ns, 32768);
    polling.shrink = 2;
    kiln_polling_adjust(&polling, kind,
                        40000); /* a single operation's end may come a little later */
    ck_assert_uint_eq(*ns, kind == KILN_POLLING_ONE ? 32768 : 16384);
    *ns = 32768;
    kiln_polling_adjust(&polling, kind, 1000000);
    ck_assert_uint_eq(*ns, 16384);
    polling.shrink = 0;
    kiln_polling_adjust(&polling, kind, 1000000);
    ck_assert_uint_eq(*ns, 0);
    for (unsigned i = 0; i < KILN_POLLING_N_WAITS; i++)
        ck_assert_uint_eq(polling.ns[i], 0); /* the others know nothing of this */
    polling.processors = 1;
    ck_assert(!kiln_polling_wanted(&polling));
}
END_TEST

typedef struct {
    unsigned begun, asked, ended;
} Looks;

static gboolean
third_time(gpointer data)
{
    return ++((Looks *)data)->asked == 3;
}

static void
begin_looking(gpointer data)
{
    ((Looks *)data)->begun++;
}

static gboolean
end_looking(gpointer data)
{
    ((Looks *)data)->ended++;
    return FALSE;
}

static gboolean
never(gpointer data)
{
    return FALSE;
}

/* From one look that finds something to the next no notifications are wanted between. */
START_TEST(pollers_are_asked)
{
    Looks looks = { 0 };
    KilnPolling polling = { .max_ns = G_GUINT64_CONSTANT(60000000000),
                            .ns = { G_GUINT64_CONSTANT(60000000000) } };
    const KilnPoller poller = { third_time, begin_looking, end_looking, &looks };

    kiln_polling_add(&polling, &poller);
    ck_assert(!kiln_polling_look(&polling));
    ck_assert_uint_eq(looks.asked, 0);
    ck_assert(kiln_polling_run(&polling, KILN_POLLING_IDLE, never, NULL));
    ck_assert_uint_eq(looks.begun, 1);
    ck_assert_uint_eq(looks.asked, 3);
    ck_assert_uint_eq(looks.ended, 0);
    ck_assert(!kiln_polling_look(&polling));
    ck_assert_uint_eq(looks.asked, 4);
    looks.asked = 0;
    ck_assert(kiln_polling_run(&polling, KILN_POLLING_IDLE, never, NULL));
    ck_assert_uint_eq(looks.begun, 1);
    ck_assert_uint_eq(looks.ended, 0);
    ck_assert(!kiln_polling_run(&polling, KILN_POLLING_MANY, never, NULL)); /* of no time: sleeps */
    ck_assert_uint_eq(looks.ended, 1);
    kiln_polling_begin(&polling, KILN_POLLING_MANY);
    ck_assert_uint_eq(looks.begun, 1);
    kiln_polling_begin(&polling, KILN_POLLING_IDLE);
    ck_assert_uint_eq(looks.begun, 2);
    ck_assert(!kiln_polling_end(&polling));
    ck_assert_uint_eq(looks.ended, 2);
    ck_assert(!kiln_polling_end(&polling));
    ck_assert_uint_eq(looks.ended, 2);
    kiln_polling_remove(&polling, &looks);
    polling.ns[KILN_POLLING_IDLE] = 1000;
    ck_assert(!kiln_polling_run(&polling, KILN_POLLING_IDLE, never, NULL));
    ck_assert_uint_eq(looks.ended, 2);
}
END_TEST

/* Somebody makes work for a thread, and wakes it only when it asks to be. */
typedef struct {
    KilnEvent event;
    gint made;  /* (atomic) */
    gint done;  /* (atomic) */
    gint armed; /* (atomic) */
} Work;

static gboolean
do_work(gpointer data)
{
    Work *work = data;
    gint made = g_atomic_int_get(&work->made);

    if (made == work->done)
        return FALSE;
    g_atomic_int_set(&work->done, made);
    return TRUE;
}

static void
woken(gpointer data)
{
    (void)do_work(data);
}

static void
disarm(gpointer data)
{
    g_atomic_int_set(&((Work *)data)->armed, FALSE);
}

static gboolean
arm(gpointer data)
{
    g_atomic_int_set(&((Work *)data)->armed, TRUE);
    return do_work(data);
}

START_TEST(work_is_found_by_looking_or_by_waking)
{
    KilnLoopThread *thread = kiln_loop_thread_new("io");
    GMainContext *context = kiln_loop_thread_context(thread);
    Work work = { .event = KILN_EVENT_NONE, .armed = TRUE };
    const KilnPoller poller = { do_work, disarm, arm, &work };
    KilnUring *uring = open_ring(context, 0, 8);
    GSource *source;

    kiln_uring_set_polling(uring, 32768, 0, 2);
    kiln_uring_add_poller(uring, &poller);
    ck_assert(kiln_event_open(&work.event, NULL));
    source = kiln_event_source_new(&work.event, context, woken, &work);
    ck_assert(kiln_loop_thread_start(thread, NULL));
    for (int i = 1; i <= 2000; i++) {
        g_atomic_int_set(&work.made, i);
        if (g_atomic_int_get(&work.armed))
            kiln_event_set(&work.event);
        while (g_atomic_int_get(&work.done) != i)
            g_thread_yield();
    }
    kiln_loop_thread_stop(thread);
    kiln_source_free(source);
    kiln_event_clear(&work.event);
    kiln_uring_free(uring);
    kiln_loop_thread_free(thread);
}
END_TEST

/* All that works when the thread sleeps works when it looks, too. */
START_TEST(a_looking_thread_misses_nothing)
{
    KilnLoopThread *thread = kiln_loop_thread_new("io");
    Sources sources = { .context = kiln_loop_thread_context(thread), .event = KILN_EVENT_NONE };
    KilnUring *uring = open_ring(sources.context, 0, 8);

    kiln_uring_set_polling(uring, 10000000, 0, 2);
    ck_assert(kiln_event_open(&sources.event, NULL));
    sources.source = kiln_event_source_new(&sources.event, sources.context, count, &sources);
    ck_assert(kiln_loop_thread_start(thread, NULL));
    for (int i = 0; i < 300; i++) {
        kiln_event_set(&sources.event);
        while (g_atomic_int_get(&sources.calls) <= i)
            g_thread_yield();
    }
    kiln_loop_thread_stop(thread);
    kiln_source_free(sources.source);
    kiln_event_clear(&sources.event);
    kiln_uring_free(uring);
    kiln_loop_thread_free(thread);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("uring");
    TCase *both = kiln_test_case(suite, "engines");

    tcase_add_loop_test(both, writes_are_read_back, 0, G_N_ELEMENTS(engines));
    tcase_add_loop_test(both, other_operations_and_errors, 0, G_N_ELEMENTS(engines));
    tcase_add_test(both, sockets_wait_and_can_be_cancelled);
    tcase_add_test(both, the_context_sleeps_in_its_ring);
    tcase_add_test(both, other_threads_wake_it);
    tcase_add_loop_test(both, looking_adapts, 0, KILN_POLLING_N_WAITS);
    tcase_add_test(both, pollers_are_asked);
    tcase_add_test(both, work_is_found_by_looking_or_by_waking);
    tcase_add_test(both, a_looking_thread_misses_nothing);
    return suite;
}

int
main(void)
{
    g_autoptr(GError) error = NULL;
    KilnUring *uring = kiln_uring_open(NULL, 8, KILN_URING_NATIVE, &error);

    if (uring == NULL)
        return kiln_test_skip_all(error->message);
    kiln_uring_free(uring);
    return kiln_test_main(make_suite());
}
