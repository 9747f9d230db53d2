/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end of a unix socket, as the kernel knows it: when the peer connected. */
#ifndef KILN_RPC_PEER_H
#define KILN_RPC_PEER_H

#include "rpc/client.h"

/**
 * kiln_peer_identify:
 * @identity: its names stay NULL: looking them up may wait for a directory service
 *
 * Returns: FALSE if the kernel does not say who it is.
 */
gboolean kiln_peer_identify(int fd, KilnIdentity *identity);

/* Whether the peer has @group, as its own or among its others. */
gboolean kiln_peer_has_group(int fd, gid_t group);

/* When the process began, in the clock ticks of /proc/PID/stat; 0 if that is not known. */
guint64 kiln_peer_process_start(pid_t pid);

#endif
