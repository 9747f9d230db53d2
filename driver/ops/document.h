/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a client's text to a definition that kiln takes, or all that is wrong with it. */
#ifndef KILN_OPS_DOCUMENT_H
#define KILN_OPS_DOCUMENT_H

#include "ops/driver.h"

/**
 * kiln_ops_faults_error:
 *
 * Sets @error to every fault, a line each with its place: VIR_ERR_XML_ERROR if any of them is one
 * of the language, else VIR_ERR_CONFIG_UNSUPPORTED.
 *
 * Returns: TRUE if there was no fault.
 */
gboolean kiln_ops_faults_error(const KilnFaults *faults, GError **error);

/* @domain: (transfer full) (nullable): NULL with @error set.  The call goes on or ends here. */
typedef void (*KilnOpsParsed)(KilnCall *call, KilnDomain *domain, unsigned flags,
                              const GError *error);

/* In how many ms that program has to be done with a document; a test has less patience. */
extern guint kiln_ops_schema_ms;

/**
 * kiln_ops_parse:
 * @text: of the call's arguments
 * @schema: whether it is to be held against libvirt's schema too, which a program of its own does
 *
 * Parse, validate, assign; the name's rules; then @parsed, at once or later.
 */
void kiln_ops_parse(KilnCall *call, const char *text, gboolean schema, unsigned flags,
                    KilnOpsParsed parsed);

#endif
