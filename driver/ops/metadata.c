/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Title, description, and the elements under <metadata>, one of each namespace. */
#include "ops/document.h"
#include "ops/driver.h"
#include "ops/tables.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* The first element of namespace @uri; its index in *@at. */
static KilnXmlNode *
find_element(const KilnDomain *domain, const char *uri, guint *at)
{
    const KilnXmlNode *metadata = domain->metadata;

    for (guint i = 0; metadata != NULL && i < metadata->children->len; i++) {
        KilnXmlNode *child = g_ptr_array_index(metadata->children, i);

        if (g_strcmp0(child->ns, uri) == 0) {
            *at = i;
            return child;
        }
    }
    return NULL;
}

/* ---- Get ---- */

static void
drop_namespace(KilnXmlNode *node, const char *uri)
{
    if (g_strcmp0(node->ns, uri) == 0) {
        g_clear_pointer(&node->ns, g_free);
        g_clear_pointer(&node->prefix, g_free);
    }
    for (guint i = 0; i < node->children->len; i++)
        drop_namespace(g_ptr_array_index(node->children, i), uri);
}

/* An element of its own namespace is given without it, as it was set. */
static char *
format_element(const KilnDomain *domain, const char *uri)
{
    g_autoptr(KilnXmlWriter) writer = NULL;
    g_autoptr(KilnXmlNode) copy = NULL;
    g_autofree char *text = NULL;
    const KilnXmlNode *node;
    guint at;

    node = uri != NULL ? find_element(domain, uri, &at) : NULL;
    if (node == NULL)
        return NULL;
    copy = kiln_xml_node_copy(node);
    drop_namespace(copy, uri);
    writer = kiln_xml_writer_new();
    kiln_xml_subtree(writer, copy);
    text = g_strchomp(kiln_xml_writer_finish(writer));
    return g_steal_pointer(&text);
}

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

    if (guest == NULL || !kiln_ops_affects(call, guest, args->flags, &live, &config))
        return;
    if (live && config) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG,
                       "flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually "
                       "exclusive");
        return;
    }
    domain = kiln_ops_document(call, guest, config, &owned);
    if (domain == NULL)
        return;
    switch (args->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION: text = g_strdup(domain->description); break;
    case VIR_DOMAIN_METADATA_TITLE: text = g_strdup(domain->title); break;
    case VIR_DOMAIN_METADATA_ELEMENT:
        text = format_element(domain, args->uri != NULL ? *args->uri : NULL);
        break;
    default:
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown metadata type '%d'", args->type);
        return;
    }
    if (text == NULL) {
        kiln_call_fail(call, VIR_ERR_NO_DOMAIN_METADATA,
                       "Requested metadata element is not present");
        return;
    }
    ret.metadata = text;
    kiln_call_reply(call, &ret);
}

/* ---- Set ---- */

typedef struct {
    KilnCall *call;
    int type;
    char *text; /* (owned) (nullable) */
    char *uri;  /* (owned) (nullable) */
    char *key;  /* (owned) (nullable) */
} Change;

static void
change_free(Change *change)
{
    g_free(change->text);
    g_free(change->uri);
    g_free(change->key);
    g_free(change);
}

static void
put_namespace(KilnXmlNode *node, const char *uri, const char *key)
{
    if (node->ns == NULL) {
        node->ns = g_strdup(uri);
        g_free(node->prefix);
        node->prefix = g_strdup(key);
    }
    for (guint i = 0; i < node->children->len; i++)
        put_namespace(g_ptr_array_index(node->children, i), uri, key);
}

/* Parsed into the namespace; NULL with @error set. */
static KilnXmlNode *
parse_element(const Change *change, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(change->text, strlen(change->text), faults);

    if (!kiln_ops_faults_error(faults, error) || node == NULL)
        return NULL;
    put_namespace(node, change->uri, change->key);
    return g_steal_pointer(&node);
}

static KilnXmlNode *
empty_metadata(void)
{
    static const char text[] = "<metadata/>";
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    return kiln_xml_parse(text, sizeof text - 1, faults);
}

static gboolean
set_element(KilnDomain *domain, const Change *change, GError **error)
{
    g_autoptr(KilnXmlNode) node = NULL;
    guint at;

    if (change->text != NULL) {
        node = parse_element(change, error);
        if (node == NULL)
            return FALSE;
        if (domain->metadata == NULL)
            domain->metadata = empty_metadata();
    }
    while (find_element(domain, change->uri, &at) != NULL)
        g_ptr_array_remove_index(domain->metadata->children, at);
    if (node == NULL)
        return TRUE;
    node->parent = domain->metadata;
    node->text_offset = strlen(domain->metadata->text);
    g_ptr_array_add(domain->metadata->children, g_steal_pointer(&node));
    return TRUE;
}

static void
set_text(char **member, const char *text)
{
    g_free(*member);
    *member = text != NULL && *text != '\0' ? g_strdup(text) : NULL;
}

static gboolean
set_metadata(KilnDomain *domain, gpointer data, GError **error)
{
    const Change *change = data;

    switch (change->type) {
    case VIR_DOMAIN_METADATA_DESCRIPTION: set_text(&domain->description, change->text); break;
    case VIR_DOMAIN_METADATA_TITLE: set_text(&domain->title, change->text); break;
    default: return set_element(domain, change, error);
    }
    return TRUE;
}

static void
config_done(KilnGuest *guest, const GError *error, gpointer data)
{
    Change *change = data;
    const KilnGuestNews news = {
        .event_id = VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        .type = change->type,
        .texts = { change->uri },
    };

    if (error == NULL)
        kiln_guest_tell(guest, &news);
    kiln_ops_done(guest, error, change->call);
    change_free(change);
}

/* Whether it can stand in a document. */
static gboolean
is_xml_text(const char *text)
{
    if (text == NULL)
        return TRUE;
    if (!g_utf8_validate(text, -1, NULL))
        return FALSE;
    for (; *text != '\0'; text++)
        if ((guchar)*text < ' ' && strchr("\t\n\r", *text) == NULL)
            return FALSE;
    return TRUE;
}

/* A namespace's prefix (Namespaces in XML 1.0 third edition, NCName), of ASCII. */
static gboolean
is_prefix(const char *text)
{
    if (!g_ascii_isalpha(*text) && *text != '_')
        return FALSE;
    for (; *text != '\0'; text++)
        if (!g_ascii_isalnum(*text) && strchr("_-.", *text) == NULL)
            return FALSE;
    return TRUE;
}

static gboolean
check_element(KilnCall *call, const Change *change)
{
    if (change->uri == NULL || (change->text != NULL && change->key == NULL))
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "%s in must not be NULL",
                       change->uri == NULL ? "uri" : "key");
    else if (*change->uri == '\0')
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "the namespace's URI is empty");
    else if (change->key != NULL && !is_prefix(change->key))
        kiln_call_fail(call, VIR_ERR_INTERNAL_ERROR,
                       "failed to validate prefix for a new XML namespace");
    else
        return TRUE;
    return FALSE;
}

static gboolean
check_change(KilnCall *call, const Change *change)
{
    if (!is_xml_text(change->text) || !is_xml_text(change->uri)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "metadata has characters that XML cannot hold");
        return FALSE;
    }
    switch (change->type) {
    case VIR_DOMAIN_METADATA_TITLE:
        if (change->text != NULL && strchr(change->text, '\n') != NULL) {
            kiln_call_fail(call, VIR_ERR_INVALID_ARG, "metadata title can't contain newlines");
            return FALSE;
        }
        return TRUE;
    case VIR_DOMAIN_METADATA_DESCRIPTION: return TRUE;
    case VIR_DOMAIN_METADATA_ELEMENT: return check_element(call, change);
    default:
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown metadata type '%d'", change->type);
        return FALSE;
    }
}

static char *
copy(const remote_string text)
{
    return text != NULL ? g_strdup(*text) : NULL;
}

static void
on_set_metadata(KilnCall *call, gconstpointer data)
{
    const remote_domain_set_metadata_args *args = data;
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    gboolean live, config;
    Change *change;

    if (guest == NULL || !kiln_ops_affects(call, guest, args->flags, &live, &config))
        return;
    change = g_new(Change, 1);
    *change = (Change){ call, args->type, copy(args->metadata), copy(args->uri), copy(args->key) };
    if (!check_change(call, change)) {
        change_free(change);
        return;
    }
    if (live) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "metadata of a running domain cannot be changed yet, its definition's can "
                       "(--config)");
        change_free(change);
        return;
    }
    kiln_guest_edit(guest, set_metadata, change, config_done, change);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_METADATA, domain_get_metadata, KILN_ACCESS_READ, on_get_metadata),
    KILN_PROC_ARGS(DOMAIN_SET_METADATA, domain_set_metadata, KILN_ACCESS_WRITE, on_set_metadata),
};

const KilnProcedureTable kiln_ops_metadata = { rows, G_N_ELEMENTS(rows) };
