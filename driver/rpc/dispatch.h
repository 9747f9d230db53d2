/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets to those who serve them: keepalive, streams, calls by the server's tables. */
#ifndef KILN_RPC_DISPATCH_H
#define KILN_RPC_DISPATCH_H

#include "rpc/client.h"

/* @packet: (transfer full) */
void kiln_dispatch_packet(KilnClient *client, KilnPacket *packet);

/**
 * kiln_dispatch_function:
 * @name: of a procedure: "DOMAIN_CREATE_XML"
 *
 * Returns: (transfer full): of the function in libvirt's API: "virDomainCreateXML".
 */
char *kiln_dispatch_function(const char *name);

#endif
