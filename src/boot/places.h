/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which RAM is still free while a guest is put together: what the kernel's file asks for is taken
 * first, then what is only needed somewhere (tables, command line, initrd) goes where it fits.
 */
#ifndef KILN_BOOT_PLACES_H
#define KILN_BOOT_PLACES_H

#include "boot/boot.h"

typedef struct KilnBootPlaces KilnBootPlaces;

/**
 * KilnBootTaken:
 * @KILN_BOOT_PLACE_TAKEN: the bytes were free and are the caller's now
 * @KILN_BOOT_PLACE_NOT_RAM: some of them are no RAM
 * @KILN_BOOT_PLACE_IN_USE: some of them belong to somebody else
 */
typedef enum {
    KILN_BOOT_PLACE_TAKEN,
    KILN_BOOT_PLACE_NOT_RAM,
    KILN_BOOT_PLACE_IN_USE,
} KilnBootTaken;

/**
 * kiln_boot_places_new:
 *
 * Returns: (transfer full): all RAM of @memory, of which page 0, 0x9fc00-0xfffff and @reserved are
 *   in use.
 */
KilnBootPlaces *kiln_boot_places_new(KilnMemory *memory, const KilnBootRange *reserved,
                                     guint n_reserved);
void kiln_boot_places_free(KilnBootPlaces *places);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnBootPlaces, kiln_boot_places_free)

/**
 * kiln_boot_places_take:
 * @size: bytes; may be anything, also so much that the range wraps
 */
KilnBootTaken kiln_boot_places_take(KilnBootPlaces *places, KilnGpa gpa, uint64_t size);

/**
 * kiln_boot_places_lowest:
 * @size: bytes, more than 0
 * @alignment: a power of 2, at most 4 GiB
 * @from, @to: the first address that may be used, and the first that may not
 * @gpa: (out): the lowest place; it is taken
 *
 * Returns: FALSE if there is none.
 */
gboolean kiln_boot_places_lowest(KilnBootPlaces *places, uint64_t size, uint64_t alignment,
                                 KilnGpa from, KilnGpa to, KilnGpa *gpa);

/* As kiln_boot_places_lowest, but the highest place. */
gboolean kiln_boot_places_highest(KilnBootPlaces *places, uint64_t size, uint64_t alignment,
                                  KilnGpa from, KilnGpa to, KilnGpa *gpa);

/* A place of @size bytes, aligned to 4 KiB, for a table: below 0x9fc00 or else below 4 GiB. */
gboolean kiln_boot_places_table(KilnBootPlaces *places, uint64_t size, KilnGpa *gpa);

/**
 * kiln_boot_ram_chunk:
 * @length: bytes, more than 0
 * @host: (out): where @gpa is
 *
 * Returns: how many of the @length bytes are at @host in a row; 0 if @gpa is no RAM.
 */
uint64_t kiln_boot_ram_chunk(KilnMemory *memory, KilnGpa gpa, uint64_t length, void **host);

/* Writes zeroes; all of the @length bytes are RAM. */
void kiln_boot_ram_zero(KilnMemory *memory, KilnGpa gpa, uint64_t length);

#endif
