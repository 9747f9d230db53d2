/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests for a chain of block layers, and a disk that is held against a model of it. */
#ifndef KILN_TEST_BLOCK_RUN_H
#define KILN_TEST_BLOCK_RUN_H

#include "block/block.h"

enum {
    KIB = 1 << 10,
    MIB = 1 << 20,
    IO_MAX_IOV = 64,
    RUN_SLOTS = 12,
    RUN_SLOT_BYTES = 192 * KIB,
    RUN_LARGE_BYTES = 3 * MIB,
    RUN_DISK_BYTES = RUN_SLOTS * RUN_SLOT_BYTES + RUN_LARGE_BYTES,
};

/* One request, with memory of its own. */
typedef struct {
    KilnBlockRequest request;
    struct iovec iov[IO_MAX_IOV];
    uint8_t *bytes; /* (owned): request.length of them */
    gboolean done;
    unsigned n_done;
    int result;
} Io;

/* Ready to be submitted, in one buffer of zeroes. */
void io_begin(Io *io, KilnBlock *block, KilnBlockOp op, uint64_t offset, uint64_t length);

/* Makes several buffers of the one, at odd places too. */
void io_split(Io *io, GRand *rand);

/* Straight to the layer, which has no child. */
void io_submit(KilnBlock *block, Io *io);

/* Runs the default context until it is done.  Returns: its result. */
int io_wait(Io *io);

/* It was done, once. */
void io_clear(Io *io);

/* Does one request.  @data: (nullable): read into, or written from. */
int io_do(KilnBlock *block, KilnBlockOp op, uint64_t offset, void *data, uint64_t length);

/**
 * run_check:
 * @block: at least RUN_DISK_BYTES long, all zeroes
 * @grain: bytes that requests are multiples of
 *
 * Random reads, writes and zeroes, many at a time, and some large ones: the disk holds what was
 * written.
 */
void run_check(KilnBlock *block, uint32_t grain, unsigned seed);

/* Frees a layer that has no child. */
void run_free(KilnBlock *block);

#endif
