/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See call.h.  A call is a source that is ready from the start and leaves after one dispatch. */
#include "loop/call.h"

#include "base/lock.h"

enum { CALL_PRIORITY = G_PRIORITY_HIGH };

typedef struct {
    GSource source;
    KilnCallFunc func;
    gpointer data;
} CallSource;

typedef struct {
    KilnCallFunc func;
    gpointer data;
    KilnMutex mutex; /* of @done */
    KilnCond cond;
    gboolean done;
} WaitedCall;

/*
 * GLib hands sources over and counts their references in ways that ThreadSanitizer does not see;
 * touching them under this lock on both sides shows it the order that is there.
 */
static KilnMutex handover = PTHREAD_MUTEX_INITIALIZER;

static gboolean
call_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    CallSource *source = (CallSource *)base;
    KilnCallFunc call;
    gpointer call_data;

    kiln_mutex_lock(&handover);
    call = source->func;
    call_data = source->data;
    kiln_mutex_unlock(&handover);
    call(call_data);
    return G_SOURCE_REMOVE;
}

static GSourceFuncs call_funcs = {
    .dispatch = call_dispatch,
};

void
kiln_call_later(GMainContext *context, KilnCallFunc func, gpointer data)
{
    GSource *base = g_source_new(&call_funcs, sizeof(CallSource));
    CallSource *source = (CallSource *)base;

    kiln_mutex_lock(&handover);
    source->func = func;
    source->data = data;
    kiln_mutex_unlock(&handover);
    g_source_set_priority(base, CALL_PRIORITY);
    g_source_set_ready_time(base, 0);
    g_source_attach(base, context);
    kiln_mutex_lock(&handover);
    g_source_unref(base); /* may be the last, behind the dispatch */
    kiln_mutex_unlock(&handover);
}

static void
waited_call(gpointer data)
{
    WaitedCall *call = data;

    call->func(call->data);
    KILN_LOCK_SCOPE(&call->mutex);
    call->done = TRUE;
    kiln_cond_broadcast(&call->cond);
}

void
kiln_call_wait(GMainContext *context, KilnCallFunc func, gpointer data)
{
    WaitedCall call = { .func = func, .data = data };

    if (g_main_context_is_owner(context != NULL ? context : g_main_context_default())) {
        func(data);
        return;
    }
    kiln_mutex_init(&call.mutex);
    kiln_cond_init(&call.cond);
    kiln_call_later(context, waited_call, &call);
    kiln_mutex_lock(&call.mutex);
    while (!call.done)
        kiln_cond_wait(&call.cond, &call.mutex);
    kiln_mutex_unlock(&call.mutex);
    kiln_cond_clear(&call.cond);
    kiln_mutex_clear(&call.mutex);
}
