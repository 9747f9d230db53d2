/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session, as the files that make it up see it. */
#ifndef KILN_RELAY_SESSION_PRIVATE_H
#define KILN_RELAY_SESSION_PRIVATE_H

#include "relay/link.h"
#include "relay/session.h"

/**
 * KilnSessionState:
 * @KILN_SESSION_CLOSED: no connection; the next call opens one, or the timer if events are wanted
 * @KILN_SESSION_BOOTING: authentication, CONNECT_OPEN, identity; calls wait
 * @KILN_SESSION_OPEN: calls go through
 */
typedef enum {
    KILN_SESSION_CLOSED,
    KILN_SESSION_BOOTING,
    KILN_SESSION_OPEN,
} KilnSessionState;

/* Registrations that the client has made for events, by the numbers that it knows them by. */
typedef struct {
    gint32 client_id;
    gint32 upstream_id; /* valid if `live` */
    gboolean live;      /* the daemon that is connected knows it */
    guint32 serial;     /* of the call that is to make it live again; 0: none under way */
    GBytes *call;       /* (owned): as the client made it */
} KilnRegistration;

struct KilnSession {
    KilnClient *client;            /* borrowed */
    const KilnRelayDriver *driver; /* borrowed */
    KilnSessionOptions options;
    KilnSessionState state;
    KilnLink *link;           /* (owned) (nullable) */
    int step;                 /* of the boot: a procedure whose answer is awaited */
    guint32 serial;           /* the last of its own */
    guint timer;              /* boot, or retry */
    guint retry_ms;           /* the next retry's delay */
    GQueue waiting;           /* of KilnPacket (owned): calls, until it is open */
    GHashTable *outstanding;  /* (owned): serial -> GBytes of the call */
    GHashTable *streams;      /* (owned): serial -> procedure */
    GPtrArray *registrations; /* (owned) (element-type KilnRegistration) */
    gboolean holds;           /* the client is not read: the daemon does not */
};

/* session-boot.c: begins; a packet that came meanwhile.  It ends in kiln_session_booted(), or
 * kiln_session_boot_failed(). */
void kiln_session_boot(KilnSession *session);
void kiln_session_boot_packet(KilnSession *session, KilnPacket *packet);
void kiln_session_booted(KilnSession *session);
void kiln_session_boot_failed(KilnSession *session, int code, const char *why);

/* Goes on with a connection that is there already: @fd is taken over (tests). */
void kiln_session_attach(KilnSession *session, int fd);

/* Sends a call of its own. */
guint32 kiln_session_ask(KilnSession *session, int procedure, xdrproc_t codec, gconstpointer args);

/* session-events.c */
void kiln_registration_free(KilnRegistration *registration);
/* A deregistration: goes on with the daemon's number.  (transfer full): NULL if it was answered. */
GBytes *kiln_session_deregister(KilnSession *session, const KilnPacket *packet);
/* The answer to @call, a (de)registration that succeeded: (transfer full): what the client gets. */
GBytes *kiln_session_registered(KilnSession *session, const KilnPacket *call,
                                const KilnPacket *answer);
/* An event: (transfer full) (nullable): what the client gets. */
GBytes *kiln_session_event(KilnSession *session, const KilnPacket *message);
/* Everything again, with the daemon that is there now; an answer to it. */
void kiln_session_replay(KilnSession *session);
gboolean kiln_session_replayed(KilnSession *session, const KilnPacket *answer);
/* The daemon is gone. */
void kiln_session_forget_live(KilnSession *session);

#endif
