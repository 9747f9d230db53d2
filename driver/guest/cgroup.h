/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A control group for each guest (cgroup v2; Linux, Documentation/admin-guide/cgroup-v2.rst).
 *
 * Where systemd runs, a transient scope kiln-ID-NAME.scope in machine.slice, which systemd makes
 * when it is asked and keeps while the process goes on: no start waits for it.  Else a group below
 * the daemon's own, in which the process begins, if the daemon may make one; if not, none, and one
 * line in the log.
 */
#ifndef KILN_GUEST_CGROUP_H
#define KILN_GUEST_CGROUP_H

#include "guest/run.h"

typedef struct KilnCgroups KilnCgroups;

/* Returns: (nullable): NULL after a line in the log if there can be none. */
KilnCgroups *kiln_cgroups_open(void);
/* (nullable) */
void kiln_cgroups_close(KilnCgroups *groups);

/**
 * kiln_cgroup_make:
 * @groups: (nullable)
 * @path: (out): of the group, below /sys/fs/cgroup
 *
 * Returns: a descriptor of the folder of the group that the process is to begin in; -1 if it begins
 *   in the daemon's.
 */
KilnFd kiln_cgroup_make(KilnCgroups *groups, const char *name, int id, char **path);

/* The process runs: a scope is asked for. */
void kiln_cgroup_begin(KilnCgroups *groups, const KilnRun *run);

/* The process ended: what kiln_cgroup_make() made is removed, as soon as it is empty. */
void kiln_cgroup_end(KilnCgroups *groups, const KilnRun *run);

/* Returns: (transfer full) (nullable): the group of its own that the process is in. */
char *kiln_cgroup_of(const KilnRun *run);

/* Returns: (transfer full): "kiln-ID-NAME", in the letters that a unit of systemd may have. */
char *kiln_cgroup_name(const char *name, int id);

#endif
