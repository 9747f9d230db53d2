/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a guest's cgroup (Linux, Documentation/admin-guide/cgroup-v2.rst).  Reading and
 * writing them does not wait for the guest.
 */
#ifndef KILN_OPS_CGROUP_H
#define KILN_OPS_CGROUP_H

#include "ops/driver.h"

/* Returns: (transfer full) (nullable): the content without its last newline. */
char *kiln_cgroup_read(const KilnGuest *guest, const char *file);

/**
 * kiln_cgroup_write:
 *
 * Returns: TRUE, or FALSE with @error set: VIR_ERR_OPERATION_INVALID if the guest has no cgroup, or
 *   none with such a file.
 */
gboolean kiln_cgroup_write(const KilnGuest *guest, const char *file, const char *value,
                           GError **error);

/* A number, of a file that holds one or "max", which is @unlimited; FALSE if there is none. */
gboolean kiln_cgroup_read_number(const KilnGuest *guest, const char *file, guint64 unlimited,
                                 guint64 *value);

/**
 * kiln_cgroup_device:
 *
 * Returns: (transfer full) (nullable): "MAJOR:MINOR" of the block device @path, or NULL with @error
 *   set.
 */
char *kiln_cgroup_device(const char *path, GError **error);

#endif
