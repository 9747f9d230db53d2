/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See block.h.  submit -> range, sizes, permission -> the top layer's submit */
#include "block/block.h"

#include <errno.h>

#include "base/error.h"
#include "base/intmath.h"

static gboolean
iov_fits(const KilnBlockRequest *request)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < request->n_iov; i++)
        if (!kiln_add_u64(sum, request->iov[i].iov_len, &sum))
            return FALSE;
    return sum == request->length;
}

static int
check(const KilnBlock *block, const KilnBlockRequest *request)
{
    if (request->op == KILN_BLOCK_FLUSH)
        return 0;
    if (!kiln_range_inside(request->offset, request->length, block->length))
        return -EIO;
    if (request->op != KILN_BLOCK_READ && block->read_only)
        return -EROFS;
    if (((request->offset | request->length) & (block->block_size - 1)) != 0)
        return -EINVAL;
    switch (request->op) {
    case KILN_BLOCK_READ:
    case KILN_BLOCK_WRITE: return iov_fits(request) ? 0 : -EINVAL;
    case KILN_BLOCK_DISCARD:
    case KILN_BLOCK_WRITE_ZEROES: return 0;
    default: return -EINVAL;
    }
}

void
kiln_block_submit(KilnBlock *block, KilnBlockRequest *request)
{
    int result = check(block, request);

    if (block->write_through)
        request->flags |= KILN_BLOCK_FUA;
    if (result < 0 || (request->length == 0 && request->op != KILN_BLOCK_FLUSH))
        request->done(request, result);
    else
        block->ops->submit(block, request);
}

size_t
kiln_block_request_size(const KilnBlock *block)
{
    return block->request_size;
}

void
kiln_block_free(KilnBlock *block)
{
    while (block != NULL) {
        KilnBlock *child = block->child;

        block->ops->free(block);
        block = child;
    }
}

gboolean
kiln_block_resize(KilnBlock *block, uint64_t length, GError **error)
{
    if (block->read_only)
        return kiln_error_set(error, KILN_ERROR_STATE, "the disk is read-only");
    if (block->ops->resize == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "a disk of the kind '%s' cannot be resized", block->ops->name);
    return block->ops->resize(block, length, error);
}
