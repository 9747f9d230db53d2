/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Doorbells: guest writes that signal an eventfd instead of coming to a region's ops.  Given by the
 * machine (KVM's ioeventfds); with none (tests) a write comes to the region, whose ops then signal
 * the eventfd themselves.
 */
#ifndef KILN_BUS_DOORBELL_H
#define KILN_BUS_DOORBELL_H

#include <glib.h>
#include <stdint.h>

/**
 * KilnDoorbellOps:
 * @add: from now on a write of any length at guest-physical @address of memory adds 1 to @fd.
 *   FALSE if the host can take no more: writes then come to the region as without doorbells
 * @remove: takes that back
 *
 * Any thread, also from KilnRegionOps.mapped.
 */
typedef struct {
    gboolean (*add)(void *opaque, uint64_t address, int fd);
    void (*remove)(void *opaque, uint64_t address, int fd);
} KilnDoorbellOps;

/* Copied by value; all zeroes are none. */
typedef struct {
    const KilnDoorbellOps *ops; /* (nullable) */
    void *opaque;
} KilnDoorbells;

#endif
