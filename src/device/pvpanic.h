/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The paravirtual panic notifier on the ISA bus (QEMU 7.2 docs/specs/pvpanic.txt): one port;
 * reading it tells which events are understood, writing reports one.
 */
#ifndef KILN_DEVICE_PVPANIC_H
#define KILN_DEVICE_PVPANIC_H

#include "bus/device.h"
#include "bus/space.h"

enum {
    KILN_PVPANIC_PORT = 0x505,
    KILN_PVPANIC_PANICKED = 1 << 0,     /* the guest's kernel has panicked and will do no more */
    KILN_PVPANIC_CRASH_LOADED = 1 << 1, /* it has panicked and runs a crash kernel next */
};

/**
 * KilnPvpanicOptions:
 * @port: 0 is taken as KILN_PVPANIC_PORT
 * @event: the guest reported @events, at least one of the two above; lock held, vCPU thread
 */
typedef struct {
    KilnSpace *io;
    uint16_t port;
    void (*event)(void *opaque, unsigned events);
    void *opaque;
} KilnPvpanicOptions;

/* Returns: (transfer full): mapped; NULL with @error set. */
KilnDevice *kiln_pvpanic_new(const KilnPvpanicOptions *options, GError **error);

#endif
