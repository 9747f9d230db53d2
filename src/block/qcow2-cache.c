/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces of L2 tables and refcount blocks in memory: a hash table by their place in the file, and a
 * ring by use.  Memory is taken as pieces come, up to the limit; then the oldest one that is clean
 * gives way.
 */
#include "block/qcow2-private.h"

#include <sys/mman.h>

enum { CHUNK = 64 /* slices that get their memory together */ };

typedef struct {
    uint8_t *data; /* (owned): mapped */
    size_t length;
    Qcow2Slice slices[CHUNK];
} Chunk;

static void
chunk_free(gpointer data)
{
    Chunk *chunk = data;

    munmap(chunk->data, chunk->length);
    g_free(chunk);
}

void
qcow2_cache_init(Qcow2Cache *cache, size_t slice_size, unsigned max)
{
    unsigned buckets = 64;

    while (buckets < max)
        buckets *= 2;
    *cache = (Qcow2Cache){ .slice_size = slice_size, .max = max, .n_buckets = buckets };
    cache->buckets = g_new0(Qcow2Slice *, buckets);
    cache->ring.newer = cache->ring.older = &cache->ring;
    cache->chunks = g_ptr_array_new_with_free_func(chunk_free);
}

void
qcow2_cache_clear(Qcow2Cache *cache)
{
    g_clear_pointer(&cache->buckets, g_free);
    g_clear_pointer(&cache->chunks, g_ptr_array_unref);
}

static Qcow2Slice **
bucket_of(Qcow2Cache *cache, uint64_t offset)
{
    uint64_t hash = (offset / cache->slice_size) * 0x9e3779b97f4a7c15ull;

    return &cache->buckets[(hash >> 32) & (cache->n_buckets - 1)];
}

static Qcow2Slice *
find(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Slice *slice = *bucket_of(cache, offset);

    while (slice != NULL && slice->offset != offset)
        slice = slice->hash_next;
    return slice;
}

static void
ring_out(Qcow2Slice *slice)
{
    slice->older->newer = slice->newer;
    slice->newer->older = slice->older;
}

/* As the one that was used last. */
static void
ring_in(Qcow2Cache *cache, Qcow2Slice *slice)
{
    slice->newer = &cache->ring;
    slice->older = cache->ring.older;
    slice->older->newer = slice;
    cache->ring.older = slice;
}

static void
hash_out(Qcow2Cache *cache, Qcow2Slice *slice)
{
    Qcow2Slice **at = bucket_of(cache, slice->offset);

    while (*at != slice)
        at = &(*at)->hash_next;
    *at = slice->hash_next;
}

/* Files are at most 2^63 bytes long, so this is nobody's place. */
static const uint64_t NOWHERE = UINT64_MAX;

/* Out of the table, and the first one to be used again. */
static void
forget(Qcow2Cache *cache, Qcow2Slice *slice)
{
    hash_out(cache, slice);
    if (slice->dirty)
        cache->n_dirty--;
    slice->dirty = FALSE;
    slice->offset = NOWHERE;
    ring_out(slice);
    slice->older = &cache->ring;
    slice->newer = cache->ring.newer;
    slice->newer->older = slice;
    cache->ring.newer = slice;
}

static Qcow2Slice *
new_slice(Qcow2Cache *cache)
{
    Chunk *chunk;
    Qcow2Slice *slice;

    if (cache->n_spare == 0) {
        chunk = g_new0(Chunk, 1);
        chunk->length = CHUNK * cache->slice_size;
        chunk->data =
            mmap(NULL, chunk->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk->data == MAP_FAILED)
            g_error("no memory for a table of a disk image");
        g_ptr_array_add(cache->chunks, chunk);
        cache->n_spare = CHUNK;
    }
    chunk = g_ptr_array_index(cache->chunks, cache->chunks->len - 1);
    slice = &chunk->slices[CHUNK - cache->n_spare];
    slice->data = chunk->data + (CHUNK - cache->n_spare) * cache->slice_size;
    slice->offset = NOWHERE;
    cache->n_spare--;
    cache->n++;
    return slice;
}

/* One to be filled, in no list. */
static Qcow2Slice *
take(Qcow2Cache *cache)
{
    Qcow2Slice *oldest = cache->ring.newer;

    if (cache->n < cache->max && (oldest == &cache->ring || oldest->offset != NOWHERE))
        return new_slice(cache);
    while (oldest != &cache->ring && (oldest->dirty || oldest->loading))
        oldest = oldest->newer;
    if (oldest == &cache->ring)
        return new_slice(cache);
    ring_out(oldest);
    if (oldest->offset != NOWHERE)
        hash_out(cache, oldest);
    return oldest;
}

static void
put(Qcow2Cache *cache, Qcow2Slice *slice, uint64_t offset)
{
    Qcow2Slice **bucket = bucket_of(cache, offset);

    slice->offset = offset;
    slice->hash_next = *bucket;
    *bucket = slice;
    ring_in(cache, slice);
}

Qcow2Slice *
qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Slice *slice = find(cache, offset);

    if (slice == NULL || slice->loading)
        return NULL;
    if (slice->newer != &cache->ring) {
        ring_out(slice);
        ring_in(cache, slice);
    }
    return slice;
}

int
qcow2_cache_get(Qcow2 *q, Qcow2Cache *cache, uint64_t offset, Qcow2Slice **slice)
{
    Qcow2Slice *found;
    int result;

    while ((found = find(cache, offset)) != NULL && found->loading)
        qcow2_wait(&q->tasks, &found->waiters);
    if (found != NULL) {
        *slice = qcow2_cache_peek(cache, offset);
        return 0;
    }
    found = take(cache);
    put(cache, found, offset);
    found->loading = TRUE;
    result = qcow2_pread(q, offset, found->data, cache->slice_size);
    found->loading = FALSE;
    if (result < 0)
        forget(cache, found);
    qcow2_wake_all(&q->tasks, &found->waiters);
    *slice = found;
    return result;
}

void
qcow2_cache_dirty(Qcow2Cache *cache, Qcow2Slice *slice)
{
    if (!slice->dirty)
        cache->n_dirty++;
    slice->dirty = TRUE;
}

int
qcow2_cache_write(Qcow2 *q, Qcow2Cache *cache)
{
    Qcow2Group group = { 0 };

    if (cache->n_dirty == 0)
        return 0;
    /* Who holds the lock is the only one who makes slices dirty, and dirty ones stay. */
    for (guint i = 0; i < cache->chunks->len; i++) {
        Chunk *chunk = g_ptr_array_index(cache->chunks, i);

        for (unsigned j = 0; j < CHUNK; j++) {
            Qcow2Slice *slice = &chunk->slices[j];
            struct iovec iov = { .iov_base = slice->data, .iov_len = cache->slice_size };

            if (slice->dirty)
                qcow2_io_start(q, &group, q->block.child, KILN_BLOCK_WRITE, 0, slice->offset,
                               cache->slice_size, &iov, 1, 0);
        }
    }
    if (qcow2_group_wait(q, &group) < 0)
        return group.result;
    for (guint i = 0; i < cache->chunks->len; i++) {
        Chunk *chunk = g_ptr_array_index(cache->chunks, i);

        for (unsigned j = 0; j < CHUNK; j++)
            chunk->slices[j].dirty = FALSE;
    }
    cache->n_dirty = 0;
    return 0;
}

void
qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t length)
{
    for (uint64_t at = 0; at < length; at += cache->slice_size) {
        Qcow2Slice *slice = find(cache, offset + at);

        if (slice != NULL && !slice->loading)
            forget(cache, slice);
    }
}
