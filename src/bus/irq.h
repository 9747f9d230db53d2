/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupt lines: a callback with an opaque and a number.  A line has a level; what is at its
 * other end (an in-kernel interrupt controller, a router, another device) is not known here.
 */
#ifndef KILN_BUS_IRQ_H
#define KILN_BUS_IRQ_H

#include <glib.h>
#include <stdint.h>

#include "base/lock.h"

/**
 * KilnIrqFn:
 * @opaque: of the line
 * @n: the line's number at its receiver: a GSI, a PIRQ, a source of a shared line
 * @level: asserted or not
 *
 * Called in any thread, mostly with the sending device's lock held: it must not call back into the
 * device.  To be told the level that it has already is normal.
 */
typedef void (*KilnIrqFn)(void *opaque, unsigned n, gboolean level);

/* One end of a line, copied by value; all zeroes is a line that leads nowhere. */
typedef struct {
    KilnIrqFn set; /* (nullable) */
    void *opaque;
    unsigned n;
} KilnIrq;

static inline void
kiln_irq_set(const KilnIrq *irq, gboolean level)
{
    if (irq->set != NULL)
        irq->set(irq->opaque, irq->n, level);
}

/**
 * KilnIrqOutput:
 *
 * A device's end of a line: remembers the level, so that only changes travel, each of which may be
 * a system call.  Embedded, guarded by the device's lock; initialise with KILN_IRQ_OUTPUT().
 */
typedef struct {
    KilnIrq line;
    gboolean level;
} KilnIrqOutput;

#define KILN_IRQ_OUTPUT(to) ((KilnIrqOutput){ .line = (to) })

static inline void
kiln_irq_output_set(KilnIrqOutput *output, gboolean level)
{
    if (output->level == level)
        return;
    output->level = level;
    kiln_irq_set(&output->line, level);
}

/**
 * KilnIrqOr:
 *
 * A line that several sources share: asserted while any of them asserts it.  Embedded; must not
 * move once a source was handed out.
 */
typedef struct {
    KilnMutex lock; /* leaf, but for what @out takes: keeps levels in order */
    KilnIrq out;
    uint64_t asserted;  /* (lock): one bit a source */
    unsigned n_sources; /* (lock) */
} KilnIrqOr;

enum { KILN_IRQ_OR_MAX = 64 };

/* @out is the shared line's other end. */
void kiln_irq_or_init(KilnIrqOr *shared, KilnIrq out);
void kiln_irq_or_clear(KilnIrqOr *shared);

/**
 * kiln_irq_or_source:
 *
 * Returns: a new source of the line; at most KILN_IRQ_OR_MAX, which is for the caller to know.
 */
KilnIrq kiln_irq_or_source(KilnIrqOr *shared);

#endif
