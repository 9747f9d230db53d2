/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VGA's window into its memory, 0xa0000 to 0xbffff: read and write modes, latches, maps.
 *
 * Byte 4 * n + p of video memory is byte n of plane p; chained modes see it as it lies there.
 */
#ifndef KILN_DEVICE_VGA_WINDOW_H
#define KILN_DEVICE_VGA_WINDOW_H

#include "device/vga-registers.h"

enum { KILN_VGA_WINDOW = 0xa0000, KILN_VGA_WINDOW_BYTES = 0x20000 };

typedef struct {
    uint8_t *bytes;
    uint32_t size;    /* bytes, a power of 2, at least 256 KiB */
    uint32_t bank;    /* bytes: where the window begins, with a map of 64 KiB or more */
    gboolean chained; /* the dispi interface has a packed mode */
} KilnVgaMemory;

/* A byte at @offset, below KILN_VGA_WINDOW_BYTES; fills the latches. */
uint8_t kiln_vga_window_read(KilnVgaRegisters *vga, const KilnVgaMemory *memory, uint32_t offset);
void kiln_vga_window_write(const KilnVgaRegisters *vga, const KilnVgaMemory *memory,
                           uint32_t offset, uint8_t value);

#endif
