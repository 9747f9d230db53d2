/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-event.h. */
#include "device/virtio-vsock-event.h"

#include "base/le.h"

#include <errno.h>
#include <linux/virtio_vsock.h>

enum { MAX_PIECES = 4 }; /* of a buffer of 4 bytes */

gboolean
kiln_vsock_tell_moved(KilnVirtioDevice *device)
{
    KilnVirtqueue *events = kiln_virtio_device_queue(device, KILN_VSOCK_QUEUE_EVENT);
    struct iovec iov[MAX_PIECES];
    KilnVirtqElement element = { .iov = iov, .max_iov = MAX_PIECES };
    struct virtio_vsock_event event = { 0 };
    int got = kiln_virtqueue_pop(events, &element);

    if (got < 0 || (got > 0 && element.in_bytes < sizeof event)) {
        kiln_virtio_device_broken(device, "the queue of events is broken");
        return FALSE;
    }
    if (got == 0)
        return FALSE;
    kiln_le32_store(&event.id, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
    (void)kiln_virtqueue_copy_in(&element, 0, &event, sizeof event);
    kiln_virtqueue_push(events, &element, sizeof event);
    kiln_virtqueue_flush(events);
    return TRUE;
}
