/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watchdog of Intel's 6300ESB I/O controller hub, 8086:25ab (datasheet
 * 300641-004): a timer of two stages that the guest reloads while it is well.
 *
 *   enabled -> stage 1 runs out: an interrupt's status bit -> stage 2 runs out: expired()
 *
 * Registers that matter are locked: a write counts once after the bytes 0x80 and 0x86 were written
 * to the reload register.  Time is the guest's: while it is paused nothing runs out.
 */
#ifndef KILN_DEVICE_I6300ESB_H
#define KILN_DEVICE_I6300ESB_H

#include "bus/pci-bus.h"
#include "device/clock.h"

/**
 * KilnI6300esbOptions:
 * @id: unique on the board: "watchdog0"; copied
 * @expired: the guest has not reloaded the timer in time; what is done about it is for the machine:
 *   a reset, for one.  Clock's thread, lock held: leave a note.  The watchdog stands still then
 *   until the guest reloads it, unless the guest has asked for a free-running one
 */
typedef struct {
    const char *id;
    KilnClock *clock;
    void (*expired)(void *opaque);
    void *opaque;
} KilnI6300esbOptions;

/* Returns: (transfer full): a PCI function on no bus yet; freed as a KilnDevice. */
KilnPciDevice *kiln_i6300esb_new(const KilnI6300esbOptions *options);

#endif
