/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a guest's bytes are: L1 and L2 tables (qcow2.txt, "Cluster mapping"). */
#include "block/qcow2-private.h"

#include <errno.h>

static uint64_t
l1_index(const Qcow2 *q, uint64_t cluster)
{
    return cluster >> q->l2_bits;
}

/* Offset in the file of the slice that has the entry of @cluster, and the entry's place in it. */
static int
locate(Qcow2 *q, uint64_t cluster, uint64_t *slice_offset, unsigned *at)
{
    uint64_t l1_entry = q->l1[l1_index(q, cluster)];
    uint64_t table = l1_entry & QCOW2_OFFSET_MASK;
    uint64_t byte = (cluster & ((1ull << q->l2_bits) - 1)) << q->l2_entry_bits;

    if ((l1_entry & QCOW2_L1_RESERVED) != 0 || table % q->cluster_size != 0)
        return qcow2_found_corrupt(q, "an entry of its L1 table is nonsense");
    if (table == 0)
        return -ENOENT;
    if (table >= q->file_end)
        return qcow2_found_corrupt(q, "an L2 table is past its end");
    *slice_offset = table + (byte & ~((uint64_t)q->l2_cache.slice_size - 1));
    *at = (unsigned)(byte & (q->l2_cache.slice_size - 1));
    return 0;
}

gboolean
qcow2_l2_exists(const Qcow2 *q, uint64_t cluster)
{
    return (q->l1[l1_index(q, cluster)] & QCOW2_OFFSET_MASK) != 0;
}

/* What one unit (a subcluster if there are any, else a cluster) is; @host: of the cluster. */
typedef struct {
    Qcow2Kind kind;
    gboolean in_place;
    gboolean has_place; /* @host means something: in a data file, 0 can be one */
    uint64_t host;
} Unit;

static int
decode_extended(Qcow2 *q, uint64_t bitmap, unsigned sub, Unit *unit)
{
    gboolean allocated = (bitmap >> sub & 1) != 0;
    gboolean zero = (bitmap >> (sub + 32) & 1) != 0;

    if (allocated && (zero || !unit->has_place))
        return qcow2_found_corrupt(q, "a subcluster is two things at once");
    unit->kind = allocated ? QCOW2_DATA : zero ? QCOW2_ZEROES : QCOW2_UNALLOCATED;
    return 0;
}

static int
decode(Qcow2 *q, const uint8_t *from, unsigned sub, gboolean l1_copied, Unit *unit, uint64_t *raw)
{
    uint64_t entry = kiln_be64_load(from);
    gboolean zero = (entry & QCOW2_ZERO) != 0;

    *raw = entry;
    *unit = (Unit){ .kind = QCOW2_COMPRESSED_DATA };
    if ((entry & QCOW2_COMPRESSED) != 0)
        return 0;
    unit->host = entry & QCOW2_OFFSET_MASK;
    unit->has_place = unit->host != 0 || (q->data_file != NULL && (entry & QCOW2_COPIED) != 0);
    unit->in_place = l1_copied && (entry & QCOW2_COPIED) != 0;
    if ((entry & QCOW2_L2_RESERVED) != 0 || unit->host % q->cluster_size != 0 ||
        (zero && (q->version < 3 || q->extended)))
        return qcow2_found_corrupt(q, "an entry of an L2 table is nonsense");
    if (q->extended)
        return decode_extended(q, kiln_be64_load(from + 8), sub, unit);
    unit->kind = zero ? QCOW2_ZEROES : unit->has_place ? QCOW2_DATA : QCOW2_UNALLOCATED;
    return 0;
}

/* Whether data of the guest's cluster at @offset can be there: in a data file it has its own place.
 */
static int
check_data(Qcow2 *q, const Unit *unit, uint64_t offset)
{
    if (q->data_file != NULL &&
        (unit->kind == QCOW2_COMPRESSED_DATA || (unit->kind == QCOW2_DATA && unit->host != offset)))
        return qcow2_found_corrupt(q, "a cluster is not at its place in the data file");
    if (unit->kind == QCOW2_DATA && q->data_file == NULL && unit->host >= q->file_end)
        return qcow2_found_corrupt(q, "a data cluster is past its end");
    return 0;
}

/* From @offset on to the end of the slice, as far as it is all the same. */
static int
decode_run(Qcow2 *q, const Qcow2Slice *slice, unsigned at, uint64_t offset, uint64_t length,
           Qcow2Run *run)
{
    gboolean l1_copied = (q->l1[l1_index(q, offset >> q->cluster_bits)] & QCOW2_COPIED) != 0;
    uint64_t unit_size = 1ull << q->sub_bits;
    uint64_t in_unit = offset & (unit_size - 1);
    unsigned sub = (unsigned)((offset & (q->cluster_size - 1)) >> q->sub_bits);
    unsigned n_subs = 1u << (q->cluster_bits - q->sub_bits);

    *run = (Qcow2Run){ 0 };
    while (run->length < length && at < q->l2_cache.slice_size) {
        uint64_t raw = 0;
        Unit unit;
        uint64_t host;
        int result = decode(q, slice->data + at, sub, l1_copied, &unit, &raw);

        if (result < 0 ||
            (result = check_data(q, &unit, (offset + run->length) & ~(q->cluster_size - 1))) < 0)
            return run->length != 0 ? 0 : result;
        host = unit.host + ((uint64_t)sub << q->sub_bits);
        if (run->length == 0) {
            run->kind = unit.kind;
            run->in_place = unit.in_place;
            run->host = host + in_unit;
            run->entry = raw;
        } else if (unit.kind != run->kind || unit.kind == QCOW2_COMPRESSED_DATA ||
                   (unit.kind == QCOW2_DATA &&
                    (host != run->host + run->length || unit.in_place != run->in_place))) {
            break;
        }
        if (unit.kind == QCOW2_COMPRESSED_DATA) {
            run->length = q->cluster_size - (offset & (q->cluster_size - 1));
            break;
        }
        run->length += unit_size - in_unit;
        in_unit = 0;
        if (++sub == n_subs) {
            sub = 0;
            at += 1u << q->l2_entry_bits;
        }
    }
    run->length = MIN(run->length, length);
    return 0;
}

int
qcow2_map_peek(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *run)
{
    uint64_t cluster = offset >> q->cluster_bits;
    uint64_t slice_offset = 0;
    unsigned at = 0;
    Qcow2Slice *slice;
    int result = locate(q, cluster, &slice_offset, &at);

    if (result == -ENOENT) {
        uint64_t span = q->cluster_size << q->l2_bits;

        *run = (Qcow2Run){ .length = MIN(length, span - (offset & (span - 1))) };
        return 0;
    }
    if (result < 0)
        return result;
    slice = qcow2_cache_peek(&q->l2_cache, slice_offset);
    return slice != NULL ? decode_run(q, slice, at, offset, length, run) : -EAGAIN;
}

int
qcow2_map_load(Qcow2 *q, uint64_t offset)
{
    uint64_t slice_offset = 0;
    unsigned at = 0;
    Qcow2Slice *slice;
    int result = locate(q, offset >> q->cluster_bits, &slice_offset, &at);

    if (result < 0)
        return result == -ENOENT ? 0 : result;
    return qcow2_cache_get(q, &q->l2_cache, slice_offset, &slice);
}

int
qcow2_map(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *run)
{
    int result;

    while ((result = qcow2_map_peek(q, offset, length, run)) == -EAGAIN) {
        result = qcow2_map_load(q, offset);
        if (result < 0)
            return result;
    }
    return result;
}

int
qcow2_l2_get(Qcow2 *q, uint64_t cluster, uint64_t entry[2])
{
    uint64_t slice_offset = 0;
    unsigned at = 0;
    Qcow2Slice *slice;
    int result = locate(q, cluster, &slice_offset, &at);

    entry[0] = entry[1] = 0;
    if (result == -ENOENT)
        return 0;
    if (result < 0 || (result = qcow2_cache_get(q, &q->l2_cache, slice_offset, &slice)) < 0)
        return result;
    entry[0] = kiln_be64_load(slice->data + at);
    if (q->extended)
        entry[1] = kiln_be64_load(slice->data + at + 8);
    return 0;
}

int
qcow2_l2_set(Qcow2 *q, uint64_t cluster, const uint64_t entry[2])
{
    uint64_t slice_offset = 0;
    unsigned at = 0;
    Qcow2Slice *slice;
    int result = locate(q, cluster, &slice_offset, &at);

    if (result < 0 || (result = qcow2_cache_get(q, &q->l2_cache, slice_offset, &slice)) < 0)
        return result;
    kiln_be64_store(slice->data + at, entry[0]);
    if (q->extended)
        kiln_be64_store(slice->data + at + 8, entry[1]);
    qcow2_cache_dirty(&q->l2_cache, slice);
    return 0;
}

static void
l1_set(Qcow2 *q, uint64_t index, uint64_t entry)
{
    gboolean clean = q->l1_dirty.first == q->l1_dirty.end;

    q->l1[index] = entry;
    q->l1_dirty.first = clean ? index : MIN(q->l1_dirty.first, index);
    q->l1_dirty.end = clean ? index + 1 : MAX(q->l1_dirty.end, index + 1);
}

/* The new table's contents: the old one's, or nothing. */
static int
fill_l2(Qcow2 *q, uint64_t to, uint64_t from)
{
    g_autofree uint8_t *table = NULL;
    int result;

    if (from == 0)
        return qcow2_pwrite_zeroes(q, to, q->cluster_size);
    table = g_malloc(q->cluster_size);
    result = qcow2_pread(q, from, table, q->cluster_size);
    return result < 0 ? result : qcow2_pwrite(q, to, table, q->cluster_size);
}

int
qcow2_l2_own(Qcow2 *q, uint64_t cluster)
{
    uint64_t index = l1_index(q, cluster);
    uint64_t old = q->l1[index] & QCOW2_OFFSET_MASK;
    uint64_t offset, got;
    int result;

    if ((q->l1[index] & QCOW2_L1_RESERVED) != 0 || old % q->cluster_size != 0)
        return qcow2_found_corrupt(q, "an entry of its L1 table is nonsense");
    if (old != 0 && (q->l1[index] & QCOW2_COPIED) != 0)
        return 0;
    result = qcow2_alloc(q, 1, &offset, &got, NULL);
    if (result < 0)
        return result;
    result = fill_l2(q, offset, old);
    if (result < 0) {
        qcow2_alloc_undo(q, offset, 1);
        return result;
    }
    l1_set(q, index, offset | QCOW2_COPIED);
    g_hash_table_add(q->tables, GSIZE_TO_POINTER(offset >> q->cluster_bits));
    if (old != 0) {
        g_hash_table_remove(q->tables, GSIZE_TO_POINTER(old >> q->cluster_bits));
        qcow2_free_later(q, old >> q->cluster_bits, 1);
    }
    return 0;
}

void
qcow2_compressed_range(const Qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *length)
{
    unsigned shift = 62 - (q->cluster_bits - 8);
    uint64_t sectors = ((entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >> shift) + 1;

    *offset = entry & ((1ull << shift) - 1);
    *length = sectors * 512 - (*offset & 511);
}

int
qcow2_l1_write(Qcow2 *q)
{
    uint64_t unit = MAX(512, q->block.child->block_size) / 8;
    uint64_t first = q->l1_dirty.first & ~(unit - 1);
    uint64_t end = (q->l1_dirty.end + unit - 1) & ~(unit - 1);
    g_autofree uint8_t *bytes = g_malloc0((end - first) * 8);
    int result;

    for (uint64_t i = first; i < MIN(end, q->n_l1); i++)
        kiln_be64_store(bytes + (i - first) * 8, q->l1[i]);
    result = qcow2_pwrite(q, q->l1_offset + first * 8, bytes, (end - first) * 8);
    if (result == 0)
        q->l1_dirty = (Qcow2DirtyRange){ 0 };
    return result;
}
