/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting swtpm for a guest: as a child, with a socket for control that has no name.  The state of
 * a TPM that is new is made by swtpm_setup first, with its endorsement key and platform
 * certificates, where that program is installed; without it swtpm makes an empty TPM itself.
 *
 * Before the sandbox; main thread.
 */
#ifndef KILN_DEVICE_TPM_SWTPM_H
#define KILN_DEVICE_TPM_SWTPM_H

#include <glib.h>

#include "base/process.h"

/**
 * KilnSwtpmOptions:
 * @name: for messages: "swtpm (tpm0)"
 * @state_dir: is made, with mode 0700, if it is not there
 * @tpm2: a TPM 2.0, else 1.2
 * @key_file: (nullable): a file with the passphrase that encrypts the state
 * @pcr_banks: (nullable): "sha256,sha384": those that are active, of a TPM 2.0; NULL leaves them
 * @plain: leave swtpm_setup out: a TPM without certificates
 * @vm_name, @vm_uuid: (nullable): of the guest: "NAME:UUID" goes into the certificates
 */
typedef struct {
    const char *name;
    const char *state_dir;
    gboolean tpm2;
    const char *key_file;
    const char *pcr_banks;
    gboolean plain;
    const char *vm_name;
    const char *vm_uuid;
} KilnSwtpmOptions;

/**
 * kiln_swtpm_start:
 * @control_fd: (out): for kiln_tpm_emulator_open(); the caller's
 *
 * Returns: (transfer full): the running program, or NULL with @error set: it is not installed, or
 *   the state cannot be made.
 */
KilnProcess *kiln_swtpm_start(const KilnSwtpmOptions *options, int *control_fd, GError **error);

#endif
