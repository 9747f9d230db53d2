/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nbd-limits.h. */
#include "block/nbd-limits.h"

#include "base/error.h"
#include "base/intmath.h"

/* Without a word from the server (NBD's doc/proto.md, "Block size constraints"). */
enum { DEFAULT_PREFERRED = 4096, DEFAULT_MAXIMUM = 32 << 20 };

static gboolean
is_size(int64_t value, int64_t most)
{
    return value > 0 && value <= most && kiln_is_power_of_2((uint64_t)value);
}

gboolean
kiln_nbd_limits(const KilnNbdClaims *claims, KilnNbdLimits *limits, GError **error)
{
    int64_t minimum = claims->minimum != 0 ? claims->minimum : 1;
    int64_t preferred =
        claims->preferred != 0 ? claims->preferred : MAX(minimum, DEFAULT_PREFERRED);
    int64_t maximum = claims->maximum != 0 ? claims->maximum : DEFAULT_MAXIMUM;

    if (claims->size < 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the server does not say how large it is, or it is too large");
    if (!is_size(minimum, KILN_NBD_MAX_MINIMUM))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the server's minimum block of %" G_GINT64_FORMAT
                              " bytes is no power of 2 up to %d",
                              minimum, KILN_NBD_MAX_MINIMUM);
    if (!is_size(preferred, KILN_NBD_MAX_PREFERRED) || preferred < minimum)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the server's preferred block of %" G_GINT64_FORMAT
                              " bytes is no power of 2 from %" G_GINT64_FORMAT " to %d",
                              preferred, minimum, KILN_NBD_MAX_PREFERRED);
    if (maximum < minimum)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "the server's largest request of %" G_GINT64_FORMAT
                              " bytes is less than a block",
                              maximum);
    *limits = (KilnNbdLimits){
        .size = (uint64_t)claims->size,
        .minimum = (uint32_t)minimum,
        .preferred = (uint32_t)preferred,
        .piece = (uint32_t)kiln_align_down(MIN(maximum, KILN_NBD_MAX_PIECE), minimum),
        .range = (uint32_t)kiln_align_down(MIN(maximum, KILN_NBD_MAX_RANGE), minimum),
    };
    return TRUE;
}
