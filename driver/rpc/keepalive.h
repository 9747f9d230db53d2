/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keepalive program: PING and PONG, messages without number or payload.  What the client asks
 * is answered; the server asks at its interval, if the client said that it knows the program, and a
 * client that lets keepalive_count questions pass without a sign of life is closed.
 */
#ifndef KILN_RPC_KEEPALIVE_H
#define KILN_RPC_KEEPALIVE_H

#include "rpc/client.h"
#include "rpc/server.h"

void kiln_keepalive_packet(KilnClient *client, const KilnPacket *packet);

/* An interval has passed. */
void kiln_keepalive_tick(KilnServer *server);

#endif
