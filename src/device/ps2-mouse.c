/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ps2-mouse.h. */
#include "device/ps2-mouse.h"

#include <linux/input-event-codes.h>

enum {
    SCALING_1 = 0xe6,
    SCALING_2 = 0xe7,
    SET_RESOLUTION = 0xe8,
    GET_STATUS = 0xe9,
    STREAM = 0xea,
    READ_DATA = 0xeb,
    WRAP_OFF = 0xec,
    WRAP_ON = 0xee,
    REMOTE = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    SET_DEFAULT = 0xf6,
    RESEND = 0xfe,
    RESET = 0xff,

    ACKNOWLEDGE = 0xfa,
    NOT_UNDERSTOOD = 0xfe,
    TEST_PASSED = 0xaa,

    PACKET_ALWAYS = 1 << 3,
    PACKET_X_NEGATIVE = 1 << 4,
    PACKET_Y_NEGATIVE = 1 << 5,
    PACKET_BUTTONS = 7,
    EXTRA_BUTTONS_SHIFT = 1, /* side and extra, from bits 3 and 4 to 4 and 5 */

    INTELLIMOUSE = 3,
    EXPLORER = 4,
    DEFAULT_RATE = 100,
    DEFAULT_RESOLUTION = 2,
    PACKET_ROOM = 4,
    ANSWER_ROOM = 8, /* left for answers */
    FAR = 1 << 16,   /* more movement is forgotten */
};

static void
set_defaults(KilnPs2Mouse *mouse)
{
    mouse->rate = DEFAULT_RATE;
    mouse->resolution = DEFAULT_RESOLUTION;
    mouse->scaling = 0;
    mouse->reporting = 0;
    mouse->remote = 0;
    mouse->wrap = 0;
    mouse->command = 0;
    mouse->dx = mouse->dy = mouse->dz = 0;
    mouse->sent = mouse->buttons;
    kiln_ps2_queue_clear(&mouse->queue);
}

void
kiln_ps2_mouse_reset(KilnPs2Mouse *mouse)
{
    set_defaults(mouse);
    mouse->identity = 0;
    mouse->rates[0] = mouse->rates[1] = 0;
    mouse->buttons = mouse->sent = 0;
    mouse->queue.last = 0;
}

/* ---- movement ----------------------------------------------------------------------------------
 */

static int32_t
take_part(int32_t *distance, int32_t low, int32_t high)
{
    int32_t part = CLAMP(*distance, low, high);

    *distance -= part;
    return part;
}

static void
add_packet(KilnPs2Mouse *mouse)
{
    int32_t dx = take_part(&mouse->dx, -255, 255), dy = take_part(&mouse->dy, -255, 255);
    uint8_t first = PACKET_ALWAYS | (mouse->buttons & PACKET_BUTTONS);

    if (dx < 0)
        first |= PACKET_X_NEGATIVE;
    if (dy < 0)
        first |= PACKET_Y_NEGATIVE;
    kiln_ps2_queue_add(&mouse->queue, first);
    kiln_ps2_queue_add(&mouse->queue, (uint8_t)dx);
    kiln_ps2_queue_add(&mouse->queue, (uint8_t)dy);
    if (mouse->identity == INTELLIMOUSE)
        kiln_ps2_queue_add(&mouse->queue, (uint8_t)take_part(&mouse->dz, -127, 127));
    else if (mouse->identity == EXPLORER)
        kiln_ps2_queue_add(&mouse->queue,
                           (uint8_t)((take_part(&mouse->dz, -8, 7) & 0xf) |
                                     (mouse->buttons & ~PACKET_BUTTONS) << EXTRA_BUTTONS_SHIFT));
    else
        mouse->dz = 0;
    mouse->sent = mouse->buttons;
}

void
kiln_ps2_mouse_move(KilnPs2Mouse *mouse, int dx, int dy, int dz)
{
    mouse->dx = CLAMP((int64_t)mouse->dx + dx, -FAR, FAR);
    mouse->dy = CLAMP((int64_t)mouse->dy + dy, -FAR, FAR);
    mouse->dz = CLAMP((int64_t)mouse->dz + dz, -FAR, FAR);
}

void
kiln_ps2_mouse_button(KilnPs2Mouse *mouse, uint16_t code, gboolean down)
{
    static const uint16_t codes[] = { BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_SIDE, BTN_EXTRA };

    for (unsigned i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i] == code)
            mouse->buttons =
                (uint8_t)(down ? mouse->buttons | 1u << i : mouse->buttons & ~(1u << i));
    }
}

void
kiln_ps2_mouse_send(KilnPs2Mouse *mouse)
{
    if (!mouse->reporting) {
        mouse->dx = mouse->dy = mouse->dz = 0;
        mouse->sent = mouse->buttons;
        return;
    }
    while (!mouse->remote &&
           (mouse->dx != 0 || mouse->dy != 0 || mouse->dz != 0 || mouse->sent != mouse->buttons) &&
           kiln_ps2_queue_room(&mouse->queue) >= PACKET_ROOM + ANSWER_ROOM)
        add_packet(mouse);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static void
set_rate(KilnPs2Mouse *mouse, uint8_t rate)
{
    if (mouse->rates[0] == 200 && mouse->rates[1] == 100 && rate == 80)
        mouse->identity = INTELLIMOUSE;
    else if (mouse->rates[0] == 200 && mouse->rates[1] == 200 && rate == 80)
        mouse->identity = EXPLORER;
    mouse->rates[0] = mouse->rates[1];
    mouse->rates[1] = rate;
    mouse->rate = rate;
}

static void
add_status(KilnPs2Mouse *mouse)
{
    uint8_t buttons = mouse->buttons;

    kiln_ps2_queue_add(&mouse->queue,
                       (uint8_t)((buttons >> 1 & 1) | (buttons >> 2 & 1) << 1 | (buttons & 1) << 2 |
                                 mouse->scaling << 4 | mouse->reporting << 5 | mouse->remote << 6));
    kiln_ps2_queue_add(&mouse->queue, mouse->resolution);
    kiln_ps2_queue_add(&mouse->queue, mouse->rate);
}

static void
run(KilnPs2Mouse *mouse, uint8_t byte)
{
    switch (byte) {
    case SCALING_1: mouse->scaling = 0; break;
    case SCALING_2: mouse->scaling = 1; break;
    case SET_RESOLUTION:
    case SET_RATE: mouse->command = byte; break;
    case GET_STATUS: add_status(mouse); break;
    case STREAM: mouse->remote = 0; break;
    case READ_DATA: add_packet(mouse); break;
    case WRAP_ON: mouse->wrap = 1; break;
    case REMOTE: mouse->remote = 1; break;
    case IDENTIFY: kiln_ps2_queue_add(&mouse->queue, mouse->identity); break;
    case ENABLE: mouse->reporting = 1; break;
    case DISABLE: mouse->reporting = 0; break;
    case RESET:
        kiln_ps2_queue_add(&mouse->queue, TEST_PASSED);
        kiln_ps2_queue_add(&mouse->queue, mouse->identity);
        break;
    default: break;
    }
}

static gboolean
understood(uint8_t byte)
{
    return byte >= SCALING_1 && byte != 0xed && byte != 0xef && byte != 0xf1 &&
           (byte <= SET_DEFAULT || byte == RESET);
}

void
kiln_ps2_mouse_write(KilnPs2Mouse *mouse, uint8_t byte)
{
    uint8_t command = mouse->command, last = mouse->queue.last;

    if (mouse->wrap && byte != RESET && byte != WRAP_OFF) {
        kiln_ps2_queue_add(&mouse->queue, byte);
        return;
    }
    mouse->command = 0;
    if (command != 0) {
        kiln_ps2_queue_add(&mouse->queue, ACKNOWLEDGE);
        if (command == SET_RATE)
            set_rate(mouse, byte);
        else
            mouse->resolution = byte;
        return;
    }
    if (byte == RESEND) {
        kiln_ps2_queue_add(&mouse->queue, last);
        return;
    }
    if (byte == SET_DEFAULT)
        set_defaults(mouse);
    else if (byte == RESET)
        kiln_ps2_mouse_reset(mouse);
    else if (byte == WRAP_OFF)
        mouse->wrap = 0;
    kiln_ps2_queue_add(&mouse->queue, understood(byte) ? ACKNOWLEDGE : NOT_UNDERSTOOD);
    if (understood(byte))
        run(mouse, byte);
}

static const KilnStateField fields[] = {
    KILN_STATE_STRUCT(KilnPs2Mouse, queue, 1, &kiln_ps2_queue_state),
    KILN_STATE(KilnPs2Mouse, command, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, identity, 1, 0, EXPLORER),
    KILN_STATE(KilnPs2Mouse, rate, 1),
    KILN_STATE_BYTES(KilnPs2Mouse, rates, 1),
    KILN_STATE(KilnPs2Mouse, resolution, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, scaling, 1, 0, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, reporting, 1, 0, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, remote, 1, 0, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, wrap, 1, 0, 1),
    KILN_STATE_RANGE(KilnPs2Mouse, buttons, 1, 0, 0x1f),
    KILN_STATE_RANGE(KilnPs2Mouse, sent, 1, 0, 0x1f),
    KILN_STATE_RANGE(KilnPs2Mouse, dx, 1, -FAR, FAR),
    KILN_STATE_RANGE(KilnPs2Mouse, dy, 1, -FAR, FAR),
    KILN_STATE_RANGE(KilnPs2Mouse, dz, 1, -FAR, FAR),
    KILN_STATE_END,
};

const KilnStateDescription kiln_ps2_mouse_state = {
    .name = "ps2-mouse", .version = 1, .min_version = 1, .fields = fields
};
