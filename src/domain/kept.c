/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kept.h. */
#include "domain/kept.h"

static void
element_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    kiln_xml_take_subtree(node);
    *(KilnXmlNode **)member = kiln_xml_node_copy(node);
}

static gboolean
element_present(const void *member)
{
    return *(KilnXmlNode *const *)member != NULL;
}

static void
element_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    kiln_xml_subtree_content(writer, *(KilnXmlNode *const *)member);
}

static void
element_clear(void *member)
{
    g_clear_pointer((KilnXmlNode **)member, kiln_xml_node_free);
}

const KilnFieldOps kiln_kept_element_ops = {
    .parse = element_parse,
    .present = element_present,
    .format = element_format,
    .clear = element_clear,
};

void
kiln_kept_take(GPtrArray **list, KilnXmlNode *node, const char *const *names)
{
    for (guint i = 0; i < node->children->len; i++) {
        KilnXmlNode *child = g_ptr_array_index(node->children, i);
        gboolean wanted = names == NULL ? child->ns != NULL
                                        : child->ns == NULL && g_strv_contains(names, child->name);

        if (child->taken || !wanted)
            continue;
        kiln_xml_take_subtree(child);
        if (*list == NULL)
            *list = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_xml_node_free);
        g_ptr_array_add(*list, kiln_xml_node_copy(child));
    }
}

gboolean
kiln_kept_present(const void *member)
{
    return *(GPtrArray *const *)member != NULL;
}

void
kiln_kept_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    const GPtrArray *list = *(GPtrArray *const *)member;

    for (guint i = 0; i < list->len; i++)
        kiln_xml_subtree(writer, g_ptr_array_index(list, i));
}

void
kiln_kept_clear(void *member)
{
    g_clear_pointer((GPtrArray **)member, g_ptr_array_unref);
}
