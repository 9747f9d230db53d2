/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames over a stream socket, as passt(1) and QEMU's stream sockets have them: each begins with
 * its length, 4 bytes, big-endian.  No offloads.  A batch is one system call both ways.
 *
 * The other end is a stranger: a length that no frame has ends the connection.
 */
#ifndef KILN_NET_STREAM_H
#define KILN_NET_STREAM_H

#include "net/netdev.h"

/**
 * kiln_stream_netdev_new:
 * @socket: connected; taken over, made non-blocking
 *
 * Returns: (transfer full): a backend of one queue pair.
 */
KilnNetdev *kiln_stream_netdev_new(const char *id, KilnFd socket);

/* @notify is called with @data when the backend is freed, after its socket is closed. */
void kiln_stream_netdev_own(KilnNetdev *netdev, gpointer data, GDestroyNotify notify);

#endif
