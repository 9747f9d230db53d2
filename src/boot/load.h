/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the loaders of the formats share: one guest being put together. */
#ifndef KILN_BOOT_LOAD_H
#define KILN_BOOT_LOAD_H

#include "boot/boot.h"
#include "boot/file.h"
#include "boot/places.h"

typedef struct {
    KilnMemory *memory;             /* not owned */
    const KilnBootOptions *options; /* not owned */
    KilnBootFile kernel;
    KilnBootFile initrd;    /* size 0: none, or an empty one */
    KilnBootPlaces *places; /* not owned */
    KilnGpa tables_end;     /* of the highest table that was put below 4 GiB */
    KilnBootEntry entry;    /* what is known of it so far */
} KilnBootLoad;

/**
 * kiln_boot_load_table:
 * @what: for the message
 * @gpa: (out): where it is now
 *
 * Puts @length bytes where there is room, below 4 GiB.
 *
 * Returns: TRUE, or FALSE with @error set if there is no room.
 */
gboolean kiln_boot_load_table(KilnBootLoad *load, const void *data, uint64_t length,
                              const char *what, KilnGpa *gpa, GError **error);

/**
 * kiln_boot_load_initrd:
 * @below: the first address that it may not touch
 * @gpa: (out): where it is now, as high as possible; 0 if there is none
 *
 * Returns: TRUE, or FALSE with @error set, which says how much room it needs.
 */
gboolean kiln_boot_load_initrd(KilnBootLoad *load, KilnGpa below, KilnGpa *gpa, GError **error);

/**
 * kiln_boot_load_gdt:
 *
 * Writes the descriptors for the entry's mode, and sets its @gdt and @gdt_limit.
 */
gboolean kiln_boot_load_gdt(KilnBootLoad *load, GError **error);

/**
 * kiln_boot_load_page_tables:
 * @end: what lies below it is mapped one to one, in pages of 2 MiB; at most 4 GiB
 *
 * Sets the entry's @cr3.
 */
gboolean kiln_boot_load_page_tables(KilnBootLoad *load, KilnGpa end, GError **error);

#endif
