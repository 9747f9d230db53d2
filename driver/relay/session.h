/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One client's connection to the daemon of one driver, opened with its first call:
 *
 *   client packet -> (boot first) -> upstream, unchanged -> its answer -> client, unchanged
 *
 * Serials are the client's own; this side's calls have numbers from KILN_SESSION_SERIALS on, which
 * clients do not reach.  Streams are the client's claims (rpc/client.h).
 */
#ifndef KILN_RELAY_SESSION_H
#define KILN_RELAY_SESSION_H

#include "relay/procedures.h"
#include "rpc/client.h"

typedef struct KilnSession KilnSession;

enum {
    KILN_SESSION_SERIALS = 0x40000000,
    KILN_SESSION_BOOT_MS = 30000, /* for another daemon to start and open */
    KILN_SESSION_RETRY_MS = 100,  /* to be there again, at first; doubled up to ... */
    KILN_SESSION_RETRY_MAX_MS = 60000,
    KILN_SESSION_REGISTRATIONS_MAX = 1024,
};

/**
 * KilnSessionOptions:
 * @paths: (transfer none): of sockets, in the order in which they are tried; NULL-terminated.  It
 *   lives as long as the session
 * @uri: (transfer none): for CONNECT_OPEN
 * @identify: whether the daemon is told who the client is (system)
 * @alone: answers a call where there is no such daemon
 */
typedef struct {
    const char *const *paths;
    const char *uri;
    gboolean identify;
    void (*alone)(KilnClient *client, const KilnPacket *packet);
} KilnSessionOptions;

/* @client: borrowed; the session is freed when it closes. */
KilnSession *kiln_session_new(KilnClient *client, const KilnRelayDriver *driver,
                              const KilnSessionOptions *options);
void kiln_session_free(KilnSession *session);

/* Passes on a call. */
void kiln_session_call(KilnSession *session, const KilnPacket *packet);

#endif
