/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes that a PS/2 device has for its host. */
#ifndef KILN_DEVICE_PS2_QUEUE_H
#define KILN_DEVICE_PS2_QUEUE_H

#include <glib.h>
#include <stdint.h>

#include "state/state.h"

enum { KILN_PS2_QUEUE = 64 };

typedef struct {
    uint8_t bytes[KILN_PS2_QUEUE];
    uint8_t first;
    uint8_t n;
    uint8_t last; /* what was taken last */
} KilnPs2Queue;

static inline unsigned
kiln_ps2_queue_room(const KilnPs2Queue *queue)
{
    return KILN_PS2_QUEUE - queue->n;
}

/* One too many is lost. */
static inline void
kiln_ps2_queue_add(KilnPs2Queue *queue, uint8_t byte)
{
    if (queue->n < KILN_PS2_QUEUE)
        queue->bytes[(queue->first + queue->n++) % KILN_PS2_QUEUE] = byte;
}

static inline void
kiln_ps2_queue_clear(KilnPs2Queue *queue)
{
    queue->first = queue->n = 0;
}

/* Not from an empty queue. */
static inline uint8_t
kiln_ps2_queue_take(KilnPs2Queue *queue)
{
    queue->last = queue->bytes[queue->first];
    queue->first = (uint8_t)((queue->first + 1) % KILN_PS2_QUEUE);
    queue->n--;
    return queue->last;
}

extern const KilnStateDescription kiln_ps2_queue_state;

#endif
