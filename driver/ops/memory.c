/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory a domain has: live through its balloon, and in its definition. */
#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"

#include <libvirt/libvirt.h>

enum {
    AFFECT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    KIB = 1024,
};

/* What is to be done live, and then in the definition. */
typedef struct {
    KilnCall *call;
    guint64 value; /* KiB or seconds */
    unsigned flags;
    gboolean config;
    KilnGuestEdit edit;
} Change;

static void
defined(KilnGuest *guest, const GError *error, gpointer data)
{
    Change *change = data;

    kiln_ops_done(guest, error, change->call);
    g_free(change);
}

static void
done_live(KilnGuest *guest, G_GNUC_UNUSED GVariant *answer, G_GNUC_UNUSED GUnixFDList *fds,
          const GError *error, gpointer data)
{
    Change *change = data;

    if (error != NULL || !change->config)
        defined(guest, error, change);
    else
        kiln_guest_edit(guest, change->edit, change, defined, change);
}

/* @method: with @argument (transfer floating), if @live */
static void
change_both(KilnCall *call, KilnGuest *guest, gboolean live, const char *method, GVariant *argument,
            const Change *wanted)
{
    Change *change = g_new(Change, 1);

    *change = *wanted;
    change->call = call;
    if (live)
        kiln_guest_call(guest, method, argument, NULL, KILN_GUEST_CALL_MS, done_live, change);
    else {
        g_variant_unref(g_variant_ref_sink(argument));
        kiln_guest_edit(guest, change->edit, change, defined, change);
    }
}

/* ---- Size ---- */

static gboolean
set_maximum(KilnDomain *domain, guint64 bytes, GError **error)
{
    if (domain->cpu.numa.cells->len > 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "initial memory size of a domain with NUMA nodes cannot be "
                                  "modified with this API");
    if (domain->memory.max_size.set && domain->memory.max_size.value < bytes)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "cannot set initial memory size greater than the maximum memory "
                                  "size");
    domain->memory.size = (KilnUint){ TRUE, bytes };
    if (domain->memory.current.set && domain->memory.current.value > bytes)
        domain->memory.current.value = bytes;
    return TRUE;
}

static gboolean
edit_memory(KilnDomain *domain, gpointer data, GError **error)
{
    const Change *change = data;
    guint64 bytes = change->value * KIB;

    kiln_domain_changed(domain);
    if ((change->flags & VIR_DOMAIN_MEM_MAXIMUM) != 0)
        return set_maximum(domain, bytes, error);
    if (bytes > domain->memory.size.value)
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "cannot set memory higher than max memory");
    domain->memory.current = (KilnUint){ TRUE, bytes };
    return TRUE;
}

/* FALSE after ending the call. */
static gboolean
may_set_live(KilnCall *call, KilnGuest *guest, guint64 kib, unsigned flags)
{
    const KilnDomain *domain = kiln_guest_live(guest);

    if ((flags & VIR_DOMAIN_MEM_MAXIMUM) != 0) {
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID,
                       "cannot resize the maximum memory on an active domain");
        return FALSE;
    }
    if (domain != NULL && kib > domain->memory.size.value / KIB) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "cannot set memory higher than max memory");
        return FALSE;
    }
    return TRUE;
}

static void
set_memory(KilnCall *call, const remote_nonnull_domain *dom, guint64 kib, unsigned flags)
{
    KilnGuest *guest = kiln_ops_guest(call, dom);
    Change change = { .value = kib, .flags = flags, .edit = edit_memory };
    gboolean live;

    if (guest == NULL || !kiln_ops_check_flags(call, flags, AFFECT | VIR_DOMAIN_MEM_MAXIMUM))
        return;
    if (kib == 0 || kib > G_MAXINT64 / KIB) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "memory in virDomainSetMemory is out of range");
        return;
    }
    if (!kiln_ops_affects(call, guest, flags, &live, &change.config) ||
        (live && !may_set_live(call, guest, kib, flags)))
        return;
    change_both(call, guest, live, "SetMemory", g_variant_new("(t)", kib), &change);
}

static void
on_set_memory(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_memory_args *args = data;

    set_memory(call, &args->dom, args->memory, VIR_DOMAIN_AFFECT_LIVE);
}

static void
on_set_max_memory(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_max_memory_args *args = data;

    set_memory(call, &args->dom, args->memory, VIR_DOMAIN_MEM_MAXIMUM);
}

static void
on_set_memory_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_memory_flags_args *args = data;

    set_memory(call, &args->dom, args->memory, args->flags);
}

/* ---- What the guest tells of it ---- */

static gboolean
edit_period(KilnDomain *domain, gpointer data, GError **error)
{
    const Change *change = data;
    KilnMemballoon *balloon;

    if (domain->memballoons->len == 0)
        return kiln_vir_error_set(error, VIR_ERR_OPERATION_INVALID,
                                  "No memory balloon device configured, cannot set the collection "
                                  "period");
    balloon = g_ptr_array_index(domain->memballoons, 0);
    balloon->stats_period_s = (KilnUint){ change->value > 0, change->value };
    kiln_domain_changed(domain);
    return TRUE;
}

static void
on_set_memory_stats_period(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_memory_stats_period_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    Change change = { .edit = edit_period };
    gboolean live;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, AFFECT))
        return;
    if (args->period < 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "period in virDomainSetMemoryStatsPeriod must be "
                       "zero or greater");
        return;
    }
    change.value = (guint64)args->period;
    if (!kiln_ops_affects(call, guest, args->flags, &live, &change.config))
        return;
    change_both(call, guest, live, "SetMemoryPeriod", g_variant_new("(u)", (guint32)args->period),
                &change);
}

static const struct {
    int tag;
    const char *name;
} stats[] = {
    { VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, "balloon.current" },
    { VIR_DOMAIN_MEMORY_STAT_SWAP_IN, "balloon.swap_in" },
    { VIR_DOMAIN_MEMORY_STAT_SWAP_OUT, "balloon.swap_out" },
    { VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, "balloon.major_fault" },
    { VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT, "balloon.minor_fault" },
    { VIR_DOMAIN_MEMORY_STAT_UNUSED, "balloon.unused" },
    { VIR_DOMAIN_MEMORY_STAT_AVAILABLE, "balloon.available" },
    { VIR_DOMAIN_MEMORY_STAT_USABLE, "balloon.usable" },
    { VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, "balloon.last-update" },
    { VIR_DOMAIN_MEMORY_STAT_DISK_CACHES, "balloon.disk_caches" },
    { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGALLOC, "balloon.hugetlb_pgalloc" },
    { VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL, "balloon.hugetlb_pgfail" },
};

static void
on_memory_stats(KilnCall *call, gconstpointer data)
{
    const remote_domain_memory_stats_args *args = data;
    KilnGuest *guest;
    g_autoptr(GArray) entries = NULL;
    remote_domain_memory_stat values[G_N_ELEMENTS(stats) + 1];
    remote_domain_memory_stats_ret ret = { 0 };
    guint n = 0;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    if (args->maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX) {
        kiln_call_fail(call, VIR_ERR_RPC, "maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX");
        return;
    }
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    entries = kiln_guest_statistics(guest);
    for (guint i = 0; i < G_N_ELEMENTS(stats); i++)
        if (kiln_ops_statistic(entries, stats[i].name) != NULL)
            values[n++] =
                (remote_domain_memory_stat){ .tag = stats[i].tag,
                                             .val = kiln_ops_count(entries, stats[i].name) };
    values[n++] = (remote_domain_memory_stat){ .tag = VIR_DOMAIN_MEMORY_STAT_RSS,
                                               .val = kiln_ops_rss(kiln_guest_pid(guest)) };
    ret.stats.stats_val = values;
    ret.stats.stats_len = MIN(n, args->maxStats);
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_SET_MEMORY, domain_set_memory, KILN_ACCESS_WRITE, on_set_memory),
    KILN_PROC_ARGS(DOMAIN_SET_MAX_MEMORY, domain_set_max_memory, KILN_ACCESS_WRITE,
                   on_set_max_memory),
    KILN_PROC_ARGS(DOMAIN_SET_MEMORY_FLAGS, domain_set_memory_flags, KILN_ACCESS_WRITE,
                   on_set_memory_flags),
    KILN_PROC_ARGS(DOMAIN_SET_MEMORY_STATS_PERIOD, domain_set_memory_stats_period,
                   KILN_ACCESS_WRITE, on_set_memory_stats_period),
    KILN_PROC(DOMAIN_MEMORY_STATS, domain_memory_stats, KILN_ACCESS_READ, on_memory_stats),
    KILN_PROC_REFUSED(DOMAIN_MEMORY_PEEK, KILN_ACCESS_WRITE,
                      "the daemon never looks into a guest's memory"),
};
const KilnProcedureTable kiln_ops_memory_calls = { rows, G_N_ELEMENTS(rows) };
