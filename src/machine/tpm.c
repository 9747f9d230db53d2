/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <tpm>: swtpm, and the interface by which the guest reaches it. */
#include "machine/devices.h"

#include "base/error.h"
#include "base/unix-socket.h"
#include "device/tpm-crb.h"
#include "device/tpm-emulator.h"
#include "device/tpm-swtpm.h"
#include "device/tpm-tis.h"
#include "machine/private.h"

/* Where libvirt's drivers keep a TPM's state: by the guest's UUID and the TPM's version. */
static char *
state_directory(const KilnMachine *machine, gboolean tpm2)
{
    return g_build_filename(machine->options.state_dir, "swtpm", machine->domain->uuid,
                            tpm2 ? "tpm2" : "tpm1.2", NULL);
}

static gboolean
start_swtpm(KilnMachine *machine, const KilnTpm *tpm, gboolean tpm2, int *control_fd,
            GError **error)
{
    g_autofree char *name = g_strdup_printf("swtpm (%s)", tpm->info.alias);
    g_autofree char *directory = NULL;
    KilnSwtpmOptions options = {
        .name = name,
        .tpm2 = tpm2,
        .vm_name = machine->domain->name,
        .vm_uuid = machine->domain->uuid,
    };

    if (machine->options.state_dir == NULL)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "there is no place for its state");
    directory = state_directory(machine, tpm2);
    options.state_dir = directory;
    machine->swtpm = kiln_swtpm_start(&options, control_fd, error);
    return machine->swtpm != NULL;
}

static gboolean
open_emulator(KilnMachine *machine, const KilnTpm *tpm, GError **error)
{
    KilnTpmEmulatorOptions options = {
        .id = tpm->info.alias,
        .control_fd = -1,
        .tpm2 = tpm->backend.version != KILN_TPM_VERSION_1_2,
    };

    if (tpm->backend.type == KILN_TPM_BACKEND_TYPE_EXTERNAL) {
        options.control_fd = kiln_unix_connect(tpm->backend.source_path, error);
        if (options.control_fd < 0)
            return FALSE;
    } else if (!start_swtpm(machine, tpm, options.tpm2, &options.control_fd, error)) {
        return FALSE;
    }
    machine->tpm = kiln_tpm_emulator_open(&options, error);
    return machine->tpm != NULL;
}

gboolean
kiln_machine_build_tpm(KilnMachine *machine, GError **error)
{
    const KilnTpm *tpm =
        machine->domain->tpms->len > 0 ? g_ptr_array_index(machine->domain->tpms, 0) : NULL;
    KilnDevice *device = NULL;

    if (tpm == NULL)
        return TRUE;
    if (machine->domain->tpms->len > 1)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "<tpm>: a guest has one at most");
    if (open_emulator(machine, tpm, error)) {
        if (tpm->model == KILN_TPM_MODEL_TPM_TIS) {
            KilnTpmTisOptions options = { machine->mmio, machine->tpm };

            device = kiln_tpm_tis_new(&options, error);
        } else {
            KilnTpmCrbOptions options = { machine->mmio, machine->tpm };

            device = kiln_tpm_crb_new(&options, error);
        }
    }
    if (device != NULL)
        return kiln_machine_add_device(machine, device) != NULL;
    g_prefix_error(error, "%s: ", tpm->info.alias);
    return FALSE;
}

void
kiln_machine_free_tpm(KilnMachine *machine)
{
    kiln_tpm_emulator_free(machine->tpm);
    kiln_process_free(machine->swtpm);
}
