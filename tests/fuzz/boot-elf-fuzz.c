/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Direct boot of any bytes that are made to look like elf; see tests/lib/boot-fuzz.h. */
#include "tests/lib/boot-fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    boot_fuzz(data, size, BOOT_FUZZ_ELF);
    return 0;
}
