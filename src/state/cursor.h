/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place in a stranger's bytes, from which one can only take what is there. */
#ifndef KILN_STATE_CURSOR_H
#define KILN_STATE_CURSOR_H

#include <glib.h>
#include <stdint.h>

typedef struct {
    const uint8_t *next;
    size_t left; /* bytes */
} KilnStateCursor;

/**
 * kiln_state_take:
 * @bytes: (out): where the next @length bytes are; the cursor is now behind them
 *
 * Returns: FALSE, and nothing is changed, if fewer bytes are left.
 */
gboolean kiln_state_take(KilnStateCursor *cursor, size_t length, const uint8_t **bytes);

/* As kiln_state_take: an unsigned little-endian number of @size bytes, 1 to 8. */
gboolean kiln_state_take_number(KilnStateCursor *cursor, size_t size, uint64_t *value);

/* As kiln_state_take: 32 bits. */
gboolean kiln_state_take_u32(KilnStateCursor *cursor, uint32_t *value);

#endif
