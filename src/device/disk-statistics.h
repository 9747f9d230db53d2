/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a disk has done, whatever it is to its guest: virtio-blk, SCSI, ATA.  One writer, the
 * disk's thread; anybody reads, each member (atomic).
 */
#ifndef KILN_DEVICE_DISK_STATISTICS_H
#define KILN_DEVICE_DISK_STATISTICS_H

#include <stdint.h>

/**
 * KilnDiskCounter:
 * @requests: done without an error
 * @bytes: of those
 * @time_ns: from when the device took it to when it gave it back, of those
 * @errors: that failed on the host
 */
typedef struct {
    uint64_t requests;
    uint64_t bytes;
    uint64_t time_ns;
    uint64_t errors;
} KilnDiskCounter;

/* @discard counts write zeroes too. */
typedef struct {
    KilnDiskCounter read;
    KilnDiskCounter write;
    KilnDiskCounter flush;
    KilnDiskCounter discard;
} KilnDiskStatistics;

/* There is one writer, so no read-modify-write need be atomic as a whole. */
static inline void
kiln_disk_count(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline void
kiln_disk_counter_read(KilnDiskCounter *to, const KilnDiskCounter *from)
{
    to->requests = __atomic_load_n(&from->requests, __ATOMIC_RELAXED);
    to->bytes = __atomic_load_n(&from->bytes, __ATOMIC_RELAXED);
    to->time_ns = __atomic_load_n(&from->time_ns, __ATOMIC_RELAXED);
    to->errors = __atomic_load_n(&from->errors, __ATOMIC_RELAXED);
}

/* Any thread, no lock; members may be of moments that lie a request apart. */
static inline void
kiln_disk_statistics_read(KilnDiskStatistics *to, const KilnDiskStatistics *from)
{
    kiln_disk_counter_read(&to->read, &from->read);
    kiln_disk_counter_read(&to->write, &from->write);
    kiln_disk_counter_read(&to->flush, &from->flush);
    kiln_disk_counter_read(&to->discard, &from->discard);
}

#endif
