/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stream of a call, which shares its procedure and serial:
 *
 *   data     STREAM/CONTINUE, either way      end of data   STREAM/CONTINUE, empty
 *   finish   client STREAM/OK -> STREAM/OK    abort         client STREAM/ERROR -> STREAM/OK
 *   failure  STREAM/ERROR from the server, which ends it
 */
#ifndef KILN_RPC_STREAM_H
#define KILN_RPC_STREAM_H

#include "rpc/client.h"

/* Begins the stream of @call, whose answer has been queued.  @fd: taken over. */
void kiln_stream_begin_fd(KilnClient *client, const KilnPacket *call, int fd);
void kiln_stream_begin_bytes(KilnClient *client, const KilnPacket *call, GBytes *bytes);

#endif
