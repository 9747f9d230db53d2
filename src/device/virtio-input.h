/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The input device (virtio 1.2 §5.8): keyboard, mouse, tablet, or an evdev of the host.
 *
 *   kiln_virtio_input_key() … _sync(), or the evdev -> events, held until a sync -> the driver's
 *     buffers, an event in each; while it has too few, a ring of KILN_VIRTIO_INPUT_RING events
 * waits status queue: keyboard lights -> callback, or the evdev
 *
 * Events and codes are those of linux/input-event-codes.h, as QEMU's devices of the same names have
 * them.  A group (up to its sync) is delivered whole or, if the ring is full, not at all; while no
 * driver is there, events are dropped.
 *
 * All functions: main thread.
 */
#ifndef KILN_DEVICE_VIRTIO_INPUT_H
#define KILN_DEVICE_VIRTIO_INPUT_H

#include "virtio/device.h"

enum {
    KILN_VIRTIO_INPUT_RING = 256,       /* events */
    KILN_VIRTIO_INPUT_ABS_MAX = 0x7fff, /* a tablet's axes go from 0 to this */
};

typedef enum {
    KILN_VIRTIO_INPUT_KEYBOARD,
    KILN_VIRTIO_INPUT_MOUSE,
    KILN_VIRTIO_INPUT_TABLET,
    KILN_VIRTIO_INPUT_HOST, /* an evdev is passed on */
} KilnVirtioInputKind;

/**
 * KilnVirtioInputOptions:
 * @virtio: id, memory, packed, no_event_idx, no_indirect; the rest is the device's own
 * @serial: (nullable): what the driver shows as the device's unique name; copied
 * @fd: (transfer full): of KILN_VIRTIO_INPUT_HOST: the evdev, open for reading and, for the lights,
 *   writing; made non-blocking and grabbed: the host sees its events no more.  -1: @path is opened
 * @path: (nullable): of KILN_VIRTIO_INPUT_HOST without @fd
 * @light: (nullable): the driver switched a light, LED_NUML and so on
 */
typedef struct {
    KilnVirtioOptions virtio;
    KilnVirtioInputKind kind;
    const char *serial;
    int fd;
    const char *path;
    void (*light)(void *opaque, uint16_t led, gboolean on);
    void *opaque;
} KilnVirtioInputOptions;

/* Returns: (transfer full): for a transport; NULL with @error set, @fd closed. */
KilnVirtioDevice *kiln_virtio_input_new(const KilnVirtioInputOptions *options, GError **error);

/* Whether the device has the event: display and send-key look for the one that has. */
gboolean kiln_virtio_input_has(const KilnVirtioDevice *device, uint16_t type, uint16_t code);

/* Each adds an event to the group; one that the device does not have is left out. */
void kiln_virtio_input_key(KilnVirtioDevice *device, uint16_t code, gboolean down);
void kiln_virtio_input_rel(KilnVirtioDevice *device, uint16_t code, int32_t distance);
void kiln_virtio_input_abs(KilnVirtioDevice *device, uint16_t code, int32_t position);

/* Ends the group and sends it.  Returns: FALSE if it was dropped. */
gboolean kiln_virtio_input_sync(KilnVirtioDevice *device);

#endif
