/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host is made of, as sysfs and procfs tell: NUMA cells, CPUs, caches, huge pages.  The
 * files are those of the kernel's Documentation/ABI (stable/sysfs-devices-node,
 * stable/sysfs-devices-system-cpu, testing/sysfs-devices-system-cpu).  Main thread.
 */
#ifndef KILN_CAPS_HOST_H
#define KILN_CAPS_HOST_H

#include <glib.h>

#include "base/bitmap.h"

/* Puts @root before /sys, /proc and /dev: of a test; NULL is the host's own.  What was read before
 * is forgotten. */
void kiln_host_set_root(const char *root);

/* The path of a file of the host: "/sys/..." below the root.  (transfer full) */
char *kiln_host_path(const char *format, ...) G_GNUC_PRINTF(1, 2);

/**
 * kiln_host_read:
 * @format: path from "/sys" or "/proc" on
 *
 * Returns: (transfer full) (nullable): what the file has, without white space at its ends.
 */
char *kiln_host_read(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* FALSE if there is no such file or no number in it. */
gboolean kiln_host_read_number(guint64 *value, const char *format, ...) G_GNUC_PRINTF(2, 3);

/**
 * kiln_host_write:
 * @text: one write's worth
 *
 * Returns: FALSE with @error set, which names the file and who may.
 */
gboolean kiln_host_write(const char *text, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

typedef struct {
    guint id;
    gboolean online;
    guint socket, die, core; /* only of those that are online */
    char *siblings;          /* (owned) threads of the same core, "0,8"; NULL if offline */
} KilnHostCpu;

typedef struct {
    guint kib;     /* size of one */
    guint64 total; /* how many the cell has */
} KilnHostPages;

typedef struct {
    guint id;
    guint64 memory_kib;
    GArray *pages;     /* (owned) of KilnHostPages, normal ones first */
    GArray *distances; /* (owned) of guint, one a cell, in their order; empty if not told */
    GArray *cpus;      /* (owned) of KilnHostCpu */
} KilnHostCell;

typedef struct {
    GPtrArray *cells; /* (owned) of KilnHostCell, at least one, by id */
    KilnBitmap *present;
    KilnBitmap *online;
    guint max_cpus; /* one above the highest possible number */
    /* libvirt's view, in which all cells, sockets and so on are alike; cells * sockets * cores *
     * threads is at least the number of CPUs */
    guint nodes, sockets, dies, cores, threads;
    char *online_text; /* (owned) private */
} KilnHostTopology;

/* A cache, and who shares it. */
typedef struct {
    guint id, level;
    const char *type; /* "both", "code", "data" */
    guint64 kib;
    char *cpus; /* (owned) "0-3" */
} KilnHostCache;

/**
 * kiln_host_topology:
 *
 * Returns: (transfer none): read when it is first asked for and again when other CPUs are online;
 *   valid until control returns to the main loop.
 */
const KilnHostTopology *kiln_host_topology(void);

/* It is read again at the next call: somebody has changed what is not seen by itself. */
void kiln_host_topology_forget(void);

/* How often it was read: another number is another topology. */
guint kiln_host_topology_generation(void);

/* (transfer full): of KilnHostCache, of the last levels as libvirt lists them: those of level 3 */
GArray *kiln_host_caches(void);

/* The cell of that number, or NULL. */
const KilnHostCell *kiln_host_cell(const KilnHostTopology *topology, guint id);

/* Megahertz of the first CPU, and the whole memory; 0 if the host does not tell. */
guint kiln_host_mhz(void);
guint64 kiln_host_memory_kib(void);

/* Whether the host can sleep ("mem"), hibernate ("disk"), or both. */
gboolean kiln_host_can_suspend(const char *how);

/* Whether an IOMMU is on. */
gboolean kiln_host_has_iommu(void);

#endif
