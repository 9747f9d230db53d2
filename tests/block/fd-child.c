/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fd-child.h. */
#include "tests/block/fd-child.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static uint8_t *
gather(const KilnBlockRequest *request)
{
    uint8_t *data = g_malloc(request->length + 1);
    size_t at = 0;

    for (unsigned i = 0; i < request->n_iov; i++) {
        memcpy(data + at, request->iov[i].iov_base, request->iov[i].iov_len);
        at += request->iov[i].iov_len;
    }
    g_assert(at == request->length);
    return data;
}

static int
do_read(FdChild *child, const KilnBlockRequest *request)
{
    uint64_t at = request->offset;
    uint64_t sum = 0;

    for (unsigned i = 0; i < request->n_iov; i++) {
        ssize_t got =
            kiln_read_full(child->fd, request->iov[i].iov_base, request->iov[i].iov_len, (off_t)at);

        if (got < 0)
            return (int)got;
        memset((char *)request->iov[i].iov_base + got, 0, request->iov[i].iov_len - (size_t)got);
        at += request->iov[i].iov_len;
        sum += request->iov[i].iov_len;
    }
    g_assert(sum == request->length);
    return 0;
}

static int
do_write(FdChild *child, const KilnBlockRequest *request)
{
    g_autofree uint8_t *data = gather(request);
    int result = kiln_write_full(child->fd, data, request->length, (off_t)request->offset);
    FdLogEntry entry = { .op = KILN_BLOCK_WRITE, .offset = request->offset };

    if (result == 0 && child->log != NULL) {
        entry.length = request->length;
        entry.data = g_steal_pointer(&data);
        g_array_append_val(child->log, entry);
    }
    return result;
}

static int
do_other(FdChild *child, const KilnBlockRequest *request)
{
    FdLogEntry entry = { .op = request->op, .offset = request->offset, .length = request->length };

    if (request->op == KILN_BLOCK_DISCARD &&
        fallocate(child->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)request->offset,
                  (off_t)request->length) < 0)
        return -errno;
    if (child->log != NULL)
        g_array_append_val(child->log, entry);
    return 0;
}

static int
perform(FdChild *child, const KilnBlockRequest *request)
{
    g_assert(request->op == KILN_BLOCK_FLUSH || ((request->offset | request->length) & 511) == 0);
    if (child->fail_in == 0) {
        if (child->fail_once)
            child->fail_in = -1;
        return child->fail_with;
    }
    if (child->fail_in > 0)
        child->fail_in--;
    if (request->op != KILN_BLOCK_READ && request->op != KILN_BLOCK_FLUSH && child->block.read_only)
        return -EROFS;
    if (request->op == KILN_BLOCK_READ)
        return do_read(child, request);
    if (request->op == KILN_BLOCK_WRITE)
        return do_write(child, request);
    return do_other(child, request);
}

static void
submit(KilnBlock *block, KilnBlockRequest *request)
{
    FdChild *child = (FdChild *)block;

    child->n_submitted++;
    /* The scratch is the child's: who gives too little of it, or shares it, is found out. */
    memset(request->scratch, 0x5a, block->request_size);
    if (child->shuffle == NULL)
        request->done(request, perform(child, request));
    else
        g_queue_push_tail(&child->pending, request);
}

typedef struct {
    GSource source;
    FdChild *child;
} Source;

static gboolean
prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return !g_queue_is_empty(&((Source *)source)->child->pending);
}

static gboolean
check(GSource *source)
{
    return !g_queue_is_empty(&((Source *)source)->child->pending);
}

static gboolean
dispatch(GSource *source, GSourceFunc func, gpointer data)
{
    FdChild *child = ((Source *)source)->child;
    guint n = g_queue_get_length(&child->pending);
    KilnBlockRequest *request =
        g_queue_pop_nth(&child->pending, (guint)g_rand_int_range(child->shuffle, 0, (gint32)n));

    request->done(request, perform(child, request));
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

static void
log_clear(gpointer data)
{
    g_free(((FdLogEntry *)data)->data);
}

static void
child_free(KilnBlock *block)
{
    FdChild *child = (FdChild *)block;

    g_assert(g_queue_is_empty(&child->pending));
    if (child->source != NULL) {
        g_source_destroy(child->source);
        g_source_unref(child->source);
        g_rand_free(child->shuffle);
    }
    g_clear_pointer(&child->log, g_array_unref);
    kiln_fd_clear(&child->fd);
    g_free(child);
}

static const KilnBlockOps ops = { .name = "fd", .submit = submit, .free = child_free };

FdChild *
fd_child_new(int fd, gboolean read_only, guint32 seed)
{
    FdChild *child = g_new0(FdChild, 1);

    child->fd = fd;
    child->fail_in = -1;
    child->fail_with = -EIO;
    child->block = (KilnBlock){
        .ops = &ops,
        .length = (uint64_t)lseek(fd, 0, SEEK_END),
        .alignment = 1,
        .block_size = 512,
        .physical_size = 4096,
        .discard_granularity = 4096,
        .read_only = read_only,
        .request_size = 32,
    };
    if (seed != 0) {
        child->shuffle = g_rand_new_with_seed(seed);
        child->source = g_source_new(&source_funcs, sizeof(Source));
        ((Source *)child->source)->child = child;
        g_source_attach(child->source, NULL);
    }
    return child;
}

void
fd_child_record(FdChild *child)
{
    child->log = g_array_new(FALSE, FALSE, sizeof(FdLogEntry));
    g_array_set_clear_func(child->log, log_clear);
}

int
fd_child_memory(void)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    g_assert(fd >= 0);
    return fd;
}

typedef struct {
    KilnBlockRequest request;
    gboolean done;
    int result;
} Await;

static void
await_done(KilnBlockRequest *request, int result)
{
    Await *await = (Await *)request;

    await->result = result;
    await->done = TRUE;
}

int
fd_child_await(KilnBlock *block, KilnBlockOp op, unsigned flags, uint64_t offset, void *data,
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
