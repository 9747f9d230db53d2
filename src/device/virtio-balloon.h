/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory balloon (virtio 1.2 §5.5): the guest gives pages up to us and takes them back, tells
 * how its memory is used, and reports pages that are free just now.
 *
 *   kiln_virtio_balloon_set_target() -> configuration change -> inflate queue: page numbers -> the
 *     pages go back to the host -> "actual" in configuration space -> changed()
 *   timer -> the statistics buffer goes back -> the driver fills it anew -> stats
 *   reporting queue: ranges of free pages -> back to the host; a page is there again when touched
 *
 * A guest that names pages which it still uses loses their content, as it would by writing zeroes:
 * nothing is kept about pages, and pages that are no RAM are left alone.
 *
 * All functions: main thread.
 */
#ifndef KILN_DEVICE_VIRTIO_BALLOON_H
#define KILN_DEVICE_VIRTIO_BALLOON_H

#include "device/clock.h"
#include "virtio/device.h"

enum { KILN_VIRTIO_BALLOON_N_STATS = 16 }; /* VIRTIO_BALLOON_S_…, also those newer than 1.2 */

/**
 * KilnVirtioBalloonOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @clock: the guest's, for the period of the statistics
 * @target: bytes that the guest is to have at first; 0 is all
 * @stats_period_s: 0: no statistics are asked for
 * @deflate_on_oom: a guest that runs out of memory may take pages back (autodeflate)
 * @free_page_reporting: offer it
 * @keep_pages: pages are not given back to the host: they are locked, huge, or known to a device of
 *   the host; kiln_virtio_balloon_set_keep_pages() changes it
 * @changed: (nullable): what the guest has, in bytes, is another than before; once a second at
 *   most, the last value for certain
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnClock *clock;
    uint64_t target;
    unsigned stats_period_s;
    gboolean deflate_on_oom;
    gboolean free_page_reporting;
    gboolean keep_pages;
    void (*changed)(void *opaque, uint64_t bytes);
    void *opaque;
} KilnVirtioBalloonOptions;

/**
 * KilnVirtioBalloonStats:
 * @valid: bit n: @values[n] was told
 * @values: by VIRTIO_BALLOON_S_…: bytes or numbers of events, as the guest says
 * @updated_us: g_get_real_time() when they came; 0: never
 * @returned_bytes: given back to the host by inflating and by reporting, since the start
 */
typedef struct {
    uint32_t valid;
    uint64_t values[KILN_VIRTIO_BALLOON_N_STATS];
    int64_t updated_us;
    uint64_t returned_bytes;
} KilnVirtioBalloonStats;

/* Returns: (transfer full): for a transport; NULL with @error set. */
KilnVirtioDevice *kiln_virtio_balloon_new(const KilnVirtioBalloonOptions *options, GError **error);

/* What the guest is asked to have, in bytes; more than its RAM is all of it. */
void kiln_virtio_balloon_set_target(KilnVirtioDevice *device, uint64_t bytes);
uint64_t kiln_virtio_balloon_target(const KilnVirtioDevice *device);

/* What it has, in bytes: RAM without the balloon, as the driver says. */
uint64_t kiln_virtio_balloon_actual(const KilnVirtioDevice *device);

/* 0 stops asking. */
void kiln_virtio_balloon_set_stats_period(KilnVirtioDevice *device, unsigned seconds);
unsigned kiln_virtio_balloon_stats_period(const KilnVirtioDevice *device);
void kiln_virtio_balloon_get_stats(const KilnVirtioDevice *device, KilnVirtioBalloonStats *stats);

/* Whether pages stay with the guest, as the option of that name. */
void kiln_virtio_balloon_set_keep_pages(KilnVirtioDevice *device, gboolean keep);

#endif
