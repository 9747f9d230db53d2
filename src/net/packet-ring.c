/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See packet-ring.h. */
#include "net/packet-ring.h"

#include <errno.h>
#include <liburing.h>
#include <sys/uio.h>

#include "net/packet-fd.h"

enum {
    ENTRIES = 64,
    REGISTERED = 0, /* the descriptor's number in the ring */
    FEW = 2,        /* for so many packets a system call each costs no more */
};

struct KilnPacketRing {
    struct io_uring ring;
    int fd;
    gboolean no_reads; /* this kernel would wait for a packet: taps before Linux 6.4 */
    int results[ENTRIES];
};

static const uint8_t allowed[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV,
                                   IORING_OP_WRITEV };

/*
 * Reads and writes of the one descriptor, which the sandbox allows by system calls too, and nothing
 * else.  It is registered, which saves a tenth of a small packet's time.  The ring of a process
 * that was killed holds it for up to half a second more, and a tap's name with it: see tap.c.
 */
static int
restrict_ring(struct io_uring *ring)
{
    struct io_uring_restriction rules[G_N_ELEMENTS(allowed) + 2] = { 0 };
    unsigned n = 0;

    for (; n < G_N_ELEMENTS(allowed); n++) {
        rules[n].opcode = IORING_RESTRICTION_SQE_OP;
        rules[n].sqe_op = allowed[n];
    }
    rules[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
    rules[n++].sqe_flags = IOSQE_FIXED_FILE;
    rules[n].opcode = IORING_RESTRICTION_REGISTER_OP;
    rules[n++].register_op = IORING_UNREGISTER_FILES;
    return io_uring_register_restrictions(ring, rules, n);
}

KilnPacketRing *
kiln_packet_ring_new(int fd)
{
    static const unsigned flags[] = { IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN, 0 };
    KilnPacketRing *ring = g_new0(KilnPacketRing, 1);
    int result = -EINVAL;

    ring->fd = fd;
    for (unsigned i = 0; i < G_N_ELEMENTS(flags) && result == -EINVAL; i++) {
        struct io_uring_params params = { .flags = flags[i] | IORING_SETUP_R_DISABLED };

        result = io_uring_queue_init_params(ENTRIES, &ring->ring, &params);
    }
    if (result < 0) {
        g_free(ring);
        return NULL;
    }
    if (io_uring_register_files(&ring->ring, &fd, 1) < 0 || restrict_ring(&ring->ring) < 0 ||
        io_uring_enable_rings(&ring->ring) < 0) {
        kiln_packet_ring_free(ring);
        return NULL;
    }
    return ring;
}

void
kiln_packet_ring_free(KilnPacketRing *ring)
{
    if (ring == NULL)
        return;
    (void)io_uring_unregister_files(&ring->ring); /* now, not when the kernel comes to it */
    io_uring_queue_exit(&ring->ring);
    g_free(ring);
}

/* One entry: the packet's index goes with it. */
static void
prepare(KilnPacketRing *ring, const KilnNetPacket *packet, unsigned index, gboolean writing)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->ring);
    const struct iovec *iov = packet->iov;

    if (packet->n_iov == 1)
        io_uring_prep_rw(writing ? IORING_OP_WRITE : IORING_OP_READ, sqe, REGISTERED, iov->iov_base,
                         (unsigned)iov->iov_len, 0);
    else
        io_uring_prep_rw(writing ? IORING_OP_WRITEV : IORING_OP_READV, sqe, REGISTERED, iov,
                         packet->n_iov, 0);
    if (!writing)
        sqe->rw_flags = RWF_NOWAIT; /* O_NONBLOCK alone has the ring wait by poll(2) */
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->user_data = index;
}

/*
 * Has all that was prepared done.  On a descriptor that is non-blocking each request is done, or
 * has failed, within the one call; that is made sure of, so that nobody else ever sees these
 * buffers used.
 */
static void
run(KilnPacketRing *ring, unsigned n)
{
    unsigned done = 0;

    for (unsigned i = 0; i < n; i++)
        ring->results[i] = -EAGAIN;
    while (done < n) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned seen = 0;
        int result = io_uring_submit_and_wait(&ring->ring, n - done);

        io_uring_for_each_cqe(&ring->ring, head, cqe)
        {
            if (cqe->user_data < n)
                ring->results[cqe->user_data] = cqe->res;
            seen++;
        }
        io_uring_cq_advance(&ring->ring, seen);
        done += seen;
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY)
            return; /* nothing can be under way: what was not submitted never will be */
    }
}

static gboolean
is_fatal(int result)
{
    return result == -EBADFD || result == -ENODEV || result == -EPIPE || result == -ECONNRESET;
}

int
kiln_packet_ring_send(KilnPacketRing *ring, const KilnNetPacket *packets, unsigned n)
{
    if (n <= FEW)
        return kiln_packet_fd_send(ring->fd, packets, n);
    n = MIN(n, ENTRIES);
    for (unsigned i = 0; i < n; i++)
        prepare(ring, &packets[i], i, TRUE);
    run(ring, n);
    if (G_UNLIKELY(is_fatal(ring->results[0])))
        return ring->results[0];
    return (int)n;
}

int
kiln_packet_ring_receive(KilnPacketRing *ring, KilnNetPacket *packets, unsigned n)
{
    unsigned last = 0;

    if (n <= FEW || ring->no_reads)
        return kiln_packet_fd_receive(ring->fd, packets, n);
    n = MIN(n, ENTRIES);
    for (unsigned i = 0; i < n; i++)
        prepare(ring, &packets[i], i, FALSE);
    run(ring, n);
    if (G_UNLIKELY(ring->results[0] == -EOPNOTSUPP)) {
        ring->no_reads = TRUE;
        return kiln_packet_fd_receive(ring->fd, packets, n);
    }
    for (unsigned i = 0; i < n; i++) {
        packets[i].length = ring->results[i] > 0 ? (uint32_t)ring->results[i] : 0;
        if (packets[i].length > 0)
            last = i + 1;
    }
    if (G_UNLIKELY(last == 0 && is_fatal(ring->results[0])))
        return ring->results[0];
    return (int)last;
}
