/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio SCSI host bus adapter (virtio 1.2 §5.6): one bus of targets with logical units
 * (device/scsi.h), which disks and CD-ROM drives are.
 *
 *   kick -> pop -> header copied, unit found -> kiln_scsi_unit_submit() -> … -> response -> push
 *        -> one flush (and interrupt) for all that is done in one turn of the loop
 *
 * All queues, and all units, are worked on in the one thread of the device's context.
 */
#ifndef KILN_DEVICE_VIRTIO_SCSI_H
#define KILN_DEVICE_VIRTIO_SCSI_H

#include "device/scsi.h"
#include "loop/uring.h"
#include "virtio/device.h"

enum {
    KILN_VIRTIO_SCSI_TARGETS = 256,
    KILN_VIRTIO_SCSI_LUNS = 16384,
    KILN_VIRTIO_SCSI_MAX_QUEUES = 1024, /* of requests */
};

/**
 * KilnVirtioScsiOptions:
 * @virtio: id, memory, context, n_queues (of requests, 0 is 1), queue_size, packed and the like
 * @uring: (nullable): that @virtio.context sleeps in, borrowed
 * @max_sectors: of 512 bytes, of a request; 0 is 65535
 * @cmd_per_lun: 0 is 128
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnUring *uring;
    uint32_t max_sectors;
    uint32_t cmd_per_lun;
} KilnVirtioScsiOptions;

/* Returns: (transfer full): for a transport; NULL with @error set.  Main thread. */
KilnVirtioDevice *kiln_virtio_scsi_new(const KilnVirtioScsiOptions *options, GError **error);

/**
 * kiln_virtio_scsi_add:
 * @unit: (transfer full): on the device's context; freed on error
 *
 * Main thread, the device stands still.  A driver that is there already is told.
 *
 * Returns: FALSE with @error set if the place does not exist or is taken.
 */
gboolean kiln_virtio_scsi_add(KilnVirtioDevice *device, unsigned target, unsigned lun,
                              KilnScsiUnit *unit, GError **error);

/* Takes a unit out and frees it; the driver is told.  Main thread, the device stands still. */
void kiln_virtio_scsi_remove(KilnVirtioDevice *device, KilnScsiUnit *unit);

#endif
