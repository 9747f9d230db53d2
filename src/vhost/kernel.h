/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host kernel as a vhost peer: what /dev/vhost-net and /dev/vhost-vsock have in common
 * (linux/vhost.h).  The kernel's thread works in this process's memory, by host addresses, so RAM
 * need not be shared.  It knows split rings only.
 *
 * Where a device differs, in how its queues are given something to work with
 * (VHOST_NET_SET_BACKEND, VHOST_VSOCK_SET_RUNNING), its own file gives a hook.
 */
#ifndef KILN_VHOST_KERNEL_H
#define KILN_VHOST_KERNEL_H

#include "base/fd.h"
#include "vhost/vhost.h"

/**
 * KilnVhostKernelEnable:
 * @fd: the vhost device
 * @queue: of the peer's
 *
 * The device's way of starting and stopping work on @queue.  When the queues of one peer are
 * started all of them are set up before the first is enabled; they are enabled by rising number,
 * and disabled by rising number before any base is read.
 */
typedef gboolean (*KilnVhostKernelEnable)(void *opaque, int fd, unsigned queue, gboolean enabled,
                                          GError **error);

/**
 * KilnVhostKernelOptions:
 * @name: static: "vhost-net", for messages
 * @n_queues: that the vhost device has
 * @backend_features: VHOST_BACKEND_F_… that are wanted where the kernel has them; 0 is none
 * @context: (nullable): where @failed is called; NULL is the main one
 * @failed: (nullable): the kernel found a ring broken
 */
typedef struct {
    const char *name;
    unsigned n_queues;
    uint64_t backend_features;
    KilnVhostKernelEnable enable;
    GMainContext *context;
    KilnVhostFailed failed;
    void *opaque; /* of @enable and @failed */
} KilnVhostKernelOptions;

/**
 * kiln_vhost_kernel_new:
 * @fd: (transfer full): of /dev/vhost-…, just opened; closed also on error
 *
 * Makes this process the owner of @fd, so before the sandbox.
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnVhost *kiln_vhost_kernel_new(KilnFd fd, const KilnVhostKernelOptions *options, GError **error);

/* The vhost device, for requests of its own.  Borrowed. */
int kiln_vhost_kernel_fd(const KilnVhost *vhost);

#endif
