/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running the kiln of the build tree, as a user would. */
#ifndef KILN_TESTS_CLI_PROGRAM_H
#define KILN_TESTS_CLI_PROGRAM_H

#include <glib.h>

/* Sets KILN_RUNTIME_DIR to a new directory, and KILN_MODULE_DIR to the build tree. */
void program_use_own_directory(void);

/* Returns: (transfer full): the path of the program. */
char *program_path(void);

/**
 * program_run:
 * @line: arguments, with blanks between them
 * @out, @err: (nullable) (out): what it printed; freed by the next call
 *
 * Returns: its exit status.
 */
int program_run(const char *line, const char **out, const char **err);

#endif
