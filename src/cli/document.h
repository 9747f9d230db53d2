/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's definition from a file that the user named, with all that is wrong with it. */
#ifndef KILN_CLI_DOCUMENT_H
#define KILN_CLI_DOCUMENT_H

#include "domain/domain.h"

/**
 * kiln_cli_load:
 * @path: a file, or "-" for standard input
 * @with_schema: hold it against Kiln's RELAX NG schema too, which a run does not wait for
 * @faults: what is wrong with it, in the order of the document
 *
 * Parses, validates and assigns what was left open.
 *
 * Returns: (transfer full) (nullable): the definition; NULL if there are @faults, or, with @error
 *   set, if the file could not be read.
 */
KilnDomain *kiln_cli_load(const char *path, gboolean with_schema, KilnFaults *faults,
                          GError **error);

/* Prints them on standard error, one a line: "PATH:LINE:COLUMN: ELEMENT: REASON". */
void kiln_cli_print_faults(const char *path, const KilnFaults *faults);

#endif
