/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last KILN_CHARDEV_RING_BYTES of a guest's output, read by a few readers at their own speed.
 * The owner's lock guards all of it.
 */
#ifndef KILN_CHARDEV_RING_H
#define KILN_CHARDEV_RING_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_RING_READERS = 3,
    /* What a reader must take in KILN_CHARDEV_STALL_MS to hold the writer back for as long again:
     * no less than a UART at 115200 baud sends in that time, so the guest sees nothing slower. */
    KILN_RING_LEAST_PROGRESS = 2880,
};

/* One reader; initialise with zeroes. */
typedef struct {
    uint64_t next;        /* position in the output of the first byte it has not taken */
    gboolean joined;      /* in the ring */
    gboolean behind;      /* was given up: holds the writer no more, until it has caught up */
    gboolean waiting;     /* the writer waits for it since @wait_since_us */
    gint64 wait_since_us; /* monotonic */
    uint64_t wait_mark;   /* @next at that time */
} KilnRingReader;

typedef struct {
    uint8_t *bytes; /* (owned) (nullable): allocated with the first byte */
    uint64_t end;   /* position after the last byte: all that was ever appended */
    uint64_t lost;  /* bytes that a reader missed, summed over the readers */
    KilnRingReader *readers[KILN_RING_READERS];
} KilnRing;

void kiln_ring_clear(KilnRing *ring);

/* @reader gets what is appended from now on; joining twice is as good as once. */
void kiln_ring_join(KilnRing *ring, KilnRingReader *reader);
void kiln_ring_leave(KilnRing *ring, KilnRingReader *reader);

/* Whether anybody reads. */
gboolean kiln_ring_has_readers(const KilnRing *ring);

/**
 * kiln_ring_space:
 * Returns: how many bytes may be appended before a reader that is not given up would lose some.
 */
gsize kiln_ring_space(const KilnRing *ring);

/**
 * kiln_ring_append:
 * @length: at most kiln_ring_space()
 */
void kiln_ring_append(KilnRing *ring, const uint8_t *data, gsize length);

/**
 * kiln_ring_peek:
 * @data: (out): where the bytes are, until the next append
 *
 * Returns: how many bytes there are for @reader at @data; more may follow once they are taken.
 */
gsize kiln_ring_peek(KilnRing *ring, KilnRingReader *reader, const uint8_t **data);

/* @reader has used @length bytes of what kiln_ring_peek() gave. */
void kiln_ring_take(KilnRing *ring, KilnRingReader *reader, gsize length);

/**
 * kiln_ring_give_up:
 * @now_us: g_get_monotonic_time()
 *
 * To be called while the ring is full: gives up readers that took next to nothing for
 * KILN_CHARDEV_STALL_MS.
 *
 * Returns: whether there is space now.
 */
gboolean kiln_ring_give_up(KilnRing *ring, gint64 now_us);

#endif
