/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the tables in an order that leaves a safe image at any instant:
 *
 *   data, refcount blocks -> flush -> refcount table -> flush -> L2 tables -> flush -> L1 -> flush
 *
 * Nothing in the file refers to what is not there or not counted yet.  What is referred to no more
 * is uncounted afterwards: qcow2-free.c.
 */
#include "block/qcow2-private.h"

static gboolean
range_dirty(const Qcow2DirtyRange *range)
{
    return range->first != range->end;
}

gboolean
qcow2_tables_dirty(const Qcow2 *q)
{
    return q->l2_cache.n_dirty > 0 || q->ref_cache.n_dirty > 0 || range_dirty(&q->l1_dirty) ||
           range_dirty(&q->reftable_dirty);
}

int
qcow2_flush_tables(Qcow2 *q)
{
    int result = qcow2_cache_write(q, &q->ref_cache);

    if (result == 0)
        result = qcow2_child_flush(q);
    if (result == 0 && range_dirty(&q->reftable_dirty)) {
        result = qcow2_reftable_write(q);
        if (result == 0)
            result = qcow2_child_flush(q);
    }
    if (result == 0 && q->l2_cache.n_dirty > 0) {
        result = qcow2_cache_write(q, &q->l2_cache);
        if (result == 0)
            result = qcow2_child_flush(q);
    }
    if (result == 0 && range_dirty(&q->l1_dirty)) {
        result = qcow2_l1_write(q);
        if (result == 0)
            result = qcow2_child_flush(q);
    }
    if (result == 0)
        q->n_flushes++;
    return result;
}
