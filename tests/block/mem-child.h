/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a chain in plain memory, for fuzzing: requests are done at once. */
#ifndef TESTS_BLOCK_MEM_CHILD_H
#define TESTS_BLOCK_MEM_CHILD_H

#include "block/block.h"

enum { MEM_CHILD_MAX = 1 << 20 /* bytes: what is past it gets -ENOSPC */ };

/* @data: copied; the image's first @length bytes. */
KilnBlock *mem_child_new(const uint8_t *data, size_t length, gboolean read_only);

/* Requests that were submitted so far. */
uint64_t mem_child_count(const KilnBlock *block);

/* One request, which is done when this returns: nothing below is slow. */
int mem_child_request(KilnBlock *block, KilnBlockOp op, unsigned flags, uint64_t offset, void *data,
                      uint64_t length);

#endif
