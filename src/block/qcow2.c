/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer's door: the quick way of a request, or a task for it.  See qcow2.h. */
#include "block/qcow2-private.h"

#include <errno.h>

static void
pass_done(KilnBlockRequest *request, int result)
{
    Qcow2Part *part = (Qcow2Part *)request;

    qcow2_epoch_leave(part->q, part->epoch);
    part->guest->done(part->guest, result);
}

/* The guest's request as it is, at another place. */
static void
pass(Qcow2Part *part, KilnBlock *target, uint64_t offset)
{
    const KilnBlockRequest *guest = part->guest;

    part->child = (KilnBlockRequest){
        .op = guest->op,
        .flags = guest->flags,
        .offset = offset,
        .length = guest->length,
        .iov = guest->iov,
        .n_iov = guest->n_iov,
        .done = pass_done,
        .scratch = part + 1,
    };
    part->epoch = qcow2_epoch_enter(part->q);
    target->ops->submit(target, &part->child);
}

/* Whether all of it is one run; its tables are in memory. */
static gboolean
one_run(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *run)
{
    if (qcow2_map_peek(q, offset, length, run) < 0)
        return FALSE;
    while (run->length < length) {
        Qcow2Run more;

        if (run->kind != QCOW2_DATA ||
            qcow2_map_peek(q, offset + run->length, length - run->length, &more) < 0 ||
            more.kind != QCOW2_DATA || more.in_place != run->in_place ||
            more.host != run->host + run->length)
            return FALSE;
        run->length += more.length;
    }
    return TRUE;
}

static gboolean
quick_read(Qcow2Part *part)
{
    Qcow2 *q = part->q;
    KilnBlockRequest *guest = part->guest;
    Qcow2Run run;

    if (guest->length == 0 || !one_run(q, guest->offset, guest->length, &run))
        return FALSE;
    if (run.kind == QCOW2_DATA) {
        pass(part, q->data, run.host);
        return TRUE;
    }
    if (run.kind == QCOW2_UNALLOCATED && q->backing != NULL && guest->offset < q->backing->length) {
        if (guest->length > q->backing->length - guest->offset)
            return FALSE;
        pass(part, q->backing, guest->offset);
        return TRUE;
    }
    if (run.kind == QCOW2_COMPRESSED_DATA)
        return FALSE;
    qcow2_iov_fill(guest->iov, guest->n_iov, 0, NULL, guest->length);
    guest->done(guest, 0);
    return TRUE;
}

static gboolean
quick_write(Qcow2Part *part)
{
    Qcow2 *q = part->q;
    const KilnBlockRequest *guest = part->guest;
    Qcow2Run run;

    if (!q->writing || q->broken || guest->length == 0 ||
        ((guest->flags & KILN_BLOCK_FUA) != 0 && qcow2_tables_dirty(q)) ||
        !one_run(q, guest->offset, guest->length, &run) || run.kind != QCOW2_DATA ||
        !run.in_place || qcow2_hits_table(q, &run))
        return FALSE;
    pass(part, q->data, run.host);
    return TRUE;
}

static gboolean
quick_flush(Qcow2Part *part)
{
    if (qcow2_tables_dirty(part->q) || part->q->data_file != NULL)
        return FALSE;
    pass(part, part->q->block.child, 0);
    return TRUE;
}

static gboolean
quick(Qcow2Part *part)
{
    switch (part->guest->op) {
    case KILN_BLOCK_READ: return quick_read(part);
    case KILN_BLOCK_WRITE: return quick_write(part);
    case KILN_BLOCK_FLUSH: return quick_flush(part);
    case KILN_BLOCK_DISCARD:
    case KILN_BLOCK_WRITE_ZEROES:
    default: return FALSE;
    }
}

static int
flush(Qcow2 *q)
{
    int result;

    qcow2_lock(&q->tasks, &q->lock);
    result = qcow2_flush_tables(q);
    qcow2_unlock(&q->tasks, &q->lock);
    if (q->freed->len > 0)
        qcow2_reclaim_soon(q);
    return result;
}

static int
change(Qcow2 *q, const KilnBlockRequest *guest)
{
    int result = 0;

    qcow2_lock(&q->tasks, &q->lock);
    result = qcow2_begin_writing(q);
    qcow2_unlock(&q->tasks, &q->lock);
    if (result < 0 || guest->length == 0)
        return result;
    switch (guest->op) {
    case KILN_BLOCK_WRITE:
        result = qcow2_write(q, guest->offset, guest->length, guest->iov, guest->n_iov);
        break;
    case KILN_BLOCK_WRITE_ZEROES:
        result = qcow2_write_zeroes(q, guest->offset, guest->length,
                                    (guest->flags & KILN_BLOCK_MAY_UNMAP) != 0);
        break;
    case KILN_BLOCK_DISCARD:
    case KILN_BLOCK_READ:
    case KILN_BLOCK_FLUSH:
    default: result = qcow2_discard(q, guest->offset, guest->length);
    }
    if (result == 0 && (guest->flags & KILN_BLOCK_FUA) != 0)
        result = flush(q);
    return result;
}

static int
perform(Qcow2 *q, const KilnBlockRequest *guest)
{
    if (guest->op == KILN_BLOCK_FLUSH)
        return flush(q);
    if (guest->op == KILN_BLOCK_READ)
        return qcow2_read(q, guest->offset, guest->length, guest->iov, guest->n_iov, 0);
    return change(q, guest);
}

static void start_some(Qcow2 *q);

static void
request_task(gpointer data)
{
    Qcow2Part *part = data;
    Qcow2 *q = part->q;
    KilnBlockRequest *guest = part->guest;
    uint64_t epoch = qcow2_epoch_enter(q);
    int result = perform(q, guest);

    qcow2_epoch_leave(q, epoch);
    q->n_running--;
    start_some(q);
    guest->done(guest, result);
}

/* As many tasks as may run for the requests that wait. */
static void
start_some(Qcow2 *q)
{
    while (q->queue != NULL && q->n_running < QCOW2_MAX_TASKS) {
        Qcow2Part *part = q->queue;

        q->queue = part->next;
        if (q->queue == NULL)
            q->queue_end = &q->queue;
        q->n_running++;
        qcow2_task_start(&q->tasks, request_task, part);
    }
}

static void
submit(KilnBlock *block, KilnBlockRequest *request)
{
    Qcow2 *q = (Qcow2 *)block;
    Qcow2Part *part = request->scratch;

    part->guest = request;
    part->q = q;
    if (quick(part))
        return;
    part->next = NULL;
    *q->queue_end = part;
    q->queue_end = &part->next;
    start_some(q);
}

/* All is written, all that is free is given back. */
static void
close_task(gpointer data)
{
    Qcow2 *q = data;
    uint8_t bytes[8];

    flush(q);
    qcow2_reclaim(q);
    if (qcow2_tables_dirty(q))
        flush(q);
    if (!q->corrupt || q->version < 3)
        return;
    kiln_be64_store(bytes, q->incompatible | QCOW2_INCOMPATIBLE_CORRUPT);
    qcow2_header_write(q, QCOW2_AT_INCOMPATIBLE, bytes, sizeof bytes);
}

static void
stop_timer(Qcow2 *q)
{
    if (q->reclaim_timer != NULL)
        g_source_destroy(q->reclaim_timer);
    g_clear_pointer(&q->reclaim_timer, g_source_unref);
}

static void
free_layer(KilnBlock *block)
{
    Qcow2 *q = (Qcow2 *)block;

    while (q->tasks.n > 0)
        g_main_context_iteration(q->block.child->context, TRUE);
    if (!q->block.read_only && q->opened)
        qcow2_run_task(q, close_task, q);
    stop_timer(q);
    qcow2_cache_clear(&q->l2_cache);
    qcow2_cache_clear(&q->ref_cache);
    qcow2_ios_free(q);
    qcow2_tasks_clear(&q->tasks);
    g_clear_pointer(&q->tables, g_hash_table_unref);
    g_clear_pointer(&q->freed, g_array_unref);
    kiln_block_free(q->backing);
    kiln_block_free(q->data_file);
    g_free(q->l1);
    g_free(q->reftable);
    g_free(q->unzipped);
    g_free(q->path);
    g_free(q);
}

const KilnBlockOps qcow2_ops = {
    .name = "qcow2",
    .submit = submit,
    .resize = qcow2_resize,
    .free = free_layer,
};
