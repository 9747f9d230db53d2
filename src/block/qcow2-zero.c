/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zeroes without writing any, where the format can say them, and discards. */
#include "block/qcow2-private.h"

#include "base/intmath.h"

#include <errno.h>

enum { BATCH = 1024 /* clusters changed before others get the lock */ };

static const uint64_t ALL_ZEROES = 0xffffffff00000000ull; /* of extended entries */

typedef enum {
    DISCARD,
    ZERO_KEEP,  /* host clusters stay */
    ZERO_UNMAP, /* they are given back */
} Mode;

/* What an entry whose cluster is dropped becomes; it reads as zeroes, or as it likes. */
static void
empty_entry(const Qcow2 *q, Mode mode, uint64_t entry[2])
{
    gboolean zero = q->version >= 3 && (mode != DISCARD || q->backing != NULL);

    entry[0] = zero && !q->extended ? QCOW2_ZERO : 0;
    entry[1] = zero && q->extended ? ALL_ZEROES : 0;
}

static gboolean
is_empty(const Qcow2 *q, const uint64_t entry[2])
{
    if (q->data_file != NULL && (entry[0] & QCOW2_COPIED) != 0)
        return FALSE;
    return (entry[0] & (QCOW2_COMPRESSED | QCOW2_OFFSET_MASK)) == 0;
}

/* Whether an entry without a cluster reads as zeroes already. */
static gboolean
is_zero(const Qcow2 *q, uint64_t cluster, const uint64_t entry[2])
{
    uint64_t offset = cluster << q->cluster_bits;

    if (q->backing == NULL || offset >= q->backing->length)
        return TRUE;
    return q->extended ? entry[1] == ALL_ZEROES : (entry[0] & QCOW2_ZERO) != 0;
}

static gboolean
keeps_cluster(const Qcow2 *q, Mode mode, const uint64_t entry[2])
{
    gboolean keep = mode == ZERO_KEEP || (mode == DISCARD && q->discard_no_unref);

    return keep && q->version >= 3 && (entry[0] & QCOW2_COMPRESSED) == 0 &&
           (entry[0] & QCOW2_COPIED) != 0;
}

/* (lock) One cluster becomes empty, or zeroes. */
static int
drop_cluster(Qcow2 *q, uint64_t cluster, Mode mode)
{
    uint64_t old[2], entry[2];
    int result = qcow2_l2_get(q, cluster, old);

    if (result < 0)
        return result;
    if (is_empty(q, old) && (mode == DISCARD || is_zero(q, cluster, old)))
        return 0;
    result = qcow2_l2_own(q, cluster);
    if (result < 0)
        return result;
    if (keeps_cluster(q, mode, old)) {
        entry[0] = old[0] | (q->extended ? 0 : QCOW2_ZERO);
        entry[1] = q->extended ? ALL_ZEROES : 0;
        return qcow2_l2_set(q, cluster, entry);
    }
    empty_entry(q, mode, entry);
    result = qcow2_l2_set(q, cluster, entry);
    if (result == 0)
        qcow2_free_entry(q, old);
    return result;
}

/* (lock) Entries that are nonsense are not taken apart. */
static int
check_cluster(Qcow2 *q, uint64_t cluster)
{
    Qcow2Run run;

    return qcow2_map(q, cluster << q->cluster_bits, 1, &run);
}

static int
drop_batch(Qcow2 *q, uint64_t *cluster, uint64_t end, Mode mode)
{
    int result = 0;

    for (unsigned n = 0; n < BATCH && *cluster < end && result == 0; n++) {
        if (q->broken)
            return -EIO;
        if (!qcow2_l2_exists(q, *cluster) && (q->backing == NULL || mode == DISCARD)) {
            *cluster = MIN(end, ((*cluster >> q->l2_bits) + 1) << q->l2_bits);
            continue;
        }
        qcow2_allocations_wait(q, *cluster, *cluster + 1);
        result = check_cluster(q, *cluster);
        if (result == 0)
            result = drop_cluster(q, *cluster, mode);
        ++*cluster;
        if (q->l2_cache.n_dirty > q->l2_cache.max / 2 && result == 0)
            result = qcow2_flush_tables(q);
    }
    return result;
}

static int
drop_clusters(Qcow2 *q, uint64_t first, uint64_t end, Mode mode)
{
    int result = 0;

    while (first < end && result == 0) {
        qcow2_lock(&q->tasks, &q->lock);
        result = drop_batch(q, &first, end, mode);
        qcow2_unlock(&q->tasks, &q->lock);
    }
    if (q->freed->len > 0)
        qcow2_reclaim_soon(q);
    return result;
}

/* The guest's end of the disk counts as the end of its last cluster. */
static uint64_t
end_cluster(const Qcow2 *q, uint64_t end)
{
    if (end == q->block.length)
        end = kiln_align_up(end, q->cluster_size);
    return end >> q->cluster_bits;
}

static uint64_t
first_cluster(const Qcow2 *q, uint64_t offset)
{
    return kiln_align_up(offset, q->cluster_size) >> q->cluster_bits;
}

/* A data file that is the disk's raw image, too: all must be in it. */
static gboolean
is_raw(const Qcow2 *q)
{
    return q->data_file != NULL && (q->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0;
}

int
qcow2_discard(Qcow2 *q, uint64_t offset, uint64_t length)
{
    /* Without a zero flag the backing image would show through again. */
    if ((q->version < 3 && q->backing != NULL) || is_raw(q))
        return 0;
    return drop_clusters(q, first_cluster(q, offset), end_cluster(q, offset + length), DISCARD);
}

/* Writes real zeroes where something else is. */
static int
write_real(Qcow2 *q, uint64_t offset, uint64_t length)
{
    struct iovec iov[16];
    int result = 0;

    while (length > 0 && result == 0) {
        Qcow2Run run;
        uint64_t take = MIN(length, (uint64_t)256 << 10);

        result = qcow2_map(q, offset, take, &run);
        if (result < 0)
            return result;
        take = run.length;
        if (run.kind == QCOW2_DATA || run.kind == QCOW2_COMPRESSED_DATA ||
            (run.kind == QCOW2_UNALLOCATED && q->backing != NULL && offset < q->backing->length)) {
            qcow2_zero_iov_fill(iov, take);
            result = qcow2_write(q, offset, take, iov, qcow2_zero_iovs(take));
        }
        offset += take;
        length -= take;
    }
    return result;
}

/* Some of a cluster's subclusters; 0 if it was not done by their bits. */
static int
zero_subclusters(Qcow2 *q, uint64_t offset, uint64_t length, gboolean *done)
{
    uint64_t cluster = offset >> q->cluster_bits;
    unsigned first = (unsigned)((offset & (q->cluster_size - 1)) >> q->sub_bits);
    uint64_t mask = ((1ull << (length >> q->sub_bits)) - 1) << first;
    uint64_t entry[2];
    int result = 0;

    qcow2_lock(&q->tasks, &q->lock);
    qcow2_allocations_wait(q, cluster, cluster + 1);
    *done = FALSE;
    if (q->broken)
        result = -EIO;
    if (result == 0)
        result = check_cluster(q, cluster);
    if (result == 0)
        result = qcow2_l2_own(q, cluster);
    if (result == 0)
        result = qcow2_l2_get(q, cluster, entry);
    if (result == 0 && (entry[0] & QCOW2_COMPRESSED) == 0) {
        entry[1] = (entry[1] & ~mask) | mask << 32;
        result = qcow2_l2_set(q, cluster, entry);
        *done = result == 0;
    }
    qcow2_unlock(&q->tasks, &q->lock);
    return result;
}

/* A range inside one cluster. */
static int
zero_part(Qcow2 *q, uint64_t offset, uint64_t length)
{
    uint64_t unit = 1ull << q->sub_bits;
    uint64_t start = kiln_align_up(offset, unit);
    uint64_t end = kiln_align_down(offset + length, unit);
    gboolean done = FALSE;
    int result;

    if (!q->extended || start >= end)
        return write_real(q, offset, length);
    result = zero_subclusters(q, start, end - start, &done);
    if (result < 0)
        return result;
    if (!done)
        return write_real(q, offset, length);
    result = write_real(q, offset, start - offset);
    return result < 0 ? result : write_real(q, end, offset + length - end);
}

int
qcow2_write_zeroes(Qcow2 *q, uint64_t offset, uint64_t length, gboolean unmap)
{
    uint64_t end = offset + length;
    uint64_t first = first_cluster(q, offset);
    uint64_t last = end_cluster(q, end);
    int result = 0;

    /* Version 2 has no flag: what is there and stays is written, what has a backing image, too. */
    if ((q->version < 3 && (!unmap || q->backing != NULL)) || is_raw(q))
        return write_real(q, offset, length);
    if (first >= last) {
        /* At most two clusters, none of them whole. */
        uint64_t middle = MIN(end, first << q->cluster_bits);

        if (middle > offset)
            result = zero_part(q, offset, middle - offset);
        return result < 0 || end <= middle ? result : zero_part(q, middle, end - middle);
    }
    if (offset < first << q->cluster_bits)
        result = zero_part(q, offset, (first << q->cluster_bits) - offset);
    if (result == 0 && end > last << q->cluster_bits)
        result = zero_part(q, last << q->cluster_bits, end - (last << q->cluster_bits));
    if (result == 0)
        result = drop_clusters(q, first, last, unmap ? ZERO_UNMAP : ZERO_KEEP);
    return result;
}
