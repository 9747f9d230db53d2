/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Big-endian fields at any alignment: what network protocols and some file formats are made of. */
#ifndef KILN_BASE_BE_H
#define KILN_BASE_BE_H

#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
kiln_be16_load(const void *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof value);
    return GUINT16_FROM_BE(value);
}

static inline uint32_t
kiln_be32_load(const void *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return GUINT32_FROM_BE(value);
}

static inline uint64_t
kiln_be64_load(const void *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return GUINT64_FROM_BE(value);
}

static inline void
kiln_be16_store(void *to, uint16_t value)
{
    value = GUINT16_TO_BE(value);
    memcpy(to, &value, sizeof value);
}

static inline void
kiln_be32_store(void *to, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(to, &value, sizeof value);
}

static inline void
kiln_be64_store(void *to, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(to, &value, sizeof value);
}

#endif
