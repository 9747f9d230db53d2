/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How devices tell the machine that the guest wants to be reset: one callback for every way. */
#ifndef KILN_DEVICE_RESET_H
#define KILN_DEVICE_RESET_H

typedef enum {
    KILN_RESET_PORT_CF9,     /* ICH9 reset control register; also what the FADT names */
    KILN_RESET_KEYBOARD,     /* i8042 command 0xfe, or its output port's bit 0 */
    KILN_RESET_PORT_92,      /* "fast reset" */
    KILN_RESET_TRIPLE_FAULT, /* seen by the vCPU loop */
    KILN_RESET_WATCHDOG,     /* TCO timer ran out twice */
} KilnResetCause;

/**
 * KilnResetFn:
 *
 * Called on a vCPU thread or the main loop's, with the sending device's lock held: it notes the
 * request, stops the calling vCPU from going on if it must, and returns; the devices are reset
 * later by the main loop.
 */
typedef void (*KilnResetFn)(void *opaque, KilnResetCause cause);

#endif
