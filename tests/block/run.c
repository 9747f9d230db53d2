/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See run.h. */
#include "tests/block/run.h"

#include <string.h>

#include "tests/lib/kiln-test.h"

enum { N_ROUNDS = 12 };

static void
io_done(KilnBlockRequest *request, int result)
{
    Io *io = (Io *)request;

    io->done = TRUE;
    io->n_done++;
    io->result = result;
}

void
io_begin(Io *io, KilnBlock *block, KilnBlockOp op, uint64_t offset, uint64_t length)
{
    *io = (Io){ .bytes = g_malloc0(length + 1) };
    io->iov[0] = (struct iovec){ io->bytes, length };
    io->request = (KilnBlockRequest){
        .op = op,
        .offset = offset,
        .length = length,
        .iov = io->iov,
        .n_iov = length > 0,
        .done = io_done,
        .scratch = g_aligned_alloc0(1, block->request_size, 64),
    };
}

/* Makes several buffers of one, at multiples of @grain and somewhere else too. */
void
io_split(Io *io, GRand *rand)
{
    uint64_t left = io->request.length;
    uint8_t *at = io->bytes;
    unsigned n = 0;

    for (; left > 0 && n + 1 < IO_MAX_IOV; n++) {
        uint64_t here = g_rand_boolean(rand) ? 4096 : (uint64_t)g_rand_int_range(rand, 0, 9000);

        here = MIN(here, left);
        io->iov[n] = (struct iovec){ at, here };
        at += here;
        left -= here;
    }
    io->iov[n] = (struct iovec){ at, left };
    io->request.n_iov = n + 1;
}

void
io_submit(KilnBlock *block, Io *io)
{
    block->ops->submit(block, &io->request);
}

int
io_wait(Io *io)
{
    while (!io->done)
        g_main_context_iteration(NULL, TRUE);
    return io->result;
}

void
io_clear(Io *io)
{
    ck_assert_uint_eq(io->n_done, 1);
    g_aligned_free(io->request.scratch);
    g_free(io->bytes);
}

/* Does one request.  @data: (nullable): read into, or written from. */
int
io_do(KilnBlock *block, KilnBlockOp op, uint64_t offset, void *data, uint64_t length)
{
    Io io;
    int result;

    io_begin(&io, block, op, offset, length);
    if (op == KILN_BLOCK_WRITE)
        memcpy(io.bytes, data, length);
    io_submit(block, &io);
    result = io_wait(&io);
    if (op == KILN_BLOCK_READ && result == 0)
        memcpy(data, io.bytes, length);
    io_clear(&io);
    return result;
}

/* ---- Against the model ---- */

typedef struct {
    KilnBlock *block;
    GRand *rand;
    uint8_t *model;
    Io ios[RUN_SLOTS];
    uint32_t grain; /* bytes */
} Run;

static void
begin_one(Run *run, unsigned slot)
{
    static const KilnBlockOp ops[] = { KILN_BLOCK_READ, KILN_BLOCK_READ, KILN_BLOCK_WRITE,
                                       KILN_BLOCK_WRITE, KILN_BLOCK_WRITE_ZEROES };
    Io *io = &run->ios[slot];
    KilnBlockOp op = ops[g_rand_int_range(run->rand, 0, G_N_ELEMENTS(ops))];
    int n_grains = RUN_SLOT_BYTES / (int)run->grain;
    int first = g_rand_int_range(run->rand, 0, n_grains);
    int n = g_rand_int_range(run->rand, 1, n_grains - first + 1);
    uint64_t offset = (uint64_t)slot * RUN_SLOT_BYTES + (uint64_t)first * run->grain;
    uint64_t length = (uint64_t)n * run->grain;

    io_begin(io, run->block, op, offset, length);
    if (g_rand_boolean(run->rand))
        io_split(io, run->rand);
    if (op != KILN_BLOCK_READ && g_rand_boolean(run->rand))
        io->request.flags |= KILN_BLOCK_FUA;
    if (op == KILN_BLOCK_WRITE_ZEROES)
        memset(run->model + offset, 0, length);
    if (op == KILN_BLOCK_WRITE) {
        memset(io->bytes, g_rand_int_range(run->rand, 1, 256), length);
        memcpy(run->model + offset, io->bytes, length);
    }
    io_submit(run->block, io);
}

static void
end_one(Run *run, Io *io)
{
    ck_assert_int_eq(io_wait(io), 0);
    if (io->request.op == KILN_BLOCK_READ)
        ck_assert_mem_eq(io->bytes, run->model + io->request.offset, io->request.length);
    io_clear(io);
}

/* More than a piece, in one buffer and in many. */
static void
do_large(Run *run)
{
    uint64_t offset = RUN_SLOTS * RUN_SLOT_BYTES;
    uint8_t *bytes = run->model + offset;
    Io io;

    for (unsigned i = 0; i < RUN_LARGE_BYTES; i++)
        bytes[i] = (uint8_t)(i / 509);
    ck_assert_int_eq(io_do(run->block, KILN_BLOCK_WRITE, offset, bytes, RUN_LARGE_BYTES), 0);
    io_begin(&io, run->block, KILN_BLOCK_READ, offset, RUN_LARGE_BYTES);
    io_split(&io, run->rand);
    io_submit(run->block, &io);
    end_one(run, &io);
    ck_assert_int_eq(io_do(run->block, KILN_BLOCK_WRITE_ZEROES, offset + MIB, NULL, MIB), 0);
    memset(bytes + MIB, 0, MIB);
}

void
run_check(KilnBlock *block, uint32_t grain, unsigned seed)
{
    Run run = {
        .block = block,
        .rand = g_rand_new_with_seed(seed),
        .model = g_malloc0(RUN_DISK_BYTES),
        .grain = grain,
    };
    g_autofree uint8_t *all = g_malloc(RUN_DISK_BYTES);

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        for (unsigned i = 0; i < RUN_SLOTS; i++)
            begin_one(&run, i);
        for (unsigned i = 0; i < RUN_SLOTS; i++)
            end_one(&run, &run.ios[i]);
    }
    do_large(&run);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_FLUSH, 0, NULL, 0), 0);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_READ, 0, all, RUN_DISK_BYTES), 0);
    ck_assert_mem_eq(all, run.model, RUN_DISK_BYTES);
    g_free(run.model);
    g_rand_free(run.rand);
}

void
run_free(KilnBlock *block)
{
    block->ops->free(block);
}
