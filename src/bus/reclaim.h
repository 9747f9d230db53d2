/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hazard pointers: how readers that take no lock tell whoever replaces an object that they still
 * use the old one.  Each thread has one record, found through a thread-local pointer, with a few
 * cells; the objects are compared by address only.
 *
 *   reader: kiln_hazard_enter(&current) ... kiln_hazard_leave()
 *   writer: store the new object into current, keep the old one until !kiln_hazard_is_held(old)
 */
#ifndef KILN_BUS_RECLAIM_H
#define KILN_BUS_RECLAIM_H

#include <glib.h>
#include <stdatomic.h>

enum { KILN_HAZARD_DEPTH = 4 }; /* objects that one thread holds at a time, as a stack */

/**
 * kiln_hazard_enter:
 * @current: where the newest object is, never NULL
 *
 * Takes no lock; the first call of a thread allocates its record.
 *
 * Returns: (nullable): the object, which stays alive until the matching kiln_hazard_leave(); NULL
 *   (and nothing to leave) if the thread holds KILN_HAZARD_DEPTH objects already.
 */
const void *kiln_hazard_enter(_Atomic(void *) *current);

/* Gives up what the calling thread entered last. */
void kiln_hazard_leave(void);

/* Whether any thread may still use @object, which is no longer the newest one. */
gboolean kiln_hazard_is_held(const void *object);

/* Whether the calling thread is inside an enter. */
gboolean kiln_hazard_inside(void);

#endif
