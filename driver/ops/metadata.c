/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Title, description, elements under <metadata>, and lifecycle actions: what a definition says and
 * no device depends on, so what runs can have it changed too.
 *
 *   live: SetMetadata of the process, which has the document -> config: an edit -> event -> answer
 */
#include "domain/metadata.h"

#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

G_STATIC_ASSERT((int)KILN_METADATA_DESCRIPTION == VIR_DOMAIN_METADATA_DESCRIPTION);
G_STATIC_ASSERT((int)KILN_METADATA_TITLE == VIR_DOMAIN_METADATA_TITLE);
G_STATIC_ASSERT((int)KILN_METADATA_ELEMENT == VIR_DOMAIN_METADATA_ELEMENT);

/* ---- Get ---- */

static void
on_get_metadata(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_metadata_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_autoptr(KilnDomain) owned = NULL;
    g_autofree char *text = NULL;
    remote_domain_get_metadata_ret ret;
    const KilnDomain *domain;
    gboolean live, config;

    if (guest == NULL ||
        !kiln_ops_check_flags(call, args->flags,
                              VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG) ||
        !kiln_ops_exclusive_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE,
                                  "VIR_DOMAIN_AFFECT_LIVE", VIR_DOMAIN_AFFECT_CONFIG,
                                  "VIR_DOMAIN_AFFECT_CONFIG") ||
        !kiln_ops_affects(call, guest, args->flags, &live, &config))
        return;
    if (args->type < KILN_METADATA_DESCRIPTION || args->type > KILN_METADATA_ELEMENT) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown metadata type '%d'", args->type);
        return;
    }
    domain = kiln_ops_document(call, guest, config, &owned);
    if (domain == NULL)
        return;
    text = kiln_metadata_get(domain, args->type, args->uri != NULL ? *args->uri : NULL);
    if (text == NULL) {
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_METADATA,
                       "Requested metadata element is not present");
        return;
    }
    ret.metadata = text;
    kiln_call_reply(call, &ret);
}

/* ---- Set ---- */

typedef struct Change Change;

/* A change under way; @method takes the same as @apply does. */
struct Change {
    KilnCall *call;
    gboolean config; /* still to be done */
    gboolean (*apply)(KilnDomain *domain, gpointer change, GError **error);
    const char *method;
    GVariant *arguments; /* (owned) */
    gboolean tells;      /* an event, once it is done */

    int kind;
    char *text; /* (owned) (nullable) */
    char *key;  /* (owned) (nullable) */
    char *uri;  /* (owned) (nullable) */
    const char *event;
    const char *action;
};

static void
change_end(KilnGuest *guest, const GError *error, gpointer data)
{
    Change *change = data;
    const KilnGuestNews news = {
        .event_id = VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        .type = change->kind,
        .texts = { change->uri },
    };

    if (error == NULL && change->tells)
        kiln_guest_tell(guest, &news);
    kiln_ops_done(guest, error, change->call);
    g_variant_unref(change->arguments);
    g_free(change->text);
    g_free(change->key);
    g_free(change->uri);
    g_free(change);
}

/* The daemon's copy of the document has it at once; the process tells the whole again soon. */
static void
keep(KilnGuest *guest, Change *change)
{
    KilnDomain *live = (KilnDomain *)kiln_guest_live(guest);

    if (live != NULL)
        (void)change->apply(live, change, NULL);
}

static void
live_done(KilnGuest *guest, G_GNUC_UNUSED GVariant *answer, G_GNUC_UNUSED GUnixFDList *fds,
          const GError *error, gpointer data)
{
    Change *change = data;

    if (error == NULL)
        keep(guest, change);
    if (error == NULL && change->config)
        kiln_guest_edit(guest, change->apply, change, change_end, change);
    else
        change_end(guest, error, change);
}

/* Takes over @change; the guest's own errors of it are found before anything is changed. */
static void
begin(KilnGuest *guest, Change *change, unsigned flags)
{
    g_autoptr(KilnDomain) copy = NULL;
    g_autoptr(GError) error = NULL;
    gboolean live;

    g_variant_ref_sink(change->arguments);
    if (!kiln_guest_affects(guest, flags, &live, &change->config, &error)) {
        change->tells = FALSE;
        change_end(guest, error, change);
        return;
    }
    if (!live) {
        kiln_guest_edit(guest, change->apply, change, change_end, change);
        return;
    }
    kiln_guest_call(guest, change->method, change->arguments, NULL, KILN_GUEST_CALL_MS, live_done,
                    change);
}

static gboolean
apply_metadata(KilnDomain *domain, gpointer data, GError **error)
{
    const Change *change = data;

    return kiln_metadata_set(domain, change->kind, change->text, change->key, change->uri, error);
}

static char *
copy_of(const remote_string text)
{
    return text != NULL ? g_strdup(*text) : NULL;
}

static const char *
plain(const char *text)
{
    return text != NULL && g_utf8_validate(text, -1, NULL) ? text : "";
}

static gboolean
all_utf8(const Change *change)
{
    return (change->text == NULL || g_utf8_validate(change->text, -1, NULL)) &&
           (change->key == NULL || g_utf8_validate(change->key, -1, NULL)) &&
           (change->uri == NULL || g_utf8_validate(change->uri, -1, NULL));
}

static void
on_set_metadata(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_metadata_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_autoptr(GError) error = NULL;
    Change *change;

    if (guest == NULL ||
        !kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        return;
    change = g_new0(Change, 1);
    change->call = call;
    change->apply = apply_metadata;
    change->method = "SetMetadata";
    change->tells = TRUE;
    change->kind = args->type;
    change->text = copy_of(args->metadata);
    change->key = copy_of(args->key);
    change->uri = copy_of(args->uri);
    change->arguments = g_variant_new("(isss)", change->kind, plain(change->text),
                                      plain(change->key), plain(change->uri));
    if (all_utf8(change)) {
        begin(guest, change, args->flags);
        return;
    }
    g_variant_ref_sink(change->arguments);
    kiln_vir_error_set(&error, VIR_ERR_INVALID_ARG, "metadata is not UTF-8");
    change_end(guest, error, change);
}

/* ---- Lifecycle actions ---- */

static const char *const event_names[] = {
    [VIR_DOMAIN_LIFECYCLE_POWEROFF] = "poweroff",
    [VIR_DOMAIN_LIFECYCLE_REBOOT] = "reboot",
    [VIR_DOMAIN_LIFECYCLE_CRASH] = "crash",
};

static const char *const action_names[] = {
    [VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY] = "destroy",
    [VIR_DOMAIN_LIFECYCLE_ACTION_RESTART] = "restart",
    [VIR_DOMAIN_LIFECYCLE_ACTION_RESTART_RENAME] = "rename-restart",
    [VIR_DOMAIN_LIFECYCLE_ACTION_PRESERVE] = "preserve",
    [VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_DESTROY] = "coredump-destroy",
    [VIR_DOMAIN_LIFECYCLE_ACTION_COREDUMP_RESTART] = "coredump-restart",
};

static gboolean
apply_action(KilnDomain *domain, gpointer data, GError **error)
{
    const Change *change = data;

    return kiln_lifecycle_set(domain, change->event, change->action, error);
}

static void
on_set_lifecycle_action(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_lifecycle_action_args *args = data;
    KilnGuest *guest;
    Change *change;

    if (args->type >= G_N_ELEMENTS(event_names) || args->action >= G_N_ELEMENTS(action_names)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown lifecycle event %u or action %u",
                       args->type, args->action);
        return;
    }
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL ||
        !kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG))
        return;
    change = g_new0(Change, 1);
    change->call = call;
    change->apply = apply_action;
    change->method = "SetLifecycle";
    change->event = event_names[args->type];
    change->action = action_names[args->action];
    change->arguments = g_variant_new("(ss)", change->event, change->action);
    begin(guest, change, args->flags);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_METADATA, domain_get_metadata, KILN_ACCESS_READ, on_get_metadata),
    KILN_PROC_ARGS(DOMAIN_SET_METADATA, domain_set_metadata, KILN_ACCESS_WRITE, on_set_metadata),
    KILN_PROC_ARGS(DOMAIN_SET_LIFECYCLE_ACTION, domain_set_lifecycle_action, KILN_ACCESS_WRITE,
                   on_set_lifecycle_action),
};

const KilnProcedureTable kiln_ops_metadata = { rows, G_N_ELEMENTS(rows) };
