/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <interface type='null'>: an adapter whose cable leads nowhere. */
#ifndef KILN_NET_NULL_H
#define KILN_NET_NULL_H

#include "net/netdev.h"

/* Returns: (transfer full): takes every packet and gives none. */
KilnNetdev *kiln_null_netdev_new(const char *id, unsigned n_queues);

#endif
