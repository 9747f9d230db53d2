/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits on a disk, or on several together (<iotune>, group_name): bytes and requests a second, by
 * leaky buckets: what QEMU's docs/throttle.txt says of bps, iops, their _max, _max_length and
 * iops-size holds here.
 *
 *   request -> group unlimited: next layer
 *           -> buckets not full: accounted -> next layer
 *           -> member's queue -> member's turn (one request each, round and round) and its timer ->
 *              next layer
 *
 * Members of a group may be of different threads.  Flushes are not limited.
 */
#ifndef KILN_BLOCK_THROTTLE_H
#define KILN_BLOCK_THROTTLE_H

#include "block/block.h"

typedef struct KilnThrottleGroup KilnThrottleGroup;

typedef enum {
    KILN_THROTTLE_BYTES_TOTAL,
    KILN_THROTTLE_BYTES_READ,
    KILN_THROTTLE_BYTES_WRITE,
    KILN_THROTTLE_IOPS_TOTAL,
    KILN_THROTTLE_IOPS_READ,
    KILN_THROTTLE_IOPS_WRITE,
    KILN_THROTTLE_N_BUCKETS,
} KilnThrottleBucket;

/**
 * KilnThrottleLimits:
 * @average: units a second; 0: not limited
 * @max: units a second for @length seconds on end, more than @average; 0: @average and no burst
 * @length: seconds, at least 1 where @max is set
 * @iops_size: bytes (size_iops_sec): a larger request counts as several; 0: as one
 */
typedef struct {
    struct {
        uint64_t average;
        uint64_t max;
        uint64_t length;
    } buckets[KILN_THROTTLE_N_BUCKETS];
    uint64_t iops_size;
} KilnThrottleLimits;

/**
 * kiln_throttle_limits_check:
 *
 * Returns: FALSE with @error set: total beside read or write, a max below its average or without
 *   one, or more than can be counted.
 */
gboolean kiln_throttle_limits_check(const KilnThrottleLimits *limits, GError **error);

/* @limits: checked.  Returns: (transfer full): with one reference. */
KilnThrottleGroup *kiln_throttle_group_new(const KilnThrottleLimits *limits);
KilnThrottleGroup *kiln_throttle_group_ref(KilnThrottleGroup *group);
void kiln_throttle_group_unref(KilnThrottleGroup *group);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnThrottleGroup, kiln_throttle_group_unref)

/* Takes effect at once, also for what waits.  @limits: checked.  Any thread. */
void kiln_throttle_group_set(KilnThrottleGroup *group, const KilnThrottleLimits *limits);
void kiln_throttle_group_get(KilnThrottleGroup *group, KilnThrottleLimits *limits);

/**
 * kiln_throttle_open:
 * @child: (transfer full): also when it fails
 * @group: referenced
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnBlock *kiln_throttle_open(KilnBlock *child, KilnThrottleGroup *group, GError **error);

#endif
