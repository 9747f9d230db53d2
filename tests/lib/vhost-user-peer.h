/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vhost-user back end in a thread of the test: it answers as the protocol says, notes what it was
 * told, and misbehaves at one request if it is asked to.
 */
#ifndef KILN_TEST_VHOST_USER_PEER_H
#define KILN_TEST_VHOST_USER_PEER_H

#include <glib.h>
#include <pthread.h>

#include "vhost/user-message.h"

enum { PEER_QUEUES = 4 };

typedef enum {
    PEER_GOOD,
    PEER_WRONG_REQUEST,
    PEER_WRONG_SIZE,
    PEER_HUGE_SIZE,
    PEER_WRONG_VERSION,
    PEER_NO_REPLY_FLAG,
    PEER_SHORT, /* half an answer, then the end */
    PEER_SILENT,
    PEER_HANGS_UP,
    PEER_REFUSES, /* an acknowledgement that is not 0 */
    PEER_SENDS_FDS,
    PEER_TALKS_BACK, /* asks on its own channel first, and waits for the answer */
    PEER_N_FAULTS
} PeerFault;

typedef struct {
    uint16_t size;
    uint32_t base;
    gboolean enabled;
    struct vhost_vring_addr address;
    KilnFd kick; /* (owned) */
    KilnFd call; /* (owned) */
    unsigned n_calls_set;
} PeerQueue;

/* Read it only after an op has returned, or peer_join(). */
typedef struct {
    KilnFd socket;  /* (owned) */
    KilnFd channel; /* (owned): of its own requests */
    uint64_t features;
    uint64_t protocol;
    uint64_t acked; /* features */
    uint64_t acked_protocol;
    uint64_t n_queues;
    PeerFault fault;
    uint32_t fault_at;   /* request */
    uint32_t stopped_at; /* the base that GET_VRING_BASE tells, plus the queue's number */
    PeerQueue queues[PEER_QUEUES];
    KilnVhostUserRegion regions[VHOST_USER_MAX_FDS];
    ino_t inodes[VHOST_USER_MAX_FDS];
    unsigned n_regions;
    unsigned n_requests;
    unsigned n_resets;
    unsigned mtu;
    gboolean owned;
    uint8_t config[64];
    uint64_t channel_answer; /* of PEER_TALKS_BACK */
    pthread_t thread;
} Peer;

/* @peer: features, faults and so on are set, the rest is zeroes.  Returns: (transfer full): the
 * front end's socket. */
KilnFd peer_start(Peer *peer);

/* The same on a socket that is connected already. */
void peer_start_on(Peer *peer, KilnFd socket);

/* The front end has hung up: waits for the thread and closes all. */
void peer_join(Peer *peer);

/* Hangs up on the front end.  Then peer_join(). */
void peer_leave(Peer *peer);

#endif
