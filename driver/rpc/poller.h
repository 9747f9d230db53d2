/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many descriptors behind one: an epoll instance that the main loop sees as a single source, so
 * that thousands of idle connections cost a turn of the loop nothing.  Main thread.
 */
#ifndef KILN_RPC_POLLER_H
#define KILN_RPC_POLLER_H

#include <glib.h>

typedef struct KilnPoller KilnPoller;
typedef struct KilnPollerWatch KilnPollerWatch;

/**
 * KilnPollerFunc:
 * @ready: EPOLLIN and the like; EPOLLHUP and EPOLLERR come unasked
 *
 * May remove any watch, its own included.
 */
typedef void (*KilnPollerFunc)(guint32 ready, gpointer data);

KilnPoller *kiln_poller_new(void);
/* All watches have been removed. */
void kiln_poller_free(KilnPoller *poller);

/**
 * kiln_poller_add:
 * @fd: borrowed, for the life of the watch
 * @events: EPOLLIN, EPOLLOUT; level-triggered
 *
 * Returns: (nullable): NULL if the kernel has no room for it.
 */
KilnPollerWatch *kiln_poller_add(KilnPoller *poller, int fd, guint32 events, KilnPollerFunc func,
                                 gpointer data);
void kiln_poller_set(KilnPollerWatch *watch, guint32 events);
void kiln_poller_remove(KilnPollerWatch *watch);

#endif
