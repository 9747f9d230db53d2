/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio disk (virtio 1.2 §5.2): read, write, flush, get id, discard, write zeroes.
 *
 *   kick -> pop -> header copied and checked -> kiln_block_submit() -> … -> status byte -> push
 *        -> one flush (and interrupt) for all that is done in one turn of the loop
 *
 * All queues are worked on in the one thread of the device's context, which is the chain's too.
 * Secure erase, zones and the lifetime command are not offered.
 */
#ifndef KILN_DEVICE_VIRTIO_BLK_H
#define KILN_DEVICE_VIRTIO_BLK_H

#include "block/block.h"
#include "device/disk-statistics.h"
#include "device/io-error.h"
#include "loop/uring.h"
#include "virtio/device.h"

/**
 * KilnVirtioBlkOptions:
 * @virtio: id, memory, context, n_queues (0 is 1), queue_size, packed and the like; features and
 *   config_size are the device's own business
 * @chain: (transfer full): the disk, on @virtio.context
 * @uring: (nullable): that @virtio.context sleeps in, borrowed: when it looks for work before that,
 *   it looks into the queues
 * @serial: (nullable): at most 20 bytes of it are shown; copied
 * @logical_size, @physical_size: bytes, powers of 2; 0 is what suits the chain
 * @cylinders, @heads, @sectors: legacy geometry; all 0 is made up from the size
 * @size_max: bytes of a segment; 0 is no limit
 * @seg_max: segments of a request; 0 is the queue's size less header and status
 * @read_only: writes are refused, whatever the chain would take
 * @write_back: the driver starts with a volatile write cache (cache modes writeback, none, unsafe);
 *   else each write is on stable storage before it is done (writethrough, directsync)
 * @discard: discards reach the chain, and zeroes may give space back
 * @read_policy, @write_policy: on errors; flush, discard and write zeroes are writes
 * @io_error: (nullable): told of each error
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnBlock *chain;
    KilnUring *uring;
    const char *serial;
    uint32_t logical_size;
    uint32_t physical_size;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint32_t size_max;
    uint32_t seg_max;
    gboolean read_only;
    gboolean write_back;
    gboolean discard;
    KilnIoErrorPolicy read_policy;
    KilnIoErrorPolicy write_policy;
    KilnIoErrorFunc io_error;
    void *opaque;
} KilnVirtioBlkOptions;

typedef KilnDiskCounter KilnVirtioBlkCounter;
typedef KilnDiskStatistics KilnVirtioBlkStatistics;

/**
 * kiln_virtio_blk_new:
 *
 * Returns: (transfer full): for a transport; NULL with @error set (sizes that do not fit the chain)
 *   and the chain freed.  Main thread.
 */
KilnVirtioDevice *kiln_virtio_blk_new(const KilnVirtioBlkOptions *options, GError **error);

/**
 * kiln_virtio_blk_resized:
 *
 * The chain has another length, which it got while the device was quiesced: the driver is told.
 * Main thread.
 */
void kiln_virtio_blk_resized(KilnVirtioDevice *device);

/* How the I/O thread looks into the queues while the driver does not kick. */
KilnPoller kiln_virtio_blk_poller(KilnVirtioDevice *device);

/* The disk.  Borrowed. */
KilnBlock *kiln_virtio_blk_chain(KilnVirtioDevice *device);

/* Any thread, no lock; members may be of moments that lie a request apart. */
void kiln_virtio_blk_statistics(KilnVirtioDevice *device, KilnVirtioBlkStatistics *statistics);

#endif
