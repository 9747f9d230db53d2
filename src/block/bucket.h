/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leaky buckets: the arithmetic of limits, without clocks, locks or requests. */
#ifndef KILN_BLOCK_BUCKET_H
#define KILN_BLOCK_BUCKET_H

#include "block/throttle.h"

typedef struct {
    double level; /* units in the bucket, which leak at the average rate */
    double burst; /* units in the small one, which leak at the maximal rate */
} KilnBucketLevel;

typedef struct {
    KilnThrottleLimits limits;
    KilnBucketLevel levels[KILN_THROTTLE_N_BUCKETS];
    uint64_t leaked_ns; /* until when the buckets have leaked */
} KilnBuckets;

/* Lets leak what leaks until @now_ns. */
void kiln_buckets_leak(KilnBuckets *buckets, uint64_t now_ns);

/* Returns: nanoseconds until a request of this direction may go; 0: now. */
uint64_t kiln_buckets_wait(const KilnBuckets *buckets, gboolean write);

/* A request of @bytes goes. */
void kiln_buckets_add(KilnBuckets *buckets, gboolean write, uint64_t bytes);

#endif
