/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the runtime directory. */
#ifndef KILN_GUEST_FOUND_H
#define KILN_GUEST_FOUND_H

#include "base/fd.h"
#include "guest/head.h"

/* @has_document: NAME.xml is there */
typedef void (*KilnFoundName)(const char *name, gboolean has_document, gpointer data);

/* Calls @found once for each name of which there is a file; what an interrupted writer left goes.
 */
void kiln_found_names(const char *runtime_dir, KilnFoundName found, gpointer data);

/**
 * kiln_found_process:
 * @pidfd: (out) (transfer full): set if there is one
 *
 * Returns: the process that has claimed @name and lives; 0 if there is none, or if the claim names
 *   a process that is not its own.
 */
pid_t kiln_found_process(const char *runtime_dir, const char *name, KilnFd *pidfd);

/* Returns: FALSE if there is no NAME.xml, it is broken, another's, or has no id. */
gboolean kiln_found_document(const char *runtime_dir, const char *name, KilnHead *head);

#endif
