/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPU time: shares, periods and quotas ("scheduler parameters"), and what was used.
 *
 *   live: cpu.weight and cpu.max of the guest's cgroup; definition: <cputune>
 */
#include "ops/cgroup.h"
#include "ops/tables.h"
#include "ops/tune.h"

#include <libvirt/libvirt.h>
#include <string.h>

enum { N_PARAMETERS = 9, MIN_PERIOD = 1000, MAX_PERIOD = 1000000, MIN_QUOTA = 1000 };

static const KilnParamRule rules[] = {
    { VIR_DOMAIN_SCHEDULER_CPU_SHARES, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, VIR_TYPED_PARAM_LLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA, VIR_TYPED_PARAM_LLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, VIR_TYPED_PARAM_LLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_IOTHREAD_PERIOD, VIR_TYPED_PARAM_ULLONG, FALSE },
    { VIR_DOMAIN_SCHEDULER_IOTHREAD_QUOTA, VIR_TYPED_PARAM_LLONG, FALSE },
    { NULL, 0, FALSE },
};

/* Periods and quotas in µs; a quota below 0 is none. */
typedef struct {
    guint64 shares, period, emulator_period, global_period, iothread_period;
    gint64 quota, emulator_quota, global_quota, iothread_quota;
} Values;

/* "QUOTA PERIOD" of cpu.max, whose quota may be "max". */
static void
read_live(const KilnGuest *guest, Values *values)
{
    g_autofree char *text = kiln_cgroup_read(guest, "cpu.max");
    const char *period = text != NULL ? strchr(text, ' ') : NULL;

    (void)kiln_cgroup_read_number(guest, "cpu.weight", 0, &values->shares);
    if (period == NULL)
        return;
    values->global_period = g_ascii_strtoull(period, NULL, 10);
    values->global_quota =
        g_str_has_prefix(text, "max") ? -1 : (gint64)g_ascii_strtoull(text, NULL, 10);
}

static void
read_config(const KilnDomain *domain, Values *values)
{
    const KilnCputune *tune = &domain->cputune;

    *values = (Values){
        .shares = tune->shares.value,
        .period = tune->period.value,
        .quota = tune->quota.value,
        .emulator_period = tune->emulator_period.value,
        .emulator_quota = tune->emulator_quota.value,
        .global_period = tune->global_period.value,
        .global_quota = tune->global_quota.value,
        .iothread_period = tune->iothread_period.value,
        .iothread_quota = tune->iothread_quota.value,
    };
}

static void
fill(KilnParams *params, const Values *values)
{
    kiln_params_add_ullong(params, VIR_DOMAIN_SCHEDULER_CPU_SHARES, values->shares);
    kiln_params_add_ullong(params, VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, values->period);
    kiln_params_add_llong(params, VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, values->quota);
    kiln_params_add_ullong(params, VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD, values->emulator_period);
    kiln_params_add_llong(params, VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA, values->emulator_quota);
    kiln_params_add_ullong(params, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, values->global_period);
    kiln_params_add_llong(params, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, values->global_quota);
    kiln_params_add_ullong(params, VIR_DOMAIN_SCHEDULER_IOTHREAD_PERIOD, values->iothread_period);
    kiln_params_add_llong(params, VIR_DOMAIN_SCHEDULER_IOTHREAD_QUOTA, values->iothread_quota);
}

static void
on_get_scheduler_type(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_scheduler_type_args *args = data;
    remote_domain_get_scheduler_type_ret ret = { .type = (char *)"posix", .nparams = N_PARAMETERS };

    if (kiln_ops_guest(call, &args->dom) != NULL)
        kiln_call_reply(call, &ret);
}

/* The answers of both calls have one layout. */
static void
get_parameters(KilnCall *call, const remote_nonnull_domain *dom, int wanted, unsigned flags)
{
    remote_domain_get_scheduler_parameters_flags_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };
    Values values;

    if (guest == NULL || !kiln_ops_check_flags(call, flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, flags, &view))
        return;
    read_config(view.domain, &values);
    if (view.live)
        read_live(guest, &values);
    fill(&params, &values);
    ret.params.params_val = params.values;
    ret.params.params_len = kiln_ops_limit(&params, wanted);
    kiln_call_reply(call, &ret);
}

static void
on_get_scheduler_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_scheduler_parameters_args *args = data;

    get_parameters(call, &args->dom, args->nparams, 0);
}

static void
on_get_scheduler_parameters_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_scheduler_parameters_flags_args *args = data;

    get_parameters(call, &args->dom, args->nparams, args->flags);
}

/* ---- Setting ---- */

static gboolean
take_period(const remote_typed_param *values, guint n, const char *field, KilnUint *period,
            GError **error)
{
    guint64 value;

    if (!kiln_params_get_unsigned(values, n, field, &value))
        return TRUE;
    if (value != 0 && (value < MIN_PERIOD || value > MAX_PERIOD))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "value of '%s' is out of range [%d, %d]", field, MIN_PERIOD,
                                  MAX_PERIOD);
    *period = (KilnUint){ value != 0, value };
    return TRUE;
}

static gboolean
take_quota(const remote_typed_param *values, guint n, const char *field, KilnInt *quota,
           GError **error)
{
    const remote_typed_param *param = kiln_params_find(values, n, field);
    gint64 value;

    if (param == NULL)
        return TRUE;
    value = param->value.remote_typed_param_value_u.l;
    if (value > 0 && value < MIN_QUOTA)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "value of '%s' is out of range",
                                  field);
    *quota = (KilnInt){ value != 0, value };
    return TRUE;
}

static gboolean
set_config(KilnDomain *domain, G_GNUC_UNUSED const char *device, const remote_typed_param *values,
           guint n, GError **error)
{
    KilnCputune *tune = &domain->cputune;

    kiln_ops_take(values, n, VIR_DOMAIN_SCHEDULER_CPU_SHARES, &tune->shares);
    return take_period(values, n, VIR_DOMAIN_SCHEDULER_VCPU_PERIOD, &tune->period, error) &&
           take_quota(values, n, VIR_DOMAIN_SCHEDULER_VCPU_QUOTA, &tune->quota, error) &&
           take_period(values, n, VIR_DOMAIN_SCHEDULER_EMULATOR_PERIOD, &tune->emulator_period,
                       error) &&
           take_quota(values, n, VIR_DOMAIN_SCHEDULER_EMULATOR_QUOTA, &tune->emulator_quota,
                      error) &&
           take_period(values, n, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, &tune->global_period,
                       error) &&
           take_quota(values, n, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, &tune->global_quota, error) &&
           take_period(values, n, VIR_DOMAIN_SCHEDULER_IOTHREAD_PERIOD, &tune->iothread_period,
                       error) &&
           take_quota(values, n, VIR_DOMAIN_SCHEDULER_IOTHREAD_QUOTA, &tune->iothread_quota, error);
}

/* The threads of a guest have no cgroups of their own. */
static gboolean
is_of_all(const remote_typed_param *values, guint n, GError **error)
{
    for (guint i = 0; i < n; i++)
        if (strcmp(values[i].field, VIR_DOMAIN_SCHEDULER_CPU_SHARES) != 0 &&
            !g_str_has_prefix(values[i].field, "global_"))
            return kiln_vir_error_set(error, VIR_ERR_OPERATION_UNSUPPORTED,
                                      "'%s' of a guest that runs: its threads have no cgroups of "
                                      "their own",
                                      values[i].field);
    return TRUE;
}

static gboolean
set_live(KilnGuest *guest, const remote_typed_param *values, guint n, GError **error)
{
    KilnUint shares = { FALSE, 0 };
    KilnUint period = { FALSE, 0 };
    KilnInt quota = { FALSE, 0 };
    Values now = { .global_period = 100000, .global_quota = -1 };

    if (!is_of_all(values, n, error) ||
        !take_period(values, n, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, &period, error) ||
        !take_quota(values, n, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, &quota, error))
        return FALSE;
    kiln_ops_take(values, n, VIR_DOMAIN_SCHEDULER_CPU_SHARES, &shares);
    if (shares.set) {
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, shares.value);

        if (!kiln_cgroup_write(guest, "cpu.weight", text, error))
            return FALSE;
    }
    if (!period.set && !quota.set)
        return TRUE;
    read_live(guest, &now);
    if (period.set)
        now.global_period = period.value;
    if (quota.set)
        now.global_quota = quota.value;
    {
        g_autofree char *text = now.global_quota > 0
                                    ? g_strdup_printf("%" G_GINT64_FORMAT " %" G_GUINT64_FORMAT,
                                                      now.global_quota, now.global_period)
                                    : g_strdup_printf("max %" G_GUINT64_FORMAT, now.global_period);

        return kiln_cgroup_write(guest, "cpu.max", text, error);
    }
}

static const KilnTuning tuning = { rules, set_live, set_config, "changing shares of CPU time",
                                   "cputune." };

static void
on_set_scheduler_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_scheduler_parameters_args *args = data;

    kiln_ops_tune(call, &args->dom, 0, &tuning, NULL, args->params.params_val,
                  args->params.params_len);
}

static void
on_set_scheduler_parameters_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_scheduler_parameters_flags_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &tuning, NULL, args->params.params_val,
                  args->params.params_len);
}

/* ---- What was used ---- */

static void
on_get_cpu_stats(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_cpu_stats_args *args = data;
    remote_domain_get_cpu_stats_ret ret = { 0 };
    KilnGuest *guest;
    g_autoptr(GArray) entries = NULL;
    g_auto(KilnParams) params = { .values = NULL };

    if (!kiln_ops_check_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    if (args->start_cpu != -1) { /* cgroup v2 counts no single CPUs */
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "CPU time is not counted for each CPU of the host");
        return;
    }
    entries = kiln_guest_statistics(guest);
    kiln_params_add_ullong(&params, VIR_DOMAIN_CPU_STATS_CPUTIME, kiln_guest_cpu_time(guest));
    kiln_params_add_ullong(&params, VIR_DOMAIN_CPU_STATS_USERTIME,
                           kiln_ops_count(entries, "cpu.user"));
    kiln_params_add_ullong(&params, VIR_DOMAIN_CPU_STATS_SYSTEMTIME,
                           kiln_ops_count(entries, "cpu.system"));
    ret.nparams = (int)params.n;
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = MIN(params.n, args->nparams);
        ret.nparams = (int)ret.params.params_len;
    }
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_SCHEDULER_TYPE, domain_get_scheduler_type, KILN_ACCESS_READ,
              on_get_scheduler_type),
    KILN_PROC(DOMAIN_GET_SCHEDULER_PARAMETERS, domain_get_scheduler_parameters, KILN_ACCESS_READ,
              on_get_scheduler_parameters),
    KILN_PROC(DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, domain_get_scheduler_parameters_flags,
              KILN_ACCESS_READ, on_get_scheduler_parameters_flags),
    KILN_PROC_ARGS(DOMAIN_SET_SCHEDULER_PARAMETERS, domain_set_scheduler_parameters,
                   KILN_ACCESS_WRITE, on_set_scheduler_parameters),
    KILN_PROC_ARGS(DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, domain_set_scheduler_parameters_flags,
                   KILN_ACCESS_WRITE, on_set_scheduler_parameters_flags),
    KILN_PROC(DOMAIN_GET_CPU_STATS, domain_get_cpu_stats, KILN_ACCESS_READ, on_get_cpu_stats),
};
const KilnProcedureTable kiln_ops_tune_cpu = { rows, G_N_ELEMENTS(rows) };
