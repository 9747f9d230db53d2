/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds a document against the table of rules.c: every element and attribute is looked up, and what
 * the table does not honour is a fault that says why.
 */
#include "domain/domain.h"
#include "domain/rules.h"

#include <string.h>

/* Whether what is below may be looked at: it is not refused as a whole. */
static gboolean
hold(const KilnDomain *domain, const KilnXmlNode *node, const char *attribute, const char *value,
     KilnFaults *faults)
{
    const KilnDomainRule *rule = kiln_domain_rules_find(node, attribute);
    const char *reason = NULL;

    if (rule == NULL)
        reason = "not available in this version";
    else if (rule->verdict == KILN_RULE_REFUSED)
        reason = rule->note;
    else if (rule->check != NULL)
        reason = rule->check(domain, node);
    if (reason != NULL) {
        kiln_fault_add(faults, KILN_FAULT_UNSUPPORTED, node, attribute, "%s", reason);
        return rule != NULL && rule->verdict != KILN_RULE_REFUSED;
    }
    if (!kiln_domain_rule_allows(rule, value))
        kiln_fault_add(faults, KILN_FAULT_UNSUPPORTED, node, attribute, "'%s' is not honoured: %s",
                       value, rule->note != NULL ? rule->note : rule->values);
    return TRUE;
}

/* @kept: @node is in a subtree that was taken as a whole */
static void
walk(const KilnDomain *domain, const KilnXmlNode *node, gboolean kept, KilnFaults *faults)
{
    g_autofree char *text = NULL;

    if (node->ns != NULL)
        return; /* of another namespace, which others read */
    if (!node->taken && !kept)
        return; /* the parser has told that it does not know it */
    kept = kept || node->subtree_taken;
    text = g_strstrip(g_strdup(node->text));
    if (!hold(domain, node, NULL, text, faults))
        return;
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);

        if (attribute->ns == NULL && (attribute->taken || kept))
            (void)hold(domain, node, attribute->name, attribute->value, faults);
    }
    if (node->subtree_taken && strcmp(node->name, "metadata") == 0)
        return;
    for (guint i = 0; i < node->children->len; i++)
        walk(domain, g_ptr_array_index(node->children, i), kept, faults);
}

gboolean
kiln_domain_validate(const KilnDomain *domain, KilnFaults *faults)
{
    guint before = kiln_faults_count(faults);
    g_autoptr(KilnDomain) copy = NULL;

    if (domain->document == NULL) /* made by hand: the places are those of its text */
        domain = copy = kiln_domain_copy(domain);
    walk(domain, domain->document, FALSE, faults);
    kiln_faults_sort(faults);
    return kiln_faults_count(faults) == before && !kiln_faults_overflowed(faults);
}
