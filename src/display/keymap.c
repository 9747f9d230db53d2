/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See keymap.h. */
#include "display/keymap.h"

#include <linux/input-event-codes.h>

/* Set 1 up to 0x58 has Linux's own numbers, but for these. */
static const struct {
    uint8_t scancode;
    uint8_t code;
} scancodes[] = {
    { 0x54, KEY_SYSRQ },
    { 0x59, KEY_KPEQUAL },
    { 0x55, KEY_F16 },
    { 0x5d, KEY_F13 },
    { 0x5e, KEY_F14 },
    { 0x5f, KEY_F15 },
    { 0x70, KEY_KATAKANAHIRAGANA },
    { 0x71, KEY_HANJA },
    { 0x72, KEY_HANGEUL },
    { 0x73, KEY_RO },
    { 0x76, KEY_ZENKAKUHANKAKU },
    { 0x77, KEY_HIRAGANA },
    { 0x78, KEY_KATAKANA },
    { 0x79, KEY_HENKAN },
    { 0x7b, KEY_MUHENKAN },
    { 0x7d, KEY_YEN },
    { 0x7e, KEY_KPCOMMA },
    { 0x90, KEY_PREVIOUSSONG },
    { 0x99, KEY_NEXTSONG },
    { 0x9c, KEY_KPENTER },
    { 0x9d, KEY_RIGHTCTRL },
    { 0xa0, KEY_MUTE },
    { 0xa1, KEY_CALC },
    { 0xa2, KEY_PLAYPAUSE },
    { 0xa4, KEY_STOPCD },
    { 0xae, KEY_VOLUMEDOWN },
    { 0xb0, KEY_VOLUMEUP },
    { 0xb2, KEY_HOMEPAGE },
    { 0xb5, KEY_KPSLASH },
    { 0xb7, KEY_SYSRQ },
    { 0xb8, KEY_RIGHTALT },
    { 0xc6, KEY_PAUSE },
    { 0xc7, KEY_HOME },
    { 0xc8, KEY_UP },
    { 0xc9, KEY_PAGEUP },
    { 0xcb, KEY_LEFT },
    { 0xcd, KEY_RIGHT },
    { 0xcf, KEY_END },
    { 0xd0, KEY_DOWN },
    { 0xd1, KEY_PAGEDOWN },
    { 0xd2, KEY_INSERT },
    { 0xd3, KEY_DELETE },
    { 0xdb, KEY_LEFTMETA },
    { 0xdc, KEY_RIGHTMETA },
    { 0xdd, KEY_COMPOSE },
    { 0xde, KEY_POWER },
    { 0xdf, KEY_SLEEP },
    { 0xe3, KEY_WAKEUP },
    { 0xe5, KEY_SEARCH },
    { 0xe6, KEY_BOOKMARKS },
    { 0xe7, KEY_REFRESH },
    { 0xe8, KEY_STOP },
    { 0xe9, KEY_FORWARD },
    { 0xea, KEY_BACK },
    { 0xeb, KEY_COMPUTER },
    { 0xec, KEY_MAIL },
    { 0xed, KEY_MEDIA },
};

uint16_t
kiln_keymap_from_scancode(uint32_t scancode)
{
    enum { LAST_PLAIN = 0x58 };

    if (scancode > 0 && scancode <= LAST_PLAIN && scancode != 0x54 && scancode != 0x55)
        return (uint16_t)scancode;
    for (gsize i = 0; i < G_N_ELEMENTS(scancodes); i++) {
        if (scancodes[i].scancode == scancode)
            return scancodes[i].code;
    }
    return 0;
}

/* Latin 1 from the space on; 0: not on this keyboard. */
static const uint8_t printable[] = {
    [' '] = KEY_SPACE, ['!'] = KEY_1,         ['"'] = KEY_APOSTROPHE, ['#'] = KEY_3,
    ['$'] = KEY_4,     ['%'] = KEY_5,         ['&'] = KEY_7,          ['\''] = KEY_APOSTROPHE,
    ['('] = KEY_9,     [')'] = KEY_0,         ['*'] = KEY_8,          ['+'] = KEY_EQUAL,
    [','] = KEY_COMMA, ['-'] = KEY_MINUS,     ['.'] = KEY_DOT,        ['/'] = KEY_SLASH,
    ['0'] = KEY_0,     ['1'] = KEY_1,         ['2'] = KEY_2,          ['3'] = KEY_3,
    ['4'] = KEY_4,     ['5'] = KEY_5,         ['6'] = KEY_6,          ['7'] = KEY_7,
    ['8'] = KEY_8,     ['9'] = KEY_9,         [':'] = KEY_SEMICOLON,  [';'] = KEY_SEMICOLON,
    ['<'] = KEY_COMMA, ['='] = KEY_EQUAL,     ['>'] = KEY_DOT,        ['?'] = KEY_SLASH,
    ['@'] = KEY_2,     ['['] = KEY_LEFTBRACE, ['\\'] = KEY_BACKSLASH, [']'] = KEY_RIGHTBRACE,
    ['^'] = KEY_6,     ['_'] = KEY_MINUS,     ['`'] = KEY_GRAVE,      ['a'] = KEY_A,
    ['b'] = KEY_B,     ['c'] = KEY_C,         ['d'] = KEY_D,          ['e'] = KEY_E,
    ['f'] = KEY_F,     ['g'] = KEY_G,         ['h'] = KEY_H,          ['i'] = KEY_I,
    ['j'] = KEY_J,     ['k'] = KEY_K,         ['l'] = KEY_L,          ['m'] = KEY_M,
    ['n'] = KEY_N,     ['o'] = KEY_O,         ['p'] = KEY_P,          ['q'] = KEY_Q,
    ['r'] = KEY_R,     ['s'] = KEY_S,         ['t'] = KEY_T,          ['u'] = KEY_U,
    ['v'] = KEY_V,     ['w'] = KEY_W,         ['x'] = KEY_X,          ['y'] = KEY_Y,
    ['z'] = KEY_Z,     ['{'] = KEY_LEFTBRACE, ['|'] = KEY_BACKSLASH,  ['}'] = KEY_RIGHTBRACE,
    ['~'] = KEY_GRAVE,
};

/* 0xff00 and what follows (keysymdef.h: XK_MISCELLANY), by the last byte. */
static const uint8_t functional[0x100] = {
    [0x08] = KEY_BACKSPACE,
    [0x09] = KEY_TAB,
    [0x0a] = KEY_LINEFEED,
    [0x0d] = KEY_ENTER,
    [0x13] = KEY_PAUSE,
    [0x14] = KEY_SCROLLLOCK,
    [0x15] = KEY_SYSRQ,
    [0x1b] = KEY_ESC,
    [0x20] = KEY_COMPOSE,
    [0x22] = KEY_MUHENKAN,
    [0x23] = KEY_HENKAN,
    [0x25] = KEY_HIRAGANA,
    [0x26] = KEY_KATAKANA,
    [0x27] = KEY_KATAKANAHIRAGANA,
    [0x2a] = KEY_ZENKAKUHANKAKU,
    [0x31] = KEY_HANGEUL,
    [0x34] = KEY_HANJA,
    [0x50] = KEY_HOME,
    [0x51] = KEY_LEFT,
    [0x52] = KEY_UP,
    [0x53] = KEY_RIGHT,
    [0x54] = KEY_DOWN,
    [0x55] = KEY_PAGEUP,
    [0x56] = KEY_PAGEDOWN,
    [0x57] = KEY_END,
    [0x58] = KEY_HOME,
    [0x61] = KEY_SYSRQ,
    [0x63] = KEY_INSERT,
    [0x67] = KEY_COMPOSE,
    [0x6b] = KEY_PAUSE,
    [0x7e] = KEY_RIGHTALT,
    [0x7f] = KEY_NUMLOCK,
    [0x8d] = KEY_KPENTER,
    [0x95] = KEY_KP7,
    [0x96] = KEY_KP4,
    [0x97] = KEY_KP8,
    [0x98] = KEY_KP6,
    [0x99] = KEY_KP2,
    [0x9a] = KEY_KP9,
    [0x9b] = KEY_KP3,
    [0x9c] = KEY_KP1,
    [0x9d] = KEY_KP5,
    [0x9e] = KEY_KP0,
    [0x9f] = KEY_KPDOT,
    [0xaa] = KEY_KPASTERISK,
    [0xab] = KEY_KPPLUS,
    [0xac] = KEY_KPCOMMA,
    [0xad] = KEY_KPMINUS,
    [0xae] = KEY_KPDOT,
    [0xaf] = KEY_KPSLASH,
    [0xb0] = KEY_KP0,
    [0xb1] = KEY_KP1,
    [0xb2] = KEY_KP2,
    [0xb3] = KEY_KP3,
    [0xb4] = KEY_KP4,
    [0xb5] = KEY_KP5,
    [0xb6] = KEY_KP6,
    [0xb7] = KEY_KP7,
    [0xb8] = KEY_KP8,
    [0xb9] = KEY_KP9,
    [0xbd] = KEY_KPEQUAL,
    [0xbe] = KEY_F1,
    [0xbf] = KEY_F2,
    [0xc0] = KEY_F3,
    [0xc1] = KEY_F4,
    [0xc2] = KEY_F5,
    [0xc3] = KEY_F6,
    [0xc4] = KEY_F7,
    [0xc5] = KEY_F8,
    [0xc6] = KEY_F9,
    [0xc7] = KEY_F10,
    [0xc8] = KEY_F11,
    [0xc9] = KEY_F12,
    [0xca] = KEY_F13,
    [0xcb] = KEY_F14,
    [0xcc] = KEY_F15,
    [0xe1] = KEY_LEFTSHIFT,
    [0xe2] = KEY_RIGHTSHIFT,
    [0xe3] = KEY_LEFTCTRL,
    [0xe4] = KEY_RIGHTCTRL,
    [0xe5] = KEY_CAPSLOCK,
    [0xe7] = KEY_LEFTALT,
    [0xe8] = KEY_RIGHTALT,
    [0xe9] = KEY_LEFTALT,
    [0xea] = KEY_RIGHTALT,
    [0xeb] = KEY_LEFTMETA,
    [0xec] = KEY_RIGHTMETA,
    [0xff] = KEY_DELETE,
};

uint16_t
kiln_keymap_from_keysym(uint32_t keysym)
{
    enum { FUNCTIONAL = 0xff00, ISO_LEVEL3_SHIFT = 0xfe03, ISO_LEFT_TAB = 0xfe20 };

    if (keysym >= 'A' && keysym <= 'Z')
        keysym += 'a' - 'A';
    if (keysym < G_N_ELEMENTS(printable))
        return printable[keysym];
    if (keysym >= FUNCTIONAL && keysym < FUNCTIONAL + G_N_ELEMENTS(functional))
        return functional[keysym - FUNCTIONAL];
    if (keysym == ISO_LEFT_TAB)
        return KEY_TAB;
    return keysym == ISO_LEVEL3_SHIFT ? KEY_RIGHTALT : 0;
}
