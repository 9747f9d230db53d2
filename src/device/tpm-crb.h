/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command response buffer interface of a TPM 2.0, "CRB" (TCG PC Client Platform TPM
 * Profile 1.05 §6.5.3): locality 0 alone, a page at 0xfed40000, of which the upper part is the
 * buffer.
 */
#ifndef KILN_DEVICE_TPM_CRB_H
#define KILN_DEVICE_TPM_CRB_H

#include "bus/device.h"
#include "bus/space.h"
#include "device/tpm-emulator.h"

enum { KILN_TPM_CRB_LENGTH = 0x1000, KILN_TPM_CRB_CONTROL_AREA = 0x40 };

/* As KilnTpmTisOptions. */
typedef struct {
    KilnSpace *memory;
    KilnTpmEmulator *emulator;
} KilnTpmCrbOptions;

/* Returns: (transfer full): mapped, the TPM starting; NULL with @error set, also for a TPM 1.2,
 * which has no such interface.  Main thread. */
KilnDevice *kiln_tpm_crb_new(const KilnTpmCrbOptions *options, GError **error);

#endif
