/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fault.h. */
#include "block/fault.h"

#include "base/intmath.h"
#include "loop/timer.h"

typedef struct Held {
    KilnBlockRequest *request;
    struct Held *next;
} Held;

typedef struct {
    KilnBlock base;
    KilnFault fault;
    gboolean active;
    unsigned seen; /* requests that @fault means, since it was set */
    Held *first;   /* (nullable) */
    Held **last;
    unsigned n_held;
    KilnTimer *timer; /* (owned) */
} Layer;

static gboolean
is_met(Layer *layer, const KilnBlockRequest *request)
{
    const KilnFault *fault = &layer->fault;

    if (!layer->active || (fault->ops != 0 && (fault->ops & (1U << request->op)) == 0))
        return FALSE;
    layer->seen++;
    return layer->seen > fault->skip &&
           (fault->count == 0 || layer->seen - fault->skip <= fault->count);
}

static void
fault_submit(KilnBlock *base, KilnBlockRequest *request)
{
    Layer *layer = (Layer *)base;
    Held *held = request->scratch;

    if (!is_met(layer, request)) {
        base->child->ops->submit(base->child, request);
        return;
    }
    if (layer->fault.kind == KILN_FAULT_FAIL) {
        request->done(request, layer->fault.result);
        return;
    }
    *held = (Held){ .request = request };
    *layer->last = held;
    layer->last = &held->next;
    if (layer->n_held++ == 0 && layer->fault.kind == KILN_FAULT_DELAY)
        kiln_timer_arm(layer->timer, kiln_clock_ns() + layer->fault.delay_ns);
}

static void
release(gpointer data)
{
    kiln_fault_release(data);
}

void
kiln_fault_release(KilnBlock *base)
{
    Layer *layer = (Layer *)base;
    Held *held = layer->first;

    layer->first = NULL;
    layer->last = &layer->first;
    layer->n_held = 0;
    while (held != NULL) {
        KilnBlockRequest *request = held->request;

        held = held->next; /* the scratch is the child's from now on */
        base->child->ops->submit(base->child, request);
    }
}

void
kiln_fault_set(KilnBlock *base, const KilnFault *fault)
{
    Layer *layer = (Layer *)base;

    layer->active = fault != NULL;
    layer->seen = 0;
    if (fault != NULL)
        layer->fault = *fault;
}

unsigned
kiln_fault_n_held(const KilnBlock *base)
{
    return ((const Layer *)base)->n_held;
}

static void
fault_free(KilnBlock *base)
{
    Layer *layer = (Layer *)base;

    kiln_timer_free(layer->timer);
    g_free(layer);
}

static const KilnBlockOps fault_ops = {
    .name = "fault",
    .submit = fault_submit,
    .free = fault_free,
};

KilnBlock *
kiln_fault_open(KilnBlock *child, const KilnFault *fault, GError **error)
{
    Layer *layer = g_new0(Layer, 1);

    layer->base = *child;
    layer->base.ops = &fault_ops;
    layer->base.child = child;
    layer->base.request_size = MAX(child->request_size, (size_t)kiln_align_up(sizeof(Held), 16));
    layer->last = &layer->first;
    layer->timer = kiln_timer_open(child->context, release, layer, error);
    if (layer->timer == NULL) {
        kiln_block_free(&layer->base);
        return NULL;
    }
    kiln_fault_set(&layer->base, fault);
    return &layer->base;
}
