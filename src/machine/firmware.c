/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Boot by firmware: its image is read-only memory that ends at 4 GiB, where the first vCPU begins;
 * it finds out about the machine by fw_cfg and sets up PCI itself.
 *
 *   image (mapped, shared by all guests) -> read-only slot below 4 GiB
 *                                        -> its last 128 KiB copied to 0xe0000 at each reset
 *
 * The copy stands in for what the chipset shows there before PAM makes RAM of it: real-mode code
 * jumps there at once.  Firmware in flash (flash.c) needs no copy.  PAM itself only keeps what is
 * written (device/mch.h): SeaBIOS copies its image down again when it has "switched" to RAM, which
 * here it was all the time.
 */
#include "machine/private.h"

#include <fcntl.h>

#include "base/error.h"
#include "domain/domain.h"
#include "machine/fw-cfg.h"
#include "memory/layout.h"

enum {
    IMAGE_ALIGN = 64 << 10,
    IMAGE_MAX = 16 << 20,
    LEGACY_BYTES = 128 << 10, /* that are below 1 MiB too */
};

/* Where SeaBIOS is: Debian's package seabios, and where QEMU's own build puts it. */
static const char *const seabios_paths[] = {
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/bios-256k.bin",
    "/usr/local/share/qemu/bios-256k.bin",
};

gboolean
kiln_machine_has_firmware(const KilnMachine *machine)
{
    const KilnOs *os = &machine->domain->os;

    return os->kernel == NULL || os->loader != NULL || os->firmware != KILN_FIRMWARE_ABSENT;
}

/* The image that <loader> names, else SeaBIOS. */
static const char *
image_path(const KilnOs *os, GError **error)
{
    if (os->loader != NULL)
        return os->loader;
    for (guint i = 0; i < G_N_ELEMENTS(seabios_paths); i++) {
        if (g_file_test(seabios_paths[i], G_FILE_TEST_EXISTS))
            return seabios_paths[i];
    }
    kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                   "firmware: there is no '%s': a guest without <kernel> boots by SeaBIOS; install "
                   "the package seabios",
                   seabios_paths[0]);
    return NULL;
}

gboolean
kiln_machine_open_firmware(KilnMachine *machine, GError **error)
{
    g_auto(KilnFd) fd = -1;
    gsize size;
    const char *path;

    if (kiln_machine_has_flash(machine))
        return TRUE;
    path = image_path(&machine->domain->os, error);
    if (path == NULL)
        return FALSE;
    fd = kiln_open(path, O_RDONLY, 0, error);
    if (fd >= 0)
        machine->firmware = g_mapped_file_new_from_fd(fd, FALSE, error);
    if (machine->firmware == NULL) {
        g_prefix_error(error, "firmware: ");
        return FALSE;
    }
    size = g_mapped_file_get_length(machine->firmware);
    if (size < LEGACY_BYTES || size > IMAGE_MAX || size % IMAGE_ALIGN != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "firmware: '%s' has %" G_GSIZE_FORMAT
                              " bytes; images have from 128 KiB to 16 MiB, a multiple of 64 KiB",
                              path, size);
    return TRUE;
}

gboolean
kiln_machine_build_firmware(KilnMachine *machine, GError **error)
{
    gsize size;

    if (!kiln_machine_has_firmware(machine))
        return TRUE;
    if (kiln_machine_has_flash(machine))
        return kiln_machine_build_flash(machine, error) &&
               kiln_machine_build_fw_cfg(machine, error);
    size = g_mapped_file_get_length(machine->firmware);
    return kiln_vm_add_slot(machine->vm, KILN_LAYOUT_FLASH_END - size, size,
                            g_mapped_file_get_contents(machine->firmware), KVM_MEM_READONLY,
                            error) >= 0 &&
           kiln_machine_build_fw_cfg(machine, error);
}

/* The end of a ROM, below 1 MiB. */
static gboolean
copy_rom(KilnMachine *machine, GError **error)
{
    gsize size = g_mapped_file_get_length(machine->firmware);
    const char *image = g_mapped_file_get_contents(machine->firmware);

    return kiln_memory_write(machine->memory, KILN_LAYOUT_BIOS_AREA, image + size - LEGACY_BYTES,
                             LEGACY_BYTES) ||
           kiln_error_set(error, KILN_ERROR_INVALID, "memory: less than 1 MiB");
}

gboolean
kiln_machine_load_firmware(KilnMachine *machine, GError **error)
{
    KilnVcpuStart start = { .mode = KILN_VCPU_START_RESET };

    return (kiln_machine_has_flash(machine) || copy_rom(machine, error)) &&
           kiln_vcpu_group_reset(machine->vcpus, &start, error);
}

void
kiln_machine_free_firmware(KilnMachine *machine)
{
    g_clear_pointer(&machine->firmware, g_mapped_file_unref);
}
