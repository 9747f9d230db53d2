/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits on the host's memory, and the nodes that it comes from.
 *
 *   live: memory.max, memory.high, memory.swap.max and cpuset.mems of the guest's cgroup
 *   definition: <memtune>, <numatune>
 */
#include "ops/cgroup.h"
#include "ops/tables.h"
#include "ops/tune.h"

#include <libvirt/libvirt.h>

enum { KIB = 1024 };

static const guint64 unlimited = VIR_DOMAIN_MEMORY_PARAM_UNLIMITED; /* KiB */

static const struct {
    const char *field;
    const char *file;
    gsize offset; /* in KilnMemtune, of a KilnUint of bytes */
} limits[] = {
    { VIR_DOMAIN_MEMORY_HARD_LIMIT, "memory.max", offsetof(KilnMemtune, hard_limit) },
    { VIR_DOMAIN_MEMORY_SOFT_LIMIT, "memory.high", offsetof(KilnMemtune, soft_limit) },
    { VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, "memory.swap.max",
      offsetof(KilnMemtune, swap_hard_limit) },
};

static const KilnParamRule memory_rules[] = {
    { VIR_DOMAIN_MEMORY_HARD_LIMIT, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_MEMORY_SOFT_LIMIT, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_MEMORY_SWAP_HARD_LIMIT, VIR_TYPED_PARAM_ULLONG, FALSE },
    { NULL, 0, FALSE },
};

static KilnUint *
limit_of(KilnMemtune *tune, guint i)
{
    return (KilnUint *)(gpointer)((char *)tune + limits[i].offset);
}

static void
on_get_memory_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_memory_parameters_args *args = data;
    remote_domain_get_memory_parameters_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        const KilnUint *limit = limit_of((KilnMemtune *)&view.domain->memory.tune, i);
        guint64 bytes = limit->set ? limit->value : unlimited * KIB;

        if (view.live)
            (void)kiln_cgroup_read_number(guest, limits[i].file, unlimited * KIB, &bytes);
        kiln_params_add_ullong(&params, limits[i].field, MIN(bytes / KIB, unlimited));
    }
    ret.nparams = (int)kiln_ops_limit(&params, args->nparams);
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = (guint)ret.nparams;
    }
    kiln_call_reply(call, &ret);
}

static gboolean
set_memory_live(KilnGuest *guest, const remote_typed_param *values, guint n, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        g_autofree char *text = NULL;
        guint64 kib;

        if (!kiln_params_get_unsigned(values, n, limits[i].field, &kib))
            continue;
        text =
            kib >= unlimited ? g_strdup("max") : g_strdup_printf("%" G_GUINT64_FORMAT, kib * KIB);
        if (!kiln_cgroup_write(guest, limits[i].file, text, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
set_memory_config(KilnDomain *domain, G_GNUC_UNUSED const char *device,
                  const remote_typed_param *values, guint n, GError **error)
{
    KilnMemtune *tune = &domain->memory.tune;

    for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
        guint64 kib;

        if (kiln_params_get_unsigned(values, n, limits[i].field, &kib))
            *limit_of(tune, i) =
                kib >= unlimited ? (KilnUint){ FALSE, 0 } : (KilnUint){ TRUE, kib * KIB };
    }
    if (tune->swap_hard_limit.set &&
        (!tune->hard_limit.set || tune->hard_limit.value > tune->swap_hard_limit.value))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "memory hard_limit tunable value must be lower than or equal to "
                                  "swap_hard_limit");
    return TRUE;
}

static const KilnTuning memory_tuning = { memory_rules, set_memory_live, set_memory_config,
                                          "limiting memory" };

static void
on_set_memory_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_memory_parameters_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &memory_tuning, NULL, args->params.params_val,
                  args->params.params_len);
}

/* ---- NUMA ---- */

static const KilnParamRule numa_rules[] = {
    { VIR_DOMAIN_NUMA_MODE, VIR_TYPED_PARAM_INT, FALSE },
    { VIR_DOMAIN_NUMA_NODESET, VIR_TYPED_PARAM_STRING, FALSE },
    { NULL, 0, FALSE },
};

/* Indexed by virDomainNumatuneMemMode. */
static const KilnNumatuneMode numa_modes[] = {
    [VIR_DOMAIN_NUMATUNE_MEM_STRICT] = KILN_NUMATUNE_STRICT,
    [VIR_DOMAIN_NUMATUNE_MEM_PREFERRED] = KILN_NUMATUNE_PREFERRED,
    [VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE] = KILN_NUMATUNE_INTERLEAVE,
    [VIR_DOMAIN_NUMATUNE_MEM_RESTRICTIVE] = KILN_NUMATUNE_RESTRICTIVE,
};

static int
numa_mode_of(KilnNumatuneMode mode)
{
    for (guint i = 0; i < G_N_ELEMENTS(numa_modes); i++)
        if (numa_modes[i] == mode)
            return (int)i;
    return VIR_DOMAIN_NUMATUNE_MEM_STRICT;
}

static void
on_get_numa_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_numa_parameters_args *args = data;
    remote_domain_get_numa_parameters_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };
    g_autofree char *nodes = NULL;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    if (view.live)
        nodes = kiln_cgroup_read(guest, "cpuset.mems");
    if (nodes == NULL && view.domain->numatune.nodeset != NULL)
        nodes = kiln_bitmap_format(view.domain->numatune.nodeset);
    kiln_params_add_int(&params, VIR_DOMAIN_NUMA_MODE, numa_mode_of(view.domain->numatune.mode));
    kiln_params_add_string(&params, VIR_DOMAIN_NUMA_NODESET, nodes);
    ret.nparams = (int)kiln_ops_limit(&params, args->nparams);
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = (guint)ret.nparams;
    }
    kiln_call_reply(call, &ret);
}

static gboolean
set_numa_live(KilnGuest *guest, const remote_typed_param *values, guint n, GError **error)
{
    const remote_typed_param *nodes = kiln_params_find(values, n, VIR_DOMAIN_NUMA_NODESET);
    g_autoptr(KilnBitmap) set = NULL;

    if (kiln_params_find(values, n, VIR_DOMAIN_NUMA_MODE) != NULL)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "can't change numatune mode for running domain");
    if (nodes == NULL)
        return TRUE;
    set = kiln_bitmap_parse(nodes->value.remote_typed_param_value_u.s, error);
    return set != NULL && kiln_cgroup_write(guest, "cpuset.mems",
                                            nodes->value.remote_typed_param_value_u.s, error);
}

static gboolean
set_numa_config(KilnDomain *domain, G_GNUC_UNUSED const char *device,
                const remote_typed_param *values, guint n, GError **error)
{
    const remote_typed_param *mode = kiln_params_find(values, n, VIR_DOMAIN_NUMA_MODE);
    const remote_typed_param *nodes = kiln_params_find(values, n, VIR_DOMAIN_NUMA_NODESET);

    if (mode != NULL) {
        int number = mode->value.remote_typed_param_value_u.i;

        if (number < 0 || number >= (int)G_N_ELEMENTS(numa_modes))
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "unsupported numatune mode: '%d'",
                                      number);
        domain->numatune.mode = numa_modes[number];
    }
    if (nodes != NULL) {
        const char *text = nodes->value.remote_typed_param_value_u.s;
        KilnBitmap *set = kiln_bitmap_parse(text, NULL);

        if (set == NULL)
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "Invalid nodeset of 'numatune': %s", text);
        kiln_bitmap_free(domain->numatune.nodeset);
        domain->numatune.nodeset = set;
    }
    if (domain->numatune.mode == KILN_NUMATUNE_ABSENT)
        domain->numatune.mode = KILN_NUMATUNE_STRICT;
    return TRUE;
}

static const KilnTuning numa_tuning = { numa_rules, set_numa_live, set_numa_config,
                                        "choosing NUMA nodes" };

static void
on_set_numa_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_numa_parameters_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &numa_tuning, NULL, args->params.params_val,
                  args->params.params_len);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_MEMORY_PARAMETERS, domain_get_memory_parameters, KILN_ACCESS_READ,
              on_get_memory_parameters),
    KILN_PROC_ARGS(DOMAIN_SET_MEMORY_PARAMETERS, domain_set_memory_parameters, KILN_ACCESS_WRITE,
                   on_set_memory_parameters),
    KILN_PROC(DOMAIN_GET_NUMA_PARAMETERS, domain_get_numa_parameters, KILN_ACCESS_READ,
              on_get_numa_parameters),
    KILN_PROC_ARGS(DOMAIN_SET_NUMA_PARAMETERS, domain_set_numa_parameters, KILN_ACCESS_WRITE,
                   on_set_numa_parameters),
};
const KilnProcedureTable kiln_ops_tune_memory = { rows, G_N_ELEMENTS(rows) };
