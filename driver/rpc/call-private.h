/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A call, for those who begin it. */
#ifndef KILN_RPC_CALL_PRIVATE_H
#define KILN_RPC_CALL_PRIVATE_H

#include "rpc/call.h"
#include "rpc/client.h"

/**
 * kiln_call_start:
 * @row: of @packet's procedure, with a handler
 * @packet: (transfer full)
 *
 * Decodes the arguments and calls the handler.  Arguments that cannot be decoded end the call.
 */
void kiln_call_start(KilnClient *client, const KilnProcedure *row, KilnPacket *packet);

#endif
