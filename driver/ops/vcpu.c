/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many vCPUs a domain has: in its definition; of one that runs it is only told. */
#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"

#include <libvirt/libvirt.h>

enum { AFFECT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG };

static void
refuse_guest(KilnCall *call)
{
    kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                   "vCPUs cannot be switched by the guest agent: not available in this version of "
                   "kiln");
}

static void
on_get_vcpus_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_vcpus_flags_args *args = data;
    remote_domain_get_vcpus_flags_ret ret;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };

    if (guest == NULL ||
        !kiln_ops_check_flags(call, args->flags,
                              AFFECT | VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST))
        return;
    if ((args->flags & VIR_DOMAIN_VCPU_GUEST) != 0) {
        refuse_guest(call);
        return;
    }
    if (!kiln_ops_view(call, guest, args->flags, &view))
        return;
    ret.num = (int)((args->flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0 ? kiln_ops_max_vcpus(view.domain)
                                                                 : kiln_ops_vcpus(view.domain));
    kiln_call_reply(call, &ret);
}

/* <vcpus> says of each one whether it is there. */
static void
sync_list(KilnDomain *domain, guint n)
{
    for (guint i = 0; i < domain->vcpus.list->len; i++) {
        KilnDomainVcpu *vcpu = g_ptr_array_index(domain->vcpus.list, i);

        vcpu->enabled = vcpu->id.value < n ? KILN_SWITCH_ON : KILN_SWITCH_OFF;
    }
}

static gboolean
set_maximum(KilnDomain *domain, guint n, GError **error)
{
    const KilnDomainCpuTopology *topology = &domain->cpu.topology;

    if (topology->sockets.set) {
        guint64 product = topology->sockets.value * MAX(topology->dies.value, 1) *
                          MAX(topology->cores.value, 1) * MAX(topology->threads.value, 1);

        if (product != n)
            return kiln_vir_error_set(error, VIR_ERR_CONFIG_UNSUPPORTED,
                                      "CPU topology doesn't match the desired vcpu count");
    }
    domain->vcpus.count = (KilnUint){ TRUE, n };
    if (domain->vcpus.current.set && domain->vcpus.current.value > n)
        domain->vcpus.current.value = n;
    return TRUE;
}

static gboolean
edit_vcpus(KilnDomain *domain, gpointer data, GError **error)
{
    const remote_domain_set_vcpus_flags_args *args = data;
    guint most = kiln_ops_max_vcpus(domain);

    kiln_domain_changed(domain);
    if ((args->flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0)
        return set_maximum(domain, args->nvcpus, error);
    if (args->nvcpus > most)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "requested vcpus is greater than max allowable vcpus for the "
                                  "persistent domain: %u > %u",
                                  args->nvcpus, most);
    domain->vcpus.current =
        (KilnUint){ args->nvcpus < most, args->nvcpus < most ? args->nvcpus : 0 };
    sync_list(domain, args->nvcpus);
    return TRUE;
}

/* Whether a guest that runs has so many already; FALSE after ending the call. */
static gboolean
is_live_already(KilnCall *call, KilnGuest *guest, const remote_domain_set_vcpus_flags_args *args)
{
    const KilnDomain *live = kiln_guest_live(guest);

    if ((args->flags & VIR_DOMAIN_VCPU_MAXIMUM) != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "maximum vcpu count of a live domain can't be modified");
        return FALSE;
    }
    if (live != NULL && args->nvcpus > kiln_ops_max_vcpus(live)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "requested vcpus is greater than max allowable vcpus for the live domain: "
                       "%u > %u",
                       args->nvcpus, kiln_ops_max_vcpus(live));
        return FALSE;
    }
    if (live != NULL && args->nvcpus == kiln_ops_vcpus(live))
        return TRUE;
    kiln_ops_refuse_live(call, "changing the number of vCPUs");
    return FALSE;
}

/* @args lives as long as the call. */
static void
set_vcpus(KilnCall *call, const remote_domain_set_vcpus_flags_args *args)
{
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    gboolean config;
    gboolean live;

    if (guest == NULL ||
        !kiln_ops_check_flags(call, args->flags,
                              AFFECT | VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST |
                                  VIR_DOMAIN_VCPU_HOTPLUGGABLE))
        return;
    if ((args->flags & VIR_DOMAIN_VCPU_GUEST) != 0) {
        refuse_guest(call);
        return;
    }
    if (args->nvcpus == 0 || args->nvcpus > KILN_MAX_VCPUS) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "nvcpus %u is out of range", args->nvcpus);
        return;
    }
    if (!kiln_ops_affects(call, guest, args->flags, &live, &config) ||
        (live && !is_live_already(call, guest, args)))
        return;
    kiln_ops_edit_if(config, call, guest, edit_vcpus, args);
}

static void
on_set_vcpus_flags(KilnCall *call, gconstpointer data)
{
    set_vcpus(call, data);
}

/* Of a domain that runs only, as libvirt's. */
static void
on_set_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_vcpus_args *args = data;
    remote_domain_set_vcpus_flags_args same = { .dom = args->dom,
                                                .nvcpus = args->nvcpus,
                                                .flags = VIR_DOMAIN_AFFECT_LIVE };

    set_vcpus(call, &same); /* which changes no definition, so that it ends at once */
}

/* ---- Single ones ---- */

static void
make_list(KilnDomain *domain)
{
    guint n = kiln_ops_vcpus(domain);

    if (domain->vcpus.list->len > 0)
        return;
    for (guint i = 0; i < kiln_ops_max_vcpus(domain); i++) {
        KilnDomainVcpu *vcpu = g_new0(KilnDomainVcpu, 1);

        vcpu->id = (KilnUint){ TRUE, i };
        vcpu->enabled = i < n ? KILN_SWITCH_ON : KILN_SWITCH_OFF;
        vcpu->hotpluggable = i == 0 ? KILN_SWITCH_OFF : KILN_SWITCH_ON;
        g_ptr_array_add(domain->vcpus.list, vcpu);
    }
}

static gboolean
edit_vcpu(KilnDomain *domain, gpointer data, GError **error)
{
    const remote_domain_set_vcpu_args *args = data;
    g_autoptr(KilnBitmap) set = kiln_bitmap_parse(args->cpumap, error);
    guint most = kiln_ops_max_vcpus(domain);
    guint n = 0;

    if (set == NULL)
        return FALSE;
    for (int i = kiln_bitmap_next(set, 0); i >= 0; i = kiln_bitmap_next(set, (guint)i + 1))
        if ((guint)i >= most)
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "vcpu %d is not present in persistent config", i);
    if (args->state == 0 && kiln_bitmap_get(set, 0))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "vCPU '0' can't be disabled");
    make_list(domain);
    for (guint i = 0; i < domain->vcpus.list->len; i++) {
        KilnDomainVcpu *vcpu = g_ptr_array_index(domain->vcpus.list, i);

        if (kiln_bitmap_get(set, (guint)vcpu->id.value))
            vcpu->enabled = args->state != 0 ? KILN_SWITCH_ON : KILN_SWITCH_OFF;
        n += vcpu->enabled == KILN_SWITCH_ON;
    }
    domain->vcpus.current = (KilnUint){ TRUE, n };
    kiln_domain_changed(domain);
    return TRUE;
}

static void
on_set_vcpu(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_vcpu_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    gboolean config;
    gboolean live;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, AFFECT))
        return;
    if (args->state != 0 && args->state != 1) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unsupported state value");
        return;
    }
    if (!kiln_ops_affects(call, guest, args->flags, &live, &config))
        return;
    if (live)
        kiln_ops_refuse_live(call, "switching single vCPUs");
    else
        kiln_ops_edit(call, guest, edit_vcpu, args);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_VCPUS_FLAGS, domain_get_vcpus_flags, KILN_ACCESS_READ, on_get_vcpus_flags),
    KILN_PROC_ARGS(DOMAIN_SET_VCPUS_FLAGS, domain_set_vcpus_flags, KILN_ACCESS_WRITE,
                   on_set_vcpus_flags),
    KILN_PROC_ARGS(DOMAIN_SET_VCPUS, domain_set_vcpus, KILN_ACCESS_WRITE, on_set_vcpus),
    KILN_PROC_ARGS(DOMAIN_SET_VCPU, domain_set_vcpu, KILN_ACCESS_WRITE, on_set_vcpu),
};
const KilnProcedureTable kiln_ops_vcpu = { rows, G_N_ELEMENTS(rows) };
