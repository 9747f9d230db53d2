/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statistics in shared memory: a process publishes names and values there, and another one reads
 * them without asking.
 *
 *   publisher: memfd, sealed against resizing -> kiln_statistics_publish(), now and then
 *   reader:    maps it -> copies once -> checks the copy: the publisher may be anybody
 *
 * A generation number before and after tells a reader that it read while it was written (a
 * seqlock).  Only the publisher writes.
 */
#ifndef KILN_BASE_STATISTICS_H
#define KILN_BASE_STATISTICS_H

#include <glib.h>
#include <stdint.h>

enum { KILN_STATISTIC_NAME_MAX = 56, KILN_STATISTICS_BYTES = 256 * 1024 };

/* Numbers are libvirt's VIR_TYPED_PARAM_*. */
typedef enum {
    KILN_STATISTIC_INT = 1,
    KILN_STATISTIC_UINT = 2,
    KILN_STATISTIC_LLONG = 3,
    KILN_STATISTIC_ULLONG = 4,
    KILN_STATISTIC_DOUBLE = 5,
    KILN_STATISTIC_BOOLEAN = 6,
    KILN_STATISTIC_STRING = 7,
} KilnStatisticType;

/* An entry of a copy that was checked: @name ends in a zero, and so does @text. */
typedef struct {
    char name[KILN_STATISTIC_NAME_MAX];
    KilnStatisticType type;
    union {
        int64_t number; /* INT, LLONG, BOOLEAN */
        uint64_t count; /* UINT, ULLONG */
        double real;
        const char *text; /* in the reader's copy */
    } value;
} KilnStatistic;

typedef struct KilnStatisticsPublisher KilnStatisticsPublisher;
typedef struct KilnStatisticsReader KilnStatisticsReader;

KilnStatisticsPublisher *kiln_statistics_publisher_new(GError **error);
void kiln_statistics_publisher_free(KilnStatisticsPublisher *publisher);
/* Borrowed: for readers. */
int kiln_statistics_publisher_fd(const KilnStatisticsPublisher *publisher);

/**
 * kiln_statistics_publish:
 * @values: an a{sv} of i, u, x, t, d, b and s, as kiln_machine_statistics() gives
 *
 * What has no room is left out.
 */
void kiln_statistics_publish(KilnStatisticsPublisher *publisher, GVariant *values);

/**
 * kiln_statistics_reader_new:
 * @fd: borrowed: a publisher's, or anything at all
 *
 * Returns: (transfer full): NULL with @error set if it is not sealed memory of the right size.
 */
KilnStatisticsReader *kiln_statistics_reader_new(int fd, GError **error);
void kiln_statistics_reader_free(KilnStatisticsReader *reader);

/**
 * kiln_statistics_read:
 * @entries: (out): valid until the next read
 * @published_us: (out) (optional): monotonic time of what was read
 *
 * Returns: how many; 0 if nothing was published, or nothing that holds (it is tried a few times).
 */
guint kiln_statistics_read(KilnStatisticsReader *reader, const KilnStatistic **entries,
                           gint64 *published_us);

#endif
