/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of a chain for tests: a descriptor, by pread and pwrite.  Requests are done at once, or
 * later and in any order; what is written can be recorded; and any request can fail.
 */
#ifndef TESTS_BLOCK_FD_CHILD_H
#define TESTS_BLOCK_FD_CHILD_H

#include "block/block.h"

typedef struct {
    KilnBlockOp op; /* WRITE, DISCARD, FLUSH */
    uint64_t offset;
    uint64_t length;
    uint8_t *data; /* (owned) (nullable) */
} FdLogEntry;

typedef struct {
    KilnBlock block;
    int fd;          /* (owned) */
    GRand *shuffle;  /* (owned) (nullable): later, in any order */
    GQueue pending;  /* of KilnBlockRequest */
    GSource *source; /* (owned) (nullable) */
    GArray *log;     /* (owned) (nullable): of FdLogEntry */
    int64_t fail_in; /* requests until all fail; -1: never */
    int fail_with;   /* -errno */
    gboolean fail_once;
    uint64_t n_submitted;
} FdChild;

/**
 * fd_child_new:
 * @fd: (transfer full)
 * @seed: 0: requests are done at once
 */
FdChild *fd_child_new(int fd, gboolean read_only, guint32 seed);

/* From now on, what is written goes to @child's log. */
void fd_child_record(FdChild *child);

/* A file without a name. */
int fd_child_memory(void);

/* Awaits one request on a chain. */
int fd_child_await(KilnBlock *block, KilnBlockOp op, unsigned flags, uint64_t offset, void *data,
                   uint64_t length);

#endif
