/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The qcow2 layer's inside, which its files share: everything in the chain's thread.
 *
 * Tables (L1, L2, refcounts) are changed only by a task that holds @lock; they are read by anybody,
 * at once and without waiting in between.  Functions marked "(lock)" are called with it held, and,
 * as those marked "(task)", in a task, because they may wait.
 */
#ifndef KILN_BLOCK_QCOW2_PRIVATE_H
#define KILN_BLOCK_QCOW2_PRIVATE_H

#include "block/block.h"
#include "block/qcow2-header.h"
#include "block/qcow2-task.h"
#include "block/qcow2-unzip.h"

typedef struct Qcow2 Qcow2;

/* A piece of a table in memory, as it is in the file. */
typedef struct Qcow2Slice {
    uint64_t offset;              /* in the file, a multiple of the slice's size */
    struct Qcow2Slice *hash_next; /* (nullable) */
    struct Qcow2Slice *older;     /* in the list by use, which is a ring */
    struct Qcow2Slice *newer;
    uint8_t *data;
    gboolean loading;
    gboolean dirty;
    Qcow2Waiters waiters; /* for it to be loaded */
} Qcow2Slice;

typedef struct {
    size_t slice_size; /* bytes */
    unsigned max;      /* slices; may be passed for a while */
    unsigned n;
    unsigned n_dirty;
    unsigned n_buckets; /* a power of 2 */
    Qcow2Slice **buckets;
    Qcow2Slice ring;   /* .newer: the least recently used one */
    GPtrArray *chunks; /* (owned): of slices */
    unsigned n_spare;  /* slices of the last chunk that were not used yet */
} Qcow2Cache;

/* Entries [first, end) of a table in memory that the file does not have yet. */
typedef struct {
    uint64_t first;
    uint64_t end;
} Qcow2DirtyRange;

/* Guest clusters whose allocation is under way: nobody else allocates or drops them. */
typedef struct Qcow2Allocation {
    struct Qcow2Allocation *next;
    uint64_t first; /* guest cluster */
    uint64_t end;
    Qcow2Waiters waiters;
} Qcow2Allocation;

/* Clusters that nothing refers to any more, once the tables are written. */
typedef struct {
    uint64_t first; /* host cluster */
    uint64_t count;
    uint64_t epoch;
    uint64_t n_flushes;
} Qcow2Freed;

/* What a guest's request has as scratch, before the child's own. */
typedef struct Qcow2Part {
    KilnBlockRequest child;
    KilnBlockRequest *guest;
    Qcow2 *q;
    struct Qcow2Part *next; /* in the queue for a task */
    uint64_t epoch;
} Qcow2Part;

/* Child requests that a task waits for together. */
typedef struct {
    unsigned pending;
    int result; /* 0 or the first -errno */
    Qcow2Task *task;
} Qcow2Group;

/* A child request of a task; kept for the next one. */
typedef struct Qcow2Io {
    KilnBlockRequest request;
    Qcow2 *q;
    Qcow2Group *group;
    struct Qcow2Io *next;
    struct iovec *iov; /* (owned) */
    unsigned max_iov;
} Qcow2Io;

typedef enum {
    QCOW2_UNALLOCATED, /* the backing image's, or zeroes */
    QCOW2_ZEROES,
    QCOW2_DATA,
    QCOW2_COMPRESSED_DATA,
} Qcow2Kind;

/* Guest bytes of one kind, in a row; if QCOW2_DATA, also in the file. */
typedef struct {
    Qcow2Kind kind;
    gboolean in_place; /* QCOW2_DATA: may be written */
    uint64_t host;     /* QCOW2_DATA: bytes */
    uint64_t length;   /* bytes */
    uint64_t entry;    /* QCOW2_COMPRESSED_DATA */
} Qcow2Run;

enum {
    QCOW2_MAX_SLICE = 4096, /* bytes */
    QCOW2_MAX_TASKS = 64,   /* of guest requests; more wait */
    QCOW2_MAX_PENDING = 16, /* child requests of one task */
};

/* qcow2.c */
extern const KilnBlockOps qcow2_ops;

struct Qcow2 {
    KilnBlock block;
    KilnBlock *backing;   /* (owned) (nullable) */
    KilnBlock *data_file; /* (owned) (nullable) */
    KilnBlock *data;      /* borrowed: where data clusters are: @data_file or the child */
    char *path;           /* (owned) */

    uint64_t size; /* bytes of the disk as the header says */
    unsigned version;
    unsigned cluster_bits;
    uint64_t cluster_size;
    unsigned l2_bits;       /* entries of an L2 table, log 2 */
    unsigned l2_entry_bits; /* bytes of an entry, log 2 */
    gboolean extended;
    unsigned sub_bits; /* bytes of a subcluster, or of a cluster if there are none, log 2 */
    unsigned refcount_order;
    unsigned refblock_bits; /* refcounts of a block, log 2 */
    unsigned compression_type;
    uint64_t autoclear;
    uint64_t incompatible;
    uint32_t n_snapshots;
    uint64_t snapshots_offset;
    gboolean discard_no_unref;
    gboolean keep_space;

    uint64_t *l1; /* (owned) */
    uint32_t n_l1;
    uint64_t l1_offset;
    Qcow2DirtyRange l1_dirty;
    uint64_t *reftable;  /* (owned) (nullable): NULL until something is written */
    uint64_t n_reftable; /* entries: what its clusters hold */
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    Qcow2DirtyRange reftable_dirty;
    GHashTable *tables; /* (owned) (nullable): host clusters of L2 tables and refcount blocks */
    Qcow2Cache l2_cache;
    Qcow2Cache ref_cache;

    uint64_t file_end;   /* bytes: past it the file was never written, and is zeroes */
    uint64_t free_hint;  /* host cluster: none below is free */
    gboolean writing;    /* what is needed before the first write was done */
    gboolean opened;     /* wholly */
    gboolean corrupt;    /* found so */
    gboolean broken;     /* so, or by a fault of the host: nothing is written any more */
    uint64_t n_flushes;  /* of the tables */
    GArray *freed;       /* (owned): of Qcow2Freed */
    uint64_t epoch;      /* see qcow2-free.c */
    uint64_t n_epoch[2]; /* requests of this epoch and of the last one */
    gboolean reclaiming;
    GSource *reclaim_timer; /* (owned) (nullable) */

    Qcow2Tasks tasks;
    Qcow2Lock lock;
    Qcow2Allocation *allocations;
    unsigned n_running; /* tasks of guest requests */
    Qcow2Part *queue;   /* of requests that wait for a task */
    Qcow2Part **queue_end;
    Qcow2Io *ios; /* that can be used again */
    size_t io_scratch;

    const Qcow2Unzip *unzip; /* (nullable): not loaded yet */
    uint64_t unzipped_entry; /* what is in @unzipped; 0: nothing */
    uint8_t *unzipped;       /* (owned) (nullable): one cluster */
};

/* qcow2-io.c: the child, from tasks. */

/* (task) Starts a request of @group; waits while too many of it are under way.  @iov is of the
 * whole, of which @length bytes from @skip are taken. */
void qcow2_io_start(Qcow2 *q, Qcow2Group *group, KilnBlock *target, KilnBlockOp op, unsigned flags,
                    uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov,
                    uint64_t skip);
int qcow2_group_wait(Qcow2 *q, Qcow2Group *group); /* (task) Returns: 0 or -errno */
/* (task) One request, awaited. */
int qcow2_pread(Qcow2 *q, uint64_t offset, void *data, size_t length);
int qcow2_read_bytes(Qcow2 *q, uint64_t offset, void *data, size_t length); /* at any place */
int qcow2_pwrite(Qcow2 *q, uint64_t offset, const void *data, size_t length);
int qcow2_pwrite_zeroes(Qcow2 *q, uint64_t offset, uint64_t length);
int qcow2_child_flush(Qcow2 *q); /* the data file, too */
/* (task) Changes @length bytes of the header. */
int qcow2_header_write(Qcow2 *q, unsigned at, const void *data, size_t length);
void qcow2_ios_free(Qcow2 *q);
/* Zeroes to write from; @iov is filled with as many pieces as it takes: see qcow2_zero_iovs(). */
unsigned qcow2_zero_iovs(uint64_t length);
void qcow2_zero_iov_fill(struct iovec *iov, uint64_t length);
/* Fills @length bytes from @skip with zeroes, or copies @from there. */
void qcow2_iov_fill(const struct iovec *iov, unsigned n_iov, uint64_t skip, const uint8_t *from,
                    uint64_t length);
/* Runs @func in a task and the loop until it ends: while the image is opened, resized or closed. */
void qcow2_run_task(Qcow2 *q, Qcow2TaskFunc func, gpointer data);

/* qcow2-cache.c */
void qcow2_cache_init(Qcow2Cache *cache, size_t slice_size, unsigned max);
void qcow2_cache_clear(Qcow2Cache *cache);
/* Returns: (nullable): the slice, if it is loaded; until the caller waits. */
Qcow2Slice *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset);
/* (task) Loads it if need be. */
int qcow2_cache_get(Qcow2 *q, Qcow2Cache *cache, uint64_t offset, Qcow2Slice **slice);
void qcow2_cache_dirty(Qcow2Cache *cache, Qcow2Slice *slice);
int qcow2_cache_write(Qcow2 *q, Qcow2Cache *cache); /* (lock) writes what is dirty */
/* Forgets what it has of a range. */
void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t length);

/* qcow2-map.c */

/* Returns: 0; -EAGAIN if the L2 table must be loaded: qcow2_map_load(); -EIO: nonsense. */
int qcow2_map_peek(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *run);
int qcow2_map_load(Qcow2 *q, uint64_t offset);                            /* (task) */
int qcow2_map(Qcow2 *q, uint64_t offset, uint64_t length, Qcow2Run *run); /* (task) */
/* (task) The guest cluster's L2 entry: @entry[0], and with extended entries @entry[1]. */
int qcow2_l2_get(Qcow2 *q, uint64_t cluster, uint64_t entry[2]);
/* (lock) Writes it; the L2 table was made writable. */
int qcow2_l2_set(Qcow2 *q, uint64_t cluster, const uint64_t entry[2]);
/* (lock) Makes the L2 table of @cluster there and ours alone. */
int qcow2_l2_own(Qcow2 *q, uint64_t cluster);
/* Whether there is an L2 table for @cluster. */
gboolean qcow2_l2_exists(const Qcow2 *q, uint64_t cluster);
/* The host bytes of a compressed cluster. */
void qcow2_compressed_range(const Qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *length);
int qcow2_l1_write(Qcow2 *q); /* (lock) what is dirty of it */

/* qcow2-refcount.c */
int qcow2_begin_writing(Qcow2 *q);                                   /* (lock) */
int qcow2_reftable_load(Qcow2 *q);                                   /* (lock) */
int qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *value); /* (lock) */
/* (lock) The first one from @cluster on that is free, or where to look next. */
int qcow2_refcount_next_free(Qcow2 *q, uint64_t cluster, uint64_t *next);
int qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t value); /* (lock) */
uint64_t qcow2_refcount_max(const Qcow2 *q);
int qcow2_reftable_write(Qcow2 *q); /* (lock) */

/* qcow2-alloc.c */

/* (lock) Up to @want clusters in a row; their refcounts are 1.  @fresh (nullable): the file has
 * zeroes there. */
int qcow2_alloc(Qcow2 *q, uint64_t want, uint64_t *offset, uint64_t *got, gboolean *fresh);
/* (lock) Exactly @count clusters in a row, at the file's end. */
int qcow2_alloc_row(Qcow2 *q, uint64_t count, uint64_t *offset);
/* (lock) A refcount block for @cluster. */
int qcow2_refblock_need(Qcow2 *q, uint64_t cluster);
/* (lock) Gives back at once what the tables never referred to. */
void qcow2_alloc_undo(Qcow2 *q, uint64_t offset, uint64_t count);
/* Says that the image is not as it must be.  Returns: -EIO. */
int qcow2_found_corrupt(Qcow2 *q, const char *what);
/* Whether the file's cluster holds what only we may write: header, tables. */
gboolean qcow2_is_table(const Qcow2 *q, uint64_t host_cluster);

/* qcow2-free.c */
uint64_t qcow2_epoch_enter(Qcow2 *q);
void qcow2_epoch_leave(Qcow2 *q, uint64_t epoch);
/* (lock) The tables in memory do not refer to these host clusters any more. */
void qcow2_free_later(Qcow2 *q, uint64_t first, uint64_t count);
/* (lock) What an L2 entry referred to. */
void qcow2_free_entry(Qcow2 *q, const uint64_t entry[2]);
/* Starts to give back what can be, now or soon. */
void qcow2_reclaim_now(Qcow2 *q);
void qcow2_reclaim_soon(Qcow2 *q);
void qcow2_reclaim(Qcow2 *q); /* (task) */

/* qcow2-flush.c */
gboolean qcow2_tables_dirty(const Qcow2 *q);
int qcow2_flush_tables(Qcow2 *q); /* (lock) */

/* qcow2-read.c, qcow2-write.c, qcow2-zero.c: (task), and for the last two the image is being
 * written */
int qcow2_read(Qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov, unsigned n_iov,
               uint64_t skip);
int qcow2_write(Qcow2 *q, uint64_t offset, uint64_t length, const struct iovec *iov,
                unsigned n_iov);
int qcow2_write_zeroes(Qcow2 *q, uint64_t offset, uint64_t length, gboolean unmap);
int qcow2_discard(Qcow2 *q, uint64_t offset, uint64_t length);
/* Whether a data cluster that the image says is ours is one of its tables. */
gboolean qcow2_hits_table(const Qcow2 *q, const Qcow2Run *run);
/* The module for compressed clusters of an unusual type, which is loaded while that is easy. */
gboolean qcow2_load_unzip(Qcow2 *q, GError **error);
/* (lock) Waits, without the lock, for allocations in these guest clusters; TRUE if it had to. */
gboolean qcow2_allocations_wait(Qcow2 *q, uint64_t first, uint64_t end);

/* qcow2-snapshot.c */
typedef struct {
    uint64_t l1_offset;
    uint32_t n_l1;
    uint64_t size; /* bytes of the disk */
    char *id;      /* (owned) */
    char *name;    /* (owned) */
} Qcow2Snapshot;

void qcow2_snapshot_clear(Qcow2Snapshot *snapshot);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Qcow2Snapshot, qcow2_snapshot_clear)
/* (task) The entry of the snapshot table at @at, which is moved to the next one. */
gboolean qcow2_snapshot_next(Qcow2 *q, uint64_t *at, Qcow2Snapshot *snapshot, GError **error);
/* (task) Takes size and L1 table from the one with this id, or else this name. */
gboolean qcow2_snapshot_find(Qcow2 *q, const char *wanted, GError **error);

/* qcow2-repair.c: (task) counts all references anew, and makes the refcounts so. */
gboolean qcow2_repair(Qcow2 *q, GError **error);

/* qcow2-resize.c: KilnBlockOps.resize. */
gboolean qcow2_resize(KilnBlock *block, uint64_t length, GError **error);

#endif
