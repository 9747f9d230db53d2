/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/stream.h"

#include "rpc/client-private.h"

void
kiln_stream_begin_fd(KilnClient *client, const KilnPacket *call, int fd)
{
    g_auto(KilnFd) owned = fd;
}

void
kiln_stream_begin_bytes(KilnClient *client, const KilnPacket *call, GBytes *bytes)
{
}
