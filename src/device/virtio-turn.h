/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking turns: a driver that adds buffers as fast as they are used must not keep a loop to itself
 * that others share.  A device that has dealt with KILN_VIRTIO_TURN buffers in one kick kicks
 * itself and returns.
 */
#ifndef KILN_DEVICE_VIRTIO_TURN_H
#define KILN_DEVICE_VIRTIO_TURN_H

#include <stdint.h>
#include <unistd.h>

#include "virtio/device.h"

enum { KILN_VIRTIO_TURN = 64 };

/* @queue is kicked again from the loop.  I/O side. */
static inline void
kiln_virtio_another_turn(KilnVirtioDevice *device, unsigned queue)
{
    uint64_t one = 1;
    ssize_t written = write(kiln_virtio_device_kick_fd(device, queue), &one, sizeof one);

    (void)written; /* an eventfd that is full is set */
}

#endif
