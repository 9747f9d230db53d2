/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cells, CPUs and caches of the host; see host.h. */
#include "caps/host.h"

#include <string.h>
#include <unistd.h>

#define CPU  "/sys/devices/system/cpu"
#define NODE "/sys/devices/system/node"

static KilnHostTopology *known; /* (nullable) */
static guint generation;

/* ---- Freeing --------------------------------------------------------------------------------- */

static void
clear_cpu(gpointer cpu)
{
    g_free(((KilnHostCpu *)cpu)->siblings);
}

static void
clear_cache(gpointer cache)
{
    g_free(((KilnHostCache *)cache)->cpus);
}

static void
cell_free(gpointer data)
{
    KilnHostCell *cell = data;

    g_array_unref(cell->pages);
    g_array_unref(cell->distances);
    g_array_unref(cell->cpus);
    g_free(cell);
}

static KilnHostCell *
cell_new(guint id)
{
    KilnHostCell *cell = g_new0(KilnHostCell, 1);

    cell->id = id;
    cell->pages = g_array_new(FALSE, TRUE, sizeof(KilnHostPages));
    cell->distances = g_array_new(FALSE, TRUE, sizeof(guint));
    cell->cpus = g_array_new(FALSE, TRUE, sizeof(KilnHostCpu));
    g_array_set_clear_func(cell->cpus, clear_cpu);
    return cell;
}

static void
topology_free(KilnHostTopology *topology)
{
    if (topology == NULL)
        return;
    g_ptr_array_unref(topology->cells);
    kiln_bitmap_free(topology->present);
    kiln_bitmap_free(topology->online);
    g_free(topology->online_text);
    g_free(topology);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnHostTopology, topology_free)

void
kiln_host_topology_forget(void)
{
    g_clear_pointer(&known, topology_free);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static KilnBitmap *
read_list(const char *path)
{
    g_autofree char *text = kiln_host_read("%s", path);
    KilnBitmap *list =
        text != NULL && *text != '\0' ? kiln_bitmap_parse(text, NULL) : kiln_bitmap_new();

    return list != NULL ? list : kiln_bitmap_new();
}

static guint
read_id(guint cpu, const char *name)
{
    guint64 value;

    /* A host that does not tell says -1 there, or has no such file. */
    return kiln_host_read_number(&value, CPU "/cpu%u/topology/%s", cpu, name) && value <= G_MAXINT32
               ? (guint)value
               : 0;
}

static void
add_cpu(KilnHostCell *cell, const KilnHostTopology *topology, guint id)
{
    KilnHostCpu cpu = { .id = id, .online = kiln_bitmap_get(topology->online, id) };

    if (cpu.online) {
        cpu.socket = read_id(id, "physical_package_id");
        cpu.die = read_id(id, "die_id");
        cpu.core = read_id(id, "core_id");
        cpu.siblings = kiln_host_read(CPU "/cpu%u/topology/thread_siblings_list", id);
        if (cpu.siblings == NULL)
            cpu.siblings = g_strdup_printf("%u", id);
    }
    g_array_append_val(cell->cpus, cpu);
}

/* Huge pages below @directory, which is the cell's or the host's. */
static void
read_huge_pages(KilnHostCell *cell, const char *directory)
{
    g_autofree char *path = kiln_host_path("%s", directory);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        KilnHostPages pages = { 0 };

        if (!g_str_has_prefix(name, "hugepages-"))
            continue;
        pages.kib = (guint)g_ascii_strtoull(name + strlen("hugepages-"), NULL, 10);
        if (pages.kib != 0 &&
            kiln_host_read_number(&pages.total, "%s/%s/nr_hugepages", directory, name))
            g_array_append_val(cell->pages, pages);
    }
}

static gint
by_size(gconstpointer a, gconstpointer b)
{
    const KilnHostPages *x = a, *y = b;

    return x->kib < y->kib ? -1 : x->kib > y->kib;
}

/* Huge pages are of @cell's memory: normal ones are the rest. */
static void
read_pages(KilnHostCell *cell, const char *directory)
{
    guint64 huge_kib = 0;
    KilnHostPages normal = { .kib = (guint)((gulong)sysconf(_SC_PAGESIZE) / 1024) };

    read_huge_pages(cell, directory);
    g_array_sort(cell->pages, by_size);
    for (guint i = 0; i < cell->pages->len; i++) {
        const KilnHostPages *pages = &g_array_index(cell->pages, KilnHostPages, i);

        huge_kib += pages->kib * pages->total;
    }
    normal.total = (cell->memory_kib - MIN(huge_kib, cell->memory_kib)) / normal.kib;
    g_array_prepend_val(cell->pages, normal);
}

static guint64
cell_memory(guint id)
{
    g_autofree char *text = kiln_host_read(NODE "/node%u/meminfo", id);
    const char *line = text != NULL ? strstr(text, "MemTotal:") : NULL;

    return line != NULL ? g_ascii_strtoull(line + strlen("MemTotal:"), NULL, 10) : 0;
}

static void
read_distances(KilnHostCell *cell, guint n_cells)
{
    g_autofree char *text = kiln_host_read(NODE "/node%u/distance", cell->id);
    g_auto(GStrv) words = g_strsplit_set(text != NULL ? text : "", " \t", -1);

    for (char **word = words; *word != NULL; word++) {
        guint distance = (guint)g_ascii_strtoull(*word, NULL, 10);

        if (**word != '\0')
            g_array_append_val(cell->distances, distance);
    }
    if (cell->distances->len != n_cells) /* cells came or went meanwhile */
        g_array_set_size(cell->distances, 0);
}

/* The list has those that are online, the directory's links all of them. */
static void
add_linked(KilnBitmap *cpus, guint node)
{
    g_autofree char *path = kiln_host_path(NODE "/node%u", node);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        guint64 id;

        if (g_str_has_prefix(name, "cpu") &&
            g_ascii_string_to_unsigned(name + strlen("cpu"), 10, 0, KILN_BITMAP_MAX_BITS - 1, &id,
                                       NULL))
            kiln_bitmap_set(cpus, (guint)id);
    }
}

static void
read_cell(KilnHostTopology *topology, guint id, guint n_cells)
{
    KilnHostCell *cell = cell_new(id);
    g_autofree char *list = g_strdup_printf(NODE "/node%u/cpulist", id);
    g_autofree char *huge = g_strdup_printf(NODE "/node%u/hugepages", id);
    g_autoptr(KilnBitmap) cpus = read_list(list);

    add_linked(cpus, id);
    cell->memory_kib = cell_memory(id);
    read_pages(cell, huge);
    read_distances(cell, n_cells);
    for (int cpu = kiln_bitmap_next(cpus, 0); cpu >= 0;
         cpu = kiln_bitmap_next(cpus, (guint)cpu + 1))
        add_cpu(cell, topology, (guint)cpu);
    g_ptr_array_add(topology->cells, cell);
}

/* A kernel without NUMA is one cell of everything. */
static void
read_whole(KilnHostTopology *topology)
{
    KilnHostCell *cell = cell_new(0);

    cell->memory_kib = kiln_host_memory_kib();
    read_pages(cell, "/sys/kernel/mm/hugepages");
    for (int cpu = kiln_bitmap_next(topology->present, 0); cpu >= 0;
         cpu = kiln_bitmap_next(topology->present, (guint)cpu + 1))
        add_cpu(cell, topology, (guint)cpu);
    g_ptr_array_add(topology->cells, cell);
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* How many different numbers @key makes of the CPUs of @cell that are online. */
static guint
count_distinct(const KilnHostCell *cell, guint64 (*key)(const KilnHostCpu *cpu))
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (guint i = 0; i < cell->cpus->len; i++) {
        const KilnHostCpu *cpu = &g_array_index(cell->cpus, KilnHostCpu, i);
        guint64 value = cpu->online ? key(cpu) : 0;

        if (cpu->online)
            g_hash_table_add(seen, g_memdup2(&value, sizeof value));
    }
    return g_hash_table_size(seen);
}

static guint64
socket_key(const KilnHostCpu *cpu)
{
    return cpu->socket;
}

static guint64
die_key(const KilnHostCpu *cpu)
{
    return (guint64)cpu->socket << 32 | cpu->die;
}

static guint64
core_key(const KilnHostCpu *cpu)
{
    return (guint64)cpu->socket << 48 | (guint64)(cpu->die & 0xffff) << 32 | cpu->core;
}

static guint
most_threads(const KilnHostCell *cell)
{
    guint most = 1;

    for (guint i = 0; i < cell->cpus->len; i++) {
        const KilnHostCpu *cpu = &g_array_index(cell->cpus, KilnHostCpu, i);
        g_autoptr(KilnBitmap) siblings =
            cpu->siblings != NULL ? kiln_bitmap_parse(cpu->siblings, NULL) : NULL;

        if (siblings != NULL)
            most = MAX(most, kiln_bitmap_count(siblings));
    }
    return most;
}

static guint
count_up(guint whole, guint parts)
{
    return parts != 0 ? MAX((whole + parts - 1) / parts, 1) : 1;
}

/* As libvirt counts: the most that any cell has; if that does not come out, one socket of as many
 * cores as there are CPUs. */
static void
count_all(KilnHostTopology *topology)
{
    guint cpus = 0;

    topology->nodes = topology->cells->len;
    topology->sockets = topology->dies = topology->cores = topology->threads = 1;
    for (guint i = 0; i < topology->cells->len; i++) {
        const KilnHostCell *cell = g_ptr_array_index(topology->cells, i);
        guint sockets = count_distinct(cell, socket_key);
        guint dies = count_distinct(cell, die_key);

        cpus += cell->cpus->len;
        topology->sockets = MAX(topology->sockets, sockets);
        topology->dies = MAX(topology->dies, count_up(dies, sockets));
        topology->cores = MAX(topology->cores, count_up(count_distinct(cell, core_key), sockets));
        topology->threads = MAX(topology->threads, most_threads(cell));
    }
    if (topology->nodes * topology->sockets * topology->cores * topology->threads != cpus) {
        topology->nodes = topology->sockets = topology->dies = topology->threads = 1;
        topology->cores = MAX(cpus, 1);
    }
}

static KilnHostTopology *
topology_read(char *online_text)
{
    g_autoptr(KilnHostTopology) topology = g_new0(KilnHostTopology, 1);
    g_autoptr(KilnBitmap) nodes = read_list(NODE "/online");
    g_autoptr(KilnBitmap) possible = read_list(CPU "/possible");
    guint n_cells = kiln_bitmap_count(nodes);

    topology->online_text = online_text;
    topology->cells = g_ptr_array_new_with_free_func(cell_free);
    topology->present = read_list(CPU "/present");
    topology->online = read_list(CPU "/online");
    for (int cpu = kiln_bitmap_next(topology->present, 0); cpu >= 0;
         cpu = kiln_bitmap_next(topology->present, (guint)cpu + 1))
        topology->max_cpus = (guint)cpu + 1;
    for (int cpu = kiln_bitmap_next(possible, 0); cpu >= 0;
         cpu = kiln_bitmap_next(possible, (guint)cpu + 1))
        topology->max_cpus = MAX(topology->max_cpus, (guint)cpu + 1);
    for (int node = kiln_bitmap_next(nodes, 0); node >= 0;
         node = kiln_bitmap_next(nodes, (guint)node + 1))
        read_cell(topology, (guint)node, n_cells);
    if (n_cells == 0)
        read_whole(topology);
    count_all(topology);
    return g_steal_pointer(&topology);
}

const KilnHostTopology *
kiln_host_topology(void)
{
    g_autofree char *online = kiln_host_read(CPU "/online");

    if (known == NULL || g_strcmp0(online, known->online_text) != 0) {
        kiln_host_topology_forget();
        known = topology_read(g_steal_pointer(&online));
        generation++;
    }
    return known;
}

guint
kiln_host_topology_generation(void)
{
    (void)kiln_host_topology();
    return generation;
}

const KilnHostCell *
kiln_host_cell(const KilnHostTopology *topology, guint id)
{
    for (guint i = 0; i < topology->cells->len; i++) {
        const KilnHostCell *cell = g_ptr_array_index(topology->cells, i);

        if (cell->id == id)
            return cell;
    }
    return NULL;
}

/* ---- Caches ---------------------------------------------------------------------------------- */

enum { CACHE_LEVEL = 3 };

static const char *
cache_type(const char *text)
{
    if (g_strcmp0(text, "Instruction") == 0)
        return "code";
    return g_strcmp0(text, "Data") == 0 ? "data" : "both";
}

static gboolean
is_known(const GArray *caches, const KilnHostCache *cache)
{
    for (guint i = 0; i < caches->len; i++) {
        const KilnHostCache *other = &g_array_index(caches, KilnHostCache, i);

        if (other->level == cache->level && strcmp(other->cpus, cache->cpus) == 0 &&
            strcmp(other->type, cache->type) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
read_cache(GArray *caches, guint cpu, guint index)
{
    g_autofree char *type = kiln_host_read(CPU "/cpu%u/cache/index%u/type", cpu, index);
    g_autofree char *size = kiln_host_read(CPU "/cpu%u/cache/index%u/size", cpu, index);
    g_autofree char *cpus = kiln_host_read(CPU "/cpu%u/cache/index%u/shared_cpu_list", cpu, index);
    KilnHostCache cache = { .type = cache_type(type), .cpus = cpus };
    guint64 level = 0, id = 0;

    if (size == NULL || cpus == NULL || *cpus == '\0' ||
        !kiln_host_read_number(&level, CPU "/cpu%u/cache/index%u/level", cpu, index) ||
        level != CACHE_LEVEL)
        return;
    if (!kiln_host_read_number(&id, CPU "/cpu%u/cache/index%u/id", cpu, index))
        id = caches->len;
    cache.level = (guint)level;
    cache.id = (guint)id;
    cache.kib = g_ascii_strtoull(size, NULL, 10); /* "32768K" */
    if (is_known(caches, &cache))
        return;
    g_steal_pointer(&cpus);
    g_array_append_val(caches, cache);
}

GArray *
kiln_host_caches(void)
{
    enum { MAX_INDEX = 8 };
    const KilnHostTopology *topology = kiln_host_topology();
    GArray *caches = g_array_new(FALSE, FALSE, sizeof(KilnHostCache));

    g_array_set_clear_func(caches, clear_cache);
    for (int cpu = kiln_bitmap_next(topology->online, 0); cpu >= 0;
         cpu = kiln_bitmap_next(topology->online, (guint)cpu + 1)) {
        for (guint i = 0; i < MAX_INDEX; i++) {
            g_autofree char *path = kiln_host_path(CPU "/cpu%u/cache/index%u", (guint)cpu, i);

            if (!g_file_test(path, G_FILE_TEST_IS_DIR))
                break;
            read_cache(caches, (guint)cpu, i);
        }
    }
    return caches;
}
