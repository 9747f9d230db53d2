/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Bochs VBE "dispi" interface: index and data of 16 bits each, by which a driver sets a linear
 * mode (Bochs, iodev/display/vbe.h; QEMU, docs/specs/standard-vga.rst).
 */
#ifndef KILN_DEVICE_DISPI_H
#define KILN_DEVICE_DISPI_H

#include <glib.h>
#include <stdint.h>

#include "state/state.h"

typedef enum {
    KILN_DISPI_ID,
    KILN_DISPI_WIDTH,
    KILN_DISPI_HEIGHT,
    KILN_DISPI_BPP,
    KILN_DISPI_ENABLE,
    KILN_DISPI_BANK,
    KILN_DISPI_VIRTUAL_WIDTH,
    KILN_DISPI_VIRTUAL_HEIGHT,
    KILN_DISPI_X_OFFSET,
    KILN_DISPI_Y_OFFSET,
    KILN_DISPI_MEMORY, /* read only: 64 KiB units */
    KILN_DISPI_N_REGISTERS,
} KilnDispiRegister;

enum {
    KILN_DISPI_ENABLED = 1 << 0,
    KILN_DISPI_CAPABILITIES = 1 << 1, /* width, height and bpp read as the most there can be */
    KILN_DISPI_8_BIT_DAC = 1 << 5,
    KILN_DISPI_LINEAR = 1 << 6,
    KILN_DISPI_NO_CLEAR = 1 << 7,

    KILN_DISPI_BANK_BYTES = 64 * 1024,
};

typedef struct {
    uint16_t index;
    uint16_t registers[KILN_DISPI_N_REGISTERS];
} KilnDispi;

/* What is shown: all of it lies in the memory. */
typedef struct {
    guint width, height; /* pixels; 0: nothing fits */
    guint bpp;           /* 4, 8, 15, 16, 24 or 32 */
    uint32_t stride;     /* bytes; with 4 bits a pixel, of one plane's line times 4 */
    uint32_t start;      /* byte of the top left pixel */
} KilnDispiMode;

void kiln_dispi_reset(KilnDispi *dispi);

/* @memory: bytes of video memory, a power of 2. */
uint16_t kiln_dispi_read(const KilnDispi *dispi, uint32_t memory);

/**
 * kiln_dispi_write:
 *
 * Writes the register that the index says.
 *
 * Returns: whether a mode was switched on that begins with a cleared screen:
 *   kiln_dispi_clear_bytes() of memory are to become zero.
 */
gboolean kiln_dispi_write(KilnDispi *dispi, uint16_t value);
uint32_t kiln_dispi_clear_bytes(const KilnDispi *dispi, uint32_t memory);

gboolean kiln_dispi_enabled(const KilnDispi *dispi);

/* Bytes from where on the VGA's window shows memory. */
uint32_t kiln_dispi_bank(const KilnDispi *dispi, uint32_t memory);

/* The mode, cut to what there is; meaningful while enabled. */
KilnDispiMode kiln_dispi_mode(const KilnDispi *dispi, uint32_t memory);

extern const KilnStateDescription kiln_dispi_state;

#endif
