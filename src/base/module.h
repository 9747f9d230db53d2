/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the program that only some need, with libraries that a plain guest's process should not
 * map: shared objects in the directory that the environment variable KILN_MODULE_DIR names, else
 * beside the executable (in a build tree), else where they were installed.  A module uses the
 * program's own symbols, and exports one table of functions.
 */
#ifndef KILN_BASE_MODULE_H
#define KILN_BASE_MODULE_H

#include <glib.h>

/**
 * kiln_module_path:
 * Returns: (transfer full): where the module @file is looked for.
 */
char *kiln_module_path(const char *file);

/**
 * kiln_schema_path:
 * Returns: (transfer full): where the schema @file is looked for: in the directory that the
 *   environment variable KILN_SCHEMA_DIR names, beside the executable, or where it was installed.
 */
char *kiln_schema_path(const char *file);

/**
 * kiln_module_load:
 * @file: name of the module, such as "control.so"
 * @symbol: of the table that it exports
 *
 * A module stays loaded; a second call finds it there.
 *
 * Returns: (transfer none): the table, or NULL with @error set.
 */
const void *kiln_module_load(const char *file, const char *symbol, GError **error);

#endif
