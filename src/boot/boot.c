/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See boot.h: which format a kernel has, told by its content. */
#include "boot/boot.h"

#include "boot/bzimage.h"
#include "boot/elf.h"
#include "boot/load.h"
#include "boot/multiboot.h"
#include "boot/pvh.h"

/* An ELF file is what its PVH note makes it, else what a multiboot header in it says. */
static gboolean
load_elf(KilnBootLoad *load, GError **error)
{
    KilnBootMultibootHeader header;
    g_auto(KilnBootElf) elf = { 0 };
    gboolean multiboot;

    if (!kiln_boot_elf_read(&load->kernel, &elf, error))
        return FALSE;
    if (elf.has_pvh_entry)
        return kiln_boot_pvh_load(load, &elf, error);
    if (!kiln_boot_multiboot_find(&load->kernel, &header, &multiboot, error))
        return FALSE;
    if (multiboot)
        return kiln_boot_multiboot_load(load, &header, &elf, error);
    return kiln_boot_file_error(&load->kernel, error,
                                "is an ELF file with neither a PVH note "
                                "(XEN_ELFNOTE_PHYS32_ENTRY; Linux has it with CONFIG_PVH=y) nor a "
                                "multiboot header: use the bzImage of this kernel");
}

static gboolean
load_kernel(KilnBootLoad *load, GError **error)
{
    KilnBootMultibootHeader header;
    gboolean found;

    if (!kiln_boot_bzimage_detect(&load->kernel, &found, error))
        return FALSE;
    if (found)
        return kiln_boot_bzimage_load(load, error);
    if (!kiln_boot_elf_detect(&load->kernel, &found, error))
        return FALSE;
    if (found)
        return load_elf(load, error);
    if (!kiln_boot_multiboot_find(&load->kernel, &header, &found, error))
        return FALSE;
    if (found)
        return kiln_boot_multiboot_load(load, &header, NULL, error);
    return kiln_boot_file_error(&load->kernel, error,
                                "is neither a Linux bzImage nor an ELF file nor a multiboot 1 "
                                "kernel");
}

gboolean
kiln_boot_load(KilnMemory *memory, const KilnBootOptions *options, KilnBootEntry *entry,
               GError **error)
{
    g_autoptr(KilnBootPlaces) places =
        kiln_boot_places_new(memory, options->reserved, options->n_reserved);
    KilnBootLoad load = { .memory = memory, .options = options, .places = places };

    if (!kiln_boot_file_init(&load.kernel, options->kernel_fd, "kernel", options->kernel_name,
                             error))
        return FALSE;
    if (options->initrd_fd >= 0 && !kiln_boot_file_init(&load.initrd, options->initrd_fd, "initrd",
                                                        options->initrd_name, error))
        return FALSE;
    if (!load_kernel(&load, error))
        return FALSE;
    *entry = load.entry;
    return TRUE;
}
