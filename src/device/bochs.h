/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vga and bochs-display have in common: the PCI function 1234:1111 with video memory behind
 * BAR 0, and behind BAR 2 (QEMU, docs/specs/standard-vga.rst)
 *
 *   0x000  EDID
 *   0x400  the VGA's ports from 0x3c0 on (vga only)
 *   0x500  the dispi interface's registers, 16 bits each
 *   0x600  QEMU's own: how many bytes of them there are; the byte order of pixels
 */
#ifndef KILN_DEVICE_BOCHS_H
#define KILN_DEVICE_BOCHS_H

#include "device/dispi.h"
#include "device/edid.h"
#include "device/vga-registers.h"
#include "device/video-memory.h"

/**
 * KilnBochsOptions:
 * @id: alias; copied
 * @slots: makes video memory the guest's
 * @memory: bytes of video memory; kiln_video_memory_size() of it is taken
 * @prefers: (nullable): what EDID says
 * @class_code: 24 bits
 * @vga: (nullable): its registers, for BAR 2
 */
typedef struct {
    const char *id;
    KilnSlots slots;
    uint64_t memory;
    const KilnEdidOptions *prefers;
    uint32_t class_code;
    KilnVgaRegisters *vga;
} KilnBochsOptions;

/* Begins the struct of both devices; its lock guards registers. */
typedef struct {
    KilnPciDevice pci;
    KilnDispi dispi;
    KilnVideoMemory memory;
    KilnVgaRegisters *vga; /* (nullable) */
    uint8_t edid[KILN_EDID_BYTES];
    KilnSurface *surface; /* (owned) */
} KilnBochs;

/* At set-up; FALSE with @error set: clear it all the same. */
gboolean kiln_bochs_init(KilnBochs *bochs, const KilnDeviceOps *ops,
                         const KilnSurfaceDevice *surface, const KilnBochsOptions *options,
                         GError **error);
void kiln_bochs_clear(KilnBochs *bochs);

/* Under the lock, from the device's own reset. */
void kiln_bochs_reset(KilnBochs *bochs);

/* Writes the dispi register that the index says, and clears the screen if that does. */
void kiln_bochs_set_dispi(KilnBochs *bochs, uint16_t value);

/* A viewer would like another size: KilnSurfaceDevice.hint of both. */
void kiln_bochs_hint(void *device, const KilnSurfaceHint *hint);

#endif
