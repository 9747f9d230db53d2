/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multiboot specification 0.6.96, also known as multiboot 1. */
#ifndef KILN_BOOT_MULTIBOOT_H
#define KILN_BOOT_MULTIBOOT_H

#include "boot/elf.h"
#include "boot/load.h"

/* The header as it was found; addresses are physical and hold only with flag 16 (§3.1.3). */
typedef struct {
    uint32_t offset; /* of the header in the file, bytes */
    uint32_t flags;
    uint32_t header_address;
    uint32_t load_address;
    uint32_t load_end;
    uint32_t bss_end;
    uint32_t entry;
} KilnBootMultibootHeader;

/**
 * kiln_boot_multiboot_find:
 * @header: (out): set if @found
 * @found: (out): whether the first 8 KiB of @file hold a header with a right checksum
 *
 * Returns: TRUE, or FALSE with @error set if the file cannot be read.
 */
gboolean kiln_boot_multiboot_find(const KilnBootFile *file, KilnBootMultibootHeader *header,
                                  gboolean *found, GError **error);

/**
 * kiln_boot_multiboot_load:
 * @elf: (nullable): the file's segments if it is ELF
 *
 * Puts the kernel together and sets @load->entry; FALSE with @error set.
 */
gboolean kiln_boot_multiboot_load(KilnBootLoad *load, const KilnBootMultibootHeader *header,
                                  const KilnBootElf *elf, GError **error);

#endif
