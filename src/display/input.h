/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From who types and points (VNC clients, virsh send-key) to the guest's keyboards and pointers.
 *
 *   kiln_inputs_key(), _move_to(), _move_by(), _button(), _wheel() … kiln_inputs_sync()
 *     -> routing -> a sink: virtio-input, PS/2, USB
 *
 * Events have the names and codes of linux/input-event-codes.h.  Of the sinks that can take an
 * event one gets it: among those that the guest listens to at the moment the one of the highest
 * rank, of several the one that was added last.  If the guest listens to none, the highest of all
 * has it.  What was pressed is released at the sink that got the press, even if another one would
 * have it now.
 *
 * All functions and callbacks: main thread.  Devices whose registers belong to vCPU threads take
 * their own lock in the callbacks.
 */
#ifndef KILN_DISPLAY_INPUT_H
#define KILN_DISPLAY_INPUT_H

#include <glib.h>
#include <stdint.h>

enum { KILN_INPUT_ABS_MAX = 0x7fff }; /* absolute axes go from 0 to this */

typedef enum {
    KILN_INPUT_KEYS = 1 << 0,     /* a keyboard */
    KILN_INPUT_RELATIVE = 1 << 1, /* a mouse: distances, buttons, wheel */
    KILN_INPUT_ABSOLUTE = 1 << 2, /* a tablet: positions, buttons, wheel */
} KilnInputCan;

/* Who goes first when the guest listens to several. */
typedef enum {
    KILN_INPUT_RANK_PS2,
    KILN_INPUT_RANK_USB,
    KILN_INPUT_RANK_VIRTIO,
} KilnInputRank;

/* Lights of a keyboard: bits 1 << LED_NUML, LED_CAPSL, LED_SCROLLL. */
typedef uint32_t KilnInputLights;

/**
 * KilnInputSinkOps: what a device takes; those that it cannot are NULL
 * @has_key: (nullable): whether the keyboard has the key; NULL: it has all below 0x100 (KEY_OK)
 * @key: @code KEY_ESC, …; key repeats are the guest's own affair, and never come
 * @button: @code BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA
 * @wheel: notches; @vertical is positive away from the user, @horizontal to the right
 * @move_by: pixels
 * @move_to: 0 … KILN_INPUT_ABS_MAX, of the whole screen
 * @sync: (nullable): the events since the last one belong together: send them
 * @listens: (nullable): whether the guest has a driver for it now (virtio: DRIVER_OK; USB:
 * configured and polled; PS/2: reporting is on); NULL: always
 */
typedef struct {
    gboolean (*has_key)(void *device, uint16_t code);
    void (*key)(void *device, uint16_t code, gboolean down);
    void (*button)(void *device, uint16_t code, gboolean down);
    void (*wheel)(void *device, int vertical, int horizontal);
    void (*move_by)(void *device, int dx, int dy);
    void (*move_to)(void *device, uint32_t x, uint32_t y);
    void (*sync)(void *device);
    gboolean (*listens)(void *device);
} KilnInputSinkOps;

typedef struct KilnInputs KilnInputs;
typedef struct KilnInputSink KilnInputSink;

/* Returns: (transfer full): a router without devices. */
KilnInputs *kiln_inputs_new(void);
/* Sinks that are still there are freed too: their devices do not use them any more. */
void kiln_inputs_free(KilnInputs *inputs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnInputs, kiln_inputs_free)

/* ---- devices -----------------------------------------------------------------------------------
 */

/**
 * kiln_inputs_add:
 * @can: KilnInputCan bits; a device that is keyboard and mouse in one may add two sinks
 * @ops: lives as long as the sink
 *
 * Returns: (transfer none): to take it away, or to tell of lights.
 */
KilnInputSink *kiln_inputs_add(KilnInputs *inputs, guint can, KilnInputRank rank,
                               const KilnInputSinkOps *ops, void *device);
/* @sink: (nullable): what was down on it is forgotten; none of its callbacks is called any more. */
void kiln_inputs_remove(KilnInputs *inputs, KilnInputSink *sink);

/* The guest has switched lights: all of them. */
void kiln_input_sink_set_lights(KilnInputSink *sink, KilnInputLights lights);

/* ---- who types and points ----------------------------------------------------------------------
 */

/* A press of a key that is down is left out, and a release of one that is not.  Returns: FALSE if
 * no device has the key. */
gboolean kiln_inputs_key(KilnInputs *inputs, uint16_t code, gboolean down);

/* Whether a keyboard has the key. */
gboolean kiln_inputs_has_key(const KilnInputs *inputs, uint16_t code);

/* Whether there is a keyboard at all; a pointer that takes positions: then viewers use _move_to().
 */
gboolean kiln_inputs_has_keyboard(const KilnInputs *inputs);
gboolean kiln_inputs_is_absolute(const KilnInputs *inputs);

/* Position @x, @y on a screen of @width, @height pixels; cut to it.  Without a device that takes
 * positions it becomes the distance to the position before. */
void kiln_inputs_move_to(KilnInputs *inputs, int x, int y, guint width, guint height);
void kiln_inputs_move_by(KilnInputs *inputs, int dx, int dy);
void kiln_inputs_button(KilnInputs *inputs, uint16_t code, gboolean down);
void kiln_inputs_wheel(KilnInputs *inputs, int vertical, int horizontal);

/* Ends a group of events. */
void kiln_inputs_sync(KilnInputs *inputs);

/* Releases all that is down: a viewer has gone, the guest was reset. */
void kiln_inputs_release_all(KilnInputs *inputs);

/* Lights of the keyboard that has them, of which the highest rank counts. */
KilnInputLights kiln_inputs_lights(const KilnInputs *inputs);

/**
 * kiln_inputs_watch:
 * @changed: (nullable): called when lights have changed, or devices came or went; NULL ends it.
 * There is one watcher.
 */
void kiln_inputs_watch(KilnInputs *inputs, void (*changed)(void *data), void *data);

#endif
