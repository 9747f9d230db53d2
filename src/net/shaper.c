/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See shaper.h. */
#include "net/shaper.h"

enum { PEAK_MS = 10 }; /* what may go at once at the peak rate: timers are no finer than 1 ms */

static const uint64_t ns_per_second = 1000000000;
static const uint64_t max_kib = UINT64_C(1) << 32; /* 4 TiB: rates and bursts above are none */

static void
bucket_init(KilnTokenBucket *bucket, uint64_t rate, uint64_t capacity, uint64_t now_ns)
{
    *bucket = (KilnTokenBucket){
        .rate = rate,
        .capacity = (int64_t)capacity,
        .tokens = (int64_t)capacity,
        .since_ns = now_ns,
    };
}

void
kiln_shaper_init(KilnShaper *shaper, const KilnNetdevLimit *limit, uint64_t now_ns)
{
    uint64_t average = limit != NULL ? MIN(limit->average, max_kib) * 1024 : 0;
    uint64_t peak = limit != NULL ? MIN(limit->peak, max_kib) * 1024 : 0;
    uint64_t burst = limit != NULL ? MIN(limit->burst, max_kib) * 1024 : 0;

    bucket_init(&shaper->average, average, burst != 0 ? burst : average, now_ns);
    bucket_init(&shaper->peak, average != 0 && peak > average ? peak : 0,
                MAX(peak / 1000 * PEAK_MS, 2048), now_ns);
}

gboolean
kiln_shaper_limits(const KilnShaper *shaper)
{
    return shaper->average.rate != 0;
}

static void
bucket_fill(KilnTokenBucket *bucket, uint64_t now_ns)
{
    uint64_t passed = now_ns > bucket->since_ns ? now_ns - bucket->since_ns : 0;
    unsigned __int128 gained;
    uint64_t bytes;

    bucket->since_ns = now_ns;
    gained = (unsigned __int128)passed * bucket->rate + bucket->remnant;
    bytes = (uint64_t)MIN(gained / ns_per_second, (unsigned __int128)INT64_MAX / 2);
    bucket->remnant = (uint64_t)(gained % ns_per_second);
    bucket->tokens = MIN(bucket->capacity, bucket->tokens + (int64_t)bytes);
}

static uint64_t
bucket_wait_ns(KilnTokenBucket *bucket, uint64_t now_ns)
{
    unsigned __int128 needed;

    if (bucket->rate == 0)
        return 0;
    bucket_fill(bucket, now_ns);
    if (bucket->tokens > 0)
        return 0;
    needed = (unsigned __int128)(uint64_t)(1 - bucket->tokens) * ns_per_second;
    return (uint64_t)(needed / bucket->rate) + 1;
}

uint64_t
kiln_shaper_wait_ns(KilnShaper *shaper, uint64_t now_ns)
{
    uint64_t average = bucket_wait_ns(&shaper->average, now_ns);
    uint64_t peak = bucket_wait_ns(&shaper->peak, now_ns);

    return MAX(average, peak);
}

void
kiln_shaper_take(KilnShaper *shaper, uint64_t bytes)
{
    shaper->average.tokens -= (int64_t)bytes;
    shaper->peak.tokens -= (int64_t)bytes;
}
