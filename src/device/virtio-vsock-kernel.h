/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket device (virtio 1.2 §5.10) by the host's kernel: /dev/vhost-vsock.  Programs of the
 * host reach the guest by AF_VSOCK and its CID.  Only the event queue is worked on here.
 */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_KERNEL_H
#define KILN_DEVICE_VIRTIO_VSOCK_KERNEL_H

#include "base/fd.h"
#include "virtio/device.h"

/**
 * KilnVirtioVsockKernelOptions:
 * @virtio: as of KilnVirtioVsockOptions
 * @cid: the guest's; 0 takes the first one that no other guest has
 * @vhost: (transfer full): of /dev/vhost-vsock, just opened
 */
typedef struct {
    KilnVirtioOptions virtio;
    uint64_t cid;
    KilnFd vhost;
} KilnVirtioVsockKernelOptions;

/* Returns: (transfer full): for a transport; NULL with @error set (KILN_ERROR_EXISTS: another guest
 * has the CID), the descriptor closed.  Main thread, before the sandbox. */
KilnVirtioDevice *kiln_virtio_vsock_kernel_new(const KilnVirtioVsockKernelOptions *options,
                                               GError **error);

/* The guest's CID, of either kind of device. */
uint64_t kiln_virtio_vsock_cid(const KilnVirtioDevice *device);

#endif
