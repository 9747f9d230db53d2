/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See pvh.h.  segments -> initrd as module -> command line, memory map -> start info in EBX ->
 * 32-bit protected mode, flat segments, no paging.
 */
#include "boot/pvh.h"

#include <string.h>

#include "memory/layout.h"

enum {
    START_INFO_MAGIC = 0x336ec578, /* "xEn3" with bit 7 of the E set */
    START_INFO_VERSION = 1,        /* the one with a memory map */
};

/* struct hvm_start_info, hvm_modlist_entry and hvm_memmap_table_entry of Xen's header. */
typedef struct {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t n_modules;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t n_memory_map;
    uint32_t reserved;
} StartInfo;

typedef struct {
    uint64_t address;
    uint64_t size;
    uint64_t cmdline;
    uint64_t reserved;
} Module;

typedef struct {
    uint64_t address;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
} MapEntry;

G_STATIC_ASSERT(sizeof(StartInfo) == 56);
G_STATIC_ASSERT(sizeof(Module) == 32);
G_STATIC_ASSERT(sizeof(MapEntry) == 24);

static gboolean
place_map(KilnBootLoad *load, StartInfo *info, GError **error)
{
    g_autoptr(GArray) map =
        kiln_boot_memory_map(load->memory, load->options->reserved, load->options->n_reserved);
    g_autofree MapEntry *entries = g_new0(MapEntry, map->len);

    for (guint i = 0; i < map->len; i++) {
        const KilnBootRange *range = &g_array_index(map, KilnBootRange, i);

        entries[i] = (MapEntry){ .address = range->gpa, .size = range->size, .type = range->type };
    }
    info->n_memory_map = map->len;
    return kiln_boot_load_table(load, entries, map->len * sizeof *entries, "memory map",
                                &info->memory_map, error);
}

/* Linux takes the module's address as 32 bits. */
static gboolean
place_module(KilnBootLoad *load, StartInfo *info, GError **error)
{
    Module module = { .size = load->initrd.size };

    if (load->initrd.size == 0)
        return TRUE;
    info->n_modules = 1;
    return kiln_boot_load_initrd(load, KILN_LAYOUT_4G, &module.address, error) &&
           kiln_boot_load_table(load, &module, sizeof module, "module list", &info->modules, error);
}

gboolean
kiln_boot_pvh_load(KilnBootLoad *load, const KilnBootElf *elf, GError **error)
{
    const char *cmdline = load->options->cmdline != NULL ? load->options->cmdline : "";
    StartInfo info = {
        .magic = START_INFO_MAGIC,
        .version = START_INFO_VERSION,
        .rsdp = load->options->rsdp,
    };

    if (!kiln_boot_elf_has_code(elf, elf->pvh_entry))
        return kiln_boot_file_error(&load->kernel, error,
                                    "the PVH note (XEN_ELFNOTE_PHYS32_ENTRY) names the entry "
                                    "0x%" G_GINT64_MODIFIER "x, which is in no segment below 4 GiB",
                                    elf->pvh_entry);
    load->entry.format = KILN_BOOT_PVH;
    load->entry.mode = KILN_BOOT_PROTECTED32;
    load->entry.rip = elf->pvh_entry;
    return kiln_boot_elf_load(load, elf, error) && place_module(load, &info, error) &&
           kiln_boot_load_table(load, cmdline, strlen(cmdline) + 1, "command line", &info.cmdline,
                                error) &&
           place_map(load, &info, error) &&
           kiln_boot_load_table(load, &info, sizeof info, "start info", &load->entry.rbx, error) &&
           kiln_boot_load_gdt(load, error);
}
