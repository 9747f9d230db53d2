/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stream that saved state is framed in.  All integers are little-endian and unaligned.
 *
 *     8 bytes   "KILNSTAT"
 *     u32       version of this frame, 1
 *     sections, each:
 *       u8      'S'
 *       u8      length of the name, 1..KILN_STATE_MAX_NAME
 *       bytes   the name
 *       u32     instance
 *       u32     version of the description that wrote it
 *       u32     bytes of fields that follow
 *       fields  in the order of the table, those with `since` up to the version:
 *                 integer   1, 2, 4 or 8 bytes        flag    1 byte, 0 or 1
 *                 bytes     as they are               buffer  u32 length, then the bytes
 *                 struct    u32 version of the nested description, then its fields
 *                 arrays    one element after the other
 *     u8        'E'
 *     u32       CRC-32 of every byte before it
 *
 * Nothing follows the checksum.  The checksum finds accidents; every check stands without it.
 */
#ifndef KILN_STATE_FORMAT_H
#define KILN_STATE_FORMAT_H

#include <glib.h>
#include <stdint.h>

#define KILN_STATE_MAGIC "KILNSTAT" /* without its NUL */

enum {
    KILN_STATE_MAGIC_LENGTH = 8,
    KILN_STATE_FORMAT_VERSION = 1,
    KILN_STATE_MARK_SECTION = 'S',
    KILN_STATE_MARK_END = 'E',
    KILN_STATE_CHECKSUM_LENGTH = 4,
};

/**
 * kiln_state_checksum:
 * Returns: the CRC-32 (ISO 3309, as in zip and Ethernet) of @length bytes.
 */
uint32_t kiln_state_checksum(const uint8_t *data, size_t length);

/**
 * kiln_state_name_is_valid:
 * Returns: whether the @length bytes at @name may name a section.
 */
gboolean kiln_state_name_is_valid(const char *name, size_t length);

#endif
