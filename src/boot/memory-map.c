/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kiln_boot_memory_map() of boot.h: cut at every border -> one type a piece -> join neighbours. */
#include "boot/boot.h"

#include "base/intmath.h"
#include "memory/layout.h"

#define LEGACY_AREA     G_GUINT64_CONSTANT(0x9fc00) /* extended BIOS data area, VGA, ROMs */
#define LEGACY_AREA_END G_GUINT64_CONSTANT(0x100000)
#define KVM_PAGES_SIZE  G_GUINT64_CONSTANT(0x4000) /* identity map and TSS */

static const KilnBootRange always_reserved[] = {
    { LEGACY_AREA, LEGACY_AREA_END - LEGACY_AREA, KILN_BOOT_RESERVED },
    { KILN_LAYOUT_ECAM, KILN_LAYOUT_ECAM_SIZE, KILN_BOOT_RESERVED },
    { KILN_LAYOUT_KVM_IDENTITY, KVM_PAGES_SIZE, KILN_BOOT_RESERVED },
};

static uint64_t
end_of(const KilnBootRange *range)
{
    uint64_t end;

    return kiln_add_u64(range->gpa, range->size, &end) ? end : UINT64_MAX;
}

static int
by_address(gconstpointer a, gconstpointer b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static GArray *
all_ranges(KilnMemory *memory, const KilnBootRange *reserved, guint n_reserved)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(KilnBootRange));
    guint n_regions;
    const KilnMemoryRegion *regions = kiln_memory_ram(memory, &n_regions);

    for (guint i = 0; i < n_regions; i++) {
        KilnBootRange ram = { regions[i].gpa, regions[i].size, KILN_BOOT_RAM };

        g_array_append_val(ranges, ram);
    }
    g_array_append_vals(ranges, always_reserved, G_N_ELEMENTS(always_reserved));
    if (n_reserved > 0)
        g_array_append_vals(ranges, reserved, n_reserved);
    return ranges;
}

static GArray *
borders_of(const GArray *ranges)
{
    GArray *borders = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (guint i = 0; i < ranges->len; i++) {
        const KilnBootRange *range = &g_array_index(ranges, KilnBootRange, i);
        uint64_t pair[] = { range->gpa, end_of(range) };

        g_array_append_vals(borders, pair, G_N_ELEMENTS(pair));
    }
    g_array_sort(borders, by_address);
    return borders;
}

/* The highest type of those that cover @gpa, 0 if none does. */
static uint32_t
type_at(const GArray *ranges, KilnGpa gpa)
{
    uint32_t type = 0;

    for (guint i = 0; i < ranges->len; i++) {
        const KilnBootRange *range = &g_array_index(ranges, KilnBootRange, i);

        if (gpa >= range->gpa && gpa < end_of(range))
            type = MAX(type, range->type);
    }
    return type;
}

static void
append_piece(GArray *map, KilnGpa start, KilnGpa end, uint32_t type)
{
    KilnBootRange *last = map->len > 0 ? &g_array_index(map, KilnBootRange, map->len - 1) : NULL;
    KilnBootRange piece = { start, end - start, type };

    if (last != NULL && last->type == type && last->gpa + last->size == start)
        last->size += piece.size;
    else
        g_array_append_val(map, piece);
}

GArray *
kiln_boot_memory_map(KilnMemory *memory, const KilnBootRange *reserved, guint n_reserved)
{
    g_autoptr(GArray) ranges = all_ranges(memory, reserved, n_reserved);
    g_autoptr(GArray) borders = borders_of(ranges);
    GArray *map = g_array_new(FALSE, FALSE, sizeof(KilnBootRange));

    for (guint i = 0; i + 1 < borders->len; i++) {
        uint64_t start = g_array_index(borders, uint64_t, i);
        uint64_t end = g_array_index(borders, uint64_t, i + 1);
        uint32_t type = start < end ? type_at(ranges, start) : 0;

        if (type != 0)
            append_piece(map, start, end, type);
    }
    return map;
}
