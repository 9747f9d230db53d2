/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio device for tests of the core: it copies what it is given into what it may write, and
 * notes how it was called.  Its answers can be held back.
 */
#ifndef KILN_TEST_VIRTIO_ECHO_H
#define KILN_TEST_VIRTIO_ECHO_H

#include "virtio/device.h"

enum {
    ECHO_ID = VIRTIO_ID_RNG,
    ECHO_CONFIG_SIZE = 26, /* no multiple of 4: an aligned access goes over the end */
    ECHO_MAX_IOV = 64,
    ECHO_MAX_HELD = 1024,
    ECHO_FEATURE = 3, /* a feature bit of its own */
};

typedef struct {
    KilnVirtqElement element;
    struct iovec iov[ECHO_MAX_IOV];
} EchoRequest;

typedef struct {
    KilnVirtioDevice virtio;
    gboolean hold;         /* answers wait for echo_release() */
    gboolean slow_stop;    /* a stop waits for echo_release() too */
    gboolean keep_on_stop; /* what is held is kept when the device stops */
    gboolean refuse_start;
    gboolean takes_kicks; /* for itself in a start, and gives them back */
    gboolean lazy;        /* no kick pops: the test does */
    gboolean stopping;
    gboolean queue_stopping;
    unsigned stopping_queue;
    unsigned n_starts, n_stops, n_kicks, n_resets, n_queue_stops, n_queue_starts, n_call_changes;
    uint32_t n_answered; /* saved */
    EchoRequest *held;   /* (owned) of one queue at a time, in the order of their pops */
    unsigned n_held;
    unsigned held_queue;
    unsigned n_queues;
} Echo;

/* Returns: (transfer full): @options' config_size and features are set here. */
Echo *echo_new(const KilnVirtioOptions *options);

/* Answers the @n-th of what is held, and flushes. */
void echo_release(Echo *echo, unsigned n);
void echo_release_all(Echo *echo);

/* Copies and pushes, without a flush. */
void echo_answer(Echo *echo, KilnVirtqueue *queue, const KilnVirtqElement *element);

#endif
