/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A trusted platform module that swtpm emulates, as the front ends (tpm-tis.h, tpm-crb.h) see it.
 *
 *   front end --submit--> thread --data socket, TPM commands as they are--> swtpm
 *       ^---- done() ------+   \---control socket, CMD_… of swtpm_ioctls(3)-^
 *
 * A thread of its own does all that may wait, so that neither a vCPU nor the main thread does: an
 * RSA key takes seconds.  swtpm is not trusted with more than the guest's TPM: sizes that it sends
 * are checked, and when it dies, answers nonsense or is silent on its control socket for
 * KILN_TPM_TIMEOUT_S, the TPM has failed: every command is then answered by TPM_RC_FAILURE, and the
 * guest goes on.
 */
#ifndef KILN_DEVICE_TPM_EMULATOR_H
#define KILN_DEVICE_TPM_EMULATOR_H

#include <glib.h>
#include <stdint.h>

#include "state/state.h"

enum {
    KILN_TPM_BUFFER = 4096, /* the longest command and response */
    KILN_TPM_HEADER = 10,   /* tag, size, code: TPM 2.0 part 1 §18 */
    KILN_TPM_TIMEOUT_S = 20,
    KILN_TPM_MAX_BLOB = 512 * 1024, /* bytes of one of its three states */
};

typedef struct KilnTpmEmulator KilnTpmEmulator;

/**
 * KilnTpmEmulatorOptions:
 * @id: for messages: "tpm0"; copied
 * @control_fd: (transfer full): the connected control socket of a swtpm that was not initialised
 * @tpm2: a TPM 2.0, else 1.2
 */
typedef struct {
    const char *id;
    int control_fd;
    gboolean tpm2;
} KilnTpmEmulatorOptions;

/**
 * kiln_tpm_emulator_open:
 *
 * Gives swtpm its data socket and asks what it can do.  Waits for it: before the sandbox.
 *
 * Returns: (transfer full): a TPM that kiln_tpm_emulator_reset() starts, or NULL with @error set
 * and the descriptor closed.
 */
KilnTpmEmulator *kiln_tpm_emulator_open(const KilnTpmEmulatorOptions *options, GError **error);

/* (nullable): swtpm is told to shut down; no front end uses it any more. */
void kiln_tpm_emulator_free(KilnTpmEmulator *emulator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnTpmEmulator, kiln_tpm_emulator_free)

gboolean kiln_tpm_emulator_is_tpm2(const KilnTpmEmulator *emulator);

/* @done: called when a response can be taken, from the TPM's own thread, no lock held.  At set-up.
 */
void kiln_tpm_emulator_set_frontend(KilnTpmEmulator *emulator, void (*done)(void *opaque),
                                    void *opaque);

/**
 * kiln_tpm_emulator_submit:
 * @command: @length bytes, at least KILN_TPM_HEADER and at most KILN_TPM_BUFFER; copied
 *
 * Any thread; never waits.
 *
 * Returns: FALSE if a command is under way, or its response was not taken.
 */
gboolean kiln_tpm_emulator_submit(KilnTpmEmulator *emulator, unsigned locality,
                                  const uint8_t *command, uint32_t length);

/**
 * kiln_tpm_emulator_take:
 * @response: (out): KILN_TPM_BUFFER bytes
 *
 * Returns: the response's length, 0 if there is none (any more).  Any thread.
 */
uint32_t kiln_tpm_emulator_take(KilnTpmEmulator *emulator, uint8_t *response);

/* The command under way shall end soon, with an error. */
void kiln_tpm_emulator_cancel(KilnTpmEmulator *emulator);

/* The same, and nobody wants its response: the next command may be submitted at once. */
void kiln_tpm_emulator_abandon(KilnTpmEmulator *emulator);

/* Power-on: what is under way is forgotten, and the TPM starts anew.  Any thread; never waits. */
void kiln_tpm_emulator_reset(KilnTpmEmulator *emulator);

/* Whether a dynamic root of trust was established since, and to forget it (localities 3 and 4). */
gboolean kiln_tpm_emulator_established(KilnTpmEmulator *emulator);
void kiln_tpm_emulator_reset_established(KilnTpmEmulator *emulator, unsigned locality);

/* Whether swtpm is gone or was given up. */
gboolean kiln_tpm_emulator_failed(KilnTpmEmulator *emulator);

/**
 * kiln_tpm_emulator_settle:
 *
 * Waits until nothing is under way: for saving.
 *
 * Returns: FALSE if that took more than KILN_TPM_TIMEOUT_S.
 */
gboolean kiln_tpm_emulator_settle(KilnTpmEmulator *emulator);

/* swtpm's own state, for KILN_STATE_POINTER; settled before.  Loading starts the TPM with it. */
extern const KilnStateDescription kiln_tpm_emulator_state;

#endif
