/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 16550A UART (National Semiconductor PC16550D datasheet, June 1995): eight ports, FIFOs of 16
 * bytes, one interrupt.
 *
 *   THR write -> chardev (or, while that is full, the transmit FIFO, and THRE stays clear)
 *   chardev input -> receive FIFO -> RDA or character timeout interrupt
 *
 * A byte that is written goes straight on to the chardev, which never blocks; there is no line
 * speed, so the transmitter is always empty unless the chardev has no room.
 */
#ifndef KILN_DEVICE_SERIAL_H
#define KILN_DEVICE_SERIAL_H

#include "bus/device.h"
#include "bus/irq.h"
#include "bus/space.h"
#include "chardev/chardev.h"

/**
 * KilnSerialOptions:
 * @io: where its eight ports are claimed at @base
 * @index: 0 for COM1
 * @irq: level
 * @chardev: (nullable): its host side, whose front end it is from now on; outlives it.  NULL is a
 *   port with nothing plugged in
 */
typedef struct {
    KilnSpace *io;
    uint16_t base;
    unsigned index;
    KilnIrq irq;
    KilnChardev *chardev;
} KilnSerialOptions;

/* Returns: (transfer full): mapped; NULL with @error set.  Main thread. */
KilnDevice *kiln_serial_new(const KilnSerialOptions *options, GError **error);

#endif
