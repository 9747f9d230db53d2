/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O threads of a definition. */
#ifndef KILN_OPS_IOTHREAD_H
#define KILN_OPS_IOTHREAD_H

#include "domain/tune.h"

/**
 * kiln_ops_iothread_ids:
 *
 * Returns: (transfer full): of guint: their numbers, rising: those that are named, and the lowest
 *   free ones for those that are only counted.
 */
GArray *kiln_ops_iothread_ids(const KilnIothreads *threads);

#endif
