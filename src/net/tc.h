/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of bandwidth by the host's kernel, set with tc(8) as libvirt sets them: HTB on what goes
 * to the guest, a policer on what comes from it.  Then vhost-net's packets are limited too.
 */
#ifndef KILN_NET_TC_H
#define KILN_NET_TC_H

#include "net/netdev.h"

/**
 * kiln_tc_limit:
 * @interface: the host's side: a tap
 * @receive: (nullable): of what the guest receives
 * @send: (nullable): of what it sends
 *
 * At set-up, with CAP_NET_ADMIN.
 *
 * Returns: FALSE with @error set, and nothing is limited: there is no tc, or this kernel lacks the
 *   disciplines.  kiln_netdev_set_limits() does it without them.
 */
gboolean kiln_tc_limit(const char *interface, const KilnNetdevLimit *receive,
                       const KilnNetdevLimit *send, GError **error);

#endif
