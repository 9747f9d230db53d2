/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets that libvirt's clients look for: made here, or handed over by systemd. */
#ifndef KILN_DAEMON_SOCKETS_H
#define KILN_DAEMON_SOCKETS_H

#include "daemon/config.h"
#include "rpc/server.h"

/**
 * kiln_daemon_listen:
 * @directory: virtkilnd-sock, and virtkilnd-sock-ro unless @session
 *
 * With socket activation (sd_listen_fds(3)) the sockets are those of systemd, and read-only is the
 * one whose path ends in "-ro".
 *
 * Returns: FALSE with @error set if one cannot be made, or somebody listens there already.
 */
gboolean kiln_daemon_listen(KilnServer *server, const KilnDaemonConfig *config,
                            const char *directory, gboolean session, GError **error);

/* Removes the sockets that were made. */
void kiln_daemon_unlisten(void);

/* Tells systemd, if it waits for it (sd_notify(3)): "READY=1" and the like. */
void kiln_daemon_notify(const char *state);

#endif
