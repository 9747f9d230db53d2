/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ps2-keyboard.h. */
#include "device/ps2-keyboard.h"

#include <linux/input-event-codes.h>

enum {
    SET_LIGHTS = 0xed,
    ECHO = 0xee,
    SCAN_SET = 0xf0,
    IDENTIFY = 0xf2,
    SET_RATE = 0xf3,
    ENABLE = 0xf4,
    DISABLE = 0xf5,
    SET_DEFAULT = 0xf6,
    ALL_KEYS_FIRST = 0xf7, /* what single keys do: of set 3 */
    ALL_KEYS_LAST = 0xfa,
    RESEND = 0xfe,
    RESET = 0xff,

    ACKNOWLEDGE = 0xfa,
    TEST_PASSED = 0xaa,
    IDENTITY_1 = 0xab,
    IDENTITY_2 = 0x83,

    EXTENDED = 0xe0,
    PAUSE_PREFIX = 0xe1,
    RELEASE_2 = 0xf0, /* prefix of set 2 */
    RELEASE_1 = 0x80, /* bit of set 1 */
    F7_IN_1 = 0x41,
    F7_IN_2 = 0x83,
    SYSRQ_IN_1 = 0x54,
    SYSRQ_IN_2 = 0x84,
    KEY_ROOM = 8, /* the longest that a key sends */

    RATE_DEFAULT = 0x2b, /* 500 ms, then 10.9 a second */
    MS_IN_NS = 1000000,
};

/* Set 1's byte for each of set 2: what 8042s translate to. */
static const uint8_t to_set_1[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

/* Set 1 of keys above KEY_F12, with EXTENDED in the upper byte if that comes before. */
#define E0(code) (0xe000 | (code))
static const uint16_t further[] = {
    [KEY_RO] = 0x73,
    [KEY_HENKAN] = 0x79,
    [KEY_KATAKANAHIRAGANA] = 0x70,
    [KEY_MUHENKAN] = 0x7b,
    [KEY_KPENTER] = E0(0x1c),
    [KEY_RIGHTCTRL] = E0(0x1d),
    [KEY_KPSLASH] = E0(0x35),
    [KEY_SYSRQ] = E0(0x37),
    [KEY_RIGHTALT] = E0(0x38),
    [KEY_HOME] = E0(0x47),
    [KEY_UP] = E0(0x48),
    [KEY_PAGEUP] = E0(0x49),
    [KEY_LEFT] = E0(0x4b),
    [KEY_RIGHT] = E0(0x4d),
    [KEY_END] = E0(0x4f),
    [KEY_DOWN] = E0(0x50),
    [KEY_PAGEDOWN] = E0(0x51),
    [KEY_INSERT] = E0(0x52),
    [KEY_DELETE] = E0(0x53),
    [KEY_MUTE] = E0(0x20),
    [KEY_VOLUMEDOWN] = E0(0x2e),
    [KEY_VOLUMEUP] = E0(0x30),
    [KEY_POWER] = E0(0x5e),
    [KEY_KPEQUAL] = 0x59,
    [KEY_KPCOMMA] = 0x7e,
    [KEY_YEN] = 0x7d,
    [KEY_LEFTMETA] = E0(0x5b),
    [KEY_RIGHTMETA] = E0(0x5c),
    [KEY_COMPOSE] = E0(0x5d),
    [KEY_CALC] = E0(0x21),
    [KEY_SLEEP] = E0(0x5f),
    [KEY_WAKEUP] = E0(0x63),
    [KEY_MAIL] = E0(0x6c),
    [KEY_BOOKMARKS] = E0(0x66),
    [KEY_COMPUTER] = E0(0x6b),
    [KEY_BACK] = E0(0x6a),
    [KEY_FORWARD] = E0(0x69),
    [KEY_NEXTSONG] = E0(0x19),
    [KEY_PLAYPAUSE] = E0(0x22),
    [KEY_PREVIOUSSONG] = E0(0x10),
    [KEY_STOPCD] = E0(0x24),
    [KEY_HOMEPAGE] = E0(0x32),
    [KEY_REFRESH] = E0(0x67),
};

/* Set 1 of a key; 0: it has none, or is KEY_PAUSE. */
static uint16_t
set_1_of(uint16_t code)
{
    if (code == KEY_ZENKAKUHANKAKU)
        return 0x76;
    if (code <= KEY_F12 && code != KEY_F12 - 4) /* Linux took its numbers from there; 84 is none */
        return code;
    return code < G_N_ELEMENTS(further) ? further[code] : 0;
}

static uint8_t
set_2_of(uint8_t set_1)
{
    if (set_1 == F7_IN_1)
        return F7_IN_2;
    if (set_1 == SYSRQ_IN_1)
        return SYSRQ_IN_2;
    for (uint8_t i = 0; i < G_N_ELEMENTS(to_set_1); i++) {
        if (to_set_1[i] == set_1)
            return i;
    }
    return 0;
}

gboolean
kiln_ps2_translate(uint8_t *byte, uint8_t *released)
{
    if (*byte == RELEASE_2) {
        *released = 1;
        return FALSE;
    }
    if (*byte < G_N_ELEMENTS(to_set_1))
        *byte = to_set_1[*byte];
    else if (*byte == F7_IN_2)
        *byte = F7_IN_1;
    else if (*byte == SYSRQ_IN_2)
        *byte = SYSRQ_IN_1;
    if (*released)
        *byte |= RELEASE_1;
    *released = 0;
    return TRUE;
}

/* ---- keys --------------------------------------------------------------------------------------
 */

gboolean
kiln_ps2_keyboard_has(uint16_t code)
{
    return code == KEY_PAUSE || set_1_of(code) != 0;
}

static void
add_code(KilnPs2Keyboard *keyboard, uint8_t set_1, gboolean down)
{
    if (keyboard->set == 1) {
        kiln_ps2_queue_add(&keyboard->queue, down ? set_1 : set_1 | RELEASE_1);
        return;
    }
    if (!down)
        kiln_ps2_queue_add(&keyboard->queue, RELEASE_2);
    kiln_ps2_queue_add(&keyboard->queue, set_2_of(set_1));
}

/* It says that it is up as soon as it is down. */
static void
add_pause(KilnPs2Keyboard *keyboard)
{
    const uint8_t ctrl = KEY_LEFTCTRL, num_lock = KEY_NUMLOCK;

    for (unsigned i = 0; i < 2; i++) {
        kiln_ps2_queue_add(&keyboard->queue, PAUSE_PREFIX);
        add_code(keyboard, ctrl, i == 0);
        add_code(keyboard, num_lock, i == 0);
    }
}

void
kiln_ps2_keyboard_key(KilnPs2Keyboard *keyboard, uint16_t code, gboolean down)
{
    uint16_t set_1 = set_1_of(code);

    if (down)
        keyboard->held = code == KEY_PAUSE ? 0 : code;
    else if (keyboard->held == code)
        keyboard->held = 0;
    if (!keyboard->scanning || kiln_ps2_queue_room(&keyboard->queue) < KEY_ROOM)
        return; /* a key is sent whole or not at all */
    if (code == KEY_PAUSE && down)
        add_pause(keyboard);
    if (set_1 == 0)
        return;
    if (set_1 >> 8 != 0)
        kiln_ps2_queue_add(&keyboard->queue, EXTENDED);
    add_code(keyboard, (uint8_t)set_1, down);
}

uint64_t
kiln_ps2_keyboard_delay_ns(const KilnPs2Keyboard *keyboard)
{
    return ((keyboard->rate >> 5 & 3) + UINT64_C(1)) * 250 * MS_IN_NS;
}

/* (8 + A) * 2^B / 240 seconds, A in bits 0 to 2, B in 3 and 4. */
uint64_t
kiln_ps2_keyboard_period_ns(const KilnPs2Keyboard *keyboard)
{
    return ((keyboard->rate & UINT64_C(7)) + 8) * (1u << (keyboard->rate >> 3 & 3)) * 1000 *
           MS_IN_NS / 240;
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static void
set_defaults(KilnPs2Keyboard *keyboard)
{
    kiln_ps2_queue_clear(&keyboard->queue);
    keyboard->set = 2;
    keyboard->rate = RATE_DEFAULT;
    keyboard->held = 0;
    keyboard->command = 0;
}

void
kiln_ps2_keyboard_reset(KilnPs2Keyboard *keyboard)
{
    set_defaults(keyboard);
    keyboard->lights = 0;
    keyboard->scanning = 1;
    keyboard->queue.last = 0;
}

static void
take_parameter(KilnPs2Keyboard *keyboard, uint8_t byte)
{
    kiln_ps2_queue_add(&keyboard->queue, ACKNOWLEDGE);
    switch (keyboard->command) {
    case SET_LIGHTS: keyboard->lights = byte & 7; break;
    case SET_RATE: keyboard->rate = byte & 0x7f; break;
    case SCAN_SET:
        if (byte == 0)
            kiln_ps2_queue_add(&keyboard->queue, keyboard->set);
        else if (byte <= 2)
            keyboard->set = byte; /* set 3 is not one that it has */
        break;
    default: break;
    }
    keyboard->command = 0;
}

static void
identify(KilnPs2Keyboard *keyboard)
{
    kiln_ps2_queue_add(&keyboard->queue, IDENTITY_1);
    kiln_ps2_queue_add(&keyboard->queue, IDENTITY_2);
}

void
kiln_ps2_keyboard_write(KilnPs2Keyboard *keyboard, uint8_t byte)
{
    KilnPs2Queue *queue = &keyboard->queue;
    uint8_t last = queue->last;

    if (keyboard->command != 0 && byte < SET_LIGHTS) {
        take_parameter(keyboard, byte);
        return;
    }
    keyboard->command = 0;
    if (byte == SET_DEFAULT || byte == DISABLE || byte == RESET)
        set_defaults(keyboard);
    if (byte != ECHO && byte != RESEND && byte >= SET_LIGHTS)
        kiln_ps2_queue_add(queue, ACKNOWLEDGE);
    switch (byte) {
    case SET_LIGHTS:
    case SCAN_SET:
    case SET_RATE: keyboard->command = byte; break;
    case IDENTIFY: identify(keyboard); break;
    case ENABLE: keyboard->scanning = 1; break;
    case DISABLE: keyboard->scanning = 0; break;
    case SET_DEFAULT:
    case ALL_KEYS_FIRST ... ALL_KEYS_LAST: break;
    case RESET:
        keyboard->scanning = 1;
        keyboard->lights = 0;
        kiln_ps2_queue_add(queue, TEST_PASSED);
        break;
    case ECHO: kiln_ps2_queue_add(queue, ECHO); break;
    case RESEND: kiln_ps2_queue_add(queue, last); break;
    default:
        if (byte < SET_LIGHTS)
            kiln_ps2_queue_add(queue, RESEND);
        break;
    }
}

/* ---- saved state -------------------------------------------------------------------------------
 */

static const KilnStateField queue_fields[] = {
    KILN_STATE_BYTES(KilnPs2Queue, bytes, 1),
    KILN_STATE_RANGE(KilnPs2Queue, first, 1, 0, KILN_PS2_QUEUE - 1),
    KILN_STATE_RANGE(KilnPs2Queue, n, 1, 0, KILN_PS2_QUEUE),
    KILN_STATE(KilnPs2Queue, last, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_ps2_queue_state = {
    .name = "ps2-queue", .version = 1, .min_version = 1, .fields = queue_fields
};

static const KilnStateField keyboard_fields[] = {
    KILN_STATE_STRUCT(KilnPs2Keyboard, queue, 1, &kiln_ps2_queue_state),
    KILN_STATE(KilnPs2Keyboard, command, 1),
    KILN_STATE_RANGE(KilnPs2Keyboard, set, 1, 0, 2),
    KILN_STATE_RANGE(KilnPs2Keyboard, scanning, 1, 0, 1),
    KILN_STATE_RANGE(KilnPs2Keyboard, lights, 1, 0, 7),
    KILN_STATE_RANGE(KilnPs2Keyboard, rate, 1, 0, 0x7f),
    KILN_STATE(KilnPs2Keyboard, held, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_ps2_keyboard_state = {
    .name = "ps2-keyboard", .version = 1, .min_version = 1, .fields = keyboard_fields
};
