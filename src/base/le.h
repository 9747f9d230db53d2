/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Little-endian fields at any alignment: what guests, tables and files are made of on x86. */
#ifndef KILN_BASE_LE_H
#define KILN_BASE_LE_H

#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
kiln_le16_load(const void *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof value);
    return GUINT16_FROM_LE(value);
}

static inline uint32_t
kiln_le32_load(const void *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return GUINT32_FROM_LE(value);
}

static inline uint64_t
kiln_le64_load(const void *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return GUINT64_FROM_LE(value);
}

static inline void
kiln_le16_store(void *to, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    memcpy(to, &value, sizeof value);
}

static inline void
kiln_le32_store(void *to, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(to, &value, sizeof value);
}

static inline void
kiln_le64_store(void *to, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(to, &value, sizeof value);
}

#endif
