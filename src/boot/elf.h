/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels in ELF: System V ABI, "Object Files"; 32 and 64 bits, x86 only. */
#ifndef KILN_BOOT_ELF_H
#define KILN_BOOT_ELF_H

#include "boot/load.h"

enum { KILN_BOOT_ELF_MAX_HEADERS = 128 };

/* A program header of either class, as far as a loader needs it. */
typedef struct {
    uint32_t type;
    guint index;        /* in the file's table, for messages */
    uint64_t offset;    /* bytes, in the file */
    uint64_t file_size; /* bytes, at most @memory_size */
    uint64_t address;   /* virtual */
    KilnGpa gpa;        /* physical */
    uint64_t memory_size;
    uint64_t alignment;
} KilnBootElfSegment;

typedef struct {
    GArray *segments;       /* (owned): KilnBootElfSegment, those of PT_LOAD that are not empty */
    uint64_t entry;         /* as in the header: virtual or physical */
    gboolean has_pvh_entry; /* there is a note XEN_ELFNOTE_PHYS32_ENTRY */
    uint64_t pvh_entry;     /* physical */
} KilnBootElf;

/* Whether @file begins as an ELF file does, to @found; FALSE with @error set: cannot be read. */
gboolean kiln_boot_elf_detect(const KilnBootFile *file, gboolean *found, GError **error);

/**
 * kiln_boot_elf_read:
 * @elf: (out): zeroes; cleared by the caller also on failure
 *
 * Reads and checks file header, program headers and notes; loads nothing.
 */
gboolean kiln_boot_elf_read(const KilnBootFile *file, KilnBootElf *elf, GError **error);
void kiln_boot_elf_clear(KilnBootElf *elf);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnBootElf, kiln_boot_elf_clear)

/**
 * kiln_boot_elf_load:
 *
 * Puts each segment at its physical address, and zeroes what is behind the file's part.
 */
gboolean kiln_boot_elf_load(KilnBootLoad *load, const KilnBootElf *elf, GError **error);

/* Whether @gpa is below 4 GiB and in a segment's part that comes from the file. */
gboolean kiln_boot_elf_has_code(const KilnBootElf *elf, KilnGpa gpa);

/* Where the header's entry is physically: moved as the segment is whose virtual addresses hold it.
 */
KilnGpa kiln_boot_elf_entry(const KilnBootElf *elf);

/**
 * kiln_boot_place_segment:
 * @what: "program header 2", for the message
 *
 * Takes @size bytes at @gpa.  Returns: FALSE with @error set, which says what is there instead or
 *   how much memory is needed.
 */
gboolean kiln_boot_place_segment(KilnBootLoad *load, const char *what, KilnGpa gpa, uint64_t size,
                                 GError **error);

#endif
