/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guest RAM, and the only translation of guest addresses to host pointers.
 *
 * RAM is mapped and never touched here: the host gives a page when the guest first writes it.
 * A KilnMemory does not change once it is made, so any thread may use it without a lock.  Its
 * regions are one list behind one pointer: what is hot-plugged later will swap that list whole.
 *
 * Which backing gives transparent huge pages: private anonymous memory does wherever the host's
 * transparent_hugepage/enabled is "madvise" or "always"; a memfd does only if shmem_enabled allows,
 * which stock distributions leave at "never".  vhost-user peers and virtiofsd need a memfd.  So
 * KILN_MEMORY_AUTO takes a memfd where the host gives it huge pages, else anonymous memory, and
 * whoever needs to share asks for KILN_MEMORY_MEMFD.
 */
#ifndef KILN_MEMORY_MEMORY_H
#define KILN_MEMORY_MEMORY_H

#include <glib.h>
#include <stdint.h>

/* A guest-physical address.  Never a pointer. */
typedef uint64_t KilnGpa;

/**
 * KilnMemoryBacking:
 * @KILN_MEMORY_AUTO: a memfd where the host backs those by huge pages, else anonymous memory
 * @KILN_MEMORY_MEMFD: shared mapping of a memfd, which other processes can map too
 * @KILN_MEMORY_ANONYMOUS: private memory of this process
 */
typedef enum {
    KILN_MEMORY_AUTO,
    KILN_MEMORY_MEMFD,
    KILN_MEMORY_ANONYMOUS,
} KilnMemoryBacking;

/* A NUMA cell's RAM.  Cells take guest addresses in their order, around the PCI hole. */
typedef struct {
    uint64_t size;          /* bytes, a multiple of 4 KiB and of the page size */
    uint64_t hugepage_size; /* bytes: 2 MiB or 1 GiB of hugetlbfs; 0: the options' */
} KilnMemoryCell;

/**
 * KilnMemoryKind:
 * @KILN_MEMORY_RAM: what the guest boots with, and what kiln_memory_size() counts
 * @KILN_MEMORY_PLUGGABLE: of a virtio-mem device: mapped whole, and used as far as that says
 * @KILN_MEMORY_PERSISTENT: a file, of a virtio-pmem device
 */
typedef enum {
    KILN_MEMORY_RAM,
    KILN_MEMORY_PLUGGABLE,
    KILN_MEMORY_PERSISTENT,
} KilnMemoryKind;

enum { KILN_MEMORY_MODULE_ALIGN = 2 << 20 }; /* bytes: sizes of modules are multiples of it */

/**
 * KilnMemoryModule:
 * @kind: any but KILN_MEMORY_RAM
 * @size: bytes, a multiple of KILN_MEMORY_MODULE_ALIGN
 * @align: bytes, a power of 2: of the guest address; a module is aligned to 1 GiB at least
 * @cell: NUMA cell
 * @fd: PERSISTENT: the file, at least @size long, open for writing unless @private; duplicated
 * @private: PERSISTENT: what the guest writes does not get into the file
 *
 * The memory of a device, above all RAM.  No page is there before it is used, nor is any locked,
 * whatever the options say of RAM.
 */
typedef struct {
    KilnMemoryKind kind;
    uint64_t size;
    uint64_t align;
    guint cell;
    int fd;
    gboolean private;
} KilnMemoryModule;

/**
 * KilnMemoryOptions:
 *
 * What is left zero is the default: all in one cell, transparent huge pages, nothing allocated.
 */
typedef struct {
    uint64_t size;               /* bytes in all; the sum of the cells' if there are any */
    const KilnMemoryCell *cells; /* (nullable) */
    guint n_cells;
    const KilnMemoryModule *modules; /* (nullable) in the order of their addresses */
    guint n_modules;
    KilnMemoryBacking backing;
    uint64_t hugepage_size; /* bytes: 2 MiB or 1 GiB from the host's pool; 0: none */
    gboolean preallocate;   /* every page is there before the guest starts */
    gboolean locked;        /* mlock: never swapped */
    gboolean no_dump;       /* left out of core files */
    gboolean merge;         /* pages may be merged by KSM */
    gboolean no_thp;        /* no transparent huge pages */
} KilnMemoryOptions;

typedef struct {
    KilnGpa gpa;
    uint64_t size; /* bytes */
    void *host;
    int fd;             /* the memfd or file, -1 for memory of this process; KilnMemory owns it */
    uint64_t fd_offset; /* bytes: where @gpa is in @fd */
    guint cell;         /* NUMA cell, from 0 */
    KilnMemoryKind kind;
} KilnMemoryRegion;

typedef struct KilnMemory KilnMemory;

/**
 * kiln_memory_new:
 *
 * Returns: (transfer full): RAM laid out as memory/layout.h says, or NULL with @error set: sizes
 *   that are no multiple of the page size, more than the host can map, not enough huge pages free.
 */
KilnMemory *kiln_memory_new(const KilnMemoryOptions *options, GError **error);

/**
 * kiln_memory_new_plain:
 * @size: bytes
 *
 * Anonymous RAM without special wishes, for tests and tools.  Aborts if the host has none.
 */
KilnMemory *kiln_memory_new_plain(uint64_t size);
void kiln_memory_free(KilnMemory *memory);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnMemory, kiln_memory_free)

/* Bytes of RAM in all, without modules. */
uint64_t kiln_memory_size(const KilnMemory *memory);

/* Bytes of the address space that modules take from kiln_layout_modules_start() on: what
 * kiln_layout_pci64_start() is to be told. */
uint64_t kiln_memory_modules_span(const KilnMemory *memory);

/**
 * kiln_memory_regions:
 * @n_regions: (out): how many
 *
 * Returns: (transfer none): the regions by rising address, of every kind; they do not overlap.
 */
const KilnMemoryRegion *kiln_memory_regions(const KilnMemory *memory, guint *n_regions);

/* Those of RAM only: what boot and tables tell the guest of. */
const KilnMemoryRegion *kiln_memory_ram(const KilnMemory *memory, guint *n_regions);

/* The region of the options' module @index. */
const KilnMemoryRegion *kiln_memory_module(const KilnMemory *memory, guint index);

/**
 * kiln_memory_map:
 * @gpa: first guest-physical byte
 * @length: bytes, more than 0
 *
 * Returns: (nullable): the host address, valid while @memory lives; NULL if any byte is not RAM,
 *   if the bytes are not all in one region, or if the range wraps.  The guest can write these bytes
 *   at any time: copy, then check, then use.
 */
void *kiln_memory_map(KilnMemory *memory, KilnGpa gpa, uint64_t length);

/**
 * kiln_memory_read:
 * @length: bytes; 0 is allowed and reads nothing
 *
 * Copies guest RAM, across borders of regions where they touch.
 *
 * Returns: FALSE, and @data is untouched, if any byte is not RAM.
 */
gboolean kiln_memory_read(KilnMemory *memory, KilnGpa gpa, void *data, uint64_t length);

/**
 * kiln_memory_write:
 *
 * Returns: FALSE, and RAM is untouched, if any byte is not RAM.
 */
gboolean kiln_memory_write(KilnMemory *memory, KilnGpa gpa, const void *data, uint64_t length);

/**
 * kiln_memory_zero_all:
 *
 * Makes every byte of RAM zero, modules apart, giving its pages back to the host where that is how
 * it is done. No vCPU may run meanwhile.
 *
 * Returns: FALSE with @error set if the host refused.
 */
gboolean kiln_memory_zero_all(KilnMemory *memory, GError **error);

#endif
