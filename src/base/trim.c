/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See trim.h. */
#include "base/trim.h"

#include "base/intmath.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Segments without PF_W are mapped privately and never written, so dropping their pages is no more
 * than what memory pressure does (but for a debugger's breakpoints, which are written there).
 * Relocated constants (RELRO) are in a segment with PF_W.
 */
static int
trim_object(struct dl_phdr_info *object, size_t size, void *data)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uint64_t from;
        uint64_t to;

        if (header->p_type != PT_LOAD || (header->p_flags & PF_W) != 0)
            continue;
        from = kiln_align_down(object->dlpi_addr + header->p_vaddr, page);
        to = kiln_align_up(object->dlpi_addr + header->p_vaddr + header->p_memsz, page);
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* only a saving is lost */
    }
    return 0;
}

void
kiln_trim_mappings(void)
{
    (void)dl_iterate_phdr(trim_object, NULL);
}
