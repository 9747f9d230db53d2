/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See event.h. */
#include "loop/event.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

typedef struct {
    GSource source;
    KilnEvent *event; /* not owned */
    KilnEventFunc func;
    gpointer data;
} EventSource;

gboolean
kiln_event_open(KilnEvent *event, GError **error)
{
    event->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event->fd < 0)
        return kiln_error_set_errno(error, errno, "cannot make an eventfd");
    return TRUE;
}

void
kiln_event_clear(KilnEvent *event)
{
    kiln_fd_clear(&event->fd);
}

void
kiln_event_set(KilnEvent *event)
{
    const uint64_t one = 1;
    int saved_errno = errno;
    ssize_t written;

    /* EAGAIN is a counter that is full, that is, an event that is set. */
    do
        written = write(event->fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    errno = saved_errno;
}

gboolean
kiln_event_test_and_clear(KilnEvent *event)
{
    uint64_t count;
    ssize_t got;

    do
        got = read(event->fd, &count, sizeof count);
    while (got < 0 && errno == EINTR);
    return got == sizeof count;
}

static gboolean
event_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    EventSource *source = (EventSource *)base;

    if (kiln_event_test_and_clear(source->event))
        source->func(source->data);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs event_funcs = {
    .dispatch = event_dispatch,
};

GSource *
kiln_event_source_new(KilnEvent *event, GMainContext *context, KilnEventFunc func, gpointer data)
{
    GSource *base = g_source_new(&event_funcs, sizeof(EventSource));
    EventSource *source = (EventSource *)base;

    source->event = event;
    source->func = func;
    source->data = data;
    g_source_add_unix_fd(base, event->fd, G_IO_IN);
    kiln_source_attach(base, context);
    return base;
}
