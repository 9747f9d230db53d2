/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Q35 memory controller hub's host bridge, 00:00.0, 8086:29c0 (Intel 3 Series Chipset Family
 * datasheet, 316966-002, chapter 5): PCIEXBAR places the ECAM window; PAM and SMRAM registers keep
 * what is written.
 *
 * PAM and SMRAM do not remap memory: direct boot runs no code from below 1 MiB that needs it.
 */
#ifndef KILN_DEVICE_MCH_H
#define KILN_DEVICE_MCH_H

#include "bus/pci-bus.h"

/**
 * KilnMchOptions:
 * @host: gets the bridge at 00:00.0
 * @ecam_base: what PCIEXBAR holds after reset, enabled with 256 MiB: a multiple of 256 MiB below
 *   2^36; 0: disabled until firmware sets it
 */
typedef struct {
    KilnPciHost *host;
    uint64_t ecam_base;
} KilnMchOptions;

/* Returns: (transfer full): the bridge, on its bus; NULL with @error set. */
KilnDevice *kiln_mch_new(const KilnMchOptions *options, GError **error);

#endif
