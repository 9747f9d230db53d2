/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory device (virtio 1.2 §5.15): a region of guest-physical memory, of which the guest uses
 * as many blocks as it is asked to.
 *
 *   kiln_virtio_mem_set_requested() -> configuration change -> PLUG and UNPLUG requests -> bitmap
 * of blocks; an unplugged block goes back to the host -> changed()
 *
 * The region is the machine's: mapped when it is built, a slot of KVM and a region of the guest's
 * memory, described by SRAT.  All of it is usable (§5.15.4) from the start.  What the guest does to
 * blocks that are not plugged finds zeroes, and is given up with the next plug: nothing keeps a bad
 * guest from using them, so count on the whole region as its limit.
 *
 * All functions: main thread.
 */
#ifndef KILN_DEVICE_VIRTIO_MEM_H
#define KILN_DEVICE_VIRTIO_MEM_H

#include "virtio/device.h"

#define KILN_VIRTIO_MEM_BLOCK_SIZE     (UINT64_C(2) << 20) /* the default */
#define KILN_VIRTIO_MEM_MAX_BLOCKS     (UINT64_C(1) << 23) /* 16 TiB of the smallest block */
#define KILN_VIRTIO_MEM_MIN_BLOCK_SIZE (UINT64_C(4) << 10)

enum { KILN_VIRTIO_MEM_NO_NODE = -1 };

/**
 * KilnVirtioMemOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @gpa: of the region, a multiple of @block_size
 * @host: where it is mapped
 * @fd, @fd_offset: what is mapped there; -1: private anonymous memory
 * @size: bytes, a multiple of @block_size
 * @block_size: bytes, a power of 2, at least the size of the region's pages; 0 is
 *   KILN_VIRTIO_MEM_BLOCK_SIZE
 * @requested: bytes that the guest is to plug at first, a multiple of @block_size
 * @node: NUMA node by SRAT, or KILN_VIRTIO_MEM_NO_NODE
 * @keep_pages: unplugged blocks are not given back to the host, but zeroed: a device of the host
 *   knows where they are, or they are locked
 * @changed: (nullable): the guest has plugged so many bytes now
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnGpa gpa;
    void *host;
    int fd;
    uint64_t fd_offset;
    uint64_t size;
    uint64_t block_size;
    uint64_t requested;
    int node;
    gboolean keep_pages;
    void (*changed)(void *opaque, uint64_t bytes);
    void *opaque;
} KilnVirtioMemOptions;

/* Returns: (transfer full): for a transport; NULL with @error set: sizes that do not fit. */
KilnVirtioDevice *kiln_virtio_mem_new(const KilnVirtioMemOptions *options, GError **error);

/* What the guest is asked to have plugged: a multiple of the block size, at most the region. */
gboolean kiln_virtio_mem_set_requested(KilnVirtioDevice *device, uint64_t bytes, GError **error);
uint64_t kiln_virtio_mem_requested(const KilnVirtioDevice *device);

/* What it has plugged. */
uint64_t kiln_virtio_mem_plugged(const KilnVirtioDevice *device);

/* The machine was reset: nothing is plugged.  (A driver's reset of the device leaves its blocks.)
 * vCPUs parked. */
void kiln_virtio_mem_system_reset(KilnVirtioDevice *device);

/* Whether the block with the byte at @offset of the region is plugged: what must be saved of it. */
gboolean kiln_virtio_mem_is_plugged(const KilnVirtioDevice *device, uint64_t offset);

#endif
