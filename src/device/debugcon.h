/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The debug console of Bochs and QEMU: one port that takes characters, which firmware writes its
 * messages to once it has read KILN_DEBUGCON_HERE from it.
 */
#ifndef KILN_DEVICE_DEBUGCON_H
#define KILN_DEVICE_DEBUGCON_H

#include "bus/device.h"
#include "bus/space.h"
#include "chardev/chardev.h"

enum {
    KILN_DEBUGCON_PORT = 0x402, /* where SeaBIOS and OVMF look */
    KILN_DEBUGCON_HERE = 0xe9,  /* what a read gives */
};

/**
 * KilnDebugconOptions:
 * @port: 0 is taken as KILN_DEBUGCON_PORT
 * @chardev: its host side, whose front end it is from now on; outlives it.  What that has no room
 *   for is lost
 */
typedef struct {
    KilnSpace *io;
    uint16_t port;
    KilnChardev *chardev;
} KilnDebugconOptions;

/* Returns: (transfer full): mapped; NULL with @error set.  Main thread. */
KilnDevice *kiln_debugcon_new(const KilnDebugconOptions *options, GError **error);

#endif
