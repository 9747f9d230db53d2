/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From registers and video memory to pixels, a line at a time.
 *
 * Nothing blinks: a picture of the screen is the same whenever it is taken.
 */
#ifndef KILN_DEVICE_VGA_DRAW_H
#define KILN_DEVICE_VGA_DRAW_H

#include "device/dispi.h"
#include "device/vga-registers.h"

typedef enum {
    KILN_VGA_BLANK, /* nothing is shown; what the size is still counts */
    KILN_VGA_TEXT,
    KILN_VGA_PLANES, /* 16 colours, a bit in each plane */
    KILN_VGA_PAIRS,  /* 4 colours, two bits a pixel, as CGA has them */
    KILN_VGA_BYTES,  /* 256 colours */
    KILN_VGA_LINEAR, /* the dispi interface's, 15 bits a pixel and more */
} KilnVgaPicture;

/* All that drawing a line needs; made by kiln_vga_mode(). */
typedef struct {
    KilnVgaPicture picture;
    guint width, height; /* pixels */
    guint bpp;           /* of KILN_VGA_LINEAR */
    uint32_t start;      /* byte */
    uint32_t stride;     /* bytes */
    guint repeat;        /* lines of the screen for one of the memory */
    gboolean wide;       /* each pixel twice */
    guint split;         /* line from which on memory is shown from its beginning */
    guint pan;           /* pixels that the picture is moved to the left */
    guint fold;          /* CRTC_MODE's two bits by which CGA's and Hercules' lines interleave */
    guint fold_bit;      /* of the address, that the first one moves */
    guint cell_width, cell_height;        /* of characters */
    uint32_t fonts[2];                    /* byte: with attribute bit 3 clear and set */
    gboolean ninth;                       /* line graphics go on into the ninth dot */
    gboolean blink;                       /* attribute bit 7 is no colour */
    uint32_t cursor;                      /* byte: its character */
    guint cursor_first, cursor_last;      /* lines of the cell; none if first is above last */
    uint32_t palette[KILN_VGA_N_COLOURS]; /* what each value in memory looks like: 0x00rrggbb */
} KilnVgaMode;

/* @memory: bytes of video memory, a power of 2. */
void kiln_vga_mode(const KilnVgaRegisters *vga, const KilnDispi *dispi, uint32_t memory,
                   KilnVgaMode *mode);

/* The mode of a device that has the dispi interface alone. */
void kiln_vga_mode_linear(const KilnDispi *dispi, uint32_t memory, KilnVgaMode *mode);

/**
 * kiln_vga_draw_line:
 * @bytes: video memory of @memory bytes; may change meanwhile
 * @y: below the mode's height
 * @to: the mode's width pixels
 */
void kiln_vga_draw_line(const KilnVgaMode *mode, const uint8_t *bytes, uint32_t memory, guint y,
                        uint32_t *to);

#endif
