/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-blk-request.h. */
#include "device/virtio-blk-request.h"

#include <string.h>

#include "base/intmath.h"
#include "loop/timer.h"

enum {
    HEADER_BYTES = sizeof(struct virtio_blk_outhdr),
    SEGMENT_BYTES = sizeof(struct virtio_blk_discard_write_zeroes),
    SPARE_IOV = 2, /* a buffer that crosses a border of RAM regions takes one more */
    REQUEST_ALIGNMENT = 64,
};

/* ---- The pool ---- */

void
blk_queue_init(BlkQueue *queue, VirtioBlk *blk, unsigned index)
{
    KilnVirtqueue *virtqueue = kiln_virtio_device_queue(&blk->virtio, index);
    size_t scratch = kiln_align_up(kiln_block_request_size(blk->chain), 16);

    queue->blk = blk;
    queue->virtqueue = virtqueue;
    queue->index = index;
    queue->n_requests = kiln_virtqueue_size(virtqueue);
    queue->max_iov = (uint16_t)(queue->n_requests + SPARE_IOV);
    queue->iov_offset = kiln_align_up(sizeof(BlkRequest), 16) + scratch;
    queue->stride =
        kiln_align_up(queue->iov_offset + queue->max_iov * sizeof(struct iovec), REQUEST_ALIGNMENT);
    queue->pool = g_malloc0(queue->n_requests * queue->stride);
}

void
blk_queue_clear(BlkQueue *queue)
{
    g_clear_pointer(&queue->pool, g_free);
}

/* Returns: (nullable): a free request, its virtqueue element ready for a pop. */
static BlkRequest *
request_take(BlkQueue *queue)
{
    BlkRequest *request = queue->free;
    uint8_t *memory;

    if (request != NULL) {
        queue->free = request->next;
        return request;
    }
    if (queue->n_touched == queue->n_requests)
        return NULL;
    memory = queue->pool + queue->n_touched++ * queue->stride;
    request = (BlkRequest *)memory;
    request->queue = queue;
    request->block.scratch = memory + kiln_align_up(sizeof(BlkRequest), 16);
    request->element.iov = (struct iovec *)(memory + queue->iov_offset);
    request->element.max_iov = queue->max_iov;
    return request;
}

static void
request_release(BlkRequest *request)
{
    request->next = request->queue->free;
    request->queue->free = request;
}

/* ---- The end of a request ---- */

static void submit_segment(BlkRequest *request);

/*
 * The used length counts from the first device-writable byte, the status is the last one (virtio
 * 1.2 §2.7.8.2, §5.2.6): where there are bytes before it that were not written, it is 0.
 */
static uint32_t
status_alone(const KilnVirtqElement *element)
{
    return element->in_bytes == 1 ? 1 : 0;
}

static void
request_complete(BlkRequest *request, uint8_t status)
{
    BlkQueue *queue = request->queue;

    *request->status = status;
    kiln_virtqueue_push(queue->virtqueue, &request->element,
                        status == VIRTIO_BLK_S_OK ? request->written
                                                  : status_alone(&request->element));
    request_release(request);
    queue->unflushed = queue->blk->unflushed = TRUE;
}

static void
request_succeed(BlkRequest *request)
{
    KilnVirtioBlkCounter *counter = request->counter;

    kiln_disk_count(&counter->requests, 1);
    kiln_disk_count(&counter->bytes, request->bytes);
    kiln_disk_count(&counter->time_ns, kiln_clock_ns() - request->start_ns);
    request_complete(request, VIRTIO_BLK_S_OK);
}

/* The virtqueue wants them in the order of their pops. */
static void
request_keep(BlkRequest *request)
{
    BlkRequest **place = &request->queue->kept;

    while (*place != NULL && (*place)->number < request->number)
        place = &(*place)->next;
    request->next = *place;
    *place = request;
}

static void
request_fail(BlkRequest *request, int error)
{
    VirtioBlk *blk = request->queue->blk;
    gboolean is_read = request->block.op == KILN_BLOCK_READ;
    KilnIoErrorPolicy policy = is_read ? blk->read_policy : blk->write_policy;
    KilnIoErrorPolicy action = kiln_io_error_action(policy, error);

    kiln_disk_count(&request->counter->errors, 1);
    if (blk->io_error != NULL)
        blk->io_error(blk->opaque, is_read, error, action);
    if (action == KILN_IO_ERROR_STOP)
        request_keep(request);
    else if (action == KILN_IO_ERROR_REPORT)
        request_complete(request, VIRTIO_BLK_S_IOERR);
    else if (request->i_segment < request->n_segments)
        submit_segment(request);
    else
        request_complete(request, VIRTIO_BLK_S_OK);
}

/* ---- Into the chain ---- */

static void submit(BlkRequest *request);

static void
submit_segment(BlkRequest *request)
{
    const struct virtio_blk_discard_write_zeroes *segment =
        &request->segments[request->i_segment++];

    request->block.offset = segment->sector << BLK_SECTOR_BITS;
    request->block.length = (uint64_t)segment->num_sectors << BLK_SECTOR_BITS;
    if (request->block.op == KILN_BLOCK_WRITE_ZEROES && request->queue->blk->may_unmap &&
        segment->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)
        request->block.flags |= KILN_BLOCK_MAY_UNMAP;
    else
        request->block.flags &= ~(unsigned)KILN_BLOCK_MAY_UNMAP;
    submit(request);
}

static void
block_done(KilnBlockRequest *block, int result)
{
    BlkRequest *request = (BlkRequest *)((uint8_t *)block - offsetof(BlkRequest, block));
    BlkQueue *queue = request->queue;

    queue->in_flight--;
    queue->blk->in_flight--;
    if (result >= 0 && request->i_segment < request->n_segments) {
        submit_segment(request);
        return;
    }
    if (result < 0)
        request_fail(request, -result);
    else
        request_succeed(request);
    blk_request_done(queue);
}

static void
submit(BlkRequest *request)
{
    BlkQueue *queue = request->queue;

    queue->in_flight++;
    queue->blk->in_flight++;
    request->block.done = block_done;
    kiln_block_submit(queue->blk->chain, &request->block);
}

/* Writes are on stable storage at once where the driver has no cache to flush. */
static unsigned
write_flags(const VirtioBlk *blk)
{
    gboolean write_back = blk->cache_by_register ? __atomic_load_n(&blk->wce, __ATOMIC_RELAXED)
                                                 : blk->cache_by_feature;

    return write_back ? 0 : KILN_BLOCK_FUA;
}

/* ---- What a driver may ask for (virtio 1.2 §5.2.6) ---- */

/* Whether these sectors are whole logical blocks of the disk. */
static gboolean
in_range(const VirtioBlk *blk, uint64_t sector, uint64_t n_sectors)
{
    uint64_t sectors = __atomic_load_n(&blk->sectors, __ATOMIC_RELAXED);

    return ((sector | n_sectors) & blk->sector_mask) == 0 &&
           kiln_range_inside(sector, n_sectors, sectors);
}

static void
start_data(BlkRequest *request, uint64_t sector, uint32_t bytes)
{
    VirtioBlk *blk = request->queue->blk;
    gboolean is_read = request->block.op == KILN_BLOCK_READ;

    if (bytes == 0 || bytes & ((1u << BLK_SECTOR_BITS) - 1) ||
        !in_range(blk, sector, bytes >> BLK_SECTOR_BITS) || (!is_read && blk->read_only)) {
        request_complete(request, VIRTIO_BLK_S_IOERR);
        return;
    }
    request->counter = is_read ? &blk->statistics.read : &blk->statistics.write;
    request->bytes = bytes;
    if (is_read)
        request->written = bytes + 1;
    request->block.flags = is_read ? 0 : write_flags(blk);
    request->block.offset = sector << BLK_SECTOR_BITS;
    request->block.length = bytes;
    submit(request);
}

static void
start_flush(BlkRequest *request)
{
    request->counter = &request->queue->blk->statistics.flush;
    request->block.op = KILN_BLOCK_FLUSH;
    request->block.flags = 0;
    request->block.offset = 0;
    request->block.length = 0;
    submit(request);
}

/* Copies the segments and checks them all, before anything is done.  Returns: a status. */
static uint8_t
take_segments(BlkRequest *request, uint32_t bytes)
{
    VirtioBlk *blk = request->queue->blk;
    uint32_t known =
        request->block.op == KILN_BLOCK_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

    if (bytes == 0 || bytes % SEGMENT_BYTES != 0 || bytes > sizeof request->segments)
        return VIRTIO_BLK_S_IOERR;
    request->n_segments = bytes / SEGMENT_BYTES;
    kiln_virtqueue_copy_out(&request->element, HEADER_BYTES, request->segments, bytes);
    for (unsigned i = 0; i < request->n_segments; i++) {
        struct virtio_blk_discard_write_zeroes *segment = &request->segments[i];

        segment->sector = GUINT64_FROM_LE(segment->sector);
        segment->num_sectors = GUINT32_FROM_LE(segment->num_sectors);
        segment->flags = GUINT32_FROM_LE(segment->flags);
        if (segment->flags & ~known)
            return VIRTIO_BLK_S_UNSUPP;
        if (segment->num_sectors > BLK_MAX_SEGMENT_SECTORS ||
            !in_range(blk, segment->sector, segment->num_sectors))
            return VIRTIO_BLK_S_IOERR;
        request->bytes += (uint64_t)segment->num_sectors << BLK_SECTOR_BITS;
    }
    return VIRTIO_BLK_S_OK;
}

static void
start_segments(BlkRequest *request, uint32_t bytes)
{
    VirtioBlk *blk = request->queue->blk;
    uint8_t status = blk->read_only ? VIRTIO_BLK_S_IOERR : take_segments(request, bytes);

    if (status != VIRTIO_BLK_S_OK) {
        request_complete(request, status);
        return;
    }
    request->counter = &blk->statistics.discard;
    request->block.flags = request->block.op == KILN_BLOCK_WRITE_ZEROES ? write_flags(blk) : 0;
    submit_segment(request);
}

/* The string fills its 20 bytes with zeroes and need not end in one. */
static void
start_get_id(BlkRequest *request)
{
    VirtioBlk *blk = request->queue->blk;
    uint32_t room = request->element.in_bytes - 1;
    uint32_t length = MIN(room, VIRTIO_BLK_ID_BYTES);

    if (room == 0) {
        request_complete(request, VIRTIO_BLK_S_IOERR);
        return;
    }
    kiln_virtqueue_copy_in(&request->element, 0, blk->serial, length);
    request->written = length == room ? room + 1 : length;
    request_complete(request, VIRTIO_BLK_S_OK);
}

/* ---- The begin of a request ---- */

/* The last byte of the device-writable part, which is there. */
static uint8_t *
status_byte(const KilnVirtqElement *element)
{
    unsigned i = (unsigned)element->n_out + element->n_in;
    const struct iovec *last;

    do
        last = &element->iov[--i];
    while (last->iov_len == 0);
    return (uint8_t *)last->iov_base + last->iov_len - 1;
}

/* Makes @iov shorter, from its begin on or at its end.  One buffer of a request at most is cut. */
static void
cut(BlkRequest *request, struct iovec *iov, size_t skip, size_t length)
{
    request->cut = iov;
    request->uncut = *iov;
    iov->iov_base = (uint8_t *)iov->iov_base + skip;
    iov->iov_len = length;
}

/* The device-readable buffers behind the header. */
static void
set_readable(BlkRequest *request)
{
    struct iovec *iov = request->element.iov;
    unsigned n = request->element.n_out;
    size_t skip = HEADER_BYTES;

    for (; n > 0 && skip >= iov->iov_len; n--)
        skip -= iov++->iov_len;
    if (skip > 0)
        cut(request, iov, skip, iov->iov_len - skip);
    request->block.iov = iov;
    request->block.n_iov = n;
}

/* The device-writable buffers before the status. */
static void
set_writable(BlkRequest *request)
{
    struct iovec *iov = request->element.iov + request->element.n_out;
    size_t left = request->element.in_bytes - 1;
    unsigned n = 0;

    for (; left > 0; n++) {
        if (iov[n].iov_len > left)
            cut(request, &iov[n], 0, left);
        left -= iov[n].iov_len;
    }
    request->block.iov = iov;
    request->block.n_iov = n;
}

static void
request_execute(BlkRequest *request, uint32_t type, uint64_t sector)
{
    VirtioBlk *blk = request->queue->blk;
    KilnVirtqElement *element = &request->element;
    KilnBlockRequest *block = &request->block;
    uint32_t out_bytes = element->out_bytes - HEADER_BYTES;
    uint32_t in_bytes = element->in_bytes - 1;

    request->start_ns = blk->now_ns;
    request->bytes = 0;
    request->written = status_alone(element);
    request->n_segments = request->i_segment = 0;
    request->number = blk->n_popped++;
    request->cut = NULL;
    block->iov = NULL;
    block->n_iov = 0;
    if (type == VIRTIO_BLK_T_IN) {
        block->op = KILN_BLOCK_READ;
        set_writable(request);
        start_data(request, sector, in_bytes);
    } else if (type == VIRTIO_BLK_T_OUT) {
        block->op = KILN_BLOCK_WRITE;
        set_readable(request);
        start_data(request, sector, out_bytes);
    } else if (type == VIRTIO_BLK_T_FLUSH) {
        start_flush(request);
    } else if (type == VIRTIO_BLK_T_GET_ID) {
        start_get_id(request);
    } else if (type == VIRTIO_BLK_T_DISCARD && blk->discard) {
        block->op = KILN_BLOCK_DISCARD;
        start_segments(request, out_bytes);
    } else if (type == VIRTIO_BLK_T_WRITE_ZEROES && blk->write_zeroes) {
        block->op = KILN_BLOCK_WRITE_ZEROES;
        start_segments(request, out_bytes);
    } else {
        request_complete(request, VIRTIO_BLK_S_UNSUPP);
    }
}

/* Returns: FALSE if the chain is none that a disk's driver may make. */
static gboolean
request_start(BlkRequest *request)
{
    struct virtio_blk_outhdr header;

    if (request->element.in_bytes == 0 ||
        kiln_virtqueue_copy_out(&request->element, 0, &header, sizeof header) != sizeof header)
        return FALSE;
    request->status = status_byte(&request->element);
    request_execute(request, GUINT32_FROM_LE(header.type), GUINT64_FROM_LE(header.sector));
    return TRUE;
}

/* Pops until there is nothing.  Returns: FALSE if that is for another reason. */
static gboolean
pop_all(BlkQueue *queue)
{
    KilnVirtioDevice *device = &queue->blk->virtio;

    for (;;) {
        BlkRequest *request = request_take(queue);
        int popped;

        queue->starved = request == NULL;
        if (request == NULL)
            return FALSE;
        popped = kiln_virtqueue_pop(queue->virtqueue, &request->element);
        if (popped > 0 && request_start(request))
            continue;
        if (popped > 0) {
            kiln_virtqueue_unpop(queue->virtqueue, &request->element);
            kiln_virtio_device_broken(device, "queue %u: a request without header or status",
                                      queue->index);
        } else if (popped < 0) {
            kiln_virtio_device_broken(device, "queue %u: its ring is not valid", queue->index);
        }
        request_release(request);
        return popped == 0;
    }
}

void
blk_queue_process(BlkQueue *queue)
{
    if (queue->processing || queue->stopping || queue->blk->stopping)
        return;
    queue->processing = TRUE;
    queue->blk->now_ns = kiln_clock_ns();
    do
        kiln_virtqueue_set_notify(queue->virtqueue, FALSE);
    while (pop_all(queue) && !queue->blk->looking &&
           kiln_virtqueue_set_notify(queue->virtqueue, TRUE));
    queue->processing = FALSE;
    if (queue->in_flight == 0)
        blk_queue_flush(queue);
}

void
blk_queue_flush(BlkQueue *queue)
{
    if (!queue->unflushed)
        return;
    queue->unflushed = FALSE;
    kiln_virtqueue_flush(queue->virtqueue);
}

void
blk_queue_return_kept(BlkQueue *queue)
{
    BlkRequest *request = queue->kept;

    queue->kept = NULL;
    while (request != NULL) {
        BlkRequest *next = request->next;

        if (request->cut != NULL)
            *request->cut = request->uncut;
        kiln_virtqueue_keep(queue->virtqueue, &request->element);
        request_release(request);
        request = next;
    }
}
