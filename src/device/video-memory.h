/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of a display adapter behind a BAR, and the picture that is made of it.
 *
 *   BAR placed -> a memory slot of the guest, so that drawing comes here never
 *   viewer -> refresh -> each line is drawn anew -> what differs from the surface is told
 *
 * The refresh runs in the main thread beside the guest, which may draw meanwhile: a torn line is
 * drawn again at the next one.
 */
#ifndef KILN_DEVICE_VIDEO_MEMORY_H
#define KILN_DEVICE_VIDEO_MEMORY_H

#include "bus/pci-bus.h"
#include "bus/slots.h"
#include "device/vga-draw.h"
#include "display/surface.h"

enum {
    KILN_VIDEO_MEMORY_MIN = 1 << 20,
    KILN_VIDEO_MEMORY_MAX = 256 << 20,
};

typedef struct {
    uint8_t *bytes; /* (owned): mapped, zero at first */
    uint32_t size;  /* bytes, a power of 2 */
    KilnSlots slots;
    int slot;       /* of the BAR, -1: none */
    uint32_t *line; /* (owned) (nullable): one that was drawn, to compare */
    guint width;    /* pixels that @line has room for */
    uint8_t *saved; /* (owned) (nullable): @bytes on their way to or from saved state */
    uint32_t n_saved;
} KilnVideoMemory;

/* The power of 2 that has room for @size bytes, within what there can be. */
uint32_t kiln_video_memory_size(uint64_t size);

/* @size: as above.  FALSE with @error set: the host has no room. */
gboolean kiln_video_memory_init(KilnVideoMemory *memory, uint32_t size, const KilnSlots *slots,
                                GError **error);
void kiln_video_memory_clear(KilnVideoMemory *memory);

/* The BAR @index of @pci is the memory. */
void kiln_video_memory_add_bar(KilnVideoMemory *memory, KilnPciDevice *pci, unsigned index);

/* Makes the first @length bytes zero, without touching pages that are. */
void kiln_video_memory_zero(KilnVideoMemory *memory, uint32_t length);

/* Brings @surface up to date.  Main thread, no lock held. */
void kiln_video_memory_refresh(KilnVideoMemory *memory, const KilnVgaMode *mode,
                               KilnSurface *surface);

/* For KILN_STATE_STRUCT in a device's own table. */
extern const KilnStateDescription kiln_video_memory_state;

#endif
