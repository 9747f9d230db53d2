/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See places.h. */
#include "boot/places.h"

#include <string.h>

#include "base/intmath.h"
#include "memory/layout.h"

enum {
    FIRST_FREE = 0x1000,   /* page 0 keeps the real mode vectors that nobody sets */
    LEGACY_AREA = 0x9fc00, /* where a PC's extended BIOS data area begins */
    LEGACY_AREA_END = 0x100000,
    PAGE_SIZE = 0x1000,
};

/* Some bytes: @end is the first address behind them. */
typedef struct {
    KilnGpa start;
    KilnGpa end;
} Span;

struct KilnBootPlaces {
    GArray *ram;    /* (owned): Span, by rising address, neighbours joined */
    GArray *in_use; /* (owned): Span, in any order */
};

static KilnGpa
end_of(KilnGpa gpa, uint64_t size)
{
    uint64_t end;

    return kiln_add_u64(gpa, size, &end) ? end : UINT64_MAX;
}

static void
add(GArray *spans, KilnGpa start, KilnGpa end)
{
    Span span = { start, end };

    g_array_append_val(spans, span);
}

static GArray *
ram_of(KilnMemory *memory)
{
    GArray *ram = g_array_new(FALSE, FALSE, sizeof(Span));
    guint n_regions;
    const KilnMemoryRegion *regions = kiln_memory_ram(memory, &n_regions);

    for (guint i = 0; i < n_regions; i++) {
        Span *last = ram->len > 0 ? &g_array_index(ram, Span, ram->len - 1) : NULL;

        if (last != NULL && last->end == regions[i].gpa)
            last->end += regions[i].size;
        else
            add(ram, regions[i].gpa, regions[i].gpa + regions[i].size);
    }
    return ram;
}

KilnBootPlaces *
kiln_boot_places_new(KilnMemory *memory, const KilnBootRange *reserved, guint n_reserved)
{
    KilnBootPlaces *places = g_new0(KilnBootPlaces, 1);

    places->ram = ram_of(memory);
    places->in_use = g_array_new(FALSE, FALSE, sizeof(Span));
    add(places->in_use, 0, FIRST_FREE);
    add(places->in_use, LEGACY_AREA, LEGACY_AREA_END);
    for (guint i = 0; i < n_reserved; i++)
        add(places->in_use, reserved[i].gpa, end_of(reserved[i].gpa, reserved[i].size));
    return places;
}

void
kiln_boot_places_free(KilnBootPlaces *places)
{
    if (places == NULL)
        return;
    g_array_unref(places->ram);
    g_array_unref(places->in_use);
    g_free(places);
}

/* The first span in use that shares a byte with start..end, or NULL. */
static const Span *
conflict(const KilnBootPlaces *places, KilnGpa start, KilnGpa end)
{
    for (guint i = 0; i < places->in_use->len; i++) {
        const Span *span = &g_array_index(places->in_use, Span, i);

        if (start < span->end && span->start < end)
            return span;
    }
    return NULL;
}

KilnBootTaken
kiln_boot_places_take(KilnBootPlaces *places, KilnGpa gpa, uint64_t size)
{
    uint64_t end;

    if (!kiln_add_u64(gpa, size, &end))
        return KILN_BOOT_PLACE_NOT_RAM;
    for (guint i = 0; i < places->ram->len; i++) {
        const Span *ram = &g_array_index(places->ram, Span, i);

        if (gpa < ram->start || end > ram->end)
            continue;
        if (conflict(places, gpa, end) != NULL)
            return KILN_BOOT_PLACE_IN_USE;
        add(places->in_use, gpa, end);
        return KILN_BOOT_PLACE_TAKEN;
    }
    return KILN_BOOT_PLACE_NOT_RAM;
}

/* The lowest free place in start..end; each step passes one span in use. */
static gboolean
lowest_in(const KilnBootPlaces *places, uint64_t size, uint64_t alignment, KilnGpa start,
          KilnGpa end, KilnGpa *gpa)
{
    const Span *other;

    for (start = kiln_align_up(start, alignment); kiln_range_inside(start, size, end);
         start = kiln_align_up(other->end, alignment)) {
        other = conflict(places, start, start + size);
        if (other == NULL) {
            *gpa = start;
            return TRUE;
        }
        if (other->end >= end)
            return FALSE;
    }
    return FALSE;
}

static gboolean
highest_in(const KilnBootPlaces *places, uint64_t size, uint64_t alignment, KilnGpa start,
           KilnGpa end, KilnGpa *gpa)
{
    while (end >= size && kiln_align_down(end - size, alignment) >= start) {
        KilnGpa candidate = kiln_align_down(end - size, alignment);
        const Span *other = conflict(places, candidate, candidate + size);

        if (other == NULL) {
            *gpa = candidate;
            return TRUE;
        }
        end = other->start;
    }
    return FALSE;
}

gboolean
kiln_boot_places_lowest(KilnBootPlaces *places, uint64_t size, uint64_t alignment, KilnGpa from,
                        KilnGpa to, KilnGpa *gpa)
{
    for (guint i = 0; i < places->ram->len; i++) {
        const Span *ram = &g_array_index(places->ram, Span, i);
        KilnGpa start = MAX(ram->start, from);
        KilnGpa end = MIN(ram->end, to);

        if (start < end && lowest_in(places, size, alignment, start, end, gpa)) {
            add(places->in_use, *gpa, *gpa + size);
            return TRUE;
        }
    }
    return FALSE;
}

gboolean
kiln_boot_places_highest(KilnBootPlaces *places, uint64_t size, uint64_t alignment, KilnGpa from,
                         KilnGpa to, KilnGpa *gpa)
{
    for (guint i = places->ram->len; i-- > 0;) {
        const Span *ram = &g_array_index(places->ram, Span, i);
        KilnGpa start = MAX(ram->start, from);
        KilnGpa end = MIN(ram->end, to);

        if (start < end && highest_in(places, size, alignment, start, end, gpa)) {
            add(places->in_use, *gpa, *gpa + size);
            return TRUE;
        }
    }
    return FALSE;
}

gboolean
kiln_boot_places_table(KilnBootPlaces *places, uint64_t size, KilnGpa *gpa)
{
    return kiln_boot_places_lowest(places, size, PAGE_SIZE, 0, LEGACY_AREA, gpa) ||
           kiln_boot_places_highest(places, size, PAGE_SIZE, 0, KILN_LAYOUT_4G, gpa);
}

uint64_t
kiln_boot_ram_chunk(KilnMemory *memory, KilnGpa gpa, uint64_t length, void **host)
{
    guint n_regions;
    const KilnMemoryRegion *regions = kiln_memory_ram(memory, &n_regions);

    for (guint i = 0; i < n_regions; i++) {
        uint64_t offset = gpa - regions[i].gpa;

        if (gpa >= regions[i].gpa && offset < regions[i].size) {
            uint64_t chunk = MIN(length, regions[i].size - offset);

            *host = kiln_memory_map(memory, gpa, chunk);
            return *host != NULL ? chunk : 0;
        }
    }
    return 0;
}

void
kiln_boot_ram_zero(KilnMemory *memory, KilnGpa gpa, uint64_t length)
{
    while (length > 0) {
        void *host;
        uint64_t chunk = kiln_boot_ram_chunk(memory, gpa, length, &host);

        g_assert(chunk > 0);
        memset(host, 0, chunk);
        gpa += chunk;
        length -= chunk;
    }
}
