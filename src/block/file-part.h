/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file layer's own view of itself and of a request.  Shared by the two halves of the layer:
 * file.c, where a request is one operation of the ring, and file-slow.c, where it is several.
 */
#ifndef KILN_BLOCK_FILE_PART_H
#define KILN_BLOCK_FILE_PART_H

#include "base/fd.h"
#include "block/block.h"
#include "block/file-probe.h"
#include "loop/uring.h"

enum {
    KILN_FILE_PART_IOVS = 8,            /* of a piece of a request */
    KILN_FILE_BOUNCE_SIZE = 128 * 1024, /* bytes of a bounce buffer */
    KILN_FILE_BOUNCE_BUFFERS = 8,       /* of a layer */
};

typedef struct KilnFilePart KilnFilePart;

/* Requests that wait, first come first served. */
typedef struct {
    KilnFilePart *first; /* (nullable) */
    KilnFilePart **last;
} KilnFileQueue;

typedef struct {
    KilnBlock base;
    KilnFd fd;        /* (owned) */
    char *path;       /* (owned) */
    KilnUring *uring; /* borrowed */
    KilnFileProbe probe;
    uint64_t end;       /* bytes of the file, as far as is known */
    gboolean locked;    /* by us */
    gboolean no_flush;  /* flushes do nothing */
    gboolean discard;   /* space is given back */
    gboolean direct;    /* O_DIRECT */
    gboolean can_punch; /* FALLOC_FL_PUNCH_HOLE has not failed yet */
    gboolean can_zero;  /* FALLOC_FL_ZERO_RANGE has not failed yet */
    int flush_error;    /* of a flush that failed: what the host's cache held is lost, for good */

    /* A write of part of a block reads the block first: alone, with no other write under way. */
    unsigned changing;  /* requests under way that change the file */
    gboolean alone;     /* one of them is such a write */
    KilnFileQueue gate; /* those that wait for that */

    char *bounce;         /* (owned) (nullable): KILN_FILE_BOUNCE_BUFFERS; touched when needed */
    unsigned free_bounce; /* bit n: buffer n is free */
    KilnFileQueue bounce_queue;
    void *zeroes; /* (owned): KILN_FILE_BOUNCE_SIZE that are only read */
} KilnFile;

/* Of a request, in its scratch. */
struct KilnFilePart {
    KilnUringOp op; /* first */
    KilnFile *file;
    KilnBlockRequest *request;
    KilnFilePart *next; /* in a queue */
    uint64_t position;  /* bytes of the request that are done */
    uint64_t piece;     /* bytes of the file that the operation under way is about */
    char *bounce;       /* (nullable) */
    gboolean in_gate;   /* counted in @changing */
    struct iovec iov[KILN_FILE_PART_IOVS];
};

/* The request's end; @part is no more. */
void kiln_file_part_done(KilnFilePart *part, int result);

/* Goes on at part->position with what is left of a read or write that was cut short. */
void kiln_file_part_rest(KilnFilePart *part);

/* A read or write whose bytes or buffers direct I/O does not take as they are. */
void kiln_file_part_bounce(KilnFilePart *part);

/* KILN_BLOCK_WRITE_ZEROES. */
void kiln_file_part_zeroes(KilnFilePart *part);

/* Whether direct I/O takes the part of the request's bytes that is at hand. */
gboolean kiln_file_part_is_aligned(const KilnFile *file, const KilnBlockRequest *request);

/* Sets all of the request's buffers from byte @position on to zero. */
void kiln_file_clear_from(const KilnBlockRequest *request, uint64_t position);

#endif
