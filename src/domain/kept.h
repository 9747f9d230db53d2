/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of elements that are kept as they are: <metadata>, those of foreign namespaces, and
 * libvirt's elements for what kiln has no struct for, which validation refuses.
 */
#ifndef KILN_DOMAIN_KEPT_H
#define KILN_DOMAIN_KEPT_H

#include "domain/fields.h"

/* Of a KilnXmlNode * that keeps the element at its path. */
extern const KilnFieldOps kiln_kept_element_ops;

/**
 * kiln_kept_take:
 * @list: (inout) (nullable): of KilnXmlNode (owned), made when needed
 * @names: of the children of @node that are taken, ends in NULL; NULL takes all foreign ones
 */
void kiln_kept_take(GPtrArray **list, KilnXmlNode *node, const char *const *names);

/* For a KilnFieldOps over such a list; @member points at it. */
gboolean kiln_kept_present(const void *member);
void kiln_kept_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags);
void kiln_kept_clear(void *member);

#endif
