/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System control port A, 0x92 (ICH9 datasheet, 316972-004, §13.7.3): fast A20, which is kept but
 * masks nothing, and fast reset.
 */
#ifndef KILN_DEVICE_PORT92_H
#define KILN_DEVICE_PORT92_H

#include "bus/device.h"
#include "bus/space.h"
#include "device/reset.h"

/* @reset is called with the lock held on a vCPU thread. */
typedef struct {
    KilnSpace *io;
    KilnResetFn reset;
    void *reset_opaque;
} KilnPort92Options;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_port92_new(const KilnPort92Options *options, GError **error);

#endif
