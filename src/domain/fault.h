/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong with a document, each fault with its place, so that all are told at once. */
#ifndef KILN_DOMAIN_FAULT_H
#define KILN_DOMAIN_FAULT_H

#include <glib.h>

/* Where something stands in the document; both count from 1, columns in characters. */
typedef struct {
    guint line;
    guint column;
} KilnXmlPlace;

typedef struct KilnXmlNode KilnXmlNode; /* domain/xml.h */

typedef enum {
    KILN_FAULT_XML,         /* not well-formed, or not what the element may hold */
    KILN_FAULT_UNSUPPORTED, /* legal libvirt XML that this kiln cannot honour (CONFIG_UNSUPPORTED)
                             */
} KilnFaultKind;

typedef struct {
    KilnFaultKind kind;
    KilnXmlPlace place;
    char *path;    /* (owned) such as "domain/devices/disk[2]/target@bus" */
    char *message; /* (owned) reason, a fragment */
} KilnFault;

enum { KILN_FAULTS_MAX = 100 };

/* Every fault of one document, in the order found; at most KILN_FAULTS_MAX are kept. */
typedef struct KilnFaults KilnFaults;

KilnFaults *kiln_faults_new(void);
void kiln_faults_free(KilnFaults *faults);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnFaults, kiln_faults_free)
/* How many are kept; and whether any was not kept for being one too many. */
guint kiln_faults_count(const KilnFaults *faults);
gboolean kiln_faults_overflowed(const KilnFaults *faults);
const KilnFault *kiln_faults_get(const KilnFaults *faults, guint index);

/**
 * kiln_fault_add:
 * @node: (nullable): what is at fault; gives place and path
 * @attribute: (nullable): the attribute of @node that is at fault
 * @format: printf format of the reason
 */
void kiln_fault_add(KilnFaults *faults, KilnFaultKind kind, const KilnXmlNode *node,
                    const char *attribute, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* The same for a place in text that has no tree: @path is copied. */
void kiln_fault_add_at(KilnFaults *faults, KilnFaultKind kind, KilnXmlPlace place, const char *path,
                       const char *format, ...) G_GNUC_PRINTF(5, 6);

/**
 * kiln_xml_path:
 * @attribute: (nullable)
 *
 * Returns: (transfer full): such as "domain/devices/disk[2]/target@bus"; the number counts elements
 *   of one name and is left out for the only one.
 */
char *kiln_xml_path(const KilnXmlNode *node, const char *attribute);

/**
 * kiln_faults_sort:  by line and column, for people.
 */
void kiln_faults_sort(KilnFaults *faults);

/**
 * kiln_faults_to_error:
 * @name: of the document, such as its file's name
 *
 * Sets @error to one line for the first fault ("NAME:LINE:COLUMN: PATH: REASON"), with how many
 * more there are.  Code KILN_ERROR_UNSUPPORTED if no fault is of another kind, else KILN_ERROR_XML.
 *
 * Returns: TRUE if there was no fault and @error was left alone.
 */
gboolean kiln_faults_to_error(const KilnFaults *faults, const char *name, GError **error);

#endif
