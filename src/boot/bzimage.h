/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linux's bzImage, by the Linux/x86 boot protocol 2.06 to 2.15 (Documentation/arch/x86/boot.rst).
 */
#ifndef KILN_BOOT_BZIMAGE_H
#define KILN_BOOT_BZIMAGE_H

#include "boot/load.h"

/**
 * kiln_boot_bzimage_detect:
 * @found: (out): whether @file has a setup header
 *
 * Returns: TRUE, or FALSE with @error set if it cannot be read.
 */
gboolean kiln_boot_bzimage_detect(const KilnBootFile *file, gboolean *found, GError **error);

/* Puts the kernel together and sets @load->entry; FALSE with @error set. */
gboolean kiln_boot_bzimage_load(KilnBootLoad *load, GError **error);

#endif
