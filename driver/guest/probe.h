/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that others started (kiln run) and that has to be asked who it is.  It may take its
 * time; what it tells is written beside its socket, so that it keeps its id when the daemon is
 * started again.
 */
#ifndef KILN_GUEST_PROBE_H
#define KILN_GUEST_PROBE_H

#include "base/fd.h"
#include "guest/head.h"

typedef struct KilnProbe KilnProbe;

/* @head: what it is, with the id that it has now; NULL if it ended.  Called once; frees @probe. */
typedef void (*KilnProbed)(KilnProbe *probe, KilnHead *head, gpointer data);

/**
 * kiln_probe_new:
 * @pidfd: (transfer full)
 * @next_id: where the next free id stands
 */
KilnProbe *kiln_probe_new(const char *runtime_dir, const char *name, pid_t pid, KilnFd pidfd,
                          int *next_id, KilnProbed probed, gpointer data);
/* (nullable) */
void kiln_probe_free(KilnProbe *probe);

const char *kiln_probe_name(const KilnProbe *probe);

/* @pidfd: (out) (transfer full).  Returns: the process's id. */
pid_t kiln_probe_steal(KilnProbe *probe, KilnFd *pidfd);

#endif
