/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A document as a tree of elements, each with the line and column where it stands, and the list of
 * faults found in it.
 *
 *   text -> expat -> KilnXmlNode tree -> the family parsers take attributes and children
 *        -> kiln_xml_report_leftovers(): whatever nobody took is a fault
 *
 * "Nothing is silently dropped" is kept by construction: a parser *takes* each attribute and child
 * that it understands, and what is left over afterwards is reported with its place.  Elements in a
 * foreign namespace are kept as they are by the element that allows them (domain, metadata).
 *
 * Limits: 16 MiB of text, depth 64, 1,000,000 nodes; a document type declaration is refused, so there
 * are neither entity expansion nor external entities (XML 1.0 fifth edition §4).
 */
#ifndef KILN_DOMAIN_XML_H
#define KILN_DOMAIN_XML_H

#include <glib.h>

/* Where something stands in the document; both count from 1, columns in bytes. */
typedef struct {
    guint line;
    guint column;
} KilnXmlPlace;

typedef struct KilnXmlNode KilnXmlNode;
typedef struct KilnXmlAttribute KilnXmlAttribute;

struct KilnXmlAttribute {
    char *name;   /* (owned) local name; a foreign attribute has @ns */
    char *ns;     /* (owned) (nullable) namespace URI */
    char *value;  /* (owned) */
    gboolean taken;
};

struct KilnXmlNode {
    char *name;            /* (owned) local name */
    char *ns;              /* (owned) (nullable) namespace URI; NULL is libvirt's own vocabulary */
    char *prefix;          /* (owned) (nullable) as written, for writing it back */
    char *text;            /* (owned) all character data directly inside, "" if none */
    KilnXmlPlace place;    /* of its start tag */
    GPtrArray *attributes; /* (owned) of KilnXmlAttribute */
    GPtrArray *children;   /* (owned) of KilnXmlNode, in document order */
    KilnXmlNode *parent;   /* (nullable) */
    gboolean taken;
    gboolean text_taken;
    gboolean subtree_taken; /* everything below belongs to whoever took it: metadata and the like */
};

/* ---- Faults ---------------------------------------------------------------------------------- */

typedef enum {
    KILN_FAULT_XML,         /* not well-formed, or not what the element may hold */
    KILN_FAULT_UNSUPPORTED, /* legal libvirt XML that this kiln cannot honour (CONFIG_UNSUPPORTED) */
} KilnFaultKind;

typedef struct {
    KilnFaultKind kind;
    KilnXmlPlace place;
    char *path;    /* (owned) such as "domain/devices/disk[2]/target@bus" */
    char *message; /* (owned) reason, a fragment */
} KilnFault;

/* Every fault of one document, in the order found; at most 100 are kept. */
typedef struct KilnFaults KilnFaults;

KilnFaults *kiln_faults_new(void);
void kiln_faults_free(KilnFaults *faults);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnFaults, kiln_faults_free)
guint kiln_faults_count(const KilnFaults *faults);
const KilnFault *kiln_faults_get(const KilnFaults *faults, guint index);

/**
 * kiln_fault_add:
 * @node: (nullable): what is at fault; gives place and path
 * @attribute: (nullable): the attribute of @node that is at fault
 * @format: printf format of the reason
 */
void kiln_fault_add(KilnFaults *faults, KilnFaultKind kind, const KilnXmlNode *node,
                    const char *attribute, const char *format, ...) G_GNUC_PRINTF(5, 6);

/**
 * kiln_faults_sort:  by line and column, for people.
 */
void kiln_faults_sort(KilnFaults *faults);

/**
 * kiln_faults_to_error:
 * @name: of the document, such as its file's name
 *
 * Sets @error to one line for the first fault ("NAME:LINE:COLUMN: PATH: REASON"), with how many more
 * there are.  Code KILN_ERROR_UNSUPPORTED if no fault is of another kind, else KILN_ERROR_XML.
 *
 * Returns: TRUE if there was no fault and @error was left alone.
 */
gboolean kiln_faults_to_error(const KilnFaults *faults, const char *name, GError **error);

/* ---- Tree ------------------------------------------------------------------------------------ */

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
 * Takes the only child of that name; a second one is a fault.
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

/* ---- Writing --------------------------------------------------------------------------------- */

/* Builds indented XML text, two spaces a level, as libvirt writes it. */
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
/* A kept subtree (metadata, foreign namespaces) as it was, re-indented only where it has no text. */
void kiln_xml_subtree(KilnXmlWriter *writer, const KilnXmlNode *node);
/**
 * kiln_xml_writer_finish:
 * Returns: (transfer full): the text; every element must be ended.
 */
char *kiln_xml_writer_finish(KilnXmlWriter *writer);

#endif
