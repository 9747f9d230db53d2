/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See format.h. */
#include "state/format.h"

#include <string.h>

#include "state/state.h"

enum { CRC32_POLYNOMIAL = 0xedb88320 }; /* ISO 3309, bits reversed */

/* The CRC of every half byte; a stream of devices is some kilobytes, so that is fast enough. */
static uint32_t
crc_of_nibble(uint32_t nibble)
{
    for (int bit = 0; bit < 4; bit++)
        nibble = (nibble & 1) != 0 ? (nibble >> 1) ^ CRC32_POLYNOMIAL : nibble >> 1;
    return nibble;
}

uint32_t
kiln_state_checksum(const uint8_t *data, size_t length)
{
    uint32_t table[16];
    uint32_t crc = 0xffffffff;

    for (uint32_t i = 0; i < G_N_ELEMENTS(table); i++)
        table[i] = crc_of_nibble(i);
    for (size_t i = 0; i < length; i++) {
        crc = (crc >> 4) ^ table[(crc ^ data[i]) & 0xf];
        crc = (crc >> 4) ^ table[(crc ^ (data[i] >> 4)) & 0xf];
    }
    return ~crc;
}

gboolean
kiln_state_name_is_valid(const char *name, size_t length)
{
    if (length == 0 || length > KILN_STATE_MAX_NAME)
        return FALSE;
    for (size_t i = 0; i < length; i++) {
        if (!g_ascii_islower(name[i]) && !g_ascii_isdigit(name[i]) &&
            (name[i] == '\0' || strchr("-._/:", name[i]) == NULL))
            return FALSE;
    }
    return TRUE;
}
