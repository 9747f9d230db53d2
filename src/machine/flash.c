/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware in flash: its code ends at 4 GiB, and the guest's own variables end where the code
 * begins, as on QEMU's q35, which is where OVMF is linked to be.
 */
#include "machine/private.h"

#include <fcntl.h>

#include "block/lock.h"
#include "boot/nvram.h"
#include "device/pflash.h"
#include "domain/domain.h"
#include "machine/slots.h"
#include "memory/layout.h"

gboolean
kiln_machine_has_flash(const KilnMachine *machine)
{
    return machine->domain->os.loader_type == KILN_LOADER_PFLASH;
}

/* @fd: (transfer full): locked first, if the guest can write it.
 *
 * Returns: the device, one of the machine's. */
static KilnDevice *
add_bank(KilnMachine *machine, KilnPflashOptions *options, KilnFd fd, GError **error)
{
    g_auto(KilnFd) owned = fd;
    KilnDevice *device;

    options->memory = machine->mmio;
    options->slots = kiln_machine_slots(machine);
    if (!options->read_only &&
        !kiln_file_lock(owned, options->path, KILN_LOCK_CONSISTENT_READ | KILN_LOCK_WRITE,
                        KILN_LOCK_CONSISTENT_READ, error))
        return NULL;
    options->fd = kiln_fd_steal(&owned);
    device = kiln_pflash_new(options, error);
    return device != NULL ? kiln_machine_add_device(machine, device) : NULL;
}

static KilnDevice *
add_code(KilnMachine *machine, GError **error)
{
    const KilnOs *os = &machine->domain->os;
    KilnPflashOptions options = {
        .id = "pflash0",
        .end = KILN_LAYOUT_FLASH_END,
        .path = os->loader,
        .read_only = os->loader_readonly != KILN_SWITCH_OFF,
    };
    KilnFd fd = kiln_open(os->loader, options.read_only ? O_RDONLY : O_RDWR, 0, error);

    return fd >= 0 ? add_bank(machine, &options, fd, error) : NULL;
}

static KilnDevice *
add_variables(KilnMachine *machine, uint64_t end, GError **error)
{
    const KilnOs *os = &machine->domain->os;
    KilnPflashOptions options = { .id = "pflash1", .instance = 1, .end = end, .path = os->nvram };
    KilnFd fd = kiln_nvram_open(os->nvram, os->nvram_template, machine->options.reset_nvram, error);

    return fd >= 0 ? add_bank(machine, &options, fd, error) : NULL;
}

gboolean
kiln_machine_build_flash(KilnMachine *machine, GError **error)
{
    KilnDevice *code = add_code(machine, error);

    if (code == NULL) {
        g_prefix_error(error, "loader: ");
        return FALSE;
    }
    if (machine->domain->os.nvram == NULL ||
        add_variables(machine, KILN_LAYOUT_FLASH_END - kiln_pflash_size(code), error) != NULL)
        return TRUE;
    g_prefix_error(error, "nvram: ");
    return FALSE;
}
