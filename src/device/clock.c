/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See clock.h. */
#include "device/clock.h"

#include "base/lock.h"
#include "loop/timer.h"

struct KilnClock {
    KilnMutex lock;
    KilnTimer *host;         /* (owned) (nullable): NULL for a manual clock */
    gboolean running;        /* (lock) */
    uint64_t base_ns;        /* (lock): guest time when it started or stopped last */
    uint64_t host_base_ns;   /* (lock): kiln_clock_ns() when it started last */
    KilnClockTimer *pending; /* (lock): armed ones, earliest first */
};

/* Lock held. */
static uint64_t
now_locked(KilnClock *clock)
{
    if (clock->host == NULL || !clock->running)
        return clock->base_ns;
    return clock->base_ns + (kiln_clock_ns() - clock->host_base_ns);
}

/* Has the host wake us at the earliest deadline.  Lock held. */
static void
rearm_host(KilnClock *clock)
{
    if (clock->host == NULL)
        return;
    if (clock->pending == NULL || !clock->running) {
        kiln_timer_cancel(clock->host);
        return;
    }

    uint64_t deadline = clock->pending->deadline_ns;
    uint64_t left = deadline > clock->base_ns ? deadline - clock->base_ns : 0;

    left = MIN(left, (uint64_t)INT64_MAX / 2); /* a guest may ask for any time */
    kiln_timer_arm(clock->host, clock->host_base_ns + left);
}

/* Lock held. */
static void
unlink_timer(KilnClock *clock, KilnClockTimer *timer)
{
    KilnClockTimer **link = &clock->pending;

    if (!timer->armed)
        return;
    while (*link != timer)
        link = &(*link)->next;
    *link = timer->next;
    timer->armed = FALSE;
}

/* Takes out the first timer that is due at @now; NULL if none is.  Lock held. */
static KilnClockTimer *
take_due(KilnClock *clock, uint64_t now)
{
    KilnClockTimer *timer = clock->pending;

    if (timer == NULL || timer->deadline_ns > now)
        return NULL;
    unlink_timer(clock, timer);
    return timer;
}

static void
host_timer_fired(gpointer data)
{
    KilnClock *clock = data;

    kiln_mutex_lock(&clock->lock);
    while (clock->running) {
        KilnClockTimer *timer = take_due(clock, now_locked(clock));

        if (timer == NULL)
            break;
        kiln_mutex_unlock(&clock->lock);
        timer->fired(timer->opaque);
        kiln_mutex_lock(&clock->lock);
    }
    rearm_host(clock);
    kiln_mutex_unlock(&clock->lock);
}

KilnClock *
kiln_clock_new(GMainContext *context, GError **error)
{
    KilnClock *clock = kiln_clock_new_manual();

    clock->running = FALSE;
    clock->host = kiln_timer_open(context, host_timer_fired, clock, error);
    if (clock->host == NULL)
        g_clear_pointer(&clock, kiln_clock_free);
    return clock;
}

KilnClock *
kiln_clock_new_manual(void)
{
    KilnClock *clock = g_new0(KilnClock, 1);

    kiln_mutex_init(&clock->lock);
    clock->running = TRUE;
    return clock;
}

void
kiln_clock_free(KilnClock *clock)
{
    if (clock == NULL)
        return;
    g_assert(clock->pending == NULL);
    kiln_timer_free(clock->host);
    kiln_mutex_clear(&clock->lock);
    g_free(clock);
}

uint64_t
kiln_clock_now(KilnClock *clock)
{
    KILN_LOCK_SCOPE(&clock->lock);

    return now_locked(clock);
}

void
kiln_clock_start(KilnClock *clock)
{
    KILN_LOCK_SCOPE(&clock->lock);

    if (clock->running)
        return;
    clock->host_base_ns = kiln_clock_ns();
    clock->running = TRUE;
    rearm_host(clock);
}

void
kiln_clock_stop(KilnClock *clock)
{
    KILN_LOCK_SCOPE(&clock->lock);

    clock->base_ns = now_locked(clock);
    clock->running = FALSE;
    rearm_host(clock);
}

void
kiln_clock_advance(KilnClock *clock, uint64_t ns)
{
    g_return_if_fail(clock->host == NULL);
    kiln_mutex_lock(&clock->lock);

    uint64_t end = clock->base_ns + ns;
    KilnClockTimer *timer;

    while ((timer = take_due(clock, end)) != NULL) {
        clock->base_ns = MAX(clock->base_ns, timer->deadline_ns);
        kiln_mutex_unlock(&clock->lock);
        timer->fired(timer->opaque);
        kiln_mutex_lock(&clock->lock);
    }
    clock->base_ns = end;
    kiln_mutex_unlock(&clock->lock);
}

void
kiln_clock_timer_init(KilnClockTimer *timer, KilnClock *clock, KilnClockTimerFn fired, void *opaque)
{
    *timer = (KilnClockTimer){ .clock = clock, .fired = fired, .opaque = opaque };
}

void
kiln_clock_timer_clear(KilnClockTimer *timer)
{
    if (timer->clock != NULL)
        kiln_clock_timer_cancel(timer);
}

void
kiln_clock_timer_arm(KilnClockTimer *timer, uint64_t deadline_ns)
{
    KilnClock *clock = timer->clock;
    KILN_LOCK_SCOPE(&clock->lock);
    KilnClockTimer *first = clock->pending;

    if (timer->armed && timer->deadline_ns == deadline_ns)
        return;
    unlink_timer(clock, timer);
    timer->deadline_ns = deadline_ns;
    timer->armed = TRUE;

    KilnClockTimer **link = &clock->pending;

    while (*link != NULL && (*link)->deadline_ns <= deadline_ns)
        link = &(*link)->next;
    timer->next = *link;
    *link = timer;
    if (clock->pending != first || first == timer)
        rearm_host(clock);
}

void
kiln_clock_timer_cancel(KilnClockTimer *timer)
{
    KilnClock *clock = timer->clock;
    KILN_LOCK_SCOPE(&clock->lock);

    if (!timer->armed)
        return;

    gboolean first = clock->pending == timer;

    unlink_timer(clock, timer);
    if (first)
        rearm_host(clock);
}

uint64_t
kiln_clock_ns_to_ticks(uint64_t ns, uint32_t hz)
{
    return ns / KILN_NS_PER_SECOND * hz + ns % KILN_NS_PER_SECOND * hz / KILN_NS_PER_SECOND;
}

uint64_t
kiln_clock_ticks_to_ns(uint64_t ticks, uint32_t hz)
{
    return ticks / hz * KILN_NS_PER_SECOND + (ticks % hz * KILN_NS_PER_SECOND + (hz - 1)) / hz;
}

static void
clock_pre_save(void *object)
{
    KilnClock *clock = object;
    KILN_LOCK_SCOPE(&clock->lock);

    clock->base_ns = now_locked(clock);
    if (clock->host != NULL)
        clock->host_base_ns = kiln_clock_ns();
}

static gboolean
clock_post_load(void *object, GError **error)
{
    KilnClock *clock = object;
    KILN_LOCK_SCOPE(&clock->lock);

    if (clock->host != NULL)
        clock->host_base_ns = kiln_clock_ns();
    rearm_host(clock);
    return TRUE;
}

static const KilnStateField clock_fields[] = {
    /* Some 146 years: sums of it with what a guest may ask for never wrap. */
    KILN_STATE_RANGE(KilnClock, base_ns, 1, 0, UINT64_MAX / 4),
    KILN_STATE_END,
};

static const KilnStateDescription clock_state = {
    .name = "clock",
    .version = 1,
    .min_version = 1,
    .fields = clock_fields,
    .pre_save = clock_pre_save,
    .post_load = clock_post_load,
};

KilnStateEntry
kiln_clock_state(KilnClock *clock)
{
    return (KilnStateEntry){ .description = &clock_state, .object = clock };
}
