/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Handing a device's queues to a vhost peer: kicks and interrupts then go between guest and peer,
 * and this process sees neither.  Called from the device's ops.start and ops.stop.
 */
#ifndef KILN_VIRTIO_VHOST_H
#define KILN_VIRTIO_VHOST_H

#include "vhost/vhost.h"
#include "virtio/device.h"

/* Returns: what the driver negotiated, of what the peer offers; 0 if the peer does not say. */
uint64_t kiln_virtio_vhost_features(const KilnVirtioDevice *device, KilnVhost *vhost);

/**
 * kiln_virtio_vhost_start:
 * @first: the device's queue that is the peer's queue 0
 * @n_queues: how many from there on; those that the driver has not enabled are left out
 * @features: negotiated ones that the peer is to know
 *
 * Returns: FALSE with @error set, and the queues are the device's own as before.
 */
gboolean kiln_virtio_vhost_start(KilnVirtioDevice *device, KilnVhost *vhost, unsigned first,
                                 unsigned n_queues, uint64_t features, GError **error);

/* Takes the queues back, with the indexes where the peer stood.  A peer that has died is no error:
 * its queues are taken back by what is in guest memory. */
void kiln_virtio_vhost_stop(KilnVirtioDevice *device, KilnVhost *vhost, unsigned first,
                            unsigned n_queues);

/* For ops.call_changed: tells the peer.  Nothing is done for queues that it does not have. */
void kiln_virtio_vhost_call_changed(KilnVirtioDevice *device, KilnVhost *vhost, unsigned queue);

#endif
