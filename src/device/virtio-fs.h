/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system device (virtio 1.2 §5.11): a folder of the host in the guest.  Its queues, one of
 * high priority and those of requests, are worked on by virtiofsd over vhost-user; this process has
 * the configuration space and the transport.
 *
 * When virtiofsd dies requests are answered here, by the error ENOTCONN, but for those that it had
 * then; in packed rings the device says DEVICE_NEEDS_RESET and stands still until it is reset.  A
 * virtiofsd cannot be started again inside the sandbox.  What it knows of the driver's files is not
 * in the saved state: after a load the driver's requests fail (EIO) until it mounts anew.  There is
 * no DAX window.
 */
#ifndef KILN_DEVICE_VIRTIO_FS_H
#define KILN_DEVICE_VIRTIO_FS_H

#include "device/virtiofsd.h"
#include "virtio/device.h"

enum {
    KILN_VIRTIO_FS_TAG = 36,     /* bytes at most */
    KILN_VIRTIO_FS_QUEUES = 128, /* of requests, at most */
};

/**
 * KilnVirtioFsOptions:
 * @virtio: id, memory (which must be shared), context, queue_size, packed and the like; n_queues,
 *   features and config_size are the device's own business
 * @tag: by which the guest mounts it
 * @n_requests: request queues; 0 is 1
 * @daemon: (nullable): virtiofsd is started so; its name, context and callback are the device's own
 * @socket: (transfer full): without @daemon, connected to a virtiofsd that runs already
 */
typedef struct {
    KilnVirtioOptions virtio;
    const char *tag;
    unsigned n_requests;
    const KilnVirtiofsdOptions *daemon;
    KilnFd socket;
} KilnVirtioFsOptions;

/* Returns: (transfer full): for a transport; NULL with @error set, the socket closed.  Main thread,
 * before the sandbox. */
KilnVirtioDevice *kiln_virtio_fs_new(const KilnVirtioFsOptions *options, GError **error);

/* The virtiofsd that the device started; 0 if it has none. */
pid_t kiln_virtio_fs_pid(const KilnVirtioDevice *device);

#endif
