/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See slice.h. */
#include "block/slice.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/intmath.h"

typedef struct {
    KilnBlock base;
    uint64_t offset; /* bytes */
} Slice;

/* In the request's scratch, with the child's behind it. */
typedef struct {
    KilnBlockRequest child; /* first */
    KilnBlockRequest *parent;
} Part;

static void
slice_done(KilnBlockRequest *child, int result)
{
    KilnBlockRequest *parent = ((Part *)child)->parent;

    parent->done(parent, result);
}

static void
clear(const KilnBlockRequest *request)
{
    for (unsigned i = 0; i < request->n_iov; i++)
        memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
}

static void
slice_submit(KilnBlock *base, KilnBlockRequest *request)
{
    const Slice *slice = (Slice *)base;
    Part *part = request->scratch;

    /* A format above may go past the end of its file: nothing else may be behind it here. */
    if (!kiln_range_inside(request->offset, request->length, base->length)) {
        if (request->op == KILN_BLOCK_READ && request->offset >= base->length)
            clear(request);
        request->done(request, request->op != KILN_BLOCK_READ    ? -ENOSPC
                               : request->offset >= base->length ? 0
                                                                 : -EIO);
        return;
    }
    part->parent = request;
    part->child = *request;
    part->child.offset += slice->offset;
    part->child.done = slice_done;
    part->child.scratch = (char *)request->scratch + kiln_align_up(sizeof(Part), 16);
    base->child->ops->submit(base->child, &part->child);
}

static void
slice_free(KilnBlock *base)
{
    g_free(base);
}

static const KilnBlockOps slice_ops = {
    .name = "slice",
    .submit = slice_submit,
    .free = slice_free,
};

KilnBlock *
kiln_slice_open(KilnBlock *child, uint64_t offset, uint64_t length, GError **error)
{
    Slice *slice;

    if (length == 0 && offset <= child->length)
        length = child->length - offset;
    if (((offset | length) & 511) != 0 || !kiln_range_inside(offset, length, child->length)) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "a slice of %" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                       " is not a part of %" G_GUINT64_FORMAT " bytes in blocks of 512",
                       length, offset, child->length);
        kiln_block_free(child);
        return NULL;
    }
    slice = g_new0(Slice, 1);
    slice->base = *child;
    slice->base.ops = &slice_ops;
    slice->base.child = child;
    slice->base.length = length;
    slice->base.request_size += kiln_align_up(sizeof(Part), 16);
    slice->offset = offset;
    return &slice->base;
}
