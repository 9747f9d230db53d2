/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's interfaces: what went through them, their limits, and their addresses. */
#include "domain/edit.h"
#include "ops/addresses.h"
#include "ops/agent.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/tune.h"

#include <libvirt/libvirt.h>
#include <string.h>

enum { NAME_BYTES = 64 };

/* As the statistics name it. */
static const char *
name_of(const KilnNet *net)
{
    return net->target_dev != NULL ? net->target_dev : net->info.alias;
}

static const KilnNet *
find_net(const KilnDomain *domain, const char *name)
{
    const KilnNet *net = kiln_domain_find_net(domain, name);

    for (guint i = 0; net == NULL && i < domain->interfaces->len; i++) {
        const KilnNet *one = g_ptr_array_index(domain->interfaces, i);

        if (g_strcmp0(one->info.alias, name) == 0)
            net = one;
    }
    return net;
}

/* ---- What went through ---- */

static gint64
count_of(GArray *entries, guint number, const char *what)
{
    char name[NAME_BYTES];

    g_snprintf(name, sizeof name, "net.%u.%s", number, what);
    return (gint64)kiln_ops_count(entries, name);
}

static gboolean
find_published(GArray *entries, const char *wanted, guint *number)
{
    guint n = kiln_ops_how_many(entries, "net.count");

    for (guint i = 0; i < n; i++) {
        char name[NAME_BYTES];
        const KilnStatistic *entry;

        g_snprintf(name, sizeof name, "net.%u.name", i);
        entry = kiln_ops_statistic(entries, name);
        if (entry == NULL || entry->type != KILN_STATISTIC_STRING ||
            g_strcmp0(entry->value.text, wanted) != 0)
            continue;
        *number = i;
        return TRUE;
    }
    return FALSE;
}

static void
on_interface_stats(KilnCall *call, gconstpointer data)
{
    const remote_domain_interface_stats_args *args = data;
    KilnGuest *guest = kiln_ops_active_guest(call, &args->dom);
    remote_domain_interface_stats_ret ret;
    g_autoptr(GArray) entries = NULL;
    const KilnDomain *live;
    const KilnNet *net;
    guint i;

    if (guest == NULL)
        return;
    live = kiln_guest_live(guest);
    net = live != NULL ? find_net(live, args->device) : NULL;
    entries = kiln_guest_statistics(guest);
    if (!find_published(entries, net != NULL ? name_of(net) : args->device, &i)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "invalid path, '%s' is not a known interface",
                       args->device);
        return;
    }
    ret = (remote_domain_interface_stats_ret){
        .rx_bytes = count_of(entries, i, "rx.bytes"),
        .rx_packets = count_of(entries, i, "rx.pkts"),
        .rx_errs = count_of(entries, i, "rx.errs"),
        .rx_drop = count_of(entries, i, "rx.drop"),
        .tx_bytes = count_of(entries, i, "tx.bytes"),
        .tx_packets = count_of(entries, i, "tx.pkts"),
        .tx_errs = count_of(entries, i, "tx.errs"),
        .tx_drop = count_of(entries, i, "tx.drop"),
    };
    kiln_call_reply(call, &ret);
}

/* ---- Limits ---- */

static const KilnParamRule rules[] = {
    { VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_IN_PEAK, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_IN_BURST, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_IN_FLOOR, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_OUT_PEAK, VIR_TYPED_PARAM_UINT, FALSE },
    { VIR_DOMAIN_BANDWIDTH_OUT_BURST, VIR_TYPED_PARAM_UINT, FALSE },
    { NULL, 0, FALSE },
};

static void
add_limit(KilnParams *params, const char *field, const KilnNetLimit *limit, gsize offset)
{
    const KilnUint *number =
        limit != NULL ? (const KilnUint *)(gconstpointer)((const char *)limit + offset) : NULL;

    kiln_params_add_uint(params, field, number != NULL ? (guint32)number->value : 0);
}

static void
on_get_interface_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_interface_parameters_args *args = data;
    remote_domain_get_interface_parameters_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_auto(KilnParams) params = { .values = NULL };
    const KilnNetLimit *in;
    const KilnNetLimit *out;
    const KilnNet *net;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, KILN_TUNE_GET_FLAGS) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    net = find_net(view.domain, args->device);
    if (net == NULL && args->nparams > 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "interface '%s' was not found in the domain config", args->device);
        return;
    }
    in = net != NULL && net->bandwidth != NULL ? net->bandwidth->inbound : NULL;
    out = net != NULL && net->bandwidth != NULL ? net->bandwidth->outbound : NULL;
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, in, offsetof(KilnNetLimit, average));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_IN_PEAK, in, offsetof(KilnNetLimit, peak));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_IN_BURST, in, offsetof(KilnNetLimit, burst));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_IN_FLOOR, in, offsetof(KilnNetLimit, floor));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE, out, offsetof(KilnNetLimit, average));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_OUT_PEAK, out, offsetof(KilnNetLimit, peak));
    add_limit(&params, VIR_DOMAIN_BANDWIDTH_OUT_BURST, out, offsetof(KilnNetLimit, burst));
    ret.nparams = (int)kiln_ops_limit(&params, args->nparams);
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = (guint)ret.nparams;
    }
    kiln_call_reply(call, &ret);
}

/* Of one direction: an average of 0 takes it away. */
static void
take_limit(KilnNetLimit **limit, const remote_typed_param *values, guint n,
           const char *const fields[4])
{
    KilnNetLimit *now;

    if (kiln_params_find(values, n, fields[0]) == NULL &&
        kiln_params_find(values, n, fields[1]) == NULL &&
        kiln_params_find(values, n, fields[2]) == NULL && *limit == NULL)
        return;
    if (*limit == NULL)
        *limit = g_new0(KilnNetLimit, 1);
    now = *limit;
    kiln_ops_take(values, n, fields[0], &now->average);
    kiln_ops_take(values, n, fields[1], &now->peak);
    kiln_ops_take(values, n, fields[2], &now->burst);
    if (fields[3] != NULL)
        kiln_ops_take(values, n, fields[3], &now->floor);
    now->peak.set = now->peak.set && now->peak.value != 0;
    now->burst.set = now->burst.set && now->burst.value != 0;
    now->floor.set = now->floor.set && now->floor.value != 0;
    if (now->average.value == 0 && !now->floor.set)
        g_clear_pointer(limit, g_free);
}

static gboolean
set_config(KilnDomain *domain, const char *device, const remote_typed_param *values, guint n,
           GError **error)
{
    static const char *const in[] = { VIR_DOMAIN_BANDWIDTH_IN_AVERAGE, VIR_DOMAIN_BANDWIDTH_IN_PEAK,
                                      VIR_DOMAIN_BANDWIDTH_IN_BURST,
                                      VIR_DOMAIN_BANDWIDTH_IN_FLOOR };
    static const char *const out[] = { VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE,
                                       VIR_DOMAIN_BANDWIDTH_OUT_PEAK,
                                       VIR_DOMAIN_BANDWIDTH_OUT_BURST, NULL };
    KilnNet *net = (KilnNet *)find_net(domain, device);

    if (net == NULL)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "Can't find interface '%s'", device);
    if (net->bandwidth == NULL)
        net->bandwidth = g_new0(KilnNetBandwidth, 1);
    take_limit(&net->bandwidth->inbound, values, n, in);
    take_limit(&net->bandwidth->outbound, values, n, out);
    if (net->bandwidth->inbound == NULL && net->bandwidth->outbound == NULL)
        g_clear_pointer(&net->bandwidth, g_free);
    return TRUE;
}

static const KilnTuning tuning = { rules, NULL, set_config, "limiting an interface" };

static void
on_set_interface_parameters(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_interface_parameters_args *args = data;

    kiln_ops_tune(call, &args->dom, args->flags, &tuning, args->device, args->params.params_val,
                  args->params.params_len);
}

/* ---- Addresses ---- */

static void
on_interface_addresses(KilnCall *call, gconstpointer data)
{
    const remote_domain_interface_addresses_args *args = data;
    g_autoptr(GPtrArray) interfaces = NULL;
    const KilnDomain *live;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT) {
        if (kiln_client_is_read_only(kiln_call_client(call)))
            kiln_call_fail(call, VIR_ERR_OPERATION_DENIED,
                           "read only access prevents virDomainInterfaceAddresses");
        else
            kiln_ops_agent_addresses(call, &args->dom);
        return;
    }
    if (args->source != VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE &&
        args->source != VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP) {
        kiln_call_fail(call, VIR_ERR_ARGUMENT_UNSUPPORTED, "Unknown IP address data source %u",
                       args->source);
        return;
    }
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    live = kiln_guest_live(guest);
    interfaces = kiln_addresses_of_new();
    for (guint i = 0; live != NULL && i < live->interfaces->len; i++) {
        const KilnNet *net = g_ptr_array_index(live->interfaces, i);

        if (net->mac != NULL)
            kiln_addresses_add(interfaces, name_of(net), net->mac);
    }
    kiln_addresses_find(call, g_steal_pointer(&interfaces),
                        args->source == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_INTERFACE_STATS, domain_interface_stats, KILN_ACCESS_READ, on_interface_stats),
    KILN_PROC(DOMAIN_GET_INTERFACE_PARAMETERS, domain_get_interface_parameters, KILN_ACCESS_READ,
              on_get_interface_parameters),
    KILN_PROC_ARGS(DOMAIN_SET_INTERFACE_PARAMETERS, domain_set_interface_parameters,
                   KILN_ACCESS_WRITE, on_set_interface_parameters),
    KILN_PROC(DOMAIN_INTERFACE_ADDRESSES, domain_interface_addresses, KILN_ACCESS_READ,
              on_interface_addresses),
};
const KilnProcedureTable kiln_ops_interface = { rows, G_N_ELEMENTS(rows) };
