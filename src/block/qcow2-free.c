/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving clusters back.  A cluster that the tables in memory do not refer to any more may still be
 * referred to by those in the file, and a request that is under way may still read or write it.  So
 * it is free only when
 *   - the tables were written and flushed since, and
 *   - every request that was there at that time is done: requests belong to an epoch; a new one
 *     begins only when all requests of the one before the last are done.
 * Until then it counts as used, also while the host punches it out of the file: after a crash it
 * has leaked, at worst.
 */
#include "block/qcow2-private.h"

#include <errno.h>

enum {
    SOON_MS = 500,
    MANY_FREED = 4096, /* rows of clusters: not soon, but now */
};

uint64_t
qcow2_epoch_enter(Qcow2 *q)
{
    q->n_epoch[q->epoch & 1]++;
    return q->epoch;
}

void
qcow2_epoch_leave(Qcow2 *q, uint64_t epoch)
{
    q->n_epoch[epoch & 1]--;
}

static void
epoch_advance(Qcow2 *q)
{
    if (q->n_epoch[(q->epoch + 1) & 1] == 0)
        q->epoch++;
}

void
qcow2_free_later(Qcow2 *q, uint64_t first, uint64_t count)
{
    Qcow2Freed freed = {
        .first = first, .count = count, .epoch = q->epoch, .n_flushes = q->n_flushes
    };
    Qcow2Freed *last =
        q->freed->len > 0 ? &g_array_index(q->freed, Qcow2Freed, q->freed->len - 1) : NULL;

    if (last != NULL && last->first + last->count == first && last->epoch == q->epoch &&
        last->n_flushes == q->n_flushes)
        last->count += count;
    else
        g_array_append_val(q->freed, freed);
}

void
qcow2_free_entry(Qcow2 *q, const uint64_t entry[2])
{
    uint64_t offset = entry[0] & QCOW2_OFFSET_MASK;
    uint64_t length = q->cluster_size;

    if (q->data_file != NULL)
        return;
    if ((entry[0] & QCOW2_COMPRESSED) != 0)
        qcow2_compressed_range(q, entry[0], &offset, &length);
    if (offset == 0)
        return;
    qcow2_free_later(q, offset >> q->cluster_bits,
                     ((offset + length - 1) >> q->cluster_bits) - (offset >> q->cluster_bits) + 1);
}

/* Takes those out of the list that nothing refers to; (nullable). */
static GArray *
take_ripe(Qcow2 *q)
{
    GArray *ripe = g_array_new(FALSE, FALSE, sizeof(Qcow2Freed));
    guint kept = 0;

    for (guint i = 0; i < q->freed->len; i++) {
        Qcow2Freed freed = g_array_index(q->freed, Qcow2Freed, i);

        if (q->n_flushes > freed.n_flushes && q->epoch >= freed.epoch + 2)
            g_array_append_val(ripe, freed);
        else
            g_array_index(q->freed, Qcow2Freed, kept++) = freed;
    }
    g_array_set_size(q->freed, kept);
    return ripe;
}

static void
add_row(GArray *rows, uint64_t cluster)
{
    Qcow2Freed row = { .first = cluster, .count = 1 };
    Qcow2Freed *last = rows->len > 0 ? &g_array_index(rows, Qcow2Freed, rows->len - 1) : NULL;

    if (last != NULL && last->first + last->count == cluster)
        last->count++;
    else
        g_array_append_val(rows, row);
}

/* One use less of each; those that have only one go to @last, and are still counted. */
static int
drop_uses(Qcow2 *q, const Qcow2Freed *freed, GArray *last)
{
    for (uint64_t i = 0; i < freed->count; i++) {
        uint64_t value;
        int result = qcow2_refcount_get(q, freed->first + i, &value);

        if (result < 0)
            return result;
        if (value == 0 || qcow2_is_table(q, freed->first + i))
            return qcow2_found_corrupt(q,
                                       "a cluster that was used is counted as free, or is a table");
        if (value == 1)
            add_row(last, freed->first + i);
        else
            result = qcow2_refcount_set(q, freed->first + i, value - 1);
        if (result < 0)
            return result;
    }
    return 0;
}

static void
punch(Qcow2 *q, const GArray *rows)
{
    Qcow2Group group = { 0 };

    if (q->keep_space || q->block.child->discard_granularity == 0)
        return;
    for (guint i = 0; i < rows->len; i++) {
        Qcow2Freed row = g_array_index(rows, Qcow2Freed, i);

        qcow2_io_start(q, &group, q->block.child, KILN_BLOCK_DISCARD, 0,
                       row.first << q->cluster_bits, row.count << q->cluster_bits, NULL, 0, 0);
    }
    qcow2_group_wait(q, &group); /* a host that cannot is no fault */
}

static void
set_free(Qcow2 *q, const GArray *rows)
{
    for (guint i = 0; i < rows->len; i++) {
        Qcow2Freed row = g_array_index(rows, Qcow2Freed, i);

        for (uint64_t j = 0; j < row.count; j++) {
            uint64_t offset = (row.first + j) << q->cluster_bits;

            if (qcow2_refcount_set(q, row.first + j, 0) < 0)
                return;
            qcow2_cache_drop(&q->l2_cache, offset, q->cluster_size);
        }
        q->free_hint = MIN(q->free_hint, row.first);
    }
}

void
qcow2_reclaim(Qcow2 *q)
{
    g_autoptr(GArray) ripe = NULL;
    g_autoptr(GArray) last = g_array_new(FALSE, FALSE, sizeof(Qcow2Freed));
    int result = 0;

    epoch_advance(q);
    epoch_advance(q);
    qcow2_lock(&q->tasks, &q->lock);
    ripe = take_ripe(q);
    for (guint i = 0; i < ripe->len && result == 0 && !q->broken; i++)
        result = drop_uses(q, &g_array_index(ripe, Qcow2Freed, i), last);
    qcow2_unlock(&q->tasks, &q->lock);
    /* A cluster that is freed twice is a lie of the refcounts: rows that overlap are found when the
     * second one has no use left. */
    punch(q, last);
    qcow2_lock(&q->tasks, &q->lock);
    if (!q->broken)
        set_free(q, last);
    qcow2_unlock(&q->tasks, &q->lock);
}

static gboolean
any_unflushed(const Qcow2 *q)
{
    for (guint i = 0; i < q->freed->len; i++)
        if (g_array_index(q->freed, Qcow2Freed, i).n_flushes >= q->n_flushes)
            return TRUE;
    return FALSE;
}

static void
reclaim_task(gpointer data)
{
    Qcow2 *q = data;

    qcow2_lock(&q->tasks, &q->lock);
    if (any_unflushed(q))
        qcow2_flush_tables(q);
    qcow2_unlock(&q->tasks, &q->lock);
    qcow2_reclaim(q);
    q->reclaiming = FALSE;
    if (q->freed->len > 0 && !q->broken)
        qcow2_reclaim_soon(q);
}

void
qcow2_reclaim_now(Qcow2 *q)
{
    if (q->reclaiming || q->freed->len == 0 || q->broken)
        return;
    q->reclaiming = TRUE;
    qcow2_task_start(&q->tasks, reclaim_task, q);
}

static gboolean
soon(gpointer data)
{
    Qcow2 *q = data;

    g_clear_pointer(&q->reclaim_timer, g_source_unref);
    qcow2_reclaim_now(q);
    return G_SOURCE_REMOVE;
}

void
qcow2_reclaim_soon(Qcow2 *q)
{
    if (q->freed->len >= MANY_FREED)
        qcow2_reclaim_now(q);
    if (q->reclaiming || q->reclaim_timer != NULL || q->freed->len == 0)
        return;
    q->reclaim_timer = g_timeout_source_new(SOON_MS);
    g_source_set_callback(q->reclaim_timer, soon, q, NULL);
    g_source_attach(q->reclaim_timer, q->block.child->context);
}
