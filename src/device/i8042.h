/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keyboard controller, ports 0x60 and 0x64 (Intel UPI-41AH/8042 as in the IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboard and Auxiliary Device Controller"): commands, self tests,
 * output port with A20 and reset.  No keyboard or mouse is plugged in; their ports time out.
 */
#ifndef KILN_DEVICE_I8042_H
#define KILN_DEVICE_I8042_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "device/reset.h"

/* @keyboard_irq and @aux_irq: GSI 1 and 12.  @reset is called with the lock held on a vCPU thread.
 */
typedef struct {
    KilnSpace *io;
    KilnIrq keyboard_irq;
    KilnIrq aux_irq;
    KilnResetFn reset;
    void *reset_opaque;
} KilnI8042Options;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_i8042_new(const KilnI8042Options *options, GError **error);

#endif
