/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VGA-compatible adapter with the dispi interface, as QEMU's "VGA": what firmware and any system
 * can show text and pictures on.
 *
 *   ports 0x3b0-0x3df, 0x1ce, 0x1cf -> registers     window 0xa0000-0xbffff -> planes
 *   BAR 0 video memory, BAR 2 registers, expansion ROM: a VGA BIOS that the firmware runs
 */
#ifndef KILN_DEVICE_VGA_H
#define KILN_DEVICE_VGA_H

#include "bus/pci.h"
#include "bus/slots.h"
#include "device/edid.h"
#include "display/surface.h"

/**
 * KilnVgaOptions:
 * @id: alias; copied
 * @io, @space: where ports and the window are; there can be one such adapter
 * @slots: makes video memory the guest's
 * @memory: bytes of it
 * @prefers: (nullable): what EDID says
 * @rom, @rom_bytes: (nullable): the VGA BIOS; copied
 */
typedef struct {
    const char *id;
    KilnSpace *io;
    KilnSpace *space;
    KilnSlots slots;
    uint64_t memory;
    const KilnEdidOptions *prefers;
    const uint8_t *rom;
    size_t rom_bytes;
} KilnVgaOptions;

enum { KILN_VGA_MAX_ROM = 1 << 20 };

/* Returns: (transfer full): the function; NULL with @error set: the ports are taken. */
KilnPciDevice *kiln_vga_new(const KilnVgaOptions *options, GError **error);

/* What it shows.  Borrowed. */
KilnSurface *kiln_vga_surface(KilnPciDevice *pci);

#endif
