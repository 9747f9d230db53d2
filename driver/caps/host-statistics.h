/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changes all the time: CPU time, free memory, free huge pages, KSM.  Read at each call. */
#ifndef KILN_CAPS_HOST_STATISTICS_H
#define KILN_CAPS_HOST_STATISTICS_H

#include <glib.h>

enum { KILN_HOST_N_CPU_TIMES = 4, KILN_HOST_ALL = -1 };

typedef struct {
    const char *field; /* as libvirt calls it */
    guint64 value;
} KilnHostStatistic;

/**
 * kiln_host_cpu_times:
 * @cpu: its number, or KILN_HOST_ALL
 * @times: (out): kernel, user, idle, iowait, in nanoseconds
 *
 * Returns: FALSE if there is no such CPU, or it is offline.
 */
gboolean kiln_host_cpu_times(int cpu, KilnHostStatistic times[KILN_HOST_N_CPU_TIMES]);

/**
 * kiln_host_memory_statistics:
 * @cell: its number, or KILN_HOST_ALL
 *
 * Returns: (transfer full) (nullable): of KilnHostStatistic, in KiB: total and free, of the whole
 *   host buffers and cached too; NULL if there is no such cell.
 */
GArray *kiln_host_memory_statistics(int cell);

/* Bytes; FALSE if there is no such cell. */
gboolean kiln_host_free_memory(int cell, guint64 *bytes);

/**
 * kiln_host_free_pages:
 * @kib: their size
 *
 * Returns: FALSE with @error set if there is no such cell or size.
 */
gboolean kiln_host_free_pages(int cell, guint kib, guint64 *count, GError **error);

/**
 * kiln_host_set_pages:
 * @add: @count more than there are, else @count in all
 *
 * The kernel may take long to find them.  Any thread.
 *
 * Returns: FALSE with @error set, also if there are fewer now than asked for.
 */
gboolean kiln_host_set_pages(int cell, guint kib, guint64 count, gboolean add, GError **error);

/* Kernel samepage merging: a file of /sys/kernel/mm/ksm and what libvirt calls it. */
typedef struct {
    const char *field;
    const char *file;
    gboolean settable; /* and of 32 bits, others of 64 */
} KilnHostKsm;

const KilnHostKsm *kiln_host_ksm(guint *n);

#endif
