/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Somebody else who works on a device's queues: the host kernel (/dev/vhost-net, /dev/vhost-vsock;
 * linux/vhost.h) or another process (vhost-user: QEMU's docs/interop/vhost-user.rst).  One set of
 * ops for both; virtio/vhost.h hands a device's queues over by them.
 *
 *   open -> features -> set_features -> set_memory -> each queue: size, addresses, base, call, kick
 *   -> enable -> … -> each queue: get_base (which stops it) -> close
 *
 * A peer is hostile: what it answers is checked here.  Main thread or the device's own, one at a
 * time; functions that ask a vhost-user peer wait for its answer for a bounded time.
 */
#ifndef KILN_VHOST_VHOST_H
#define KILN_VHOST_VHOST_H

#include <glib.h>
#include <stdint.h>

/* One piece of guest RAM, as the peer gets to know it. */
typedef struct {
    uint64_t gpa;
    uint64_t size; /* bytes */
    void *host;
    int fd;             /* the memfd; -1 if there is none, which vhost-user cannot use */
    uint64_t fd_offset; /* bytes */
} KilnVhostRegion;

/* Where a queue's three parts are: host addresses. */
typedef struct {
    uint16_t size; /* descriptors */
    void *desc;
    void *avail; /* driver area */
    void *used;  /* device area */
} KilnVhostRing;

typedef struct KilnVhost KilnVhost;

/**
 * KilnVhostFailed:
 * @why: (transfer none): a message fragment: "the peer hung up"
 *
 * The peer is gone, broke its protocol or found a ring broken: it works on no queue any more, and
 * ops on it fail.  Called once for each peer, from the context that its constructor was given,
 * never from within an op.  May free the peer.
 */
typedef void (*KilnVhostFailed)(void *opaque, const char *why);

/**
 * KilnVhostOps:
 * @name: for messages: "vhost-net", "vhost-user"
 * @features: what the peer offers
 * @set_features: what the driver negotiated, of those
 * @set_memory: all of guest RAM, whole
 * @set_ring: before the queue is enabled; @base is the next index to be read (for packed rings with
 *   the wrap counters in bits 15 and 31, as VHOST_SET_VRING_BASE has it)
 * @set_kick, @set_call: eventfds, borrowed; @call -1: nobody wants to be interrupted
 * @enable: the peer may work on the queue
 * @get_base: stops the queue and tells where it stood
 * @get_config, @set_config: (nullable): configuration space; vhost-user only
 */
typedef struct {
    const char *name;
    gboolean (*features)(KilnVhost *vhost, uint64_t *features, GError **error);
    gboolean (*set_features)(KilnVhost *vhost, uint64_t features, GError **error);
    gboolean (*set_memory)(KilnVhost *vhost, const KilnVhostRegion *regions, unsigned n_regions,
                           GError **error);
    gboolean (*set_ring)(KilnVhost *vhost, unsigned queue, const KilnVhostRing *ring, uint32_t base,
                         GError **error);
    gboolean (*set_kick)(KilnVhost *vhost, unsigned queue, int kick_fd, GError **error);
    gboolean (*set_call)(KilnVhost *vhost, unsigned queue, int call_fd, GError **error);
    gboolean (*enable)(KilnVhost *vhost, unsigned queue, gboolean enabled, GError **error);
    gboolean (*get_base)(KilnVhost *vhost, unsigned queue, uint32_t *base, GError **error);
    gboolean (*get_config)(KilnVhost *vhost, unsigned offset, void *data, unsigned length,
                           GError **error);
    gboolean (*set_config)(KilnVhost *vhost, unsigned offset, const void *data, unsigned length,
                           GError **error);
    void (*free)(KilnVhost *vhost);
} KilnVhostOps;

/* A peer's own struct begins with it. */
struct KilnVhost {
    const KilnVhostOps *ops;
    void *handed; /* (nullable): virtio/vhost.c's own, while a device's queues are handed over */
};

/* For peers' own constructors. */
void kiln_vhost_init(KilnVhost *vhost, const KilnVhostOps *ops);

/* (nullable) */
void kiln_vhost_free(KilnVhost *vhost);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnVhost, kiln_vhost_free)

#endif
