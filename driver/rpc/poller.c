/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/poller.h"

#include "base/fd.h"
#include "loop/fd-source.h"

#include <sys/epoll.h>

enum { BATCH = 64 }; /* descriptors that are dealt with in one turn of the loop */

struct KilnPoller {
    KilnFd fd;
    GSource *source; /* (owned) */
    gboolean dispatching;
    GPtrArray *removed; /* (owned) (element-type KilnPollerWatch): while dispatching */
};

struct KilnPollerWatch {
    KilnPoller *poller;
    int fd;
    guint32 events;
    KilnPollerFunc func; /* (nullable): NULL: removed */
    gpointer data;
};

static gboolean
on_ready(int fd, GIOCondition ready, gpointer data)
{
    KilnPoller *poller = data;
    struct epoll_event events[BATCH];
    int n = epoll_wait(poller->fd, events, BATCH, 0);

    poller->dispatching = TRUE;
    for (int i = 0; i < n; i++) {
        KilnPollerWatch *watch = events[i].data.ptr;

        if (watch->func != NULL)
            watch->func(events[i].events, watch->data);
    }
    poller->dispatching = FALSE;
    g_ptr_array_set_size(poller->removed, 0);
    return G_SOURCE_CONTINUE;
}

KilnPoller *
kiln_poller_new(void)
{
    KilnPoller *poller = g_new0(KilnPoller, 1);

    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    g_assert(poller->fd >= 0);
    poller->removed = g_ptr_array_new_with_free_func(g_free);
    poller->source = kiln_fd_source_new(NULL, poller->fd, G_IO_IN, on_ready, poller);
    return poller;
}

void
kiln_poller_free(KilnPoller *poller)
{
    if (poller == NULL)
        return;
    g_assert(!poller->dispatching);
    kiln_source_free(poller->source);
    kiln_fd_clear(&poller->fd);
    g_ptr_array_unref(poller->removed);
    g_free(poller);
}

KilnPollerWatch *
kiln_poller_add(KilnPoller *poller, int fd, guint32 events, KilnPollerFunc func, gpointer data)
{
    KilnPollerWatch *watch = g_new0(KilnPollerWatch, 1);
    struct epoll_event event = { .events = events, .data.ptr = watch };

    *watch = (KilnPollerWatch){ poller, fd, events, func, data };
    if (epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return watch;
    g_free(watch);
    return NULL;
}

void
kiln_poller_set(KilnPollerWatch *watch, guint32 events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (watch->events == events)
        return;
    watch->events = events;
    epoll_ctl(watch->poller->fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void
kiln_poller_remove(KilnPollerWatch *watch)
{
    if (watch == NULL)
        return;
    epoll_ctl(watch->poller->fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->func = NULL;
    if (watch->poller->dispatching)
        g_ptr_array_add(watch->poller->removed, watch);
    else
        g_free(watch);
}
