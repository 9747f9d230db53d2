/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A limit of bandwidth by two token buckets: one fills with the average rate and holds the burst,
 * the other fills with the peak rate and holds little.  A packet may go while neither is in debt,
 * and then takes its length from both, which may put them into debt: so packets longer than a
 * bucket (segmentation offload) pass, and the average holds all the same.
 *
 * The clock is the caller's.  No lock.
 */
#ifndef KILN_NET_SHAPER_H
#define KILN_NET_SHAPER_H

#include "net/netdev.h"

typedef struct {
    uint64_t rate;     /* bytes per second; 0: no limit */
    int64_t capacity;  /* bytes */
    int64_t tokens;    /* bytes; negative: in debt */
    uint64_t remnant;  /* of a byte, in 1/10^9 of one */
    uint64_t since_ns; /* when tokens were reckoned last */
} KilnTokenBucket;

typedef struct {
    KilnTokenBucket average;
    KilnTokenBucket peak;
} KilnShaper;

/* (nullable): NULL is no limit.  Buckets are full at @now_ns. */
void kiln_shaper_init(KilnShaper *shaper, const KilnNetdevLimit *limit, uint64_t now_ns);

gboolean kiln_shaper_limits(const KilnShaper *shaper);

/**
 * kiln_shaper_wait_ns:
 * Returns: after how many nanoseconds a packet may go; 0: now.
 */
uint64_t kiln_shaper_wait_ns(KilnShaper *shaper, uint64_t now_ns);

/* A packet of @bytes went. */
void kiln_shaper_take(KilnShaper *shaper, uint64_t bytes);

#endif
