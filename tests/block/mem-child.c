/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See mem-child.h. */
#include "tests/block/mem-child.h"

#include "base/intmath.h"

#include <errno.h>
#include <string.h>

typedef struct {
    KilnBlock block;
    uint8_t *data; /* (owned): MEM_CHILD_MAX bytes */
    uint64_t count;
} MemChild;

static int
perform(MemChild *child, const KilnBlockRequest *request)
{
    uint64_t at = request->offset;

    if (request->op == KILN_BLOCK_FLUSH)
        return 0;
    if (request->op != KILN_BLOCK_READ && child->block.read_only)
        return -EROFS;
    g_assert(((request->offset | request->length) & 511) == 0);
    if (!kiln_range_inside(request->offset, request->length, MEM_CHILD_MAX)) {
        for (unsigned i = 0; request->op == KILN_BLOCK_READ && i < request->n_iov; i++)
            memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
        return request->op == KILN_BLOCK_WRITE ? -ENOSPC : 0;
    }
    if (request->op != KILN_BLOCK_READ && request->op != KILN_BLOCK_WRITE)
        memset(child->data + at, 0, request->length);
    for (unsigned i = 0; i < request->n_iov; i++) {
        const struct iovec *iov = &request->iov[i];

        if (request->op == KILN_BLOCK_READ)
            memcpy(iov->iov_base, child->data + at, iov->iov_len);
        else
            memcpy(child->data + at, iov->iov_base, iov->iov_len);
        at += iov->iov_len;
    }
    return 0;
}

static void
submit(KilnBlock *block, KilnBlockRequest *request)
{
    MemChild *child = (MemChild *)block;

    child->count++;
    request->done(request, perform(child, request));
}

static void
child_free(KilnBlock *block)
{
    MemChild *child = (MemChild *)block;

    g_free(child->data);
    g_free(child);
}

static const KilnBlockOps ops = { .name = "memory", .submit = submit, .free = child_free };

KilnBlock *
mem_child_new(const uint8_t *data, size_t length, gboolean read_only)
{
    MemChild *child = g_new0(MemChild, 1);

    length = MIN(length, (size_t)MEM_CHILD_MAX);
    child->data = g_malloc0(MEM_CHILD_MAX);
    memcpy(child->data, data, length);
    child->block = (KilnBlock){
        .ops = &ops,
        .length = kiln_align_up(length, 512),
        .alignment = 1,
        .block_size = 512,
        .discard_granularity = 512,
        .read_only = read_only,
        .request_size = 16,
    };
    return &child->block;
}

uint64_t
mem_child_count(const KilnBlock *block)
{
    return ((const MemChild *)block)->count;
}

typedef struct {
    KilnBlockRequest request;
    gboolean done;
    int result;
} Await;

static void
await_done(KilnBlockRequest *request, int result)
{
    ((Await *)request)->result = result;
    ((Await *)request)->done = TRUE;
}

int
mem_child_request(KilnBlock *block, KilnBlockOp op, unsigned flags, uint64_t offset, void *data,
                  uint64_t length)
{
    g_autofree void *scratch = g_malloc(block->request_size);
    struct iovec iov = { .iov_base = data, .iov_len = length };
    Await await = { .request = { .op = op,
                                 .flags = flags,
                                 .offset = offset,
                                 .length = length,
                                 .iov = &iov,
                                 .n_iov = data != NULL ? 1 : 0,
                                 .done = await_done,
                                 .scratch = scratch } };

    block->ops->submit(block, &await.request);
    while (!await.done)
        g_main_context_iteration(NULL, TRUE);
    return await.result;
}
