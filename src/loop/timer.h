/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One-shot timers of devices: a timerfd each, so that arming one from a vCPU thread is one system
 * call and does not wake the loop, and the deadline is kept to the nanosecond that the host manages
 * (GLib's own timeouts are rounded up to milliseconds).
 */
#ifndef KILN_LOOP_TIMER_H
#define KILN_LOOP_TIMER_H

#include "loop/source.h"

#include <stdint.h>

typedef struct KilnTimer KilnTimer;
typedef void (*KilnTimerFunc)(gpointer data);

/**
 * kiln_clock_ns:
 * Returns: nanoseconds of CLOCK_MONOTONIC: the clock of all deadlines here.  Any thread.
 */
uint64_t kiln_clock_ns(void);

/**
 * kiln_timer_open:
 * @context: (nullable): whose thread calls @func; NULL is the default context
 * @func: called once for each deadline that passes, unless it is changed first.  May arm, cancel or
 *   free the timer.
 *
 * Returns: (transfer full): a timer that is not armed, or NULL with @error set.
 */
KilnTimer *kiln_timer_open(GMainContext *context, KilnTimerFunc func, gpointer data,
                           GError **error);

/**
 * kiln_timer_free:
 *
 * In the thread that runs the context, or when nobody runs it: @func is not called afterwards.
 */
void kiln_timer_free(KilnTimer *timer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnTimer, kiln_timer_free)

/**
 * kiln_timer_arm:
 * @deadline_ns: of kiln_clock_ns(); one that has passed fires as soon as the loop runs
 *
 * Takes the place of an earlier deadline.  Any thread.  From a thread that does not run the
 * context, a call for the old deadline may be under way: @func looks, under the device's lock,
 * whether what it was to do is still due.
 */
void kiln_timer_arm(KilnTimer *timer, uint64_t deadline_ns);

/**
 * kiln_timer_cancel:
 *
 * As kiln_timer_arm, with no new deadline.
 */
void kiln_timer_cancel(KilnTimer *timer);

#endif
