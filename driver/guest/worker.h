/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work that waits (for a disk, for a program's start) on threads beside the main one, which hears
 * of its end.  Several go on at once; who needs an order keeps it.
 */
#ifndef KILN_GUEST_WORKER_H
#define KILN_GUEST_WORKER_H

#include <glib.h>

/* In another thread.  Returns: FALSE with @error set if it failed. */
typedef gboolean (*KilnWorkFunc)(gpointer work, GError **error);

/* In the main thread.  @error: NULL if it went well, else borrowed. */
typedef void (*KilnWorkDone)(gpointer work, const GError *error);

/**
 * kiln_worker_run:
 *
 * Main thread.  Both functions are called, one after the other; @done from the main loop.
 */
void kiln_worker_run(KilnWorkFunc func, KilnWorkDone done, gpointer work);

/* Runs the main loop until all that was begun has ended.  Main thread, outside of @done. */
void kiln_worker_drain(void);

#endif
