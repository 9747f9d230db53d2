/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For a connection that ends: its registrations end. */
#ifndef KILN_RPC_EVENTS_PRIVATE_H
#define KILN_RPC_EVENTS_PRIVATE_H

#include "rpc/events.h"

void kiln_events_forget(KilnServer *server, KilnClient *client);

#endif
