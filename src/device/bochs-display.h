/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A linear framebuffer and nothing else: what Linux's bochs-drm and OVMF drive without a VGA's
 * ports, memory window and option ROM.
 */
#ifndef KILN_DEVICE_BOCHS_DISPLAY_H
#define KILN_DEVICE_BOCHS_DISPLAY_H

#include "bus/pci.h"
#include "bus/slots.h"
#include "device/edid.h"
#include "display/surface.h"

/**
 * KilnBochsDisplayOptions:
 * @id: alias; copied
 * @slots: makes video memory the guest's
 * @memory: bytes of it
 * @prefers: (nullable): what EDID says
 */
typedef struct {
    const char *id;
    KilnSlots slots;
    uint64_t memory;
    const KilnEdidOptions *prefers;
} KilnBochsDisplayOptions;

/* Returns: (transfer full): the function; NULL with @error set. */
KilnPciDevice *kiln_bochs_display_new(const KilnBochsDisplayOptions *options, GError **error);

/* What it shows.  Borrowed. */
KilnSurface *kiln_bochs_display_surface(KilnPciDevice *pci);

#endif
