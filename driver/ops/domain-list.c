/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains there are: lists with their filters, look-ups. */
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* ---- CONNECT_LIST_ALL_DOMAINS ---- */

/* Of each pair (or triple) of filters, none set is all of them. */
enum {
    FILTER_ACTIVE = VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
    FILTER_PERSISTENT = VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
    FILTER_STATE = VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED |
                   VIR_CONNECT_LIST_DOMAINS_SHUTOFF | VIR_CONNECT_LIST_DOMAINS_OTHER,
    FILTER_MANAGED_SAVE =
        VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE | VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE,
    FILTER_AUTOSTART = VIR_CONNECT_LIST_DOMAINS_AUTOSTART | VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
    FILTER_SNAPSHOT = VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
    FILTER_CHECKPOINT =
        VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
    FILTERS = FILTER_ACTIVE | FILTER_PERSISTENT | FILTER_STATE | FILTER_MANAGED_SAVE |
              FILTER_AUTOSTART | FILTER_SNAPSHOT | FILTER_CHECKPOINT,
};

static gboolean
passes(unsigned flags, unsigned filter, unsigned what_it_is)
{
    return (flags & filter) == 0 || (flags & filter & what_it_is) != 0;
}

static unsigned
state_filter(const KilnGuest *guest)
{
    switch (kiln_guest_state(guest, NULL)) {
    case VIR_DOMAIN_RUNNING: return VIR_CONNECT_LIST_DOMAINS_RUNNING;
    case VIR_DOMAIN_PAUSED: return VIR_CONNECT_LIST_DOMAINS_PAUSED;
    case VIR_DOMAIN_SHUTOFF: return VIR_CONNECT_LIST_DOMAINS_SHUTOFF;
    default: return VIR_CONNECT_LIST_DOMAINS_OTHER;
    }
}

gboolean
kiln_ops_is_listed(const KilnGuest *guest, unsigned flags)
{
    return passes(flags, FILTER_ACTIVE,
                  kiln_guest_is_active(guest) ? VIR_CONNECT_LIST_DOMAINS_ACTIVE
                                              : VIR_CONNECT_LIST_DOMAINS_INACTIVE) &&
           passes(flags, FILTER_PERSISTENT,
                  kiln_guest_is_persistent(guest) ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT
                                                  : VIR_CONNECT_LIST_DOMAINS_TRANSIENT) &&
           passes(flags, FILTER_STATE, state_filter(guest)) &&
           passes(flags, FILTER_MANAGED_SAVE, VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE) &&
           passes(flags, FILTER_AUTOSTART,
                  kiln_guest_autostart(guest) ? VIR_CONNECT_LIST_DOMAINS_AUTOSTART
                                              : VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART) &&
           passes(flags, FILTER_SNAPSHOT, VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT) &&
           passes(flags, FILTER_CHECKPOINT, VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT);
}

typedef struct {
    unsigned flags;
    gboolean wanted; /* the domains, and not their number alone */
    GArray *domains; /* of remote_nonnull_domain */
    guint n;
} Listing;

static void
list_guest(KilnGuest *guest, gpointer data)
{
    Listing *listing = data;
    remote_nonnull_domain about;

    if (!kiln_ops_is_listed(guest, listing->flags))
        return;
    listing->n++;
    if (!listing->wanted)
        return;
    kiln_ops_fill_domain(&about, guest);
    g_array_append_val(listing->domains, about);
}

static void
on_list_all_domains(KilnCall *call, gconstpointer data)
{
    const remote_connect_list_all_domains_args *args = data;
    g_autoptr(GArray) domains = g_array_new(FALSE, FALSE, sizeof(remote_nonnull_domain));
    Listing listing = { args->flags, args->need_results != 0, domains, 0 };
    remote_connect_list_all_domains_ret ret = { 0 };

    if (!kiln_ops_check_flags(call, args->flags, FILTERS))
        return;
    kiln_guest_list_foreach(kiln_ops_driver(call)->guests, list_guest, &listing);
    if (domains->len > REMOTE_DOMAIN_LIST_MAX) {
        kiln_call_fail(call, VIR_ERR_RPC, "Too many domains '%u' for limit '%d'", domains->len,
                       REMOTE_DOMAIN_LIST_MAX);
        return;
    }
    ret.domains.domains_val = (remote_nonnull_domain *)(gpointer)domains->data;
    ret.domains.domains_len = domains->len;
    ret.ret = listing.n;
    kiln_call_reply(call, &ret);
}

/* ---- The older lists ---- */

typedef struct {
    int limit;
    GArray *ids;      /* (nullable) of int: of what runs */
    GPtrArray *names; /* (nullable) of char * (borrowed): of what does not */
} Names;

static void
collect(KilnGuest *guest, gpointer data)
{
    Names *list = data;
    int id = kiln_guest_id(guest);

    if (list->ids != NULL && kiln_guest_is_active(guest) && (int)list->ids->len < list->limit)
        g_array_append_val(list->ids, id);
    if (list->names != NULL && !kiln_guest_is_active(guest) && (int)list->names->len < list->limit)
        g_ptr_array_add(list->names, (char *)kiln_guest_name(guest));
}

static gboolean
check_limit(KilnCall *call, int limit, const char *what)
{
    if (limit >= 0 && limit <= REMOTE_DOMAIN_LIST_MAX)
        return TRUE;
    if (limit < 0)
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "%s in must be zero or greater", what);
    else
        kiln_call_fail(call, VIR_ERR_RPC, "%s > REMOTE_DOMAIN_LIST_MAX", what);
    return FALSE;
}

static void
on_list_domains(KilnCall *call, gconstpointer data)
{
    const remote_connect_list_domains_args *args = data;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(int));
    Names list = { args->maxids, ids, NULL };
    remote_connect_list_domains_ret ret = { 0 };

    if (!check_limit(call, args->maxids, "maxids"))
        return;
    kiln_guest_list_foreach(kiln_ops_driver(call)->guests, collect, &list);
    ret.ids.ids_val = (int *)(gpointer)ids->data;
    ret.ids.ids_len = ids->len;
    kiln_call_reply(call, &ret);
}

static void
on_list_defined_domains(KilnCall *call, gconstpointer data)
{
    const remote_connect_list_defined_domains_args *args = data;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    Names list = { args->maxnames, NULL, names };
    remote_connect_list_defined_domains_ret ret = { 0 };

    if (!check_limit(call, args->maxnames, "maxnames"))
        return;
    kiln_guest_list_foreach(kiln_ops_driver(call)->guests, collect, &list);
    ret.names.names_val = (char **)names->pdata;
    ret.names.names_len = names->len;
    kiln_call_reply(call, &ret);
}

static void
on_num_of_domains(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_num_of_domains_ret ret = { 0 };
    guint active;

    kiln_guest_list_count(kiln_ops_driver(call)->guests, &active);
    ret.num = (int)active;
    kiln_call_reply(call, &ret);
}

static void
on_num_of_defined_domains(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_num_of_defined_domains_ret ret = { 0 };
    guint active, all = kiln_guest_list_count(kiln_ops_driver(call)->guests, &active);

    ret.num = (int)(all - active);
    kiln_call_reply(call, &ret);
}

/* ---- Look-ups ---- */

static void
on_lookup_by_id(KilnCall *call, gconstpointer data)
{
    const remote_domain_lookup_by_id_args *args = data;
    KilnGuest *guest = NULL;
    remote_domain_lookup_by_id_ret ret = { 0 };

    if (args->id >= 0)
        guest = kiln_guest_list_by_id(kiln_ops_driver(call)->guests, args->id);
    if (guest == NULL) {
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain with matching id %d", args->id);
        return;
    }
    kiln_ops_fill_domain(&ret.dom, guest);
    kiln_call_reply(call, &ret);
}

static void
on_lookup_by_name(KilnCall *call, gconstpointer data)
{
    const remote_domain_lookup_by_name_args *args = data;
    KilnGuest *guest = kiln_guest_list_by_name(kiln_ops_driver(call)->guests, args->name);
    remote_domain_lookup_by_name_ret ret = { 0 };

    if (guest == NULL) {
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", args->name);
        return;
    }
    kiln_ops_fill_domain(&ret.dom, guest);
    kiln_call_reply(call, &ret);
}

static void
on_lookup_by_uuid(KilnCall *call, gconstpointer data)
{
    const remote_domain_lookup_by_uuid_args *args = data;
    remote_nonnull_domain about = { .name = (char *)"" };
    remote_domain_lookup_by_uuid_ret ret = { 0 };
    KilnGuest *guest;

    memcpy(about.uuid, args->uuid, sizeof about.uuid);
    guest = kiln_ops_guest(call, &about);
    if (guest == NULL)
        return;
    kiln_ops_fill_domain(&ret.dom, guest);
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC(CONNECT_LIST_ALL_DOMAINS, connect_list_all_domains, KILN_ACCESS_READ,
              on_list_all_domains),
    KILN_PROC(CONNECT_LIST_DOMAINS, connect_list_domains, KILN_ACCESS_READ, on_list_domains),
    KILN_PROC(CONNECT_LIST_DEFINED_DOMAINS, connect_list_defined_domains, KILN_ACCESS_READ,
              on_list_defined_domains),
    KILN_PROC_RET(CONNECT_NUM_OF_DOMAINS, connect_num_of_domains, KILN_ACCESS_READ,
                  on_num_of_domains),
    KILN_PROC_RET(CONNECT_NUM_OF_DEFINED_DOMAINS, connect_num_of_defined_domains, KILN_ACCESS_READ,
                  on_num_of_defined_domains),
    KILN_PROC(DOMAIN_LOOKUP_BY_ID, domain_lookup_by_id, KILN_ACCESS_READ, on_lookup_by_id),
    KILN_PROC(DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, KILN_ACCESS_READ, on_lookup_by_name),
    KILN_PROC(DOMAIN_LOOKUP_BY_UUID, domain_lookup_by_uuid, KILN_ACCESS_READ, on_lookup_by_uuid),
};

const KilnProcedureTable kiln_ops_domain_list = { rows, G_N_ELEMENTS(rows) };
