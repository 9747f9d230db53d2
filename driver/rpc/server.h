/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets of the daemon: who may connect, how many, and what they may call.  Main thread. */
#ifndef KILN_RPC_SERVER_H
#define KILN_RPC_SERVER_H

#include "rpc/procedure.h"

typedef struct KilnServer KilnServer;

typedef enum {
    KILN_AUTH_NONE,
    KILN_AUTH_POLKIT,
} KilnAuth;

/* The limits, by libvirt's names in virtkilnd.conf.  0 is the default, but for keepalive. */
typedef struct {
    guint max_clients;           /* 5000 */
    guint max_anonymous_clients; /* 20: about whom polkit is asked at a time; half a user */
    guint max_client_requests;   /* 5: under way at a time; more wait in the socket */
    guint keepalive_interval;    /* seconds; 0: the server asks nobody */
    guint keepalive_count;
    gsize max_queued_bytes;  /* 16 MiB: what may wait for a client that does not read */
    guint handshake_seconds; /* 30: a client that has not opened by then is closed */
} KilnServerLimits;

/**
 * KilnServerOptions:
 * @tables: NULL-terminated.  A row of theirs goes before one of the room's own for that number: of
 *   authentication, CONNECT_OPEN and CLOSE, identity, close callbacks, event registration.
 * @qemu: (nullable): of the program for QEMU's own calls; the numbers are those of QEMU_PROC_*
 * @driver: what kiln_call_driver() gives
 * @open: (nullable): asked at CONNECT_OPEN, which the server itself answers: whether there is such
 * a connection
 *   (@name: (nullable), of the arguments), else FALSE with a KILN_VIR_ERROR: kiln_ops_open()
 * @group: (nullable): whose members pass where polkit would be asked
 */
typedef struct {
    const KilnProcedureTable *const *tables;
    const KilnProcedureTable *qemu;
    KilnServerLimits limits;
    gpointer driver;
    gboolean (*open)(gpointer driver, const char *name, GError **error);
    const char *group;
} KilnServerOptions;

KilnServer *kiln_server_new(const KilnServerOptions *options);
void kiln_server_free(KilnServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnServer, kiln_server_free)

/**
 * kiln_server_listen:
 * @fd: a listening unix socket, taken over (made by the daemon, or from systemd)
 * @read_only: of all its connections
 */
void kiln_server_listen(KilnServer *server, int fd, gboolean read_only, KilnAuth auth);

/* How many are connected; and what is told when that changes (for --timeout). */
guint kiln_server_n_clients(const KilnServer *server);
void kiln_server_on_clients(KilnServer *server, void (*changed)(KilnServer *server, gpointer data),
                            gpointer data);

#endif
