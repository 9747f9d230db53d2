/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading what is in several pieces, in tables that must be loaded, or compressed. */
#include "block/qcow2-private.h"

#include "base/intmath.h"
#include "base/module.h"

#include <errno.h>

/* A range of the guest's, and where it goes. */
typedef struct {
    Qcow2Group group;
    const struct iovec *iov;
    unsigned n_iov;
} Reader;

/* The backing image may be shorter than the disk: past its end there are zeroes. */
static void
read_backing(Qcow2 *q, Reader *reader, uint64_t offset, uint64_t length, uint64_t skip)
{
    uint64_t there = 0;

    if (q->backing != NULL && offset < q->backing->length)
        there = MIN(length, kiln_align_up(q->backing->length - offset, 512));
    if (there > 0)
        qcow2_io_start(q, &reader->group, q->backing, KILN_BLOCK_READ, 0, offset, there,
                       reader->iov, reader->n_iov, skip);
    if (there < length)
        qcow2_iov_fill(reader->iov, reader->n_iov, skip + there, NULL, length - there);
}

gboolean
qcow2_load_unzip(Qcow2 *q, GError **error)
{
    if (q->compression_type == 0)
        return TRUE;
    q->unzip = kiln_module_load("qcow2-zstd.so", "kiln_qcow2_unzip", error);
    return q->unzip != NULL;
}

/* Has the cluster of @entry in q->unzipped, until the caller waits. */
static int
unzip(Qcow2 *q, uint64_t entry)
{
    uint64_t unit = MAX(512, q->block.child->block_size);
    g_autofree uint8_t *zipped = NULL;
    uint64_t offset, length, start;
    int result;

    if (q->unzipped_entry == entry)
        return 0;
    if (q->unzip == NULL)
        q->unzip = kiln_module_load("qcow2-zlib.so", "kiln_qcow2_unzip", NULL);
    if (q->unzip == NULL)
        return -ENOSYS;
    qcow2_compressed_range(q, entry, &offset, &length);
    if (offset >= q->file_end)
        return qcow2_found_corrupt(q, "a compressed cluster is past its end");
    start = kiln_align_down(offset, unit);
    zipped = g_malloc(kiln_align_up(offset + length, unit) - start);
    result = qcow2_pread(q, start, zipped, kiln_align_up(offset + length, unit) - start);
    if (result < 0)
        return result;
    if (q->unzipped == NULL)
        q->unzipped = g_malloc(q->cluster_size);
    q->unzipped_entry = 0;
    if (!q->unzip->unzip(zipped + (offset - start), length, q->unzipped, q->cluster_size))
        return -EIO;
    q->unzipped_entry = entry;
    return 0;
}

static int
read_run(Qcow2 *q, Reader *reader, uint64_t offset, const Qcow2Run *run, uint64_t skip)
{
    int result;

    switch (run->kind) {
    case QCOW2_DATA:
        qcow2_io_start(q, &reader->group, q->data, KILN_BLOCK_READ, 0, run->host, run->length,
                       reader->iov, reader->n_iov, skip);
        return 0;
    case QCOW2_COMPRESSED_DATA:
        result = unzip(q, run->entry);
        if (result == 0)
            qcow2_iov_fill(reader->iov, reader->n_iov, skip,
                           q->unzipped + (offset & (q->cluster_size - 1)), run->length);
        return result;
    case QCOW2_UNALLOCATED: read_backing(q, reader, offset, run->length, skip); return 0;
    case QCOW2_ZEROES:
    default: qcow2_iov_fill(reader->iov, reader->n_iov, skip, NULL, run->length); return 0;
    }
}

int
qcow2_read(Qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov,
           uint64_t skip)
{
    Reader reader = { .iov = iov, .n_iov = n_iov };
    uint64_t inside = offset < q->block.length ? MIN(length, q->block.length - offset) : 0;
    int result = 0;

    for (uint64_t done = 0; done < inside && result == 0;) {
        Qcow2Run run;

        result = qcow2_map(q, offset + done, inside - done, &run);
        if (result == 0)
            result = read_run(q, &reader, offset + done, &run, skip + done);
        done += run.length;
    }
    if (inside < length)
        qcow2_iov_fill(iov, n_iov, skip + inside, NULL, length - inside);
    if (qcow2_group_wait(q, &reader.group) < 0 && result == 0)
        result = reader.group.result;
    return result;
}
