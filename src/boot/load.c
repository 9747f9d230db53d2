/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See load.h. */
#include "boot/load.h"

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "memory/layout.h"

enum {
    PAGE_SIZE = 0x1000,
    ENTRIES_A_TABLE = 512,
    MAX_DIRECTORIES = 4, /* of 1 GiB each */
};

/* Intel SDM vol. 3A §4.5.4 "4-Level Paging", ed. 081: present, writable; PS in a directory. */
enum {
    PTE_PRESENT_WRITABLE = 0x3,
    PDE_LARGE = 0x83,
};

/* Intel SDM vol. 3A §3.4.5 "Segment Descriptors", ed. 081: base 0, limit 4 GiB, accessed. */
static const uint64_t gdt_of_mode[][4] = {
    [KILN_BOOT_PROTECTED32] = { 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff },
    [KILN_BOOT_LONG64] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff },
};

gboolean
kiln_boot_load_table(KilnBootLoad *load, const void *data, uint64_t length, const char *what,
                     KilnGpa *gpa, GError **error)
{
    if (!kiln_boot_places_table(load->places, length, gpa) ||
        !kiln_memory_write(load->memory, *gpa, data, length))
        return kiln_boot_file_error(&load->kernel, error,
                                    "no room below 4 GiB for the %s of %" G_GUINT64_FORMAT " bytes",
                                    what, length);
    load->tables_end = MAX(load->tables_end, *gpa + length);
    return TRUE;
}

gboolean
kiln_boot_load_initrd(KilnBootLoad *load, KilnGpa below, KilnGpa *gpa, GError **error)
{
    uint64_t size = load->initrd.size;

    *gpa = 0;
    if (size == 0)
        return TRUE;
    if (!kiln_boot_places_highest(load->places, size, PAGE_SIZE, 0, below, gpa))
        return kiln_boot_file_error(
            &load->initrd, error,
            "needs %" G_GUINT64_FORMAT " MiB in one piece below 0x%" G_GINT64_MODIFIER
            "x, which the guest's %" G_GUINT64_FORMAT
            " MiB of memory have not free beside the kernel",
            (size - 1) / 1048576 + 1, below, kiln_memory_size(load->memory) / 1048576);
    return kiln_boot_file_load(&load->initrd, 0, load->memory, *gpa, size, "its content", error);
}

gboolean
kiln_boot_load_gdt(KilnBootLoad *load, GError **error)
{
    uint8_t gdt[sizeof gdt_of_mode[0]];

    for (guint i = 0; i < G_N_ELEMENTS(gdt_of_mode[0]); i++)
        kiln_le64_store(gdt + 8 * i, gdt_of_mode[load->entry.mode][i]);
    load->entry.gdt_limit = sizeof gdt - 1;
    return kiln_boot_load_table(load, gdt, sizeof gdt, "GDT", &load->entry.gdt, error);
}

gboolean
kiln_boot_load_page_tables(KilnBootLoad *load, KilnGpa end, GError **error)
{
    guint n_directories = (guint)CLAMP((end + (1 << 30) - 1) >> 30, 1, MAX_DIRECTORIES);
    uint64_t length = (2 + n_directories) * PAGE_SIZE;
    g_autofree uint8_t *tables = g_malloc0(length); /* PML4, PDPT, directories */
    KilnGpa gpa;

    if (!kiln_boot_places_table(load->places, length, &gpa))
        return kiln_boot_file_error(
            &load->kernel, error, "no room for %" G_GUINT64_FORMAT " bytes of page tables", length);
    kiln_le64_store(tables, (gpa + PAGE_SIZE) | PTE_PRESENT_WRITABLE);
    for (guint i = 0; i < n_directories; i++)
        kiln_le64_store(tables + PAGE_SIZE + 8 * i,
                        (gpa + (2 + i) * PAGE_SIZE) | PTE_PRESENT_WRITABLE);
    for (uint64_t i = 0; i < (uint64_t)n_directories * ENTRIES_A_TABLE; i++)
        kiln_le64_store(tables + 2 * PAGE_SIZE + 8 * i, (i << 21) | PDE_LARGE);
    if (!kiln_memory_write(load->memory, gpa, tables, length))
        return kiln_boot_file_error(&load->kernel, error, "cannot write page tables");
    load->entry.cr3 = gpa;
    return TRUE;
}
