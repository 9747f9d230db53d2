/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening an image: header, L1 table, backing image, and what was left to be repaired. */
#include "block/qcow2.h"

#include "base/error.h"
#include "base/intmath.h"
#include "block/qcow2-private.h"

#include <errno.h>

enum {
    DEFAULT_CACHE = 32 << 20, /* bytes */
    MIN_SLICES = 32,
};

typedef struct {
    Qcow2 *q;
    const KilnQcow2Options *options;
    KilnQcow2Header *header;
    GError **error;
    gboolean done;
} Opening;

static gboolean
failed_to_read(GError **error, int result, const char *what)
{
    return kiln_error_set_errno(error, -result, "cannot read its %s", what);
}

static gboolean
read_header(Opening *opening)
{
    Qcow2 *q = opening->q;
    uint8_t start[QCOW2_V2_HEADER];
    g_autofree uint8_t *cluster = NULL;
    unsigned bits;
    size_t length;
    int result;

    if (q->block.child->length < QCOW2_V2_HEADER)
        return kiln_error_set(opening->error, KILN_ERROR_INVALID, "it is not a qcow2 image");
    result = qcow2_read_bytes(q, 0, start, sizeof start);
    if (result < 0)
        return failed_to_read(opening->error, result, "header");
    bits = kiln_qcow2_header_cluster_bits(start, opening->error);
    if (bits == 0)
        return FALSE;
    length = (size_t)MIN(1ull << bits, q->block.child->length);
    cluster = g_malloc(length);
    result = qcow2_read_bytes(q, 0, cluster, length);
    if (result < 0)
        return failed_to_read(opening->error, result, "header");
    return kiln_qcow2_header_parse(opening->header, cluster, length, opening->error);
}

static void
take_header(Qcow2 *q, const KilnQcow2Header *header)
{
    q->size = header->size;
    q->version = header->version;
    q->cluster_bits = header->cluster_bits;
    q->cluster_size = 1ull << header->cluster_bits;
    q->extended = (header->incompatible & QCOW2_INCOMPATIBLE_EXTENDED_L2) != 0;
    q->l2_entry_bits = q->extended ? 4 : 3;
    q->l2_bits = q->cluster_bits - q->l2_entry_bits;
    q->sub_bits = q->cluster_bits - (q->extended ? 5 : 0);
    q->refcount_order = header->refcount_order;
    q->refblock_bits = q->cluster_bits + 3 - header->refcount_order;
    q->compression_type = header->compression_type;
    q->autoclear = header->autoclear;
    q->incompatible = header->incompatible;
    q->n_snapshots = header->n_snapshots;
    q->snapshots_offset = header->snapshots_offset;
    q->l1_offset = header->l1_offset;
    q->n_l1 = header->n_l1;
    q->reftable_offset = header->reftable_offset;
    q->reftable_clusters = header->reftable_clusters;
    q->file_end = q->block.child->length;
    q->data = q->block.child;
}

static void
init_caches(Qcow2 *q, uint64_t bytes)
{
    size_t slice = (size_t)MIN(q->cluster_size, (uint64_t)QCOW2_MAX_SLICE);
    uint64_t clusters = (q->size >> q->cluster_bits) + 1;
    uint64_t needed = kiln_align_up(clusters << q->l2_entry_bits, slice) / slice;
    uint64_t most = MAX((bytes != 0 ? bytes : DEFAULT_CACHE) / slice, (uint64_t)MIN_SLICES);

    most = MIN(most, (uint64_t)1 << 24);
    qcow2_cache_init(&q->l2_cache, slice, (unsigned)MAX(MIN(needed, most), (uint64_t)MIN_SLICES));
    qcow2_cache_init(&q->ref_cache, slice, (unsigned)MAX(most / 8, (uint64_t)MIN_SLICES));
}

static gboolean
read_l1(Qcow2 *q, GError **error)
{
    size_t length = (size_t)q->n_l1 * 8;
    g_autofree uint8_t *raw = NULL;
    int result;

    if (!kiln_range_inside(q->l1_offset, length, q->file_end))
        return kiln_error_set(error, KILN_ERROR_INVALID, "its L1 table is past its end");
    q->l1 = g_new0(uint64_t, q->n_l1 + 1);
    if (length == 0)
        return TRUE;
    raw = g_malloc(length);
    result = qcow2_read_bytes(q, q->l1_offset, raw, length);
    if (result < 0)
        return failed_to_read(error, result, "L1 table");
    for (uint32_t i = 0; i < q->n_l1; i++)
        q->l1[i] = kiln_be64_load(raw + (size_t)i * 8);
    return TRUE;
}

static gboolean
check_state(const Qcow2 *q, const KilnQcow2Options *options, GError **error)
{
    if ((q->incompatible & QCOW2_INCOMPATIBLE_CORRUPT) != 0 && !options->read_only)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "it is marked as corrupt: it can only be read "
                              "(see 'qemu-img check -r all')");
    if (options->snapshot != NULL && !options->read_only)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "an internal snapshot can only be opened read-only");
    return TRUE;
}

static void
load_task(gpointer data)
{
    Opening *opening = data;
    Qcow2 *q = opening->q;

    if (!read_header(opening))
        return;
    take_header(q, opening->header);
    if (!check_state(q, opening->options, opening->error))
        return;
    init_caches(q, opening->options->cache_bytes);
    if (opening->options->snapshot != NULL &&
        !qcow2_snapshot_find(q, opening->options->snapshot, opening->error))
        return;
    opening->done = read_l1(q, opening->error);
}

static void
repair_task(gpointer data)
{
    Opening *opening = data;

    opening->done = qcow2_repair(opening->q, opening->error);
}

static gboolean
open_backing(Opening *opening)
{
    const KilnQcow2Options *options = opening->options;
    const KilnQcow2Header *header = opening->header;
    const char *format = header->backing_format != NULL ? header->backing_format : "raw";
    GError *failure = NULL;

    if (header->backing_name == NULL && !options->ask_backing)
        return TRUE;
    if (options->depth + 1 >= KILN_QCOW2_MAX_DEPTH)
        return kiln_error_set(opening->error, KILN_ERROR_INVALID,
                              "its chain of backing images has more than %d images: it may loop",
                              KILN_QCOW2_MAX_DEPTH);
    if (options->open_backing == NULL)
        return kiln_error_set(opening->error, KILN_ERROR_UNSUPPORTED,
                              "it has a backing image, which is not expected here");
    opening->q->backing = options->open_backing(header->backing_name, format, options->depth + 1,
                                                options->opener_data, &failure);
    if (failure == NULL)
        return TRUE;
    g_propagate_error(opening->error, failure);
    return FALSE;
}

/* The feature bit says that there is one, an extension how it is called. */
static gboolean
open_data(Opening *opening)
{
    const KilnQcow2Options *options = opening->options;
    const KilnQcow2Header *header = opening->header;
    Qcow2 *q = opening->q;

    if ((header->incompatible & QCOW2_INCOMPATIBLE_DATA_FILE) == 0)
        return TRUE;
    if (header->data_file == NULL)
        return kiln_error_set(opening->error, KILN_ERROR_UNSUPPORTED,
                              "it has an external data file, and does not say which");
    if (options->open_data == NULL)
        return kiln_error_set(opening->error, KILN_ERROR_UNSUPPORTED,
                              "it has an external data file, which is not expected here");
    if (q->n_snapshots > 0 ||
        (header->backing_name != NULL && (header->autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0))
        return kiln_error_set(opening->error, KILN_ERROR_INVALID,
                              "its features contradict its external data file");
    q->data_file = options->open_data(header->data_file, "raw", options->depth + 1,
                                      options->opener_data, opening->error);
    q->data = q->data_file;
    return q->data_file != NULL;
}

/* What a layer says of itself to who stands on it. */
static void
describe(Qcow2 *q)
{
    const KilnBlock *child = q->block.child;
    size_t below = child->request_size;

    if (q->backing != NULL)
        below = MAX(below, q->backing->request_size);
    if (q->data_file != NULL)
        below = MAX(below, q->data_file->request_size);
    qcow2_ios_free(q);
    q->io_scratch = below;
    q->block.request_size = ((sizeof(Qcow2Part) + 15) & ~(size_t)15) + below;
    q->block.length = kiln_align_up(q->size, 512);
    q->block.alignment = child->alignment;
    q->block.block_size = child->block_size;
    q->block.physical_size = child->physical_size;
    q->block.rotational = child->rotational;
    q->block.discard_granularity = q->block.read_only ? 0 : (uint32_t)q->cluster_size;
}

static Qcow2 *
new_layer(const KilnQcow2Options *options)
{
    Qcow2 *q = g_new0(Qcow2, 1);

    q->block.ops = &qcow2_ops;
    q->block.child = options->child;
    q->block.context = options->child->context;
    q->block.read_only = options->read_only;
    q->path = g_strdup(options->path != NULL ? options->path : "");
    q->discard_no_unref = options->discard_no_unref;
    q->keep_space = options->keep_space;
    q->freed = g_array_new(FALSE, FALSE, sizeof(Qcow2Freed));
    q->io_scratch = options->child->request_size;
    q->queue_end = &q->queue;
    qcow2_tasks_init(&q->tasks, QCOW2_MAX_TASKS);
    return q;
}

static gboolean
open_image(Opening *opening)
{
    Qcow2 *q = opening->q;

    qcow2_run_task(q, load_task, opening);
    if (!opening->done || !open_backing(opening) || !open_data(opening) ||
        !qcow2_load_unzip(q, opening->error))
        return FALSE;
    describe(q);
    if ((q->incompatible & QCOW2_INCOMPATIBLE_DIRTY) != 0 && !q->block.read_only) {
        opening->done = FALSE;
        qcow2_run_task(q, repair_task, opening);
    }
    return opening->done;
}

KilnBlock *
kiln_qcow2_open(const KilnQcow2Options *options, GError **error)
{
    g_auto(KilnQcow2Header) header = { 0 };
    Qcow2 *q = new_layer(options);
    g_autoptr(GError) failure = NULL;
    Opening opening = { .q = q, .options = options, .header = &header, .error = &failure };

    q->opened = open_image(&opening);
    if (q->opened)
        return &q->block;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "disk image '%s': ", q->path);
    kiln_block_free(&q->block);
    return NULL;
}
