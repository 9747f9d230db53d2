/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking clusters of the file.  Refcount blocks come when they are needed: each takes the first
 * free cluster at hand, which may be one that it counts itself.
 */
#include "block/qcow2-private.h"

#include "base/log.h"

#include <errno.h>

static KilnRatelimit corrupt_limit;

int
qcow2_found_corrupt(Qcow2 *q, const char *what)
{
    if (!q->corrupt)
        kiln_log_guest(&corrupt_limit, "disk image '%s' is corrupt: %s", q->path, what);
    q->corrupt = TRUE;
    q->broken = TRUE;
    return -EIO;
}

static gboolean
inside(const Qcow2 *q, uint64_t cluster, uint64_t offset, uint64_t length)
{
    uint64_t at = cluster << q->cluster_bits;

    return at >= offset && at < offset + length;
}

gboolean
qcow2_is_table(const Qcow2 *q, uint64_t host_cluster)
{
    return host_cluster == 0 || inside(q, host_cluster, q->l1_offset, (uint64_t)q->n_l1 * 8) ||
           inside(q, host_cluster, q->reftable_offset,
                  (uint64_t)q->reftable_clusters << q->cluster_bits) ||
           g_hash_table_contains(q->tables, GSIZE_TO_POINTER(host_cluster));
}

static int reftable_grow(Qcow2 *q, uint64_t table);

/* Makes a refcount block number @table of the free cluster @at. */
static int
refblock_new(Qcow2 *q, uint64_t table, uint64_t at)
{
    uint64_t offset = at << q->cluster_bits;
    gboolean clean = q->reftable_dirty.first == q->reftable_dirty.end;
    int result;

    if (qcow2_is_table(q, at))
        return qcow2_found_corrupt(q, "a cluster of a table is not counted");
    result = qcow2_pwrite_zeroes(q, offset, q->cluster_size);
    if (result < 0)
        return result;
    q->reftable[table] = offset;
    q->reftable_dirty.first = clean ? table : MIN(q->reftable_dirty.first, table);
    q->reftable_dirty.end = clean ? table + 1 : MAX(q->reftable_dirty.end, table + 1);
    g_hash_table_add(q->tables, GSIZE_TO_POINTER(at));
    result = qcow2_refcount_set(q, at, 1);
    if (result < 0) {
        q->reftable[table] = 0;
        g_hash_table_remove(q->tables, GSIZE_TO_POINTER(at));
    }
    return result;
}

/* Room in the refcount table for block number @table. */
static int
need_table(Qcow2 *q, uint64_t table)
{
    return table < q->n_reftable ? 0 : reftable_grow(q, table);
}

/* The first free clusters in a row from @from on, at most @max; none cost more than the table. */
static int
find_free(Qcow2 *q, uint64_t from, uint64_t max, uint64_t *first, uint64_t *count)
{
    uint64_t most = (QCOW2_OFFSET_MASK >> q->cluster_bits) - max;

    *count = 0;
    for (uint64_t at = from; *count < max; at++) {
        uint64_t table = at >> q->refblock_bits;
        uint64_t next;
        int result;

        if (at >= most)
            return -EFBIG;
        if (table >= q->n_reftable || q->reftable[table] == 0) {
            if (*count > 0)
                return 0;
            result = need_table(q, table);
            /* A table that grew may have made this block. */
            if (result == 0 && q->reftable[table] == 0)
                result = refblock_new(q, table, at);
            else if (result == 0)
                at--;
            if (result < 0)
                return result;
            continue;
        }
        result = qcow2_refcount_next_free(q, at, &next);
        if (result < 0)
            return result;
        if (next == at && (*count)++ == 0)
            *first = at;
        else if (next != at && *count > 0)
            return 0;
        else if (next != at)
            at = next - 1; /* it is looked at again: the block may end there */
    }
    return 0;
}

/* Marks free clusters as used. */
static int
take(Qcow2 *q, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        int result = 0;

        if (qcow2_is_table(q, first + i))
            result = qcow2_found_corrupt(q, "a cluster of a table is not counted");
        if (result == 0)
            result = qcow2_refcount_set(q, first + i, 1);
        if (result < 0) {
            qcow2_alloc_undo(q, first << q->cluster_bits, i);
            return result;
        }
    }
    return 0;
}

int
qcow2_alloc(Qcow2 *q, uint64_t want, uint64_t *offset, uint64_t *got, gboolean *fresh)
{
    uint64_t first = 0;
    int result;

    if (q->broken)
        return -EIO;
    result = find_free(q, q->free_hint, want, &first, got);
    if (result == 0)
        result = take(q, first, *got);
    if (result < 0)
        return result;
    q->free_hint = first + *got;
    *offset = first << q->cluster_bits;
    if (fresh != NULL)
        *fresh = *offset >= q->file_end;
    q->file_end = MAX(q->file_end, (first + *got) << q->cluster_bits);
    return 0;
}

/* The first block that is missing for these clusters, or UINT64_MAX. */
static uint64_t
missing_block(const Qcow2 *q, uint64_t first, uint64_t count)
{
    for (uint64_t i = first >> q->refblock_bits; i <= (first + count - 1) >> q->refblock_bits; i++)
        if (i >= q->n_reftable || q->reftable[i] == 0)
            return i;
    return UINT64_MAX;
}

/* Blocks for @count clusters at @first or a little after it, where @first is moved to. */
static int
make_blocks(Qcow2 *q, uint64_t *first, uint64_t count)
{
    uint64_t missing;
    int result = 0;

    while (result == 0 && (missing = missing_block(q, *first, count)) != UINT64_MAX) {
        uint64_t own = *first >> q->refblock_bits;
        uint64_t which = own >= q->n_reftable || q->reftable[own] == 0 ? own : missing;

        if (which >= q->n_reftable)
            return -EFBIG;
        result = refblock_new(q, which, (*first)++);
    }
    return result;
}

/* As many clusters as the row needs that are free, from @first on. */
static int
row_is_free(Qcow2 *q, uint64_t first, uint64_t count, uint64_t *used)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value;
        int result = qcow2_refcount_get(q, first + i, &value);

        if (result < 0)
            return result;
        if (value != 0) {
            *used = first + i;
            return 0;
        }
    }
    *used = UINT64_MAX;
    return 0;
}

/* As qcow2_alloc_row(), while the refcount table is as long as it is. */
static int
alloc_row_there(Qcow2 *q, uint64_t count, uint64_t *offset)
{
    uint64_t first = (q->file_end + q->cluster_size - 1) >> q->cluster_bits;
    uint64_t used = UINT64_MAX;
    int result;

    do {
        result = row_is_free(q, first, count + (count >> q->refblock_bits) + 3, &used);
        if (result == 0 && used != UINT64_MAX)
            first = used + 1;
    } while (result == 0 && used != UINT64_MAX);
    if (result == 0)
        result = make_blocks(q, &first, count);
    if (result == 0)
        result = take(q, first, count);
    if (result < 0)
        return result;
    *offset = first << q->cluster_bits;
    q->file_end = MAX(q->file_end, (first + count) << q->cluster_bits);
    return 0;
}

int
qcow2_alloc_row(Qcow2 *q, uint64_t count, uint64_t *offset)
{
    uint64_t first = (q->file_end + q->cluster_size - 1) >> q->cluster_bits;
    uint64_t blocks = (count >> q->refblock_bits) + 3; /* that the row may need before it */
    int result = need_table(q, (first + count + blocks) >> q->refblock_bits);

    return result < 0 ? result : alloc_row_there(q, count, offset);
}

void
qcow2_alloc_undo(Qcow2 *q, uint64_t offset, uint64_t count)
{
    uint64_t first = offset >> q->cluster_bits;

    for (uint64_t i = 0; i < count; i++)
        if (qcow2_refcount_set(q, first + i, 0) < 0)
            return; /* they leak */
    q->free_hint = MIN(q->free_hint, first);
}

int
qcow2_refblock_need(Qcow2 *q, uint64_t cluster)
{
    uint64_t table = cluster >> q->refblock_bits;
    uint64_t offset;
    int result = need_table(q, table);

    if (result < 0 || q->reftable[table] != 0)
        return result;
    result = qcow2_alloc_row(q, 1, &offset);
    if (result == 0 && q->reftable[table] == 0)
        result = refblock_new(q, table, offset >> q->cluster_bits);
    else if (result == 0)
        qcow2_alloc_undo(q, offset, 1);
    return result;
}

/* The new table is in the file; now the header says so. */
static int
reftable_switch(Qcow2 *q, uint64_t offset, uint32_t clusters)
{
    uint64_t old = q->reftable_offset >> q->cluster_bits;
    uint32_t n_old = q->reftable_clusters;
    uint8_t bytes[12];
    int result;

    q->reftable_offset = offset;
    q->reftable_clusters = clusters;
    q->reftable_dirty = (Qcow2DirtyRange){ .end = q->n_reftable };
    result = qcow2_cache_write(q, &q->ref_cache);
    if (result == 0)
        result = qcow2_reftable_write(q);
    if (result == 0)
        result = qcow2_child_flush(q);
    kiln_be64_store(bytes, offset);
    kiln_be32_store(bytes + 8, clusters);
    if (result == 0)
        result = qcow2_header_write(q, QCOW2_AT_REFTABLE_OFFSET, bytes, sizeof bytes);
    if (result == 0)
        result = qcow2_child_flush(q);
    if (result < 0) {
        q->broken = TRUE; /* which one counts is not known */
        return result;
    }
    qcow2_alloc_undo(q, old << q->cluster_bits, n_old);
    return 0;
}

/* A longer refcount table, elsewhere. */
static int
reftable_grow(Qcow2 *q, uint64_t table)
{
    uint64_t per_cluster = q->cluster_size / 8;
    uint64_t want = MAX(table + 8, q->n_reftable + q->n_reftable / 2) + 8;
    uint64_t clusters = (want + (want >> q->refblock_bits) + per_cluster - 1) / per_cluster;
    uint64_t old_n = q->n_reftable;
    uint64_t offset;
    int result;

    if (clusters > (uint64_t)QCOW2_MAX_REFTABLE_BYTES >> q->cluster_bits)
        return -EFBIG;
    q->n_reftable = clusters * per_cluster;
    q->reftable = g_renew(uint64_t, q->reftable, q->n_reftable);
    memset(q->reftable + old_n, 0, (q->n_reftable - old_n) * sizeof *q->reftable);
    result = alloc_row_there(q, clusters, &offset);
    if (result < 0) {
        for (uint64_t i = old_n; i < q->n_reftable; i++)
            g_hash_table_remove(q->tables, GSIZE_TO_POINTER(q->reftable[i] >> q->cluster_bits));
        q->n_reftable = old_n;
        return result;
    }
    return reftable_switch(q, offset, (uint32_t)clusters);
}
