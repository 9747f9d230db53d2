/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/memory.h"

#include <string.h>

#include "base/error.h"
#include "base/intmath.h"
#include "memory/backing.h"
#include "memory/layout.h"

#define PAGE_SIZE    G_GUINT64_CONSTANT(4096)
#define SIZE_MAX_RAM (G_GUINT64_CONSTANT(1) << 52) /* no x86 address is wider */

/* What a region list is: made whole, never changed. */
typedef struct {
    guint n;
    KilnMemoryRegion items[];
} RegionList;

struct KilnMemory {
    KilnMemoryOptions options; /* without its cells */
    uint64_t size;             /* bytes */
    KilnBacking *backings;     /* (owned) one a cell */
    guint n_backings;
    RegionList *regions; /* (owned) */
};

static gboolean
check_cell(guint index, uint64_t size, uint64_t hugepage_size, GError **error)
{
    uint64_t page = MAX(hugepage_size, PAGE_SIZE);

    if (!kiln_is_power_of_2(page))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "guest memory: cell %u: no pages are '%" G_GUINT64_FORMAT "' bytes",
                              index, page);
    if (size == 0 || size % page != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "guest memory: cell %u: '%" G_GUINT64_FORMAT
                              "' bytes are no multiple of its pages of %" G_GUINT64_FORMAT " KiB",
                              index, size, page / 1024);
    return TRUE;
}

static uint64_t
cell_hugepage(const KilnMemoryOptions *options, const KilnMemoryCell *cell)
{
    return cell->hugepage_size != 0 ? cell->hugepage_size : options->hugepage_size;
}

static gboolean
sum_cells(const KilnMemoryOptions *options, const KilnMemoryCell *cells, guint n_cells,
          uint64_t *ret_size, GError **error)
{
    uint64_t size = 0;

    for (guint i = 0; i < n_cells; i++) {
        if (!check_cell(i, cells[i].size, cell_hugepage(options, &cells[i]), error))
            return FALSE;
        if (!kiln_add_u64(size, cells[i].size, &size) || size > SIZE_MAX_RAM)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "guest memory: the cells are larger than any x86 address");
    }
    *ret_size = size;
    return TRUE;
}

static void
add_region(RegionList *list, KilnGpa gpa, uint64_t size, const KilnBacking *backing,
           uint64_t offset, guint cell)
{
    list->items[list->n++] = (KilnMemoryRegion){
        .gpa = gpa,
        .size = size,
        .host = (char *)backing->host + offset,
        .fd = backing->fd,
        .fd_offset = offset,
        .cell = cell,
    };
}

/* RAM offset @start is where the cell begins; a cell across the end of low RAM has two regions. */
static gboolean
add_cell(KilnMemory *memory, guint index, uint64_t start, const KilnMemoryCell *cell,
         GError **error)
{
    uint64_t low_end = kiln_layout_low_ram(memory->size);
    uint64_t low = start < low_end ? MIN(cell->size, low_end - start) : 0;
    KilnGpa gpa = start < low_end ? start : KILN_LAYOUT_4G + (start - low_end);
    KilnBacking *backing = &memory->backings[memory->n_backings++];

    if (!kiln_backing_init(backing, cell->size, gpa, cell_hugepage(&memory->options, cell),
                           &memory->options, error))
        return FALSE;
    if (low > 0)
        add_region(memory->regions, gpa, low, backing, 0, index);
    if (low < cell->size)
        add_region(memory->regions, low > 0 ? KILN_LAYOUT_4G : gpa, cell->size - low, backing, low,
                   index);
    return TRUE;
}

KilnMemory *
kiln_memory_new(const KilnMemoryOptions *options, GError **error)
{
    KilnMemoryCell whole = { .size = options->size };
    const KilnMemoryCell *cells = options->n_cells > 0 ? options->cells : &whole;
    guint n_cells = MAX(options->n_cells, 1);
    uint64_t size = 0, start = 0;
    g_autoptr(KilnMemory) memory = NULL;

    if (!sum_cells(options, cells, n_cells, &size, error))
        return NULL;
    memory = g_new0(KilnMemory, 1);
    memory->options = *options;
    memory->options.cells = NULL;
    memory->options.n_cells = 0;
    memory->size = size;
    memory->backings = g_new0(KilnBacking, n_cells);
    memory->regions =
        g_malloc0(sizeof(RegionList) + (n_cells + 1) * sizeof(KilnMemoryRegion)); /* one is split */
    for (guint i = 0; i < n_cells; i++) {
        if (!add_cell(memory, i, start, &cells[i], error))
            return NULL;
        start += cells[i].size;
    }
    return g_steal_pointer(&memory);
}

KilnMemory *
kiln_memory_new_plain(uint64_t size)
{
    g_autoptr(GError) error = NULL;
    KilnMemoryOptions options = { .size = size, .backing = KILN_MEMORY_ANONYMOUS };
    KilnMemory *memory = kiln_memory_new(&options, &error);

    if (memory == NULL)
        g_error("%s", error->message);
    return memory;
}

void
kiln_memory_free(KilnMemory *memory)
{
    if (memory == NULL)
        return;
    for (guint i = 0; i < memory->n_backings; i++)
        kiln_backing_clear(&memory->backings[i]);
    g_free(memory->backings);
    g_free(memory->regions);
    g_free(memory);
}

uint64_t
kiln_memory_size(const KilnMemory *memory)
{
    return memory->size;
}

const KilnMemoryRegion *
kiln_memory_regions(const KilnMemory *memory, guint *n_regions)
{
    *n_regions = memory->regions->n;
    return memory->regions->items;
}

/* The region that has the byte at @gpa.  There are few, and the first is nearly always it. */
static const KilnMemoryRegion *
find(const KilnMemory *memory, KilnGpa gpa)
{
    const RegionList *list = memory->regions;

    for (guint i = 0; i < list->n; i++)
        if (gpa >= list->items[i].gpa && gpa - list->items[i].gpa < list->items[i].size)
            return &list->items[i];
    return NULL;
}

void *
kiln_memory_map(KilnMemory *memory, KilnGpa gpa, uint64_t length)
{
    const KilnMemoryRegion *region = find(memory, gpa);

    if (region == NULL || length == 0 ||
        !kiln_range_inside(gpa - region->gpa, length, region->size))
        return NULL;
    return (char *)region->host + (gpa - region->gpa);
}

/* How many of @length bytes at @gpa are in one region, and where: 0 if the first is no RAM. */
static uint64_t
piece(KilnMemory *memory, KilnGpa gpa, uint64_t length, void **host)
{
    const KilnMemoryRegion *region = find(memory, gpa);

    if (region == NULL)
        return 0;
    *host = (char *)region->host + (gpa - region->gpa);
    return MIN(length, region->size - (gpa - region->gpa));
}

static gboolean
all_ram(KilnMemory *memory, KilnGpa gpa, uint64_t length)
{
    void *host;
    uint64_t end;

    if (!kiln_add_u64(gpa, length, &end))
        return FALSE;
    for (uint64_t n; length > 0; gpa += n, length -= n) {
        n = piece(memory, gpa, length, &host);
        if (n == 0)
            return FALSE;
    }
    return TRUE;
}

gboolean
kiln_memory_read(KilnMemory *memory, KilnGpa gpa, void *data, uint64_t length)
{
    void *host = kiln_memory_map(memory, gpa, length);
    char *to = data;

    if (host != NULL) {
        memcpy(data, host, length);
        return TRUE;
    }
    if (!all_ram(memory, gpa, length))
        return FALSE;
    for (uint64_t n; length > 0; gpa += n, to += n, length -= n) {
        n = piece(memory, gpa, length, &host);
        /* all_ram() saw that each piece has its address: NOLINTNEXTLINE(clang-analyzer-core.*) */
        memcpy(to, host, n);
    }
    return TRUE;
}

gboolean
kiln_memory_write(KilnMemory *memory, KilnGpa gpa, const void *data, uint64_t length)
{
    void *host = kiln_memory_map(memory, gpa, length);
    const char *from = data;

    if (host != NULL) {
        memcpy(host, data, length);
        return TRUE;
    }
    if (!all_ram(memory, gpa, length))
        return FALSE;
    for (uint64_t n; length > 0; gpa += n, from += n, length -= n) {
        n = piece(memory, gpa, length, &host);
        /* all_ram() saw that each piece has its address: NOLINTNEXTLINE(clang-analyzer-core.*) */
        memcpy(host, from, n);
    }
    return TRUE;
}

gboolean
kiln_memory_zero_all(KilnMemory *memory, GError **error)
{
    for (guint i = 0; i < memory->n_backings; i++)
        if (!kiln_backing_zero(&memory->backings[i], &memory->options, error))
            return FALSE;
    return TRUE;
}
