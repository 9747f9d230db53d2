/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running a function in the thread of a GMainContext. */
#ifndef KILN_LOOP_CALL_H
#define KILN_LOOP_CALL_H

#include <glib.h>

typedef void (*KilnCallFunc)(gpointer data);

/**
 * kiln_call_later:
 * @context: (nullable): NULL is the default context
 * @func: called once by the thread that runs @context, before its other sources that are ready;
 * calls of one thread come in their order
 *
 * Never blocks.  Any thread, also the context's own, where @func is called from the loop and not
 * from here.
 */
void kiln_call_later(GMainContext *context, KilnCallFunc func, gpointer data);

/**
 * kiln_call_wait:
 *
 * As kiln_call_later, but returns when @func has returned.  In the thread that runs @context, @func
 * is called at once, from here.  Another thread waits until somebody runs @context, so not before
 * its loop is sure to run, nor after it ends; it holds no lock that @context's thread might take.
 */
void kiln_call_wait(GMainContext *context, KilnCallFunc func, gpointer data);

#endif
