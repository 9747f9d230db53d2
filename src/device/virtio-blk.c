/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-blk.h. */
#include "device/virtio-blk.h"

#include <string.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "device/virtio-blk-request.h"
#include "loop/source.h"

enum {
    SECTOR_BYTES = 1 << BLK_SECTOR_BITS,
    MAX_LOGICAL_BYTES = 32768,
    MAX_PHYSICAL_BYTES = 2 << 20,
    DEFAULT_QUEUE_SIZE = 256,
    MIN_QUEUE_SIZE = 4,
    NOT_DATA = 2, /* descriptors of a request: header and status */
    /* As BIOSes have translated disks since LBA came: 63 sectors, 16 heads, at most 16383. */
    GUESSED_HEADS = 16,
    GUESSED_SECTORS = 63,
    MAX_GUESSED_CYLINDERS = 16383,
    CONFIG_BYTES = offsetof(struct virtio_blk_config, max_secure_erase_sectors),
    CONFIG_WCE = offsetof(struct virtio_blk_config, wce),
};

#define FEATURE(bit)       (UINT64_C(1) << (bit))
#define CONFIG_AT(member)  (offsetof(struct virtio_blk_config, member))
#define SET16(blk, m, val) kiln_le16_store((blk)->virtio.config + CONFIG_AT(m), (uint16_t)(val))
#define SET32(blk, m, val) kiln_le32_store((blk)->virtio.config + CONFIG_AT(m), (uint32_t)(val))

/* ---- One turn of the loop: all that completed in it is flushed as one ---- */

typedef struct {
    GSource source;
    VirtioBlk *blk; /* (not owned) */
} TurnSource;

/* Whether what @queue left in the ring for lack of free requests can go on. */
static gboolean
goes_on(const BlkQueue *queue)
{
    return queue->starved && queue->free != NULL && !queue->stopping && !queue->blk->stopping;
}

static gboolean
turn_is_due(const VirtioBlk *blk)
{
    for (unsigned i = 0; i < blk->virtio.n_queues; i++)
        if (goes_on(&blk->queues[i]))
            return TRUE;
    return FALSE;
}

/* Comes before the loop sleeps, when every completion that was there has been dispatched. */
static gboolean
turn_prepare(GSource *base, int *timeout)
{
    VirtioBlk *blk = ((TurnSource *)base)->blk;

    *timeout = -1;
    if (!blk->unflushed)
        return FALSE;
    blk->unflushed = FALSE;
    for (unsigned i = 0; i < blk->virtio.n_queues; i++)
        blk_queue_flush(&blk->queues[i]);
    return turn_is_due(blk);
}

static gboolean
turn_check(GSource *base)
{
    return turn_is_due(((TurnSource *)base)->blk);
}

static gboolean
turn_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    VirtioBlk *blk = ((TurnSource *)base)->blk;

    for (unsigned i = 0; i < blk->virtio.n_queues; i++)
        if (goes_on(&blk->queues[i]))
            blk_queue_process(&blk->queues[i]);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs turn_funcs = {
    .prepare = turn_prepare,
    .check = turn_check,
    .dispatch = turn_dispatch,
};

static GSource *
turn_new(VirtioBlk *blk)
{
    GSource *source = g_source_new(&turn_funcs, sizeof(TurnSource));

    ((TurnSource *)source)->blk = blk;
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_attach(source, blk->virtio.context);
    return source;
}

/* ---- Looking, when the driver need not kick ---- */

/* Only what was popped counts: what cannot be taken now is not to keep the thread from sleeping. */
static gboolean
look(gpointer data)
{
    VirtioBlk *blk = data;
    uint64_t before = blk->n_popped;

    (void)kiln_virtio_device_poll(&blk->virtio);
    return blk->n_popped != before;
}

static void
begin_look(gpointer data)
{
    VirtioBlk *blk = data;

    blk->looking = TRUE;
    for (unsigned i = 0; i < blk->virtio.n_queues; i++)
        kiln_virtqueue_suppress(blk->queues[i].virtqueue);
}

/* A queue that cannot go on asks for kicks when it can. */
static gboolean
end_look(gpointer data)
{
    VirtioBlk *blk = data;

    blk->looking = FALSE;
    for (unsigned i = 0; i < blk->virtio.n_queues; i++)
        if (!blk->queues[i].starved)
            (void)kiln_virtqueue_set_notify(blk->queues[i].virtqueue, TRUE);
    return look(blk);
}

KilnPoller
kiln_virtio_blk_poller(KilnVirtioDevice *device)
{
    return (KilnPoller){ look, begin_look, end_look, device };
}

/* ---- Start and stop ---- */

static gboolean
blk_start(KilnVirtioDevice *device, GError **error)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    blk->cache_by_register = kiln_virtio_device_has_feature(device, VIRTIO_BLK_F_CONFIG_WCE);
    blk->cache_by_feature =
        blk->initial_cache && kiln_virtio_device_has_feature(device, VIRTIO_BLK_F_FLUSH);
    blk->turn = turn_new(blk);
    if (blk->uring != NULL) {
        KilnPoller poller = kiln_virtio_blk_poller(device);

        kiln_uring_add_poller(blk->uring, &poller);
    }
    return TRUE;
}

static void
finish_stop(VirtioBlk *blk)
{
    blk->stopping = FALSE;
    for (unsigned i = 0; i < blk->virtio.n_queues; i++) {
        blk_queue_flush(&blk->queues[i]);
        blk_queue_return_kept(&blk->queues[i]);
    }
    kiln_source_free(g_steal_pointer(&blk->turn));
    if (blk->uring != NULL)
        kiln_uring_remove_poller(blk->uring, blk);
    blk->looking = FALSE;
    kiln_virtio_device_stopped(&blk->virtio);
}

static void
finish_queue_stop(BlkQueue *queue)
{
    queue->stopping = FALSE;
    blk_queue_flush(queue);
    blk_queue_return_kept(queue);
    kiln_virtio_device_queue_stopped(&queue->blk->virtio, queue->index);
}

static void
blk_stop(KilnVirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    blk->stopping = TRUE;
    if (blk->in_flight == 0)
        finish_stop(blk);
}

static void
blk_queue_stop(KilnVirtioDevice *device, unsigned index)
{
    BlkQueue *queue = &((VirtioBlk *)device)->queues[index];

    queue->stopping = TRUE;
    if (queue->in_flight == 0)
        finish_queue_stop(queue);
}

void
blk_request_done(BlkQueue *queue)
{
    VirtioBlk *blk = queue->blk;

    if (queue->in_flight > 0 || queue->processing)
        return;
    /* Nothing else is to come that could share the interrupt. */
    blk_queue_flush(queue);
    if (queue->stopping)
        finish_queue_stop(queue);
    if (blk->stopping && blk->in_flight == 0)
        finish_stop(blk);
}

static void
blk_kick(KilnVirtioDevice *device, unsigned index)
{
    blk_queue_process(&((VirtioBlk *)device)->queues[index]);
}

/* ---- Configuration space (virtio 1.2 §5.2.4) ---- */

static uint64_t
whole_sectors(const VirtioBlk *blk)
{
    return (blk->chain->length >> BLK_SECTOR_BITS) & ~(uint64_t)blk->sector_mask;
}

static void
set_geometry(VirtioBlk *blk, const KilnVirtioBlkOptions *options)
{
    struct virtio_blk_geometry geometry = {
        .cylinders = GUINT16_TO_LE(options->cylinders),
        .heads = options->heads,
        .sectors = options->sectors,
    };
    uint64_t cylinders = blk->sectors / (GUESSED_HEADS * GUESSED_SECTORS);

    if (options->cylinders == 0 && options->heads == 0 && options->sectors == 0) {
        geometry.cylinders = GUINT16_TO_LE(CLAMP(cylinders, 1, MAX_GUESSED_CYLINDERS));
        geometry.heads = GUESSED_HEADS;
        geometry.sectors = GUESSED_SECTORS;
    }
    memcpy(blk->virtio.config + CONFIG_AT(geometry), &geometry, sizeof geometry);
}

static void
set_discard(VirtioBlk *blk, uint32_t logical_size)
{
    uint32_t granularity = MAX(blk->chain->discard_granularity, logical_size);

    if (blk->discard) {
        SET32(blk, max_discard_sectors, BLK_MAX_SEGMENT_SECTORS);
        SET32(blk, max_discard_seg, BLK_MAX_SEGMENTS);
        SET32(blk, discard_sector_alignment, granularity >> BLK_SECTOR_BITS);
    }
    if (blk->write_zeroes) {
        SET32(blk, max_write_zeroes_sectors, BLK_MAX_SEGMENT_SECTORS);
        SET32(blk, max_write_zeroes_seg, BLK_MAX_SEGMENTS);
        blk->virtio.config[CONFIG_AT(write_zeroes_may_unmap)] = blk->may_unmap;
    }
}

static void
set_config(VirtioBlk *blk, const KilnVirtioBlkOptions *options)
{
    uint32_t per_block = options->physical_size / options->logical_size;

    kiln_le64_store(blk->virtio.config + CONFIG_AT(capacity), blk->sectors);
    SET32(blk, size_max, options->size_max);
    SET32(blk, seg_max, options->seg_max);
    set_geometry(blk, options);
    SET32(blk, blk_size, options->logical_size);
    blk->virtio.config[CONFIG_AT(physical_block_exp)] = (uint8_t)__builtin_ctz(per_block);
    SET16(blk, min_io_size, per_block);
    blk->virtio.config[CONFIG_WCE] = blk->wce;
    SET16(blk, num_queues, blk->virtio.n_queues);
    set_discard(blk, options->logical_size);
}

static void
set_wce(VirtioBlk *blk, uint8_t wce)
{
    blk->virtio.config[CONFIG_WCE] = wce;
    __atomic_store_n(&blk->wce, wce, __ATOMIC_RELAXED);
}

/* Only the write cache can be set. */
static void
blk_config_write(KilnVirtioDevice *device, unsigned offset, const void *data, unsigned length)
{
    if (offset <= CONFIG_WCE && CONFIG_WCE - offset < length)
        set_wce((VirtioBlk *)device, ((const uint8_t *)data)[CONFIG_WCE - offset] != 0);
}

static void
blk_reset(KilnVirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    set_wce(blk, blk->initial_cache != FALSE);
}

void
kiln_virtio_blk_resized(KilnVirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;
    uint64_t sectors = whole_sectors(blk);

    __atomic_store_n(&blk->sectors, sectors, __ATOMIC_RELAXED);
    kiln_virtio_device_lock(device);
    kiln_le64_store(device->config + CONFIG_AT(capacity), sectors);
    kiln_virtio_device_unlock(device);
    kiln_virtio_device_config_changed(device);
}

/* ---- Statistics ---- */

void
kiln_virtio_blk_statistics(KilnVirtioDevice *device, KilnVirtioBlkStatistics *statistics)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    kiln_disk_statistics_read(statistics, &blk->statistics);
}

KilnBlock *
kiln_virtio_blk_chain(KilnVirtioDevice *device)
{
    return ((VirtioBlk *)device)->chain;
}

/* ---- The device ---- */

static void
blk_free(KilnVirtioDevice *device)
{
    VirtioBlk *blk = (VirtioBlk *)device;

    for (unsigned i = 0; i < device->n_queues; i++)
        blk_queue_clear(&blk->queues[i]);
    g_free(blk->queues);
    kiln_block_free(blk->chain);
    kiln_virtio_device_clear(device);
    g_free(blk);
}

static gboolean
blk_post_load(void *object, GError **error)
{
    VirtioBlk *blk = object;

    set_wce(blk, blk->wce);
    return TRUE;
}

static const KilnStateField blk_fields[] = {
    KILN_STATE_RANGE(VirtioBlk, wce, 1, 0, 1),
    KILN_STATE_END,
};

/* Requests that wait for the machine to go on are in the state of their queues. */
static const KilnStateDescription blk_state = {
    .name = "virtio-blk",
    .version = 1,
    .min_version = 1,
    .fields = blk_fields,
    .post_load = blk_post_load,
};

static const KilnVirtioOps blk_ops = {
    .name = "virtio-blk",
    .id = VIRTIO_ID_BLOCK,
    .start = blk_start,
    .stop = blk_stop,
    .kick = blk_kick,
    .queue_stop = blk_queue_stop,
    .config_write = blk_config_write,
    .reset = blk_reset,
    .free = blk_free,
    .state = &blk_state,
};

/* ---- Set-up ---- */

/* Fills in what was left 0, and checks what was not. */
static gboolean
complete_options(KilnVirtioBlkOptions *options, GError **error)
{
    const KilnBlock *chain = options->chain;
    KilnVirtioOptions *virtio = &options->virtio;
    uint32_t least = MAX(SECTOR_BYTES, chain->block_size);
    uint32_t most_segments;

    virtio->n_queues = MAX(1, virtio->n_queues);
    if (virtio->queue_size == 0)
        virtio->queue_size = DEFAULT_QUEUE_SIZE;
    if (virtio->queue_size < MIN_QUEUE_SIZE || virtio->queue_size > KILN_VIRTQUEUE_MAX_SIZE)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a queue of %u is not from %d to %d",
                              virtio->queue_size, MIN_QUEUE_SIZE, KILN_VIRTQUEUE_MAX_SIZE);
    most_segments = virtio->queue_size - NOT_DATA;
    if (options->seg_max == 0)
        options->seg_max = most_segments;
    if (options->seg_max > most_segments)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%u segments of a request do not fit into a queue of %u",
                              options->seg_max, virtio->queue_size);
    if (options->logical_size == 0)
        options->logical_size = least;
    if (options->physical_size == 0)
        options->physical_size = MAX(options->logical_size, chain->physical_size);
    if (!kiln_is_power_of_2(options->logical_size) || options->logical_size > MAX_LOGICAL_BYTES ||
        options->logical_size < least)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a logical block of %u bytes is no power of 2 from %u to %d",
                              options->logical_size, least, MAX_LOGICAL_BYTES);
    if (!kiln_is_power_of_2(options->physical_size) ||
        options->physical_size > MAX_PHYSICAL_BYTES ||
        options->physical_size < options->logical_size)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a physical block of %u bytes is no power of 2 from %u to %d",
                              options->physical_size, options->logical_size, MAX_PHYSICAL_BYTES);
    return TRUE;
}

static uint64_t
blk_features(const VirtioBlk *blk, const KilnVirtioBlkOptions *options)
{
    uint64_t features = FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_GEOMETRY) |
                        FEATURE(VIRTIO_BLK_F_BLK_SIZE) | FEATURE(VIRTIO_BLK_F_FLUSH) |
                        FEATURE(VIRTIO_BLK_F_TOPOLOGY) | FEATURE(VIRTIO_BLK_F_CONFIG_WCE);

    if (options->size_max != 0)
        features |= FEATURE(VIRTIO_BLK_F_SIZE_MAX);
    if (options->virtio.n_queues > 1)
        features |= FEATURE(VIRTIO_BLK_F_MQ);
    if (blk->read_only)
        features |= FEATURE(VIRTIO_BLK_F_RO);
    if (blk->discard)
        features |= FEATURE(VIRTIO_BLK_F_DISCARD);
    if (blk->write_zeroes)
        features |= FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
    return features;
}

static void
take_options(VirtioBlk *blk, const KilnVirtioBlkOptions *options)
{
    blk->chain = options->chain;
    blk->uring = options->uring;
    blk->sector_mask = (options->logical_size >> BLK_SECTOR_BITS) - 1;
    blk->sectors = whole_sectors(blk);
    blk->read_only = options->read_only || blk->chain->read_only;
    blk->may_unmap = options->discard && !blk->read_only;
    blk->discard = blk->may_unmap && blk->chain->discard_granularity != 0;
    blk->write_zeroes = !blk->read_only;
    blk->initial_cache = options->write_back;
    blk->wce = options->write_back != FALSE;
    if (options->serial != NULL)
        memcpy(blk->serial, options->serial, strnlen(options->serial, sizeof blk->serial));
    blk->read_policy = options->read_policy;
    blk->write_policy = options->write_policy;
    blk->io_error = options->io_error;
    blk->opaque = options->opaque;
}

KilnVirtioDevice *
kiln_virtio_blk_new(const KilnVirtioBlkOptions *given, GError **error)
{
    KilnVirtioBlkOptions options = *given;
    g_autoptr(KilnBlock) chain = options.chain;
    VirtioBlk *blk;

    if (!complete_options(&options, error))
        return NULL;
    blk = g_new0(VirtioBlk, 1);
    take_options(blk, &options);
    options.virtio.features = blk_features(blk, &options);
    options.virtio.config_size = CONFIG_BYTES;
    kiln_virtio_device_init(&blk->virtio, &blk_ops, &options.virtio);
    set_config(blk, &options);
    blk->queues = g_new0(BlkQueue, options.virtio.n_queues);
    for (unsigned i = 0; i < options.virtio.n_queues; i++)
        blk_queue_init(&blk->queues[i], blk, i);
    g_steal_pointer(&chain);
    return &blk->virtio;
}
