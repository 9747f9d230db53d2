/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See input.h. */
#include "display/input.h"

#include <linux/input-event-codes.h>

struct KilnInputSink {
    KilnInputs *inputs;
    guint can;
    KilnInputRank rank;
    const KilnInputSinkOps *ops;
    void *device;
    KilnInputLights lights;
    gboolean touched; /* has events since the last sync */
};

enum { N_CODES = KEY_MAX + 1 };

struct KilnInputs {
    GPtrArray *sinks;             /* (owned) of KilnInputSink, in the order of adding */
    KilnInputSink *down[N_CODES]; /* keys and buttons: who got the press */
    guint n_down;
    int x, y; /* last position, for distances */
    gboolean positioned;
    void (*changed)(void *data);
    void *data;
};

KilnInputs *
kiln_inputs_new(void)
{
    KilnInputs *inputs = g_new0(KilnInputs, 1);

    inputs->sinks = g_ptr_array_new_with_free_func(g_free);
    return inputs;
}

void
kiln_inputs_free(KilnInputs *inputs)
{
    if (inputs == NULL)
        return;
    g_ptr_array_unref(inputs->sinks);
    g_free(inputs);
}

static void
tell(const KilnInputs *inputs)
{
    if (inputs->changed != NULL)
        inputs->changed(inputs->data);
}

KilnInputSink *
kiln_inputs_add(KilnInputs *inputs, guint can, KilnInputRank rank, const KilnInputSinkOps *ops,
                void *device)
{
    KilnInputSink *sink = g_new0(KilnInputSink, 1);

    sink->inputs = inputs;
    sink->can = can;
    sink->rank = rank;
    sink->ops = ops;
    sink->device = device;
    g_ptr_array_add(inputs->sinks, sink);
    tell(inputs);
    return sink;
}

void
kiln_inputs_remove(KilnInputs *inputs, KilnInputSink *sink)
{
    if (sink == NULL)
        return;
    for (guint i = 0; i < N_CODES; i++) {
        if (inputs->down[i] == sink) {
            inputs->down[i] = NULL;
            inputs->n_down--;
        }
    }
    g_ptr_array_remove(inputs->sinks, sink);
    tell(inputs);
}

void
kiln_inputs_watch(KilnInputs *inputs, void (*changed)(void *data), void *data)
{
    inputs->changed = changed;
    inputs->data = data;
}

/* ---- routing -----------------------------------------------------------------------------------
 */

static gboolean
takes(const KilnInputSink *sink, guint can, uint16_t key)
{
    if ((sink->can & can) == 0)
        return FALSE;
    if (key == KEY_RESERVED)
        return TRUE;
    return sink->ops->has_key != NULL ? sink->ops->has_key(sink->device, key) : key < KEY_OK;
}

/* @key: KEY_RESERVED is any.  Returns: (nullable). */
static KilnInputSink *
route(const KilnInputs *inputs, guint can, uint16_t key)
{
    KilnInputSink *best = NULL;
    gboolean best_listens = FALSE;

    for (guint i = 0; i < inputs->sinks->len; i++) {
        KilnInputSink *sink = g_ptr_array_index(inputs->sinks, i);
        gboolean listens;

        if (!takes(sink, can, key))
            continue;
        listens = sink->ops->listens == NULL || sink->ops->listens(sink->device);
        if (best == NULL || (listens && !best_listens) ||
            (listens == best_listens && sink->rank >= best->rank)) {
            best = sink;
            best_listens = listens;
        }
    }
    return best;
}

/* The pointer of the moment: positions are preferred, unless only a mouse is listened to. */
static KilnInputSink *
route_pointer(const KilnInputs *inputs)
{
    KilnInputSink *tablet = route(inputs, KILN_INPUT_ABSOLUTE, KEY_RESERVED);
    KilnInputSink *mouse = route(inputs, KILN_INPUT_RELATIVE, KEY_RESERVED);

    if (tablet == NULL || mouse == NULL)
        return tablet != NULL ? tablet : mouse;
    if (tablet->ops->listens != NULL && !tablet->ops->listens(tablet->device) &&
        (mouse->ops->listens == NULL || mouse->ops->listens(mouse->device)))
        return mouse;
    return tablet;
}

gboolean
kiln_inputs_has_keyboard(const KilnInputs *inputs)
{
    return route(inputs, KILN_INPUT_KEYS, KEY_RESERVED) != NULL;
}

gboolean
kiln_inputs_has_key(const KilnInputs *inputs, uint16_t code)
{
    return code != KEY_RESERVED && route(inputs, KILN_INPUT_KEYS, code) != NULL;
}

gboolean
kiln_inputs_is_absolute(const KilnInputs *inputs)
{
    const KilnInputSink *pointer = route_pointer(inputs);

    return pointer != NULL && (pointer->can & KILN_INPUT_ABSOLUTE) != 0;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static void
send_code(KilnInputSink *sink, uint16_t code, gboolean down)
{
    gboolean is_button = code >= BTN_MISC && code < KEY_OK;
    void (*send)(void *, uint16_t, gboolean) = is_button ? sink->ops->button : sink->ops->key;

    if (send != NULL)
        send(sink->device, code, down);
    sink->touched = TRUE;
}

/* Presses at @sink, or releases where it was pressed. */
static void
press(KilnInputs *inputs, KilnInputSink *sink, uint16_t code, gboolean down)
{
    if (down && inputs->down[code] == NULL && sink != NULL) {
        inputs->down[code] = sink;
        inputs->n_down++;
        send_code(sink, code, TRUE);
    } else if (!down && inputs->down[code] != NULL) {
        sink = inputs->down[code];
        inputs->down[code] = NULL;
        inputs->n_down--;
        send_code(sink, code, FALSE);
    }
}

gboolean
kiln_inputs_key(KilnInputs *inputs, uint16_t code, gboolean down)
{
    KilnInputSink *sink;

    if (code == KEY_RESERVED || code >= N_CODES)
        return FALSE;
    if (inputs->down[code] == NULL) {
        sink = route(inputs, KILN_INPUT_KEYS, code);
        if (sink == NULL)
            return FALSE;
        press(inputs, sink, code, down);
    } else {
        press(inputs, NULL, code, down);
    }
    return TRUE;
}

void
kiln_inputs_button(KilnInputs *inputs, uint16_t code, gboolean down)
{
    if (code >= BTN_MISC && code < KEY_OK)
        press(inputs, route_pointer(inputs), code, down);
}

void
kiln_inputs_move_by(KilnInputs *inputs, int dx, int dy)
{
    KilnInputSink *sink = route(inputs, KILN_INPUT_RELATIVE, KEY_RESERVED);

    if (sink == NULL || sink->ops->move_by == NULL || (dx == 0 && dy == 0))
        return;
    sink->ops->move_by(sink->device, dx, dy);
    sink->touched = TRUE;
}

/* Both ends of the screen are both ends of the axis. */
static uint32_t
scale(int position, guint size)
{
    return size > 1 ? (uint32_t)((uint64_t)position * KILN_INPUT_ABS_MAX / (size - 1)) : 0;
}

void
kiln_inputs_move_to(KilnInputs *inputs, int x, int y, guint width, guint height)
{
    KilnInputSink *sink = route_pointer(inputs);

    if (sink == NULL || width == 0 || height == 0 || width > G_MAXINT || height > G_MAXINT)
        return;
    x = CLAMP(x, 0, (int)width - 1);
    y = CLAMP(y, 0, (int)height - 1);
    if ((sink->can & KILN_INPUT_ABSOLUTE) != 0) {
        sink->ops->move_to(sink->device, scale(x, width), scale(y, height));
        sink->touched = TRUE;
    } else if (inputs->positioned) {
        kiln_inputs_move_by(inputs, x - inputs->x, y - inputs->y);
    }
    inputs->x = x;
    inputs->y = y;
    inputs->positioned = TRUE;
}

void
kiln_inputs_wheel(KilnInputs *inputs, int vertical, int horizontal)
{
    KilnInputSink *sink = route_pointer(inputs);

    if (sink == NULL || sink->ops->wheel == NULL || (vertical == 0 && horizontal == 0))
        return;
    sink->ops->wheel(sink->device, vertical, horizontal);
    sink->touched = TRUE;
}

void
kiln_inputs_sync(KilnInputs *inputs)
{
    for (guint i = 0; i < inputs->sinks->len; i++) {
        KilnInputSink *sink = g_ptr_array_index(inputs->sinks, i);

        if (!sink->touched)
            continue;
        sink->touched = FALSE;
        if (sink->ops->sync != NULL)
            sink->ops->sync(sink->device);
    }
}

void
kiln_inputs_release_all(KilnInputs *inputs)
{
    for (guint i = 0; inputs->n_down > 0 && i < N_CODES; i++)
        press(inputs, NULL, (uint16_t)i, FALSE);
    kiln_inputs_sync(inputs);
}

/* ---- lights ------------------------------------------------------------------------------------
 */

void
kiln_input_sink_set_lights(KilnInputSink *sink, KilnInputLights lights)
{
    if (sink->lights == lights)
        return;
    sink->lights = lights;
    tell(sink->inputs);
}

KilnInputLights
kiln_inputs_lights(const KilnInputs *inputs)
{
    const KilnInputSink *sink = route(inputs, KILN_INPUT_KEYS, KEY_RESERVED);

    return sink != NULL ? sink->lights : 0;
}
