/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/layout.h"

#include "base/intmath.h"

#define SPLIT_FROM   G_GUINT64_CONSTANT(0xb0000000) /* from this much RAM on, some is above 4 GiB */
#define LOW_IF_SPLIT G_GUINT64_CONSTANT(0x80000000)
#define LOW_IF_WHOLE                                                                               \
    G_GUINT64_CONSTANT(0xc0000000) /* the window starts here if RAM ends above 2 GiB */
#define GIB G_GUINT64_CONSTANT(0x40000000)

uint64_t
kiln_layout_low_ram(uint64_t ram_size)
{
    return ram_size < SPLIT_FROM ? ram_size : LOW_IF_SPLIT;
}

uint64_t
kiln_layout_high_ram(uint64_t ram_size)
{
    return ram_size - kiln_layout_low_ram(ram_size);
}

uint64_t
kiln_layout_pci32_start(uint64_t ram_size)
{
    return kiln_layout_low_ram(ram_size) <= LOW_IF_SPLIT ? LOW_IF_SPLIT : LOW_IF_WHOLE;
}

uint64_t
kiln_layout_modules_start(uint64_t ram_size)
{
    return kiln_align_up(KILN_LAYOUT_4G + kiln_layout_high_ram(ram_size), KILN_LAYOUT_MODULE_ALIGN);
}

uint64_t
kiln_layout_pci64_start(uint64_t ram_size, uint64_t modules_span)
{
    return kiln_align_up(kiln_layout_modules_start(ram_size) + modules_span, GIB);
}

uint64_t
kiln_layout_pci64_size(uint64_t ram_size, uint64_t modules_span, guint phys_bits)
{
    uint64_t end = G_GUINT64_CONSTANT(1) << MIN(phys_bits, 52); /* x86's architectural limit */
    uint64_t start = kiln_layout_pci64_start(ram_size, modules_span);

    return start < end ? kiln_align_down(MIN(end - start, end / 2), GIB) : 0;
}
