/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A longer disk: a longer L1 table if it takes one, then the new size. */
#include "block/qcow2-private.h"

#include "base/error.h"
#include "base/intmath.h"

#include <errno.h>

typedef struct {
    Qcow2 *q;
    uint64_t length;
    int result;
} Resize;

/* (lock) The longer table is in the file before the header names it, then the old one is free. */
static int
grow_l1(Qcow2 *q, uint32_t n)
{
    uint64_t old_offset = q->l1_offset;
    uint64_t old_clusters =
        kiln_align_up((uint64_t)q->n_l1 * 8, q->cluster_size) >> q->cluster_bits;
    uint64_t clusters = kiln_align_up((uint64_t)n * 8, q->cluster_size) >> q->cluster_bits;
    uint64_t offset;
    uint8_t bytes[12];
    int result = qcow2_alloc_row(q, clusters, &offset);

    if (result == 0)
        result = qcow2_pwrite_zeroes(q, offset, clusters << q->cluster_bits);
    if (result == 0)
        result = qcow2_flush_tables(q);
    if (result < 0)
        return result;
    q->l1 = g_renew(uint64_t, q->l1, n);
    memset(q->l1 + q->n_l1, 0, (n - q->n_l1) * sizeof *q->l1);
    q->n_l1 = n;
    q->l1_offset = offset;
    q->l1_dirty = (Qcow2DirtyRange){ .end = n };
    result = qcow2_flush_tables(q);
    kiln_be32_store(bytes, n);
    kiln_be64_store(bytes + 4, offset);
    if (result == 0)
        result = qcow2_header_write(q, QCOW2_AT_L1_SIZE, bytes, sizeof bytes);
    if (result == 0)
        result = qcow2_child_flush(q);
    if (result < 0)
        q->broken = TRUE; /* which one counts is not known */
    else if (old_offset != 0)
        qcow2_alloc_undo(q, old_offset, old_clusters);
    return result;
}

/* What the old end hid must not show: a longer backing image, the rest of the last cluster. */
static int
hide(Qcow2 *q, uint64_t old_length, uint64_t length)
{
    uint64_t end = kiln_align_up(old_length, q->cluster_size);

    if (q->backing != NULL)
        end = MAX(end, q->backing->length);
    end = MIN(end, length);
    return end > old_length ? qcow2_write_zeroes(q, old_length, end - old_length, FALSE) : 0;
}

static int
grow(Qcow2 *q, uint64_t length)
{
    uint64_t span = q->cluster_size << q->l2_bits;
    uint64_t n = (length + span - 1) / span;
    uint64_t old_length = q->block.length;
    uint8_t bytes[8];
    int result;

    if (n > QCOW2_MAX_L1_BYTES / 8)
        return -EFBIG;
    qcow2_lock(&q->tasks, &q->lock);
    result = qcow2_begin_writing(q);
    if (result == 0 && n > q->n_l1)
        result = grow_l1(q, (uint32_t)n);
    qcow2_unlock(&q->tasks, &q->lock);
    if (result < 0)
        return result;
    q->block.length = length;
    result = hide(q, old_length, length);
    qcow2_lock(&q->tasks, &q->lock);
    if (result == 0)
        result = qcow2_flush_tables(q);
    kiln_be64_store(bytes, length);
    if (result == 0)
        result = qcow2_header_write(q, QCOW2_AT_SIZE, bytes, sizeof bytes);
    if (result == 0)
        result = qcow2_child_flush(q);
    qcow2_unlock(&q->tasks, &q->lock);
    if (result < 0)
        q->block.length = old_length;
    else
        q->size = length;
    return result;
}

static void
resize_task(gpointer data)
{
    Resize *resize = data;

    resize->result = grow(resize->q, resize->length);
}

gboolean
qcow2_resize(KilnBlock *block, uint64_t length, GError **error)
{
    Qcow2 *q = (Qcow2 *)block;
    Resize resize = { .q = q, .length = length };

    if (length == block->length)
        return TRUE;
    if (length < block->length)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "disk image '%s': a qcow2 image cannot be made shorter", q->path);
    if (q->data_file != NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "disk image '%s': one with an external data file cannot be resized",
                              q->path);
    if (block->read_only || length % 512 != 0 || length > INT64_MAX - (1ull << 40))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "disk image '%s': cannot be made %" G_GUINT64_FORMAT " bytes long",
                              q->path, length);
    if (q->version < 3 && q->n_snapshots > 0)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "disk image '%s': version 2 with snapshots cannot be resized",
                              q->path);
    qcow2_run_task(q, resize_task, &resize);
    return resize.result == 0 ||
           kiln_error_set_errno(error, -resize.result, "disk image '%s': cannot be made longer",
                                q->path);
}
