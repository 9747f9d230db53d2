/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals as events of a GMainContext, by signalfd(2): no handler, no self-pipe, no extra thread.
 */
#ifndef KILN_LOOP_SIGNAL_H
#define KILN_LOOP_SIGNAL_H

#include "loop/source.h"

#include <signal.h>
#include <sys/signalfd.h>

/* Called in the thread that runs the context.  May free the source. */
typedef void (*KilnSignalFunc)(const struct signalfd_siginfo *info, gpointer data);

/**
 * kiln_signal_source_open:
 * @context: (nullable): where it is attached; NULL is the default context
 * @signals: which ones; they are blocked in the calling thread, and stay so when the source is
 * freed. Call it before other threads are started, which inherit the mask.
 *
 * Returns: (transfer full): an attached source, or NULL with @error set; free it with
 *   kiln_source_free().
 */
GSource *kiln_signal_source_open(GMainContext *context, const sigset_t *signals,
                                 KilnSignalFunc func, gpointer data, GError **error);

#endif
