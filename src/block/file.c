/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See file.h.  submit -> the ring, with the request's own buffers -> done; the rest: file-slow.c */
#include "block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/intmath.h"
#include "block/file-part.h"
#include "block/lock.h"

enum { SECTOR = 512 };

static KilnFilePart *
part_of(KilnUringOp *op)
{
    return (KilnFilePart *)((char *)op - offsetof(KilnFilePart, op));
}

static void start(KilnFilePart *part);

/* Those at the gate that may go on now. */
static void
open_gate(KilnFile *file)
{
    while (file->gate.first != NULL && !file->alone) {
        KilnFilePart *part = file->gate.first;
        gboolean alone = !kiln_file_part_is_aligned(file, part->request);

        if (alone && file->changing > 0)
            return;
        file->gate.first = part->next;
        if (file->gate.first == NULL)
            file->gate.last = &file->gate.first;
        part->in_gate = TRUE;
        file->changing++;
        file->alone = alone;
        start(part);
    }
}

void
kiln_file_part_done(KilnFilePart *part, int result)
{
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;

    if (part->in_gate) {
        file->changing--;
        file->alone = FALSE;
    }
    if (result == 0 &&
        (request->op == KILN_BLOCK_WRITE || request->op == KILN_BLOCK_WRITE_ZEROES)) {
        file->end = MAX(file->end, request->offset + request->length);
        file->base.length = MAX(file->base.length, kiln_align_up(file->end, SECTOR));
    }
    request->done(request, result);
    if (file->gate.first != NULL)
        open_gate(file);
}

void
kiln_file_clear_from(const KilnBlockRequest *request, uint64_t position)
{
    for (unsigned i = 0; i < request->n_iov; i++) {
        const struct iovec *iov = &request->iov[i];

        if (position < iov->iov_len) {
            memset((char *)iov->iov_base + position, 0, iov->iov_len - position);
            position = 0;
        } else {
            position -= iov->iov_len;
        }
    }
}

static void
transfer_done(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;

    if (result == -EINTR || result == -EAGAIN) {
        kiln_file_part_rest(part);
        return;
    }
    if (result < 0) {
        kiln_file_part_done(part, result);
        return;
    }
    part->position += (uint64_t)result;
    if (part->position >= request->length) {
        kiln_file_part_done(part, 0);
    } else if (request->op == KILN_BLOCK_WRITE && result == 0) {
        kiln_file_part_done(part, -ENOSPC);
    } else if (request->op == KILN_BLOCK_READ && file->probe.is_device && result == 0) {
        kiln_file_part_done(part, -EIO); /* a device that became smaller */
    } else if (request->op == KILN_BLOCK_READ &&
               (result == 0 || (part->position & (file->probe.offset_align - 1)) != 0)) {
        kiln_file_clear_from(request, part->position); /* the end of the file */
        kiln_file_part_done(part, 0);
    } else {
        /* A cut in the middle of a block is gone over again. */
        part->position = kiln_align_down(part->position, file->probe.offset_align);
        kiln_file_part_rest(part);
    }
}

void
kiln_file_part_rest(KilnFilePart *part)
{
    KilnFile *file = part->file;
    const KilnBlockRequest *request = part->request;
    uint64_t offset = request->offset + part->position, skip = part->position;
    unsigned n = 0;

    for (unsigned i = 0; i < request->n_iov && n < KILN_FILE_PART_IOVS; i++) {
        const struct iovec *iov = &request->iov[i];

        if (skip >= iov->iov_len) {
            skip -= iov->iov_len;
            continue;
        }
        part->iov[n].iov_base = (char *)iov->iov_base + skip;
        part->iov[n++].iov_len = iov->iov_len - skip;
        skip = 0;
    }
    part->op.done = transfer_done;
    if (request->op == KILN_BLOCK_READ)
        kiln_uring_readv(file->uring, &part->op, file->fd, part->iov, n, offset);
    else
        kiln_uring_writev(file->uring, &part->op, file->fd, part->iov, n, offset,
                          (request->flags & KILN_BLOCK_FUA) != 0 ? RWF_DSYNC : 0);
}

static void
flush_done(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);

    /* Pages that could not be written are clean afterwards, and the next fdatasync(2) would say
     * that all is well. */
    if (result < 0 && !part->file->direct)
        part->file->flush_error = result;
    kiln_file_part_done(part, MIN(result, 0));
}

static void
start_flush(KilnFilePart *part)
{
    KilnFile *file = part->file;

    if (file->no_flush || file->flush_error < 0) {
        kiln_file_part_done(part, file->flush_error);
        return;
    }
    part->op.done = flush_done;
    kiln_uring_fdatasync(file->uring, &part->op, file->fd);
}

/* Where it cannot be done, nothing is lost by not doing it. */
static void
discard_done(KilnUringOp *op, int result)
{
    KilnFilePart *part = part_of(op);

    if (result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV)
        part->file->can_punch = FALSE;
    if (result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV || result == -EINVAL)
        result = 0;
    kiln_file_part_done(part, MIN(result, 0));
}

static void
start_discard(KilnFilePart *part)
{
    KilnFile *file = part->file;
    const KilnBlockRequest *request = part->request;
    uint64_t unit = file->probe.is_device ? file->probe.physical_size : 1;
    uint64_t from = kiln_align_up(request->offset, unit);
    uint64_t to = kiln_align_down(request->offset + request->length, unit);

    if (!file->discard || !file->can_punch || from >= to) {
        kiln_file_part_done(part, 0);
        return;
    }
    part->op.done = discard_done;
    kiln_uring_fallocate(file->uring, &part->op, file->fd,
                         FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from);
}

gboolean
kiln_file_part_is_aligned(const KilnFile *file, const KilnBlockRequest *request)
{
    return ((request->offset | request->length) & (file->probe.offset_align - 1)) == 0;
}

static gboolean
buffers_are_aligned(const KilnFile *file, const KilnBlockRequest *request)
{
    uintptr_t bases = 0, lengths = 0;

    for (unsigned i = 0; i < request->n_iov; i++) {
        bases |= (uintptr_t)request->iov[i].iov_base;
        lengths |= request->iov[i].iov_len;
    }
    return (bases & (file->probe.memory_align - 1)) == 0 &&
           (lengths & (file->probe.offset_align - 1)) == 0;
}

static void
start(KilnFilePart *part)
{
    KilnFile *file = part->file;
    KilnBlockRequest *request = part->request;
    unsigned n_iov = MIN(request->n_iov, IOV_MAX);

    switch (request->op) {
    case KILN_BLOCK_FLUSH: start_flush(part); return;
    case KILN_BLOCK_DISCARD: start_discard(part); return;
    case KILN_BLOCK_WRITE_ZEROES: kiln_file_part_zeroes(part); return;
    default: break;
    }
    if (file->direct &&
        (!kiln_file_part_is_aligned(file, request) || !buffers_are_aligned(file, request))) {
        kiln_file_part_bounce(part);
        return;
    }
    part->op.done = transfer_done;
    if (request->op == KILN_BLOCK_READ)
        kiln_uring_readv(file->uring, &part->op, file->fd, request->iov, n_iov, request->offset);
    else
        kiln_uring_writev(file->uring, &part->op, file->fd, request->iov, n_iov, request->offset,
                          (request->flags & KILN_BLOCK_FUA) != 0 ? RWF_DSYNC : 0);
}

static void
file_submit(KilnBlock *base, KilnBlockRequest *request)
{
    KilnFile *file = (KilnFile *)base;
    KilnFilePart *part = request->scratch;
    gboolean changes = request->op != KILN_BLOCK_READ && request->op != KILN_BLOCK_FLUSH;
    gboolean alone = changes && !kiln_file_part_is_aligned(file, request);

    part->file = file;
    part->request = request;
    part->position = 0;
    part->bounce = NULL;
    part->in_gate = FALSE;
    if (file->no_flush)
        request->flags &= ~(unsigned)KILN_BLOCK_FUA;
    if (changes && (file->alone || file->gate.first != NULL || (alone && file->changing > 0))) {
        part->next = NULL;
        *file->gate.last = part;
        file->gate.last = &part->next;
        return;
    }
    if (changes) {
        part->in_gate = TRUE;
        file->changing++;
        file->alone = alone;
    }
    start(part);
}

static gboolean
file_resize(KilnBlock *base, uint64_t length, GError **error)
{
    KilnFile *file = (KilnFile *)base;
    KilnFileProbe probe;

    if (!file->probe.is_device && ftruncate(file->fd, (off_t)length) < 0)
        return kiln_error_set_errno(
            error, errno, "cannot make '%s' %" G_GUINT64_FORMAT " bytes long", file->path, length);
    if (!kiln_file_probe(file->fd, file->path, FALSE, &probe, error))
        return FALSE;
    if (probe.length < length)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the device '%s' has only %" G_GUINT64_FORMAT " bytes", file->path,
                              probe.length);
    file->end = probe.length;
    base->length = length;
    return TRUE;
}

static void
file_free(KilnBlock *base)
{
    KilnFile *file = (KilnFile *)base;

    kiln_uring_remove_file(file->uring, file->fd);
    if (file->locked)
        kiln_file_unlock(file->fd); /* now: the ring may hold the file for longer */
    kiln_fd_clear(&file->fd);
    if (file->bounce != NULL)
        munmap(file->bounce, (size_t)(KILN_FILE_BOUNCE_BUFFERS + 1) * KILN_FILE_BOUNCE_SIZE);
    g_free(file->path);
    g_free(file);
}

static const KilnBlockOps file_ops = {
    .name = "file",
    .submit = file_submit,
    .resize = file_resize,
    .free = file_free,
};

/* O_NONBLOCK: a FIFO is not waited for; on disks it would make io_uring answer -EAGAIN. */
static gboolean
open_file(const KilnBlockFileOptions *options, KilnFd *fd, GError **error)
{
    int flags = options->direct ? O_DIRECT : 0, now;

    if (options->fd >= 0) {
        *fd = options->fd;
    } else {
        g_autoptr(GError) cause = NULL;

        *fd = kiln_open(options->path,
                        (options->read_only ? O_RDONLY : O_RDWR) | flags | O_NONBLOCK, 0, &cause);
        if (*fd < 0 && options->direct && errno == EINVAL)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "cannot use '%s' without the host's cache: its file system has "
                                  "no O_DIRECT",
                                  options->path);
        if (*fd < 0) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return FALSE;
        }
    }
    now = fcntl(*fd, F_GETFL);
    if (now < 0 || fcntl(*fd, F_SETFL, (now & ~O_NONBLOCK) | flags) < 0)
        return kiln_error_set_errno(error, errno, "cannot set '%s' to direct I/O", options->path);
    if (!options->read_only && (now & O_ACCMODE) != O_RDWR)
        return kiln_error_set(error, KILN_ERROR_PERMISSION,
                              "the descriptor of '%s' is not open for writing", options->path);
    return TRUE;
}

static gboolean
lock_file(const KilnBlockFileOptions *options, int fd, GError **error)
{
    unsigned does = KILN_LOCK_CONSISTENT_READ;
    unsigned lets = KILN_LOCK_CONSISTENT_READ | KILN_LOCK_WRITE_UNCHANGED;

    if (!options->lock)
        return TRUE;
    if (!options->read_only)
        does |= KILN_LOCK_WRITE | (options->grows ? KILN_LOCK_RESIZE : 0U);
    if (options->shared)
        lets |= KILN_LOCK_WRITE | KILN_LOCK_RESIZE;
    return kiln_file_lock(fd, options->path, does, lets, error);
}

static void
fill_in(KilnFile *file, const KilnBlockFileOptions *options)
{
    const KilnFileProbe *probe = &file->probe;

    file->base = (KilnBlock){
        .ops = &file_ops,
        .context = options->context,
        .length = kiln_align_up(probe->length, SECTOR),
        .alignment = probe->offset_align,
        .block_size = SECTOR,
        .physical_size = probe->physical_size,
        .discard_granularity = options->discard ? probe->discard_size : 0,
        .read_only = options->read_only,
        .rotational = probe->rotational,
        .request_size = kiln_align_up(sizeof(KilnFilePart), 16),
    };
    file->path = g_strdup(options->path);
    file->uring = options->uring;
    file->end = probe->length;
    file->no_flush = options->no_flush;
    file->discard = options->discard;
    file->direct = options->direct;
    file->can_punch = file->can_zero = TRUE;
    file->gate.last = &file->gate.first;
    file->bounce_queue.last = &file->bounce_queue.first;
    file->free_bounce = (1U << KILN_FILE_BOUNCE_BUFFERS) - 1;
}

KilnBlock *
kiln_block_file_open(const KilnBlockFileOptions *options, GError **error)
{
    g_auto(KilnFd) fd = -1;
    KilnFileProbe probe;
    KilnFile *file;
    char *bounce;

    if (!open_file(options, &fd, error) ||
        !kiln_file_probe(fd, options->path, options->direct, &probe, error))
        return NULL;
    if (options->block_device && !probe.is_device) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is not a block device", options->path);
        return NULL;
    }
    if (!lock_file(options, fd, error))
        return NULL;
    bounce = mmap(NULL, (size_t)(KILN_FILE_BOUNCE_BUFFERS + 1) * KILN_FILE_BOUNCE_SIZE,
                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bounce == MAP_FAILED) {
        kiln_error_set_errno(error, errno, "no memory for the buffers of '%s'", options->path);
        return NULL;
    }
    file = g_new0(KilnFile, 1);
    file->probe = probe;
    file->bounce = bounce;
    file->zeroes = bounce + (size_t)KILN_FILE_BOUNCE_BUFFERS * KILN_FILE_BOUNCE_SIZE;
    fill_in(file, options);
    file->fd = kiln_fd_steal(&fd);
    file->locked = options->lock;
    kiln_uring_add_file(file->uring, file->fd);
    return &file->base;
}
