/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See xml-writer.h. */
#include "domain/xml-writer.h"

#include "domain/xml.h"

#include <stdarg.h>
#include <string.h>

struct KilnXmlWriter {
    GString *out;
    GPtrArray *open;   /* (owned) names of the elements that are not ended */
    gboolean in_tag;   /* "<name ..." stands there without its ">" */
    gboolean has_text; /* the innermost element holds text, so its end tag follows at once */
};

KilnXmlWriter *
kiln_xml_writer_new(void)
{
    KilnXmlWriter *writer = g_new0(KilnXmlWriter, 1);

    writer->out = g_string_sized_new(4096);
    writer->open = g_ptr_array_new_with_free_func(g_free);
    return writer;
}

void
kiln_xml_writer_free(KilnXmlWriter *writer)
{
    if (writer == NULL)
        return;
    g_string_free(writer->out, TRUE);
    g_ptr_array_unref(writer->open);
    g_free(writer);
}

/* A character that XML 1.0 cannot hold (§2.2) is written as '?'. */
static void
append_escaped(GString *out, const char *text, gsize length, gboolean attribute)
{
    for (gsize i = 0; i < length; i++) {
        guchar c = (guchar)text[i];

        switch (c) {
        case '&': g_string_append(out, "&amp;"); break;
        case '<': g_string_append(out, "&lt;"); break;
        case '>': g_string_append(out, "&gt;"); break;
        case '\'': g_string_append(out, attribute ? "&apos;" : "'"); break;
        case '"': g_string_append(out, attribute ? "&quot;" : "\""); break;
        case '\r': g_string_append(out, "&#13;"); break;
        case '\t':
        case '\n':
            if (attribute)
                g_string_append_printf(out, "&#%u;", c); /* else it would be read as a space */
            else
                g_string_append_c(out, (char)c);
            break;
        default: g_string_append_c(out, c < 0x20 ? '?' : (char)c); break;
        }
    }
}

static void
close_tag(KilnXmlWriter *writer)
{
    if (writer->in_tag)
        g_string_append_c(writer->out, '>');
    writer->in_tag = FALSE;
}

static void
indent(KilnXmlWriter *writer)
{
    for (guint i = 0; i < writer->open->len; i++)
        g_string_append(writer->out, "  ");
}

void
kiln_xml_start(KilnXmlWriter *writer, const char *name)
{
    if (writer->in_tag) {
        close_tag(writer);
        g_string_append_c(writer->out, '\n');
    }
    indent(writer);
    g_string_append_printf(writer->out, "<%s", name);
    g_ptr_array_add(writer->open, g_strdup(name));
    writer->in_tag = TRUE;
    writer->has_text = FALSE;
}

void
kiln_xml_attribute(KilnXmlWriter *writer, const char *name, const char *value)
{
    g_return_if_fail(writer->in_tag);
    if (value == NULL)
        return;
    g_string_append_printf(writer->out, " %s='", name);
    append_escaped(writer->out, value, strlen(value), TRUE);
    g_string_append_c(writer->out, '\'');
}

void
kiln_xml_attribute_printf(KilnXmlWriter *writer, const char *name, const char *format, ...)
{
    g_autofree char *value = NULL;
    va_list args;

    va_start(args, format);
    value = g_strdup_vprintf(format, args);
    va_end(args);
    kiln_xml_attribute(writer, name, value);
}

void
kiln_xml_text(KilnXmlWriter *writer, const char *text)
{
    g_return_if_fail(writer->in_tag || writer->has_text);
    close_tag(writer);
    append_escaped(writer->out, text, strlen(text), FALSE);
    writer->has_text = TRUE;
}

void
kiln_xml_end(KilnXmlWriter *writer)
{
    g_autofree char *name = NULL;

    g_return_if_fail(writer->open->len > 0);
    name = g_ptr_array_steal_index(writer->open, writer->open->len - 1);
    if (writer->in_tag) {
        g_string_append(writer->out, "/>\n");
    } else {
        if (!writer->has_text)
            indent(writer);
        g_string_append_printf(writer->out, "</%s>\n", name);
    }
    writer->in_tag = FALSE;
    writer->has_text = FALSE;
}

void
kiln_xml_text_element(KilnXmlWriter *writer, const char *name, const char *text)
{
    if (text == NULL)
        return;
    kiln_xml_start(writer, name);
    kiln_xml_text(writer, text);
    kiln_xml_end(writer);
}

/* ---- Kept subtrees --------------------------------------------------------------------------- */

/* The prefixes that are bound around an element; the innermost comes first. */
typedef struct Scope Scope;
struct Scope {
    const char *prefix; /* "" is the default namespace */
    const char *ns;     /* "" is none */
    const Scope *outer; /* (nullable) */
};

static const char *
bound_to(const Scope *scope, const char *prefix)
{
    for (; scope != NULL; scope = scope->outer) {
        if (strcmp(scope->prefix, prefix) == 0)
            return scope->ns;
    }
    return "";
}

static char *
qualified(const char *prefix, const char *name)
{
    return prefix != NULL ? g_strdup_printf("%s:%s", prefix, name) : g_strdup(name);
}

static gboolean
is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static void write_kept(KilnXmlWriter *writer, const KilnXmlNode *node, const Scope *scope,
                       gboolean inline_);

/* Text and children in their order, with no white space added. */
static void
write_mixed(KilnXmlWriter *writer, const KilnXmlNode *node, const Scope *scope)
{
    gsize length = strlen(node->text), written = 0;

    close_tag(writer);
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);
        gsize until = CLAMP(child->text_offset, written, length);

        append_escaped(writer->out, node->text + written, until - written, FALSE);
        written = until;
        write_kept(writer, child, scope, TRUE);
    }
    append_escaped(writer->out, node->text + written, length - written, FALSE);
}

/* Binds @prefix in the start tag that is being written, unless it is bound so already. */
static const Scope *
bind(KilnXmlWriter *writer, Scope *storage, const Scope *scope, const char *prefix, const char *ns)
{
    g_autofree char *name = NULL;

    prefix = prefix != NULL ? prefix : "";
    ns = ns != NULL ? ns : "";
    if (strcmp(prefix, "xml") == 0 || strcmp(bound_to(scope, prefix), ns) == 0)
        return scope;
    name = *prefix != '\0' ? g_strdup_printf("xmlns:%s", prefix) : g_strdup("xmlns");
    kiln_xml_attribute(writer, name, ns);
    *storage = (Scope){ .prefix = prefix, .ns = ns, .outer = scope };
    return storage;
}

static void
write_attributes(KilnXmlWriter *writer, const KilnXmlNode *node, const Scope *scope,
                 gboolean inline_)
{
    Scope own;
    g_autofree Scope *bound = g_new0(Scope, node->attributes->len + 1);

    scope = bind(writer, &own, scope, node->prefix, node->ns);
    for (guint i = 0; i < node->attributes->len; i++) {
        const KilnXmlAttribute *attribute = g_ptr_array_index(node->attributes, i);
        g_autofree char *name = qualified(attribute->prefix, attribute->name);

        if (attribute->ns != NULL)
            scope = bind(writer, &bound[i], scope, attribute->prefix, attribute->ns);
        kiln_xml_attribute(writer, name, attribute->value);
    }
    if (inline_ || !is_blank(node->text)) {
        if (node->children->len > 0 || *node->text != '\0')
            write_mixed(writer, node, scope);
    } else {
        for (guint i = 0; i < node->children->len; i++)
            write_kept(writer, g_ptr_array_index(node->children, i), scope, FALSE);
    }
}

static void
write_kept(KilnXmlWriter *writer, const KilnXmlNode *node, const Scope *scope, gboolean inline_)
{
    g_autofree char *name = qualified(node->prefix, node->name);

    if (!inline_) {
        kiln_xml_start(writer, name);
        write_attributes(writer, node, scope, FALSE);
        if (!is_blank(node->text))
            writer->has_text = TRUE;
        kiln_xml_end(writer);
        return;
    }
    g_string_append_printf(writer->out, "<%s", name);
    writer->in_tag = TRUE;
    write_attributes(writer, node, scope, TRUE);
    if (writer->in_tag)
        g_string_append(writer->out, "/>");
    else
        g_string_append_printf(writer->out, "</%s>", name);
    writer->in_tag = FALSE;
}

void
kiln_xml_subtree(KilnXmlWriter *writer, const KilnXmlNode *node)
{
    write_kept(writer, node, NULL, FALSE);
}

void
kiln_xml_subtree_content(KilnXmlWriter *writer, const KilnXmlNode *node)
{
    write_attributes(writer, node, NULL, FALSE);
    if (!is_blank(node->text))
        writer->has_text = TRUE;
}

char *
kiln_xml_writer_finish(KilnXmlWriter *writer)
{
    char *text;

    g_return_val_if_fail(writer->open->len == 0, NULL);
    text = g_string_free(writer->out, FALSE);
    writer->out = g_string_new(NULL);
    return text;
}
