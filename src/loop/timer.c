/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See timer.h. */
#include "loop/timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define NS_PER_SECOND G_GUINT64_CONSTANT(1000000000)

struct KilnTimer {
    KilnFd fd;       /* (owned): the kernel locks it */
    GSource *source; /* (owned) */
    KilnTimerFunc func;
    gpointer data;
};

typedef struct {
    GSource source;
    KilnTimer *timer; /* not owned: the timer owns the source */
} TimerSource;

uint64_t
kiln_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static gboolean
timer_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    KilnTimer *timer = ((TimerSource *)base)->timer;
    uint64_t expirations;

    /* Setting the timer anew makes it unreadable: what was polled before that is not called. */
    if (read(timer->fd, &expirations, sizeof expirations) == sizeof expirations)
        timer->func(timer->data);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = {
    .dispatch = timer_dispatch,
};

KilnTimer *
kiln_timer_open(GMainContext *context, KilnTimerFunc func, gpointer data, GError **error)
{
    g_auto(KilnFd) fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    KilnTimer *timer;

    if (fd < 0) {
        kiln_error_set_errno(error, errno, "cannot make a timerfd");
        return NULL;
    }
    timer = g_new0(KilnTimer, 1);
    timer->fd = kiln_fd_steal(&fd);
    timer->func = func;
    timer->data = data;
    timer->source = g_source_new(&timer_funcs, sizeof(TimerSource));
    ((TimerSource *)timer->source)->timer = timer;
    g_source_add_unix_fd(timer->source, timer->fd, G_IO_IN);
    kiln_source_attach(timer->source, context);
    return timer;
}

void
kiln_timer_free(KilnTimer *timer)
{
    if (timer == NULL)
        return;
    kiln_source_free(timer->source);
    kiln_fd_clear(&timer->fd);
    g_free(timer);
}

static void
set(KilnTimer *timer, uint64_t ns)
{
    const struct itimerspec when = {
        .it_value.tv_sec = (time_t)(ns / NS_PER_SECOND),
        .it_value.tv_nsec = (long)(ns % NS_PER_SECOND),
    };
    int failed = timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL);

    g_assert(failed == 0);
}

void
kiln_timer_arm(KilnTimer *timer, uint64_t deadline_ns)
{
    set(timer, MAX(deadline_ns, 1)); /* 0 would disarm it */
}

void
kiln_timer_cancel(KilnTimer *timer)
{
    set(timer, 0);
}
