/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layer for tests: requests fail, are held, or come late, from the Nth on. */
#ifndef KILN_BLOCK_FAULT_H
#define KILN_BLOCK_FAULT_H

#include "block/block.h"

typedef enum {
    KILN_FAULT_FAIL,  /* done with @result; not handed on */
    KILN_FAULT_HOLD,  /* waits for kiln_fault_release() */
    KILN_FAULT_DELAY, /* waits for @delay_ns after the first that waits */
} KilnFaultKind;

/**
 * KilnFault:
 * @ops: bit n: KilnBlockOp n is meant; 0: all are
 * @skip: so many of them are handed on first
 * @count: so many are met then; 0: all
 * @result: -errno of KILN_FAULT_FAIL
 */
typedef struct {
    KilnFaultKind kind;
    unsigned ops;
    unsigned skip;
    unsigned count;
    int result;
    uint64_t delay_ns;
} KilnFault;

/**
 * kiln_fault_open:
 * @child: (transfer full): also when it fails
 * @fault: (nullable): copied; NULL: none for now
 *
 * Returns: (transfer full): NULL with @error set.
 */
KilnBlock *kiln_fault_open(KilnBlock *child, const KilnFault *fault, GError **error);

/* From the next request on; NULL: none.  In the chain's thread. */
void kiln_fault_set(KilnBlock *block, const KilnFault *fault);

/* Hands on all that is held.  In the chain's thread. */
void kiln_fault_release(KilnBlock *block);

/* Requests that are held. */
unsigned kiln_fault_n_held(const KilnBlock *block);

#endif
