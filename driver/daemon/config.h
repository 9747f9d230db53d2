/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtkilnd.conf and kiln.conf: lines `key = value` as libvirt's other daemons have them; a value
 * is a number or a text in quotes.
 */
#ifndef KILN_DAEMON_CONFIG_H
#define KILN_DAEMON_CONFIG_H

#include "rpc/server.h"

/* What the files say, or what holds without them. */
typedef struct {
    char *socket_dir;      /* (owned) (nullable): unix_sock_dir */
    char *socket_group;    /* (owned) (nullable): unix_sock_group */
    guint socket_ro_perms; /* unix_sock_ro_perms; 0: by who is asked */
    guint socket_rw_perms; /* unix_sock_rw_perms */
    char *auth_ro;         /* (owned) (nullable): auth_unix_ro: "none" or "polkit" */
    char *auth_rw;         /* (owned) (nullable): auth_unix_rw */
    KilnServerLimits limits;
    guint log_level; /* 1 debug … 4 error, as libvirt counts */
    char *user;      /* (owned): whom guests run as; of kiln.conf */
    char *group;     /* (owned) (nullable): the user's own */
} KilnDaemonConfig;

void kiln_daemon_config_init(KilnDaemonConfig *config);
void kiln_daemon_config_clear(KilnDaemonConfig *config);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnDaemonConfig, kiln_daemon_config_clear)

/**
 * kiln_daemon_config_read:
 * @path: a file
 * @required: whether it must be there
 *
 * A key that is not known is logged and passed over, as libvirt does, so that a file for a newer
 * daemon does.
 *
 * Returns: FALSE with @error set, naming file and line, if it cannot be read or understood.
 */
gboolean kiln_daemon_config_read(KilnDaemonConfig *config, const char *path, gboolean required,
                                 GError **error);

/* As kiln_daemon_config_read, of a text; @name is for messages. */
gboolean kiln_daemon_config_parse(KilnDaemonConfig *config, const char *text, const char *name,
                                  GError **error);

#endif
