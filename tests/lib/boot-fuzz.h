/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the fuzz targets of direct boot have in common. */
#ifndef KILN_TEST_BOOT_FUZZ_H
#define KILN_TEST_BOOT_FUZZ_H

#include <glib.h>
#include <stdint.h>

typedef enum {
    BOOT_FUZZ_BZIMAGE,
    BOOT_FUZZ_ELF,
    BOOT_FUZZ_MULTIBOOT,
} BootFuzzKind;

/**
 * boot_fuzz:
 * @kind: whose magic numbers are put in if there is room, so that a fuzzer need not guess them
 *
 * Loads the bytes as a kernel, with and without an initrd, into memory with a reserved
 * range in it.  What loads must start in RAM, and must have left the reserved range alone.
 */
void boot_fuzz(const uint8_t *data, size_t size, BootFuzzKind kind);

#endif
