/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See elf.h.  file header -> program headers -> notes; then segments into RAM. */
#include "boot/elf.h"

#include <elf.h>
#include <string.h>

#include "base/intmath.h"
#include "base/le.h"
#include "memory/layout.h"

enum {
    NOTE_HEAD = 12,             /* namesz, descsz, type */
    MAX_NOTES = 64 * 1024,      /* bytes of a PT_NOTE segment that are looked at */
    XEN_NOTE_PHYS32_ENTRY = 18, /* Xen public/elfnote.h: the PVH entry point */
};

/* The file header of either class. */
typedef struct {
    gboolean is_64;
    uint64_t entry;
    uint64_t table_offset;
    guint entry_size;
    guint n_headers;
    guint type;
    guint machine;
} FileHeader;

gboolean
kiln_boot_elf_detect(const KilnBootFile *file, gboolean *found, GError **error)
{
    char magic[SELFMAG];

    *found = FALSE;
    if (file->size < sizeof magic)
        return TRUE;
    if (!kiln_boot_file_read(file, 0, magic, sizeof magic, "ELF magic", error))
        return FALSE;
    *found = memcmp(magic, ELFMAG, SELFMAG) == 0;
    return TRUE;
}

static gboolean
read_header_32(const KilnBootFile *file, FileHeader *header, GError **error)
{
    Elf32_Ehdr raw;

    if (!kiln_boot_file_read(file, 0, &raw, sizeof raw, "ELF header", error))
        return FALSE;
    *header = (FileHeader){
        .entry = raw.e_entry,
        .table_offset = raw.e_phoff,
        .entry_size = raw.e_phentsize,
        .n_headers = raw.e_phnum,
        .type = raw.e_type,
        .machine = raw.e_machine,
    };
    return TRUE;
}

static gboolean
read_header_64(const KilnBootFile *file, FileHeader *header, GError **error)
{
    Elf64_Ehdr raw;

    if (!kiln_boot_file_read(file, 0, &raw, sizeof raw, "ELF header", error))
        return FALSE;
    *header = (FileHeader){
        .is_64 = TRUE,
        .entry = raw.e_entry,
        .table_offset = raw.e_phoff,
        .entry_size = raw.e_phentsize,
        .n_headers = raw.e_phnum,
        .type = raw.e_type,
        .machine = raw.e_machine,
    };
    return TRUE;
}

static gboolean
read_header(const KilnBootFile *file, FileHeader *header, GError **error)
{
    unsigned char ident[EI_NIDENT];
    guint wanted_size;

    if (!kiln_boot_file_read(file, 0, ident, sizeof ident, "ELF identification", error))
        return FALSE;
    if (ident[EI_DATA] != ELFDATA2LSB || ident[EI_VERSION] != EV_CURRENT)
        return kiln_boot_file_error(file, error,
                                    "e_ident: byte order %u and version %u are not those of x86",
                                    ident[EI_DATA], ident[EI_VERSION]);
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return kiln_boot_file_error(file, error, "e_ident: class %u is neither 32 nor 64 bits",
                                    ident[EI_CLASS]);
    if (!(ident[EI_CLASS] == ELFCLASS64 ? read_header_64(file, header, error)
                                        : read_header_32(file, header, error)))
        return FALSE;
    if (header->machine != EM_386 && header->machine != EM_X86_64)
        return kiln_boot_file_error(file, error, "e_machine %u is not x86", header->machine);
    if (header->type != ET_EXEC && header->type != ET_DYN)
        return kiln_boot_file_error(file, error, "e_type %u is not an executable", header->type);
    wanted_size = header->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (header->entry_size != wanted_size)
        return kiln_boot_file_error(file, error, "e_phentsize %u is not %u", header->entry_size,
                                    wanted_size);
    if (header->n_headers == 0 || header->n_headers > KILN_BOOT_ELF_MAX_HEADERS)
        return kiln_boot_file_error(file, error, "e_phnum %u is not between 1 and %d",
                                    header->n_headers, KILN_BOOT_ELF_MAX_HEADERS);
    return TRUE;
}

static KilnBootElfSegment
segment_at(const FileHeader *header, const uint8_t *table, guint index)
{
    const uint8_t *from = table + (size_t)index * header->entry_size;

    if (header->is_64) {
        Elf64_Phdr raw;

        memcpy(&raw, from, sizeof raw);
        return (KilnBootElfSegment){
            .type = raw.p_type,
            .index = index,
            .offset = raw.p_offset,
            .file_size = raw.p_filesz,
            .address = raw.p_vaddr,
            .gpa = raw.p_paddr,
            .memory_size = raw.p_memsz,
            .alignment = raw.p_align,
        };
    } else {
        Elf32_Phdr raw;

        memcpy(&raw, from, sizeof raw);
        return (KilnBootElfSegment){
            .type = raw.p_type,
            .index = index,
            .offset = raw.p_offset,
            .file_size = raw.p_filesz,
            .address = raw.p_vaddr,
            .gpa = raw.p_paddr,
            .memory_size = raw.p_memsz,
            .alignment = raw.p_align,
        };
    }
}

static gboolean
check_segment(const KilnBootFile *file, const KilnBootElfSegment *segment, GError **error)
{
    uint64_t end;

    if (!kiln_range_inside(segment->offset, segment->file_size, file->size))
        return kiln_boot_file_error(file, error,
                                    "program header %u: p_filesz %" G_GUINT64_FORMAT
                                    " at p_offset %" G_GUINT64_FORMAT
                                    " reaches past the end of the file",
                                    segment->index, segment->file_size, segment->offset);
    if (segment->type != PT_LOAD)
        return TRUE;
    if (segment->file_size > segment->memory_size)
        return kiln_boot_file_error(file, error,
                                    "program header %u: p_filesz %" G_GUINT64_FORMAT
                                    " is more than p_memsz %" G_GUINT64_FORMAT,
                                    segment->index, segment->file_size, segment->memory_size);
    if (!kiln_add_u64(segment->gpa, segment->memory_size, &end))
        return kiln_boot_file_error(file, error,
                                    "program header %u: p_memsz %" G_GUINT64_FORMAT
                                    " wraps around at p_paddr 0x%" G_GINT64_MODIFIER "x",
                                    segment->index, segment->memory_size, segment->gpa);
    return TRUE;
}

/* The entry point in the @length bytes of Xen's note; FALSE with @error set if it is none. */
static gboolean
read_pvh_note(const KilnBootFile *file, KilnBootElf *elf, const uint8_t *desc, uint32_t length,
              GError **error)
{
    if (length != 4 && length != 8)
        return kiln_boot_file_error(file, error,
                                    "the PVH note (XEN_ELFNOTE_PHYS32_ENTRY) has %u bytes, not 4 "
                                    "or 8",
                                    length);
    elf->pvh_entry = length == 8 ? kiln_le64_load(desc) : kiln_le32_load(desc);
    elf->has_pvh_entry = TRUE;
    return TRUE;
}

/* Notes are namesz, descsz, type, name, desc; name and desc padded to the segment's alignment. */
static gboolean
read_notes(const KilnBootFile *file, KilnBootElf *elf, const KilnBootElfSegment *segment,
           GError **error)
{
    uint64_t left = segment->file_size;
    uint64_t padding = segment->alignment == 8 ? 8 : 4;
    g_autofree uint8_t *notes = NULL;
    const uint8_t *note;

    if (left > MAX_NOTES)
        return kiln_boot_file_error(
            file, error, "program header %u: %" G_GUINT64_FORMAT " bytes of notes are more than %d",
            segment->index, left, MAX_NOTES);
    note = notes = g_malloc(left + 1);
    if (!kiln_boot_file_read(file, segment->offset, notes, left, "notes", error))
        return FALSE;
    while (left >= NOTE_HEAD) {
        uint32_t name_size = kiln_le32_load(note);
        uint32_t desc_size = kiln_le32_load(note + 4);
        uint32_t type = kiln_le32_load(note + 8);
        uint64_t desc_at = kiln_align_up(NOTE_HEAD + (uint64_t)name_size, padding);
        uint64_t step = kiln_align_up(desc_at + desc_size, padding);

        if (desc_at + desc_size > left)
            return kiln_boot_file_error(file, error,
                                        "program header %u: a note's n_namesz %u and n_descsz %u "
                                        "reach past the segment",
                                        segment->index, name_size, desc_size);
        if (type == XEN_NOTE_PHYS32_ENTRY && name_size == sizeof "Xen" &&
            memcmp(note + NOTE_HEAD, "Xen", sizeof "Xen") == 0)
            return read_pvh_note(file, elf, note + desc_at, desc_size, error);
        if (step >= left)
            break;
        note += step;
        left -= step;
    }
    return TRUE;
}

gboolean
kiln_boot_elf_read(const KilnBootFile *file, KilnBootElf *elf, GError **error)
{
    uint8_t table[KILN_BOOT_ELF_MAX_HEADERS * sizeof(Elf64_Phdr)];
    FileHeader header = { 0 };

    elf->segments = g_array_new(FALSE, FALSE, sizeof(KilnBootElfSegment));
    if (!read_header(file, &header, error) ||
        !kiln_boot_file_read(file, header.table_offset, table,
                             (uint64_t)header.n_headers * header.entry_size,
                             "the program header table (e_phoff, e_phnum)", error))
        return FALSE;
    elf->entry = header.entry;
    for (guint i = 0; i < header.n_headers; i++) {
        KilnBootElfSegment segment = segment_at(&header, table, i);

        if (segment.type != PT_LOAD && segment.type != PT_NOTE)
            continue;
        if (!check_segment(file, &segment, error))
            return FALSE;
        if (segment.type == PT_LOAD && segment.memory_size > 0)
            g_array_append_val(elf->segments, segment);
        if (segment.type == PT_NOTE && !elf->has_pvh_entry &&
            !read_notes(file, elf, &segment, error))
            return FALSE;
    }
    if (elf->segments->len == 0)
        return kiln_boot_file_error(file, error, "no program header is of type PT_LOAD");
    return TRUE;
}

void
kiln_boot_elf_clear(KilnBootElf *elf)
{
    if (elf->segments != NULL)
        g_array_unref(elf->segments);
    elf->segments = NULL;
}

gboolean
kiln_boot_place_segment(KilnBootLoad *load, const char *what, KilnGpa gpa, uint64_t size,
                        GError **error)
{
    switch (kiln_boot_places_take(load->places, gpa, size)) {
    case KILN_BOOT_PLACE_TAKEN: return TRUE;
    case KILN_BOOT_PLACE_IN_USE:
        return kiln_boot_file_error(&load->kernel, error,
                                    "%s: %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER
                                    "x overlap another segment or reserved memory",
                                    what, size, gpa);
    case KILN_BOOT_PLACE_NOT_RAM: break;
    }
    return kiln_boot_file_error(
        &load->kernel, error,
        "%s: needs %" G_GUINT64_FORMAT " KiB of memory at 0x%" G_GINT64_MODIFIER
        "x, where the guest's %" G_GUINT64_FORMAT " MiB of memory have not that much",
        what, (size - 1) / 1024 + 1, gpa, kiln_memory_size(load->memory) / 1048576);
}

static gboolean
load_segment(KilnBootLoad *load, const KilnBootElfSegment *segment, GError **error)
{
    g_autofree char *what = g_strdup_printf("program header %u", segment->index);

    if (!kiln_boot_place_segment(load, what, segment->gpa, segment->memory_size, error) ||
        !kiln_boot_file_load(&load->kernel, segment->offset, load->memory, segment->gpa,
                             segment->file_size, what, error))
        return FALSE;
    if (!load->options->memory_is_zero)
        kiln_boot_ram_zero(load->memory, segment->gpa + segment->file_size,
                           segment->memory_size - segment->file_size);
    return TRUE;
}

gboolean
kiln_boot_elf_load(KilnBootLoad *load, const KilnBootElf *elf, GError **error)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        if (!load_segment(load, &g_array_index(elf->segments, KilnBootElfSegment, i), error))
            return FALSE;
    }
    return TRUE;
}

gboolean
kiln_boot_elf_has_code(const KilnBootElf *elf, KilnGpa gpa)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        const KilnBootElfSegment *segment = &g_array_index(elf->segments, KilnBootElfSegment, i);

        if (gpa < KILN_LAYOUT_4G && gpa >= segment->gpa && gpa - segment->gpa < segment->file_size)
            return TRUE;
    }
    return FALSE;
}

KilnGpa
kiln_boot_elf_entry(const KilnBootElf *elf)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        const KilnBootElfSegment *segment = &g_array_index(elf->segments, KilnBootElfSegment, i);

        if (elf->entry >= segment->address && elf->entry - segment->address < segment->memory_size)
            return elf->entry - segment->address + segment->gpa;
    }
    return elf->entry;
}
