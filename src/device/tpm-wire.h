/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * swtpm's two sockets: the control channel (commands CMD_… of swtpm's tpm_ioctl.h, big-endian, each
 * answered by a result and what belongs to it) and the data channel, which has TPM commands and
 * responses as they are.  Every call waits, at most KILN_TPM_TIMEOUT_S for each answer on the
 * control channel; an error leaves a channel that is good for nothing more.
 */
#ifndef KILN_DEVICE_TPM_WIRE_H
#define KILN_DEVICE_TPM_WIRE_H

#include <glib.h>
#include <stdint.h>

#include "base/fd.h"

typedef struct {
    KilnFd control;
    KilnFd data;
} KilnTpmWire;

/* @control_fd: (transfer full).  Gives swtpm a data socket; checks what it can do. */
gboolean kiln_tpm_wire_open(KilnTpmWire *wire, int control_fd, GError **error);
void kiln_tpm_wire_close(KilnTpmWire *wire);

/* One request each: the TPM stands still; it is powered on; it is to end with all it has; where
 * the next commands come from; the flag of a dynamic root of trust. */
gboolean kiln_tpm_wire_stop(KilnTpmWire *wire, GError **error);
gboolean kiln_tpm_wire_init(KilnTpmWire *wire, uint32_t flags, GError **error);
void kiln_tpm_wire_shutdown(KilnTpmWire *wire);
gboolean kiln_tpm_wire_set_locality(KilnTpmWire *wire, uint8_t locality, GError **error);
gboolean kiln_tpm_wire_established(KilnTpmWire *wire, gboolean *established, GError **error);
gboolean kiln_tpm_wire_reset_established(KilnTpmWire *wire, uint8_t locality, GError **error);

/* @type: 1 permanent, 2 volatile, 3 saved. */
gboolean kiln_tpm_wire_get_blob(KilnTpmWire *wire, uint32_t type, uint8_t **bytes, uint32_t *length,
                                uint32_t *flags, GError **error);
gboolean kiln_tpm_wire_set_blob(KilnTpmWire *wire, uint32_t type, const uint8_t *bytes,
                                uint32_t length, uint32_t flags, GError **error);

/**
 * kiln_tpm_wire_command:
 * @buffer: (inout): a TPM command of @length bytes; then the response, of at most @size
 * @interrupt_fd: an eventfd: when it is set, swtpm is asked to cancel the command
 *
 * Waits as long as the command takes.  Returns: the response's length, or 0 with @error set.
 */
uint32_t kiln_tpm_wire_command(KilnTpmWire *wire, uint8_t *buffer, uint32_t length, uint32_t size,
                               int interrupt_fd, GError **error);

static inline uint32_t
kiln_tpm_get32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline void
kiln_tpm_put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void
kiln_tpm_put32(uint8_t *to, uint32_t value)
{
    kiln_tpm_put16(to, (uint16_t)(value >> 16));
    kiln_tpm_put16(to + 2, (uint16_t)value);
}

#endif
