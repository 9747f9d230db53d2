/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layer that looks whether what is written is zeroes (detect_zeroes='on' or 'unmap'), and then
 * has zeroes written in the cheap way. */
#ifndef KILN_BLOCK_ZEROES_H
#define KILN_BLOCK_ZEROES_H

#include "block/block.h"

/**
 * kiln_zeroes_open:
 * @child: (transfer full)
 * @unmap: the host's space is given back
 *
 * Returns: (transfer full): the layer.
 */
KilnBlock *kiln_zeroes_open(KilnBlock *child, gboolean unmap);

/* Whether all the bytes are zero. */
gboolean kiln_is_zero(const void *data, size_t length);

#endif
