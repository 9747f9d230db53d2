/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The addresses of a guest's interfaces as the host knows them: of its neighbours (/proc/net/arp),
 * or of the leases that libvirt's network driver gave out (dnsmasq/BRIDGE.status).
 */
#ifndef KILN_OPS_ADDRESSES_H
#define KILN_OPS_ADDRESSES_H

#include "rpc/call.h"

struct ifaddrs; /* getifaddrs(3) */

/* Returns: (transfer full): no interfaces yet. */
GPtrArray *kiln_addresses_of_new(void);
void kiln_addresses_add(GPtrArray *interfaces, const char *name, const char *mac);

/* One that was found, of the interface with @mac. */
void kiln_addresses_found(GPtrArray *interfaces, const char *mac, const char *address,
                          guint prefix);

/* How many were found, of interface @i. */
guint kiln_addresses_count(GPtrArray *interfaces, guint i);

/* The prefix of the @jth one of interface @i; 0 if it is not known. */
guint kiln_addresses_prefix(GPtrArray *interfaces, guint i, guint j);

/* Gives each that is in a network of the @hosts' own the prefix of that network: a lease has none.
 */
void kiln_addresses_measure(GPtrArray *interfaces, const struct ifaddrs *hosts);

/* What is in the text of /proc/net/arp. */
void kiln_addresses_read_arp(GPtrArray *interfaces, const char *text);

/* What is in the text of a status file; @now: seconds, at which a lease must hold still. */
void kiln_addresses_read_leases(GPtrArray *interfaces, const char *text, gint64 now);

/**
 * kiln_addresses_find:
 * @interfaces: (transfer full)
 *
 * Reads them in a worker, and ends the call of DOMAIN_INTERFACE_ADDRESSES.
 */
void kiln_addresses_find(KilnCall *call, GPtrArray *interfaces, gboolean arp);

#endif
