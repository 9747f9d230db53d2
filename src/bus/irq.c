/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See irq.h. */
#include "bus/irq.h"

static void
source_changed(void *opaque, unsigned n, gboolean level)
{
    KilnIrqOr *shared = opaque;
    KILN_LOCK_SCOPE(&shared->lock);
    uint64_t before = shared->asserted;

    if (level)
        shared->asserted |= UINT64_C(1) << n;
    else
        shared->asserted &= ~(UINT64_C(1) << n);
    if ((before != 0) != (shared->asserted != 0))
        kiln_irq_set(&shared->out, shared->asserted != 0);
}

void
kiln_irq_or_init(KilnIrqOr *shared, KilnIrq out)
{
    *shared = (KilnIrqOr){ .out = out };
    kiln_mutex_init(&shared->lock);
}

void
kiln_irq_or_clear(KilnIrqOr *shared)
{
    kiln_mutex_clear(&shared->lock);
}

KilnIrq
kiln_irq_or_source(KilnIrqOr *shared)
{
    KILN_LOCK_SCOPE(&shared->lock);

    g_assert(shared->n_sources < KILN_IRQ_OR_MAX);
    return (KilnIrq){ .set = source_changed, .opaque = shared, .n = shared->n_sources++ };
}
