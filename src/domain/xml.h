/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A document as a tree of elements, each with the line and column where it stands, and the list of
 * faults found in it (domain/fault.h).
 *
 *   text -> expat -> KilnXmlNode tree -> the family parsers take attributes and children
 *        -> kiln_xml_report_leftovers(): whatever nobody took is a fault
 *
 * "Nothing is silently dropped" is kept by construction: a parser *takes* each attribute and child
 * that it understands, and what is left over afterwards is reported with its place.  Elements in a
 * foreign namespace are kept as they are by the element that allows them (domain, metadata).
 *
 * Limits: 16 MiB of text, depth 64, 200,000 elements and attributes; a document type declaration is
 * refused, so there are neither entity expansion nor external entities (XML 1.0 fifth edition §4).
 */
#ifndef KILN_DOMAIN_XML_H
#define KILN_DOMAIN_XML_H

#include "domain/fault.h"
#include "domain/xml-writer.h"

typedef struct KilnXmlAttribute KilnXmlAttribute;

struct KilnXmlAttribute {
    char *name;   /* (owned) local name; a foreign attribute has @ns */
    char *ns;     /* (owned) (nullable) namespace URI */
    char *prefix; /* (owned) (nullable) of a foreign attribute, as written */
    char *value;  /* (owned) */
    gboolean taken;
};

struct KilnXmlNode {
    char *name;            /* (owned) local name */
    char *ns;              /* (owned) (nullable) namespace URI; NULL is libvirt's own vocabulary */
    char *prefix;          /* (owned) (nullable) as written, for writing it back */
    char *text;            /* (owned) all character data directly inside, "" if none */
    gsize text_offset;     /* bytes of the parent's text that stand before this element */
    KilnXmlPlace place;    /* of its start tag */
    GPtrArray *attributes; /* (owned) of KilnXmlAttribute */
    GPtrArray *children;   /* (owned) of KilnXmlNode, in document order */
    KilnXmlNode *parent;   /* (nullable) */
    gboolean taken;
    gboolean text_taken;
    gboolean subtree_taken; /* everything below belongs to whoever took it: metadata and the like */
    guint next_child;       /* where kiln_xml_take_next() goes on ... */
    const char *next_name;  /* (nullable) ... when asked for this name again (of a child) */
};

enum {
    KILN_XML_MAX_BYTES = 16 * 1024 * 1024,
    KILN_XML_MAX_DEPTH = 64,
    KILN_XML_MAX_NODES = 200000,
};

/**
 * kiln_xml_parse:
 * @text: the document; @length bytes, no terminator needed
 *
 * Returns: (transfer full) (nullable): the root element; NULL after adding a fault.
 */
KilnXmlNode *kiln_xml_parse(const char *text, gsize length, KilnFaults *faults);
void kiln_xml_node_free(KilnXmlNode *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnXmlNode, kiln_xml_node_free)

/**
 * kiln_xml_take_child:
 * @name: local name in libvirt's own (no) namespace
 *
 * Takes the only child of that name; a second one is a fault.  May be called again for the same
 * child.
 *
 * Returns: (nullable): the child.
 */
KilnXmlNode *kiln_xml_take_child(KilnXmlNode *node, const char *name, KilnFaults *faults);

/**
 * kiln_xml_take_next:
 *
 * Returns: (nullable): the first child of that name that is not taken yet, now taken; for elements
 *   that may stand several times.
 */
KilnXmlNode *kiln_xml_take_next(KilnXmlNode *node, const char *name);

/**
 * kiln_xml_take_attribute:
 * Returns: (nullable): the value, owned by @node.
 */
const char *kiln_xml_take_attribute(KilnXmlNode *node, const char *name);

/**
 * kiln_xml_take_text:
 * Returns: the text of @node without white space at its ends, owned by @node; never NULL.
 */
const char *kiln_xml_take_text(KilnXmlNode *node);

/* Takes @node with all that is below it, as it is: for metadata and foreign namespaces. */
void kiln_xml_take_subtree(KilnXmlNode *node);

/**
 * kiln_xml_node_copy:
 * Returns: (transfer full): a copy of @node and all below it, without a parent.
 */
KilnXmlNode *kiln_xml_node_copy(const KilnXmlNode *node);

/* Convenience over the two: the text of the only child of that name, NULL if it is absent. */
const char *kiln_xml_take_child_text(KilnXmlNode *node, const char *name, KilnFaults *faults);

/**
 * kiln_xml_take_uint / _enum / _bool:
 * @attribute: (nullable): NULL reads the text of @node
 * @required: whether absence is a fault
 * @value: (out): left alone when absent or at fault
 *
 * _uint reads decimal (or 0x hexadecimal) from @min to @max.  _enum looks the value up in @names
 * (NULL entries are values without a name), giving its index.  _bool reads yes/no and on/off.
 *
 * Returns: TRUE if a value was there and right.
 */
gboolean kiln_xml_take_uint(KilnXmlNode *node, const char *attribute, gboolean required,
                            guint64 min, guint64 max, guint64 *value, KilnFaults *faults);
gboolean kiln_xml_take_enum(KilnXmlNode *node, const char *attribute, gboolean required,
                            const char *const *names, guint n_names, int *value,
                            KilnFaults *faults);
gboolean kiln_xml_take_bool(KilnXmlNode *node, const char *attribute, gboolean required,
                            gboolean *value, KilnFaults *faults);

/**
 * kiln_xml_report_leftovers:
 *
 * Adds a fault for each element, attribute and non-blank text at or below @node that nobody took.
 */
void kiln_xml_report_leftovers(const KilnXmlNode *node, KilnFaults *faults);

#endif
