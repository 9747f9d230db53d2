/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sums and products that say when they wrap, and alignment to powers of two. */
#ifndef KILN_BASE_INTMATH_H
#define KILN_BASE_INTMATH_H

#include <glib.h>
#include <stdint.h>

/* Each returns TRUE and sets @result if the value fits in 64 bits. */
static inline gboolean
kiln_add_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

static inline gboolean
kiln_mul_u64(uint64_t a, uint64_t b, uint64_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

/* Whether the @length bytes at @offset lie inside the first @size bytes; never wraps. */
static inline gboolean
kiln_range_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return length <= size && offset <= size - length;
}

static inline gboolean
kiln_is_power_of_2(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* @alignment is a power of two; the caller knows that @value + @alignment does not wrap. */
static inline uint64_t
kiln_align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t
kiln_align_down(uint64_t value, uint64_t alignment)
{
    return value & ~(alignment - 1);
}

#endif
