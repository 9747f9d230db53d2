/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk in memory for tests of what stands on a chain: it answers at once, from the loop, or when
 * the test says so, fails as it is told, and remembers what it was asked for.
 */
#ifndef KILN_TEST_MEMORY_BLOCK_H
#define KILN_TEST_MEMORY_BLOCK_H

#include "block/block.h"

/**
 * MemoryBlockMode:
 * @MEMORY_BLOCK_SYNC: done before submit returns
 * @MEMORY_BLOCK_LOOP: done by a source of the context, all that is there as one, last in first out
 * @MEMORY_BLOCK_HELD: done by memory_block_complete()
 */
typedef enum {
    MEMORY_BLOCK_SYNC,
    MEMORY_BLOCK_LOOP,
    MEMORY_BLOCK_HELD,
} MemoryBlockMode;

/* (written by the chain's thread) */
typedef struct {
    unsigned reads, writes, flushes, discards, zeroes;
    unsigned fua;       /* writes and zeroes with that flag */
    unsigned may_unmap; /* zeroes with that flag */
} MemoryBlockSeen;

typedef struct {
    KilnBlock block;
    uint8_t *bytes; /* (owned): block.length of them */
    MemoryBlockMode mode;
    MemoryBlockSeen seen;
    unsigned n_to_fail;         /* of the next requests … */
    unsigned to_fail;           /* … whose ops' bits are set here … */
    int error;                  /* … which fail with this errno */
    KilnBlockRequest **pending; /* (owned): of @n_pending */
    unsigned n_pending;
    GSource *source; /* (owned) (nullable): in mode LOOP, while something is pending */
} MemoryBlock;

enum { MEMORY_BLOCK_ANY_OP = ~0u >> 1, MEMORY_BLOCK_MAX_PENDING = 4096 };

/* Zeroes; a block of 512 bytes, discard granularity of 4096.  Change members before use. */
MemoryBlock *memory_block_new(uint64_t length, GMainContext *context);

/* The next @n requests whose op's bit is in @ops (1 << KILN_BLOCK_READ …) fail with @error. */
void memory_block_fail(MemoryBlock *memory, unsigned n, unsigned ops, int error);

/* In mode HELD: the request at @index of the pending ones is done. */
void memory_block_complete(MemoryBlock *memory, unsigned index);

#endif
