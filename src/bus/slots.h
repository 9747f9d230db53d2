/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of a function that the guest reads and writes without coming here: what the machine gives
 * (KVM's memory slots).  With none (tests) every access comes to the region's ops.
 */
#ifndef KILN_BUS_SLOTS_H
#define KILN_BUS_SLOTS_H

#include <glib.h>
#include <stdint.h>

/**
 * KilnSlotOps:
 * @add: from now on the @length bytes from guest-physical @address are those at @host, which stays
 *   mapped; all page aligned; if @read_only, writes of the guest still come to the region.  Its
 *   number, or -1 if that cannot be: accesses then come to the region
 * @remove: takes that back
 *
 * Any thread, with locks of devices and of the space held.
 */
typedef struct {
    int (*add)(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only);
    void (*remove)(void *opaque, int slot);
} KilnSlotOps;

/* Copied by value; all zeroes are none. */
typedef struct {
    const KilnSlotOps *ops; /* (nullable) */
    void *opaque;
} KilnSlots;

#endif
