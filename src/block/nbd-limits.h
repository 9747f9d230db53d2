/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a server says about its export, checked before anything is built on it: libnbd hands it on
 * as it came.
 */
#ifndef KILN_BLOCK_NBD_LIMITS_H
#define KILN_BLOCK_NBD_LIMITS_H

#include <glib.h>
#include <stdint.h>

enum {
    KILN_NBD_MAX_PIECE = 1 << 20,      /* bytes of one read or write */
    KILN_NBD_MAX_RANGE = 32 << 20,     /* bytes of one trim or write zeroes */
    KILN_NBD_MAX_MINIMUM = 64 << 10,   /* of a minimum block size; doc/proto.md */
    KILN_NBD_MAX_PREFERRED = 32 << 20, /* of a preferred one */
};

/**
 * KilnNbdClaims:
 * @size, @minimum, @preferred, @maximum: bytes, -1 if libnbd has failed to say; block sizes are 0
 * if the server did not give them
 */
typedef struct {
    int64_t size;
    int64_t minimum;
    int64_t preferred;
    int64_t maximum;
} KilnNbdClaims;

/**
 * KilnNbdLimits: what holds; all bytes, block sizes powers of 2
 * @piece, @range: multiples of @minimum
 */
typedef struct {
    uint64_t size;
    uint32_t minimum;
    uint32_t preferred;
    uint32_t piece;
    uint32_t range;
} KilnNbdLimits;

/* Returns: FALSE with @error set if the claims cannot be. */
gboolean kiln_nbd_limits(const KilnNbdClaims *claims, KilnNbdLimits *limits, GError **error);

#endif
