/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cursor.h. */
#include "state/cursor.h"

#include "base/le.h"

gboolean
kiln_state_take(KilnStateCursor *cursor, size_t length, const uint8_t **bytes)
{
    if (length > cursor->left)
        return FALSE;
    *bytes = cursor->next;
    cursor->next += length;
    cursor->left -= length;
    return TRUE;
}

gboolean
kiln_state_take_number(KilnStateCursor *cursor, size_t size, uint64_t *value)
{
    uint8_t widened[8] = { 0 };
    const uint8_t *bytes;

    if (size > sizeof widened || !kiln_state_take(cursor, size, &bytes))
        return FALSE;
    memcpy(widened, bytes, size);
    *value = kiln_le64_load(widened);
    return TRUE;
}

gboolean
kiln_state_take_u32(KilnStateCursor *cursor, uint32_t *value)
{
    const uint8_t *bytes;

    if (!kiln_state_take(cursor, 4, &bytes))
        return FALSE;
    *value = kiln_le32_load(bytes);
    return TRUE;
}
