/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Internal snapshots (qcow2.txt, "Snapshots"): showing one instead of the disk. */
#include "block/qcow2-private.h"

#include "base/error.h"
#include "base/intmath.h"

enum {
    ENTRY_HEAD = 40, /* bytes */
    AT_L1_OFFSET = 0,
    AT_N_L1 = 8,
    AT_ID_LENGTH = 12,
    AT_NAME_LENGTH = 14,
    AT_EXTRA_LENGTH = 36,
    EXTRA_DISK_SIZE = 8, /* in the extra data */
    EXTRA_WITH_SIZE = 16,
    MAX_TABLE = 64 << 20, /* bytes, as QEMU */
};

gboolean
qcow2_snapshot_next(Qcow2 *q, uint64_t *at, Qcow2Snapshot *snapshot, GError **error)
{
    uint8_t head[ENTRY_HEAD];
    uint32_t id_length, name_length, extra_length;
    g_autofree uint8_t *rest = NULL;
    size_t length;

    if (*at - q->snapshots_offset > MAX_TABLE || *at >= q->file_end)
        return kiln_error_set(error, KILN_ERROR_INVALID, "its snapshot table is too long");
    if (qcow2_read_bytes(q, *at, head, sizeof head) < 0)
        return kiln_error_set(error, KILN_ERROR_FAILED, "cannot read its snapshot table");
    id_length = kiln_be16_load(head + AT_ID_LENGTH);
    name_length = kiln_be16_load(head + AT_NAME_LENGTH);
    extra_length = kiln_be32_load(head + AT_EXTRA_LENGTH);
    if (extra_length > QCOW2_MAX_SNAPSHOT_EXTRA)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "an entry of its snapshot table is nonsense");
    length = extra_length + id_length + name_length;
    rest = g_malloc0(length + 1);
    if (qcow2_read_bytes(q, *at + ENTRY_HEAD, rest, length) < 0)
        return kiln_error_set(error, KILN_ERROR_FAILED, "cannot read its snapshot table");
    *snapshot = (Qcow2Snapshot){
        .l1_offset = kiln_be64_load(head + AT_L1_OFFSET),
        .n_l1 = kiln_be32_load(head + AT_N_L1),
        .size = extra_length >= EXTRA_WITH_SIZE ? kiln_be64_load(rest + EXTRA_DISK_SIZE) : q->size,
        .id = g_strndup((const char *)rest + extra_length, id_length),
        .name = g_strndup((const char *)rest + extra_length + id_length, name_length),
    };
    *at = kiln_align_up(*at + ENTRY_HEAD + length, 8);
    if (snapshot->n_l1 > QCOW2_MAX_L1_BYTES / 8 || snapshot->l1_offset % q->cluster_size != 0 ||
        !kiln_range_inside(snapshot->l1_offset, (uint64_t)snapshot->n_l1 * 8, q->file_end)) {
        qcow2_snapshot_clear(snapshot);
        return kiln_error_set(error, KILN_ERROR_INVALID, "a snapshot's L1 table is past its end");
    }
    return TRUE;
}

void
qcow2_snapshot_clear(Qcow2Snapshot *snapshot)
{
    g_clear_pointer(&snapshot->id, g_free);
    g_clear_pointer(&snapshot->name, g_free);
}

/* Shows it: the image is read-only. */
static gboolean
use(Qcow2 *q, const Qcow2Snapshot *snapshot, GError **error)
{
    uint64_t span = q->cluster_size << q->l2_bits;

    if (snapshot->size > INT64_MAX - span || snapshot->n_l1 < (snapshot->size + span - 1) / span)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the L1 table of snapshot '%s' is too small for its size",
                              snapshot->name);
    q->size = snapshot->size;
    q->l1_offset = snapshot->l1_offset;
    q->n_l1 = snapshot->n_l1;
    return TRUE;
}

gboolean
qcow2_snapshot_find(Qcow2 *q, const char *wanted, GError **error)
{
    uint64_t at = q->snapshots_offset;

    for (int by_name = 0; by_name < 2; by_name++) {
        at = q->snapshots_offset;
        for (uint32_t i = 0; i < q->n_snapshots; i++) {
            g_auto(Qcow2Snapshot) snapshot = { 0 };

            if (!qcow2_snapshot_next(q, &at, &snapshot, error))
                return FALSE;
            if (g_strcmp0(by_name ? snapshot.name : snapshot.id, wanted) == 0)
                return use(q, &snapshot, error);
        }
    }
    return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "it has no snapshot '%s'", wanted);
}
