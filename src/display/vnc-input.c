/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and pointers of VNC clients, with QEMU's extensions for scan codes, distances and lights. */
#include "display/keymap.h"
#include "display/vnc-message.h"
#include "display/vnc-private.h"

#include <string.h>

/* RFC 6143 §7.5.5, and what viewers use beyond: sides of the wheel, back. */
enum {
    WHEEL_UP = 3,
    WHEEL_DOWN,
    WHEEL_LEFT,
    WHEEL_RIGHT,
    N_BUTTONS = 8,
};

static const uint16_t buttons[N_BUTTONS] = {
    [0] = BTN_LEFT,
    [1] = BTN_MIDDLE,
    [2] = BTN_RIGHT,
    [7] = BTN_SIDE,
};

/* ---- encodings ---------------------------------------------------------------------------------
 */

/* An update of one rectangle that has no pixels. */
static void
send_pseudo(KilnVncClient *client, guint x, int32_t encoding, const uint8_t *data, gsize length)
{
    const KilnVnc *vnc = client->vnc;
    const uint16_t width = (uint16_t)vnc->width, height = (uint16_t)vnc->height;
    const uint32_t number = (uint32_t)encoding;
    const uint8_t update[] = {
        0,
        0,
        0,
        1,
        (uint8_t)(x >> 8),
        (uint8_t)x,
        0,
        0,
        (uint8_t)(width >> 8),
        (uint8_t)width,
        (uint8_t)(height >> 8),
        (uint8_t)height,
        (uint8_t)(number >> 24),
        (uint8_t)(number >> 16),
        (uint8_t)(number >> 8),
        (uint8_t)number,
    };

    if (rfbWriteExact(client->rfb, (const char *)update, sizeof update) > 0 && length > 0)
        (void)rfbWriteExact(client->rfb, (const char *)data, (int)length);
}

void
kiln_vnc_input_encodings(KilnVncClient *client, const uint8_t *message, gsize length)
{
    gboolean had_key = client->extended_key;

    client->extended_key = client->pointer_change = client->led_state = FALSE;
    for (gsize at = 4; at + 4 <= length; at += 4) {
        switch ((int32_t)kiln_vnc_u32(message + at)) {
        case KILN_VNC_ENCODING_EXTENDED_KEY: client->extended_key = TRUE; break;
        case KILN_VNC_ENCODING_POINTER_CHANGE: client->pointer_change = TRUE; break;
        case KILN_VNC_ENCODING_LED_STATE: client->led_state = TRUE; break;
        default: break;
        }
    }
    if (client->extended_key && !had_key)
        send_pseudo(client, 0, KILN_VNC_ENCODING_EXTENDED_KEY, NULL, 0);
    client->told_absolute = client->told_lights = -1;
    kiln_vnc_input_tell(client);
}

void
kiln_vnc_input_tell(KilnVncClient *client)
{
    const KilnVnc *vnc = client->vnc;

    if (client->doomed || client->state != KILN_VNC_CLIENT_NORMAL)
        return;
    if (client->pointer_change) {
        gboolean absolute = kiln_inputs_is_absolute(vnc->inputs);

        if (client->told_absolute != absolute)
            send_pseudo(client, absolute ? 1 : 0, KILN_VNC_ENCODING_POINTER_CHANGE, NULL, 0);
        client->told_absolute = absolute;
    }
    if (client->led_state) {
        KilnInputLights lights = kiln_inputs_lights(vnc->inputs);
        /* QEMU's order: scroll, num, caps */
        uint8_t state = (uint8_t)((lights >> LED_SCROLLL & 1) | (lights >> LED_NUML & 1) << 1 |
                                  (lights >> LED_CAPSL & 1) << 2);

        if (client->told_lights != state)
            send_pseudo(client, 0, KILN_VNC_ENCODING_LED_STATE, &state, sizeof state);
        client->told_lights = state;
    }
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static void
press(KilnVncClient *client, uint16_t code, gboolean down)
{
    uint8_t bit = (uint8_t)(1 << code % 8);

    if (code == KEY_RESERVED)
        return;
    if (down)
        client->keys[code / 8] |= bit;
    else
        client->keys[code / 8] &= (uint8_t)~bit;
    (void)kiln_inputs_key(client->vnc->inputs, code, down);
    kiln_inputs_sync(client->vnc->inputs);
    kiln_vnc_hurry(client->vnc);
}

/* RFC 6143 §7.5.4 */
void
kiln_vnc_input_key(KilnVncClient *client, const uint8_t *message)
{
    press(client, kiln_keymap_from_keysym(kiln_vnc_u32(message + 4)), message[1] != 0);
}

/* QEMU Extended Key Event: down, keysym, scan code.  Some viewers have no scan code for a key. */
void
kiln_vnc_input_qemu(KilnVncClient *client, const uint8_t *message)
{
    uint16_t code = kiln_keymap_from_scancode(kiln_vnc_u32(message + 8));

    if (code == KEY_RESERVED)
        code = kiln_keymap_from_keysym(kiln_vnc_u32(message + 4));
    press(client, code, kiln_vnc_u16(message + 2) != 0);
}

/* ---- the pointer -------------------------------------------------------------------------------
 */

static void
turn_wheel(KilnInputs *inputs, uint8_t pressed)
{
    if ((pressed & 1 << WHEEL_UP) != 0)
        kiln_inputs_wheel(inputs, 1, 0);
    if ((pressed & 1 << WHEEL_DOWN) != 0)
        kiln_inputs_wheel(inputs, -1, 0);
    if ((pressed & 1 << WHEEL_LEFT) != 0)
        kiln_inputs_wheel(inputs, 0, -1);
    if ((pressed & 1 << WHEEL_RIGHT) != 0)
        kiln_inputs_wheel(inputs, 0, 1);
}

static void
set_buttons(KilnVncClient *client, uint8_t state)
{
    KilnInputs *inputs = client->vnc->inputs;
    uint8_t changed = state ^ client->buttons;

    client->buttons = state;
    for (guint i = 0; i < N_BUTTONS; i++) {
        if ((changed & 1 << i) != 0 && buttons[i] != 0)
            kiln_inputs_button(inputs, buttons[i], (state & 1 << i) != 0);
    }
    turn_wheel(inputs, changed & state);
}

/* RFC 6143 §7.5.5; a client that was told of distances sends 0x7fff and the distance. */
void
kiln_vnc_input_pointer(KilnVncClient *client, const uint8_t *message)
{
    enum { NO_MOVE = 0x7fff };
    const KilnVnc *vnc = client->vnc;
    int x = kiln_vnc_u16(message + 2), y = kiln_vnc_u16(message + 4);

    if (client->pointer_change && client->told_absolute == FALSE)
        kiln_inputs_move_by(vnc->inputs, x - NO_MOVE, y - NO_MOVE);
    else
        kiln_inputs_move_to(vnc->inputs, x, y, vnc->width, vnc->height);
    set_buttons(client, message[1]);
    kiln_inputs_sync(vnc->inputs);
    kiln_vnc_hurry(client->vnc);
}

void
kiln_vnc_input_release(KilnVncClient *client)
{
    set_buttons(client, 0);
    for (guint code = 0; code < KEY_CNT; code++) {
        if ((client->keys[code / 8] & 1 << code % 8) != 0)
            (void)kiln_inputs_key(client->vnc->inputs, (uint16_t)code, FALSE);
    }
    memset(client->keys, 0, sizeof client->keys);
    kiln_inputs_sync(client->vnc->inputs);
}
