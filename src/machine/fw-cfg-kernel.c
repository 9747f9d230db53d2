/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel that firmware is to start: OVMF loads it from fw_cfg by itself, SeaBIOS by the option
 * ROM linuxboot_dma.bin, which copies each part to the address that is given beside it and jumps
 * into the setup code, as a boot loader does (Linux boot protocol 2.15; addresses as QEMU's).
 */
#include "machine/fw-cfg.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "domain/domain.h"
#include "machine/private.h"
#include "memory/layout.h"

enum {
    SETUP_GPA = 0x10000,
    CMDLINE_GPA = 0x20000,
    KERNEL_GPA = 0x100000,
    SECTOR = 512,
    DEFAULT_SETUP_SECTS = 4, /* what 0 stands for */
    PAGE = 4096,
    TABLES_SPACE = 0x28000, /* what firmware takes from the end of low RAM for ACPI tables */

    /* Offsets into the file: Linux boot protocol 2.15, "The Real-Mode Kernel Header". */
    SETUP_SECTS = 0x1f1,
    HEADER = 0x202,
    PROTOCOL = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    HEADER_END = 0x268,

    PROTOCOL_2_3 = 0x203,
    LOADER_QEMU = 0xb0,
    LOADED_HIGH = 1 << 0,
    CAN_USE_HEAP = 1 << 7,
};

#define HEADER_MAGIC   0x53726448u /* "HdrS" */
#define LINUXBOOT_PATH "/usr/share/qemu/linuxboot_dma.bin"
#define INITRD_MAX_OLD 0x37ffffffu

/* The whole file, as it is mapped. */
static GBytes *
map_file(int fd, const char *what, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new_from_fd(fd, FALSE, error);

    if (file == NULL) {
        g_prefix_error(error, "%s: ", what);
        return NULL;
    }
    return g_mapped_file_get_bytes(file);
}

static gboolean
check_kernel(const char *path, const uint8_t *data, gsize size, gsize *setup_size, GError **error)
{
    guint sectors;

    if (size >= HEADER_END && kiln_le32_load(data + HEADER) == HEADER_MAGIC &&
        kiln_le16_load(data + PROTOCOL) >= PROTOCOL_2_3 && (data[LOADFLAGS] & LOADED_HIGH)) {
        sectors = data[SETUP_SECTS] != 0 ? data[SETUP_SECTS] : DEFAULT_SETUP_SECTS;
        *setup_size = (gsize)(sectors + 1) * SECTOR;
        if (*setup_size < size)
            return TRUE;
    }
    return kiln_error_set(error, KILN_ERROR_INVALID,
                          "kernel '%s': is no bzImage, the one kind that firmware starts", path);
}

/* Puts the initrd as high as the kernel allows; tells the setup code in @setup. */
static gboolean
add_initrd(KilnMachine *machine, KilnFwCfg *fw_cfg, uint8_t *setup, GError **error)
{
    uint64_t top = kiln_layout_low_ram(kiln_memory_size(machine->memory)) - TABLES_SPACE;
    uint64_t highest = kiln_le32_load(setup + INITRD_ADDR_MAX);
    g_autoptr(GBytes) initrd = NULL;
    uint32_t address;
    gsize size;

    if (machine->initrd_fd < 0)
        return TRUE;
    initrd = map_file(machine->initrd_fd, "initrd", error);
    if (initrd == NULL)
        return FALSE;
    size = g_bytes_get_size(initrd);
    top = MIN(top, (highest != 0 ? highest : INITRD_MAX_OLD) + 1);
    if (size + KERNEL_GPA >= top)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "initrd '%s': does not fit into the guest's memory",
                              machine->domain->os.initrd);
    address = (uint32_t)((top - size) & ~(uint64_t)(PAGE - 1));
    kiln_le32_store(setup + RAMDISK_IMAGE, address);
    kiln_le32_store(setup + RAMDISK_SIZE, (uint32_t)size);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_INITRD_ADDR, address);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_INITRD_SIZE, (uint32_t)size);
    kiln_fw_cfg_add(fw_cfg, KILN_FW_CFG_INITRD_DATA, g_steal_pointer(&initrd));
    return TRUE;
}

static void
add_cmdline(const KilnOs *os, KilnFwCfg *fw_cfg, uint8_t *setup)
{
    const char *cmdline = os->cmdline != NULL ? os->cmdline : "";
    gsize size = strlen(cmdline) + 1;

    setup[TYPE_OF_LOADER] = LOADER_QEMU;
    setup[LOADFLAGS] |= CAN_USE_HEAP;
    kiln_le16_store(setup + HEAP_END_PTR, CMDLINE_GPA - SETUP_GPA - 0x200);
    kiln_le32_store(setup + CMD_LINE_PTR, CMDLINE_GPA);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_CMDLINE_ADDR, CMDLINE_GPA);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_CMDLINE_SIZE, (uint32_t)size);
    kiln_fw_cfg_add(fw_cfg, KILN_FW_CFG_CMDLINE_DATA, g_bytes_new(cmdline, size));
}

/* The ROM that loads all this for SeaBIOS. */
static gboolean
add_loader(KilnFwCfg *fw_cfg, GError **error)
{
    g_autofree char *rom = NULL;
    gsize size;

    if (!g_file_test(LINUXBOOT_PATH, G_FILE_TEST_EXISTS))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "there is no '%s', by which SeaBIOS starts a <kernel>; install the "
                              "package qemu-system-data",
                              LINUXBOOT_PATH);
    return g_file_get_contents(LINUXBOOT_PATH, &rom, &size, error) &&
           kiln_fw_cfg_add_file(fw_cfg, KILN_MACHINE_LINUXBOOT,
                                g_bytes_new_take(g_steal_pointer(&rom), size), error);
}

gboolean
kiln_machine_add_kernel_items(KilnMachine *machine, KilnFwCfg *fw_cfg, GError **error)
{
    const KilnOs *os = &machine->domain->os;
    g_autoptr(GBytes) kernel = NULL;
    g_autofree uint8_t *setup = NULL;
    const uint8_t *data;
    gsize size, setup_size = 0;

    if (os->kernel == NULL)
        return TRUE;
    kernel = map_file(machine->kernel_fd, "kernel", error);
    if (kernel == NULL)
        return FALSE;
    data = g_bytes_get_data(kernel, &size);
    if (!check_kernel(os->kernel, data, size, &setup_size, error))
        return FALSE;
    setup = g_memdup2(data, setup_size);
    add_cmdline(os, fw_cfg, setup);
    if (!add_initrd(machine, fw_cfg, setup, error))
        return FALSE;
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_SETUP_ADDR, SETUP_GPA);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_SETUP_SIZE, (uint32_t)setup_size);
    kiln_fw_cfg_add(fw_cfg, KILN_FW_CFG_SETUP_DATA,
                    g_bytes_new_take(g_steal_pointer(&setup), setup_size));
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_KERNEL_ADDR, KERNEL_GPA);
    kiln_fw_cfg_add_32(fw_cfg, KILN_FW_CFG_KERNEL_SIZE, (uint32_t)(size - setup_size));
    kiln_fw_cfg_add(fw_cfg, KILN_FW_CFG_KERNEL_DATA,
                    g_bytes_new_from_bytes(kernel, setup_size, size - setup_size));
    return machine->domain->os.loader_type == KILN_LOADER_PFLASH || add_loader(fw_cfg, error);
}
