/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's x86/HVM direct boot ABI, known as PVH (xen/include/public/arch-x86/hvm/start_info.h). */
#ifndef KILN_BOOT_PVH_H
#define KILN_BOOT_PVH_H

#include "boot/elf.h"
#include "boot/load.h"

/* Puts the kernel @elf together and sets @load->entry; FALSE with @error set. */
gboolean kiln_boot_pvh_load(KilnBootLoad *load, const KilnBootElf *elf, GError **error);

#endif
