/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See xml.h.  expat events -> tree; then the takers, which the family parsers use. */
#include "domain/xml.h"

#include <expat.h>
#include <string.h>

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void
attribute_free(gpointer data)
{
    KilnXmlAttribute *attribute = data;

    g_free(attribute->name);
    g_free(attribute->ns);
    g_free(attribute->prefix);
    g_free(attribute->value);
    g_free(attribute);
}

void
kiln_xml_node_free(KilnXmlNode *node)
{
    if (node == NULL)
        return;
    g_free(node->name);
    g_free(node->ns);
    g_free(node->prefix);
    g_free(node->text);
    g_ptr_array_unref(node->attributes);
    g_ptr_array_unref(node->children);
    g_free(node);
}

static KilnXmlNode *
node_new(void)
{
    KilnXmlNode *node = g_new0(KilnXmlNode, 1);

    node->attributes = g_ptr_array_new_with_free_func(attribute_free);
    node->children = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_xml_node_free);
    return node;
}

KilnXmlNode *
kiln_xml_node_copy(const KilnXmlNode *node)
{
    KilnXmlNode *copy = node_new();

    copy->name = g_strdup(node->name);
    copy->ns = g_strdup(node->ns);
    copy->prefix = g_strdup(node->prefix);
    copy->text = g_strdup(node->text);
    copy->text_offset = node->text_offset;
    copy->place = node->place;
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *from = g_ptr_array_index(node->attributes, i);
        KilnXmlAttribute *to = g_new0(KilnXmlAttribute, 1);

        to->name = g_strdup(from->name);
        to->ns = g_strdup(from->ns);
        to->prefix = g_strdup(from->prefix);
        to->value = g_strdup(from->value);
        g_ptr_array_add(copy->attributes, to);
    }
    for (guint i = 0; i < node->children->len; i++) {
        KilnXmlNode *child = kiln_xml_node_copy(g_ptr_array_index(node->children, i));

        child->parent = copy;
        g_ptr_array_add(copy->children, child);
    }
    return copy;
}

/* ---- Building the tree ----------------------------------------------------------------------- */

typedef struct {
    XML_Parser expat;
    KilnFaults *faults;
    KilnXmlNode *root;    /* (owned) (nullable) */
    KilnXmlNode *current; /* (nullable) */
    GPtrArray *texts;     /* (owned) of GString: the text so far of each open element */
    guint n_nodes;
    gboolean stopped;
} Builder;

static KilnXmlPlace
builder_place(const Builder *builder)
{
    return (KilnXmlPlace){
        .line = (guint)XML_GetCurrentLineNumber(builder->expat),
        .column = (guint)XML_GetCurrentColumnNumber(builder->expat) + 1,
    };
}

static void
stop(Builder *builder, const char *reason)
{
    if (builder->stopped)
        return;
    builder->stopped = TRUE;
    kiln_fault_add_at(builder->faults, KILN_FAULT_XML, builder_place(builder), "", "%s", reason);
    XML_StopParser(builder->expat, XML_FALSE);
}

/* Expat gives "local", "uri\nlocal" or "uri\nlocal\nprefix"; none of the parts holds a newline. */
static void
split_name(const char *triplet, char **name, char **ns, char **prefix)
{
    g_auto(GStrv) parts = g_strsplit(triplet, "\n", 3);

    *name = g_strdup(parts[1] != NULL ? parts[1] : parts[0]);
    *ns = g_strdup(parts[1] != NULL ? parts[0] : NULL);
    *prefix = g_strdup(parts[1] != NULL ? parts[2] : NULL);
}

static void
text_free(gpointer data)
{
    g_string_free(data, TRUE);
}

static void
on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    Builder *builder = data;
    KilnXmlNode *parent = builder->current;
    KilnXmlNode *node;

    if (builder->stopped)
        return;
    if (builder->texts->len == KILN_XML_MAX_DEPTH) {
        stop(builder, "elements are nested too deeply (64 levels at most)");
        return;
    }
    node = node_new();
    split_name(name, &node->name, &node->ns, &node->prefix);
    node->place = builder_place(builder);
    node->parent = parent;
    if (parent != NULL) {
        const GString *text = g_ptr_array_index(builder->texts, builder->texts->len - 1);

        node->text_offset = text->len;
        g_ptr_array_add(parent->children, node);
    } else {
        builder->root = node;
    }
    for (; attributes[0] != NULL; attributes += 2) {
        KilnXmlAttribute *attribute = g_new0(KilnXmlAttribute, 1);

        split_name(attributes[0], &attribute->name, &attribute->ns, &attribute->prefix);
        attribute->value = g_strdup(attributes[1]);
        g_ptr_array_add(node->attributes, attribute);
        builder->n_nodes++;
    }
    builder->current = node;
    g_ptr_array_add(builder->texts, g_string_new(NULL));
    if (++builder->n_nodes > KILN_XML_MAX_NODES)
        stop(builder, "too many elements and attributes (200000 at most)");
}

static void
on_end(void *data, const XML_Char *name)
{
    Builder *builder = data;
    GString *text;

    if (builder->stopped)
        return;
    text = g_ptr_array_steal_index(builder->texts, builder->texts->len - 1);
    builder->current->text = g_string_free(text, FALSE);
    builder->current = builder->current->parent;
}

static void
on_text(void *data, const XML_Char *text, int length)
{
    Builder *builder = data;

    if (!builder->stopped && builder->texts->len > 0)
        g_string_append_len(g_ptr_array_index(builder->texts, builder->texts->len - 1), text,
                            length);
}

static void
on_doctype(void *data, const XML_Char *name, const XML_Char *system_id, const XML_Char *public_id,
           int has_internal_subset)
{
    stop(data, "a document type declaration (<!DOCTYPE>) is not allowed");
}

/* Elements that were open when the parser stopped have no text yet. */
static void
finish_texts(KilnXmlNode *node)
{
    for (; node != NULL; node = node->parent) {
        if (node->text == NULL)
            node->text = g_strdup("");
    }
}

KilnXmlNode *
kiln_xml_parse(const char *text, gsize length, KilnFaults *faults)
{
    Builder builder = { .faults = faults };
    enum XML_Status status;

    if (length > KILN_XML_MAX_BYTES) {
        kiln_fault_add_at(faults, KILN_FAULT_XML, (KilnXmlPlace){ 1, 1 }, "",
                          "the document has %" G_GSIZE_FORMAT " bytes, more than 16 MiB", length);
        return NULL;
    }
    builder.expat = XML_ParserCreateNS(NULL, '\n');
    XML_SetReturnNSTriplet(builder.expat, XML_TRUE);
    XML_SetUserData(builder.expat, &builder);
    XML_SetElementHandler(builder.expat, on_start, on_end);
    XML_SetCharacterDataHandler(builder.expat, on_text);
    XML_SetStartDoctypeDeclHandler(builder.expat, on_doctype);
    builder.texts = g_ptr_array_new_with_free_func(text_free);

    status = XML_Parse(builder.expat, text, (int)length, XML_TRUE);
    finish_texts(builder.current);
    if (status != XML_STATUS_OK && !builder.stopped)
        stop(&builder, XML_ErrorString(XML_GetErrorCode(builder.expat)));
    XML_ParserFree(builder.expat);
    g_ptr_array_unref(builder.texts);
    if (builder.stopped)
        g_clear_pointer(&builder.root, kiln_xml_node_free);
    return builder.root;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static gboolean
is_named(const KilnXmlNode *node, const char *name)
{
    return node->ns == NULL && strcmp(node->name, name) == 0;
}

KilnXmlNode *
kiln_xml_take_child(KilnXmlNode *node, const char *name, KilnFaults *faults)
{
    KilnXmlNode *first = NULL;

    for (guint i = 0; i < node->children->len; i++) {
        KilnXmlNode *child = g_ptr_array_index(node->children, i);

        if (!is_named(child, name))
            continue;
        if (first == NULL) {
            first = child;
            child->taken = TRUE;
        } else if (!child->taken) {
            kiln_xml_take_subtree(child);
            kiln_fault_add(faults, KILN_FAULT_XML, child, NULL, "may stand only once");
        }
    }
    return first;
}

KilnXmlNode *
kiln_xml_take_next(KilnXmlNode *node, const char *name)
{
    if (node->next_name == NULL || strcmp(node->next_name, name) != 0)
        node->next_child = 0;
    for (; node->next_child < node->children->len; node->next_child++) {
        KilnXmlNode *child = g_ptr_array_index(node->children, node->next_child);

        if (!child->taken && is_named(child, name)) {
            child->taken = TRUE;
            node->next_name = child->name;
            node->next_child++;
            return child;
        }
    }
    return NULL;
}

static KilnXmlAttribute *
take_attribute(KilnXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->attributes->len; i++) {
        KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);

        if (attribute->ns == NULL && strcmp(attribute->name, name) == 0) {
            attribute->taken = TRUE;
            return attribute;
        }
    }
    return NULL;
}

const char *
kiln_xml_take_attribute(KilnXmlNode *node, const char *name)
{
    KilnXmlAttribute *attribute = take_attribute(node, name);

    return attribute != NULL ? attribute->value : NULL;
}

const char *
kiln_xml_take_text(KilnXmlNode *node)
{
    if (!node->text_taken &&
        (node->children->len == 0 || node->text[strspn(node->text, " \t\r\n")] == '\0'))
        g_strstrip(node->text);
    node->text_taken = TRUE;
    return node->text;
}

void
kiln_xml_take_subtree(KilnXmlNode *node)
{
    node->taken = TRUE;
    node->subtree_taken = TRUE;
}

const char *
kiln_xml_take_child_text(KilnXmlNode *node, const char *name, KilnFaults *faults)
{
    KilnXmlNode *child = kiln_xml_take_child(node, name, faults);

    return child != NULL ? kiln_xml_take_text(child) : NULL;
}

/* The text that a typed taker reads, NULL after reporting its absence where that is a fault. */
static const char *
take_value(KilnXmlNode *node, const char *attribute, gboolean required, KilnFaults *faults)
{
    const char *text =
        attribute != NULL ? kiln_xml_take_attribute(node, attribute) : kiln_xml_take_text(node);

    if (text != NULL && (attribute != NULL || *text != '\0'))
        return text;
    if (required)
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute,
                       attribute != NULL ? "this attribute is missing" : "holds no value");
    return NULL;
}

gboolean
kiln_xml_take_uint(KilnXmlNode *node, const char *attribute, gboolean required, guint64 min,
                   guint64 max, guint64 *value, KilnFaults *faults)
{
    const char *text = take_value(node, attribute, required, faults);
    const char *digits;
    guint64 number;
    gboolean hex;

    if (text == NULL)
        return FALSE;
    hex = g_ascii_strncasecmp(text, "0x", 2) == 0;
    digits = hex ? text + 2 : text;
    if (!g_ascii_string_to_unsigned(digits, hex ? 16 : 10, min, max, &number, NULL)) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, attribute,
                       "'%s' is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                       text, min, max);
        return FALSE;
    }
    *value = number;
    return TRUE;
}

gboolean
kiln_xml_take_enum(KilnXmlNode *node, const char *attribute, gboolean required,
                   const char *const *names, guint n_names, int *value, KilnFaults *faults)
{
    const char *text = take_value(node, attribute, required, faults);
    g_autoptr(GString) allowed = NULL;

    if (text == NULL)
        return FALSE;
    for (guint i = 0; i < n_names; i++) {
        if (names[i] != NULL && strcmp(names[i], text) == 0) {
            *value = (int)i;
            return TRUE;
        }
    }
    allowed = g_string_new(NULL);
    for (guint i = 0; i < n_names; i++) {
        if (names[i] != NULL)
            g_string_append_printf(allowed, "%s'%s'", allowed->len > 0 ? ", " : "", names[i]);
    }
    kiln_fault_add(faults, KILN_FAULT_XML, node, attribute, "'%s' is not one of %s", text,
                   allowed->str);
    return FALSE;
}

gboolean
kiln_xml_take_bool(KilnXmlNode *node, const char *attribute, gboolean required, gboolean *value,
                   KilnFaults *faults)
{
    static const char *const words[] = { "no", "off", "yes", "on" };
    int index;

    if (!kiln_xml_take_enum(node, attribute, required, words, G_N_ELEMENTS(words), &index, faults))
        return FALSE;
    *value = index >= 2;
    return TRUE;
}

/* ---- Leftovers and paths --------------------------------------------------------------------- */

void
kiln_xml_report_leftovers(const KilnXmlNode *node, KilnFaults *faults)
{
    if (!node->taken) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "this element is not known here");
        return;
    }
    if (node->subtree_taken)
        return;
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);

        if (!attribute->taken)
            kiln_fault_add(faults, KILN_FAULT_XML, node, attribute->name,
                           "this attribute is not known here");
    }
    if (!node->text_taken && node->text[strspn(node->text, " \t\r\n")] != '\0')
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "text is not expected here");
    for (guint i = 0; i < node->children->len; i++)
        kiln_xml_report_leftovers(g_ptr_array_index(node->children, i), faults);
}

static void
append_step(GString *path, const KilnXmlNode *node)
{
    guint index = 0, n_alike = 0;

    if (node->parent != NULL) {
        append_step(path, node->parent);
        g_string_append_c(path, '/');
        for (guint i = 0; i < node->parent->children->len; i++) {
            const KilnXmlNode *other = g_ptr_array_index(node->parent->children, i);

            if (strcmp(other->name, node->name) == 0 && g_strcmp0(other->ns, node->ns) == 0)
                n_alike++;
            if (other == node)
                index = n_alike;
        }
    }
    if (node->prefix != NULL)
        g_string_append_printf(path, "%s:", node->prefix);
    g_string_append(path, node->name);
    if (n_alike > 1)
        g_string_append_printf(path, "[%u]", index);
}

char *
kiln_xml_path(const KilnXmlNode *node, const char *attribute)
{
    GString *path = g_string_new(NULL);

    append_step(path, node);
    if (attribute != NULL)
        g_string_append_printf(path, "@%s", attribute);
    return g_string_free(path, FALSE);
}
