/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packets of libvirt's RPC, version 1, as they are on the wire: a length word that counts itself, a
 * header of six words, then the payload; all big-endian XDR (RFC 4506).  What comes is a
 * stranger's.
 */
#ifndef KILN_RPC_FRAME_H
#define KILN_RPC_FRAME_H

#include "rpc/client.h"

enum {
    KILN_FRAME_LENGTH_SIZE = 4,
    KILN_FRAME_HEADER_SIZE = 28,                        /* with the length word */
    KILN_FRAME_MAX = 33554432 + KILN_FRAME_LENGTH_SIZE, /* with the length word */
    KILN_FRAME_FDS_MAX = 32,                            /* descriptors that belong to one */
    KILN_FRAME_STREAM_CHUNK = 262120,                   /* data in a packet of a stream */
};

enum {
    KILN_PROGRAM_REMOTE = 0x20008086,
    KILN_PROGRAM_QEMU = 0x20008087,
    KILN_PROGRAM_LXC = 0x00068000,
    KILN_PROGRAM_KEEPALIVE = 0x6b656570,
    KILN_PROGRAM_VERSION = 1,
};

enum {
    KILN_KEEPALIVE_PING = 1,
    KILN_KEEPALIVE_PONG = 2,
};

typedef enum {
    KILN_FRAME_CALL = 0,
    KILN_FRAME_REPLY = 1,
    KILN_FRAME_MESSAGE = 2,
    KILN_FRAME_STREAM = 3,
    KILN_FRAME_CALL_WITH_FDS = 4,
    KILN_FRAME_REPLY_WITH_FDS = 5,
    KILN_FRAME_STREAM_HOLE = 6,
} KilnFrameType;

typedef enum {
    KILN_FRAME_OK = 0,
    KILN_FRAME_ERROR = 1,
    KILN_FRAME_CONTINUE = 2, /* of streams: more follows */
} KilnFrameStatus;

/**
 * kiln_frame_length:
 * @word: the first four bytes
 * @max: bytes that a packet may have here, at most KILN_FRAME_MAX
 *
 * Returns: how long the packet is, or 0 if it cannot be one.
 */
gsize kiln_frame_length(const guint8 word[KILN_FRAME_LENGTH_SIZE], gsize max);

/**
 * kiln_frame_parse:
 * @bytes: (transfer full): a whole packet
 *
 * Returns: (transfer full) (nullable): NULL if its length word is not its length, or it has no
 *   header.  Nothing of the header is checked.
 */
KilnPacket *kiln_frame_parse(GBytes *bytes);

/**
 * kiln_frame_n_fds:
 * Returns: how many descriptors @packet says that follow it, -1 if more than may.
 */
int kiln_frame_n_fds(const KilnPacket *packet);

/* The payload of @packet, after the count of descriptors if there is one.  Borrowed. */
const guint8 *kiln_frame_payload(const KilnPacket *packet, gsize *length);

/**
 * kiln_frame_decode:
 * @codec: (nullable): of what the payload begins with; bytes after it do not matter
 * @value: zeroed; to be given to xdr_free() in any case
 */
gboolean kiln_frame_decode(const KilnPacket *packet, xdrproc_t codec, gpointer value);

/**
 * kiln_frame_encode:
 * @header: all but its bytes
 * @n_fds: that follow, for the types that say so
 * @codec: (nullable): of @value
 *
 * Returns: (transfer full) (nullable): the packet; NULL if @value cannot be encoded or is too
 *   large.
 */
GBytes *kiln_frame_encode(const KilnPacket *header, guint n_fds, xdrproc_t codec,
                          gconstpointer value);

/* As kiln_frame_encode, with a payload that is there already. */
GBytes *kiln_frame_encode_raw(const KilnPacket *header, gconstpointer payload, gsize length);

/**
 * kiln_frame_encode_error:
 * @header: its type stays (a reply or a stream), its status is KILN_FRAME_ERROR
 * @domain: VIR_FROM_*
 * @message: the whole text
 */
GBytes *kiln_frame_encode_error(const KilnPacket *header, int code, int domain,
                                const char *message);

/* VIR_FROM_* that goes with @code where nothing says otherwise. */
int kiln_frame_error_domain(int code);

#endif
