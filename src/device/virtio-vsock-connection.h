/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One stream between the guest and a unix socket of the host (virtio 1.2 §5.10.6).  It knows
 * packets and credits, not queues: virtio-vsock.c gives it what the guest sends, and asks it for
 * one packet for the guest at a time.
 *
 *   host -> guest: socket readable -> ready() -> give(): read into the guest's buffer
 *   guest -> host: receive(): sent from the guest's buffer; what the socket does not take is kept,
 *                  up to the room that the guest was told of
 */
#ifndef KILN_DEVICE_VIRTIO_VSOCK_CONNECTION_H
#define KILN_DEVICE_VIRTIO_VSOCK_CONNECTION_H

#include "base/fd.h"
#include "device/virtio-vsock-packet.h"
#include "virtio/queue.h"

enum {
    KILN_VSOCK_BUFFER = 128 * 1024, /* bytes that are kept for a slow reader on the host */
    KILN_VSOCK_PACKET = 64 * 1024,  /* bytes of data in one packet to the guest, at most */
};

typedef struct KilnVsockConnection KilnVsockConnection;

/* What all connections of a device share.  Outlives them. */
typedef struct {
    GMainContext *context; /* (nullable) */
    uint64_t cid;          /* the guest's */
    /* @connection has something to give, or has ended.  Not from within a function here. */
    void (*ready)(void *opaque, KilnVsockConnection *connection);
    void *opaque;
} KilnVsockEnd;

/*
 * WAITING: the guest asked; the host's socket is looked for.  -> accept, refuse
 * ASKING: the host asked; the guest has not answered.  -> its RESPONSE or RST
 * OPEN: data flows.  -> RST of either side, SHUTDOWN of the guest in both directions
 * ENDED: nothing is to come any more; free it once give() has nothing left.
 */
typedef enum {
    KILN_VSOCK_WAITING,
    KILN_VSOCK_ASKING,
    KILN_VSOCK_OPEN,
    KILN_VSOCK_ENDED,
} KilnVsockState;

struct KilnVsockConnection {
    const KilnVsockEnd *end;
    uint32_t host_port;
    uint32_t guest_port;
    uint32_t tag;    /* the owner's */
    GList link;      /* the owner's, in the queue of those that are ready; data is the connection */
    gboolean queued; /* the owner's: whether @link is in that */

    KilnVsockState state;
    unsigned pending; /* PENDING_…: what is to be given */
    KilnFd socket;
    GSource *source;      /* (owned) (nullable): of @socket */
    gboolean deaf;        /* the host reads no more: what the guest sends is dropped */
    gboolean drained;     /* the host writes no more */
    uint32_t told_flags;  /* VIRTIO_VSOCK_SHUTDOWN_… that the guest was told */
    uint32_t guest_flags; /* the same that it told */

    uint8_t *buffer; /* (owned) (nullable): KILN_VSOCK_BUFFER bytes, a ring */
    uint32_t buffer_start;
    uint32_t buffer_length;

    /* Free-running counts of bytes, virtio 1.2 §5.10.6.3. */
    uint32_t received;       /* from the guest */
    uint32_t forwarded;      /* of those, to the host */
    uint32_t told_forwarded; /* as the guest was last told */
    uint32_t sent;           /* to the guest */
    uint32_t guest_buf_alloc;
    uint32_t guest_fwd_cnt;
};

/* The guest asked for it: waits for accept or refuse.  @request is its packet. */
KilnVsockConnection *kiln_vsock_connection_new_of_guest(const KilnVsockEnd *end,
                                                        const KilnVsockHeader *request);

/* The host asks the guest.  @socket: (transfer full): non-blocking. */
KilnVsockConnection *kiln_vsock_connection_new_of_host(const KilnVsockEnd *end, uint32_t host_port,
                                                       uint32_t guest_port, KilnFd socket);
void kiln_vsock_connection_free(KilnVsockConnection *connection);

/* The host's socket for a connection that is WAITING; -1: there is none. */
void kiln_vsock_connection_attach(KilnVsockConnection *connection, KilnFd socket);

/**
 * kiln_vsock_connection_receive:
 * @header: of a packet of the guest for this connection; its len bytes are in @element
 * @offset: bytes of @element's device-readable part before the data
 *
 * Never blocks, keeps nothing of @element.
 */
void kiln_vsock_connection_receive(KilnVsockConnection *connection, const KilnVsockHeader *header,
                                   const KilnVirtqElement *element, size_t offset);

/* Whether give() may have something. */
gboolean kiln_vsock_connection_ready(const KilnVsockConnection *connection);

/**
 * kiln_vsock_connection_give:
 * @iov: (array length=n_iov): room for data, in the guest's memory
 * @header: (out): of the packet; its len bytes are in @iov
 *
 * Returns: FALSE if there is nothing after all.
 */
gboolean kiln_vsock_connection_give(KilnVsockConnection *connection, const struct iovec *iov,
                                    unsigned n_iov, KilnVsockHeader *header);

#endif
