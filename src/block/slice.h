/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that is a part of what is below (<slice offset= size=>). */
#ifndef KILN_BLOCK_SLICE_H
#define KILN_BLOCK_SLICE_H

#include "block/block.h"

/**
 * kiln_slice_open:
 * @child: (transfer full): also when it fails
 * @offset, @length: bytes, multiples of 512; @length 0 is up to the end
 *
 * Returns: (transfer full): NULL with @error set: it is not inside.
 */
KilnBlock *kiln_slice_open(KilnBlock *child, uint64_t offset, uint64_t length, GError **error);

#endif
