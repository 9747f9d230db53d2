/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The FIFO interface of a TPM 1.2 or 2.0, "TIS" (TCG PC Client Platform TPM Profile 1.05 §6.5.2):
 * four localities, a page of registers each, at 0xfed40000; polled, as it has no interrupt.
 *
 *   command bytes -> buffer -> tpmGo -> KilnTpmEmulator -> response in the buffer -> bytes
 */
#ifndef KILN_DEVICE_TPM_TIS_H
#define KILN_DEVICE_TPM_TIS_H

#include "bus/device.h"
#include "bus/space.h"
#include "device/tpm-emulator.h"

#define KILN_TPM_BASE UINT64_C(0xfed40000)

enum { KILN_TPM_TIS_LENGTH = 0x5000 };

/**
 * KilnTpmTisOptions:
 * @memory: where its registers are, at KILN_TPM_BASE
 * @emulator: whose front end it is from now on; outlives it
 */
typedef struct {
    KilnSpace *memory;
    KilnTpmEmulator *emulator;
} KilnTpmTisOptions;

/* Returns: (transfer full): mapped, the TPM starting; NULL with @error set.  Main thread. */
KilnDevice *kiln_tpm_tis_new(const KilnTpmTisOptions *options, GError **error);

#endif
