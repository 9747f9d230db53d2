/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of vhost-user: a header of three 32-bit words (request, flags, size of the payload), the
 * payload, and descriptors beside it.  Host byte order, which is little-endian here.
 */
#ifndef KILN_VHOST_USER_MESSAGE_H
#define KILN_VHOST_USER_MESSAGE_H

#include <glib.h>
#include <linux/vhost_types.h>
#include <stdint.h>

#include "base/fd.h"

/* From front end to back end ("master" to "slave" in older texts). */
enum {
    VHOST_USER_GET_FEATURES = 1,
    VHOST_USER_SET_FEATURES = 2,
    VHOST_USER_SET_OWNER = 3,
    VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_VRING_NUM = 8,
    VHOST_USER_SET_VRING_ADDR = 9,
    VHOST_USER_SET_VRING_BASE = 10,
    VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12,
    VHOST_USER_SET_VRING_CALL = 13,
    VHOST_USER_SET_VRING_ERR = 14,
    VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16,
    VHOST_USER_GET_QUEUE_NUM = 17,
    VHOST_USER_SET_VRING_ENABLE = 18,
    VHOST_USER_NET_SET_MTU = 20,
    VHOST_USER_SET_BACKEND_REQ_FD = 21,
    VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_SET_CONFIG = 25,
    VHOST_USER_RESET_DEVICE = 34,
};

/* From back end to front end, over the channel of SET_BACKEND_REQ_FD. */
enum { VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2 };

enum {
    VHOST_USER_VERSION = 1,
    VHOST_USER_VERSION_MASK = 3, /* of flags, as the next two */
    VHOST_USER_REPLY = 1 << 2,
    VHOST_USER_NEED_REPLY = 1 << 3,
    VHOST_USER_F_PROTOCOL_FEATURES = 30, /* among the virtio features */
    VHOST_USER_VRING_NO_FD = 1 << 8,     /* in a KICK, CALL or ERR: no descriptor */
    VHOST_USER_HEADER = 12,              /* bytes */
    VHOST_USER_MAX_PAYLOAD = 512,        /* bytes; the largest of ours is a table of 8 regions */
    VHOST_USER_MAX_FDS = 8,              /* one a region */
};

/* A region as SET_MEM_TABLE has it, after two words of which the first is their number. */
typedef struct {
    uint64_t gpa;
    uint64_t size;    /* bytes */
    uint64_t address; /* of ours, which rings' addresses are in */
    uint64_t offset;  /* bytes, into the region's descriptor */
} KilnVhostUserRegion;

/* Header of GET_CONFIG and SET_CONFIG; that many bytes follow. */
typedef struct {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
} KilnVhostUserConfig;

typedef struct {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* bytes of @payload */
    union {
        uint8_t bytes[VHOST_USER_MAX_PAYLOAD];
        uint64_t u64;
        struct vhost_vring_state state;
        struct vhost_vring_addr address;
        struct {
            uint32_t n_regions;
            uint32_t padding;
            KilnVhostUserRegion regions[VHOST_USER_MAX_FDS];
        } memory;
        struct {
            KilnVhostUserConfig header;
            uint8_t data[VHOST_USER_MAX_PAYLOAD - sizeof(KilnVhostUserConfig)];
        } config;
    } payload;
} KilnVhostUserMessage;

/* A message that comes in pieces.  All zeroes: nothing has come yet. */
typedef struct {
    KilnVhostUserMessage message;
    uint32_t got; /* bytes of header and payload */
} KilnVhostUserReader;

/**
 * kiln_vhost_user_read:
 * @fd: a socket
 *
 * Reads what is there and waits for nothing.  Descriptors that come along are closed: nothing that
 * is asked here is answered with any.
 *
 * Returns: 1: @reader has a whole message, the next call begins the next one; 0: more has to come;
 *   -ECONNRESET: the peer hung up; -EPROTO: a header that cannot be; or another -errno.
 */
int kiln_vhost_user_read(KilnVhostUserReader *reader, int fd);

/**
 * kiln_vhost_user_write:
 * @fds: (array length=n_fds): borrowed
 * @deadline_us: of g_get_monotonic_time()
 *
 * Writes all of @message, whose flags get the version.
 *
 * Returns: 0; -ETIMEDOUT: the peer does not read; -errno.
 */
int kiln_vhost_user_write(int fd, KilnVhostUserMessage *message, const int *fds, unsigned n_fds,
                          gint64 deadline_us);

/**
 * kiln_vhost_user_answers:
 *
 * Returns: whether @answer is one to @request, with a payload of @size bytes.
 */
gboolean kiln_vhost_user_answers(const KilnVhostUserMessage *answer, uint32_t request,
                                 uint32_t size);

#endif
