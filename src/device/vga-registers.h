/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers of IBM's VGA: sequencer, graphics controller, CRT controller, attribute controller,
 * DAC.  Names are those of the IBM VGA XGA Technical Reference (May 1992), chapter 2.
 */
#ifndef KILN_DEVICE_VGA_REGISTERS_H
#define KILN_DEVICE_VGA_REGISTERS_H

#include <glib.h>
#include <stdint.h>

#include "state/state.h"

enum {
    KILN_VGA_PORTS = 0x3b0, /* the first one */
    KILN_VGA_PORTS_END = 0x3e0,
    KILN_VGA_N_COLOURS = 256,
};

enum {
    KILN_VGA_CLOCKING = 1, /* sequencer */
    KILN_VGA_CLOCKING_8_DOTS = 1 << 0,
    KILN_VGA_CLOCKING_HALF = 1 << 3,
    KILN_VGA_CLOCKING_OFF = 1 << 5,
    KILN_VGA_MAP_MASK = 2,
    KILN_VGA_CHARACTER_MAP = 3,
    KILN_VGA_MEMORY_MODE = 4,
    KILN_VGA_MEMORY_CHAIN4 = 1 << 3,

    KILN_VGA_SET_RESET = 0, /* graphics controller */
    KILN_VGA_ENABLE_SET_RESET = 1,
    KILN_VGA_COLOUR_COMPARE = 2,
    KILN_VGA_ROTATE = 3,
    KILN_VGA_READ_MAP = 4,
    KILN_VGA_MODE = 5,
    KILN_VGA_MODE_READ_COMPARE = 1 << 3,
    KILN_VGA_MODE_ODD_EVEN = 1 << 4,
    KILN_VGA_MODE_INTERLEAVE = 1 << 5, /* two bits a pixel, as CGA has them */
    KILN_VGA_MODE_256 = 1 << 6,
    KILN_VGA_MISC = 6,
    KILN_VGA_MISC_GRAPHICS = 1 << 0,
    KILN_VGA_COLOUR_CARE = 7,
    KILN_VGA_BIT_MASK = 8,

    KILN_VGA_HORIZONTAL_END = 0x01, /* CRT controller */
    KILN_VGA_OVERFLOW = 0x07,
    KILN_VGA_PRESET_ROW = 0x08,
    KILN_VGA_MAX_SCAN = 0x09,
    KILN_VGA_CURSOR_START = 0x0a,
    KILN_VGA_CURSOR_OFF = 1 << 5,
    KILN_VGA_CURSOR_END = 0x0b,
    KILN_VGA_START_HIGH = 0x0c,
    KILN_VGA_START_LOW = 0x0d,
    KILN_VGA_CURSOR_HIGH = 0x0e,
    KILN_VGA_CURSOR_LOW = 0x0f,
    KILN_VGA_RETRACE_END = 0x11,
    KILN_VGA_RETRACE_LOCK = 1 << 7, /* of registers 0 to 7 */
    KILN_VGA_VERTICAL_END = 0x12,
    KILN_VGA_OFFSET = 0x13,
    KILN_VGA_CRTC_MODE = 0x17,
    KILN_VGA_LINE_COMPARE = 0x18,

    KILN_VGA_ATTRIBUTE_MODE = 0x10, /* attribute controller */
    KILN_VGA_ATTRIBUTE_LINE_GRAPHICS = 1 << 2,
    KILN_VGA_ATTRIBUTE_BLINK = 1 << 3,
    KILN_VGA_ATTRIBUTE_SELECT = 1 << 7, /* bits 4 and 5 of colours come from COLOUR_SELECT */
    KILN_VGA_PLANE_ENABLE = 0x12,
    KILN_VGA_PANNING = 0x13,
    KILN_VGA_COLOUR_SELECT = 0x14,
    KILN_VGA_PALETTE_ON = 1 << 5, /* of the index register: the screen shows something */
};

typedef struct {
    uint8_t misc; /* miscellaneous output */
    uint8_t feature;
    uint8_t status1;
    uint8_t sequencer_index;
    uint8_t sequencer[8];
    uint8_t graphics_index;
    uint8_t graphics[16];
    uint8_t crtc_index;
    uint8_t crtc[32];
    uint8_t attribute_index;
    uint8_t attribute[32];
    uint8_t attribute_data; /* 0 or 1: the next write to 0x3c0 is for the register, not the index */
    uint8_t dac_mask;
    uint8_t dac_read;   /* colour */
    uint8_t dac_write;  /* colour */
    uint8_t dac_step;   /* 0 to 2: red, green, blue */
    uint8_t dac_state;  /* 3 after the index for reads was written, else 0 */
    uint8_t dac_new[2]; /* red and green, until blue comes */
    uint8_t palette[KILN_VGA_N_COLOURS * 3];
    uint32_t latch; /* plane n in byte n */
} KilnVgaRegisters;

/* As after power-on: nothing is shown. */
void kiln_vga_registers_reset(KilnVgaRegisters *vga);

/* One byte; ports of the wrong one of the two addresses (mono, colour) read as ones. */
uint8_t kiln_vga_registers_read(KilnVgaRegisters *vga, unsigned port);
void kiln_vga_registers_write(KilnVgaRegisters *vga, unsigned port, uint8_t value);

extern const KilnStateDescription kiln_vga_registers_state;

#endif
