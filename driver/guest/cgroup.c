/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cgroup.h. */
#include "guest/cgroup.h"

KilnFd
kiln_cgroup_make(const KilnGuestList *list, const char *name, int id)
{
    return -1;
}

void
kiln_cgroup_begin(KilnRun *run)
{
}

void
kiln_cgroup_end(const KilnRun *run)
{
}
