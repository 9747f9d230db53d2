/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The GPU device (virtio 1.2 §5.7), 2D only.
 *
 *   driver: create, attach pages -> draws into them -> transfer: pages to the host's copy
 *           set scanout: copy to surface -> flush: viewers are told
 *   viewer's window changes size -> event -> driver asks for display info and EDID
 *
 * The host's copies have the surface's format, whatever the driver's is, so that a surface shows
 * one without another copy.  What all resources of a driver cost is bounded.
 *
 * It runs in the main context, as surfaces do.
 */
#ifndef KILN_DEVICE_VIRTIO_GPU_H
#define KILN_DEVICE_VIRTIO_GPU_H

#include "device/edid.h"
#include "display/surface.h"
#include "virtio/device.h"

enum {
    KILN_VIRTIO_GPU_MAX_HEADS = 16, /* VIRTIO_GPU_MAX_SCANOUTS */
    KILN_VIRTIO_GPU_MAX_MEMORY = 256 << 20,
};

/**
 * KilnVirtioGpuOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @n_heads: 1 to KILN_VIRTIO_GPU_MAX_HEADS; the first is on, the others once a viewer wants them
 * @memory: bytes that the driver's resources may take from the host; 0:
 * KILN_VIRTIO_GPU_MAX_MEMORY, and no more than it
 * @prefers: (nullable): of the first head
 */
typedef struct {
    KilnVirtioOptions virtio;
    guint n_heads;
    uint64_t memory;
    const KilnEdidOptions *prefers;
} KilnVirtioGpuOptions;

/* Returns: (transfer full): for a transport. */
KilnVirtioDevice *kiln_virtio_gpu_new(const KilnVirtioGpuOptions *options);

/* What a head shows.  Borrowed. */
KilnSurface *kiln_virtio_gpu_surface(KilnVirtioDevice *device, guint head);

#endif
