/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings of the protocol: what protocol.c calls for each. */
#ifndef KILN_RPC_TEXT_H
#define KILN_RPC_TEXT_H

#include <glib.h>
#include <rpc/rpc.h>

/**
 * kiln_text_xdr:
 *
 * As xdr_string(), which takes any bytes; here what is decoded is UTF-8, as D-Bus, JSON and XML,
 * which it goes into, must have it.
 */
bool_t kiln_text_xdr(XDR *xdr, char **text, u_int max);

#endif
