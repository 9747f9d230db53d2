/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving back what start-up alone has mapped. */
#ifndef KILN_BASE_TRIM_H
#define KILN_BASE_TRIM_H

/**
 * kiln_trim_mappings:
 *
 * Lets go of the process's pages of code and constants, of the program and all its libraries: the
 * parser, the table builders, the dynamic linker's names have done their work when a guest runs.
 * What is used again comes back from the page cache.  Nothing that was ever written to is touched.
 * About twenty system calls; any thread.
 */
void kiln_trim_mappings(void);

#endif
