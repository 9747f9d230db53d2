/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the daemon has its files: of the system, or of one user's session, as libvirt's drivers do.
 */
#ifndef KILN_DAEMON_PATHS_H
#define KILN_DAEMON_PATHS_H

#include <glib.h>

typedef struct {
    char *config_file;  /* virtkilnd.conf */
    char *guest_config; /* (nullable): kiln.conf; a session has none */
    char *socket_dir;
    char *definitions; /* NAME.xml, autostart/ */
    char *runtime;     /* sockets of guests, and what runs */
    char *logs;
    char *state; /* TPMs and the like: what XDG_DATA_HOME is for guests */
    char *images; /* libvirt's folder of images, a pool where no storage driver runs */
    char *pid_file;
} KilnDaemonPaths;

void kiln_daemon_paths_init(KilnDaemonPaths *paths, gboolean session);
void kiln_daemon_paths_clear(KilnDaemonPaths *paths);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnDaemonPaths, kiln_daemon_paths_clear)

/* Makes the folders that are missing.  Returns: FALSE with @error set if one cannot be. */
gboolean kiln_daemon_paths_make(const KilnDaemonPaths *paths, gboolean session, GError **error);

/* Returns: (transfer full): the kiln beside this program, else where it was installed. */
char *kiln_daemon_find_program(void);

#endif
