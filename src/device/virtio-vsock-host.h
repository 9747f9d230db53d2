/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where programs of the host call the guest: a unix socket, on which a caller first writes
 * "CONNECT PORT\n" (as with Firecracker and Cloud Hypervisor).
 */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_HOST_H
#define KILN_DEVICE_VIRTIO_VSOCK_HOST_H

#include "base/fd.h"

typedef struct KilnVsockHost KilnVsockHost;

enum { KILN_VSOCK_MAX_CALLERS = 16 }; /* who have not said what they want; the oldest is hung up */

/**
 * KilnVsockHostFunc:
 * @port: of the guest
 * @socket: (transfer full): non-blocking, after its line
 */
typedef void (*KilnVsockHostFunc)(void *opaque, uint32_t port, KilnFd socket);

/* @path: where to listen; removed at the end.  Returns: (transfer full): NULL with @error set. */
KilnVsockHost *kiln_vsock_host_new(const char *path, GMainContext *context, KilnVsockHostFunc func,
                                   void *opaque, GError **error);

/* (nullable) */
void kiln_vsock_host_free(KilnVsockHost *host);

/**
 * kiln_vsock_parse_connect:
 * @line: (array length=length): with its newline, from anybody
 *
 * Returns: whether it is "CONNECT PORT\n", with a port that is not VMADDR_PORT_ANY.
 */
gboolean kiln_vsock_parse_connect(const char *line, size_t length, uint32_t *port);

#endif
