/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The front end of vhost-user (QEMU's docs/interop/vhost-user.rst): another process works on a
 * device's queues, in guest RAM that it maps from descriptors, and is told so over a unix socket.
 *
 *   connect or accept -> GET_FEATURES -> protocol features -> queues, backend channel -> SET_OWNER
 *   -> (vhost.h's ops, each a message and, with REPLY_ACK, its answer)
 *
 * The peer is a stranger: an answer of another request, size or version, a descriptor that nobody
 * asked for, or none in time, and it is given up: its socket is shut down, ops fail from then on,
 * and @failed is called from the context.  As a client that is the end: the sandbox forbids
 * connecting anew.  As a server a new peer may come: @connected, and the queues are started again.
 */
#ifndef KILN_VHOST_USER_H
#define KILN_VHOST_USER_H

#include "base/fd.h"
#include "vhost/vhost.h"

/* Protocol features, by bit; those that are not here are never acknowledged. */
enum {
    KILN_VHOST_USER_PROTOCOL_MQ = 0,
    KILN_VHOST_USER_PROTOCOL_REPLY_ACK = 3,
    KILN_VHOST_USER_PROTOCOL_NET_MTU = 4,
    KILN_VHOST_USER_PROTOCOL_BACKEND_REQ = 5,
    KILN_VHOST_USER_PROTOCOL_CONFIG = 9,
    KILN_VHOST_USER_PROTOCOL_RESET_DEVICE = 13,
};

enum {
    KILN_VHOST_USER_MAX_CONFIG = 256, /* bytes of configuration space in one message */
    KILN_VHOST_USER_MAX_REGIONS = 8,  /* of memory */
};

/**
 * KilnVhostUserOptions:
 * @id: for messages: "virtio-fs0"; copied
 * @socket: (transfer full): connected, or -1
 * @listener: (transfer full): where peers connect, if @socket is -1; the first one is waited for
 * @wait_ms: how long that one is waited for; 0: half a minute
 * @answer_ms: how long one answer is waited for; 0: 5 seconds.  Six times that when a queue is
 *   stopped, since the peer first finishes what it has begun
 * @n_queues: that the device has; a peer that knows of fewer is refused, if it tells
 * @need_protocol: mask of protocol features without which a peer is refused
 * @context: (nullable): of the device; NULL is the main one.  Ops are called by its thread, or when
 *   nobody runs it
 * @failed: (nullable): the peer is lost
 * @connected: (nullable): server: another peer has come in place of a lost one; its features are
 *   asked anew and its queues wait to be started
 * @config_changed: (nullable): the peer says so: get_config gives what is new
 */
typedef struct {
    const char *id;
    KilnFd socket;
    KilnFd listener;
    unsigned wait_ms;
    unsigned answer_ms;
    unsigned n_queues;
    uint64_t need_protocol;
    GMainContext *context;
    KilnVhostFailed failed;
    void (*connected)(void *opaque);
    void (*config_changed)(void *opaque);
    void *opaque;
} KilnVhostUserOptions;

/**
 * kiln_vhost_user_new:
 *
 * Returns: (transfer full): a peer that has answered, or NULL with @error set; the descriptors are
 *   closed then too.
 */
KilnVhost *kiln_vhost_user_new(const KilnVhostUserOptions *options, GError **error);

/* Whether there is a peer: it has not been lost, or another has come. */
gboolean kiln_vhost_user_alive(const KilnVhost *vhost);

/* How many queues the peer has, G_MAXUINT if it does not tell. */
unsigned kiln_vhost_user_n_queues(const KilnVhost *vhost);

/* Whether both sides have protocol feature @bit. */
gboolean kiln_vhost_user_has_protocol(const KilnVhost *vhost, unsigned bit);

/**
 * kiln_vhost_user_set_mtu:
 *
 * Tells a network peer the greatest size of a packet; without NET_MTU it is not told.
 */
gboolean kiln_vhost_user_set_mtu(KilnVhost *vhost, uint16_t mtu, GError **error);

/**
 * kiln_vhost_user_reset:
 *
 * The device was reset: a peer with RESET_DEVICE forgets what it knew of the driver.  Its queues
 * are stopped.
 */
gboolean kiln_vhost_user_reset(KilnVhost *vhost, GError **error);

#endif
