/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vga-draw.h; what is shown was found in vga-mode.c. */
#include "device/vga-draw.h"

#include <string.h>

#include "base/le.h"

/* Video memory, whose addresses wrap. */
typedef struct {
    const uint8_t *bytes;
    uint32_t mask;
} Memory;

static uint8_t
byte(const Memory *memory, uint32_t address)
{
    return memory->bytes[address & memory->mask];
}

/* Where line @y of the screen begins in memory. */
static uint32_t
line_start(const KilnVgaMode *mode, guint y)
{
    gboolean below = y >= mode->split;
    guint row = (below ? y - mode->split : y) / mode->repeat;
    uint32_t address = below ? 0 : mode->start;
    guint fold = mode->fold;

    if (fold & 1)
        address ^= (row & 1) << mode->fold_bit;
    if (fold & 2)
        address ^= (row & 2) << 14;
    return address + row / (fold == 3 ? 4 : fold + 1) * mode->stride;
}

/* ---- text --------------------------------------------------------------------------------------
 */

/* The dots of a character in a line of its cell, the leftmost in the bit for its width. */
static guint
dots_of(const KilnVgaMode *mode, const Memory *memory, uint32_t cell, guint line)
{
    uint8_t character = byte(memory, cell);
    uint8_t look = byte(memory, cell + 1);
    uint32_t font = mode->fonts[look >> 3 & 1] + (character * 32u + (line & 31)) * 4 + 2;
    guint dots = byte(memory, font);

    if (mode->cell_width == 9)
        dots = dots << 1 | (mode->ninth && character >= 0xc0 && character <= 0xdf ? dots & 1u : 0u);
    if ((cell & memory->mask) == (mode->cursor & memory->mask) && line >= mode->cursor_first &&
        line <= mode->cursor_last)
        dots = (1u << mode->cell_width) - 1;
    return dots;
}

static void
draw_text(const KilnVgaMode *mode, const Memory *memory, guint y, uint32_t *to)
{
    gboolean below = y >= mode->split;
    guint line = below ? y - mode->split : y;
    uint32_t cell = (below ? 0 : mode->start) + line / mode->cell_height * mode->stride;
    guint times = mode->wide ? 2 : 1;
    guint columns = mode->width / (mode->cell_width * times);

    for (guint column = 0; column < columns; column++, cell += 4) {
        uint8_t look = byte(memory, cell + 1);
        guint dots = dots_of(mode, memory, cell, line % mode->cell_height);
        uint32_t front = mode->palette[look & 0xf];
        uint32_t back = mode->palette[look >> 4 & (mode->blink ? 7 : 0xf)];

        for (guint i = mode->cell_width; i-- > 0;)
            for (guint k = 0; k < times; k++)
                *to++ = dots >> i & 1 ? front : back;
    }
}

/* ---- graphics ----------------------------------------------------------------------------------
 */

/* Pixel @x of a line that begins at @address: bits of the four planes. */
static uint8_t
plane_pixel(const Memory *memory, uint32_t address, guint x)
{
    uint32_t cell = address + x / 8 * 4;
    guint shift = 7 - x % 8;
    guint pixel = 0;

    for (unsigned plane = 0; plane < 4; plane++)
        pixel |= (byte(memory, cell + plane) >> shift & 1u) << plane;
    return (uint8_t)pixel;
}

/* Two bits each: four pixels of plane 0, then four of plane 1; planes 2 and 3 have the upper bits.
 */
static uint8_t
pair_pixel(const Memory *memory, uint32_t address, guint x)
{
    uint32_t cell = address + x / 8 * 4 + (x % 8 >= 4);
    guint shift = 6 - x % 4 * 2;

    return (uint8_t)((byte(memory, cell) >> shift & 3) | (byte(memory, cell + 2) >> shift & 3)
                                                             << 2);
}

static void
draw_indexed(const KilnVgaMode *mode, const Memory *memory, uint32_t address, uint32_t *to)
{
    for (guint i = 0; i < mode->width; i++) {
        guint x = (mode->wide ? i / 2 : i) + mode->pan;
        uint8_t pixel;

        switch (mode->picture) {
        case KILN_VGA_PLANES: pixel = plane_pixel(memory, address, x); break;
        case KILN_VGA_PAIRS: pixel = pair_pixel(memory, address, x); break;
        default: pixel = byte(memory, address + x); break;
        }
        to[i] = mode->palette[pixel];
    }
}

/* Five or six bits become eight by repeating the upper ones. */
static uint32_t
high_colour(uint16_t pixel, guint green_bits)
{
    guint blue = pixel & 0x1f, red = pixel >> (5 + green_bits) & 0x1f;
    guint green = pixel >> 5 & ((1u << green_bits) - 1);

    red = red << 3 | red >> 2;
    blue = blue << 3 | blue >> 2;
    green = green_bits == 6 ? (green << 2 | green >> 4) : (green << 3 | green >> 2);
    return red << 16 | green << 8 | blue;
}

/* kiln_dispi_mode() has seen to it that whole lines are there. */
static void
draw_linear(const KilnVgaMode *mode, const uint8_t *from, uint32_t *to)
{
    switch (mode->bpp) {
    case 32:
        for (guint x = 0; x < mode->width; x++)
            to[x] = kiln_le32_load(from + x * 4) & 0xffffff;
        break;
    case 24:
        for (guint x = 0; x < mode->width; x++)
            to[x] = from[x * 3] | (uint32_t)from[x * 3 + 1] << 8 | (uint32_t)from[x * 3 + 2] << 16;
        break;
    default:
        for (guint x = 0; x < mode->width; x++)
            to[x] = high_colour(kiln_le16_load(from + x * 2), mode->bpp == 15 ? 5 : 6);
        break;
    }
}

void
kiln_vga_draw_line(const KilnVgaMode *mode, const uint8_t *bytes, uint32_t memory, guint y,
                   uint32_t *to)
{
    Memory all = { bytes, memory - 1 };

    switch (mode->picture) {
    case KILN_VGA_BLANK: memset(to, 0, mode->width * sizeof *to); break;
    case KILN_VGA_TEXT: draw_text(mode, &all, y, to); break;
    case KILN_VGA_LINEAR: draw_linear(mode, bytes + line_start(mode, y), to); break;
    default: draw_indexed(mode, &all, line_start(mode, y), to); break;
    }
}
