/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hand-made client of virtkilnd's RPC, and a server with a small table for it: both in the test's
 * own thread, so that every wait runs the main loop.
 */
#ifndef KILN_TEST_RPC_PEER_H
#define KILN_TEST_RPC_PEER_H

#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/server.h"

typedef struct {
    KilnServer *server; /* (owned) */
    char *directory;    /* (owned) */
    char *path;         /* (owned): of its socket */
    char *path_ro;      /* (owned) */
} RpcHost;

/* A server with @options on two sockets; free with rpc_host_free(). */
RpcHost *rpc_host_new(const KilnServerOptions *options, KilnAuth auth);
void rpc_host_free(RpcHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcHost, rpc_host_free)

typedef struct {
    int fd;
    guint32 serial; /* of the last call */
} RpcPeer;

RpcPeer *rpc_peer_new(const char *path);
void rpc_peer_free(RpcPeer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RpcPeer, rpc_peer_free)

/* Connects, authenticates and opens. */
RpcPeer *rpc_peer_open(const char *path, unsigned flags);

/* Sends all of it, running the loop while the socket is full. */
void rpc_peer_send(RpcPeer *peer, gconstpointer data, gsize length);
void rpc_peer_send_packet(RpcPeer *peer, GBytes *packet);
/* A call with the next serial. */
void rpc_peer_call(RpcPeer *peer, int procedure, xdrproc_t codec, gconstpointer args);
/* A packet of the stream with that serial. */
void rpc_peer_stream(RpcPeer *peer, int procedure, guint32 serial, KilnFrameStatus status,
                     gconstpointer data, gsize length);
/* As libvirt does it: a byte with it. */
void rpc_peer_send_fd(RpcPeer *peer, int fd);
int rpc_peer_receive_fd(RpcPeer *peer);

/* Runs the loop until a packet has come; NULL if the connection has ended. */
KilnPacket *rpc_peer_receive(RpcPeer *peer);
/* Whether one comes while the loop has something to do. */
gboolean rpc_peer_is_quiet(RpcPeer *peer);
void rpc_peer_assert_ended(RpcPeer *peer);

/* Receives, and fails the test unless it is that. */
void rpc_peer_expect_reply(RpcPeer *peer, xdrproc_t codec, gpointer ret);
void rpc_peer_expect_error(RpcPeer *peer, int code, const char *text);
void rpc_peer_expect_packet_error(const KilnPacket *packet, int code, const char *text);
void rpc_peer_expect_stream(RpcPeer *peer, guint32 serial, KilnFrameStatus status,
                            gconstpointer data, gsize length);

/* Runs the loop until it has nothing to do just now. */
void rpc_settle(void);
/* Runs the loop until @condition is so; the test fails if that takes long. */
#define rpc_run_until(condition)                                                                   \
    do {                                                                                           \
        gint64 deadline_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;                         \
        while (!(condition)) {                                                                     \
            ck_assert_msg(g_get_monotonic_time() < deadline_us, "never: %s", #condition);          \
            rpc_step(-1);                                                                          \
        }                                                                                          \
    } while (0)
void rpc_step(int fd);

#endif
