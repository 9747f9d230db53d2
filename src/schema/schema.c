/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See schema.h. */
#include "schema/schema.h"

#include "base/error.h"

#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <limits.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNG, xmlRelaxNGFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)

extern const KilnSchemaModule kiln_schema_module;

/* libxml2's messages end in a newline. */
static char *
message_of(const xmlError *said)
{
    return g_strchomp(g_strdup(said->message != NULL ? said->message : "not valid"));
}

static void
on_fault(void *data, xmlErrorPtr said)
{
    g_autofree char *message = message_of(said);
    KilnXmlPlace place = { .line = said->line > 0 ? (guint)said->line : 0 };
    const xmlNode *node = said->node;

    kiln_fault_add_at(data, KILN_FAULT_XML, place,
                      node != NULL && node->type == XML_ELEMENT_NODE ? (const char *)node->name
                                                                     : "",
                      "%s", message);
}

/* Keeps the first thing that is said of the schema. */
static void
on_schema_fault(void *data, xmlErrorPtr said)
{
    char **first = data;

    if (*first == NULL)
        *first = message_of(said);
}

static xmlRelaxNG *
read_schema(const char *path, GError **error)
{
    g_autoptr(xmlRelaxNGParserCtxt) parser = xmlRelaxNGNewParserCtxt(path);
    g_autofree char *first = NULL;
    xmlRelaxNG *schema = NULL;

    if (parser != NULL) {
        xmlRelaxNGSetParserStructuredErrors(parser, on_schema_fault, &first);
        schema = xmlRelaxNGParse(parser);
    }
    if (schema == NULL)
        (void)kiln_error_set(error, KILN_ERROR_INVALID, "schema '%s': %s", path,
                             first != NULL ? first : "cannot be read");
    return schema;
}

static gboolean
validate(const char *text, gsize length, const char *schema_path, KilnFaults *faults,
         GError **error)
{
    g_autoptr(xmlRelaxNGValidCtxt) context = NULL;
    g_autoptr(xmlDoc) document = NULL;
    g_autoptr(xmlRelaxNG) schema = read_schema(schema_path, error);

    if (schema == NULL)
        return FALSE; /* error says why */
    if (length <= INT_MAX)
        document = xmlReadMemory(text, (int)length, "document", NULL,
                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (document == NULL || document->intSubset != NULL) {
        kiln_fault_add_at(faults, KILN_FAULT_XML, (KilnXmlPlace){ 0, 0 }, "", "%s",
                          document == NULL ? "not well-formed XML"
                                           : "a document type declaration is not allowed");
        return TRUE;
    }
    context = xmlRelaxNGNewValidCtxt(schema);
    xmlRelaxNGSetValidStructuredErrors(context, on_fault, faults);
    (void)xmlRelaxNGValidateDoc(context, document);
    return TRUE;
}

const KilnSchemaModule kiln_schema_module = { .validate = validate };
