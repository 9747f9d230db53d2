/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket device (virtio 1.2 §5.10): streams between programs of guest and host.  Two kinds:
 *
 * - in this process, over unix sockets, as Firecracker and Cloud Hypervisor have it: a program of
 *   the host connects to PATH and writes "CONNECT PORT\n", and reads "OK PORT\n" when the guest
 * took it; a guest's program that connects to port PORT of the host (CID 2) gets to PATH_PORT.
 *   Nothing on the host needs AF_VSOCK, no other guest's CID matters, no module is needed;
 * - in the host's kernel (virtio-vsock-kernel.h): AF_VSOCK.
 *
 *   kick (tx) -> pop -> header copied and checked -> connection -> socket
 *   socket readable, or an answer due -> connections take turns -> pop (rx) -> header, data -> push
 *
 * A pause keeps connections; a reset of the device ends them; after a load the driver is told that
 * they are gone (§5.10.6.7).  Everything runs in the main thread.
 */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_H
#define KILN_DEVICE_VIRTIO_VSOCK_H

#include "base/fd.h"
#include "virtio/device.h"

enum {
    KILN_VSOCK_FIRST_CID = 3,        /* 0, 1 and 2 are the hypervisor, the loopback and the host */
    KILN_VSOCK_MAX_CONNECTIONS = 512 /* of a guest; more are refused */
};

/**
 * KilnVirtioVsockOptions:
 * @virtio: id, memory, queue_size, packed and the like; context, n_queues, features and config_size
 *   are the device's own business
 * @cid: the guest's; 0 is KILN_VSOCK_FIRST_CID
 * @path: of the host's socket; copied.  NULL: nobody can call the guest
 * @connect: (nullable): in place of the process that connects to PATH_PORT: a non-blocking socket
 *   (transfer full) or -1
 */
typedef struct {
    KilnVirtioOptions virtio;
    uint64_t cid;
    const char *path;
    KilnFd (*connect)(void *opaque, uint32_t port);
    void *opaque;
} KilnVirtioVsockOptions;

/* Returns: (transfer full): for a transport; NULL with @error set.  Main thread, before there are
 * others and before the sandbox: it forks. */
KilnVirtioDevice *kiln_virtio_vsock_new(const KilnVirtioVsockOptions *options, GError **error);

/* Connections that there are, in any state. */
unsigned kiln_virtio_vsock_n_connections(const KilnVirtioDevice *device);

#endif
