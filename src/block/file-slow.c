/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests of the file layer that are more than one operation: what direct I/O does not take as it
 * is, and zeroes.
 *
 *   bounce: buffer free? -> [read the blocks] -> copy -> write -> next piece … -> done
 *   zeroes: punch a hole -> zero a range -> write zeroes: the first that the host can do
 */
#include "block/file-part.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stddef.h>
#include <string.h>

#include "base/intmath.h"

/* Where a piece lies in the file: whole blocks around what is left of the request. */
typedef struct {
    uint64_t start;  /* bytes */
    uint64_t length; /* bytes, at most KILN_FILE_BOUNCE_SIZE */
    uint64_t skip;   /* bytes of @start before the request's own */
    uint64_t own;    /* bytes of the request */
} Piece;

static void bounce_piece(KilnFilePart *part);

static KilnFilePart *
part_of(KilnUringOp *op)
{
    return (KilnFilePart *)((char *)op - offsetof(KilnFilePart, op));
}

static Piece
next_piece(const KilnFilePart *part)
{
    uint64_t align = part->file->probe.offset_align;
    uint64_t from = part->request->offset + part->position;
    uint64_t to = part->request->offset + part->request->length;
    Piece piece = { .start = kiln_align_down(from, align) };

    piece.length = MIN(kiln_align_up(to, align) - piece.start, KILN_FILE_BOUNCE_SIZE);
    piece.skip = from - piece.start;
    piece.own = MIN(to, piece.start + piece.length) - from;
    return piece;
}

/* Between the request's buffers from byte @position on, and @flat. */
static void
copy(const KilnBlockRequest *request, uint64_t position, char *flat, uint64_t length)
{
    for (unsigned i = 0; i < request->n_iov && length > 0; i++) {
        const struct iovec *iov = &request->iov[i];
        uint64_t n;

        if (position >= iov->iov_len) {
            position -= iov->iov_len;
            continue;
        }
        n = MIN(iov->iov_len - position, length);
        if (request->op == KILN_BLOCK_READ)
            memcpy((char *)iov->iov_base + position, flat, n);
        else
            memcpy(flat, (char *)iov->iov_base + position, n);
        flat += n;
        length -= n;
        position = 0;
    }
}

static void
take_bounce(KilnFilePart *part)
{
    KilnFile *file = part->file;
    unsigned index = (unsigned)__builtin_ctz(file->free_bounce);

    file->free_bounce &= ~(1U << index);
    part->bounce = file->bounce + (size_t)index * KILN_FILE_BOUNCE_SIZE;
    bounce_piece(part);
}

static void
bounce_end(KilnFilePart *part, int result)
{
    KilnFile *file = part->file;
    KilnFilePart *next = file->bounce_queue.first;

    file->free_bounce |= 1U << ((size_t)(part->bounce - file->bounce) / KILN_FILE_BOUNCE_SIZE);
    part->bounce = NULL;
    if (next != NULL) {
        file->bounce_queue.first = next->next;
        if (file->bounce_queue.first == NULL)
            file->bounce_queue.last = &file->bounce_queue.first;
        take_bounce(next);
    }
    kiln_file_part_done(part, result);
}

static void
piece_end(KilnFilePart *part, const Piece *piece)
{
    part->position += piece->own;
    if (part->position < part->request->length)
        bounce_piece(part);
    else
        bounce_end(part, 0);
}

static void
set_iov(KilnFilePart *part, uint64_t done, uint64_t length)
{
    part->iov[0].iov_base = part->bounce + done;
    part->iov[0].iov_len = length - done;
}

/* part->piece: bytes of the piece that are written. */
static void
bounce_written(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);
    KilnFile *file = part->file;
    Piece piece = next_piece(part);

    if (result == -EINTR || result == -EAGAIN)
        result = 0;
    else if (result <= 0) {
        bounce_end(part, result == 0 ? -ENOSPC : result);
        return;
    }
    part->piece += (uint64_t)result;
    if (part->piece >= piece.length) {
        piece_end(part, &piece);
        return;
    }
    part->piece = kiln_align_down(part->piece, file->probe.offset_align);
    set_iov(part, part->piece, piece.length);
    kiln_uring_writev(file->uring, op, file->fd, part->iov, 1, piece.start + part->piece,
                      (part->request->flags & KILN_BLOCK_FUA) != 0 ? RWF_DSYNC : 0);
}

static void
bounce_write(KilnFilePart *part, const Piece *piece)
{
    KilnFile *file = part->file;

    if (part->request->op == KILN_BLOCK_WRITE)
        copy(part->request, part->position, part->bounce + piece->skip, piece->own);
    else
        memset(part->bounce + piece->skip, 0, piece->own);
    part->piece = 0;
    set_iov(part, 0, piece->length);
    part->op.done = bounce_written;
    kiln_uring_writev(file->uring, &part->op, file->fd, part->iov, 1, piece->start,
                      (part->request->flags & KILN_BLOCK_FUA) != 0 ? RWF_DSYNC : 0);
}

/* part->piece: bytes of the piece that are read. */
static void
bounce_read(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);
    KilnFile *file = part->file;
    Piece piece = next_piece(part);

    if (result == -EINTR || result == -EAGAIN) {
        result = 0;
    } else if (result < 0 || (result == 0 && file->probe.is_device)) {
        bounce_end(part, result == 0 ? -EIO : result);
        return;
    } else if (result == 0 || (((uint64_t)result & (file->probe.offset_align - 1)) != 0)) {
        uint64_t there = part->piece + (uint64_t)result; /* the end of the file */

        memset(part->bounce + there, 0, piece.length - there);
        result = (int)(piece.length - part->piece);
    }
    part->piece += (uint64_t)result;
    if (part->piece < piece.length) {
        set_iov(part, part->piece, piece.length);
        kiln_uring_readv(file->uring, op, file->fd, part->iov, 1, piece.start + part->piece);
    } else if (part->request->op == KILN_BLOCK_READ) {
        copy(part->request, part->position, part->bounce + piece.skip, piece.own);
        piece_end(part, &piece);
    } else {
        bounce_write(part, &piece);
    }
}

static void
bounce_piece(KilnFilePart *part)
{
    KilnFile *file = part->file;
    Piece piece = next_piece(part);

    if (part->request->op != KILN_BLOCK_READ && piece.own == piece.length) {
        bounce_write(part, &piece);
        return;
    }
    part->piece = 0;
    set_iov(part, 0, piece.length);
    part->op.done = bounce_read;
    kiln_uring_readv(file->uring, &part->op, file->fd, part->iov, 1, piece.start);
}

void
kiln_file_part_bounce(KilnFilePart *part)
{
    KilnFile *file = part->file;

    if (file->free_bounce != 0) {
        take_bounce(part);
        return;
    }
    part->next = NULL;
    *file->bounce_queue.last = part;
    file->bounce_queue.last = &part->next;
}

static void
zeroes_written(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);

    if (result == -EINTR || result == -EAGAIN)
        result = 0;
    else if (result <= 0) {
        kiln_file_part_done(part, result == 0 ? -ENOSPC : result);
        return;
    }
    part->position =
        kiln_align_down(part->position + (uint64_t)result, part->file->probe.offset_align);
    if (part->position >= part->request->length)
        kiln_file_part_done(part, 0);
    else
        kiln_file_part_zeroes(part);
}

static void
write_zeroes(KilnFilePart *part)
{
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;
    uint64_t left = request->length - part->position;
    unsigned n = 0;

    for (; n < KILN_FILE_PART_IOVS && left > 0; n++) {
        part->iov[n].iov_base = file->zeroes;
        part->iov[n].iov_len = MIN(left, KILN_FILE_BOUNCE_SIZE);
        left -= part->iov[n].iov_len;
    }
    part->op.done = zeroes_written;
    kiln_uring_writev(file->uring, &part->op, file->fd, part->iov, n,
                      request->offset + part->position,
                      (request->flags & KILN_BLOCK_FUA) != 0 ? RWF_DSYNC : 0);
}

static void
zeroes_synced(KilnUringOp *op, int result)
{
    kiln_file_part_done(part_of(op), MIN(result, 0));
}

static void
zeroes_allocated(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;
    gboolean punched = (op->flags & FALLOC_FL_PUNCH_HOLE) != 0;

    if (result == -EINTR || result == -EAGAIN) {
        kiln_file_part_zeroes(part);
    } else if (result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV) {
        if (punched)
            file->can_punch = FALSE;
        else
            file->can_zero = FALSE;
        kiln_file_part_zeroes(part);
    } else if (result == -EINVAL && kiln_file_part_is_aligned(file, request)) {
        write_zeroes(part); /* a device with larger blocks */
    } else if (result == -EINVAL) {
        kiln_file_part_bounce(part);
    } else if (result >= 0 && (request->flags & KILN_BLOCK_FUA) != 0) {
        op->done = zeroes_synced;
        kiln_uring_fdatasync(file->uring, op, file->fd);
    } else {
        kiln_file_part_done(part, result);
    }
}

void
kiln_file_part_zeroes(KilnFilePart *part)
{
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;
    gboolean inside = kiln_range_inside(request->offset, request->length, file->end);
    int mode = 0;

    if (part->position == 0 && (request->flags & KILN_BLOCK_MAY_UNMAP) != 0 && file->discard &&
        file->can_punch && inside)
        mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    else if (part->position == 0 && file->can_zero)
        mode = FALLOC_FL_ZERO_RANGE;
    if (mode != 0) {
        part->op.done = zeroes_allocated;
        kiln_uring_fallocate(file->uring, &part->op, file->fd, mode, request->offset,
                             request->length);
    } else if (kiln_file_part_is_aligned(file, request)) {
        write_zeroes(part);
    } else {
        kiln_file_part_bounce(part);
    }
}
