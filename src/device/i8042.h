/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keyboard controller, ports 0x60 and 0x64 (Intel UPI-41AH/8042 as in the IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboard and Auxiliary Device Controller"): commands, self tests,
 * output port with A20 and reset.  A port without keyboard or mouse times out.
 *
 *   kiln_inputs_…() (main thread) -> lock -> ps2-keyboard, ps2-mouse -> their queues
 *   port enabled, output buffer empty -> next byte (translated to set 1) -> interrupt -> 0x60 read
 */
#ifndef KILN_DEVICE_I8042_H
#define KILN_DEVICE_I8042_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "device/clock.h"
#include "device/reset.h"
#include "display/input.h"

/**
 * KilnI8042Options:
 * @keyboard_irq, @aux_irq: GSI 1 and 12
 * @reset: called with the lock held on a vCPU thread
 * @keyboard, @mouse: (nullable): each is plugged in if it has inputs to get its events from
 * @clock: (nullable): of a held key's repetition; with @keyboard
 */
typedef struct {
    KilnSpace *io;
    KilnIrq keyboard_irq;
    KilnIrq aux_irq;
    KilnResetFn reset;
    void *reset_opaque;
    KilnInputs *keyboard;
    KilnInputs *mouse;
    KilnClock *clock;
} KilnI8042Options;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_i8042_new(const KilnI8042Options *options, GError **error);

#endif
