/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often each cluster of the file is used (qcow2.txt, "Host cluster management"). */
#include "block/qcow2-private.h"

#include "base/intmath.h"

#include <errno.h>

/* The refcount table in memory; what is a hole in the file costs no memory. */
int
qcow2_reftable_load(Qcow2 *q)
{
    uint64_t bytes = (uint64_t)q->reftable_clusters << q->cluster_bits;
    size_t step = MIN(bytes, (uint64_t)QCOW2_MAX_REFTABLE_BYTES);
    g_autofree uint8_t *raw = NULL;
    int result;

    if (q->reftable != NULL)
        return 0;
    if (!kiln_range_inside(q->reftable_offset, bytes, q->file_end))
        return qcow2_found_corrupt(q, "its refcount table is past its end");
    raw = g_malloc(step);
    result = qcow2_pread(q, q->reftable_offset, raw, step);
    if (result < 0)
        return result;
    q->n_reftable = bytes / 8;
    q->reftable = g_new0(uint64_t, q->n_reftable);
    for (uint64_t i = 0; i < q->n_reftable; i++) {
        uint64_t entry = kiln_be64_load(raw + i * 8);

        if (entry != 0)
            q->reftable[i] = entry;
    }
    return 0;
}

/* The table at @entry is known as one, and is nobody else's. */
static int
add_table(Qcow2 *q, uint64_t entry, uint64_t reserved, const char *what)
{
    uint64_t offset = entry & ~reserved & ~QCOW2_COPIED;
    uint64_t cluster = offset >> q->cluster_bits;

    if (entry == 0)
        return 0;
    if ((entry & reserved) != 0 || offset % q->cluster_size != 0 || offset >= q->file_end ||
        qcow2_is_table(q, cluster))
        return qcow2_found_corrupt(q, what);
    g_hash_table_add(q->tables, GSIZE_TO_POINTER(cluster));
    return 0;
}

static int
add_tables(Qcow2 *q)
{
    int result = 0;

    q->tables = g_hash_table_new(NULL, NULL);
    for (uint64_t i = 0; i < q->n_reftable && result == 0; i++)
        result = add_table(q, q->reftable[i], QCOW2_REFTABLE_RESERVED,
                           "a refcount block is past its end, or on another table");
    for (uint64_t i = 0; i < q->n_l1 && result == 0; i++)
        result = add_table(q, q->l1[i], QCOW2_L1_RESERVED,
                           "an L2 table is past its end, or on another table");
    if (result < 0)
        g_clear_pointer(&q->tables, g_hash_table_unref);
    return result;
}

/* Features that are only right while nobody writes who does not know them: none is known here. */
static int
clear_autoclear(Qcow2 *q)
{
    uint8_t bytes[8];
    int result;

    if ((q->autoclear & ~QCOW2_AUTOCLEAR_RAW_DATA) == 0)
        return 0;
    kiln_be64_store(bytes, q->autoclear & QCOW2_AUTOCLEAR_RAW_DATA);
    result = qcow2_header_write(q, QCOW2_AT_AUTOCLEAR, bytes, sizeof bytes);
    if (result == 0)
        result = qcow2_child_flush(q);
    if (result == 0)
        q->autoclear &= QCOW2_AUTOCLEAR_RAW_DATA;
    return result;
}

int
qcow2_begin_writing(Qcow2 *q)
{
    int result;

    if (q->broken)
        return -EIO;
    if (q->writing)
        return 0;
    result = qcow2_reftable_load(q);
    if (result == 0 && q->tables == NULL)
        result = add_tables(q);
    if (result == 0)
        result = clear_autoclear(q);
    if (result == 0)
        q->writing = TRUE;
    return result;
}

static uint64_t
value_at(const uint8_t *data, unsigned index, unsigned order)
{
    unsigned bits = 1u << order;

    switch (order) {
    case 3: return data[index];
    case 4: return kiln_be16_load(data + 2 * (size_t)index);
    case 5: return kiln_be32_load(data + 4 * (size_t)index);
    case 6: return kiln_be64_load(data + 8 * (size_t)index);
    default: return data[index * bits / 8] >> (index * bits % 8) & ((1u << bits) - 1);
    }
}

static void
set_value_at(uint8_t *data, unsigned index, unsigned order, uint64_t value)
{
    unsigned bits = 1u << order;
    unsigned shift = index * bits % 8;
    uint8_t *byte = data + index * bits / 8;

    switch (order) {
    case 3: *byte = (uint8_t)value; break;
    case 4: kiln_be16_store(byte, (uint16_t)value); break;
    case 5: kiln_be32_store(byte, (uint32_t)value); break;
    case 6: kiln_be64_store(byte, value); break;
    default: *byte = (uint8_t)((*byte & ~(((1u << bits) - 1) << shift)) | (unsigned)value << shift);
    }
}

uint64_t
qcow2_refcount_max(const Qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : (1ull << (1u << q->refcount_order)) - 1;
}

/* The slice and the place in it; 0, -ENOENT if there is no block, or -errno. */
static int
slice_of(Qcow2 *q, uint64_t cluster, Qcow2Slice **slice, unsigned *index)
{
    uint64_t table = cluster >> q->refblock_bits;
    uint64_t in_block = cluster & ((1ull << q->refblock_bits) - 1);
    uint64_t byte = (in_block << q->refcount_order) / 8;
    uint64_t slice_size = q->ref_cache.slice_size;
    uint64_t per_slice = (slice_size * 8) >> q->refcount_order;
    uint64_t entry;

    if (table >= q->n_reftable || q->reftable[table] == 0)
        return -ENOENT;
    entry = q->reftable[table];
    if (entry % q->cluster_size != 0 || entry >= q->file_end)
        return qcow2_found_corrupt(q, "a refcount block is past its end");
    *index = (unsigned)(in_block % per_slice);
    return qcow2_cache_get(q, &q->ref_cache, entry + (byte & ~(slice_size - 1)), slice);
}

int
qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *value)
{
    Qcow2Slice *slice = NULL;
    unsigned index = 0;
    int result = slice_of(q, cluster, &slice, &index);

    *value = 0;
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        *value = value_at(slice->data, index, q->refcount_order);
    return result;
}

int
qcow2_refcount_next_free(Qcow2 *q, uint64_t cluster, uint64_t *next)
{
    uint64_t per_slice = ((uint64_t)q->ref_cache.slice_size * 8) >> q->refcount_order;
    Qcow2Slice *slice = NULL;
    unsigned index = 0;
    int result = slice_of(q, cluster, &slice, &index);

    *next = cluster;
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    while (index < per_slice && value_at(slice->data, index, q->refcount_order) != 0) {
        index++;
        ++*next;
    }
    return 0;
}

int
qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t value)
{
    Qcow2Slice *slice = NULL;
    unsigned index = 0;
    int result = slice_of(q, cluster, &slice, &index);

    if (result < 0)
        return result == -ENOENT ? -EIO : result;
    set_value_at(slice->data, index, q->refcount_order, value);
    qcow2_cache_dirty(&q->ref_cache, slice);
    return 0;
}

int
qcow2_reftable_write(Qcow2 *q)
{
    uint64_t unit = MAX(512, q->block.child->block_size) / 8;
    uint64_t first = q->reftable_dirty.first & ~(unit - 1);
    uint64_t end = (q->reftable_dirty.end + unit - 1) & ~(unit - 1);
    g_autofree uint8_t *bytes = g_malloc0((end - first) * 8);
    int result;

    for (uint64_t i = first; i < MIN(end, q->n_reftable); i++)
        kiln_be64_store(bytes + (i - first) * 8, q->reftable[i]);
    result = qcow2_pwrite(q, q->reftable_offset + first * 8, bytes, (end - first) * 8);
    if (result == 0)
        q->reftable_dirty = (Qcow2DirtyRange){ 0 };
    return result;
}
