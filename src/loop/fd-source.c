/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fd-source.h. */
#include "loop/fd-source.h"

#include "base/lock.h"

typedef struct {
    GSource source;
    int fd; /* not owned */
    KilnFdFunc func;
    gpointer data;
    KilnMutex mutex;         /* of @tag; GLib's own lock of the context is taken inside it */
    gpointer tag;            /* (nullable): of the poll record; NULL while nothing is watched */
    GIOCondition after_rest; /* (mutex): what is watched after a rest; 0: there is none */
} FdSource;

static GIOCondition
ready_of(FdSource *source)
{
    KILN_LOCK_SCOPE(&source->mutex);

    return source->tag != NULL ? g_source_query_unix_fd(&source->source, source->tag) : 0;
}

/* Mutex held. */
static void
watch(FdSource *source, GIOCondition condition)
{
    if (source->after_rest != 0)
        g_source_set_ready_time(&source->source, -1);
    source->after_rest = 0;
    if (source->tag != NULL && condition != 0) {
        g_source_modify_unix_fd(&source->source, source->tag, condition);
    } else if (condition != 0) {
        source->tag = g_source_add_unix_fd(&source->source, source->fd, condition);
    } else if (source->tag != NULL) {
        g_source_remove_unix_fd(&source->source, source->tag);
        source->tag = NULL;
    }
}

/* The ready time has come. */
static void
end_rest(FdSource *source)
{
    KILN_LOCK_SCOPE(&source->mutex);

    if (source->after_rest != 0 &&
        g_source_get_ready_time(&source->source) <= g_source_get_time(&source->source))
        watch(source, source->after_rest);
}

static gboolean
fd_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    FdSource *source = (FdSource *)base;
    GIOCondition ready = ready_of(source);

    if (ready == 0) { /* the end of a rest, or the condition was changed after the poll */
        end_rest(source);
        return G_SOURCE_CONTINUE;
    }
    return source->func(source->fd, ready, source->data);
}

static void
fd_finalize(GSource *base)
{
    kiln_mutex_clear(&((FdSource *)base)->mutex);
}

static GSourceFuncs fd_funcs = {
    .dispatch = fd_dispatch,
    .finalize = fd_finalize,
};

GSource *
kiln_fd_source_new(GMainContext *context, int fd, GIOCondition condition, KilnFdFunc func,
                   gpointer data)
{
    GSource *base = g_source_new(&fd_funcs, sizeof(FdSource));
    FdSource *source = (FdSource *)base;

    source->fd = fd;
    source->func = func;
    source->data = data;
    kiln_mutex_init(&source->mutex);
    kiln_fd_source_set_condition(base, condition);
    kiln_source_attach(base, context);
    return base;
}

void
kiln_fd_source_set_condition(GSource *base, GIOCondition condition)
{
    FdSource *source = (FdSource *)base;
    KILN_LOCK_SCOPE(&source->mutex);

    watch(source, condition);
}

void
kiln_fd_source_rest(GSource *base, GIOCondition condition, guint milliseconds)
{
    FdSource *source = (FdSource *)base;
    KILN_LOCK_SCOPE(&source->mutex);

    watch(source, 0);
    source->after_rest = condition;
    g_source_set_ready_time(base, g_get_monotonic_time() + (gint64)milliseconds * 1000);
}
