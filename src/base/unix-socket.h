/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unix stream sockets by path.  A path may be longer than the 107 bytes that a socket address
 * holds: its directory is then opened, and the address is short, below /proc/self/fd.
 */
#ifndef KILN_BASE_UNIX_SOCKET_H
#define KILN_BASE_UNIX_SOCKET_H

#include <glib.h>

#include "base/fd.h"

/**
 * kiln_unix_listen:
 * @path: where; its directory exists
 * @backlog: how many may wait to be accepted
 *
 * A socket at @path that nobody listens on any more is replaced.  One that somebody listens on
 * gives KILN_ERROR_EXISTS, as does a file that is no socket.
 *
 * Returns: an owned, non-blocking descriptor, or -1 with @error set and @path as it was.
 */
KilnFd kiln_unix_listen(const char *path, int backlog, GError **error);

/**
 * kiln_unix_connect:
 *
 * Returns: an owned, blocking descriptor, or -1 with @error set; KILN_ERROR_NOT_FOUND also if
 * nobody listens there.
 */
KilnFd kiln_unix_connect(const char *path, GError **error);

#endif
