/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child's requests, from tasks.  The child is written past its end, so it is called directly.
 */
#include "block/qcow2-private.h"

#include "base/intmath.h"

enum { ZEROES = 16384 }; /* bytes */

/* Never written, so never memory of its own. */
static uint8_t zeroes[ZEROES] __attribute__((aligned(4096)));

static void
io_done(KilnBlockRequest *request, int result)
{
    Qcow2Io *io = (Qcow2Io *)request;
    Qcow2 *q = io->q;
    Qcow2Group *group = io->group;

    io->next = q->ios;
    q->ios = io;
    if (result < 0 && group->result == 0)
        group->result = result;
    group->pending--;
    qcow2_task_wake(&q->tasks, group->task);
}

/* One that is not used, with room for @n_iov pieces. */
static Qcow2Io *
io_get(Qcow2 *q, unsigned n_iov)
{
    Qcow2Io *io = q->ios;

    if (io == NULL) {
        size_t head = (sizeof *io + 15) & ~(size_t)15;

        io = g_malloc0(head + q->io_scratch);
        io->q = q;
        io->request.scratch = (char *)io + head;
    } else {
        q->ios = io->next;
    }
    if (io->max_iov < n_iov) {
        io->iov = g_renew(struct iovec, io->iov, n_iov);
        io->max_iov = n_iov;
    }
    return io;
}

void
qcow2_ios_free(Qcow2 *q)
{
    while (q->ios != NULL) {
        Qcow2Io *io = q->ios;

        q->ios = io->next;
        g_free(io->iov);
        g_free(io);
    }
}

/* The pieces of @length bytes from @skip of @iov. */
static unsigned
slice_iov(struct iovec *to, const struct iovec *iov, unsigned n_iov, uint64_t skip, uint64_t length)
{
    unsigned n = 0;

    for (unsigned i = 0; i < n_iov && length > 0; i++) {
        size_t take;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        take = MIN(iov[i].iov_len - skip, length);
        to[n++] = (struct iovec){ .iov_base = (char *)iov[i].iov_base + skip, .iov_len = take };
        length -= take;
        skip = 0;
    }
    return n;
}

void
qcow2_io_start(Qcow2 *q, Qcow2Group *group, KilnBlock *target, KilnBlockOp op, unsigned flags,
               uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov,
               uint64_t skip)
{
    Qcow2Io *io;
    void *scratch;

    group->task = q->tasks.current;
    while (group->pending >= QCOW2_MAX_PENDING)
        qcow2_task_park(&q->tasks);
    io = io_get(q, n_iov);
    io->group = group;
    scratch = io->request.scratch;
    io->request = (KilnBlockRequest){
        .op = op,
        .flags = flags,
        .offset = offset,
        .length = length,
        .iov = io->iov,
        .n_iov = slice_iov(io->iov, iov, n_iov, skip, length),
        .done = io_done,
        .scratch = scratch,
    };
    group->pending++;
    if (op == KILN_BLOCK_WRITE && target == q->block.child)
        q->file_end = MAX(q->file_end, offset + length);
    target->ops->submit(target, &io->request);
}

int
qcow2_group_wait(Qcow2 *q, Qcow2Group *group)
{
    while (group->pending > 0)
        qcow2_task_park(&q->tasks);
    return group->result;
}

static int
transfer(Qcow2 *q, KilnBlockOp op, uint64_t offset, void *data, size_t length)
{
    struct iovec iov = { .iov_base = data, .iov_len = length };
    Qcow2Group group = { 0 };

    qcow2_io_start(q, &group, q->block.child, op, 0, offset, length, &iov, 1, 0);
    return qcow2_group_wait(q, &group);
}

int
qcow2_pread(Qcow2 *q, uint64_t offset, void *data, size_t length)
{
    return transfer(q, KILN_BLOCK_READ, offset, data, length);
}

int
qcow2_pwrite(Qcow2 *q, uint64_t offset, const void *data, size_t length)
{
    return transfer(q, KILN_BLOCK_WRITE, offset, (void *)data, length);
}

int
qcow2_read_bytes(Qcow2 *q, uint64_t offset, void *data, size_t length)
{
    uint64_t unit = MAX(512, q->block.child->block_size);
    uint64_t start = kiln_align_down(offset, unit);
    size_t whole = kiln_align_up(offset + length, unit) - start;
    g_autofree uint8_t *sectors = g_malloc(whole);
    int result = length > 0 ? qcow2_pread(q, start, sectors, whole) : 0;

    if (result == 0 && length > 0)
        memcpy(data, sectors + (offset - start), length);
    return result;
}

unsigned
qcow2_zero_iovs(uint64_t length)
{
    return (unsigned)((length + ZEROES - 1) / ZEROES);
}

void
qcow2_zero_iov_fill(struct iovec *iov, uint64_t length)
{
    for (; length > 0; iov++) {
        size_t take = MIN(length, (uint64_t)ZEROES);

        *iov = (struct iovec){ .iov_base = zeroes, .iov_len = take };
        length -= take;
    }
}

int
qcow2_pwrite_zeroes(Qcow2 *q, uint64_t offset, uint64_t length)
{
    struct iovec iov[16];
    Qcow2Group group = { 0 };

    while (length > 0 && group.result == 0) {
        uint64_t take = MIN(length, (uint64_t)ZEROES * G_N_ELEMENTS(iov));

        qcow2_zero_iov_fill(iov, take);
        qcow2_io_start(q, &group, q->block.child, KILN_BLOCK_WRITE, 0, offset, take, iov,
                       qcow2_zero_iovs(take), 0);
        offset += take;
        length -= take;
    }
    return qcow2_group_wait(q, &group);
}

int
qcow2_child_flush(Qcow2 *q)
{
    Qcow2Group group = { 0 };

    if (q->data_file != NULL)
        qcow2_io_start(q, &group, q->data_file, KILN_BLOCK_FLUSH, 0, 0, 0, NULL, 0, 0);
    qcow2_io_start(q, &group, q->block.child, KILN_BLOCK_FLUSH, 0, 0, 0, NULL, 0, 0);
    return qcow2_group_wait(q, &group);
}

/* The header is small, its unit of writing may not be. */
int
qcow2_header_write(Qcow2 *q, unsigned at, const void *data, size_t length)
{
    size_t unit = MAX(512, q->block.child->block_size);
    g_autofree uint8_t *sector = g_malloc0(unit);
    int result = qcow2_pread(q, 0, sector, unit);

    g_assert(at + length <= 512);
    if (result < 0)
        return result;
    memcpy(sector + at, data, length);
    return qcow2_pwrite(q, 0, sector, unit);
}

void
qcow2_iov_fill(const struct iovec *iov, unsigned n_iov, uint64_t skip, const uint8_t *from,
               uint64_t length)
{
    for (unsigned i = 0; i < n_iov && length > 0; i++) {
        size_t take;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        take = MIN(iov[i].iov_len - skip, length);
        if (from == NULL) {
            memset((char *)iov[i].iov_base + skip, 0, take);
        } else {
            memcpy((char *)iov[i].iov_base + skip, from, take);
            from += take;
        }
        length -= take;
        skip = 0;
    }
}

typedef struct {
    Qcow2TaskFunc func;
    gpointer data;
    gboolean done;
} Run;

static void
run(gpointer data)
{
    Run *what = data;

    what->func(what->data);
    what->done = TRUE;
}

void
qcow2_run_task(Qcow2 *q, Qcow2TaskFunc func, gpointer data)
{
    Run what = { .func = func, .data = data };

    qcow2_task_start(&q->tasks, run, &what);
    while (!what.done)
        g_main_context_iteration(q->block.child->context, TRUE);
}
