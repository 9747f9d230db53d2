/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <memory>, <memoryBacking> and <numa> of the definition become guest RAM, and <memory> devices its
 * modules. */
#include "machine/private.h"

#include "base/error.h"
#include "domain/domain.h"

#include <string.h>

/* The size of the pages that <hugepages/> without a size means: what the host has as its default.
 */
static uint64_t
host_hugepage_size(void)
{
    static const char key[] = "Hugepagesize:"; /* in kB: Linux Documentation/filesystems/proc.rst */
    g_autofree char *meminfo = NULL;
    const char *line;

    if (!g_file_get_contents("/proc/meminfo", &meminfo, NULL, NULL))
        return 0;
    line = strstr(meminfo, key);
    return line != NULL ? g_ascii_strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

/* The page size for @cell by <hugepages>: a <page> that names the cell, else one that names none.
 */
static gboolean
hugepage_size(const KilnDomainMemoryBacking *backing, guint cell, uint64_t *size, GError **error)
{
    const KilnHugepage *general = NULL;

    *size = 0;
    if (!backing->hugepages)
        return TRUE;
    for (guint i = 0; i < backing->pages->len; i++) {
        const KilnHugepage *page = g_ptr_array_index(backing->pages, i);

        if (page->nodeset == NULL) {
            general = page;
        } else if (kiln_bitmap_get(page->nodeset, cell)) {
            *size = page->size.value;
            return TRUE;
        }
    }
    if (general == NULL && backing->pages->len > 0)
        return TRUE; /* other cells have huge pages, this one has none */
    *size = general != NULL && general->size.set ? general->size.value : host_hugepage_size();
    if (*size == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "memoryBacking: the host kernel has no huge pages (hugetlbfs)");
    return TRUE;
}

/* Whether another process works on the guest's memory: one that speaks vhost-user. */
static gboolean
is_shared(const KilnDomain *domain)
{
    for (guint i = 0; i < domain->disks->len; i++) {
        if (((const KilnDisk *)g_ptr_array_index(domain->disks, i))->source.type ==
            KILN_DISK_TYPE_VHOSTUSER)
            return TRUE;
    }
    for (guint i = 0; i < domain->interfaces->len; i++) {
        if (((const KilnNet *)g_ptr_array_index(domain->interfaces, i))->type ==
            KILN_NET_TYPE_VHOSTUSER)
            return TRUE;
    }
    return domain->filesystems->len > 0;
}

static KilnMemoryBacking
memory_backing(const KilnDomain *domain)
{
    const KilnDomainMemoryBacking *backing = &domain->memory.backing;

    if (is_shared(domain))
        return KILN_MEMORY_MEMFD;
    if (backing->source == KILN_MEMORY_SOURCE_MEMFD || backing->access == KILN_MEMORY_MODE_SHARED)
        return KILN_MEMORY_MEMFD;
    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *cell = g_ptr_array_index(domain->cpu.numa.cells, i);

        if (cell->access == KILN_MEMORY_MODE_SHARED)
            return KILN_MEMORY_MEMFD;
    }
    return backing->source == KILN_MEMORY_SOURCE_ANONYMOUS ? KILN_MEMORY_ANONYMOUS
                                                           : KILN_MEMORY_AUTO;
}

gboolean
kiln_machine_build_memory(KilnMachine *machine, GError **error)
{
    const KilnDomain *domain = machine->domain;
    const KilnDomainMemoryBacking *backing = &domain->memory.backing;
    g_autoptr(GArray) cells = g_array_new(FALSE, FALSE, sizeof(KilnMemoryCell));
    g_autoptr(GArray) modules = kiln_machine_memory_modules(domain, error);
    KilnMemoryOptions options = {
        .size = kiln_domain_boot_memory(domain),
        .backing = memory_backing(domain),
        .preallocate = backing->allocation == KILN_ALLOCATION_IMMEDIATE,
        .locked = backing->locked,
        .no_dump = domain->memory.dump_core == KILN_SWITCH_OFF,
        .merge = !backing->nosharepages,
    };

    if (modules == NULL)
        return FALSE;
    options.modules = (const KilnMemoryModule *)(const void *)modules->data;
    options.n_modules = modules->len;
    if (!hugepage_size(backing, 0, &options.hugepage_size, error))
        return FALSE;
    for (guint i = 0; i < domain->cpu.numa.cells->len; i++) {
        const KilnNumaCell *numa = g_ptr_array_index(domain->cpu.numa.cells, i);
        KilnMemoryCell cell = { .size = numa->memory.value };

        if (!hugepage_size(backing, i, &cell.hugepage_size, error))
            return FALSE;
        g_array_append_val(cells, cell);
    }
    if (cells->len > 0) {
        options.hugepage_size = 0; /* each cell has its own */
        options.cells = (const KilnMemoryCell *)(const void *)cells->data;
        options.n_cells = cells->len;
    }
    machine->memory = kiln_memory_new(&options, error);
    if (machine->memory == NULL)
        g_prefix_error(error, "memory: ");
    return machine->memory != NULL;
}
