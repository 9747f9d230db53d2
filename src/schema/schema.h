/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module schema.so: holds a document against a RELAX NG schema.  It is loaded by
 * kiln_module_load(KILN_SCHEMA_MODULE, KILN_SCHEMA_SYMBOL, ...), since libxml2 is not for every
 * guest.
 */
#ifndef KILN_SCHEMA_SCHEMA_H
#define KILN_SCHEMA_SCHEMA_H

#include "domain/fault.h"

#define KILN_SCHEMA_MODULE "schema.so"
#define KILN_SCHEMA_SYMBOL "kiln_schema_module"
#define KILN_SCHEMA_FILE   "kiln-domain.rng" /* kiln_schema_path() finds it */

/* What the module exports under KILN_SCHEMA_SYMBOL. */
typedef struct {
    /**
     * validate:
     * @text: the document, @length bytes
     * @schema: path of the RELAX NG file; what it includes is read from files too
     * @faults: each place where the document differs is added as KILN_FAULT_XML, column 0
     *
     * No entity of the document is expanded, and nothing is read from a network.
     *
     * Returns: TRUE if the document could be held against the schema, with or without faults;
     *   FALSE with @error set if the schema cannot be read.
     */
    gboolean (*validate)(const char *text, gsize length, const char *schema, KilnFaults *faults,
                         GError **error);
} KilnSchemaModule;

#endif
