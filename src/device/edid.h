/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a monitor says of itself: VESA Enhanced EDID Standard release A revision 2 (EDID 1.4).
 */
#ifndef KILN_DEVICE_EDID_H
#define KILN_DEVICE_EDID_H

#include <glib.h>
#include <stdint.h>

enum { KILN_EDID_BYTES = 128 };

/* The size that it likes best; 0 is 1280x800. */
typedef struct {
    guint width, height;       /* pixels, cut to 4095 */
    guint width_mm, height_mm; /* 0: as at 100 dots an inch */
} KilnEdidOptions;

/* Writes one block. */
void kiln_edid_make(const KilnEdidOptions *options, uint8_t edid[KILN_EDID_BYTES]);

#endif
