/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See multiboot.h.  header -> ELF segments, or the header's own addresses -> initrd as module ->
 * command line, memory map -> information in EBX, magic in EAX -> 32-bit protected mode.
 */
#include "boot/multiboot.h"

#include <string.h>

#include "base/le.h"
#include "memory/layout.h"

/* §3.1 */
enum {
    SEARCHED = 8192, /* bytes of the file in which the header must lie */
    HEADER_MAGIC = 0x1badb002,
    HEADER_SHORT = 12, /* bytes without addresses */
    HEADER_LONG = 32,  /* with them */
    FLAG_PAGE_ALIGN = 1 << 0,
    FLAG_MEMORY_INFO = 1 << 1,
    FLAGS_REQUIRED = 0xffff, /* those that a loader must know or else refuse */
    FLAG_ADDRESSES = 1 << 16,
};

/* §3.2, §3.3 */
enum {
    LOADER_MAGIC = 0x2badb002,
    INFO_MEMORY = 1 << 0,
    INFO_CMDLINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MEMORY_MAP = 1 << 6,
    INFO_LOADER_NAME = 1 << 9,
    AT_FLAGS = 0,
    AT_MEMORY_LOWER = 4, /* KiB from 0 */
    AT_MEMORY_UPPER = 8, /* KiB from 1 MiB */
    AT_CMDLINE = 16,
    AT_N_MODULES = 20,
    AT_MODULES = 24,
    AT_MAP_LENGTH = 44, /* bytes */
    AT_MAP = 48,
    AT_LOADER_NAME = 64,
    INFO_LENGTH = 116,
    MODULE_LENGTH = 16,
    MAP_ENTRY_LENGTH = 24,
    MAP_ENTRY_SIZE = 20, /* what an entry's own size field says: it does not count itself */
};

static const char loader_name[] = "kiln";

gboolean
kiln_boot_multiboot_find(const KilnBootFile *file, KilnBootMultibootHeader *header, gboolean *found,
                         GError **error)
{
    uint8_t head[SEARCHED + HEADER_LONG] = { 0 };
    uint64_t length = MIN(file->size, SEARCHED);

    *found = FALSE;
    if (!kiln_boot_file_read(file, 0, head, length, "its beginning", error))
        return FALSE;
    for (uint32_t at = 0; at + HEADER_SHORT <= length; at += 4) {
        uint32_t flags = kiln_le32_load(head + at + 4);
        uint32_t checksum = kiln_le32_load(head + at + 8);

        if (kiln_le32_load(head + at) != HEADER_MAGIC || HEADER_MAGIC + flags + checksum != 0)
            continue;
        *header = (KilnBootMultibootHeader){
            .offset = at,
            .flags = flags,
            .header_address = kiln_le32_load(head + at + 12),
            .load_address = kiln_le32_load(head + at + 16),
            .load_end = kiln_le32_load(head + at + 20),
            .bss_end = kiln_le32_load(head + at + 24),
            .entry = kiln_le32_load(head + at + 28),
        };
        *found = TRUE;
        if ((flags & FLAG_ADDRESSES) != 0 && at + HEADER_LONG > length)
            return kiln_boot_file_error(file, error,
                                        "the multiboot header's addresses (flag 16) reach past the "
                                        "first %" G_GUINT64_FORMAT " bytes",
                                        length);
        return TRUE;
    }
    return TRUE;
}

/* Loads by the addresses of the header, as an a.out kernel does. */
static gboolean
load_by_addresses(KilnBootLoad *load, const KilnBootMultibootHeader *header, GError **error)
{
    const KilnBootFile *file = &load->kernel;
    uint64_t before = (uint64_t)header->header_address - header->load_address;
    uint64_t offset, length, total;

    if (header->load_address > header->header_address || before > header->offset)
        return kiln_boot_file_error(
            file, error,
            "multiboot load_addr 0x%x is not what stands before header_addr "
            "0x%x at %u in the file",
            header->load_address, header->header_address, header->offset);
    offset = header->offset - before;
    if (header->load_end != 0 && header->load_end <= header->load_address)
        return kiln_boot_file_error(file, error,
                                    "multiboot load_end_addr 0x%x is not above load_addr 0x%x",
                                    header->load_end, header->load_address);
    length = header->load_end != 0 ? (uint64_t)header->load_end - header->load_address
                                   : file->size - offset;
    total = length;
    if (header->bss_end != 0) {
        if (header->bss_end < header->load_address + length)
            return kiln_boot_file_error(file, error,
                                        "multiboot bss_end_addr 0x%x is below the end of the data, "
                                        "0x%" G_GINT64_MODIFIER "x",
                                        header->bss_end, header->load_address + length);
        total = (uint64_t)header->bss_end - header->load_address;
    }
    if (header->entry < header->load_address || header->entry - header->load_address >= length)
        return kiln_boot_file_error(
            file, error, "multiboot entry_addr 0x%x is not in what is loaded", header->entry);
    if (!kiln_boot_place_segment(load, "multiboot load_addr", header->load_address, total, error) ||
        !kiln_boot_file_load(file, offset, load->memory, header->load_address, length,
                             "what multiboot load_addr and load_end_addr say", error))
        return FALSE;
    if (!load->options->memory_is_zero)
        kiln_boot_ram_zero(load->memory, header->load_address + length, total - length);
    load->entry.rip = header->entry;
    return TRUE;
}

static gboolean
load_segments(KilnBootLoad *load, const KilnBootElf *elf, GError **error)
{
    load->entry.rip = kiln_boot_elf_entry(elf);
    if (!kiln_boot_elf_has_code(elf, load->entry.rip))
        return kiln_boot_file_error(
            &load->kernel, error, "e_entry 0x%" G_GINT64_MODIFIER "x is in no segment below 4 GiB",
            elf->entry);
    return kiln_boot_elf_load(load, elf, error);
}

static gboolean
load_image(KilnBootLoad *load, const KilnBootMultibootHeader *header, const KilnBootElf *elf,
           GError **error)
{
    uint32_t unknown = header->flags & FLAGS_REQUIRED & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO);

    if (unknown != 0)
        return kiln_boot_file_error(&load->kernel, error,
                                    "multiboot flags 0x%x ask for 0x%x, which is not supported",
                                    header->flags, unknown);
    if ((header->flags & FLAG_ADDRESSES) != 0)
        return load_by_addresses(load, header, error);
    if (elf != NULL)
        return load_segments(load, elf, error);
    return kiln_boot_file_error(&load->kernel, error,
                                "multiboot flags 0x%x have no addresses (flag 16), and the file is "
                                "not ELF",
                                header->flags);
}

static gboolean
place_string(KilnBootLoad *load, const char *string, const char *what, uint8_t *field,
             GError **error)
{
    KilnGpa gpa;

    if (!kiln_boot_load_table(load, string, strlen(string) + 1, what, &gpa, error))
        return FALSE;
    kiln_le32_store(field, (uint32_t)gpa);
    return TRUE;
}

/* The first word is the kernel's own name, as with other loaders. */
static gboolean
place_cmdline(KilnBootLoad *load, uint8_t *info, GError **error)
{
    const char *options = load->options->cmdline;
    gboolean some = options != NULL && options[0] != '\0';
    g_autofree char *cmdline =
        g_strconcat(load->kernel.name, some ? " " : "", some ? options : "", NULL);

    return place_string(load, cmdline, "command line", info + AT_CMDLINE, error);
}

static gboolean
place_module(KilnBootLoad *load, uint8_t *info, GError **error)
{
    uint8_t module[MODULE_LENGTH] = { 0 };
    KilnGpa initrd, gpa;

    if (load->initrd.size == 0)
        return TRUE;
    if (!kiln_boot_load_initrd(load, KILN_LAYOUT_4G, &initrd, error) ||
        !place_string(load, load->initrd.name, "module's name", module + 8, error))
        return FALSE;
    kiln_le32_store(module, (uint32_t)initrd);
    kiln_le32_store(module + 4, (uint32_t)(initrd + load->initrd.size));
    if (!kiln_boot_load_table(load, module, sizeof module, "module list", &gpa, error))
        return FALSE;
    kiln_le32_store(info + AT_N_MODULES, 1);
    kiln_le32_store(info + AT_MODULES, (uint32_t)gpa);
    return TRUE;
}

static void
note_simple_sizes(const GArray *map, uint8_t *info)
{
    for (guint i = 0; i < map->len; i++) {
        const KilnBootRange *range = &g_array_index(map, KilnBootRange, i);

        if (range->type == KILN_BOOT_RAM && range->gpa == 0)
            kiln_le32_store(info + AT_MEMORY_LOWER, (uint32_t)(range->size / 1024));
        if (range->type == KILN_BOOT_RAM && range->gpa == 0x100000)
            kiln_le32_store(info + AT_MEMORY_UPPER, (uint32_t)(range->size / 1024));
    }
}

static gboolean
place_map(KilnBootLoad *load, uint8_t *info, GError **error)
{
    g_autoptr(GArray) map =
        kiln_boot_memory_map(load->memory, load->options->reserved, load->options->n_reserved);
    uint64_t length = (uint64_t)map->len * MAP_ENTRY_LENGTH;
    g_autofree uint8_t *entries = g_malloc0(length);
    KilnGpa gpa;

    for (guint i = 0; i < map->len; i++) {
        const KilnBootRange *range = &g_array_index(map, KilnBootRange, i);
        uint8_t *entry = entries + (size_t)i * MAP_ENTRY_LENGTH;

        kiln_le32_store(entry, MAP_ENTRY_SIZE);
        kiln_le64_store(entry + 4, range->gpa);
        kiln_le64_store(entry + 12, range->size);
        kiln_le32_store(entry + 20, range->type);
    }
    note_simple_sizes(map, info);
    if (!kiln_boot_load_table(load, entries, length, "memory map", &gpa, error))
        return FALSE;
    kiln_le32_store(info + AT_MAP_LENGTH, (uint32_t)length);
    kiln_le32_store(info + AT_MAP, (uint32_t)gpa);
    return TRUE;
}

gboolean
kiln_boot_multiboot_load(KilnBootLoad *load, const KilnBootMultibootHeader *header,
                         const KilnBootElf *elf, GError **error)
{
    uint8_t info[INFO_LENGTH] = { 0 };

    if (!load_image(load, header, elf, error) || !place_module(load, info, error) ||
        !place_cmdline(load, info, error) || !place_map(load, info, error) ||
        !place_string(load, loader_name, "loader's name", info + AT_LOADER_NAME, error))
        return FALSE;
    kiln_le32_store(info + AT_FLAGS,
                    INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME);
    load->entry.format = KILN_BOOT_MULTIBOOT;
    load->entry.mode = KILN_BOOT_PROTECTED32;
    load->entry.rax = LOADER_MAGIC;
    return kiln_boot_load_table(load, info, sizeof info, "multiboot information", &load->entry.rbx,
                                error) &&
           kiln_boot_load_gdt(load, error);
}
