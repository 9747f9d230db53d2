/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ICH9 power management: the ACPI fixed registers at PMBASE, general purpose events, SMI enables,
 * the TCO watchdog, and the APM ports (Intel ICH9 datasheet, 316972-004, §13.8 and §13.9; ACPI 6.5
 * chapter 4).
 *
 *   button, timer, GPE -> status bit -> (status & enable) and SCI_EN -> SCI
 *   SLP_EN with S5 -> power_off        TCO runs out twice -> reset
 *
 * There is no SMM: SMI_EN is kept, and says after reset that SMM is set up (APMC_EN), so that
 * SeaBIOS leaves it alone, and the only commands that the APM control port understands are those
 * that the FADT offers, KILN_ICH9_ACPI_ENABLE and _DISABLE, which set and clear SCI_EN.
 */
#ifndef KILN_DEVICE_ICH9_PM_H
#define KILN_DEVICE_ICH9_PM_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "device/clock.h"
#include "device/reset.h"

enum {
    KILN_ICH9_PM_BYTES = 128, /* of the register block at PMBASE */
    KILN_ICH9_PM1_EVT = 0x00, /* offsets for the FADT */
    KILN_ICH9_PM1_CNT = 0x04,
    KILN_ICH9_PM_TMR = 0x08,
    KILN_ICH9_GPE0 = 0x20,
    KILN_ICH9_GPE0_BYTES = 16, /* status half and enable half */
    KILN_ICH9_TCO = 0x60,
    KILN_ICH9_PM_TIMER_HZ = 3579545,
    KILN_ICH9_SMI_CMD = 0xb2,     /* APM control; 0xb3 is APM status, a scratch register */
    KILN_ICH9_ACPI_ENABLE = 0x02, /* written to SMI_CMD */
    KILN_ICH9_ACPI_DISABLE = 0x03,
    KILN_ICH9_SLP_TYP_S0 = 0, /* SLP_TYP values, for the DSDT's \_Sx: ICH9 §13.8.3.3 */
    KILN_ICH9_SLP_TYP_S3 = 5,
    KILN_ICH9_SLP_TYP_S4 = 6,
    KILN_ICH9_SLP_TYP_S5 = 7, /* 0 too: what OVMF and SeaBIOS write to power off */
};

typedef struct KilnIch9Pm KilnIch9Pm;

/**
 * KilnIch9PmOptions:
 * @io: where PMBASE and the APM ports are
 * @clock: of PM timer and TCO
 * @sci: level, GSI 9
 * @acpi_at_reset: SCI_EN is set after reset: nobody switches ACPI mode on (direct boot, with
 *   SMI_CMD 0 in the FADT)
 * @timer_32_bits: the PM timer has 32 bits (the FADT's TMR_VAL_EXT), else 24 as ICH9's
 * @power_off: the guest entered S4 or S5
 * @sleep: (nullable): the guest entered S3; without it that only sets WAK_STS at once
 * @reset: the watchdog ran out; on the main loop
 *
 * The callbacks are called with the device's lock held: note, and return.
 */
typedef struct {
    KilnSpace *io;
    KilnClock *clock;
    KilnIrq sci;
    gboolean acpi_at_reset;
    gboolean timer_32_bits;
    void (*power_off)(void *opaque);
    void (*sleep)(void *opaque);
    KilnResetFn reset;
    void *opaque;
} KilnIch9PmOptions;

/* Returns: (transfer full): with its registers not mapped; NULL with @error set. */
KilnIch9Pm *kiln_ich9_pm_new(const KilnIch9PmOptions *options, GError **error);
KilnDevice *kiln_ich9_pm_device(KilnIch9Pm *pm);

/* Where the LPC bridge's PMBASE puts the registers; KILN_SPACE_UNMAPPED for nowhere. */
void kiln_ich9_pm_place(KilnIch9Pm *pm, uint64_t base);

/* The LPC bridge's "no reboot" strap or bit (GCS, ICH9 §10.1.75): a run-out TCO does not reset. */
void kiln_ich9_pm_set_no_reboot(KilnIch9Pm *pm, gboolean no_reboot);

/* The user presses the power button for a moment.  Any thread, no device lock held. */
void kiln_ich9_pm_power_button(KilnIch9Pm *pm);

/* General purpose event @n, below 64, happens.  Any thread, the lock of @pm not held. */
void kiln_ich9_pm_gpe(KilnIch9Pm *pm, unsigned n);

/* The guest is woken from S3: sets WAK_STS.  Any thread, the lock of @pm not held. */
void kiln_ich9_pm_wake(KilnIch9Pm *pm);

#endif
