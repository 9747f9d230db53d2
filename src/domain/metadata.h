/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition says about a guest and nothing in it depends on: title, description, and the
 * elements under <metadata>, one of each namespace. */
#ifndef KILN_DOMAIN_METADATA_H
#define KILN_DOMAIN_METADATA_H

#include "domain/domain.h"

/* Numbers are libvirt's virDomainMetadataType. */
typedef enum {
    KILN_METADATA_DESCRIPTION,
    KILN_METADATA_TITLE,
    KILN_METADATA_ELEMENT,
} KilnMetadataKind;

/**
 * kiln_metadata_set:
 * @kind: a stranger's: anything else is an error
 * @text: (nullable): the text, or the element as XML; NULL or "" removes what is there
 * @key: (nullable): prefix of the element's namespace
 * @uri: (nullable): of an element: which one
 *
 * Returns: FALSE with @error set (KILN_ERROR_XML, KILN_ERROR_INVALID) and @domain as it was.
 */
gboolean kiln_metadata_set(KilnDomain *domain, int kind, const char *text, const char *key,
                           const char *uri, GError **error);

/**
 * kiln_metadata_get:
 * Returns: (transfer full) (nullable): NULL if there is none; an element without its namespace, as
 *   it was set.
 */
char *kiln_metadata_get(const KilnDomain *domain, int kind, const char *uri);

/**
 * kiln_lifecycle_set:
 * @event: "poweroff", "reboot" or "crash"
 * @action: as the document has it, such as "restart"
 *
 * Returns: FALSE with @error set, KILN_ERROR_INVALID for what is not known, KILN_ERROR_UNSUPPORTED
 *   for an action that this event cannot have.
 */
gboolean kiln_lifecycle_set(KilnDomain *domain, const char *event, const char *action,
                            GError **error);

#endif
