/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an NBD server says of its export's sizes: four 64-bit numbers, little-endian. */
#include "block/nbd-limits.h"

#include "base/intmath.h"
#include "base/le.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const KilnNbdLimits *limits)
{
    if (limits->size > INT64_MAX || !kiln_is_power_of_2(limits->minimum) ||
        !kiln_is_power_of_2(limits->preferred) || limits->preferred < limits->minimum ||
        limits->minimum > KILN_NBD_MAX_MINIMUM || limits->piece == 0 || limits->range == 0 ||
        limits->piece > KILN_NBD_MAX_PIECE || limits->range > KILN_NBD_MAX_RANGE ||
        limits->piece % limits->minimum != 0 || limits->range % limits->minimum != 0)
        g_error("size %" G_GUINT64_FORMAT ", blocks %u %u, piece %u, range %u", limits->size,
                limits->minimum, limits->preferred, limits->piece, limits->range);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KilnNbdClaims claims;
    KilnNbdLimits limits;
    g_autoptr(GError) error = NULL;

    if (size != 4 * sizeof(uint64_t))
        return 0;
    claims.size = (int64_t)kiln_le64_load(data);
    claims.minimum = (int64_t)kiln_le64_load(data + 8);
    claims.preferred = (int64_t)kiln_le64_load(data + 16);
    claims.maximum = (int64_t)kiln_le64_load(data + 24);
    if (kiln_nbd_limits(&claims, &limits, &error))
        check(&limits);
    else if (error == NULL)
        g_error("refused without a word");
    return 0;
}
