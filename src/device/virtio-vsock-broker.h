/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who connects to the host's sockets for a guest's vsock: the guest's process may make none once it
 * is in its sandbox.  A child that was forked before gets port numbers, connects to PATH_PORT and
 * passes the descriptors back.  It can be asked for nothing else, so a guest that takes over its
 * process reaches the sockets beside PATH that it could connect to anyway.
 */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_BROKER_H
#define KILN_DEVICE_VIRTIO_VSOCK_BROKER_H

#include "base/fd.h"
#include "memory/memory.h"

typedef struct KilnVsockBroker KilnVsockBroker;

/**
 * KilnVsockBrokerFunc:
 * @socket: (transfer full): connected and non-blocking, or -1
 *
 * The answer to kiln_vsock_broker_connect(), whose arguments it repeats.
 */
typedef void (*KilnVsockBrokerFunc)(void *opaque, uint32_t port, uint32_t tag, KilnFd socket);

/**
 * kiln_vsock_broker_new:
 * @path: what "_PORT" is put behind; copied
 * @memory: (nullable): the guest's, which the child does not get
 * @context: (nullable): where @answer is called
 *
 * Forks: from the main thread, before there are others and before the sandbox.
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnVsockBroker *kiln_vsock_broker_new(const char *path, KilnMemory *memory, GMainContext *context,
                                       KilnVsockBrokerFunc answer, void *opaque, GError **error);

/* (nullable): the child ends. */
void kiln_vsock_broker_free(KilnVsockBroker *broker);

/**
 * kiln_vsock_broker_connect:
 *
 * Returns: FALSE, and there will be no answer, if the child has too much to do already or is gone.
 */
gboolean kiln_vsock_broker_connect(KilnVsockBroker *broker, uint32_t port, uint32_t tag);

#endif
