/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML text, two spaces a level and attributes in single quotes, as libvirt writes it. */
#ifndef KILN_DOMAIN_XML_WRITER_H
#define KILN_DOMAIN_XML_WRITER_H

#include <glib.h>

typedef struct KilnXmlNode KilnXmlNode; /* domain/xml.h */

typedef struct KilnXmlWriter KilnXmlWriter;

KilnXmlWriter *kiln_xml_writer_new(void);
void kiln_xml_writer_free(KilnXmlWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnXmlWriter, kiln_xml_writer_free)

/* Opens <name; attributes may follow until a child, text or end is written. */
void kiln_xml_start(KilnXmlWriter *writer, const char *name);
/* name='value', escaped; a NULL @value writes nothing. */
void kiln_xml_attribute(KilnXmlWriter *writer, const char *name, const char *value);
void kiln_xml_attribute_printf(KilnXmlWriter *writer, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
void kiln_xml_text(KilnXmlWriter *writer, const char *text);
void kiln_xml_end(KilnXmlWriter *writer);
/* <name>text</name>; a NULL @text writes nothing. */
void kiln_xml_text_element(KilnXmlWriter *writer, const char *name, const char *text);
/*
 * A kept subtree (metadata, foreign namespaces) as it was, re-indented only where it has no text.
 * Comments and processing instructions are not kept.
 */
void kiln_xml_subtree(KilnXmlWriter *writer, const KilnXmlNode *node);
/* The attributes and content of a kept element, whose tags the caller starts and ends. */
void kiln_xml_subtree_content(KilnXmlWriter *writer, const KilnXmlNode *node);
/**
 * kiln_xml_writer_finish:
 * Returns: (transfer full): the text; every element must be ended.
 */
char *kiln_xml_writer_finish(KilnXmlWriter *writer);

#endif
