/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who wants to hear of which events: CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY and its opposite,
 * per client, filtered by domain; delivered in the order in which they were emitted.  Main thread.
 */
#ifndef KILN_RPC_EVENTS_H
#define KILN_RPC_EVENTS_H

#include "rpc/procedure.h"
#include "rpc/server.h"

/* The procedures of registration: one of the server's tables. */
extern const KilnProcedureTable kiln_events_table;

/**
 * kiln_events_emit:
 * @event_id: VIR_DOMAIN_EVENT_ID_*
 * @uuid: of the domain, 16 bytes
 * @message: the remote_domain_event_callback_*_msg of that event; its callbackID is filled in
 *
 * To every client of @server that registered for it.
 */
void kiln_events_emit(KilnServer *server, int event_id, const guint8 *uuid, gpointer message);

/* Whether anybody waits for that event: what costs something to find out need not be. */
gboolean kiln_events_wanted(KilnServer *server, int event_id);

#endif
