/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event queue of a socket device (virtio 1.2 §5.10.6.7). */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_EVENT_H
#define KILN_DEVICE_VIRTIO_VSOCK_EVENT_H

#include "virtio/device.h"

enum {
    KILN_VSOCK_QUEUE_RX, /* virtio 1.2 §5.10.2 */
    KILN_VSOCK_QUEUE_TX,
    KILN_VSOCK_QUEUE_EVENT,
    KILN_VSOCK_N_QUEUES,
};

/**
 * kiln_vsock_tell_moved:
 *
 * Tells the driver that its connections are gone, and that its CID may have changed.  I/O side.
 *
 * Returns: whether there was a buffer for that.
 */
gboolean kiln_vsock_tell_moved(KilnVirtioDevice *device);

#endif
