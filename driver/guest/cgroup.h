/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A control group for each guest (cgroup v2).
 *
 * Where systemd runs, a transient scope kiln-ID-NAME.scope in machine.slice, which systemd makes
 * and keeps while the process goes on: no start waits for it.  Else a group below the daemon's own,
 * in which the process begins, if the daemon may make one; if not, none, and a line in the log.
 */
#ifndef KILN_GUEST_CGROUP_H
#define KILN_GUEST_CGROUP_H

#include "guest/run.h"

/* Returns: a descriptor of the folder of the group that the process is to begin in, or -1. */
KilnFd kiln_cgroup_make(const KilnGuestList *list, const char *name, int id);

/* The process runs: a scope is asked for. */
void kiln_cgroup_begin(KilnRun *run);

/* The process ended: what kiln_cgroup_make() made is removed. */
void kiln_cgroup_end(const KilnRun *run);

#endif
