/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See zeroes.h.  A guest that changes its buffer while it is looked at gets either. */
#include "block/zeroes.h"

#include <string.h>

#include "base/intmath.h"

typedef struct {
    KilnBlock base;
    gboolean unmap;
} Zeroes;

/* In the request's scratch, with the child's behind it. */
typedef struct {
    KilnBlockRequest child; /* first */
    KilnBlockRequest *parent;
} Part;

gboolean
kiln_is_zero(const void *data, size_t length)
{
    const char *bytes = data;
    size_t begin = MIN(length, 16);

    for (size_t i = 0; i < begin; i++)
        if (bytes[i] != 0)
            return FALSE;
    return length <= 16 || memcmp(bytes, bytes + 16, length - 16) == 0;
}

static gboolean
all_zero(const KilnBlockRequest *request)
{
    for (unsigned i = 0; i < request->n_iov; i++)
        if (!kiln_is_zero(request->iov[i].iov_base, request->iov[i].iov_len))
            return FALSE;
    return TRUE;
}

static void
zeroes_done(KilnBlockRequest *child, int result)
{
    KilnBlockRequest *parent = ((Part *)child)->parent;

    parent->done(parent, result);
}

static void
zeroes_submit(KilnBlock *base, KilnBlockRequest *request)
{
    const Zeroes *zeroes = (Zeroes *)base;
    Part *part = request->scratch;

    if (request->op != KILN_BLOCK_WRITE || !all_zero(request)) {
        base->child->ops->submit(base->child, request);
        return;
    }
    part->parent = request;
    part->child = (KilnBlockRequest){
        .op = KILN_BLOCK_WRITE_ZEROES,
        .flags = request->flags | (zeroes->unmap ? KILN_BLOCK_MAY_UNMAP : 0U),
        .offset = request->offset,
        .length = request->length,
        .done = zeroes_done,
        .scratch = (char *)request->scratch + kiln_align_up(sizeof(Part), 16),
    };
    base->child->ops->submit(base->child, &part->child);
}

static gboolean
zeroes_resize(KilnBlock *base, uint64_t length, GError **error)
{
    if (!kiln_block_resize(base->child, length, error))
        return FALSE;
    base->length = base->child->length;
    return TRUE;
}

static void
zeroes_free(KilnBlock *base)
{
    g_free(base);
}

static const KilnBlockOps zeroes_ops = {
    .name = "zeroes",
    .submit = zeroes_submit,
    .resize = zeroes_resize,
    .free = zeroes_free,
};

KilnBlock *
kiln_zeroes_open(KilnBlock *child, gboolean unmap)
{
    Zeroes *zeroes = g_new0(Zeroes, 1);

    zeroes->base = *child;
    zeroes->base.ops = &zeroes_ops;
    zeroes->base.child = child;
    zeroes->base.request_size += kiln_align_up(sizeof(Part), 16);
    zeroes->unmap = unmap;
    return &zeroes->base;
}
