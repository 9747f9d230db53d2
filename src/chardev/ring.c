/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ring.h. */
#include "chardev/ring.h"

#include "chardev/chardev.h"

#include <string.h>

void
kiln_ring_clear(KilnRing *ring)
{
    g_clear_pointer(&ring->bytes, g_free);
}

void
kiln_ring_join(KilnRing *ring, KilnRingReader *reader)
{
    if (reader->joined)
        return;
    for (guint i = 0; i < KILN_RING_READERS; i++) {
        if (ring->readers[i] == NULL) {
            ring->readers[i] = reader;
            *reader = (KilnRingReader){ .next = ring->end, .joined = TRUE };
            return;
        }
    }
    g_assert_not_reached(); /* backend, log and console are all there are */
}

void
kiln_ring_leave(KilnRing *ring, KilnRingReader *reader)
{
    for (guint i = 0; i < KILN_RING_READERS; i++) {
        if (ring->readers[i] == reader)
            ring->readers[i] = NULL;
    }
    reader->joined = FALSE;
}

gboolean
kiln_ring_has_readers(const KilnRing *ring)
{
    for (guint i = 0; i < KILN_RING_READERS; i++) {
        if (ring->readers[i] != NULL)
            return TRUE;
    }
    return FALSE;
}

static uint64_t
lag(const KilnRing *ring, const KilnRingReader *reader)
{
    return ring->end - reader->next;
}

gsize
kiln_ring_space(const KilnRing *ring)
{
    uint64_t most = 0;

    for (guint i = 0; i < KILN_RING_READERS; i++) {
        const KilnRingReader *reader = ring->readers[i];

        if (reader != NULL && !reader->behind)
            most = MAX(most, lag(ring, reader));
    }
    return KILN_CHARDEV_RING_BYTES - most;
}

void
kiln_ring_append(KilnRing *ring, const uint8_t *data, gsize length)
{
    gsize at = ring->end % KILN_CHARDEV_RING_BYTES;
    gsize first = MIN(length, KILN_CHARDEV_RING_BYTES - at);

    if (length == 0)
        return;
    if (ring->bytes == NULL)
        ring->bytes = g_malloc(KILN_CHARDEV_RING_BYTES);
    memcpy(ring->bytes + at, data, first);
    memcpy(ring->bytes, data + first, length - first);
    ring->end += length;
}

gsize
kiln_ring_peek(KilnRing *ring, KilnRingReader *reader, const uint8_t **data)
{
    uint64_t have;
    gsize at;

    if (!reader->joined)
        return 0;
    have = lag(ring, reader);
    if (have > KILN_CHARDEV_RING_BYTES) { /* it was given up, and this much is overwritten */
        ring->lost += have - KILN_CHARDEV_RING_BYTES;
        reader->next = ring->end - KILN_CHARDEV_RING_BYTES;
        have = KILN_CHARDEV_RING_BYTES;
    }
    at = reader->next % KILN_CHARDEV_RING_BYTES;
    *data = ring->bytes + at;
    return MIN(have, KILN_CHARDEV_RING_BYTES - at);
}

void
kiln_ring_take(KilnRing *ring, KilnRingReader *reader, gsize length)
{
    reader->next += length;
    if (reader->next == ring->end) {
        reader->behind = FALSE;
        reader->waiting = FALSE;
    }
}

gboolean
kiln_ring_give_up(KilnRing *ring, gint64 now_us)
{
    for (guint i = 0; i < KILN_RING_READERS; i++) {
        KilnRingReader *reader = ring->readers[i];

        if (reader == NULL || reader->behind || lag(ring, reader) < KILN_CHARDEV_RING_BYTES)
            continue;
        if (reader->waiting && now_us - reader->wait_since_us < KILN_CHARDEV_STALL_MS * 1000)
            continue;
        if (reader->waiting && reader->next - reader->wait_mark < KILN_RING_LEAST_PROGRESS) {
            reader->behind = TRUE;
            continue;
        }
        reader->waiting = TRUE;
        reader->wait_since_us = now_us;
        reader->wait_mark = reader->next;
    }
    return kiln_ring_space(ring) > 0;
}
