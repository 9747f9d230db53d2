/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sets of small numbers: CPUs and NUMA nodes, as libvirt writes them ("0-3,^2,8").
 */
#ifndef KILN_BASE_BITMAP_H
#define KILN_BASE_BITMAP_H

#include <glib.h>

enum { KILN_BITMAP_MAX_BITS = 16384 }; /* libvirt's VIR_DOMAIN_CPUMASK_LEN times eight */

typedef struct KilnBitmap KilnBitmap;

/**
 * kiln_bitmap_new:
 * Returns: (transfer full): an empty set.
 */
KilnBitmap *kiln_bitmap_new(void);
void kiln_bitmap_free(KilnBitmap *bitmap);
KilnBitmap *kiln_bitmap_copy(const KilnBitmap *bitmap);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnBitmap, kiln_bitmap_free)

/* @bit is below KILN_BITMAP_MAX_BITS; reading a bit past the end of the set gives FALSE. */
void kiln_bitmap_set(KilnBitmap *bitmap, guint bit);
void kiln_bitmap_unset(KilnBitmap *bitmap, guint bit);
gboolean kiln_bitmap_get(const KilnBitmap *bitmap, guint bit);
guint kiln_bitmap_count(const KilnBitmap *bitmap);
gboolean kiln_bitmap_equal(const KilnBitmap *a, const KilnBitmap *b);

/**
 * kiln_bitmap_next:
 * @from: the first bit to look at
 *
 * Returns: the lowest set bit that is not below @from, or -1.
 */
int kiln_bitmap_next(const KilnBitmap *bitmap, guint from);

/**
 * kiln_bitmap_parse:
 * @text: ranges and single numbers between commas; "^N" takes N out of what stands before it
 *
 * Returns: (transfer full): the set, or NULL with @error set; an empty set is an error.
 */
KilnBitmap *kiln_bitmap_parse(const char *text, GError **error);

/**
 * kiln_bitmap_format:
 * Returns: (transfer full): the shortest text of ranges, "" for the empty set.
 */
char *kiln_bitmap_format(const KilnBitmap *bitmap);

#endif
