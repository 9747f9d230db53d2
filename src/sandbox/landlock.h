/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Landlock (Linux 5.13 and later, Documentation/userspace-api/landlock.rst): which files are left.
 */
#ifndef KILN_SANDBOX_LANDLOCK_H
#define KILN_SANDBOX_LANDLOCK_H

#include <glib.h>

/**
 * kiln_landlock_enter:
 * @socket_dirs: (nullable): NULL-terminated: here files may be removed
 * @module_dirs: (nullable): NULL-terminated: beneath these files may be read and their code mapped,
 * as beneath the system's library directories
 *
 * Nothing may be written, made or removed elsewhere, and no TCP port bound or connected to where
 * the kernel can tell.  Descriptors that are open stay as they are.  TRUE also where the kernel has
 * no landlock.  PR_SET_NO_NEW_PRIVS must have been set.
 */
gboolean kiln_landlock_enter(const char *const *socket_dirs, const char *const *module_dirs,
                             GError **error);

#endif
