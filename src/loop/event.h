/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An eventfd: set by any thread, seen by a GMainContext or by the kernel (irqfd, ioeventfd). */
#ifndef KILN_LOOP_EVENT_H
#define KILN_LOOP_EVENT_H

#include "base/fd.h"
#include "loop/source.h"

typedef struct {
    KilnFd fd; /* (owned): non-blocking eventfd; may be handed to the kernel, which keeps its own */
} KilnEvent;

/* What a KilnEvent is before kiln_event_open(), and what kiln_event_clear() takes without harm. */
#define KILN_EVENT_NONE                                                                            \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

typedef void (*KilnEventFunc)(gpointer data);

/**
 * kiln_event_open:
 * @event: (out): not set
 *
 * Returns: TRUE, or FALSE with @error set and @event none.
 */
gboolean kiln_event_open(KilnEvent *event, GError **error);
void kiln_event_clear(KilnEvent *event);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnEvent, kiln_event_clear)

/**
 * kiln_event_set:
 *
 * Any thread, and signal handlers.  Never blocks; setting it twice is as good as once.
 */
void kiln_event_set(KilnEvent *event);

/**
 * kiln_event_test_and_clear:
 *
 * Returns: whether @event was set since the last call.  Never blocks.
 */
gboolean kiln_event_test_and_clear(KilnEvent *event);

/**
 * kiln_event_source_new:
 * @event: not owned; cleared only after the source is freed
 * @context: (nullable): where it is attached; NULL is the default context
 * @func: called in the thread that runs @context, once for one or more kiln_event_set(), after the
 *   event has been cleared, so that no set is missed.  May free the source.
 *
 * Returns: (transfer full): an attached source; free it with kiln_source_free().
 */
GSource *kiln_event_source_new(KilnEvent *event, GMainContext *context, KilnEventFunc func,
                               gpointer data);

#endif
