/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PS/2 mouse: two axes and three buttons; with a wheel once the host asks for an IntelliMouse by
 * its knock of sample rates, and two more buttons for an IntelliMouse Explorer.
 *
 * It has no lock: that of its controller guards it.
 */
#ifndef KILN_DEVICE_PS2_MOUSE_H
#define KILN_DEVICE_PS2_MOUSE_H

#include "device/ps2-queue.h"

typedef struct {
    KilnPs2Queue queue;
    uint8_t command;  /* that waits for its parameter, or 0 */
    uint8_t identity; /* 0, 3 (IntelliMouse) or 4 (Explorer) */
    uint8_t rate;     /* samples a second */
    uint8_t rates[2]; /* those before it: a knock is three of them */
    uint8_t resolution;
    uint8_t scaling;    /* 0 or 1: two to one */
    uint8_t reporting;  /* 0 or 1: in stream mode it sends by itself */
    uint8_t remote;     /* 0 or 1: it sends when it is asked */
    uint8_t wrap;       /* 0 or 1: it sends what it gets */
    uint8_t buttons;    /* bits: left, right, middle, side, extra */
    uint8_t sent;       /* buttons that the host knows of */
    int32_t dx, dy, dz; /* since the last packet; to the right, up, towards the user */
} KilnPs2Mouse;

void kiln_ps2_mouse_reset(KilnPs2Mouse *mouse);

/* A byte from the host. */
void kiln_ps2_mouse_write(KilnPs2Mouse *mouse, uint8_t byte);

/* Movement in the directions of the members; what a packet cannot hold goes into the next. */
void kiln_ps2_mouse_move(KilnPs2Mouse *mouse, int dx, int dy, int dz);
/* BTN_LEFT and so on. */
void kiln_ps2_mouse_button(KilnPs2Mouse *mouse, uint16_t code, gboolean down);

/* Puts into packets what has changed, as far as there is room, if it sends by itself. */
void kiln_ps2_mouse_send(KilnPs2Mouse *mouse);

extern const KilnStateDescription kiln_ps2_mouse_state;

#endif
