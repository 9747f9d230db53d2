/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server, as the files of this room see it. */
#ifndef KILN_RPC_SERVER_PRIVATE_H
#define KILN_RPC_SERVER_PRIVATE_H

#include "rpc/poller.h"
#include "rpc/server.h"

#include <sys/types.h>

enum {
    KILN_REMOTE_PROCEDURES = REMOTE_PROC_NODE_DEVICE_UPDATE + 1,
    KILN_QEMU_PROCEDURES = 8,
    KILN_DOMAIN_EVENTS = 27,
};

/* Who has how many places: one a uid. */
typedef struct {
    uid_t uid;
    guint n_clients;
    guint n_polkit; /* that polkit is being asked about */
    gsize incoming; /* bytes of packets that are not whole yet */
} KilnUser;

struct KilnServer {
    KilnServerLimits limits;
    gpointer driver;
    gboolean (*open)(gpointer driver, const char *name, GError **error);
    gid_t group;
    gboolean has_group;
    const KilnProcedure *remote[KILN_REMOTE_PROCEDURES];
    const KilnProcedure *qemu[KILN_QEMU_PROCEDURES];

    KilnPoller *poller;   /* (owned) */
    GPtrArray *listeners; /* (owned) (element-type Listener) */
    GQueue clients;       /* by their link */
    GQueue unopened;      /* by their link, oldest first */
    GHashTable *users;    /* (owned) uid -> KilnUser */
    guint n_polkit;
    guint n_wanted[KILN_DOMAIN_EVENTS]; /* registrations of each event */

    guint handshake_timer; /* source id, 0: none is due */
    guint keepalive_timer;

    void (*changed)(KilnServer *server, gpointer data); /* (nullable) */
    gpointer changed_data;
};

/* A connection as if it had been accepted.  @fd: taken over. */
void kiln_server_adopt(KilnServer *server, int fd, gboolean read_only, KilnAuth auth);

/* Closes who has not opened in time. */
void kiln_server_check_handshakes(KilnServer *server, gint64 now_us);

/* For client.c: it opened; it is gone; it needs @more bytes for a packet (FALSE: too many). */
void kiln_server_client_opened(KilnServer *server, KilnClient *client);
void kiln_server_client_closed(KilnServer *server, KilnClient *client);
gboolean kiln_server_buffer(KilnServer *server, KilnClient *client, gsize more);
void kiln_server_unbuffer(KilnServer *server, KilnClient *client, gsize less);

#endif
