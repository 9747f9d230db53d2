/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watching a file descriptor in a GMainContext, with a condition that can be changed as one goes.
 */
#ifndef KILN_LOOP_FD_SOURCE_H
#define KILN_LOOP_FD_SOURCE_H

#include "loop/source.h"

/**
 * KilnFdFunc:
 * @fd: the descriptor
 * @ready: what poll(2) says of it; G_IO_HUP and G_IO_ERR come unasked
 *
 * Called in the thread that runs the context.  May free the source.
 *
 * Returns: G_SOURCE_CONTINUE, or G_SOURCE_REMOVE to take the source out of its context (the owner's
 *   reference stays).
 */
typedef gboolean (*KilnFdFunc)(int fd, GIOCondition ready, gpointer data);

/**
 * kiln_fd_source_new:
 * @context: (nullable): where it is attached; NULL is the default context
 * @fd: watched, not owned; closed only after the source is freed
 * @condition: G_IO_IN, G_IO_OUT or both; 0 watches nothing for now
 * @func: called when any of it is so
 *
 * Returns: (transfer full): an attached source; free it with kiln_source_free().
 */
GSource *kiln_fd_source_new(GMainContext *context, int fd, GIOCondition condition, KilnFdFunc func,
                            gpointer data);

/**
 * kiln_fd_source_set_condition:
 * @source: of kiln_fd_source_new()
 * @condition: what to wait for from now on; with 0 not even G_IO_HUP is reported, so that a peer
 * that hung up does not spin the loop
 *
 * Any thread.  A callback for the old condition may be under way in the context's thread.
 */
void kiln_fd_source_set_condition(GSource *source, GIOCondition condition);

/**
 * kiln_fd_source_rest:
 * @condition: what to wait for again after @milliseconds
 *
 * Watches nothing for a while: what is ready cannot be dealt with now, as when accept(2) finds no
 * free descriptor.  kiln_fd_source_set_condition() ends it sooner.  Any thread.
 */
void kiln_fd_source_rest(GSource *source, GIOCondition condition, guint milliseconds);

#endif
