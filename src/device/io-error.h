/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of a disk's request that the host could not do: libvirt's error_policy (writes, and
 * reads where rerror_policy is not given) and rerror_policy (reads).
 */
#ifndef KILN_DEVICE_IO_ERROR_H
#define KILN_DEVICE_IO_ERROR_H

#include <errno.h>
#include <glib.h>

/**
 * KilnIoErrorPolicy:
 * @KILN_IO_ERROR_REPORT: the guest is told
 * @KILN_IO_ERROR_IGNORE: the guest is told that all went well
 * @KILN_IO_ERROR_STOP: the guest is told nothing; the machine pauses it, and when it goes on the
 *   request is tried again
 * @KILN_IO_ERROR_ENOSPACE: STOP when the host has no space left, else REPORT
 */
typedef enum {
    KILN_IO_ERROR_REPORT,
    KILN_IO_ERROR_IGNORE,
    KILN_IO_ERROR_STOP,
    KILN_IO_ERROR_ENOSPACE,
} KilnIoErrorPolicy;

/**
 * KilnIoErrorFunc:
 * @error: the errno
 * @action: what is done about it: REPORT, IGNORE or STOP
 *
 * A request failed.  In the thread of the device's context, once for each failure; does not wait.
 */
typedef void (*KilnIoErrorFunc)(void *opaque, gboolean is_read, int error,
                                KilnIoErrorPolicy action);

/* What @policy says of @error: REPORT, IGNORE or STOP. */
static inline KilnIoErrorPolicy
kiln_io_error_action(KilnIoErrorPolicy policy, int error)
{
    if (policy != KILN_IO_ERROR_ENOSPACE)
        return policy;
    return error == ENOSPC ? KILN_IO_ERROR_STOP : KILN_IO_ERROR_REPORT;
}

#endif
