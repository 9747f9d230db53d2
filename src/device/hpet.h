/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The high precision event timer at 0xfed00000 (IA-PC HPET 1.0a): a counter of 100 MHz and three
 * comparators, of which the first can be periodic.
 *
 * In legacy replacement (§2.4.3) timer 0 has the line of the PIT and timer 1 that of the RTC.
 */
#ifndef KILN_DEVICE_HPET_H
#define KILN_DEVICE_HPET_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "device/clock.h"

enum { KILN_HPET_BYTES = 1024 };

/**
 * KilnHpetOptions:
 * @space: where it is, at @base
 * @irq0, @irq2, @irq8: the lines that it can have
 * @legacy: (nullable): legacy replacement is on or off, so the PIT's line is not the PIT's; called
 *   with the lock held
 */
typedef struct {
    KilnSpace *space;
    uint64_t base;
    KilnClock *clock;
    KilnIrq irq0;
    KilnIrq irq2;
    KilnIrq irq8;
    void (*legacy)(void *opaque, gboolean on);
    void *opaque;
} KilnHpetOptions;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_hpet_new(const KilnHpetOptions *options, GError **error);

#endif
