/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VGA and a bochs-display, driven as BIOS, DOS programs and bochs-drm do. */
#include "device/vga.h"

#include <string.h>

#include "device/bochs-display.h"
#include "device/vga-registers.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-test.h"

enum { SLOT = 1, WINDOW = 0xa0000, TEXT = 0xb8000, MEMORY = 1 << 20 };

#define FRAMES    UINT64_C(0xe8000000)
#define REGISTERS UINT64_C(0xea000000)
#define ROM       UINT64_C(0xeb000000)

typedef struct {
    KilnBoard *board;
    KilnPciDevice *pci;
    KilnSurface *surface;
} Screen;

static void
show(Screen *screen, KilnPciDevice *pci, KilnSurface *surface)
{
    ck_assert_ptr_nonnull(pci);
    screen->pci = pci;
    screen->surface = surface;
    ck_assert(kiln_pci_bus_add(kiln_pci_host_root(screen->board->host), pci,
                               KILN_PCI_DEVFN(SLOT, 0), NULL));
    kiln_board_set_config(screen->board, SLOT, PCI_BASE_ADDRESS_0, FRAMES, 4);
    kiln_board_set_config(screen->board, SLOT, PCI_BASE_ADDRESS_2, REGISTERS, 4);
    kiln_board_set_config(screen->board, SLOT, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO, 2);
}

static KilnPciDevice *
new_vga(KilnBoard *board, GError **error)
{
    static const uint8_t rom[3000] = { 0x55, 0xaa, 6, 0xe9 };
    KilnVgaOptions options = {
        .id = "video0",
        .io = board->io,
        .space = board->memory,
        .memory = MEMORY,
        .rom = rom,
        .rom_bytes = sizeof rom,
    };

    return kiln_vga_new(&options, error);
}

static void
vga_open(Screen *screen)
{
    KilnPciDevice *pci;

    *screen = (Screen){ .board = kiln_board_new() };
    pci = new_vga(screen->board, NULL);
    show(screen, pci, kiln_vga_surface(pci));
}

static void
bochs_open(Screen *screen)
{
    KilnBochsDisplayOptions options = { .id = "video0", .memory = MEMORY };
    KilnPciDevice *pci = kiln_bochs_display_new(&options, NULL);

    *screen = (Screen){ .board = kiln_board_new() };
    show(screen, pci, kiln_bochs_display_surface(pci));
}

static void
screen_close(Screen *screen)
{
    kiln_device_free(&screen->pci->device);
    kiln_board_free(screen->board);
}

/* ---- as the BIOS sets modes --------------------------------------------------------------------
 */

typedef struct {
    uint8_t misc;
    uint8_t sequencer[5];
    uint8_t crtc[25];
    uint8_t attribute[21];
    uint8_t graphics[9];
} Mode;

#define COLOURS                                                                                    \
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f

/* Register values of modes 3, 12h and 13h, which every VGA has. */
static const Mode text_mode = {
    0x67,
    { 0x03, 0x00, 0x03, 0x00, 0x02 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
      0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
    { COLOURS, 0x0c, 0x00, 0x0f, 0x08, 0x00 },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff },
};
static const Mode planes_mode = {
    0xe3,
    { 0x03, 0x01, 0x0f, 0x00, 0x06 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff },
    { COLOURS, 0x01, 0x00, 0x0f, 0x00, 0x00 },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff },
};
static const Mode bytes_mode = {
    0x63,
    { 0x03, 0x01, 0x0f, 0x00, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0x00, 0x0f, 0x00, 0x00 },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff },
};

static void
set_indexed(Screen *screen, uint16_t port, uint8_t index, uint8_t value)
{
    kiln_board_out(screen->board, port, index | (unsigned)value << 8, 2);
}

static void
set_attribute(Screen *screen, uint8_t index, uint8_t value)
{
    kiln_board_in(screen->board, 0x3da, 1);
    kiln_board_out(screen->board, 0x3c0, index, 1);
    kiln_board_out(screen->board, 0x3c0, value, 1);
}

static void
set_mode(Screen *screen, const Mode *mode)
{
    kiln_board_out(screen->board, 0x3c2, mode->misc, 1);
    for (uint8_t i = 0; i < 5; i++)
        set_indexed(screen, 0x3c4, i, mode->sequencer[i]);
    set_indexed(screen, 0x3d4, 0x11, 0); /* unlocks 0 to 7 */
    for (uint8_t i = 0; i < 25; i++)
        set_indexed(screen, 0x3d4, i, mode->crtc[i]);
    for (uint8_t i = 0; i < 21; i++)
        set_attribute(screen, i, mode->attribute[i]);
    for (uint8_t i = 0; i < 9; i++)
        set_indexed(screen, 0x3ce, i, mode->graphics[i]);
    kiln_board_out(screen->board, 0x3c8, 0, 1);
    for (unsigned i = 0; i < 64; i++) /* two bits of each colour, as EGA has them */
        for (unsigned c = 0; c < 3; c++)
            kiln_board_out(screen->board, 0x3c9,
                           (i >> (2 - c) & 1) * 0x2a + (i >> (5 - c) & 1) * 0x15, 1);
    kiln_board_in(screen->board, 0x3da, 1);
    kiln_board_out(screen->board, 0x3c0, 0x20, 1);
}

static uint32_t
pixel(Screen *screen, guint x, guint y)
{
    KilnSurfaceImage image;

    kiln_surface_refresh(screen->surface);
    image = kiln_surface_image(screen->surface);
    ck_assert_ptr_nonnull(image.pixels);
    ck_assert_uint_lt(x, image.width);
    ck_assert_uint_lt(y, image.height);
    return image.pixels[y * image.stride / 4 + x] & 0xffffff;
}

static void
expect_size(Screen *screen, guint width, guint height)
{
    KilnSurfaceImage image;

    kiln_surface_refresh(screen->surface);
    image = kiln_surface_image(screen->surface);
    ck_assert_uint_eq(image.width, width);
    ck_assert_uint_eq(image.height, height);
}

/* ---- the VGA -----------------------------------------------------------------------------------
 */

START_TEST(what_it_is)
{
    Screen screen;

    vga_open(&screen);
    ck_assert_uint_eq(kiln_board_config(screen.board, SLOT, 0, 4), 0x11111234);
    ck_assert_uint_eq(kiln_board_config(screen.board, SLOT, PCI_CLASS_DEVICE, 2), 0x0300);
    kiln_board_set_config(screen.board, SLOT, PCI_ROM_ADDRESS, ROM | PCI_ROM_ADDRESS_ENABLE, 4);
    ck_assert_uint_eq(kiln_board_read(screen.board, ROM, 4), 0xe906aa55);
    ck_assert_uint_eq(kiln_board_read(screen.board, ROM + 4088, 8), 0);
    kiln_board_write(screen.board, ROM, 0, 4);
    ck_assert_uint_eq(kiln_board_read(screen.board, ROM, 2), 0xaa55);
    kiln_surface_refresh(screen.surface);
    ck_assert_ptr_null(kiln_surface_image(screen.surface).pixels); /* off */
    screen_close(&screen);
}
END_TEST

START_TEST(there_is_one_only)
{
    Screen screen;
    g_autoptr(GError) error = NULL;

    vga_open(&screen);
    ck_assert_ptr_null(new_vga(screen.board, &error));
    ck_assert_ptr_nonnull(error);
    screen_close(&screen);
}
END_TEST

/* Loads one glyph as the BIOS does, into plane 2 with plain addressing. */
static void
load_glyph(Screen *screen, uint8_t character, uint8_t line, uint8_t dots)
{
    set_indexed(screen, 0x3c4, 2, 4);
    set_indexed(screen, 0x3c4, 4, 6);
    set_indexed(screen, 0x3ce, 5, 0);
    set_indexed(screen, 0x3ce, 6, 4);
    kiln_board_write(screen->board, WINDOW + character * 32u + line, dots, 1);
    set_indexed(screen, 0x3c4, 2, 3);
    set_indexed(screen, 0x3c4, 4, 2);
    set_indexed(screen, 0x3ce, 5, 0x10);
    set_indexed(screen, 0x3ce, 6, 0x0e);
}

START_TEST(text_is_drawn)
{
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &text_mode);
    load_glyph(&screen, 'A', 3, 0x81);
    load_glyph(&screen, 0xc4, 3, 0xff);
    kiln_board_write(screen.board, TEXT + 2 * (80 + 2), 'A' | 0x1e << 8, 2); /* yellow on blue */
    kiln_board_write(screen.board, TEXT + 2 * (80 + 3), 0x1ec4, 2);
    ck_assert_uint_eq(kiln_board_read(screen.board, TEXT + 2 * (80 + 2), 2), 0x1e41);
    expect_size(&screen, 720, 400);
    ck_assert_uint_eq(pixel(&screen, 18, 16 + 3), 0xffff55);
    ck_assert_uint_eq(pixel(&screen, 19, 16 + 3), 0x0000aa);
    ck_assert_uint_eq(pixel(&screen, 25, 16 + 3), 0xffff55);
    ck_assert_uint_eq(pixel(&screen, 26, 16 + 3), 0x0000aa); /* the ninth dot */
    ck_assert_uint_eq(pixel(&screen, 35, 16 + 3), 0xffff55); /* of line graphics */
    ck_assert_uint_eq(pixel(&screen, 18, 16 + 4), 0x0000aa);
    /* The cursor, in lines 13 and 14 of its cell. */
    set_indexed(&screen, 0x3d4, 0x0f, 5);
    kiln_board_write(screen.board, TEXT + 2 * 5, 0x0720, 2);
    ck_assert_uint_eq(pixel(&screen, 5 * 9 + 4, 13), 0xaaaaaa);
    ck_assert_uint_eq(pixel(&screen, 5 * 9 + 4, 12), 0x000000);
    set_indexed(&screen, 0x3d4, 0x0a, 0x20);
    ck_assert_uint_eq(pixel(&screen, 5 * 9 + 4, 13), 0x000000);
    /* Scrolled by a line. */
    set_indexed(&screen, 0x3d4, 0x0d, 80);
    ck_assert_uint_eq(pixel(&screen, 18, 3), 0xffff55);
    screen_close(&screen);
}
END_TEST

START_TEST(registers_are_locked)
{
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &text_mode);
    set_indexed(&screen, 0x3d4, 0x11, 0x8e);
    set_indexed(&screen, 0x3d4, 0x01, 0x27);
    kiln_board_out(screen.board, 0x3d4, 0x01, 1);
    ck_assert_uint_eq(kiln_board_in(screen.board, 0x3d5, 1), 0x4f);
    set_indexed(&screen, 0x3d4, 0x07, 0x00);
    kiln_board_out(screen.board, 0x3d4, 0x07, 1);
    ck_assert_uint_eq(kiln_board_in(screen.board, 0x3d5, 1), 0x0f); /* line compare's bit only */
    ck_assert_uint_eq(kiln_board_in(screen.board, 0x3b5, 1), 0xff); /* mono is not there */
    screen_close(&screen);
}
END_TEST

START_TEST(planes_are_drawn)
{
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &planes_mode);
    expect_size(&screen, 640, 480);
    set_indexed(&screen, 0x3c4, 2, 0x5); /* blue and red */
    kiln_board_write(screen.board, WINDOW + 80 * 100 + 1, 0x80, 1);
    ck_assert_uint_eq(pixel(&screen, 8, 100), 0xaa00aa);
    ck_assert_uint_eq(pixel(&screen, 9, 100), 0x000000);
    /* Set/reset with a bit mask: one more pixel in white; the other stays by the latch. */
    set_indexed(&screen, 0x3c4, 2, 0xf);
    set_indexed(&screen, 0x3ce, 0, 0xf);
    set_indexed(&screen, 0x3ce, 1, 0xf);
    set_indexed(&screen, 0x3ce, 8, 0x40);
    kiln_board_read(screen.board, WINDOW + 80 * 100 + 1, 1);
    kiln_board_write(screen.board, WINDOW + 80 * 100 + 1, 0, 1);
    ck_assert_uint_eq(pixel(&screen, 8, 100), 0xaa00aa);
    ck_assert_uint_eq(pixel(&screen, 9, 100), 0xffffff);
    /* Write mode 1 copies by the latches, read mode 1 finds white. */
    set_indexed(&screen, 0x3ce, 5, 1);
    kiln_board_read(screen.board, WINDOW + 80 * 100 + 1, 1);
    kiln_board_write(screen.board, WINDOW + 80 * 101 + 1, 0, 1);
    ck_assert_uint_eq(pixel(&screen, 9, 101), 0xffffff);
    set_indexed(&screen, 0x3ce, 5, 8);
    set_indexed(&screen, 0x3ce, 2, 0xf);
    set_indexed(&screen, 0x3ce, 7, 0xf);
    ck_assert_uint_eq(kiln_board_read(screen.board, WINDOW + 80 * 101 + 1, 1), 0x40);
    /* Below the split the picture begins again. */
    kiln_board_write(screen.board, WINDOW, 0xff, 1);
    set_indexed(&screen, 0x3d4, 0x0c, 0x10);
    ck_assert_uint_eq(pixel(&screen, 1, 200), 0x000000);
    set_indexed(&screen, 0x3d4, 0x18, 199);
    set_indexed(&screen, 0x3d4, 0x07, 0x2e);
    set_indexed(&screen, 0x3d4, 0x09, 0x00);
    ck_assert_uint_eq(pixel(&screen, 1, 200), 0xffffff);
    screen_close(&screen);
}
END_TEST

/*
 * Write modes against a slow model: each plane and each bit by itself, as the manual's figures have
 * them (IBM VGA XGA Technical Reference, "Graphics Controller Registers").
 */
typedef struct {
    uint8_t set, enable, rotate, function, bit_mask, map_mask, mode;
} Writer;

static uint8_t
model(const Writer *w, unsigned plane, uint8_t value, uint8_t latch, uint8_t old)
{
    uint8_t result = 0, turned = (uint8_t)(value >> w->rotate | value << (8 - w->rotate));

    for (unsigned bit = 0; bit < 8; bit++) {
        gboolean had = latch >> bit & 1, data = turned >> bit & 1, masked = w->bit_mask >> bit & 1;

        if (w->mode == 3) {
            masked = masked && data;
            data = w->set >> plane & 1;
        } else if (w->mode == 2) {
            data = value >> plane & 1;
        } else if (w->enable >> plane & 1) {
            data = w->set >> plane & 1;
        }
        switch (w->function) {
        case 1: data = data && had; break;
        case 2: data = data || had; break;
        case 3: data = data != had; break;
        default: break;
        }
        if (w->mode == 1 || !masked)
            data = had;
        result |= (uint8_t)(data << bit);
    }
    return w->map_mask >> plane & 1 ? result : old;
}

static void
check_write(Screen *screen, GRand *rand)
{
    Writer w = {
        .set = (uint8_t)g_rand_int_range(rand, 0, 16),
        .enable = (uint8_t)g_rand_int_range(rand, 0, 16),
        .rotate = (uint8_t)g_rand_int_range(rand, 0, 8),
        .function = (uint8_t)g_rand_int_range(rand, 0, 4),
        .bit_mask = (uint8_t)g_rand_int_range(rand, 0, 256),
        .map_mask = (uint8_t)g_rand_int_range(rand, 0, 16),
        .mode = (uint8_t)g_rand_int_range(rand, 0, 4),
    };
    uint8_t value = (uint8_t)g_rand_int_range(rand, 0, 256);
    uint32_t latch = g_rand_int(rand), old = g_rand_int(rand);
    uint8_t want[4];

    kiln_board_write(screen->board, FRAMES + 400, latch, 4);
    kiln_board_write(screen->board, FRAMES + 404, old, 4);
    set_indexed(screen, 0x3ce, 0, w.set);
    set_indexed(screen, 0x3ce, 1, w.enable);
    set_indexed(screen, 0x3ce, 3, (uint8_t)(w.rotate | w.function << 3));
    set_indexed(screen, 0x3ce, 5, w.mode);
    set_indexed(screen, 0x3ce, 8, w.bit_mask);
    set_indexed(screen, 0x3c4, 2, w.map_mask);
    kiln_board_read(screen->board, WINDOW + 100, 1);
    kiln_board_write(screen->board, WINDOW + 101, value, 1);
    for (unsigned plane = 0; plane < 4; plane++)
        want[plane] =
            model(&w, plane, value, (uint8_t)(latch >> 8 * plane), (uint8_t)(old >> 8 * plane));
    for (unsigned plane = 0; plane < 4; plane++)
        ck_assert_uint_eq(kiln_board_read(screen->board, FRAMES + 404 + plane, 1), want[plane]);
}

START_TEST(writes_follow_the_model)
{
    Screen screen;
    GRand *rand = g_rand_new_with_seed(5);

    vga_open(&screen);
    set_mode(&screen, &planes_mode);
    for (unsigned i = 0; i < 3000; i++)
        check_write(&screen, rand);
    g_rand_free(rand);
    screen_close(&screen);
}
END_TEST

START_TEST(bytes_are_drawn)
{
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &bytes_mode);
    expect_size(&screen, 640, 400);
    kiln_board_write(screen.board, WINDOW + 320 * 50 + 7, 0x0402, 2);
    ck_assert_uint_eq(pixel(&screen, 14, 100), 0x00aa00);
    ck_assert_uint_eq(pixel(&screen, 15, 101), 0x00aa00);
    ck_assert_uint_eq(pixel(&screen, 16, 100), 0xaa0000);
    ck_assert_uint_eq(pixel(&screen, 14, 102), 0x000000);
    screen_close(&screen);
}
END_TEST

/* ---- the dispi interface -----------------------------------------------------------------------
 */

static void
set_dispi(Screen *screen, uint16_t index, uint16_t value)
{
    kiln_board_out(screen->board, 0x1ce, index, 2);
    kiln_board_out(screen->board, 0x1cf, value, 2);
}

static uint16_t
get_dispi(Screen *screen, uint16_t index)
{
    kiln_board_out(screen->board, 0x1ce, index, 2);
    return (uint16_t)kiln_board_in(screen->board, 0x1cf, 2);
}

START_TEST(dispi_modes)
{
    static const struct {
        uint16_t bpp;
        uint32_t value, colour;
    } depths[] = {
        { 32, 0x00123456, 0x123456 }, { 24, 0x00654321, 0x654321 }, { 16, 0x0000f81f, 0xff00ff },
        { 15, 0x00007c1f, 0xff00ff }, { 8, 0x02, 0x00aa00 },
    };
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &bytes_mode);
    ck_assert_uint_eq(get_dispi(&screen, 0), 0xb0c5);
    ck_assert_uint_eq(get_dispi(&screen, 10), MEMORY / 65536);
    for (unsigned i = 0; i < G_N_ELEMENTS(depths); i++) {
        unsigned bytes = (depths[i].bpp + 7u) / 8;

        kiln_board_write(screen.board, FRAMES, 0xff, 1);
        set_dispi(&screen, 4, 0);
        set_dispi(&screen, 1, 320);
        set_dispi(&screen, 2, 200);
        set_dispi(&screen, 3, depths[i].bpp);
        set_dispi(&screen, 4, 0x41);
        ck_assert_uint_eq(kiln_board_read(screen.board, FRAMES, 1), 0); /* cleared */
        expect_size(&screen, 320, 200);
        kiln_board_write(screen.board, FRAMES + (320u * 10 + 5) * bytes, depths[i].value,
                         bytes == 3 ? 4 : bytes);
        ck_assert_uint_eq(pixel(&screen, 5, 10), depths[i].colour);
        ck_assert_uint_eq(pixel(&screen, 4, 10), 0);
        ck_assert_uint_eq(pixel(&screen, 6, 10), 0);
        set_dispi(&screen, 8, 1);
        set_dispi(&screen, 9, 10);
        ck_assert_uint_eq(pixel(&screen, 4, 0), depths[i].colour);
    }
    /* By banks through the window. */
    set_dispi(&screen, 5, 1);
    kiln_board_write(screen.board, WINDOW + 5, 0x77, 1);
    ck_assert_uint_eq(kiln_board_read(screen.board, FRAMES + 65536 + 5, 1), 0x77);
    set_dispi(&screen, 4, 3);
    ck_assert_uint_ge(get_dispi(&screen, 1), 1600);
    screen_close(&screen);
}
END_TEST

START_TEST(dispi_cuts_to_memory)
{
    Screen screen;

    vga_open(&screen);
    set_mode(&screen, &bytes_mode);
    set_dispi(&screen, 3, 32);
    for (unsigned width = 0; width < 65536; width += 1021) {
        for (unsigned height = 1; height < 65536; height += 8191) {
            KilnSurfaceImage image;

            set_dispi(&screen, 4, 0);
            set_dispi(&screen, 1, (uint16_t)width);
            set_dispi(&screen, 2, (uint16_t)height);
            set_dispi(&screen, 4, 0x41);
            set_dispi(&screen, 6, (uint16_t)(width * 7));
            set_dispi(&screen, 8, (uint16_t)(height * 3));
            set_dispi(&screen, 9, (uint16_t)(width * 5));
            kiln_surface_refresh(screen.surface);
            image = kiln_surface_image(screen.surface);
            ck_assert(image.pixels == NULL || image.width * image.height * 4 <= MEMORY);
        }
    }
    screen_close(&screen);
}
END_TEST

/* What bochs-drm does, through BAR 2 alone. */
static void
drm_mode(Screen *screen, uint16_t width, uint16_t height)
{
    static const uint8_t header[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
    KilnBoard *board = screen->board;
    uint8_t sum = 0;

    for (unsigned i = 0; i < 128; i++) {
        uint8_t byte = (uint8_t)kiln_board_read(board, REGISTERS + i, 1);

        ck_assert(i >= sizeof header || byte == header[i]);
        sum = (uint8_t)(sum + byte);
    }
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(kiln_board_read(board, REGISTERS + 0x500, 2) & 0xfff0, 0xb0c0);
    ck_assert_uint_eq(kiln_board_read(board, REGISTERS + 0x514, 2), MEMORY / 65536);
    ck_assert_uint_eq(kiln_board_read(board, REGISTERS + 0x600, 4), 8);
    ck_assert_uint_eq(kiln_board_read(board, REGISTERS + 0x604, 4), 0x1e1e1e1e);
    kiln_board_write(board, REGISTERS + 0x404, 0, 1);
    kiln_board_write(board, REGISTERS + 0x402, 1, 1);
    kiln_board_read(board, REGISTERS + 0x41a, 1);
    kiln_board_write(board, REGISTERS + 0x400, 0x20, 1);
    kiln_board_write(board, REGISTERS + 0x508, 0, 2);
    kiln_board_write(board, REGISTERS + 0x506, 32, 2);
    kiln_board_write(board, REGISTERS + 0x502, width, 2);
    kiln_board_write(board, REGISTERS + 0x504, height, 2);
    kiln_board_write(board, REGISTERS + 0x50a, 0, 2);
    kiln_board_write(board, REGISTERS + 0x50c, width, 2);
    kiln_board_write(board, REGISTERS + 0x508, 0x41, 2);
}

static void
note_update(void *viewer, const KilnRect *rect)
{
    KilnRect *all = viewer;

    ck_assert_uint_eq(all->width, 0);
    *all = *rect;
}

static const KilnSurfaceViewer viewer_ops = { .update = note_update };

START_TEST(linux_drives_it)
{
    Screen screen;
    KilnSurfaceListener *listener;
    KilnRect rect = { 0 };

    if (_i)
        bochs_open(&screen);
    else
        vga_open(&screen);
    drm_mode(&screen, 400, 300);
    expect_size(&screen, 400, 300);
    listener = kiln_surface_attach(screen.surface, &viewer_ops, &rect);
    kiln_surface_refresh(screen.surface);
    ck_assert_uint_eq(rect.width, 0); /* nothing was drawn */
    kiln_board_write(screen.board, FRAMES + (400 * 7 + 11) * 4, 0xff, 4);
    kiln_board_write(screen.board, FRAMES + (400 * 8 + 20) * 4, 0xff00, 4);
    kiln_surface_refresh(screen.surface);
    ck_assert(rect.x == 11 && rect.y == 7 && rect.width == 10 && rect.height == 2);
    ck_assert_uint_eq(kiln_board_config(screen.board, SLOT, PCI_CLASS_DEVICE, 2),
                      _i ? 0x0380 : 0x0300);
    kiln_surface_detach(listener);
    screen_close(&screen);
}
END_TEST

START_TEST(edid_follows_the_viewer)
{
    static const KilnSurfaceHint hint = { .width = 1000, .height = 700 };
    Screen screen;

    bochs_open(&screen);
    kiln_surface_hint(screen.surface, &hint);
    ck_assert_uint_eq(kiln_board_read(screen.board, REGISTERS + 54 + 2, 1), 1000 & 0xff);
    ck_assert_uint_eq(kiln_board_read(screen.board, REGISTERS + 54 + 4, 1) >> 4, 1000 >> 8);
    ck_assert_uint_eq(kiln_board_read(screen.board, REGISTERS + 54 + 5, 1), 700 & 0xff);
    screen_close(&screen);
}
END_TEST

START_TEST(save_load_save)
{
    Screen from, to;

    vga_open(&from);
    vga_open(&to);
    set_mode(&from, &planes_mode);
    kiln_board_write(from.board, FRAMES + 12345, 0xabcdef, 4);
    kiln_board_write(to.board, FRAMES + 777777, 0xff, 1);
    set_dispi(&from, 1, 640);
    ck_assert(kiln_board_resave(&from.pci->device, &to.pci->device));
    ck_assert_uint_eq(kiln_board_read(to.board, FRAMES + 12345, 4), 0xabcdef);
    ck_assert_uint_eq(kiln_board_read(to.board, FRAMES + 777777, 1), 0);
    expect_size(&to, 640, 480);
    screen_close(&from);
    screen_close(&to);
}
END_TEST

START_TEST(a_stream_has_no_other_bits_than_a_guest)
{
    KilnVgaRegisters from = { 0 }, to = { 0 };
    KilnStateEntry entry = { .description = &kiln_vga_registers_state, .object = &from };
    g_autoptr(GByteArray) stream = NULL;

    memset(from.sequencer, 0xff, sizeof from.sequencer);
    memset(from.graphics, 0xff, sizeof from.graphics);
    memset(from.attribute, 0xff, sizeof from.attribute);
    stream = kiln_state_save(&entry, 1);
    entry.object = &to;
    ck_assert(kiln_state_load(stream->data, stream->len, &entry, 1, NULL));
    ck_assert_uint_eq(to.sequencer[KILN_VGA_MAP_MASK], 0x0f);
    ck_assert_uint_eq(to.graphics[KILN_VGA_READ_MAP], 3);
    ck_assert_uint_eq(to.graphics[KILN_VGA_BIT_MASK], 0xff);
    ck_assert_uint_eq(to.attribute[0], 0x3f);
    ck_assert_uint_eq(to.attribute[31], 0);
}
END_TEST

static Suite *
vga_suite(void)
{
    Suite *suite = suite_create("vga");
    TCase *tcase = kiln_test_case(suite, "vga");

    tcase_add_test(tcase, what_it_is);
    tcase_add_test(tcase, there_is_one_only);
    tcase_add_test(tcase, text_is_drawn);
    tcase_add_test(tcase, registers_are_locked);
    tcase_add_test(tcase, planes_are_drawn);
    tcase_add_test(tcase, writes_follow_the_model);
    tcase_add_test(tcase, bytes_are_drawn);
    tcase_add_test(tcase, dispi_modes);
    tcase_add_test(tcase, dispi_cuts_to_memory);
    tcase_add_loop_test(tcase, linux_drives_it, 0, 2);
    tcase_add_test(tcase, edid_follows_the_viewer);
    tcase_add_test(tcase, save_load_save);
    tcase_add_test(tcase, a_stream_has_no_other_bits_than_a_guest);
    return suite;
}
KILN_TEST_MAIN(vga_suite)
