/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See bucket.h, and QEMU's docs/throttle.txt, which says what the limits mean. */
#include "block/bucket.h"

#include "base/error.h"

enum { TENTHS = 10 }; /* a bucket without a burst holds a tenth of a second */

static const double ns_per_second = 1e9;
static const uint64_t most = G_GUINT64_CONSTANT(1000000000000000); /* QEMU's THROTTLE_VALUE_MAX */

static const KilnThrottleBucket of_direction[2][4] = {
    { KILN_THROTTLE_BYTES_TOTAL, KILN_THROTTLE_IOPS_TOTAL, KILN_THROTTLE_BYTES_READ,
      KILN_THROTTLE_IOPS_READ },
    { KILN_THROTTLE_BYTES_TOTAL, KILN_THROTTLE_IOPS_TOTAL, KILN_THROTTLE_BYTES_WRITE,
      KILN_THROTTLE_IOPS_WRITE },
};

static gboolean
both(const KilnThrottleLimits *limits, KilnThrottleBucket total)
{
    const unsigned read = total + 1, write = total + 2;

    return (limits->buckets[total].average != 0 &&
            (limits->buckets[read].average != 0 || limits->buckets[write].average != 0)) ||
           (limits->buckets[total].max != 0 &&
            (limits->buckets[read].max != 0 || limits->buckets[write].max != 0));
}

gboolean
kiln_throttle_limits_check(const KilnThrottleLimits *limits, GError **error)
{
    if (both(limits, KILN_THROTTLE_BYTES_TOTAL) || both(limits, KILN_THROTTLE_IOPS_TOTAL))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a total limit and one of reads or writes exclude each other");
    for (unsigned i = 0; i < KILN_THROTTLE_N_BUCKETS; i++) {
        uint64_t average = limits->buckets[i].average, max = limits->buckets[i].max;
        uint64_t length = limits->buckets[i].length;

        if (average > most || max > most)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "a limit is more than %" G_GUINT64_FORMAT, most);
        if (max != 0 && average == 0)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "a burst is allowed where no limit is set");
        if (max != 0 && max < average)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "the limit of a burst is below the limit itself");
        if (length > 1 && max == 0)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "a burst has a length and no limit of its own");
        if (max != 0 && length > most / max)
            return kiln_error_set(error, KILN_ERROR_INVALID, "a burst is too long");
    }
    if (limits->iops_size != 0 && limits->buckets[KILN_THROTTLE_IOPS_TOTAL].average == 0 &&
        limits->buckets[KILN_THROTTLE_IOPS_READ].average == 0 &&
        limits->buckets[KILN_THROTTLE_IOPS_WRITE].average == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a size of requests is given, and no limit of them");
    return TRUE;
}

void
kiln_buckets_leak(KilnBuckets *buckets, uint64_t now_ns)
{
    double seconds =
        now_ns > buckets->leaked_ns ? (double)(now_ns - buckets->leaked_ns) / ns_per_second : 0;

    buckets->leaked_ns = MAX(now_ns, buckets->leaked_ns);
    for (unsigned i = 0; i < KILN_THROTTLE_N_BUCKETS; i++) {
        KilnBucketLevel *level = &buckets->levels[i];

        level->level -= (double)buckets->limits.buckets[i].average * seconds;
        level->burst -= (double)buckets->limits.buckets[i].max * seconds;
        level->level = MAX(level->level, 0);
        level->burst = MAX(level->burst, 0);
    }
}

static double
wait_of(const KilnBuckets *buckets, KilnThrottleBucket i)
{
    double average = (double)buckets->limits.buckets[i].average;
    double max = (double)buckets->limits.buckets[i].max;
    uint64_t length = MAX(buckets->limits.buckets[i].length, 1);
    double size = max > 0 ? max * (double)length : average / TENTHS;
    double wait = 0;

    if (average <= 0)
        return 0;
    if (buckets->levels[i].level > size)
        wait = (buckets->levels[i].level - size) / average;
    /* A long burst keeps to its own rate. */
    if (length > 1 && max > 0 && buckets->levels[i].burst > max / TENTHS)
        wait = MAX(wait, (buckets->levels[i].burst - max / TENTHS) / max);
    return wait * ns_per_second;
}

uint64_t
kiln_buckets_wait(const KilnBuckets *buckets, gboolean write)
{
    double wait = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(of_direction[0]); i++)
        wait = MAX(wait, wait_of(buckets, of_direction[write ? 1 : 0][i]));
    return (uint64_t)wait;
}

void
kiln_buckets_add(KilnBuckets *buckets, gboolean write, uint64_t bytes)
{
    double units = 1;

    if (buckets->limits.iops_size != 0 && bytes > buckets->limits.iops_size)
        units = (double)bytes / (double)buckets->limits.iops_size;
    for (unsigned i = 0; i < G_N_ELEMENTS(of_direction[0]); i++) {
        KilnThrottleBucket bucket = of_direction[write ? 1 : 0][i];
        double added = bucket < KILN_THROTTLE_IOPS_TOTAL ? (double)bytes : units;

        buckets->levels[bucket].level += added;
        if (buckets->limits.buckets[bucket].length > 1)
            buckets->levels[bucket].burst += added;
    }
}
