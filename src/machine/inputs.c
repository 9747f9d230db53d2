/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <input>: keyboards and pointers, and who types on them (display/input.h). */
#include "machine/devices.h"

#include <linux/input-event-codes.h>

#include "base/error.h"
#include "device/virtio-input.h"
#include "machine/functions.h"
#include "machine/private.h"

KilnInputs *
kiln_machine_inputs(KilnMachine *machine)
{
    if (machine->inputs == NULL)
        machine->inputs = kiln_inputs_new();
    return machine->inputs;
}

gboolean
kiln_machine_has_ps2(const KilnMachine *machine, KilnInputType type)
{
    for (guint i = 0; i < machine->domain->inputs->len; i++) {
        const KilnInput *input = g_ptr_array_index(machine->domain->inputs, i);

        if (input->bus == KILN_INPUT_BUS_PS2 && input->type == type)
            return TRUE;
    }
    return FALSE;
}

/* ---- virtio ------------------------------------------------------------------------------------
 */

static gboolean
virtio_has_key(void *device, uint16_t code)
{
    return kiln_virtio_input_has(device, EV_KEY, code);
}

static void
virtio_key(void *device, uint16_t code, gboolean down)
{
    kiln_virtio_input_key(device, code, down);
}

static void
virtio_wheel(void *device, int vertical, int horizontal)
{
    if (vertical != 0)
        kiln_virtio_input_rel(device, REL_WHEEL, vertical);
    if (horizontal != 0)
        kiln_virtio_input_rel(device, REL_HWHEEL, horizontal);
}

static void
virtio_move_by(void *device, int dx, int dy)
{
    kiln_virtio_input_rel(device, REL_X, dx);
    kiln_virtio_input_rel(device, REL_Y, dy);
}

static void
virtio_move_to(void *device, uint32_t x, uint32_t y)
{
    kiln_virtio_input_abs(device, ABS_X, (int32_t)x);
    kiln_virtio_input_abs(device, ABS_Y, (int32_t)y);
}

static void
virtio_sync(void *device)
{
    (void)kiln_virtio_input_sync(device);
}

static gboolean
virtio_listens(void *device)
{
    return kiln_virtio_device_running(device);
}

static const KilnInputSinkOps virtio_keyboard = {
    .has_key = virtio_has_key, .key = virtio_key, .sync = virtio_sync, .listens = virtio_listens
};
static const KilnInputSinkOps virtio_mouse = { .button = virtio_key,
                                               .wheel = virtio_wheel,
                                               .move_by = virtio_move_by,
                                               .sync = virtio_sync,
                                               .listens = virtio_listens };
static const KilnInputSinkOps virtio_tablet = { .button = virtio_key,
                                                .wheel = virtio_wheel,
                                                .move_to = virtio_move_to,
                                                .sync = virtio_sync,
                                                .listens = virtio_listens };

static void
set_light(void *opaque, uint16_t led, gboolean on)
{
    KilnMachineLights *lights = opaque;

    lights->on = on ? lights->on | 1u << led : lights->on & ~(1u << led);
    if (lights->sink != NULL)
        kiln_input_sink_set_lights(lights->sink, lights->on);
}

static void
add_sink(KilnMachine *machine, KilnInputType type, KilnVirtioDevice *device,
         KilnMachineLights *lights)
{
    KilnInputs *inputs = kiln_machine_inputs(machine);

    switch (type) {
    case KILN_INPUT_TYPE_TABLET:
        kiln_inputs_add(inputs, KILN_INPUT_ABSOLUTE, KILN_INPUT_RANK_VIRTIO, &virtio_tablet,
                        device);
        break;
    case KILN_INPUT_TYPE_MOUSE:
        kiln_inputs_add(inputs, KILN_INPUT_RELATIVE, KILN_INPUT_RANK_VIRTIO, &virtio_mouse, device);
        break;
    case KILN_INPUT_TYPE_KEYBOARD:
        lights->sink = kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_VIRTIO,
                                       &virtio_keyboard, device);
        break;
    default: break; /* the host's types and points by itself */
    }
}

static gboolean
build_input(KilnMachine *machine, const KilnInput *input, GError **error)
{
    KilnMachineLights *lights = g_new0(KilnMachineLights, 1);
    KilnVirtioInputOptions options = {
        .virtio = kiln_machine_virtio_options(machine, &input->info, &input->virtio),
        .fd = -1,
        .path = input->evdev,
        .light = set_light,
        .opaque = lights,
    };
    KilnVirtioDevice *device;

    g_ptr_array_add(machine->lights, lights);
    switch (input->type) {
    case KILN_INPUT_TYPE_TABLET: options.kind = KILN_VIRTIO_INPUT_TABLET; break;
    case KILN_INPUT_TYPE_MOUSE: options.kind = KILN_VIRTIO_INPUT_MOUSE; break;
    case KILN_INPUT_TYPE_PASSTHROUGH: options.kind = KILN_VIRTIO_INPUT_HOST; break;
    default: options.kind = KILN_VIRTIO_INPUT_KEYBOARD; break;
    }
    device = kiln_virtio_input_new(&options, error);
    if (device == NULL ||
        !kiln_machine_add_virtio(machine, device, &input->info, &input->virtio, 0, error))
        return FALSE;
    add_sink(machine, input->type, device, lights);
    return TRUE;
}

/* Those on the PS/2 bus are in the keyboard controller (board.c). */
gboolean
kiln_machine_build_inputs(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->inputs->len; i++) {
        const KilnInput *input = g_ptr_array_index(machine->domain->inputs, i);

        if (input->bus == KILN_INPUT_BUS_VIRTIO && !build_input(machine, input, error)) {
            g_prefix_error(error, "%s: ", input->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}
