/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving guest RAM back to the host while the guest runs: what is in the bytes is lost, and the
 * next access finds zeroes in a new page.  A hole is punched into a memfd, so that it is gone for
 * every process that maps it; anonymous memory is given up by madvise(2).
 *
 * Not for memory that a device of the host reaches by itself (VFIO) or that is locked: whoever has
 * such leaves these calls out.
 */
#ifndef KILN_MEMORY_DISCARD_H
#define KILN_MEMORY_DISCARD_H

#include "memory/memory.h"

/**
 * kiln_memory_discard:
 * @length: bytes, more than 0
 *
 * Gives up the whole 4 KiB pages in the range.  Any thread.
 *
 * Returns: FALSE if any byte is not RAM or is of a file, if the range wraps, or if the host
 * refuses.
 */
gboolean kiln_memory_discard(KilnMemory *memory, KilnGpa gpa, uint64_t length);

/* The same of bytes that are known by their host address, as in a virtqueue's buffers. */
gboolean kiln_memory_discard_host(KilnMemory *memory, const void *host, uint64_t length);

/**
 * kiln_memory_discard_range:
 * @host: a mapping of @fd at @fd_offset, or private anonymous memory (@fd is -1)
 *
 * The same of memory that is in no KilnMemory; @host, @fd_offset and @length are multiples of the
 * page size.
 *
 * Returns: 0 or -errno.
 */
int kiln_memory_discard_range(void *host, uint64_t length, int fd, uint64_t fd_offset);

#endif
