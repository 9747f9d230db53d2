/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See space.h.  A change: list of regions (under the lock) -> new snapshot -> swap -> the old one
 * is retired -> retired ones that no reader holds are freed (reclaim.h).
 */
#include "bus/space.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "bus/reclaim.h"

G_STATIC_ASSERT((int)KILN_SPACE_DEPTH == (int)KILN_HAZARD_DEPTH);

/* A region as readers see it: copied, since a region that moves changes under them. */
typedef struct {
    uint64_t base;
    uint64_t last; /* inclusive */
    const KilnRegionOps *ops;
    void *opaque;
    KilnMutex *lock; /* (nullable) */
} Entry;

typedef struct Snapshot {
    struct Snapshot *next; /* (space's lock): of those that are retired */
    uint64_t number;       /* grows with each snapshot of the space */
    guint n_entries;
    Entry entries[]; /* by address, disjoint */
} Snapshot;

struct KilnSpace {
    char *name;
    uint64_t last;           /* highest address */
    _Atomic(void *) current; /* Snapshot that readers take; never NULL */
    atomic_uint n_waiting;   /* threads in kiln_space_synchronize() */
    KilnMutex lock;          /* taken after device locks; all below is under it */
    KilnCond reader_left;    /* signalled by readers while n_waiting is not 0 */
    GPtrArray *regions;      /* (element-type KilnRegion): the fixed ones, then by placement */
    guint n_fixed;           /* how many of them are fixed */
    Snapshot *retired;       /* (nullable): replaced, perhaps still held */
    uint64_t next_number;
};

/* Index of the first entry that ends at or after @address. */
static guint
find_entry(const Snapshot *snapshot, uint64_t address)
{
    guint low = 0, high = snapshot->n_entries;

    while (low < high) {
        guint middle = (low + high) / 2;

        if (snapshot->entries[middle].last < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t
region_last(const KilnRegion *region, uint64_t base)
{
    return base + (region->length - 1);
}

static gboolean
fits(const KilnSpace *space, const KilnRegion *region, uint64_t base)
{
    return base != KILN_SPACE_UNMAPPED && base <= space->last && region->length != 0 &&
           region->length - 1 <= space->last - base;
}

/* Frees the retired snapshots that nobody holds.  Lock held. */
static void
reclaim(KilnSpace *space)
{
    Snapshot **link = &space->retired;

    while (*link != NULL) {
        Snapshot *snapshot = *link;

        if (kiln_hazard_is_held(snapshot)) {
            link = &snapshot->next;
        } else {
            *link = snapshot->next;
            g_free(snapshot);
        }
    }
}

/* Puts @region into @snapshot unless something is there; returns whether it did. */
static gboolean
insert_entry(Snapshot *snapshot, const KilnSpace *space, const KilnRegion *region)
{
    if (!fits(space, region, region->base))
        return FALSE;

    uint64_t last = region_last(region, region->base);
    guint at = find_entry(snapshot, region->base);

    if (at < snapshot->n_entries && snapshot->entries[at].base <= last)
        return FALSE;
    memmove(&snapshot->entries[at + 1], &snapshot->entries[at],
            (snapshot->n_entries - at) * sizeof snapshot->entries[0]);
    snapshot->entries[at] = (Entry){ .base = region->base,
                                     .last = last,
                                     .ops = region->ops,
                                     .opaque = region->opaque,
                                     .lock = region->lock };
    snapshot->n_entries++;
    return TRUE;
}

/* Makes the list of regions what readers see.  Lock held. */
static void
publish(KilnSpace *space)
{
    guint n = space->regions->len;
    Snapshot *snapshot = g_malloc(sizeof *snapshot + (n + 1) * sizeof snapshot->entries[0]);
    g_autofree uint64_t *decoded = g_new(uint64_t, n + 1);

    snapshot->n_entries = 0;
    snapshot->number = space->next_number++;
    for (guint i = 0; i < n; i++) {
        KilnRegion *region = g_ptr_array_index(space->regions, i);

        decoded[i] = insert_entry(snapshot, space, region) ? region->base : KILN_SPACE_UNMAPPED;
    }

    Snapshot *old = atomic_exchange(&space->current, snapshot);

    old->next = space->retired;
    space->retired = old;
    reclaim(space);

    /* First who lost its place, then who got one: it may be the same place. */
    for (guint i = 0; i < n; i++) {
        KilnRegion *region = g_ptr_array_index(space->regions, i);

        if (region->decoded != KILN_SPACE_UNMAPPED && region->decoded != decoded[i]) {
            region->decoded = KILN_SPACE_UNMAPPED;
            if (region->ops->mapped != NULL)
                region->ops->mapped(region->opaque, KILN_SPACE_UNMAPPED);
        }
    }
    for (guint i = 0; i < n; i++) {
        KilnRegion *region = g_ptr_array_index(space->regions, i);

        if (region->decoded != decoded[i]) {
            region->decoded = decoded[i];
            if (region->ops->mapped != NULL)
                region->ops->mapped(region->opaque, decoded[i]);
        }
    }
}

/* Lock held. */
static gboolean
check_fixed(KilnSpace *space, const KilnRegion *region, uint64_t base, GError **error)
{
    if (!fits(space, region, base))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%s space: '%s' at 0x%" PRIx64 " with 0x%" PRIx64
                              " bytes does not fit",
                              space->name, region->name, base, region->length);
    for (guint i = 0; i < space->n_fixed; i++) {
        const KilnRegion *other = g_ptr_array_index(space->regions, i);

        if (other == region || base > region_last(other, other->base) ||
            other->base > region_last(region, base))
            continue;
        return kiln_error_set(error, KILN_ERROR_EXISTS,
                              "%s space: '%s' at 0x%" PRIx64 "-0x%" PRIx64
                              " overlaps '%s' at 0x%" PRIx64 "-0x%" PRIx64,
                              space->name, region->name, base, region_last(region, base),
                              other->name, other->base, region_last(other, other->base));
    }
    return TRUE;
}

void
kiln_region_init(KilnRegion *region, KilnDevice *device, const KilnRegionOps *ops, uint64_t length)
{
    *region = (KilnRegion){ .name = device->id,
                            .ops = ops,
                            .opaque = device,
                            .lock = &device->lock,
                            .length = length,
                            .decoded = KILN_SPACE_UNMAPPED };
}

KilnSpace *
kiln_space_new(const char *name, uint64_t size)
{
    KilnSpace *space = g_new0(KilnSpace, 1);

    space->name = g_strdup(name);
    space->last = size - 1;
    atomic_init(&space->current, g_new0(Snapshot, 1));
    atomic_init(&space->n_waiting, 0);
    kiln_mutex_init(&space->lock);
    kiln_cond_init(&space->reader_left);
    space->regions = g_ptr_array_new();
    space->next_number = 1;
    return space;
}

void
kiln_space_free(KilnSpace *space)
{
    if (space == NULL)
        return;
    for (guint i = 0; i < space->regions->len; i++) {
        KilnRegion *region = g_ptr_array_index(space->regions, i);

        region->space = NULL;
        region->decoded = KILN_SPACE_UNMAPPED;
    }
    g_ptr_array_unref(space->regions);
    while (space->retired != NULL) {
        Snapshot *next = space->retired->next;

        g_free(space->retired);
        space->retired = next;
    }
    g_free(atomic_load(&space->current));
    kiln_cond_clear(&space->reader_left);
    kiln_mutex_clear(&space->lock);
    g_free(space->name);
    g_free(space);
}

gboolean
kiln_space_add(KilnSpace *space, KilnRegion *region, uint64_t base, GError **error)
{
    KILN_LOCK_SCOPE(&space->lock);

    g_return_val_if_fail(region->space == NULL, FALSE);
    if (!check_fixed(space, region, base, error))
        return FALSE;
    region->base = base;
    region->decoded = KILN_SPACE_UNMAPPED;
    region->space = space;
    region->movable = FALSE;
    g_ptr_array_insert(space->regions, (int)space->n_fixed++, region);
    publish(space);
    return TRUE;
}

gboolean
kiln_space_place(KilnSpace *space, KilnRegion *region, uint64_t base)
{
    KILN_LOCK_SCOPE(&space->lock);

    g_return_val_if_fail(region->space == NULL || (region->space == space && region->movable),
                         FALSE);
    if (region->space != NULL) {
        if (region->base == base)
            return region->decoded != KILN_SPACE_UNMAPPED;
        g_ptr_array_remove(space->regions, region);
    } else {
        region->decoded = KILN_SPACE_UNMAPPED;
    }
    region->base = base;
    region->space = space;
    region->movable = TRUE;
    g_ptr_array_add(space->regions, region);
    publish(space);
    return region->decoded != KILN_SPACE_UNMAPPED;
}

gboolean
kiln_space_move(KilnSpace *space, KilnRegion *region, uint64_t base, GError **error)
{
    KILN_LOCK_SCOPE(&space->lock);

    g_return_val_if_fail(region->space == space, FALSE);
    if (!check_fixed(space, region, base, error))
        return FALSE;
    region->base = base;
    publish(space);
    return TRUE;
}

void
kiln_space_remove(KilnSpace *space, KilnRegion *region)
{
    KILN_LOCK_SCOPE(&space->lock);

    if (region->space != space)
        return;
    g_ptr_array_remove(space->regions, region);
    if (!region->movable)
        space->n_fixed--;
    if (region->decoded != KILN_SPACE_UNMAPPED) {
        region->decoded = KILN_SPACE_UNMAPPED;
        if (region->ops->mapped != NULL)
            region->ops->mapped(region->opaque, KILN_SPACE_UNMAPPED);
    }
    region->space = NULL;
    publish(space);
}

/* Whether a snapshot older than @number is still there.  Lock held. */
static gboolean
is_older_held(KilnSpace *space, uint64_t number)
{
    reclaim(space);
    for (const Snapshot *snapshot = space->retired; snapshot != NULL; snapshot = snapshot->next)
        if (snapshot->number < number)
            return TRUE;
    return FALSE;
}

void
kiln_space_synchronize(KilnSpace *space)
{
    g_return_if_fail(!kiln_hazard_inside()); /* it would wait for itself */

    KILN_LOCK_SCOPE(&space->lock);
    uint64_t number = space->next_number;

    /* Accesses under way hold this or an older snapshot; new ones take the copy made here. */
    publish(space);
    atomic_fetch_add(&space->n_waiting, 1);
    while (is_older_held(space, number))
        kiln_cond_wait(&space->reader_left, &space->lock);
    atomic_fetch_sub(&space->n_waiting, 1);
}

/* Ends an access: whoever waits for it is told. */
static void
leave(KilnSpace *space)
{
    kiln_hazard_leave();
    if (atomic_load(&space->n_waiting) == 0)
        return;
    KILN_LOCK_SCOPE(&space->lock);
    kiln_cond_broadcast(&space->reader_left);
}

/* The widest naturally aligned piece of @left bytes at @offset that is not over @max. */
static unsigned
piece_size(uint64_t offset, unsigned left, unsigned max)
{
    unsigned size = max;

    while (size > left || (offset & (size - 1)) != 0)
        size /= 2;
    return size;
}

static uint64_t
read_piece(const Entry *entry, uint64_t offset, unsigned size)
{
    const KilnRegionOps *ops = entry->ops;
    unsigned min = ops->min_access;

    if (ops->read == NULL)
        return UINT64_MAX;
    if (size >= min)
        return ops->read(entry->opaque, offset, size);

    uint64_t aligned = offset & ~(uint64_t)(min - 1);

    if (aligned + (min - 1) > entry->last - entry->base)
        return UINT64_MAX;
    return ops->read(entry->opaque, aligned, min) >> (8 * (offset - aligned));
}

/* @length bytes at @offset, all inside @entry. */
static void
read_entry(const Entry *entry, uint64_t offset, uint8_t *data, unsigned length)
{
    unsigned max = entry->ops->max_access != 0 ? entry->ops->max_access : 4;

    if (entry->lock != NULL)
        kiln_mutex_lock(entry->lock);
    while (length > 0) {
        unsigned size = piece_size(offset, length, max);
        uint64_t value = read_piece(entry, offset, size);

        for (unsigned i = 0; i < size; i++)
            data[i] = (uint8_t)(value >> (8 * i));
        data += size;
        offset += size;
        length -= size;
    }
    if (entry->lock != NULL)
        kiln_mutex_unlock(entry->lock);
}

static void
write_entry(const Entry *entry, uint64_t offset, const uint8_t *data, unsigned length)
{
    const KilnRegionOps *ops = entry->ops;
    unsigned max = ops->max_access != 0 ? ops->max_access : 4;

    if (ops->write == NULL)
        return;
    if (entry->lock != NULL)
        kiln_mutex_lock(entry->lock);
    while (length > 0) {
        unsigned size = piece_size(offset, length, max);
        uint64_t value = 0;

        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)data[i] << (8 * i);
        if (size >= ops->min_access)
            ops->write(entry->opaque, offset, value, size);
        data += size;
        offset += size;
        length -= size;
    }
    if (entry->lock != NULL)
        kiln_mutex_unlock(entry->lock);
}

static gboolean
is_access_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

/* Cuts the access at the borders of regions; exactly one of @in and @out is given. */
static gboolean
access_space(KilnSpace *space, uint64_t address, uint8_t *in, const uint8_t *out, unsigned size)
{
    const Snapshot *snapshot = kiln_hazard_enter(&space->current);

    if (snapshot == NULL)
        return FALSE; /* a device that reaches into its own space, again and again */

    gboolean claimed = FALSE;
    unsigned done = 0;

    while (done < size) {
        uint64_t at = address + done;
        guint i = find_entry(snapshot, at);
        unsigned length = size - done;

        if (at < address || i == snapshot->n_entries)
            break;

        const Entry *entry = &snapshot->entries[i];

        if (entry->base > at) {
            length = (unsigned)MIN(entry->base - at, length);
        } else {
            length = (unsigned)MIN(entry->last - at, length - 1) + 1;
            if (in != NULL)
                read_entry(entry, at - entry->base, in + done, length);
            else
                write_entry(entry, at - entry->base, out + done, length);
            claimed = TRUE;
        }
        done += length;
    }
    leave(space);
    return claimed;
}

gboolean
kiln_space_read(KilnSpace *space, uint64_t address, void *data, unsigned size)
{
    if (!is_access_size(size)) {
        memset(data, 0xff, size);
        return FALSE;
    }
    memset(data, 0xff, size);
    return access_space(space, address, data, NULL, size);
}

gboolean
kiln_space_write(KilnSpace *space, uint64_t address, const void *data, unsigned size)
{
    if (!is_access_size(size))
        return FALSE;
    return access_space(space, address, NULL, data, size);
}
