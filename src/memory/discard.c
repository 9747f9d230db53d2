/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See discard.h. */
#include "memory/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/intmath.h"

#define PAGE_SIZE G_GUINT64_CONSTANT(4096)

int
kiln_memory_discard_range(void *host, uint64_t length, int fd, uint64_t fd_offset)
{
    int failed;

    do
        failed = fd < 0 ? madvise(host, length, MADV_DONTNEED)
                        : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    (off_t)fd_offset, (off_t)length);
    while (failed != 0 && errno == EINTR);
    return failed != 0 ? -errno : 0;
}

static gboolean
discard_in(const KilnMemoryRegion *region, uint64_t offset, uint64_t length)
{
    uint64_t start = kiln_align_up(offset, PAGE_SIZE);
    uint64_t end = kiln_align_down(offset + length, PAGE_SIZE);

    if (region->kind == KILN_MEMORY_PERSISTENT)
        return FALSE;
    if (start >= end)
        return TRUE;
    return kiln_memory_discard_range((char *)region->host + start, end - start, region->fd,
                                     region->fd_offset + start) == 0;
}

gboolean
kiln_memory_discard(KilnMemory *memory, KilnGpa gpa, uint64_t length)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n);

    for (guint i = 0; i < n; i++) {
        if (gpa < regions[i].gpa || length == 0 ||
            !kiln_range_inside(gpa - regions[i].gpa, length, regions[i].size))
            continue;
        return discard_in(&regions[i], gpa - regions[i].gpa, length);
    }
    return FALSE;
}

gboolean
kiln_memory_discard_host(KilnMemory *memory, const void *host, uint64_t length)
{
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n);
    uintptr_t address = (uintptr_t)host;

    for (guint i = 0; i < n; i++) {
        uintptr_t start = (uintptr_t)regions[i].host;

        if (address < start || length == 0 ||
            !kiln_range_inside(address - start, length, regions[i].size))
            continue;
        return discard_in(&regions[i], address - start, length);
    }
    return FALSE;
}
