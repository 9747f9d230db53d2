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
    guint n_ram; /* those of RAM, which come first */
    KilnMemoryRegion items[];
} RegionList;

struct KilnMemory {
    KilnMemoryOptions options; /* without its cells and modules */
    uint64_t size;             /* bytes */
    uint64_t modules_span;     /* bytes of the address space */
    KilnBacking *backings;     /* (owned) one a cell, then one a module */
    guint n_backings;
    guint n_ram_backings;
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

static gboolean
check_module(const KilnMemoryModule *module, GError **error)
{
    if (module->size == 0 || module->size % KILN_MEMORY_MODULE_ALIGN != 0 ||
        module->size > SIZE_MAX_RAM)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "guest memory: '%" G_GUINT64_FORMAT
                              "' bytes of a module are no multiple of 2 MiB, or too many",
                              module->size);
    if (module->align != 0 && (!kiln_is_power_of_2(module->align) || module->align > SIZE_MAX_RAM))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "guest memory: a module cannot be aligned to '%" G_GUINT64_FORMAT
                              "' bytes",
                              module->align);
    return TRUE;
}

/* Puts the module behind those before it; memory->modules_span is where that is. */
static gboolean
add_module(KilnMemory *memory, const KilnMemoryModule *module, GError **error)
{
    KilnGpa start = kiln_layout_modules_start(memory->size);
    KilnGpa gpa =
        kiln_align_up(start + memory->modules_span, MAX(module->align, KILN_LAYOUT_MODULE_ALIGN));
    KilnBacking *backing = &memory->backings[memory->n_backings];
    KilnMemoryRegion *region;

    if (!check_module(module, error))
        return FALSE;
    if (gpa > SIZE_MAX_RAM || module->size > SIZE_MAX_RAM - gpa)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "guest memory: the modules reach beyond any x86 address");
    memory->n_backings++;
    if (module->kind == KILN_MEMORY_PERSISTENT
            ? !kiln_backing_init_file(backing, module, gpa, &memory->options, error)
            : !kiln_backing_init_sparse(backing, module->size, gpa, &memory->options, error))
        return FALSE;
    add_region(memory->regions, gpa, module->size, backing, 0, module->cell);
    region = &memory->regions->items[memory->regions->n - 1];
    region->kind = module->kind;
    memory->modules_span = kiln_align_up(gpa + module->size - start, KILN_LAYOUT_MODULE_ALIGN);
    return TRUE;
}

static gboolean
add_modules(KilnMemory *memory, const KilnMemoryOptions *options, GError **error)
{
    memory->n_ram_backings = memory->n_backings;
    memory->regions->n_ram = memory->regions->n;
    for (guint i = 0; i < options->n_modules; i++)
        if (!add_module(memory, &options->modules[i], error))
            return FALSE;
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
    memory->options.modules = NULL;
    memory->options.n_modules = 0;
    memory->size = size;
    memory->backings = g_new0(KilnBacking, n_cells + options->n_modules);
    memory->regions =
        g_malloc0(sizeof(RegionList) +
                  (n_cells + 1 + options->n_modules) * sizeof(KilnMemoryRegion)); /* one is split */
    for (guint i = 0; i < n_cells; i++) {
        if (!add_cell(memory, i, start, &cells[i], error))
            return NULL;
        start += cells[i].size;
    }
    if (!add_modules(memory, options, error))
        return NULL;
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

uint64_t
kiln_memory_modules_span(const KilnMemory *memory)
{
    return memory->modules_span;
}

const KilnMemoryRegion *
kiln_memory_regions(const KilnMemory *memory, guint *n_regions)
{
    *n_regions = memory->regions->n;
    return memory->regions->items;
}

const KilnMemoryRegion *
kiln_memory_ram(const KilnMemory *memory, guint *n_regions)
{
    *n_regions = memory->regions->n_ram;
    return memory->regions->items;
}

const KilnMemoryRegion *
kiln_memory_module(const KilnMemory *memory, guint index)
{
    const RegionList *list = memory->regions;

    g_assert(index < list->n - list->n_ram);
    return &list->items[list->n_ram + index];
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
    for (guint i = 0; i < memory->n_ram_backings; i++)
        if (!kiln_backing_zero(&memory->backings[i], &memory->options, error))
            return FALSE;
    return TRUE;
}
