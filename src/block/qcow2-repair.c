/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lazy refcounts: who wrote the image last let its refcounts lag behind, and did not close it.  All
 * that the tables refer to is counted anew, then the refcounts are made so, as
 * `qemu-img check -r all` does.  Work and memory are bounded by what is really in the file, and by
 * limits above which that program is the better place.
 */
#include "block/qcow2-private.h"

#include "base/error.h"
#include "base/intmath.h"

#include <errno.h>

enum {
    CHUNK = 256,          /* counts */
    MAX_CHUNKS = 1 << 18, /* 4 TiB of clusters of 64 KiB */
};

/* Holes of a sparse file cost its maker nothing, and us the time to read them. */
static const uint64_t MAX_L2_BYTES = 16ull << 30; /* 128 TiB in clusters of 64 KiB */
static const uint64_t MAX_REFCOUNTS = 1ull << 28; /* 16 TiB */

typedef struct {
    Qcow2 *q;
    GHashTable *chunks; /* (owned): by number of the first cluster / CHUNK, uint16_t[CHUNK] */
    uint64_t l2_bytes;  /* read so far */
    uint8_t *table;     /* (owned): one cluster */
} Repair;

static uint16_t *
count_of(Repair *repair, uint64_t cluster, gboolean make)
{
    gpointer key = GSIZE_TO_POINTER(cluster / CHUNK);
    uint16_t *chunk = g_hash_table_lookup(repair->chunks, key);

    if (chunk == NULL && make && g_hash_table_size(repair->chunks) < MAX_CHUNKS) {
        chunk = g_new0(uint16_t, CHUNK);
        g_hash_table_insert(repair->chunks, key, chunk);
    }
    return chunk != NULL ? &chunk[cluster % CHUNK] : NULL;
}

static gboolean
count(Repair *repair, uint64_t offset, uint64_t length, GError **error)
{
    Qcow2 *q = repair->q;
    uint64_t most = MIN(qcow2_refcount_max(q), (uint64_t)UINT16_MAX);

    if (length == 0)
        return TRUE;
    if (!kiln_range_inside(offset, 1, q->file_end) || length > INT64_MAX)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a table refers to what is past its end");
    for (uint64_t i = offset >> q->cluster_bits; i <= (offset + length - 1) >> q->cluster_bits;
         i++) {
        uint16_t *value = count_of(repair, i, TRUE);

        if (value == NULL)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "it is too large to be repaired here");
        if (*value == most)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a cluster is used too often");
        ++*value;
    }
    return TRUE;
}

static gboolean
count_entry(Repair *repair, uint64_t entry, GError **error)
{
    Qcow2 *q = repair->q;
    uint64_t offset = entry & QCOW2_OFFSET_MASK;
    uint64_t length = q->cluster_size;

    if (q->data_file != NULL)
        return TRUE; /* not counted */
    if ((entry & QCOW2_COMPRESSED) != 0)
        qcow2_compressed_range(q, entry, &offset, &length);
    else if (offset % q->cluster_size != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "an entry of an L2 table is nonsense");
    return offset == 0 || count(repair, offset, length, error);
}

static gboolean
count_l2(Repair *repair, uint64_t l1_entry, GError **error)
{
    Qcow2 *q = repair->q;
    uint64_t offset = l1_entry & QCOW2_OFFSET_MASK;

    if (offset == 0)
        return TRUE;
    if (offset % q->cluster_size != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "an entry of an L1 table is nonsense");
    repair->l2_bytes += q->cluster_size;
    if (repair->l2_bytes > MAX_L2_BYTES)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "it is too large to be repaired here");
    if (!count(repair, offset, q->cluster_size, error))
        return FALSE;
    if (qcow2_pread(q, offset, repair->table, q->cluster_size) < 0)
        return kiln_error_set(error, KILN_ERROR_FAILED, "cannot read an L2 table");
    for (uint64_t at = 0; at < q->cluster_size; at += 1ull << q->l2_entry_bits)
        if (!count_entry(repair, kiln_be64_load(repair->table + at), error))
            return FALSE;
    return TRUE;
}

static gboolean
count_snapshot(Repair *repair, const Qcow2Snapshot *snapshot, GError **error)
{
    Qcow2 *q = repair->q;
    size_t length = (size_t)snapshot->n_l1 * 8;
    g_autofree uint8_t *l1 = g_malloc0(length + 1);

    if (length == 0)
        return TRUE;
    if (qcow2_read_bytes(q, snapshot->l1_offset, l1, length) < 0)
        return kiln_error_set(error, KILN_ERROR_FAILED, "cannot read a snapshot's L1 table");
    if (!count(repair, snapshot->l1_offset, length, error))
        return FALSE;
    for (size_t at = 0; at < length; at += 8)
        if (!count_l2(repair, kiln_be64_load(l1 + at), error))
            return FALSE;
    return TRUE;
}

static gboolean
count_snapshots(Repair *repair, GError **error)
{
    Qcow2 *q = repair->q;
    uint64_t at = q->snapshots_offset;

    for (uint32_t i = 0; i < q->n_snapshots; i++) {
        g_auto(Qcow2Snapshot) snapshot = { 0 };

        if (!qcow2_snapshot_next(q, &at, &snapshot, error) ||
            !count_snapshot(repair, &snapshot, error))
            return FALSE;
    }
    return count(repair, q->snapshots_offset, at - q->snapshots_offset, error);
}

static gboolean
count_all(Repair *repair, GError **error)
{
    Qcow2 *q = repair->q;

    if (!count(repair, 0, 1, error) || !count(repair, q->l1_offset, (uint64_t)q->n_l1 * 8, error) ||
        !count(repair, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits,
               error))
        return FALSE;
    for (uint64_t i = 0; i < q->n_reftable; i++)
        if (q->reftable[i] != 0 && !count(repair, q->reftable[i], q->cluster_size, error))
            return FALSE;
    for (uint32_t i = 0; i < q->n_l1; i++)
        if (!count_l2(repair, q->l1[i], error))
            return FALSE;
    return count_snapshots(repair, error);
}

/* (lock) */
static int
correct(Repair *repair, uint64_t cluster)
{
    const uint16_t *right = count_of(repair, cluster, FALSE);
    uint64_t want = right != NULL ? *right : 0;
    uint64_t is;
    int result = qcow2_refcount_get(repair->q, cluster, &is);

    if (result == 0 && is != want)
        result = qcow2_refcount_set(repair->q, cluster, want);
    if (result == 0 && repair->q->ref_cache.n_dirty > repair->q->ref_cache.max / 2)
        result = qcow2_cache_write(repair->q, &repair->q->ref_cache);
    return result;
}

static int
correct_block(Repair *repair, uint64_t table)
{
    uint64_t n = 1ull << repair->q->refblock_bits;
    int result = 0;

    for (uint64_t i = 0; i < n && result == 0; i++)
        result = correct(repair, table * n + i);
    return result;
}

/* Clusters that no block counts yet. */
static int
correct_uncounted(Repair *repair)
{
    Qcow2 *q = repair->q;
    g_autoptr(GList) keys = g_hash_table_get_keys(repair->chunks);
    int result = 0;

    for (GList *key = keys; key != NULL && result == 0; key = key->next) {
        uint64_t first = GPOINTER_TO_SIZE(key->data) * CHUNK;

        for (uint64_t i = first; i < first + CHUNK && result == 0; i++) {
            if (*count_of(repair, i, FALSE) == 0)
                continue;
            result = qcow2_refblock_need(q, i);
            if (result == 0)
                result = correct(repair, i);
        }
    }
    return result;
}

static int
correct_all(Repair *repair)
{
    Qcow2 *q = repair->q;
    uint64_t counts = 0;
    uint64_t n = q->n_reftable;
    int result = 0;

    for (uint64_t i = 0; i < n && result == 0; i++) {
        if (q->reftable[i] == 0)
            continue;
        counts += 1ull << q->refblock_bits;
        result = counts > MAX_REFCOUNTS ? -EFBIG : correct_block(repair, i);
    }
    return result < 0 ? result : correct_uncounted(repair);
}

static int
clear_dirty_bit(Qcow2 *q)
{
    uint8_t bytes[8];
    int result = qcow2_flush_tables(q);

    kiln_be64_store(bytes, q->incompatible & ~QCOW2_INCOMPATIBLE_DIRTY);
    if (result == 0)
        result = qcow2_header_write(q, QCOW2_AT_INCOMPATIBLE, bytes, sizeof bytes);
    if (result == 0)
        result = qcow2_child_flush(q);
    if (result == 0)
        q->incompatible &= ~QCOW2_INCOMPATIBLE_DIRTY;
    return result;
}

gboolean
qcow2_repair(Qcow2 *q, GError **error)
{
    g_autoptr(GHashTable) chunks = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autofree uint8_t *table = g_malloc(q->cluster_size);
    Repair repair = { .q = q, .chunks = chunks, .table = table };
    gboolean counted;
    int result;

    qcow2_lock(&q->tasks, &q->lock);
    result = qcow2_begin_writing(q);
    counted = result == 0 && count_all(&repair, error);
    if (counted)
        result = correct_all(&repair);
    if (counted && result == 0)
        result = clear_dirty_bit(q);
    qcow2_unlock(&q->tasks, &q->lock);
    if (result < 0)
        return kiln_error_set_errno(error, -result, "cannot repair its refcounts");
    return counted;
}
