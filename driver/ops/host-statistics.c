/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's CPU time and memory, huge pages, and samepage merging. */
#include "ops/driver.h"
#include "ops/host-work.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "caps/host-statistics.h"
#include "caps/host.h"
#include "rpc/params.h"

static int
last_cell(void)
{
    const KilnHostTopology *topology = kiln_host_topology();
    const KilnHostCell *cell = g_ptr_array_index(topology->cells, topology->cells->len - 1);

    return (int)cell->id;
}

/* FALSE after ending the call, unless @start is the whole host's (where @whole is allowed) or a
 * cell's number. */
static gboolean
check_start(KilnCall *call, int start, gboolean whole)
{
    if (start >= (whole ? -1 : 0) && start <= last_cell())
        return TRUE;
    kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "start cell %d out of range (0-%d)", start,
                   last_cell());
    return FALSE;
}

/* ---- CPU time and memory --------------------------------------------------------------------- */

/* A call with nparams 0 asks how many there are; @wanted is right or the call is ended. */
static gboolean
check_count(KilnCall *call, int wanted, guint there)
{
    if (wanted == (int)there)
        return TRUE;
    kiln_call_fail(call, VIR_ERR_INVALID_ARG, "nparams must be equal to %u", there);
    return FALSE;
}

static void
on_cpu_stats(KilnCall *call, gconstpointer data)
{
    const remote_node_get_cpu_stats_args *args = data;
    KilnHostStatistic times[KILN_HOST_N_CPU_TIMES];
    remote_node_get_cpu_stats values[KILN_HOST_N_CPU_TIMES];
    remote_node_get_cpu_stats_ret ret = { .nparams = KILN_HOST_N_CPU_TIMES };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->nparams == 0) {
        kiln_call_reply(call, &ret);
        return;
    }
    if (!check_count(call, args->nparams, KILN_HOST_N_CPU_TIMES))
        return;
    if (args->cpuNum < KILN_HOST_ALL || !kiln_host_cpu_times(args->cpuNum, times)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "Invalid cpuNum: there is no CPU %d online",
                       args->cpuNum);
        return;
    }
    for (guint i = 0; i < KILN_HOST_N_CPU_TIMES; i++)
        values[i] = (remote_node_get_cpu_stats){ (char *)times[i].field, times[i].value };
    ret.params.params_val = values;
    ret.params.params_len = KILN_HOST_N_CPU_TIMES;
    kiln_call_reply(call, &ret);
}

static void
on_memory_stats(KilnCall *call, gconstpointer data)
{
    const remote_node_get_memory_stats_args *args = data;
    g_autoptr(GArray) list = NULL;
    remote_node_get_memory_stats values[REMOTE_NODE_MEMORY_STATS_MAX];
    remote_node_get_memory_stats_ret ret = { 0 };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    list = args->cellNum >= KILN_HOST_ALL ? kiln_host_memory_statistics(args->cellNum) : NULL;
    if (list == NULL) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "cellNum must be less than or equal to %d",
                       last_cell());
        return;
    }
    ret.nparams = (int)list->len;
    if (args->nparams != 0) {
        if (!check_count(call, args->nparams, list->len))
            return;
        for (guint i = 0; i < list->len; i++) {
            const KilnHostStatistic *one = &g_array_index(list, KilnHostStatistic, i);

            values[i] = (remote_node_get_memory_stats){ (char *)one->field, one->value };
        }
        ret.params.params_val = values;
        ret.params.params_len = list->len;
    }
    kiln_call_reply(call, &ret);
}

static void
on_free_memory(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    guint64 bytes = 0;
    remote_node_get_free_memory_ret ret;

    if (!kiln_host_free_memory(KILN_HOST_ALL, &bytes)) {
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR, "the host does not tell its free memory");
        return;
    }
    ret.freeMem = bytes;
    kiln_call_reply(call, &ret);
}

static void
on_cells_free_memory(KilnCall *call, gconstpointer data)
{
    const remote_node_get_cells_free_memory_args *args = data;
    uint64_t cells[REMOTE_NODE_MAX_CELLS];
    guint n = 0;
    remote_node_get_cells_free_memory_ret ret = { { 0, NULL } };

    if (args->maxcells <= 0 || args->maxcells > REMOTE_NODE_MAX_CELLS) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "maxcells must be 1 to %d",
                       REMOTE_NODE_MAX_CELLS);
        return;
    }
    if (!check_start(call, args->startCell, FALSE))
        return;
    for (int cell = args->startCell; cell <= last_cell() && n < (guint)args->maxcells; cell++) {
        guint64 bytes = 0; /* of numbers that no cell has, too */

        (void)kiln_host_free_memory(cell, &bytes);
        cells[n++] = bytes;
    }
    ret.cells.cells_val = cells;
    ret.cells.cells_len = n;
    kiln_call_reply(call, &ret);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static void
on_free_pages(KilnCall *call, gconstpointer data)
{
    const remote_node_get_free_pages_args *args = data;
    g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    guint64 most = (guint64)args->pages.pages_len * args->cellCount;
    int last = args->startCell + (int)MIN(args->cellCount, REMOTE_NODE_MAX_CELLS) - 1;
    remote_node_get_free_pages_ret ret = { { 0, NULL } };

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (most == 0 || most > REMOTE_NODE_MAX_CELLS) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "page sizes times cells must be 1 to %d",
                       REMOTE_NODE_MAX_CELLS);
        return;
    }
    if (!check_start(call, args->startCell, TRUE))
        return;
    for (int cell = args->startCell; cell <= MIN(last, last_cell()); cell++) {
        for (guint i = 0; i < args->pages.pages_len; i++) {
            g_autoptr(GError) error = NULL;
            guint64 count = 0;
            uint64_t value;

            if (!kiln_host_free_pages(cell, args->pages.pages_val[i], &count, &error)) {
                kiln_call_fail_error(call, error);
                return;
            }
            value = count;
            g_array_append_val(counts, value);
        }
    }
    ret.counts.counts_len = counts->len;
    ret.counts.counts_val = (uint64_t *)(void *)counts->data;
    kiln_call_reply(call, &ret);
}

typedef struct {
    const remote_node_alloc_pages_args *args;
    int last; /* cell */
    int n;    /* sizes times cells that were set */
} Allocation;

static gboolean
allocate(gpointer data, GError **error)
{
    Allocation *job = data;
    const remote_node_alloc_pages_args *args = job->args;
    gboolean add = (args->flags & VIR_NODE_ALLOC_PAGES_SET) == 0;

    for (int cell = args->startCell; cell <= job->last; cell++) {
        for (guint i = 0; i < args->pageSizes.pageSizes_len; i++) {
            if (!kiln_host_set_pages(cell, args->pageSizes.pageSizes_val[i],
                                     args->pageCounts.pageCounts_val[i], add, error))
                return FALSE;
            job->n++;
        }
    }
    return TRUE;
}

static void
allocated(KilnCall *call, gpointer data)
{
    const Allocation *job = data;
    remote_node_alloc_pages_ret ret = { job->n };

    kiln_host_topology_forget(); /* it has how many there are */
    kiln_call_reply(call, &ret);
}

/* The kernel makes room for them as long as it takes. */
static void
on_alloc_pages(KilnCall *call, gconstpointer data)
{
    const remote_node_alloc_pages_args *args = data;
    Allocation *job;

    if (!kiln_ops_check_flags(call, args->flags, VIR_NODE_ALLOC_PAGES_SET))
        return;
    if (args->pageSizes.pageSizes_len != args->pageCounts.pageCounts_len ||
        args->pageSizes.pageSizes_len == 0 || args->cellCount == 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "each page size needs a count");
        return;
    }
    if (!check_start(call, args->startCell, TRUE))
        return;
    job = g_new0(Allocation, 1);
    job->args = args;
    job->last =
        MIN(args->startCell + (int)MIN(args->cellCount, REMOTE_NODE_MAX_CELLS) - 1, last_cell());
    kiln_ops_host_work(call, job, g_free, allocate, allocated);
}

/* ---- Samepage merging ------------------------------------------------------------------------ */

#define KSM "/sys/kernel/mm/ksm/"

static void
on_get_memory_parameters(KilnCall *call, gconstpointer data)
{
    const remote_node_get_memory_parameters_args *args = data;
    g_auto(KilnParams) params;
    remote_node_get_memory_parameters_ret ret = { 0 };
    guint n;
    const KilnHostKsm *rows = kiln_host_ksm(&n);

    kiln_params_init(&params);
    if (!kiln_ops_check_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY))
        return;
    for (guint i = 0; i < n; i++) {
        guint64 value;

        if (!kiln_host_read_number(&value, KSM "%s", rows[i].file))
            continue; /* this kernel has it not */
        if (rows[i].settable)
            kiln_params_add_uint(&params, rows[i].field, (guint32)value);
        else
            kiln_params_add_ullong(&params, rows[i].field, value);
    }
    ret.nparams = (int)params.n;
    if (args->nparams != 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = MIN((guint)MAX(args->nparams, 0), params.n);
    }
    kiln_call_reply(call, &ret);
}

static gboolean
set_parameters(gpointer data, GError **error)
{
    const remote_node_set_memory_parameters_args *args = data;
    guint n;
    const KilnHostKsm *rows = kiln_host_ksm(&n);

    for (guint i = 0; i < n; i++) {
        g_autofree char *text = NULL;
        guint64 value;

        if (!kiln_params_get_unsigned(args->params.params_val, args->params.params_len,
                                      rows[i].field, &value))
            continue;
        text = g_strdup_printf("%" G_GUINT64_FORMAT, value);
        if (!kiln_host_write(text, error, KSM "%s", rows[i].file))
            return FALSE;
    }
    return TRUE;
}

static void
on_set_memory_parameters(KilnCall *call, gconstpointer data)
{
    static const KilnParamRule settable[] = {
        { .field = VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN, .type = VIR_TYPED_PARAM_UINT },
        { .field = VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS, .type = VIR_TYPED_PARAM_UINT },
        { .field = VIR_NODE_MEMORY_SHARED_MERGE_ACROSS_NODES, .type = VIR_TYPED_PARAM_UINT },
        { .field = NULL },
    };
    const remote_node_set_memory_parameters_args *args = data;
    g_autoptr(GError) error = NULL;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (!kiln_params_check(args->params.params_val, args->params.params_len, settable, &error))
        kiln_call_fail_error(call, error);
    else
        kiln_ops_host_work(call, (gpointer)args, NULL, set_parameters, NULL);
}

static const KilnProcedure procedures[] = {
    KILN_PROC(NODE_GET_CPU_STATS, node_get_cpu_stats, KILN_ACCESS_READ, on_cpu_stats),
    KILN_PROC(NODE_GET_MEMORY_STATS, node_get_memory_stats, KILN_ACCESS_READ, on_memory_stats),
    KILN_PROC(NODE_GET_CELLS_FREE_MEMORY, node_get_cells_free_memory, KILN_ACCESS_READ,
              on_cells_free_memory),
    KILN_PROC_RET(NODE_GET_FREE_MEMORY, node_get_free_memory, KILN_ACCESS_READ, on_free_memory),
    KILN_PROC(NODE_GET_FREE_PAGES, node_get_free_pages, KILN_ACCESS_READ, on_free_pages),
    KILN_PROC(NODE_ALLOC_PAGES, node_alloc_pages, KILN_ACCESS_WRITE, on_alloc_pages),
    KILN_PROC(NODE_GET_MEMORY_PARAMETERS, node_get_memory_parameters, KILN_ACCESS_READ,
              on_get_memory_parameters),
    KILN_PROC_ARGS(NODE_SET_MEMORY_PARAMETERS, node_set_memory_parameters, KILN_ACCESS_WRITE,
                   on_set_memory_parameters),
};

const KilnProcedureTable kiln_ops_host_statistics = { procedures, G_N_ELEMENTS(procedures) };
