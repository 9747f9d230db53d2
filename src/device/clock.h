/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's time: nanoseconds that pass while the guest runs, and stand still while it is paused
 * or on its way to another host.  Devices keep their deadlines in it.
 *
 * One host timer serves all timers of a clock.  Time comes from CLOCK_MONOTONIC, or, with a manual
 * clock (tests, fuzzing), moves only by kiln_clock_advance().
 *
 * Locks: the clock's own lock is a leaf; devices arm and cancel with their lock held, and timer
 * callbacks come without any.
 */
#ifndef KILN_DEVICE_CLOCK_H
#define KILN_DEVICE_CLOCK_H

#include <glib.h>
#include <stdint.h>

#include "state/state.h"

#define KILN_NS_PER_SECOND UINT64_C(1000000000)

typedef struct KilnClock KilnClock;
typedef struct KilnClockTimer KilnClockTimer;

/* Called once a deadline has passed, by the thread that runs the clock's context, no lock held. */
typedef void (*KilnClockTimerFn)(void *opaque);

/* Embedded in its device; all fields belong to the clock. */
struct KilnClockTimer {
    KilnClock *clock;
    KilnClockTimerFn fired;
    void *opaque;
    KilnClockTimer *next; /* (clock's lock): the next one armed, by deadline */
    uint64_t deadline_ns; /* (clock's lock) */
    gboolean armed;       /* (clock's lock) */
};

/**
 * kiln_clock_new:
 * @context: (nullable): whose thread calls the timers; NULL is the default context
 *
 * Returns: (transfer full): a stopped clock at 0, or NULL with @error set.
 */
KilnClock *kiln_clock_new(GMainContext *context, GError **error);

/* A running clock at 0 that only kiln_clock_advance() moves. */
KilnClock *kiln_clock_new_manual(void);

/* No timer is armed on @clock (nullable) any more. */
void kiln_clock_free(KilnClock *clock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnClock, kiln_clock_free)

/* Nanoseconds of guest time.  Any thread. */
uint64_t kiln_clock_now(KilnClock *clock);

/* When the guest starts to run, and when it has stopped.  Control thread; either may be repeated.
 */
void kiln_clock_start(KilnClock *clock);
void kiln_clock_stop(KilnClock *clock);

/**
 * kiln_clock_advance:
 *
 * Moves a manual clock, and calls the timers that fall due on the way, in their order, each at its
 * own time.
 */
void kiln_clock_advance(KilnClock *clock, uint64_t ns);

/* The clock's section of saved state: load it, into a stopped clock, before all devices. */
KilnStateEntry kiln_clock_state(KilnClock *clock);

/* Not armed yet; @fired is called with @opaque. */
void kiln_clock_timer_init(KilnClockTimer *timer, KilnClock *clock, KilnClockTimerFn fired,
                           void *opaque);

/* Cancels; in the context's thread, or when nobody runs it: @fired is not called afterwards. */
void kiln_clock_timer_clear(KilnClockTimer *timer);

/**
 * kiln_clock_timer_arm:
 * @deadline_ns: of guest time; in the past is soon
 *
 * Replaces an earlier deadline.  Any thread.  A call for the old deadline may be on its way in
 * another thread: the device checks under its lock what is due.
 */
void kiln_clock_timer_arm(KilnClockTimer *timer, uint64_t deadline_ns);
void kiln_clock_timer_cancel(KilnClockTimer *timer);

/* @ticks = @ns * @hz / 10^9 and back, rounded down and up, without overflow below 500 years. */
uint64_t kiln_clock_ns_to_ticks(uint64_t ns, uint32_t hz);
uint64_t kiln_clock_ticks_to_ns(uint64_t ticks, uint32_t hz);

#endif
