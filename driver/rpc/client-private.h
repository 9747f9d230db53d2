/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection, as the files of this room see it:
 *
 *   poller -> client-io.c: one packet after the other, with its descriptors -> dispatch.c
 *   replies, events, streams -> queue -> client-io.c, as the socket takes them
 *
 * It is closed only from the poller, a timer, or its server's end: whatever else finds that it must
 * end hangs up its socket (kiln_client_abort), which the poller then sees.
 */
#ifndef KILN_RPC_CLIENT_PRIVATE_H
#define KILN_RPC_CLIENT_PRIVATE_H

#include "base/fd.h"
#include "error/vir-error.h"
#include "rpc/client.h"
#include "rpc/poller.h"
#include "rpc/server-private.h"

enum {
    KILN_CLIENT_CONGESTED = 1 << 20,      /* queued bytes from which on calls wait */
    KILN_CLIENT_ANONYMOUS_MAX = 64 << 10, /* of a packet before authentication */
};

/* A packet that comes in. */
typedef struct {
    guint8 word[4];
    gsize have;         /* bytes that are there, with the length word */
    gsize length;       /* of the whole; 0 while the length word is not complete */
    guint8 *data;       /* (owned) (nullable) */
    gsize allocated;    /* of data; grows with what really comes */
    KilnPacket *packet; /* (owned) (nullable): whole, but for its descriptors */
    guint n_fds;        /* that have come */
} KilnIncoming;

struct KilnClient {
    guint refs;
    KilnServer *server; /* (nullable): NULL once it is closed */
    KilnUser *user;     /* (nullable): of the server, while it is open */
    gpointer driver;
    GList link; /* of the server's clients */
    KilnFd fd;
    KilnPollerWatch *watch; /* (owned) (nullable) */

    KilnAuth auth;
    gboolean socket_read_only;
    gboolean authenticated;
    gboolean opened;
    gboolean read_only;
    gboolean polkit;       /* is being asked */
    gboolean tells_close;  /* REGISTER_CLOSE_CALLBACK */
    gboolean broken;       /* hung up: nothing more is sent or served */
    gboolean closes;       /* when its queue is empty */
    char *uri;             /* (owned) (nullable) */
    KilnIdentity identity; /* (owned) */
    gint64 since_us;       /* monotonic, when it came */
    GList unopened;        /* of the server's, while it has not opened */

    KilnIncoming in;
    guint requests;  /* calls under way */
    guint holds;     /* streams that take nothing just now */
    GHashTable *raw; /* (owned) (nullable): serials of calls that somebody else answers */

    GQueue out;     /* (element-type Outgoing) */
    gsize queued;   /* bytes in it */
    GArray *drains; /* (owned) (nullable): who waits for it to get shorter */

    GArray *closers;    /* (owned) (nullable) */
    guint last_closer;  /* id */
    GHashTable *claims; /* (owned) (nullable): serial -> Claim */

    gboolean keepalive; /* it answers to PING */
    gboolean heard;     /* something, since the last tick */
    guint pings_left;

    GArray *registrations; /* (owned) (nullable): of events.c */
    gint32 last_callback;
};

KilnClient *kiln_client_new(KilnServer *server, int fd, const KilnIdentity *identity);

/* Now: its callbacks are called, its place is free.  Not from within a handler. */
void kiln_client_close(KilnClient *client);

/* Hangs up: it is closed when the loop comes to it. */
void kiln_client_abort(KilnClient *client);

/* Hangs up when all that is queued has gone. */
void kiln_client_close_later(KilnClient *client);

/* @name: (nullable): of CONNECT_OPEN.  FALSE with @error set if there is no such connection. */
gboolean kiln_client_open(KilnClient *client, const char *name, gboolean read_only, GError **error);
void kiln_client_set_identity(KilnClient *client, const KilnIdentity *identity);
void kiln_client_set_authenticated(KilnClient *client);

/* Queues a packet and duplicates of @fds. */
void kiln_client_queue(KilnClient *client, GBytes *packet, const int *fds, guint n_fds);
/* Whether calls are taken just now; after a change. */
void kiln_client_update(KilnClient *client);
void kiln_client_request_done(KilnClient *client);
/* It may be that there is room again for who waits for that. */
void kiln_client_drained(KilnClient *client);

/* Gives @packet to whom claimed its serial; FALSE if nobody did. */
gboolean kiln_client_to_claim(KilnClient *client, KilnPacket *packet);
guint kiln_client_n_claims(KilnClient *client);
gboolean kiln_client_has_claim(KilnClient *client, guint32 serial);
void kiln_client_expect_raw(KilnClient *client, guint32 serial);
/* Whether a raw call of that serial has no answer yet. */
gboolean kiln_client_expects_raw(const KilnClient *client, guint32 serial);

/* client-io.c */
void kiln_client_io_ready(guint32 ready, gpointer client);
void kiln_client_io_flush(KilnClient *client);
void kiln_client_io_clear(KilnClient *client);
guint32 kiln_client_io_events(const KilnClient *client);

#endif
