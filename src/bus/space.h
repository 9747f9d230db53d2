/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An address space of registers: the 64 Ki I/O ports, or memory-mapped I/O.
 *
 *   exit -> kiln_space_write() -> immutable snapshot (sorted array) -> device lock -> region op
 *
 * Readers (vCPU threads) take no lock and allocate nothing.  Whoever changes the map builds a new
 * snapshot and swaps it in whole.  A snapshot is freed once no reader can hold it: each reader
 * thread publishes the one that it walks (a hazard pointer), so that at most one retired snapshot a
 * thread (times KILN_SPACE_DEPTH) is alive however often a guest moves its BARs, and a change made
 * from inside a device op, while the caller itself walks the old map, waits for nobody.
 *
 * Regions are of two kinds.  A *fixed* one is placed by the machine: to overlap another fixed one
 * is an error.  A *movable* one (a BAR, ECAM) is placed by the guest and may be put anywhere: while
 * it overlaps a fixed region, or a movable one that was placed earlier, it is not decoded, and it
 * comes back by itself when the other has gone.
 */
#ifndef KILN_BUS_SPACE_H
#define KILN_BUS_SPACE_H

#include <stdint.h>

#include "bus/device.h"

enum {
    KILN_SPACE_DEPTH = 4, /* accesses that one thread can have under way, one inside the other */
};

/* Where a region is that no access can reach. */
#define KILN_SPACE_UNMAPPED UINT64_MAX

typedef struct KilnSpace KilnSpace;

/**
 * KilnRegionOps:
 * @read: (nullable): @size bytes at @offset into the region, in the low bits of what is returned;
 *   without it reads give all ones
 * @write: (nullable): without it writes are dropped
 * @min_access: the narrowest access that the ops take, 1, 2, 4 or 8 bytes; 0 is taken as 1.  A
 *   narrower read is cut out of a wider one; a narrower write is dropped
 * @max_access: the widest; 0 is taken as 4.  A wider access is split into several, lowest first
 * @mapped: (nullable): the region is decoded at @base now, or at KILN_SPACE_UNMAPPED; for what
 * hangs on the guest address itself (ioeventfds, memory slots).  Called in the thread that changed
 * the map, under the space's lock: it must not change a space
 *
 * @read and @write get offsets and sizes that lie inside the region and are called with the
 * region's lock held, if it has one.
 */
typedef struct {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t data, unsigned size);
    void (*mapped)(void *opaque, uint64_t base);
    uint8_t min_access;
    uint8_t max_access;
} KilnRegionOps;

/**
 * KilnRegion:
 *
 * Embedded in its device, filled in by it (kiln_region_init() or a designated initialiser); what is
 * below the line belongs to the space while the region is in one.
 */
typedef struct {
    const char *name;         /* for errors: "serial0"; lives as long as the region */
    const KilnRegionOps *ops; /* static */
    void *opaque;             /* given to @ops */
    KilnMutex *lock;          /* (nullable): taken around each op: its device's */
    uint64_t length;          /* bytes, more than 0 */

    uint64_t base;    /* where it was placed; valid while @space is set */
    uint64_t decoded; /* where it answers: @base, or KILN_SPACE_UNMAPPED while shadowed */
    KilnSpace *space; /* (nullable): the space that it is in */
    gboolean movable; /* placed by kiln_space_place() */
} KilnRegion;

/* Fills in a region of @device whose ops get @device as their opaque; @base is not set. */
void kiln_region_init(KilnRegion *region, KilnDevice *device, const KilnRegionOps *ops,
                      uint64_t length);

/**
 * kiln_space_new:
 * @name: for errors: "I/O port", "memory"
 * @size: bytes from 0 that can be addressed; 0 means 2^64
 *
 * Returns: (transfer full): an empty space.
 */
KilnSpace *kiln_space_new(const char *name, uint64_t size);

/* No thread uses @space (nullable) any more; regions still in it are forgotten. */
void kiln_space_free(KilnSpace *space);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnSpace, kiln_space_free)

/**
 * kiln_space_add:
 * @region: (transfer none): in no space; stays where it is until removed
 * @base: its first address
 *
 * Places a fixed region.  Any thread.
 *
 * Returns: FALSE with @error set, naming both, if a fixed region is there already, or if it does
 * not fit into the space.
 */
gboolean kiln_space_add(KilnSpace *space, KilnRegion *region, uint64_t base, GError **error);

/**
 * kiln_space_place:
 * @region: in no space, or in @space and movable
 * @base: where the guest wants it
 *
 * Places or moves a movable region, in one step for every reader.  Any thread, also from inside a
 * device op, also the region's own.
 *
 * Returns: whether it is decoded there; it is not while shadowed (see above) or, for ever, if it
 *   does not fit into the space.
 */
gboolean kiln_space_place(KilnSpace *space, KilnRegion *region, uint64_t base);

/**
 * kiln_space_move:
 *
 * Moves a region that is in @space, fixed or movable; otherwise as kiln_space_add().  On error it
 * stays where it was.
 */
gboolean kiln_space_move(KilnSpace *space, KilnRegion *region, uint64_t base, GError **error);

/**
 * kiln_space_remove:
 * @region: in @space, or in none (nothing is done then)
 *
 * No new access reaches the region.  One that has begun may still be inside its ops, even in the
 * calling thread: before the region's memory is freed, kiln_space_synchronize().  Any thread, also
 * from inside a device op.
 */
void kiln_space_remove(KilnSpace *space, KilnRegion *region);

/**
 * kiln_space_synchronize:
 *
 * Returns when no thread is any more inside an access that began before the call.  For control
 * threads: never from inside a device op or with a device's lock held.
 */
void kiln_space_synchronize(KilnSpace *space);

/**
 * kiln_space_read:
 * @address: any
 * @data: (out): @size bytes, little-endian as on the bus; what no region claims reads as ones
 * @size: 1, 2, 4 or 8; any other size reads as ones
 *
 * Any thread.  An access that runs over the end of a region is split there.
 *
 * Returns: whether any region took part.
 */
gboolean kiln_space_read(KilnSpace *space, uint64_t address, void *data, unsigned size);

/**
 * kiln_space_write:
 * @data: @size bytes
 * @size: 1, 2, 4 or 8; a write of any other size is dropped
 *
 * Returns: whether any region took part.
 */
gboolean kiln_space_write(KilnSpace *space, uint64_t address, const void *data, unsigned size);

#endif
