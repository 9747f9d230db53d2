/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bulk statistics (CONNECT_GET_ALL_DOMAIN_STATS), by the names of libvirt-domain.h.
 *
 *   what a process publishes -> the groups asked for -> one record a domain
 *
 * No process is waited for: of a running domain it is what its memory says, of another one what its
 * definition says.
 */
#include "base/statistics.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"
#include "rpc/params.h"

#include "domain/edit.h"

#include <libvirt/libvirt.h>
#include <string.h>

enum {
    KIB = 1024,
    NAMES_BYTES = 16 * KIB,
    GROUPS = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON |
             VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK |
             VIR_DOMAIN_STATS_IOTHREAD | VIR_DOMAIN_STATS_VM,
    FROM_DEFINITION = VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU | VIR_DOMAIN_STATS_BLOCK,
    FILTERS =
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE |
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_PERSISTENT | VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT |
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_PAUSED |
        VIR_CONNECT_GET_ALL_DOMAINS_STATS_SHUTOFF | VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER,
};

/* Flags above the int range of an enum. */
#define KNOWN_FLAGS                                                                                \
    ((unsigned)FILTERS | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT |                                \
     VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING |                                                   \
     (unsigned)VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)

/* What a process publishes belongs to a group by how its name begins; what has none here is kiln's
 * own, or is known better without the process (its state, its CPU time). */
#define GROUP(prefix, group)                                                                       \
    {                                                                                              \
        prefix, sizeof(prefix) - 1, group                                                          \
    }
static const struct {
    const char *prefix;
    gsize length;
    unsigned group;
} groups[] = {
    GROUP("vcpu.", VIR_DOMAIN_STATS_VCPU),         GROUP("exits.", VIR_DOMAIN_STATS_VM),
    GROUP("block.", VIR_DOMAIN_STATS_BLOCK),       GROUP("net.", VIR_DOMAIN_STATS_INTERFACE),
    GROUP("balloon.", VIR_DOMAIN_STATS_BALLOON),   GROUP("cpu.", VIR_DOMAIN_STATS_CPU_TOTAL),
    GROUP("iothread.", VIR_DOMAIN_STATS_IOTHREAD),
};

static unsigned
group_of(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++)
        if (strncmp(name, groups[i].prefix, groups[i].length) == 0)
            return groups[i].group;
    return 0;
}

/* Whether libvirt has no such name. */
static gboolean
is_own(const char *name, unsigned group)
{
    switch (group) {
    case VIR_DOMAIN_STATS_CPU_TOTAL: return strcmp(name, "cpu.time") == 0;
    case VIR_DOMAIN_STATS_BALLOON: return strcmp(name, "balloon.returned") == 0;
    case VIR_DOMAIN_STATS_BLOCK: return strstr(name, ".discard.") != NULL;
    default: return FALSE;
    }
}

static void
add(KilnParams *params, const char *name, const KilnStatistic *entry)
{
    switch (entry->type) {
    case KILN_STATISTIC_INT: kiln_params_add_int(params, name, (gint32)entry->value.number); break;
    case KILN_STATISTIC_UINT:
        kiln_params_add_uint(params, name, (guint32)entry->value.count);
        break;
    case KILN_STATISTIC_LLONG: kiln_params_add_llong(params, name, entry->value.number); break;
    case KILN_STATISTIC_ULLONG: kiln_params_add_ullong(params, name, entry->value.count); break;
    case KILN_STATISTIC_DOUBLE: kiln_params_add_double(params, name, entry->value.real); break;
    case KILN_STATISTIC_BOOLEAN:
        kiln_params_add_boolean(params, name, entry->value.number != 0);
        break;
    case KILN_STATISTIC_STRING: kiln_params_add_string(params, name, entry->value.text); break;
    }
}

/* A count of exits as libvirt names what is the hypervisor's own: vm.exits.sum, vm.halt_exits.sum.
 */
static void
add_exits(KilnParams *params, const KilnStatistic *entry)
{
    const char *kind = entry->name + strlen("exits.");
    char name[KILN_STATISTIC_NAME_MAX + sizeof "vm._exits.sum"];
    char *end = g_stpcpy(name, "vm.");

    if (strcmp(kind, "total") != 0)
        end = g_stpcpy(g_stpcpy(end, kind), "_");
    g_stpcpy(end, "exits.sum");
    add(params, name, entry);
}

/* Returns: the groups of which there was something. */
static unsigned
add_published(KilnParams *params, KilnGuest *guest, unsigned wanted)
{
    g_autoptr(GArray) entries = kiln_guest_statistics(guest);
    unsigned seen = 0;

    for (guint i = 0; entries != NULL && i < entries->len; i++) {
        const KilnStatistic *entry = &g_array_index(entries, KilnStatistic, i);
        unsigned group = group_of(entry->name);

        if ((group & wanted) == 0 || is_own(entry->name, group))
            continue;
        seen |= group;
        if (group == VIR_DOMAIN_STATS_VM)
            add_exits(params, entry);
        else
            add(params, entry->name, entry);
    }
    return seen;
}

static void
add_disks(KilnParams *params, const KilnDomain *domain)
{
    char name[KILN_STATISTIC_NAME_MAX];

    kiln_params_add_uint(params, "block.count", domain->disks->len);
    for (guint i = 0; i < domain->disks->len; i++) {
        const KilnDisk *disk = g_ptr_array_index(domain->disks, i);
        const char *path = kiln_disk_path(disk);

        g_snprintf(name, sizeof name, "block.%u.name", i);
        kiln_params_add_string(params, name, disk->target_dev);
        if (path == NULL)
            continue;
        g_snprintf(name, sizeof name, "block.%u.path", i);
        kiln_params_add_string(params, name, path);
    }
}

static void
add_defined(KilnParams *params, const KilnDomain *domain, unsigned wanted)
{
    if ((wanted & VIR_DOMAIN_STATS_BALLOON) != 0) {
        kiln_params_add_ullong(params, "balloon.current", kiln_ops_memory(domain) / KIB);
        kiln_params_add_ullong(params, "balloon.maximum", domain->memory.size.value / KIB);
    }
    if ((wanted & VIR_DOMAIN_STATS_VCPU) != 0) {
        kiln_params_add_uint(params, "vcpu.current", kiln_ops_vcpus(domain));
        kiln_params_add_uint(params, "vcpu.maximum", kiln_ops_max_vcpus(domain));
    }
    if ((wanted & VIR_DOMAIN_STATS_BLOCK) != 0)
        add_disks(params, domain);
}

/* What is not published is told from the definition. */
static void
add_from_definition(KilnParams *params, KilnGuest *guest, unsigned wanted)
{
    g_autoptr(KilnDomain) owned = NULL;
    const KilnDomain *domain;

    if ((wanted & FROM_DEFINITION) == 0)
        return;
    domain = kiln_guest_is_active(guest) ? kiln_guest_live(guest) : NULL;
    if (domain == NULL)
        domain = owned = kiln_guest_definition(guest, NULL);
    if (domain != NULL)
        add_defined(params, domain, wanted);
}

static void
fill(KilnParams *params, KilnGuest *guest, unsigned wanted)
{
    unsigned seen = 0;
    int reason;
    int state = kiln_guest_state(guest, &reason);

    if ((wanted & VIR_DOMAIN_STATS_STATE) != 0) {
        kiln_params_add_int(params, "state.state", state);
        kiln_params_add_int(params, "state.reason", reason);
    }
    if (kiln_guest_is_active(guest)) {
        if ((wanted & VIR_DOMAIN_STATS_CPU_TOTAL) != 0)
            kiln_params_add_ullong(params, "cpu.time", kiln_guest_cpu_time(guest));
        seen = add_published(params, guest, wanted);
        if ((wanted & VIR_DOMAIN_STATS_BALLOON) != 0)
            kiln_params_add_ullong(params, "balloon.rss", kiln_ops_rss(kiln_guest_pid(guest)));
    }
    add_from_definition(params, guest, wanted & ~seen);
}

typedef struct {
    unsigned wanted;
    unsigned flags;
    GArray *records;     /* (owned) of remote_domain_stats_record */
    GArray *params;      /* (owned) of KilnParams: theirs */
    GStringChunk *names; /* (owned): of all of them */
} Collection;

static void
collect(KilnGuest *guest, gpointer data)
{
    Collection *collection = data;
    remote_domain_stats_record record = { 0 };
    KilnParams params;

    if (!kiln_ops_is_listed(guest, collection->flags & FILTERS))
        return;
    kiln_params_init(&params);
    params.names = collection->names;
    fill(&params, guest, collection->wanted);
    kiln_ops_fill_domain(&record.dom, guest);
    record.params.params_val = params.values;
    record.params.params_len = params.n;
    g_array_append_val(collection->params, params);
    g_array_append_val(collection->records, record);
}

static void
clear_params(gpointer params)
{
    kiln_params_clear(params);
}

static void
answer(KilnCall *call, const Collection *collection)
{
    remote_connect_get_all_domain_stats_ret ret = { 0 };

    if (collection->records->len > REMOTE_DOMAIN_LIST_MAX) {
        kiln_call_fail(call, VIR_ERR_RPC,
                       "Number of domain stats records is %u, which exceeds max "
                       "limit: %d",
                       collection->records->len, REMOTE_DOMAIN_LIST_MAX);
        return;
    }
    ret.retStats.retStats_val = (remote_domain_stats_record *)(gpointer)collection->records->data;
    ret.retStats.retStats_len = collection->records->len;
    kiln_call_reply(call, &ret);
}

/* Those of a list, each once, however often it is there: the time of all others goes by here. */
static void
collect_some(KilnGuestList *guests, const remote_connect_get_all_domain_stats_args *args,
             Collection *collection)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < args->doms.doms_len; i++) {
        const guint8 *uuid = (const guint8 *)args->doms.doms_val[i].uuid;
        KilnGuest *guest = kiln_guest_list_by_uuid(guests, uuid);

        if (guest != NULL && g_hash_table_add(seen, guest)) /* else it has gone meanwhile */
            collect(guest, collection);
    }
}

static void
on_get_all_domain_stats(KilnCall *call, gconstpointer data)
{
    const remote_connect_get_all_domain_stats_args *args = data;
    KilnGuestList *guests = kiln_ops_driver(call)->guests;
    unsigned enforced = (unsigned)VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS;
    Collection collection = { .flags = args->flags };

    if (!kiln_ops_check_flags(call, args->flags, KNOWN_FLAGS))
        return;
    if ((args->flags & enforced) != 0 && (args->stats & ~(unsigned)GROUPS) != 0) {
        kiln_call_fail(call, VIR_ERR_ARGUMENT_UNSUPPORTED,
                       "Stats types bits 0x%x are not supported by this daemon",
                       args->stats & ~(unsigned)GROUPS);
        return;
    }
    collection.wanted = args->stats == 0 ? (unsigned)GROUPS : args->stats & GROUPS;
    collection.records = g_array_new(FALSE, FALSE, sizeof(remote_domain_stats_record));
    collection.params = g_array_new(FALSE, FALSE, sizeof(KilnParams));
    g_array_set_clear_func(collection.params, clear_params);
    collection.names = g_string_chunk_new(NAMES_BYTES);
    if (args->doms.doms_len == 0)
        kiln_guest_list_foreach(guests, collect, &collection);
    else
        collect_some(guests, args, &collection);
    answer(call, &collection);
    g_array_unref(collection.records);
    g_array_unref(collection.params);
    g_string_chunk_free(collection.names);
}

static const KilnProcedure rows[] = {
    KILN_PROC(CONNECT_GET_ALL_DOMAIN_STATS, connect_get_all_domain_stats, KILN_ACCESS_READ,
              on_get_all_domain_stats),
};
const KilnProcedureTable kiln_ops_stats = { rows, G_N_ELEMENTS(rows) };
