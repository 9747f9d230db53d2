/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Direct boot: a kernel file, perhaps an initrd, and a command line become guest memory and the
 * registers that the first vCPU starts with; no firmware runs.
 *
 *   detect by content -> bzImage | ELF with a PVH note | multiboot 1 -> places -> pread into RAM
 *
 * Linux boot protocol 2.06 to 2.15, Xen's x86/HVM direct boot ABI (PVH) with start info version 1,
 * Multiboot specification 0.6.96.  The files are strangers: each header is read once, into a copy,
 * which is checked and then used.
 */
#ifndef KILN_BOOT_BOOT_H
#define KILN_BOOT_BOOT_H

#include "memory/memory.h"

/* Types of BIOS int 15h E820 (ACPI 6.5 §15), which PVH and multiboot use too. */
enum {
    KILN_BOOT_RAM = 1,
    KILN_BOOT_RESERVED = 2,
    KILN_BOOT_ACPI = 3, /* tables: RAM again once they are read */
    KILN_BOOT_NVS = 4,
};

typedef struct {
    KilnGpa gpa;
    uint64_t size; /* bytes */
    uint32_t type; /* KILN_BOOT_... */
} KilnBootRange;

/**
 * KilnBootOptions:
 *
 * Nothing here is kept after kiln_boot_load(); the descriptors stay the caller's.  Files must be
 * regular ones.
 */
typedef struct {
    int kernel_fd;
    const char *kernel_name;       /* for messages: the path */
    int initrd_fd;                 /* -1: none */
    const char *initrd_name;       /* (nullable) if there is none */
    const char *cmdline;           /* (nullable): none */
    KilnGpa rsdp;                  /* where the ACPI root pointer is; 0: not told */
    const KilnBootRange *reserved; /* what the caller has put into RAM (ACPI tables, SMBIOS …): kept
                                    * free of everything, and told to the guest; need not be RAM */
    guint n_reserved;
    gboolean memory_is_zero; /* RAM is as new: what must be zero is not written */
} KilnBootOptions;

/* As KilnVcpuMode's of the same names: what the machine passes on to the first vCPU. */
typedef enum {
    KILN_BOOT_PROTECTED32,
    KILN_BOOT_LONG64,
} KilnBootMode;

typedef enum {
    KILN_BOOT_BZIMAGE,
    KILN_BOOT_PVH,
    KILN_BOOT_MULTIBOOT,
} KilnBootFormat;

/* Registers not named here are 0; CS is 0x10, the data segments 0x18 of the GDT. */
typedef struct {
    KilnBootFormat format;
    KilnBootMode mode;
    uint64_t rip;
    uint64_t rax, rbx, rsi;
    KilnGpa cr3;        /* 4-level page tables that map the kernel one to one; LONG64 only */
    KilnGpa gdt;        /* four entries: null, null, flat code, flat data */
    uint16_t gdt_limit; /* bytes less 1 */
} KilnBootEntry;

/**
 * kiln_boot_load:
 * @memory: no vCPU runs
 * @entry: (out): not touched on failure
 *
 * Puts kernel, initrd and what tells the kernel about them into @memory.
 *
 * Returns: TRUE, or FALSE with @error set, which names the file and the field of it that is wrong,
 * or says how much memory is needed; @memory may then have been written to.
 */
gboolean kiln_boot_load(KilnMemory *memory, const KilnBootOptions *options, KilnBootEntry *entry,
                        GError **error);

/**
 * kiln_boot_memory_map:
 * @reserved: (array length=n_reserved) (nullable): as in KilnBootOptions
 *
 * The map that a guest is told: RAM less the legacy area 0x9fc00-0xfffff, the @reserved ranges,
 * ECAM and the pages that KVM keeps, by rising address, without overlaps, equal neighbours joined.
 * Where
 * @reserved overlap each other, the higher type number is told.
 *
 * Returns: (transfer full) (element-type KilnBootRange): the map.
 */
GArray *kiln_boot_memory_map(KilnMemory *memory, const KilnBootRange *reserved, guint n_reserved);

#endif
