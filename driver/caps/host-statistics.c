/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/host-statistics.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

#include "caps/host.h"
#include "error/vir-error.h"

#define NODE "/sys/devices/system/node"

/* ---- CPU time -------------------------------------------------------------------------------- */

/* Linux's Documentation/filesystems/proc.rst, "Miscellaneous kernel statistics in /proc/stat" */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, N_COLUMNS };

/* The rest of the line that begins with @word; NULL if there is none. */
static const char *
line_of(const char *text, const char *word)
{
    gsize length = strlen(word);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, word, length) == 0)
            return text + length;
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    return NULL;
}

gboolean
kiln_host_cpu_times(int cpu, KilnHostStatistic times[KILN_HOST_N_CPU_TIMES])
{
    g_autofree char *text = kiln_host_read("/proc/stat");
    g_autofree char *word =
        cpu == KILN_HOST_ALL ? g_strdup("cpu ") : g_strdup_printf("cpu%d ", cpu);
    const char *at = line_of(text, word);
    guint64 tick = 1000000000 / (guint64)sysconf(_SC_CLK_TCK);
    guint64 columns[N_COLUMNS] = { 0 };

    if (at == NULL)
        return FALSE;
    for (guint i = 0; i < N_COLUMNS; i++) {
        char *end;

        columns[i] = g_ascii_strtoull(at, &end, 10);
        at = end;
    }
    times[0] = (KilnHostStatistic){ VIR_NODE_CPU_STATS_KERNEL,
                                    (columns[SYSTEM] + columns[IRQ] + columns[SOFTIRQ]) * tick };
    times[1] =
        (KilnHostStatistic){ VIR_NODE_CPU_STATS_USER, (columns[USER] + columns[NICE]) * tick };
    times[2] = (KilnHostStatistic){ VIR_NODE_CPU_STATS_IDLE, columns[IDLE] * tick };
    times[3] = (KilnHostStatistic){ VIR_NODE_CPU_STATS_IOWAIT, columns[IOWAIT] * tick };
    return TRUE;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static char *
meminfo(int cell)
{
    /* A kernel without NUMA has one cell and no file of it. */
    if (cell == KILN_HOST_ALL)
        return kiln_host_read("/proc/meminfo");
    if (cell < 0 || kiln_host_cell(kiln_host_topology(), (guint)cell) == NULL)
        return NULL;
    {
        char *text = kiln_host_read(NODE "/node%d/meminfo", cell);

        return text != NULL ? text : kiln_host_read("/proc/meminfo");
    }
}

/* "MemFree:" of "Node 0 MemFree:  12 kB" or of "MemFree:  12 kB" */
static gboolean
meminfo_field(const char *text, const char *name, guint64 *kib)
{
    const char *at = text;

    while ((at = strstr(at, name)) != NULL) {
        if (at == text || at[-1] == '\n' || at[-1] == ' ') {
            *kib = g_ascii_strtoull(at + strlen(name), NULL, 10);
            return TRUE;
        }
        at += strlen(name);
    }
    return FALSE;
}

GArray *
kiln_host_memory_statistics(int cell)
{
    static const struct {
        const char *name, *field;
        gboolean of_cells;
    } rows[] = {
        { "MemTotal:", VIR_NODE_MEMORY_STATS_TOTAL, TRUE },
        { "MemFree:", VIR_NODE_MEMORY_STATS_FREE, TRUE },
        { "Buffers:", VIR_NODE_MEMORY_STATS_BUFFERS, FALSE },
        { "Cached:", VIR_NODE_MEMORY_STATS_CACHED, FALSE },
    };
    g_autofree char *text = meminfo(cell);
    GArray *list;

    if (text == NULL)
        return NULL;
    list = g_array_new(FALSE, FALSE, sizeof(KilnHostStatistic));
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        KilnHostStatistic statistic = { .field = rows[i].field };

        if ((rows[i].of_cells || cell == KILN_HOST_ALL) &&
            meminfo_field(text, rows[i].name, &statistic.value))
            g_array_append_val(list, statistic);
    }
    return list;
}

gboolean
kiln_host_free_memory(int cell, guint64 *bytes)
{
    g_autofree char *text = meminfo(cell);
    guint64 kib;

    if (text == NULL || !meminfo_field(text, "MemFree:", &kib))
        return FALSE;
    *bytes = kib * 1024;
    return TRUE;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static guint
normal_kib(void)
{
    return (guint)((gulong)sysconf(_SC_PAGESIZE) / 1024);
}

/* The folder of @cell's huge pages; whether it is there is another matter. */
static char *
pages_folder(int cell, guint kib)
{
    g_autofree char *of_cell =
        cell == KILN_HOST_ALL ? NULL : g_strdup_printf(NODE "/node%d/hugepages", cell);
    g_autofree char *path = of_cell != NULL ? kiln_host_path("%s", of_cell) : NULL;
    const char *folder = path != NULL && g_file_test(path, G_FILE_TEST_IS_DIR)
                             ? of_cell
                             : "/sys/kernel/mm/hugepages";

    return g_strdup_printf("%s/hugepages-%ukB", folder, kib);
}

static gboolean
no_such_pages(int cell, guint kib, GError **error)
{
    return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                              "page size of %u KiB or NUMA node %d not available", kib, cell);
}

static gboolean
has_cell(int cell)
{
    return cell == KILN_HOST_ALL ||
           (cell >= 0 && kiln_host_cell(kiln_host_topology(), (guint)cell) != NULL);
}

gboolean
kiln_host_free_pages(int cell, guint kib, guint64 *count, GError **error)
{
    g_autofree char *folder = pages_folder(cell, kib);
    guint64 bytes;

    if (!has_cell(cell))
        return no_such_pages(cell, kib, error);
    if (kib == normal_kib() && kiln_host_free_memory(cell, &bytes)) {
        *count = bytes / 1024 / kib;
        return TRUE;
    }
    return kiln_host_read_number(count, "%s/free_hugepages", folder) ||
           no_such_pages(cell, kib, error);
}

gboolean
kiln_host_set_pages(int cell, guint kib, guint64 count, gboolean add, GError **error)
{
    g_autofree char *folder = pages_folder(cell, kib);
    g_autofree char *text = NULL;
    guint64 before, after;

    if (kib == normal_kib())
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED,
                                  "system pages pool can't be modified");
    if (!kiln_host_read_number(&before, "%s/nr_hugepages", folder))
        return no_such_pages(cell, kib, error);
    if (add && !g_uint64_checked_add(&count, count, before))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "the number of pages overflows");
    text = g_strdup_printf("%" G_GUINT64_FORMAT, count);
    if (!kiln_host_write(text, error, "%s/nr_hugepages", folder))
        return FALSE;
    if (!kiln_host_read_number(&after, "%s/nr_hugepages", folder) || after < count)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_FAILED,
                                  "Unable to allocate %" G_GUINT64_FORMAT
                                  " pages. Allocated only %" G_GUINT64_FORMAT,
                                  count, after);
    return TRUE;
}

/* ---- KSM ------------------------------------------------------------------------------------- */

const KilnHostKsm *
kiln_host_ksm(guint *n)
{
    static const KilnHostKsm rows[] = {
        { VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN, "pages_to_scan", TRUE },
        { VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS, "sleep_millisecs", TRUE },
        { VIR_NODE_MEMORY_SHARED_PAGES_SHARED, "pages_shared", FALSE },
        { VIR_NODE_MEMORY_SHARED_PAGES_SHARING, "pages_sharing", FALSE },
        { VIR_NODE_MEMORY_SHARED_PAGES_UNSHARED, "pages_unshared", FALSE },
        { VIR_NODE_MEMORY_SHARED_PAGES_VOLATILE, "pages_volatile", FALSE },
        { VIR_NODE_MEMORY_SHARED_FULL_SCANS, "full_scans", FALSE },
        { VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES, "merge_across_nodes", TRUE },
    };

    *n = G_N_ELEMENTS(rows);
    return rows;
}
