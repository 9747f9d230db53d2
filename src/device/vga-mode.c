/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the registers say is shown; see vga-draw.h. */
#include "device/vga-draw.h"

#include <string.h>

enum {
    MAX_SIDE = 2048, /* of what CRT controller registers can say */
    FONT_BYTES = 8192 * 4,
    BYTES_A_COUNT = 8,  /* of all planes, by which the offset register counts */
    CELL_LINES = 0x1f,  /* of MAX_SCAN, CURSOR_START and CURSOR_END */
    DOUBLE_SCAN = 0x80, /* of MAX_SCAN */
    CRTC_DOUBLE_WORD = 1 << 6,
    DAC_BITS_6 = 0x3f,
};

/* ---- colours -----------------------------------------------------------------------------------
 */

static uint32_t
colour(const KilnVgaRegisters *vga, const KilnDispi *dispi, uint8_t index)
{
    const uint8_t *dac = vga->palette + (index & vga->dac_mask) * 3;
    gboolean eight_bits = (dispi->registers[KILN_DISPI_ENABLE] & KILN_DISPI_8_BIT_DAC) != 0;
    uint32_t rgb = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint8_t six = dac[i] & DAC_BITS_6;

        rgb = rgb << 8 | (eight_bits ? dac[i] : (uint32_t)(six << 2 | six >> 4));
    }
    return rgb;
}

/* Four bits of a pixel through the attribute controller's palette. */
static uint8_t
attribute(const KilnVgaRegisters *vga, uint8_t bits)
{
    uint8_t value = vga->attribute[bits & vga->attribute[KILN_VGA_PLANE_ENABLE] & 0xf];
    uint8_t select = vga->attribute[KILN_VGA_COLOUR_SELECT];

    if (vga->attribute[KILN_VGA_ATTRIBUTE_MODE] & KILN_VGA_ATTRIBUTE_SELECT)
        return (uint8_t)((select & 0x0f) << 4 | (value & 0x0f));
    return (uint8_t)((select & 0x0c) << 4 | (value & 0x3f));
}

static void
set_palette(const KilnVgaRegisters *vga, const KilnDispi *dispi, KilnVgaMode *mode)
{
    for (unsigned i = 0; i < KILN_VGA_N_COLOURS; i++) {
        uint8_t index = mode->picture == KILN_VGA_BYTES ? (uint8_t)i : attribute(vga, i & 0xf);

        mode->palette[i] = colour(vga, dispi, index);
    }
}

/* ---- text --------------------------------------------------------------------------------------
 */

static void
set_text(const KilnVgaRegisters *vga, KilnVgaMode *mode)
{
    uint8_t maps = vga->sequencer[KILN_VGA_CHARACTER_MAP];
    guint columns = mode->width / 8;
    uint32_t cursor =
        (uint32_t)vga->crtc[KILN_VGA_CURSOR_HIGH] << 8 | vga->crtc[KILN_VGA_CURSOR_LOW];

    /* Three bits each, of which the upper one is apart; font B is for attribute bit 3 clear. */
    mode->fonts[0] = ((maps << 1 & 6u) | (maps >> 4 & 1u)) * FONT_BYTES;
    mode->fonts[1] = ((maps >> 1 & 6u) | (maps >> 5 & 1u)) * FONT_BYTES;
    mode->cell_width = vga->sequencer[KILN_VGA_CLOCKING] & KILN_VGA_CLOCKING_8_DOTS ? 8 : 9;
    mode->width = columns * mode->cell_width;
    mode->cell_height = (vga->crtc[KILN_VGA_MAX_SCAN] & CELL_LINES) + 1u;
    mode->ninth = (vga->attribute[KILN_VGA_ATTRIBUTE_MODE] & KILN_VGA_ATTRIBUTE_LINE_GRAPHICS) != 0;
    mode->blink = (vga->attribute[KILN_VGA_ATTRIBUTE_MODE] & KILN_VGA_ATTRIBUTE_BLINK) != 0;
    mode->cursor = cursor * 4;
    mode->cursor_first = vga->crtc[KILN_VGA_CURSOR_START] & CELL_LINES;
    mode->cursor_last = vga->crtc[KILN_VGA_CURSOR_END] & CELL_LINES;
    if (vga->crtc[KILN_VGA_CURSOR_START] & KILN_VGA_CURSOR_OFF)
        mode->cursor_first = CELL_LINES + 1;
    if (mode->wide)
        mode->width *= 2;
}

/* ---- graphics ----------------------------------------------------------------------------------
 */

static void
set_graphics(const KilnVgaRegisters *vga, KilnVgaMode *mode)
{
    uint8_t scan = vga->crtc[KILN_VGA_MAX_SCAN];
    uint8_t crtc_mode = vga->crtc[KILN_VGA_CRTC_MODE];
    uint8_t graphics_mode = vga->graphics[KILN_VGA_MODE];

    mode->repeat = (scan & CELL_LINES) + 1u;
    if (scan & DOUBLE_SCAN)
        mode->repeat *= 2;
    if (graphics_mode & KILN_VGA_MODE_256) {
        mode->picture = KILN_VGA_BYTES;
        mode->wide = TRUE; /* a pixel takes two clocks */
    } else {
        mode->picture = graphics_mode & KILN_VGA_MODE_INTERLEAVE ? KILN_VGA_PAIRS : KILN_VGA_PLANES;
        mode->fold = ~crtc_mode & 3u;
        mode->fold_bit = 14 + (crtc_mode & CRTC_DOUBLE_WORD ? 1 : 0);
        mode->pan = vga->attribute[KILN_VGA_PANNING] & 7;
        /* With lines folded, the row scan counter's lines are lines of the memory. */
        if (mode->fold != 0 && !(scan & DOUBLE_SCAN))
            mode->repeat = 1;
        else if (mode->fold != 0)
            mode->repeat = 2;
    }
}

static void
set_size(const KilnVgaRegisters *vga, KilnVgaMode *mode)
{
    const uint8_t *crtc = vga->crtc;
    uint8_t overflow = crtc[KILN_VGA_OVERFLOW];

    mode->width = (crtc[KILN_VGA_HORIZONTAL_END] + 1u) * 8;
    mode->height =
        (crtc[KILN_VGA_VERTICAL_END] | (overflow & 0x02u) << 7 | (overflow & 0x40u) << 3) + 1;
    mode->split = (crtc[KILN_VGA_LINE_COMPARE] | (overflow & 0x10u) << 4 |
                   (crtc[KILN_VGA_MAX_SCAN] & 0x40u) << 3) +
                  1;
    mode->stride = crtc[KILN_VGA_OFFSET] * (uint32_t)BYTES_A_COUNT;
    mode->start = ((uint32_t)crtc[KILN_VGA_START_HIGH] << 8 | crtc[KILN_VGA_START_LOW]) * 4;
}

/* ---- the dispi interface's ---------------------------------------------------------------------
 */

void
kiln_vga_mode_linear(const KilnDispi *dispi, uint32_t memory, KilnVgaMode *mode)
{
    KilnDispiMode linear = kiln_dispi_mode(dispi, memory);

    memset(mode, 0, sizeof *mode);
    mode->width = linear.width;
    mode->height = linear.height;
    mode->bpp = linear.bpp;
    mode->start = linear.start;
    mode->stride = linear.stride;
    mode->repeat = 1;
    mode->split = UINT_MAX;
    if (!kiln_dispi_enabled(dispi) || mode->width == 0 || mode->height == 0)
        mode->picture = KILN_VGA_BLANK;
    else if (linear.bpp == 4)
        mode->picture = KILN_VGA_PLANES;
    else
        mode->picture = linear.bpp == 8 ? KILN_VGA_BYTES : KILN_VGA_LINEAR;
}

void
kiln_vga_mode(const KilnVgaRegisters *vga, const KilnDispi *dispi, uint32_t memory,
              KilnVgaMode *mode)
{
    gboolean off = !(vga->attribute_index & KILN_VGA_PALETTE_ON) ||
                   (vga->sequencer[KILN_VGA_CLOCKING] & KILN_VGA_CLOCKING_OFF);

    if (kiln_dispi_enabled(dispi)) {
        kiln_vga_mode_linear(dispi, memory, mode);
    } else {
        memset(mode, 0, sizeof *mode);
        mode->repeat = 1;
        mode->wide = (vga->sequencer[KILN_VGA_CLOCKING] & KILN_VGA_CLOCKING_HALF) != 0;
        set_size(vga, mode);
        mode->picture = KILN_VGA_TEXT;
        if (vga->graphics[KILN_VGA_MISC] & KILN_VGA_MISC_GRAPHICS)
            set_graphics(vga, mode);
        else
            set_text(vga, mode);
        if (mode->width > MAX_SIDE * 3 || mode->height > MAX_SIDE)
            mode->picture = KILN_VGA_BLANK;
    }
    if (off)
        mode->picture = KILN_VGA_BLANK;
    set_palette(vga, dispi, mode);
}
