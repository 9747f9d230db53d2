/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See rules.h.  The rows are in the files that rules-tables.h names; here is how they are found. */
#include "domain/rules.h"

#include "domain/rules-tables.h"

#include <string.h>

static const KilnRuleTable *const tables[] = {
    &kiln_rules_guest, &kiln_rules_disk, &kiln_rules_net, &kiln_rules_char, &kiln_rules_devices,
};

const KilnDomainRule *
kiln_domain_rules(guint *n_rules)
{
    static GArray *all;

    if (g_once_init_enter(&all)) {
        GArray *rules = g_array_new(FALSE, FALSE, sizeof(KilnDomainRule));

        for (guint i = 0; i < G_N_ELEMENTS(tables); i++)
            g_array_append_vals(rules, tables[i]->rules, tables[i]->n);
        g_once_init_leave(&all, rules);
    }
    *n_rules = all->len;
    return (const KilnDomainRule *)(const void *)all->data;
}

const char *
kiln_rule_attribute(const KilnXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);

        if (attribute->ns == NULL && strcmp(attribute->name, name) == 0)
            return attribute->value;
    }
    return NULL;
}

const KilnXmlNode *
kiln_rule_child(const KilnXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);

        if (child->ns == NULL && strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

/* ---- Matching -------------------------------------------------------------------------------- */

enum { MAX_STEP = 64 };

/* Whether one step, "name", "*" or "name[attribute=value]", fits @node. */
static gboolean
step_fits(const char *step, gsize length, const KilnXmlNode *node)
{
    gsize name = strcspn(step, "[/@");
    const char *equals, *value;
    char attribute[MAX_STEP];

    name = MIN(name, length);
    if (node->ns != NULL)
        return FALSE;
    if (!(name == 1 && *step == '*') &&
        (strlen(node->name) != name || strncmp(step, node->name, name) != 0))
        return FALSE;
    if (name == length)
        return TRUE;
    equals = memchr(step, '=', length);
    g_assert(equals != NULL && equals - step < MAX_STEP); /* our own table */
    memcpy(attribute, step + name + 1, (gsize)(equals - step) - name - 1);
    attribute[(gsize)(equals - step) - name - 1] = '\0';
    value = kiln_rule_attribute(node, attribute);
    equals++;
    length -= (gsize)(equals - step) + 1; /* without the "]" */
    return value != NULL && strlen(value) == length && strncmp(equals, value, length) == 0;
}

static guint
depth_of(const KilnXmlNode *node)
{
    guint depth = 0;

    for (; node->parent != NULL; node = node->parent)
        depth++;
    return depth;
}

static const KilnXmlNode *
ancestor_at(const KilnXmlNode *node, guint depth, guint wanted)
{
    for (; depth > wanted; depth--)
        node = node->parent;
    return node;
}

static gboolean
pattern_fits(const char *pattern, const KilnXmlNode *node, const char *attribute)
{
    guint depth = depth_of(node), at = 0;

    for (;;) {
        gsize length = strcspn(pattern, "/@");

        if (strcmp(pattern, "**") == 0)
            return TRUE;
        if (at > depth || !step_fits(pattern, length, ancestor_at(node, depth, at)))
            return FALSE;
        pattern += length;
        if (*pattern != '/')
            break;
        pattern++;
        at++;
        if (at > depth && strcmp(pattern, "**") == 0)
            return TRUE; /* the element itself */
    }
    if (at != depth)
        return FALSE;
    if (*pattern == '\0' || attribute == NULL)
        return *pattern == '\0' && attribute == NULL;
    return strcmp(pattern, "@*") == 0 || strcmp(pattern + 1, attribute) == 0;
}

static void
append_path(GString *path, const KilnXmlNode *node)
{
    if (node->parent != NULL) {
        append_path(path, node->parent);
        g_string_append_c(path, '/');
    }
    g_string_append(path, node->name);
}

/* Whether @pattern may fit what is at @path: it does not differ before its first wildcard or
 * condition.  Most patterns have neither, so this settles most of them. */
static gboolean
may_fit(const char *pattern, const char *path)
{
    while (*pattern != '\0' && *pattern == *path) {
        pattern++;
        path++;
    }
    return *pattern == *path || *pattern == '*' || *pattern == '[' || strcmp(pattern, "/**") == 0;
}

const KilnDomainRule *
kiln_domain_rules_find(const KilnXmlNode *node, const char *attribute)
{
    g_autoptr(GString) path = g_string_sized_new(64);

    append_path(path, node);
    if (attribute != NULL)
        g_string_append_printf(path, "@%s", attribute);
    for (guint t = 0; t < G_N_ELEMENTS(tables); t++) {
        const KilnDomainRule *rules = tables[t]->rules;

        for (guint i = 0; i < tables[t]->n; i++) {
            if (may_fit(rules[i].pattern, path->str) &&
                pattern_fits(rules[i].pattern, node, attribute))
                return &rules[i];
        }
    }
    return NULL;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

gboolean
kiln_domain_rule_allows(const KilnDomainRule *rule, const char *value)
{
    g_auto(GStrv) words = NULL;

    if (rule->values == NULL)
        return TRUE;
    words = g_strsplit(rule->values, " ", -1);
    for (char **word = words; *word != NULL; word++) {
        gsize length = strlen(*word);

        if ((*word)[length - 1] == '*' ? strncmp(*word, value, length - 1) == 0
                                       : strcmp(*word, value) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean
takes(const KilnXmlNode *node, const char *attribute, const char *value)
{
    const KilnDomainRule *rule = kiln_domain_rules_find(node, attribute);

    return rule != NULL && rule->verdict != KILN_RULE_REFUSED &&
           (value == NULL || kiln_domain_rule_allows(rule, value));
}

static void
add_attribute(KilnXmlNode *node, const char *name, gsize length, const char *value)
{
    KilnXmlAttribute *attribute = g_new0(KilnXmlAttribute, 1);

    attribute->name = g_strndup(name, length);
    attribute->value = g_strdup(value);
    g_ptr_array_add(node->attributes, attribute);
}

static void
attribute_free(gpointer data)
{
    KilnXmlAttribute *attribute = data;

    g_free(attribute->name);
    g_free(attribute->value);
    g_free(attribute);
}

/* The element that @step, "name" or "name[attribute=value]", is. */
static KilnXmlNode *
node_of(const char *step, KilnXmlNode *parent)
{
    KilnXmlNode *node = g_new0(KilnXmlNode, 1);
    gsize name = strcspn(step, "[@");
    const char *equals = strchr(step, '=');

    node->name = g_strndup(step, name);
    node->parent = parent;
    node->attributes = g_ptr_array_new_with_free_func(attribute_free);
    node->children = g_ptr_array_new();
    if (step[name] == '[' && equals != NULL) {
        g_autofree char *value = g_strndup(equals + 1, strcspn(equals + 1, "]"));

        add_attribute(node, step + name + 1, (gsize)(equals - step) - name - 1, value);
    }
    return node;
}

static void
node_free(gpointer data)
{
    KilnXmlNode *node = data;

    g_ptr_array_unref(node->attributes);
    g_ptr_array_unref(node->children);
    g_free(node->name);
    g_free(node);
}

gboolean
kiln_domain_rules_take(const char *path, const char *value)
{
    g_auto(GStrv) steps = g_strsplit(path, "/", -1);
    g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(node_free);
    const char *attribute = strchr(path, '@');
    KilnXmlNode *node = NULL;

    for (char **step = steps; *step != NULL; step++) {
        gboolean last = step[1] == NULL;

        node = node_of(*step, node);
        g_ptr_array_add(nodes, node);
        if (last && attribute != NULL && value != NULL)
            add_attribute(node, attribute + 1, strlen(attribute + 1), value);
        if (!takes(node, NULL, last && attribute == NULL ? value : NULL))
            return FALSE;
    }
    return attribute == NULL || takes(node, attribute + 1, value);
}
