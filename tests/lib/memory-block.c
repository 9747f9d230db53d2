/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See memory-block.h. */
#include "tests/lib/memory-block.h"

#include <string.h>

#include "base/intmath.h"
#include "loop/source.h"

/* What a request's scratch must have held on to when it is done: somebody else's is overwritten. */
typedef struct {
    KilnBlockRequest *request;
    uint64_t offset, length;
    KilnBlockOp op;
} Note;

static void
copy(MemoryBlock *memory, const KilnBlockRequest *request)
{
    uint8_t *at = memory->bytes + request->offset;
    uint64_t left = request->length;

    for (unsigned i = 0; i < request->n_iov; i++) {
        const struct iovec *iov = &request->iov[i];

        g_assert(iov->iov_len <= left);
        if (request->op == KILN_BLOCK_READ)
            memcpy(iov->iov_base, at, iov->iov_len);
        else
            memcpy(at, iov->iov_base, iov->iov_len);
        at += iov->iov_len;
        left -= iov->iov_len;
    }
    g_assert(left == 0);
}

static void
count(MemoryBlock *memory, const KilnBlockRequest *request)
{
    MemoryBlockSeen *seen = &memory->seen;

    seen->reads += request->op == KILN_BLOCK_READ;
    seen->writes += request->op == KILN_BLOCK_WRITE;
    seen->flushes += request->op == KILN_BLOCK_FLUSH;
    seen->discards += request->op == KILN_BLOCK_DISCARD;
    seen->zeroes += request->op == KILN_BLOCK_WRITE_ZEROES;
    seen->fua += (request->flags & KILN_BLOCK_FUA) != 0;
    seen->may_unmap += (request->flags & KILN_BLOCK_MAY_UNMAP) != 0;
}

static int
execute(MemoryBlock *memory, KilnBlockRequest *request)
{
    const Note *note = request->scratch;

    g_assert(note->request == request && note->offset == request->offset &&
             note->length == request->length && note->op == request->op);
    if (memory->n_to_fail > 0 && memory->to_fail & 1u << request->op) {
        memory->n_to_fail--;
        return -memory->error;
    }
    count(memory, request);
    if (request->op == KILN_BLOCK_READ || request->op == KILN_BLOCK_WRITE)
        copy(memory, request);
    else if (request->op != KILN_BLOCK_FLUSH)
        memset(memory->bytes + request->offset, 0, request->length);
    return 0;
}

void
memory_block_complete(MemoryBlock *memory, unsigned index)
{
    KilnBlockRequest *request = memory->pending[index];

    g_assert(index < memory->n_pending);
    memory->n_pending--;
    memmove(memory->pending + index, memory->pending + index + 1,
            (memory->n_pending - index) * sizeof *memory->pending);
    request->done(request, execute(memory, request));
}

static gboolean
complete_all(gpointer data)
{
    MemoryBlock *memory = data;
    unsigned n = memory->n_pending;

    kiln_source_free(g_steal_pointer(&memory->source));
    while (n-- > 0)
        memory_block_complete(memory, n);
    return G_SOURCE_REMOVE;
}

static void
memory_submit(KilnBlock *block, KilnBlockRequest *request)
{
    MemoryBlock *memory = (MemoryBlock *)block;

    *(Note *)request->scratch = (Note){ request, request->offset, request->length, request->op };
    if (memory->mode == MEMORY_BLOCK_SYNC) {
        request->done(request, execute(memory, request));
        return;
    }
    g_assert(memory->n_pending < MEMORY_BLOCK_MAX_PENDING);
    memory->pending[memory->n_pending++] = request;
    if (memory->mode == MEMORY_BLOCK_LOOP && memory->source == NULL) {
        memory->source = g_idle_source_new();
        g_source_set_priority(memory->source, G_PRIORITY_DEFAULT);
        g_source_set_callback(memory->source, complete_all, memory, NULL);
        g_source_attach(memory->source, block->context);
    }
}

static void
memory_free(KilnBlock *block)
{
    MemoryBlock *memory = (MemoryBlock *)block;

    g_assert(memory->n_pending == 0);
    g_free(memory->pending);
    g_free(memory->bytes);
    g_free(memory);
}

static const KilnBlockOps memory_ops = {
    .name = "memory",
    .submit = memory_submit,
    .free = memory_free,
};

MemoryBlock *
memory_block_new(uint64_t length, GMainContext *context)
{
    MemoryBlock *memory = g_new0(MemoryBlock, 1);

    memory->block = (KilnBlock){
        .ops = &memory_ops,
        .context = context,
        .length = length,
        .alignment = 1,
        .block_size = 512,
        .physical_size = 512,
        .discard_granularity = 4096,
        .request_size = kiln_align_up(sizeof(Note), 16),
    };
    memory->bytes = g_malloc0(length);
    memory->pending = g_new(KilnBlockRequest *, MEMORY_BLOCK_MAX_PENDING);
    return memory;
}

void
memory_block_fail(MemoryBlock *memory, unsigned n, unsigned ops, int error)
{
    memory->n_to_fail = n;
    memory->to_fail = ops;
    memory->error = error;
}
