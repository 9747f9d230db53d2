/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An NBD server in a thread of the test, which serves one client from memory, and misbehaves as it
 * is told: the NBD project's doc/proto.md, fixed newstyle, simple replies.
 */
#ifndef KILN_TEST_NBD_SERVER_H
#define KILN_TEST_NBD_SERVER_H

#include <glib.h>
#include <stdint.h>

/* What a server does wrong, at the request that its plan names; each ends the serving. */
typedef enum {
    NBD_SERVER_HONEST,
    NBD_SERVER_HANGS_UP,      /* instead of an answer */
    NBD_SERVER_CUTS_HEADER,   /* half a reply, then it hangs up */
    NBD_SERVER_CUTS_DATA,     /* half the data, then it hangs up */
    NBD_SERVER_WRONG_COOKIE,  /* answers what nobody asked */
    NBD_SERVER_WRONG_MAGIC,   /* something that is no reply */
    NBD_SERVER_NEVER_ANSWERS, /* and reads on */
    NBD_SERVER_NO_GREETING,   /* before any request: says nothing at all */
    NBD_SERVER_CUT_GREETING,
    NBD_SERVER_BAD_GREETING,
    NBD_SERVER_NO_EXPORT, /* NBD_REP_ERR_UNKNOWN */
} NbdServerCrime;

enum {
    NBD_SERVER_READ_ONLY = 1 << 1,
    NBD_SERVER_FLUSH = 1 << 2,
    NBD_SERVER_FUA = 1 << 3,
    NBD_SERVER_TRIM = 1 << 5,
    NBD_SERVER_ZEROES = 1 << 6,
    NBD_SERVER_ALL = NBD_SERVER_FLUSH | NBD_SERVER_FUA | NBD_SERVER_TRIM | NBD_SERVER_ZEROES,
};

/**
 * NbdServerPlan:
 * @size: bytes that it claims to have, and has, if @honest_size
 * @flags: NBD_SERVER_READ_ONLY …
 * @minimum, @preferred, @maximum: bytes; all 0 does not say
 * @error_at: request, from 1, that is answered with @error (NBD's number); 0 is none
 * @crime_at: request, from 1, of a @crime that needs one
 */
typedef struct {
    uint64_t size;
    uint16_t flags;
    uint32_t minimum, preferred, maximum;
    unsigned error_at;
    uint32_t error;
    NbdServerCrime crime;
    unsigned crime_at;
} NbdServerPlan;

/* What came; (atomic). */
typedef struct {
    unsigned reads, writes, flushes, trims, zeroes;
    unsigned fua;         /* commands with that flag */
    unsigned no_hole;     /* the same */
    unsigned disconnects; /* in so many words */
    uint32_t longest;     /* bytes of a read or write */
} NbdServerSeen;

typedef struct NbdServer NbdServer;

/* Listens on a Unix socket in a directory of its own, and starts the thread. */
NbdServer *nbd_server_new(const NbdServerPlan *plan);

/* Waits until the client has gone. */
void nbd_server_free(NbdServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NbdServer, nbd_server_free)

const char *nbd_server_path(NbdServer *server);

/* The thread has ended, which it does when the client has gone. */
void nbd_server_join(NbdServer *server);
const NbdServerSeen *nbd_server_seen(NbdServer *server);

#endif
