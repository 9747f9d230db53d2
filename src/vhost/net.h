/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's vhost-net (linux/vhost.h): it moves packets between a queue pair and a tap. */
#ifndef KILN_VHOST_NET_H
#define KILN_VHOST_NET_H

#include "base/fd.h"
#include "vhost/vhost.h"

/**
 * KilnVhostNet:
 * @tap: the pair's tap, with virtio-net headers of 12 bytes; borrowed
 * @failed: (nullable): the kernel found a ring broken
 *
 * The caller's, as long as the peer lives.
 */
typedef struct {
    int tap;
    KilnVhostFailed failed;
    void *opaque;
} KilnVhostNet;

/**
 * kiln_vhost_net_new:
 * @fd: (transfer full): of /dev/vhost-net, just opened; closed also on error
 * @context: (nullable): where @net's failed is called
 *
 * Queue 0 is the pair's receive queue, 1 its transmit queue.  Main thread, before the sandbox.
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnVhost *kiln_vhost_net_new(KilnFd fd, const KilnVhostNet *net, GMainContext *context,
                              GError **error);

#endif
