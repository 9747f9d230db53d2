/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See uring-arms.h. */
#include "loop/uring-arms.h"

#include <poll.h>

#include "loop/source.h"

/* user_data: bit 0, the index in bits 1 to 15, the sequence from bit 32. */
enum {
    INDEX_SHIFT = 1,
    SEQUENCE_SHIFT = 32,
    NOBODY = 0x7fff, /* index of a cancellation */
};

static uint64_t
data_of(unsigned index, uint32_t sequence)
{
    return KILN_URING_ARM_BIT | (uint64_t)index << INDEX_SHIFT |
           (uint64_t)sequence << SEQUENCE_SHIFT;
}

static struct io_uring_sqe *
get_sqe(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

    while (sqe == NULL) { /* the queue is full of what is to be submitted anyway */
        (void)io_uring_submit(ring);
        sqe = io_uring_get_sqe(ring);
    }
    return sqe;
}

static void
disarm_all(KilnUringArms *arms, struct io_uring *ring)
{
    for (unsigned i = 0; i < arms->n; i++) {
        KilnUringArm *arm = &arms->arms[i];

        if (arm->armed) {
            struct io_uring_sqe *sqe = get_sqe(ring);

            io_uring_prep_cancel64(sqe, data_of(i, arm->sequence), 0);
            io_uring_sqe_set_data64(sqe, data_of(NOBODY, 0));
        }
        arm->sequence++;
        arm->armed = FALSE;
        arm->ready = 0;
    }
}

static gboolean
are_the_same(const KilnUringArms *arms, const GPollFD *fds, guint n)
{
    if (arms->n != n || arms->generation != kiln_source_generation())
        return FALSE;
    for (guint i = 0; i < n; i++)
        if (arms->arms[i].fd != fds[i].fd || arms->arms[i].events != fds[i].events)
            return FALSE;
    return TRUE;
}

void
kiln_uring_arms_update(KilnUringArms *arms, struct io_uring *ring, const GPollFD *fds, guint n)
{
    if (!are_the_same(arms, fds, n)) {
        arms->generation = kiln_source_generation();
        disarm_all(arms, ring);
        arms->n = n;
        for (guint i = 0; i < n; i++) {
            arms->arms[i].fd = fds[i].fd;
            arms->arms[i].events = fds[i].events;
        }
    }
    for (guint i = 0; i < n; i++) {
        KilnUringArm *arm = &arms->arms[i];
        struct io_uring_sqe *sqe;

        if (arm->armed || arm->ready != 0 || arm->fd < 0 || arm->fd == ring->ring_fd)
            continue;
        sqe = get_sqe(ring);
        io_uring_prep_poll_add(sqe, arm->fd, arm->events);
        io_uring_sqe_set_data64(sqe, data_of(i, ++arm->sequence));
        arm->armed = TRUE;
    }
}

void
kiln_uring_arms_complete(KilnUringArms *arms, uint64_t user_data, int result)
{
    unsigned index = (user_data >> INDEX_SHIFT) & NOBODY;
    KilnUringArm *arm = &arms->arms[MIN(index, KILN_URING_MAX_ARMS - 1)];

    if (index >= arms->n || arm->sequence != (uint32_t)(user_data >> SEQUENCE_SHIFT))
        return;
    arm->armed = FALSE;
    arm->ready = result < 0 ? POLLNVAL : (unsigned)result;
}

gboolean
kiln_uring_arms_any(const KilnUringArms *arms)
{
    for (unsigned i = 0; i < arms->n; i++)
        if (arms->arms[i].ready != 0)
            return TRUE;
    return FALSE;
}

int
kiln_uring_arms_collect(KilnUringArms *arms, GPollFD *fds, guint n)
{
    int n_ready = 0;

    for (guint i = 0; i < n; i++) {
        fds[i].revents = (gushort)arms->arms[i].ready;
        n_ready += arms->arms[i].ready != 0;
        arms->arms[i].ready = 0;
    }
    return n_ready;
}
