/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vga-window.h. */
#include "device/vga-window.h"

#include "base/le.h"

enum {
    MAP_SHIFT = 2, /* of KILN_VGA_MISC */
    FUNCTION_SHIFT = 3,
};

/* Where each value of the memory map bits has the window: 128 KiB, 64 KiB, mono, colour text. */
static const struct {
    uint32_t start, length;
} maps[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };

/* Four bits, each as a byte of ones or zeroes. */
static uint32_t
spread(uint8_t bits)
{
    uint32_t bytes = 0;

    for (unsigned plane = 0; plane < 4; plane++) {
        if (bits >> plane & 1)
            bytes |= UINT32_C(0xff) << 8 * plane;
    }
    return bytes;
}

/* @offset becomes one into what the window shows; FALSE: the window is not there. */
static gboolean
map(const KilnVgaRegisters *vga, const KilnVgaMemory *memory, uint32_t *offset)
{
    unsigned which = vga->graphics[KILN_VGA_MISC] >> MAP_SHIFT & 3;

    if (*offset < maps[which].start || *offset - maps[which].start >= maps[which].length)
        return FALSE;
    *offset -= maps[which].start;
    if (which < 2)
        *offset += memory->bank;
    return TRUE;
}

static gboolean
is_chained(const KilnVgaRegisters *vga, const KilnVgaMemory *memory)
{
    return memory->chained || (vga->sequencer[KILN_VGA_MEMORY_MODE] & KILN_VGA_MEMORY_CHAIN4);
}

static unsigned
odd_even_plane(const KilnVgaRegisters *vga, uint32_t offset)
{
    return (vga->graphics[KILN_VGA_READ_MAP] & 2) | (offset & 1);
}

/* Where a byte of the odd or even plane is. */
static uint32_t
odd_even_place(const KilnVgaRegisters *vga, uint32_t offset)
{
    return (offset & ~UINT32_C(1)) << 1 | odd_even_plane(vga, offset);
}

static uint8_t
read_planes(const KilnVgaRegisters *vga)
{
    uint32_t differs;

    if (!(vga->graphics[KILN_VGA_MODE] & KILN_VGA_MODE_READ_COMPARE))
        return (uint8_t)(vga->latch >> 8 * vga->graphics[KILN_VGA_READ_MAP]);
    differs = (vga->latch ^ spread(vga->graphics[KILN_VGA_COLOUR_COMPARE])) &
              spread(vga->graphics[KILN_VGA_COLOUR_CARE]);
    return (uint8_t) ~(differs | differs >> 8 | differs >> 16 | differs >> 24);
}

uint8_t
kiln_vga_window_read(KilnVgaRegisters *vga, const KilnVgaMemory *memory, uint32_t offset)
{
    uint32_t mask = memory->size - 1;

    if (!map(vga, memory, &offset))
        return 0xff;
    if (is_chained(vga, memory))
        return memory->bytes[offset & mask];
    if (vga->graphics[KILN_VGA_MODE] & KILN_VGA_MODE_ODD_EVEN)
        return memory->bytes[odd_even_place(vga, offset) & mask];
    vga->latch = kiln_le32_load(memory->bytes + (offset * 4 & mask));
    return read_planes(vga);
}

/* What comes from the processor, after write mode and set/reset; @mask: (out): bits of the byte. */
static uint32_t
processor_data(const KilnVgaRegisters *vga, uint8_t value, uint8_t *mask)
{
    const uint8_t *graphics = vga->graphics;
    unsigned turn = graphics[KILN_VGA_ROTATE] & 7;
    uint8_t rotated = (uint8_t)(value >> turn | value << (8 - turn));
    uint32_t forced = spread(graphics[KILN_VGA_ENABLE_SET_RESET]);

    *mask = graphics[KILN_VGA_BIT_MASK];
    switch (graphics[KILN_VGA_MODE] & 3) {
    case 2: return spread(value & 0xf);
    case 3: *mask &= rotated; return spread(graphics[KILN_VGA_SET_RESET]);
    default:
        return ((rotated * UINT32_C(0x01010101)) & ~forced) |
               (spread(graphics[KILN_VGA_SET_RESET]) & forced);
    }
}

static uint32_t
combine(const KilnVgaRegisters *vga, uint8_t value)
{
    uint8_t mask;
    uint32_t data, bits;

    if ((vga->graphics[KILN_VGA_MODE] & 3) == 1)
        return vga->latch;
    data = processor_data(vga, value, &mask);
    switch (vga->graphics[KILN_VGA_ROTATE] >> FUNCTION_SHIFT & 3) {
    case 1: data &= vga->latch; break;
    case 2: data |= vga->latch; break;
    case 3: data ^= vga->latch; break;
    default: break;
    }
    bits = mask * UINT32_C(0x01010101);
    return (data & bits) | (vga->latch & ~bits);
}

void
kiln_vga_window_write(const KilnVgaRegisters *vga, const KilnVgaMemory *memory, uint32_t offset,
                      uint8_t value)
{
    uint8_t planes = memory->chained ? 0xf : vga->sequencer[KILN_VGA_MAP_MASK];
    uint32_t mask = memory->size - 1;

    if (!map(vga, memory, &offset))
        return;
    if (is_chained(vga, memory)) {
        if (planes >> (offset & 3) & 1)
            memory->bytes[offset & mask] = value;
    } else if (vga->graphics[KILN_VGA_MODE] & KILN_VGA_MODE_ODD_EVEN) {
        if (planes >> odd_even_plane(vga, offset) & 1)
            memory->bytes[odd_even_place(vga, offset) & mask] = value;
    } else {
        uint8_t *cell = memory->bytes + (offset * 4 & mask);
        uint32_t written = spread(planes);

        kiln_le32_store(cell, (combine(vga, value) & written) | (kiln_le32_load(cell) & ~written));
    }
}
