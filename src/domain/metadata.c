/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See metadata.h. */
#include "domain/metadata.h"

#include "base/error.h"

#include <string.h>

/* ---- Get ---- */

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

static char *
format_element(const KilnDomain *domain, const char *uri)
{
    g_autoptr(KilnXmlWriter) writer = NULL;
    g_autoptr(KilnXmlNode) copy = NULL;
    const KilnXmlNode *node;
    guint at;

    node = uri != NULL ? find_element(domain, uri, &at) : NULL;
    if (node == NULL)
        return NULL;
    copy = kiln_xml_node_copy(node);
    drop_namespace(copy, uri);
    writer = kiln_xml_writer_new();
    kiln_xml_subtree(writer, copy);
    return g_strchomp(kiln_xml_writer_finish(writer));
}

char *
kiln_metadata_get(const KilnDomain *domain, int kind, const char *uri)
{
    switch (kind) {
    case KILN_METADATA_DESCRIPTION: return g_strdup(domain->description);
    case KILN_METADATA_TITLE: return g_strdup(domain->title);
    case KILN_METADATA_ELEMENT: return format_element(domain, uri);
    default: return NULL;
    }
}

/* ---- Set ---- */

/* Whether it can stand in a document. */
static gboolean
is_xml_text(const char *text)
{
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

/* Returns: (transfer full): NULL with @error set. */
static KilnXmlNode *
parse_element(const char *text, const char *key, const char *uri, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(text, strlen(text), faults);

    if (!kiln_faults_to_error(faults, "metadata", error) || node == NULL)
        return NULL;
    put_namespace(node, uri, key);
    return g_steal_pointer(&node);
}

static KilnXmlNode *
empty_metadata(void)
{
    static const char text[] = "<metadata/>";
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    return kiln_xml_parse(text, sizeof text - 1, faults);
}

static void
add_element(KilnDomain *domain, KilnXmlNode *node)
{
    if (domain->metadata == NULL)
        domain->metadata = empty_metadata();
    node->parent = domain->metadata;
    node->text_offset = strlen(domain->metadata->text);
    g_ptr_array_add(domain->metadata->children, node);
}

static gboolean
set_element(KilnDomain *domain, const char *text, const char *key, const char *uri, GError **error)
{
    g_autoptr(KilnXmlNode) node = NULL;
    guint at;

    if (uri == NULL || *uri == '\0')
        return kiln_error_set(error, KILN_ERROR_INVALID, "metadata: a namespace's URI is needed");
    if (text != NULL && *text != '\0') {
        if (key == NULL || !is_prefix(key))
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "metadata: '%s' is no prefix of a namespace",
                                  key != NULL ? key : "");
        node = parse_element(text, key, uri, error);
        if (node == NULL)
            return FALSE;
    }
    while (find_element(domain, uri, &at) != NULL)
        g_ptr_array_remove_index(domain->metadata->children, at);
    if (node != NULL)
        add_element(domain, g_steal_pointer(&node));
    return TRUE;
}

static void
set_text(char **member, const char *text)
{
    g_free(*member);
    *member = text != NULL && *text != '\0' ? g_strdup(text) : NULL;
}

gboolean
kiln_metadata_set(KilnDomain *domain, int kind, const char *text, const char *key, const char *uri,
                  GError **error)
{
    if ((text != NULL && !is_xml_text(text)) || (uri != NULL && !is_xml_text(uri)))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "metadata has characters that XML cannot hold");
    switch (kind) {
    case KILN_METADATA_DESCRIPTION: set_text(&domain->description, text); return TRUE;
    case KILN_METADATA_TITLE:
        if (text != NULL && strchr(text, '\n') != NULL)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "metadata title can't contain newlines");
        set_text(&domain->title, text);
        return TRUE;
    case KILN_METADATA_ELEMENT: return set_element(domain, text, key, uri, error);
    default: return kiln_error_set(error, KILN_ERROR_INVALID, "unknown metadata type '%d'", kind);
    }
}

/* ---- What becomes of the guest ---- */

static const struct {
    const char *name;
    KilnLifecycleAction action;
    gboolean of_crash; /* and of no other event */
} actions[] = {
    { "destroy", KILN_ACTION_DESTROY, FALSE },
    { "restart", KILN_ACTION_RESTART, FALSE },
    { "rename-restart", KILN_ACTION_RENAME_RESTART, FALSE },
    { "preserve", KILN_ACTION_PRESERVE, FALSE },
    { "coredump-destroy", KILN_ACTION_COREDUMP_DESTROY, TRUE },
    { "coredump-restart", KILN_ACTION_COREDUMP_RESTART, TRUE },
};

static KilnLifecycleAction *
find_event(KilnLifecycle *lifecycle, const char *event)
{
    if (strcmp(event, "poweroff") == 0)
        return &lifecycle->on_poweroff;
    if (strcmp(event, "reboot") == 0)
        return &lifecycle->on_reboot;
    return strcmp(event, "crash") == 0 ? &lifecycle->on_crash : NULL;
}

gboolean
kiln_lifecycle_set(KilnDomain *domain, const char *event, const char *action, GError **error)
{
    KilnLifecycleAction *member = find_event(&domain->lifecycle, event);

    if (member == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "there is no lifecycle event '%s'", event);
    for (guint i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (strcmp(actions[i].name, action) != 0)
            continue;
        if (actions[i].of_crash && member != &domain->lifecycle.on_crash)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "Lifecycle event '%s' doesn't support '%s' action", event,
                                  action);
        *member = actions[i].action;
        return TRUE;
    }
    return kiln_error_set(error, KILN_ERROR_INVALID, "there is no lifecycle action '%s'", action);
}
