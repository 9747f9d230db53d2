/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection of a client.  Reference counted, since calls and relays outlive it; `closed` when
 * the other end has gone.  Main thread.
 */
#ifndef KILN_RPC_CLIENT_H
#define KILN_RPC_CLIENT_H

#include "rpc/procedure.h"

#include <sys/types.h>

/**
 * KilnIdentity: who is behind a connection: the socket's peer, or whom a trusted peer speaks for
 *   (CONNECT_SET_IDENTITY)
 */
typedef struct {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    guint64 process_start; /* as in /proc/PID/stat; 0: unknown */
    char *user;            /* (nullable) */
    char *group;           /* (nullable) */
} KilnIdentity;

/**
 * KilnPacket: one packet as it came, or as it is to be sent
 * @bytes: the whole of it, with the length word
 */
struct KilnPacket {
    guint32 program;
    guint32 version;
    gint32 procedure;
    guint32 type; /* of rpc/frame.h */
    guint32 serial;
    guint32 status; /* of rpc/frame.h */
    GBytes *bytes;  /* (owned) */
    int *fds;       /* (owned) (nullable): descriptors that came with it; -1 where taken over */
    guint n_fds;
};

KilnClient *kiln_client_ref(KilnClient *client);
void kiln_client_unref(KilnClient *client);

gboolean kiln_client_is_closed(const KilnClient *client);
/* By the socket it came through, or because it said so when it opened. */
gboolean kiln_client_is_read_only(const KilnClient *client);
const KilnIdentity *kiln_client_identity(const KilnClient *client);
/* (nullable): the name in its CONNECT_OPEN, such as "kiln:///system"; "" if that had none; NULL
 * before. */
const char *kiln_client_uri(const KilnClient *client);

/**
 * kiln_client_on_close:
 * @closed: called once, when the connection ends
 *
 * Returns: an id for kiln_client_off_close().
 */
guint kiln_client_on_close(KilnClient *client, void (*closed)(KilnClient *client, gpointer data),
                           gpointer data);
void kiln_client_off_close(KilnClient *client, guint id);

/**
 * kiln_client_send_message:
 * @procedure: REMOTE_PROC_*, of an event
 *
 * Queues it.  A client that lets too much queue up is closed.
 */
void kiln_client_send_message(KilnClient *client, int procedure, xdrproc_t codec,
                              gconstpointer message);

/* Queues a whole packet, of somebody else's making (relay).  A reply ends the raw call of its
 * serial, of which a client may have as many under way as of others. */
void kiln_client_send_packet(KilnClient *client, GBytes *packet);

/**
 * kiln_client_claim_serial:
 * @packet: (nullable): called for each packet of the stream of that number that comes, which is
 *   borrowed (its bytes may be referenced); NULL ends the claim
 *
 * Streams that somebody else serves (relay).
 */
void kiln_client_claim_serial(KilnClient *client, guint32 serial,
                              void (*packet)(KilnClient *client, KilnPacket *packet, gpointer data),
                              gpointer data);

/* Whether more packets would only queue up: the relay stops reading then, and goes on at @drained.
 */
gboolean kiln_client_is_congested(KilnClient *client,
                                  void (*drained)(KilnClient *client, gpointer data),
                                  gpointer data);

/* Forgets all that is to be called with @data when it has drained. */
void kiln_client_not_drained(KilnClient *client, gpointer data);

/* Nothing is read from the client while there is a hold, as when who is to have its packets has no
 * room for more.  Holds are counted. */
void kiln_client_hold(KilnClient *client);
void kiln_client_release(KilnClient *client);

/* Answers a call that was taken raw: an error for its serial. */
void kiln_client_fail_packet(KilnClient *client, const KilnPacket *packet, int code,
                             const char *message);

/* It said that it answers to keepalive (SUPPORTS_FEATURE of VIR_DRV_FEATURE_PROGRAM_KEEPALIVE):
 * from now on it is asked, if the server is to do that. */
void kiln_client_start_keepalive(KilnClient *client);

void kiln_packet_free(KilnPacket *packet);

#endif
