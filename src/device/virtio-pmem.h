/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The persistent memory device (virtio 1.2 §5.19): a file that the guest finds in its memory, and a
 * queue of flush requests.
 *
 *   flush -> pop -> a thread of the device's own: fsync() of the file -> answer
 *
 * Neither a vCPU nor the main thread waits for the disk.  Requests that come while one fsync is
 * under way share the next.  The file is mapped by the machine, as a slot of KVM; the thread is
 * started by the first flush.
 */
#ifndef KILN_DEVICE_VIRTIO_PMEM_H
#define KILN_DEVICE_VIRTIO_PMEM_H

#include "virtio/device.h"

/**
 * KilnVirtioPmemOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @gpa: where the guest sees the file
 * @size: bytes of it
 * @fd: (transfer full): the file; -1: memory without a file, or private: nothing is to be flushed
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnGpa gpa;
    uint64_t size;
    int fd;
} KilnVirtioPmemOptions;

/* Returns: (transfer full): for a transport; NULL with @error set, @fd closed.  Main thread. */
KilnVirtioDevice *kiln_virtio_pmem_new(const KilnVirtioPmemOptions *options, GError **error);

#endif
