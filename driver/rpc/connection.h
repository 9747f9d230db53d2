/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a connection says of itself: that it opens and closes, for whom it speaks, and whether it
 * wants to hear that it is closed. */
#ifndef KILN_RPC_CONNECTION_H
#define KILN_RPC_CONNECTION_H

#include "rpc/client.h"

extern const KilnProcedureTable kiln_connection_table;

/* The server ends: tells @client, if it asked for that. */
void kiln_connection_tell_close(KilnClient *client);

#endif
