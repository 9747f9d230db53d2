/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio disk (virtio 1.2 §5.2) whose queues another process works on, over vhost-user: SPDK,
 * qemu-storage-daemon and the like.  This process has the transport, and shows the configuration
 * space that the back end tells; data and kicks do not come here.
 *
 * When the back end dies the device says DEVICE_NEEDS_RESET and stands still; the sandbox forbids
 * connecting anew.  Whether writes are cached is the back end's business: CONFIG_WCE is not
 * offered.
 */
#ifndef KILN_DEVICE_VHOST_USER_BLK_H
#define KILN_DEVICE_VHOST_USER_BLK_H

#include "base/fd.h"
#include "virtio/device.h"

/**
 * KilnVhostUserBlkOptions:
 * @virtio: id, memory (which must be shared), context, n_queues (0 is 1), queue_size, packed and
 * the like; features and config_size are the device's own business
 * @socket: (transfer full): connected to the back end
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnFd socket;
} KilnVhostUserBlkOptions;

/**
 * kiln_vhost_user_blk_new:
 *
 * Returns: (transfer full): for a transport; NULL with @error set, the socket closed: the back end
 *   does not answer, has fewer queues, or lacks what is needed.  Main thread, before the sandbox.
 */
KilnVirtioDevice *kiln_vhost_user_blk_new(const KilnVhostUserBlkOptions *options, GError **error);

#endif
