/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's own copy of its firmware's variables. */
#ifndef KILN_BOOT_NVRAM_H
#define KILN_BOOT_NVRAM_H

#include <glib.h>

#include "base/fd.h"

/**
 * kiln_nvram_open:
 * @path: of the guest's variable store
 * @template: (nullable): what it is made of, if it is not there
 * @reset: make it of the template even if it is there, unless a guest that runs has locked it
 *
 * A new one is there as a whole, and on stable storage, or not at all; it is readable by its owner
 * alone.  Nobody else makes it at the same time: the guest's name is claimed.
 *
 * Returns: a descriptor open for reading and writing, -1 with @error set.
 */
KilnFd kiln_nvram_open(const char *path, const char *template, gboolean reset, GError **error);

#endif
