/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing.  What is allocated and ours alone is written in place.  For the rest:
 *
 *   lock: clusters taken, the guest's clusters noted as being allocated -> unlock -> what the
 *   request leaves of them is read, and written together with its data -> lock: L2 entries
 *
 * so that the L2 table in memory never refers to what is not written yet.
 */
#include "block/qcow2-private.h"

#include "base/intmath.h"

#include <errno.h>
#include <limits.h>

/* Guest clusters in a row that get host clusters in a row. */
typedef struct {
    Qcow2Allocation allocation;
    gboolean reuse; /* one cluster that has its place already */
    gboolean fresh; /* the file has zeroes there */
    uint64_t host;
    uint64_t n;
    uint64_t start, end;         /* guest bytes of the request */
    uint64_t cow_start, cow_end; /* guest bytes that are written */
} Plan;

/* What is written before, or after, the request's data. */
typedef struct {
    uint64_t length;
    uint8_t *data;   /* (nullable): NULL: zeroes; aligned, for direct I/O */
    uint8_t *memory; /* (owned) (nullable) */
} Margin;

enum { MEMORY_ALIGN = 4096 };

static void
margin_clear(Margin *margin)
{
    g_clear_pointer(&margin->memory, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Margin, margin_clear)

gboolean
qcow2_allocations_wait(Qcow2 *q, uint64_t first, uint64_t end)
{
    gboolean waited = FALSE;
    Qcow2Allocation *other = q->allocations;

    while (other != NULL) {
        if (other->first >= end || other->end <= first) {
            other = other->next;
            continue;
        }
        qcow2_unlock(&q->tasks, &q->lock);
        qcow2_wait(&q->tasks, &other->waiters);
        qcow2_lock(&q->tasks, &q->lock);
        waited = TRUE;
        other = q->allocations;
    }
    return waited;
}

static void
allocation_add(Qcow2 *q, Qcow2Allocation *allocation)
{
    allocation->next = q->allocations;
    q->allocations = allocation;
}

static void
allocation_remove(Qcow2 *q, Qcow2Allocation *allocation)
{
    Qcow2Allocation **at = &q->allocations;

    while (*at != allocation)
        at = &(*at)->next;
    *at = allocation->next;
    qcow2_wake_all(&q->tasks, &allocation->waiters);
}

static gboolean
is_allocating(const Qcow2 *q, uint64_t cluster)
{
    for (Qcow2Allocation *other = q->allocations; other != NULL; other = other->next)
        if (cluster >= other->first && cluster < other->end)
            return TRUE;
    return FALSE;
}

/* Whether the entry has a cluster that is ours alone. */
static gboolean
has_own_cluster(const Qcow2 *q, const uint64_t entry[2])
{
    return (entry[0] & QCOW2_COMPRESSED) == 0 && (entry[0] & QCOW2_COPIED) != 0 &&
           (q->data_file != NULL || (entry[0] & QCOW2_OFFSET_MASK) != 0);
}

/* Whether all of a cluster must be written when a new one takes its place. */
static gboolean
has_data(const Qcow2 *q, const uint64_t entry[2])
{
    return !q->extended || (entry[0] & QCOW2_COMPRESSED) != 0 || (uint32_t)entry[1] != 0;
}

/* Where a write that touches @at begins, or ends: at the next unit's edge, unless what is beside it
 * in the unit is there already. */
static uint64_t
edge(const Qcow2 *q, const Plan *plan, const uint64_t entry[2], uint64_t at, gboolean is_end)
{
    uint64_t byte = is_end ? at - 1 : at;
    uint64_t unit = q->cluster_size;
    unsigned sub = (unsigned)((byte & (q->cluster_size - 1)) >> q->sub_bits);

    if (plan->reuse && q->extended && (entry[1] >> sub & 1) != 0)
        return at;
    if (q->extended && (plan->reuse || !has_data(q, entry)))
        unit = 1ull << q->sub_bits;
    return is_end ? kiln_align_up(at, unit) : kiln_align_down(at, unit);
}

/* How many clusters from @first on need a place of their own; no more than the request has. */
static int
count_new(Qcow2 *q, uint64_t first, uint64_t last, uint64_t *n)
{
    uint64_t table_end = ((first >> q->l2_bits) + 1) << q->l2_bits;

    *n = 1;
    while (first + *n <= last && first + *n < table_end && !is_allocating(q, first + *n)) {
        uint64_t entry[2];
        int result = qcow2_l2_get(q, first + *n, entry);

        if (result < 0)
            return result;
        if (has_own_cluster(q, entry))
            break;
        ++*n;
    }
    return 0;
}

/* (lock) In a data file, each cluster has its own place. */
static int
take_place(Qcow2 *q, uint64_t first, Plan *plan)
{
    plan->host = first << q->cluster_bits;
    return q->data_file != NULL ? 0 : qcow2_alloc(q, plan->n, &plan->host, &plan->n, &plan->fresh);
}

/* (lock) */
static void
give_back(Qcow2 *q, const Plan *plan)
{
    if (!plan->reuse && q->data_file == NULL)
        qcow2_alloc_undo(q, plan->host, plan->n);
}

/* (lock) Returns: 0; -EAGAIN: all has changed, look again. */
static int
make_plan(Qcow2 *q, uint64_t offset, uint64_t length, Plan *plan)
{
    uint64_t first = offset >> q->cluster_bits;
    uint64_t last = (offset + length - 1) >> q->cluster_bits;
    uint64_t entry[2];
    Qcow2Run run;
    int result;

    if (q->broken)
        return -EIO;
    if (qcow2_allocations_wait(q, first, first + 1))
        return -EAGAIN;
    result = qcow2_map(q, offset, length, &run); /* also checks the entry */
    if (result < 0)
        return result;
    if (run.kind == QCOW2_DATA && run.in_place)
        return -EAGAIN;
    if ((result = qcow2_l2_own(q, first)) < 0 || (result = qcow2_l2_get(q, first, entry)) < 0)
        return result;
    *plan = (Plan){ .reuse = has_own_cluster(q, entry), .n = 1 };
    if (plan->reuse)
        plan->host = entry[0] & QCOW2_OFFSET_MASK;
    else if ((result = count_new(q, first, last, &plan->n)) == 0)
        result = take_place(q, first, plan);
    if (result < 0)
        return result;
    if (plan->reuse && q->data_file == NULL && qcow2_is_table(q, plan->host >> q->cluster_bits))
        return qcow2_found_corrupt(q, "a data cluster is a table");
    plan->start = offset;
    plan->end = MIN(offset + length, (first + plan->n) << q->cluster_bits);
    plan->cow_start = edge(q, plan, entry, plan->start, FALSE);
    result = qcow2_l2_get(q, first + plan->n - 1, entry);
    plan->cow_end = edge(q, plan, entry, plan->end, TRUE);
    if (result < 0) {
        give_back(q, plan);
        return result;
    }
    plan->allocation = (Qcow2Allocation){ .first = first, .end = first + plan->n };
    allocation_add(q, &plan->allocation);
    return 0;
}

/* Whether the guest sees nothing but zeroes there. */
static int
reads_as_zeroes(Qcow2 *q, uint64_t offset, uint64_t length, gboolean *zeroes)
{
    uint64_t end = MIN(offset + length, q->block.length);

    *zeroes = TRUE;
    while (offset < end && *zeroes) {
        Qcow2Run run;
        int result = qcow2_map(q, offset, end - offset, &run);

        if (result < 0)
            return result;
        if (run.kind == QCOW2_UNALLOCATED)
            *zeroes = q->backing == NULL || offset >= q->backing->length;
        else
            *zeroes = run.kind == QCOW2_ZEROES;
        offset += run.length;
    }
    return 0;
}

static int
margin_read(Qcow2 *q, Margin *margin, uint64_t offset, uint64_t length)
{
    gboolean zeroes = TRUE;
    struct iovec iov;
    int result;

    margin->length = length;
    if (length == 0)
        return 0;
    result = reads_as_zeroes(q, offset, length, &zeroes);
    if (result < 0 || zeroes)
        return result;
    margin->memory = g_malloc(length + MEMORY_ALIGN);
    margin->data = margin->memory + MEMORY_ALIGN - (uintptr_t)margin->memory % MEMORY_ALIGN;
    iov = (struct iovec){ .iov_base = margin->data, .iov_len = length };
    return qcow2_read(q, offset, length, &iov, 1, 0);
}

static unsigned
margin_iovs(const Margin *margin)
{
    return margin->data != NULL ? 1 : qcow2_zero_iovs(margin->length);
}

static void
margin_fill(const Margin *margin, struct iovec *iov)
{
    if (margin->data != NULL)
        *iov = (struct iovec){ .iov_base = margin->data, .iov_len = margin->length };
    else
        qcow2_zero_iov_fill(iov, margin->length);
}

/* All in one write, as a rule. */
static void
write_merged(Qcow2 *q, Qcow2Group *group, uint64_t host, const Margin *head, const Margin *tail,
             uint64_t length, const struct iovec *iov, unsigned n_iov, uint64_t skip)
{
    unsigned n_head = margin_iovs(head);
    unsigned n_tail = margin_iovs(tail);
    g_autofree struct iovec *all = g_new(struct iovec, n_head + n_iov + n_tail);
    unsigned n = n_head;

    margin_fill(head, all);
    for (unsigned i = 0; i < n_iov; i++) {
        size_t take = iov[i].iov_len;
        size_t pass = MIN(skip, take);
        size_t left = MIN(take - pass, length);

        skip -= pass;
        if (left > 0)
            all[n++] =
                (struct iovec){ .iov_base = (char *)iov[i].iov_base + pass, .iov_len = left };
        length -= left;
    }
    margin_fill(tail, all + n);
    n += n_tail;
    for (unsigned i = 0; i < n;) {
        unsigned part = MIN(n - i, (unsigned)IOV_MAX);
        uint64_t bytes = 0;

        for (unsigned j = 0; j < part; j++)
            bytes += all[i + j].iov_len;
        qcow2_io_start(q, group, q->data, KILN_BLOCK_WRITE, 0, host, bytes, all + i, part, 0);
        host += bytes;
        i += part;
    }
}

static int
write_planned(Qcow2 *q, Plan *plan, const struct iovec *iov, unsigned n_iov, uint64_t skip)
{
    g_auto(Margin) head = { 0 };
    g_auto(Margin) tail = { 0 };
    Qcow2Group group = { 0 };
    uint64_t host = plan->host + (plan->cow_start & (q->cluster_size - 1));
    int result = margin_read(q, &head, plan->cow_start, plan->start - plan->cow_start);

    if (result == 0)
        result = margin_read(q, &tail, plan->end, plan->cow_end - plan->end);
    if (result < 0)
        return result;
    if (plan->fresh && head.data == NULL) {
        host += head.length;
        head.length = 0;
    }
    if (plan->fresh && tail.data == NULL)
        tail.length = 0;
    write_merged(q, &group, host, &head, &tail, plan->end - plan->start, iov, n_iov, skip);
    return qcow2_group_wait(q, &group);
}

/* Bits of the subclusters of @cluster that were written. */
static uint64_t
written_bits(const Qcow2 *q, const Plan *plan, uint64_t cluster)
{
    uint64_t base = cluster << q->cluster_bits;
    uint64_t start = MAX(plan->cow_start, base) - base;
    uint64_t end = MIN(plan->cow_end, base + q->cluster_size) - base;
    unsigned first = (unsigned)(start >> q->sub_bits);
    unsigned n = (unsigned)((end + (1ull << q->sub_bits) - 1) >> q->sub_bits) - first;

    return ((1ull << n) - 1) << first;
}

static int
link_cluster(Qcow2 *q, const Plan *plan, uint64_t i)
{
    uint64_t cluster = plan->allocation.first + i;
    uint64_t old[2];
    uint64_t entry[2] = { (plan->host + (i << q->cluster_bits)) | QCOW2_COPIED, 0 };
    int result = qcow2_l2_get(q, cluster, old);

    if (result < 0)
        return result;
    if (q->extended) {
        uint64_t written = written_bits(q, plan, cluster);
        gboolean keep = (old[0] & QCOW2_COMPRESSED) == 0;

        entry[1] = ((keep ? old[1] : 0) & ~(written << 32)) | written;
    }
    result = qcow2_l2_set(q, cluster, entry);
    if (result == 0 && !plan->reuse)
        qcow2_free_entry(q, old);
    return result;
}

/* Caches that are full of what must be written leave no room for reading. */
static int
flush_if_many(Qcow2 *q)
{
    if (q->l2_cache.n_dirty <= q->l2_cache.max / 2 && q->ref_cache.n_dirty <= q->ref_cache.max / 2)
        return 0;
    return qcow2_flush_tables(q);
}

static int
finish(Qcow2 *q, Plan *plan, int result)
{
    qcow2_lock(&q->tasks, &q->lock);
    if (result < 0)
        give_back(q, plan);
    for (uint64_t i = 0; i < plan->n && result == 0; i++)
        result = link_cluster(q, plan, i);
    allocation_remove(q, &plan->allocation);
    if (result == 0)
        result = flush_if_many(q);
    qcow2_unlock(&q->tasks, &q->lock);
    if (q->freed->len > 0)
        qcow2_reclaim_soon(q);
    return result;
}

/* Writes some of it, to new places; @done: bytes. */
static int
write_new(Qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov,
          uint64_t skip, uint64_t *done)
{
    Plan plan;
    int result;

    *done = 0;
    qcow2_lock(&q->tasks, &q->lock);
    result = make_plan(q, offset, length, &plan);
    qcow2_unlock(&q->tasks, &q->lock);
    if (result < 0)
        return result == -EAGAIN ? 0 : result;
    result = write_planned(q, &plan, iov, n_iov, skip);
    result = finish(q, &plan, result);
    *done = plan.end - plan.start;
    return result;
}

gboolean
qcow2_hits_table(const Qcow2 *q, const Qcow2Run *run)
{
    if (q->data_file != NULL)
        return FALSE;
    for (uint64_t i = run->host >> q->cluster_bits;
         i <= (run->host + run->length - 1) >> q->cluster_bits; i++)
        if (qcow2_is_table(q, i))
            return TRUE;
    return FALSE;
}

int
qcow2_write(Qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov)
{
    Qcow2Group group = { 0 };
    int result = 0;

    for (uint64_t pos = 0; pos < length && result == 0;) {
        uint64_t done = 0;
        Qcow2Run run;

        result = qcow2_map(q, offset + pos, length - pos, &run);
        if (result < 0)
            break;
        if (run.kind == QCOW2_DATA && run.in_place) {
            done = run.length;
            if (qcow2_hits_table(q, &run))
                result = qcow2_found_corrupt(q, "a data cluster is a table");
            else
                qcow2_io_start(q, &group, q->data, KILN_BLOCK_WRITE, 0, run.host, run.length, iov,
                               n_iov, pos);
        } else {
            result = write_new(q, offset + pos, length - pos, iov, n_iov, pos, &done);
        }
        pos += done;
    }
    if (qcow2_group_wait(q, &group) < 0 && result == 0)
        result = group.result;
    return result;
}
