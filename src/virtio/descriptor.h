/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copying a descriptor out of guest memory, once. */
#ifndef KILN_VIRTIO_DESCRIPTOR_H
#define KILN_VIRTIO_DESCRIPTOR_H

#include "virtio/queue-private.h"

/* Indirect tables need not be aligned (virtio 1.2 §2.7.5.3). */
typedef struct {
    uint64_t value;
} __attribute__((packed)) KilnVirtqWord;

/* Volatile: the compiler must not read the guest's memory again when the copy is used. */
static inline uint64_t
kiln_virtq_word_load(const uint8_t *from)
{
    return GUINT64_FROM_LE(((const volatile KilnVirtqWord *)from)->value);
}

/* struct vring_desc: addr, len, flags, next. */
static inline void
kiln_virtq_descriptor_load(const uint8_t *from, KilnVirtqDescriptor *descriptor)
{
    uint64_t rest = kiln_virtq_word_load(from + 8);

    descriptor->addr = kiln_virtq_word_load(from);
    descriptor->len = (uint32_t)rest;
    descriptor->flags = (uint16_t)(rest >> 32);
    descriptor->next = (uint16_t)(rest >> 48);
}

/* struct vring_packed_desc: addr, len, id, flags. */
static inline void
kiln_virtq_packed_load(const uint8_t *from, KilnVirtqDescriptor *descriptor)
{
    uint64_t rest = kiln_virtq_word_load(from + 8);

    descriptor->addr = kiln_virtq_word_load(from);
    descriptor->len = (uint32_t)rest;
    descriptor->next = (uint16_t)(rest >> 32);
    descriptor->flags = (uint16_t)(rest >> 48);
}

#endif
