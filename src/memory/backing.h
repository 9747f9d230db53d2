/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One stretch of host memory for guest RAM: memfd, hugetlbfs or anonymous. */
#ifndef KILN_MEMORY_BACKING_H
#define KILN_MEMORY_BACKING_H

#include <glib.h>
#include <stdint.h>

#include "base/fd.h"
#include "memory/memory.h"

typedef struct {
    void *host;    /* (owned) mapping of @size bytes; NULL: none */
    uint64_t size; /* bytes */
    KilnFd fd;     /* (owned) the memfd, or a file that is shared; -1: anonymous, or private */
} KilnBacking;

/**
 * kiln_backing_init:
 * @backing: (out caller-allocates):
 * @size: bytes, a multiple of the page size that @options ask for
 * @gpa: guest address of the first byte: the host address is the same modulo 2 MiB, without which
 *   KVM cannot map huge pages as such
 * @hugepage_size: bytes, 0 for normal pages
 *
 * Returns: FALSE with @error set; @backing can be cleared then too.
 */
gboolean kiln_backing_init(KilnBacking *backing, uint64_t size, KilnGpa gpa, uint64_t hugepage_size,
                           const KilnMemoryOptions *options, GError **error);

/* As kiln_backing_init(), of memory that is used in part: more than the host has may be asked for,
 * and nothing is allocated or locked, whatever @options say. */
gboolean kiln_backing_init_sparse(KilnBacking *backing, uint64_t size, KilnGpa gpa,
                                  const KilnMemoryOptions *options, GError **error);

/* The same of @module's file. */
gboolean kiln_backing_init_file(KilnBacking *backing, const KilnMemoryModule *module, KilnGpa gpa,
                                const KilnMemoryOptions *options, GError **error);
void kiln_backing_clear(KilnBacking *backing);

/* Makes every byte zero, giving pages back to the host if @options let it. */
gboolean kiln_backing_zero(KilnBacking *backing, const KilnMemoryOptions *options, GError **error);

#endif
