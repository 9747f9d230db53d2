/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ICH9 LPC bridge, 00:1f.0, 8086:2918 (Intel ICH9 datasheet, 316972-004, chapters 10 and 13):
 * it places the power management registers (PMBASE) and the chipset configuration registers (RCBA),
 * and routes the PCI pins: pin -> PIRQA-H (device interrupt route registers) -> GSI 16-23, and an
 * ISA interrupt too where a PIRQ route register says so.
 *
 * Which PIRQ a pin is (0 for A; what the DSDT's _PRT must say, with GSI 16 + PIRQ in APIC mode):
 *   slots 0-24 of bus 0:  4 + (slot + pin) % 4
 *   slots 25-31:          pin, as D25IR-D31IR are after reset
 *   behind a bridge:      pin is swizzled, (pin + slot) % 4, and is then the bridge's slot's
 *
 * It also has the reset control register at port 0xcf9.
 */
#ifndef KILN_DEVICE_ICH9_LPC_H
#define KILN_DEVICE_ICH9_LPC_H

#include "bus/pci-bus.h"
#include "device/ich9-pm.h"

enum { KILN_ICH9_N_ISA_IRQS = 16 };

/**
 * KilnIch9LpcOptions:
 * @host: gets the bridge at 00:1f.0, and its pins' router
 * @pm: placed by PMBASE; outlives the bridge
 * @pm_base: what PMBASE holds after reset, enabled: 0x600; 0: as in the datasheet, disabled
 * @no_reboot: the strap that keeps the TCO watchdog from resetting the guest
 * @gsi: called with @gsi_opaque and GSI numbers 16-23
 * @isa: the ISA interrupts that PIRQ routes may name (3-7, 9-12, 14, 15), as the bridge's own
 * sources of lines that ISA devices share
 * @reset: 0xcf9; called with the lock held on a vCPU thread
 */
typedef struct {
    KilnPciHost *host;
    KilnIch9Pm *pm;
    uint16_t pm_base;
    gboolean no_reboot;
    KilnIrqFn gsi;
    void *gsi_opaque;
    KilnIrq isa[KILN_ICH9_N_ISA_IRQS];
    KilnResetFn reset;
    void *reset_opaque;
} KilnIch9LpcOptions;

/* Returns: (transfer full): the bridge, on its bus; NULL with @error set. */
KilnDevice *kiln_ich9_lpc_new(const KilnIch9LpcOptions *options, GError **error);

#endif
