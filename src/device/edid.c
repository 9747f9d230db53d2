/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See edid.h; section numbers are those of EDID 1.4. */
#include "device/edid.h"

#include <string.h>

#include "base/le.h"

enum {
    DEFAULT_WIDTH = 1280,
    DEFAULT_HEIGHT = 800,
    MAX_SIDE = 4095, /* 12 bits of a detailed timing */
    DPI = 100,
    REFRESH_HZ = 75,

    VENDOR = 8,
    EDID_VERSION = 18,
    INPUT = 20,
    SIZE_CM = 21,
    GAMMA = 23,
    FEATURES = 24,
    CHROMATICITY = 25,
    ESTABLISHED = 35,
    STANDARD = 38,
    N_STANDARD = 8,
    DESCRIPTORS = 54,
    DESCRIPTOR_BYTES = 18,
    CHECKSUM = 127,

    DESCRIPTOR_NAME = 0xfc,
    DESCRIPTOR_RANGE = 0xfd,
    DESCRIPTOR_DUMMY = 0x10,
};

/* §3.10.2: bits from byte 18 on are preferred timing's. */
static void
detailed_timing(const KilnEdidOptions *options, guint width_mm, guint height_mm, uint8_t *to)
{
    guint across = options->width, down = options->height;
    guint h_front = across / 4, h_sync = across / 32, h_blank = h_front + h_sync + across / 32;
    guint v_front = MAX(down / 200, 1), v_sync = MAX(down / 200, 1);
    guint v_blank = v_front + v_sync + MAX(down * 35 / 1000, 1);
    uint64_t clock = (uint64_t)REFRESH_HZ * (across + h_blank) * (down + v_blank) / 10000;

    /* A clock of 16 bits: what is faster is shown less often. */
    kiln_le16_store(to, (uint16_t)MIN(clock, UINT16_MAX));
    v_front = MIN(v_front, 63);
    v_sync = MIN(v_sync, 63);
    to[2] = (uint8_t)across;
    to[3] = (uint8_t)h_blank;
    to[4] = (uint8_t)(across >> 8 << 4 | (h_blank >> 8 & 0xf));
    to[5] = (uint8_t)down;
    to[6] = (uint8_t)v_blank;
    to[7] = (uint8_t)(down >> 8 << 4 | (v_blank >> 8 & 0xf));
    to[8] = (uint8_t)h_front;
    to[9] = (uint8_t)h_sync;
    to[10] = (uint8_t)((v_front & 0xf) << 4 | (v_sync & 0xf));
    to[11] = (uint8_t)((h_front >> 8 & 3) << 6 | (h_sync >> 8 & 3) << 4 | (v_front >> 4 & 3) << 2 |
                       (v_sync >> 4 & 3));
    to[12] = (uint8_t)width_mm;
    to[13] = (uint8_t)height_mm;
    to[14] = (uint8_t)((width_mm >> 8 & 0xf) << 4 | (height_mm >> 8 & 0xf));
    to[17] = 0x18; /* separate syncs, not interlaced */
}

static void
text_descriptor(uint8_t type, const char *text, uint8_t *to)
{
    size_t length = strlen(text);

    to[3] = type;
    memset(to + 5, ' ', DESCRIPTOR_BYTES - 5);
    memcpy(to + 5, text, length);
    to[5 + length] = '\n';
}

/* §3.10.3.3: whatever rates a driver thinks of. */
static void
range_descriptor(uint8_t *to)
{
    static const uint8_t limits[] = {
        0, 0, 0, DESCRIPTOR_RANGE, 0, 50, 125, 30, 160, 255, 1, '\n'
    };

    memset(to, ' ', DESCRIPTOR_BYTES);
    memcpy(to, limits, sizeof limits);
}

/* §3.9: sizes that drivers may offer besides. */
static void
standard_timings(uint8_t *to)
{
    static const struct {
        uint16_t width;
        uint8_t ratio; /* 0: 16:10, 1: 4:3, 2: 5:4, 3: 16:9 */
    } timings[N_STANDARD] = { { 1920, 3 }, { 1920, 0 }, { 1600, 1 }, { 1680, 0 },
                              { 1440, 0 }, { 1280, 1 }, { 1280, 2 }, { 1280, 3 } };

    for (unsigned i = 0; i < N_STANDARD; i++) {
        to[2 * i] = (uint8_t)(timings[i].width / 8 - 31);
        to[2 * i + 1] = (uint8_t)(timings[i].ratio << 6); /* at 60 Hz */
    }
}

static guint
millimetres(guint pixels)
{
    return pixels * 254 / (DPI * 10);
}

void
kiln_edid_make(const KilnEdidOptions *options, uint8_t edid[KILN_EDID_BYTES])
{
    static const uint8_t header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    /* sRGB's primaries and white, §3.7. */
    static const uint8_t srgb[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
    KilnEdidOptions size = *options;
    guint width_mm, height_mm;
    uint8_t sum = 0;

    if (size.width == 0 || size.height == 0) {
        size.width = DEFAULT_WIDTH;
        size.height = DEFAULT_HEIGHT;
    }
    size.width = MIN(size.width, MAX_SIDE);
    size.height = MIN(size.height, MAX_SIDE);
    width_mm = MIN(size.width_mm != 0 ? size.width_mm : millimetres(size.width), MAX_SIDE);
    height_mm = MIN(size.height_mm != 0 ? size.height_mm : millimetres(size.height), MAX_SIDE);

    memset(edid, 0, KILN_EDID_BYTES);
    memcpy(edid, header, sizeof header);
    edid[VENDOR] = ('K' - '@') << 2 | ('L' - '@') >> 3; /* "KLN", five bits a letter */
    edid[VENDOR + 1] = (uint8_t)(('L' - '@') << 5 | ('N' - '@'));
    edid[VENDOR + 2] = 1; /* product */
    edid[VENDOR + 8] = 1; /* week */
    edid[VENDOR + 9] = 2026 - 1990;
    edid[EDID_VERSION] = 1;
    edid[EDID_VERSION + 1] = 4;
    edid[INPUT] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
    edid[SIZE_CM] = (uint8_t)MIN(width_mm / 10, 255);
    edid[SIZE_CM + 1] = (uint8_t)MIN(height_mm / 10, 255);
    edid[GAMMA] = 220 - 100;
    edid[FEATURES] = 0x06; /* sRGB; the first detailed timing is the best */
    memcpy(edid + CHROMATICITY, srgb, sizeof srgb);
    edid[ESTABLISHED] = 0x21;     /* 640x480 and 800x600 at 60 Hz */
    edid[ESTABLISHED + 1] = 0x08; /* 1024x768 at 60 Hz */
    standard_timings(edid + STANDARD);
    detailed_timing(&size, width_mm, height_mm, edid + DESCRIPTORS);
    range_descriptor(edid + DESCRIPTORS + DESCRIPTOR_BYTES);
    text_descriptor(DESCRIPTOR_NAME, "Kiln Monitor", edid + DESCRIPTORS + 2 * DESCRIPTOR_BYTES);
    edid[DESCRIPTORS + 3 * DESCRIPTOR_BYTES + 3] = DESCRIPTOR_DUMMY;
    for (unsigned i = 0; i < CHECKSUM; i++)
        sum = (uint8_t)(sum + edid[i]);
    edid[CHECKSUM] = (uint8_t)-sum;
}
