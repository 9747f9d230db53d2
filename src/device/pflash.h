/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bank of parallel NOR flash: CFI 1.4 (JESD68.01) with Intel's basic command set, as QEMU's
 * pflash_cfi01 has it, which is what OVMF's driver (QemuFlashFvbServicesRuntimeDxe) knows.
 *
 *   array mode:   reads are memory, by a slot that the guest cannot write; every write comes here
 *   command mode: the slot is gone, reads come here too, for status, identity or the CFI table
 *
 * A bank is one 8-bit chip of 4 KiB blocks.  What differs from the chips of the time is QEMU's way,
 * which OVMF relies on: an operation is done when the access that starts it returns, the status
 * that "clear status" leaves is 0 without the ready bit, and programming stores the byte, it does
 * not only clear bits.
 */
#ifndef KILN_DEVICE_PFLASH_H
#define KILN_DEVICE_PFLASH_H

#include "base/fd.h"
#include "bus/slots.h"
#include "bus/space.h"

enum {
    KILN_PFLASH_BLOCK = 4096,
    KILN_PFLASH_BUFFER = 256,      /* bytes of one buffered write at most */
    KILN_PFLASH_MAX = 16 << 20,    /* bytes of all banks: below are KVM's TSS and the APICs */
    KILN_PFLASH_SETTLE_READS = 64, /* in array mode, before reads are memory again */
};

/**
 * KilnPflashOptions:
 * @id: unique on the board: "pflash0"; copied
 * @instance: tells banks apart in saved state
 * @memory: where the bank appears
 * @end: the first address after it, a multiple of KILN_PFLASH_BLOCK
 * @slots: memory of the guest; all zeroes: every read comes here
 * @fd: (transfer full): the bank's raw image, whose size is the bank's: open for reading if
 *   @read_only, else for reading and writing; closed on error too
 * @path: for messages
 * @read_only: nothing can be erased or programmed; the image's pages are shared with all others
 *   that have it mapped
 */
typedef struct {
    const char *id;
    uint32_t instance;
    KilnSpace *memory;
    uint64_t end;
    KilnSlots slots;
    KilnFd fd;
    const char *path;
    gboolean read_only;
} KilnPflashOptions;

/**
 * kiln_pflash_new:
 *
 * Main thread.
 *
 * Returns: (transfer full): NULL with @error set: the image has no size that a bank can have, or
 *   another bank is there already.
 */
KilnDevice *kiln_pflash_new(const KilnPflashOptions *options, GError **error);

/* Bytes of the bank: the next one ends where this one begins. */
uint64_t kiln_pflash_size(const KilnDevice *device);

#endif
