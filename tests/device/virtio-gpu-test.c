/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GPU device, driven as Linux's virtio-gpu does, and as no driver should. */
#include "device/virtio-gpu.h"

#include <linux/virtio_gpu.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

enum { CONTROL, CURSOR, N_HEADS = 2, LIMIT = 1 << 20 };

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    uint8_t answer[2048];
} Card;

static KilnVirtioDevice *
new_device(Card *card)
{
    KilnVirtioGpuOptions options = {
        .virtio = { .id = "video0", .memory = card->memory },
        .n_heads = N_HEADS,
        .memory = LIMIT,
    };

    return kiln_virtio_gpu_new(&options);
}

static void
card_open(Card *card)
{
    *card = (Card){ .board = kiln_board_new(), .memory = kiln_memory_new_plain(16 << 20) };
    card->device = new_device(card);
    card->driver = kiln_driver_new(card->board, card->memory, card->device);
    kiln_driver_start(card->driver, KILN_DRIVER_SPLIT);
}

static void
card_close(Card *card)
{
    kiln_driver_free(card->driver);
    kiln_memory_free(card->memory);
    kiln_board_free(card->board);
}

static KilnSurface *
surface(Card *card, guint head)
{
    return kiln_virtio_gpu_surface(card->device, head);
}

/* Sends a command of words behind its header.  Returns: the response's type. */
static uint32_t
command(Card *card, uint32_t type, const uint32_t *words, unsigned n, const void *more,
        uint32_t n_more)
{
    uint8_t bytes[128] = { 0 };
    KilnDriverBuffer out[2], in = kiln_driver_alloc(card->driver, sizeof card->answer);
    uint32_t length;

    kiln_le32_store(bytes, type);
    kiln_le32_store(bytes + 4, VIRTIO_GPU_FLAG_FENCE);
    kiln_le64_store(bytes + 8, 0x1122334455667788);
    for (unsigned i = 0; i < n; i++)
        kiln_le32_store(bytes + 24 + 4 * i, words[i]);
    out[0] = kiln_driver_alloc_data(card->driver, bytes, 24 + 4 * n);
    if (n_more > 0)
        out[1] = kiln_driver_alloc_data(card->driver, more, n_more);
    length = (uint32_t)kiln_driver_request(card->driver, CONTROL, out, n_more > 0 ? 2 : 1, &in, 1);
    ck_assert_uint_ge(length, 24);
    memcpy(card->answer, in.host, sizeof card->answer);
    ck_assert_uint_eq(kiln_le32_load(card->answer + 4), VIRTIO_GPU_FLAG_FENCE);
    ck_assert_uint_eq(kiln_le64_load(card->answer + 8), 0x1122334455667788);
    return kiln_le32_load(card->answer);
}

#define COMMAND(card, type, ...)                                                                   \
    command(card, type, (const uint32_t[]){ __VA_ARGS__ },                                         \
            sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), NULL, 0)
#define CREATE(card, id, format, width, height)                                                    \
    COMMAND(card, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, id, format, width, height)
#define SCANOUT(card, head, id, x, y, width, height)                                               \
    COMMAND(card, VIRTIO_GPU_CMD_SET_SCANOUT, x, y, width, height, head, id)
#define FLUSH(card, id, x, y, width, height)                                                       \
    COMMAND(card, VIRTIO_GPU_CMD_RESOURCE_FLUSH, x, y, width, height, id, 0)
#define TRANSFER(card, id, offset, x, y, width, height)                                            \
    COMMAND(card, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, x, y, width, height, offset, 0, id, 0)
#define UNREF(card, id) COMMAND(card, VIRTIO_GPU_CMD_RESOURCE_UNREF, id, 0)

/* Pieces of guest memory of these lengths. */
static uint32_t
attach(Card *card, uint32_t id, const KilnDriverBuffer *pieces, unsigned n)
{
    const uint32_t words[] = { id, n };
    uint8_t entries[16 * 16] = { 0 };

    for (unsigned i = 0; i < n; i++) {
        kiln_le64_store(entries + 16 * i, pieces[i].gpa);
        kiln_le32_store(entries + 16 * i + 8, pieces[i].length);
    }
    return command(card, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, words, 2, entries, 16 * n);
}

#define ck_ok(call)    ck_assert_uint_eq(call, VIRTIO_GPU_RESP_OK_NODATA)
#define ck_fails(call) ck_assert_uint_ge(call, VIRTIO_GPU_RESP_ERR_UNSPEC)

static uint32_t
pixel(Card *card, guint head, guint x, guint y)
{
    KilnSurfaceImage image = kiln_surface_image(surface(card, head));

    ck_assert_ptr_nonnull(image.pixels);
    ck_assert(x < image.width && y < image.height);
    return image.pixels[y * image.stride / 4 + x] & 0xffffff;
}

START_TEST(displays_are_told)
{
    Card card;

    card_open(&card);
    ck_assert_uint_eq(kiln_driver_config(card.driver, 8, 4), N_HEADS);
    ck_assert_uint_eq(COMMAND(&card, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0),
                      VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 24 + 8), 1280);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 24 + 12), 800);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 24 + 16), 1);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 48 + 16), 0);
    ck_assert_uint_eq(COMMAND(&card, VIRTIO_GPU_CMD_GET_EDID, 0, 0), VIRTIO_GPU_RESP_OK_EDID);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 24), 128);
    ck_assert_uint_eq(card.answer[32 + 54 + 2], 1280 & 0xff);
    ck_fails(COMMAND(&card, VIRTIO_GPU_CMD_GET_EDID, N_HEADS, 0));
    ck_fails(COMMAND(&card, VIRTIO_GPU_CMD_GET_CAPSET_INFO, 0, 0));
    ck_fails(COMMAND(&card, 0, 0));
    card_close(&card);
}
END_TEST

START_TEST(a_viewer_changes_the_size)
{
    static const KilnSurfaceHint hint = { .width = 1600, .height = 900 };
    Card card;

    card_open(&card);
    kiln_surface_hint(surface(&card, 0), &hint);
    kiln_surface_hint(surface(&card, 1), &hint);
    ck_assert_uint_eq(kiln_driver_config(card.driver, 0, 4), VIRTIO_GPU_EVENT_DISPLAY);
    kiln_driver_set_config(card.driver, 4, VIRTIO_GPU_EVENT_DISPLAY, 4);
    ck_assert_uint_eq(kiln_driver_config(card.driver, 0, 4), 0);
    COMMAND(&card, VIRTIO_GPU_CMD_GET_DISPLAY_INFO, 0);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 24 + 8), 1600);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 48 + 12), 900);
    ck_assert_uint_eq(kiln_le32_load(card.answer + 48 + 16), 1);
    card_close(&card);
}
END_TEST

/* A resource of 8x8 whose backing is in three pieces, that meet inside of a pixel. */
static void
draw(Card *card, uint32_t id, uint32_t format)
{
    KilnDriverBuffer pieces[] = { kiln_driver_alloc(card->driver, 30),
                                  kiln_driver_alloc(card->driver, 101),
                                  kiln_driver_alloc(card->driver, 125) };
    unsigned piece = 0, at = 0;

    for (unsigned i = 0; i < 256; i++) {
        pieces[piece].host[at++] = (uint8_t)i;
        if (at == pieces[piece].length) {
            piece++;
            at = 0;
        }
    }
    ck_ok(CREATE(card, id, format, 8, 8));
    ck_ok(attach(card, id, pieces, 3));
    ck_ok(TRANSFER(card, id, 0, 0, 0, 8, 8));
}

START_TEST(formats)
{
    /* Bytes 4n, 4n + 1 ... of memory as 0xrrggbb. */
    static const struct {
        uint32_t format;
        unsigned red, green, blue;
    } all[] = {
        { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2, 1, 0 },
        { VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 2, 1, 0 },
        { VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 1, 2, 3 },
        { VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 1, 2, 3 },
        { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0, 1, 2 },
        { VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 3, 2, 1 },
        { VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 3, 2, 1 },
        { VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0, 1, 2 },
    };
    Card card;

    card_open(&card);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        draw(&card, i + 1, all[i].format);
        ck_ok(SCANOUT(&card, 0, i + 1, 0, 0, 8, 8));
        for (unsigned k = 0; k < 64; k++)
            ck_assert_uint_eq(pixel(&card, 0, k % 8, k / 8), (4 * k + all[i].red) << 16 |
                                                                 (4 * k + all[i].green) << 8 |
                                                                 (4 * k + all[i].blue));
    }
    ck_fails(CREATE(&card, 99, 5, 8, 8));
    card_close(&card);
}
END_TEST

static void
note_update(void *viewer, const KilnRect *rect)
{
    *(KilnRect *)viewer = *rect;
}

static const KilnSurfaceViewer viewer_ops = { .update = note_update };

START_TEST(scanouts_show_parts)
{
    Card card;
    KilnRect rect = { 0 };
    KilnSurfaceListener *listener;

    card_open(&card);
    draw(&card, 7, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
    ck_ok(SCANOUT(&card, 1, 7, 2, 3, 4, 5));
    ck_assert_uint_eq(kiln_surface_image(surface(&card, 1)).width, 4);
    ck_assert_uint_eq(kiln_surface_image(surface(&card, 1)).height, 5);
    ck_assert_uint_eq(pixel(&card, 1, 0, 0) & 0xff, 4 * (3 * 8 + 2));
    listener = kiln_surface_attach(surface(&card, 1), &viewer_ops, &rect);
    ck_ok(FLUSH(&card, 7, 0, 0, 3, 4));
    ck_assert(rect.x == 0 && rect.y == 0 && rect.width == 1 && rect.height == 1);
    rect = (KilnRect){ 0 };
    ck_ok(FLUSH(&card, 7, 0, 0, 2, 8));
    ck_assert_uint_eq(rect.width, 0);
    ck_fails(FLUSH(&card, 7, 0, 0, 9, 1));
    ck_fails(FLUSH(&card, 7, UINT32_MAX, 0, 2, 1));
    ck_fails(SCANOUT(&card, 0, 7, 4, 0, 5, 1));
    ck_fails(SCANOUT(&card, 0, 7, 0, 0, 0, 1));
    ck_fails(SCANOUT(&card, N_HEADS, 7, 0, 0, 8, 8));
    ck_fails(SCANOUT(&card, 0, 8, 0, 0, 8, 8));
    /* What is shown can be freed: then nothing is. */
    ck_ok(UNREF(&card, 7));
    ck_assert_ptr_null(kiln_surface_image(surface(&card, 1)).pixels);
    ck_fails(UNREF(&card, 7));
    kiln_surface_detach(listener);
    card_close(&card);
}
END_TEST

START_TEST(transfers_are_bounded)
{
    Card card;
    KilnDriverBuffer outside = { .gpa = 16 << 20, .length = 4096 };
    KilnDriverBuffer wraps = { .gpa = UINT64_MAX - 10, .length = 4096 };
    KilnDriverBuffer none = { .gpa = 4096, .length = 0 };
    KilnDriverBuffer fits;

    card_open(&card);
    fits = kiln_driver_alloc(card.driver, 256);
    ck_ok(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 8, 8));
    ck_fails(TRANSFER(&card, 1, 0, 0, 0, 8, 8)); /* no backing */
    ck_fails(attach(&card, 1, &outside, 1));
    ck_fails(attach(&card, 1, &wraps, 1));
    ck_fails(attach(&card, 1, &none, 1));
    ck_fails(attach(&card, 2, &fits, 1));
    ck_fails(COMMAND(&card, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 1, 3)); /* entries missing */
    ck_fails(COMMAND(&card, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 1, UINT32_MAX));
    ck_ok(attach(&card, 1, &fits, 1));
    ck_fails(attach(&card, 1, &fits, 1));
    memset(fits.host, 0x55, 256);
    ck_ok(TRANSFER(&card, 1, 4 * (8 + 1), 1, 1, 7, 7));
    ck_fails(TRANSFER(&card, 1, 4 * (8 + 2), 1, 1, 7, 7)); /* over the backing's end */
    ck_fails(TRANSFER(&card, 1, 0, 1, 0, 8, 8));
    ck_fails(TRANSFER(&card, 1, 0, 0, UINT32_MAX, 1, 2));
    ck_fails(TRANSFER(&card, 1, UINT32_MAX, 0, 0, 8, 8));
    ck_ok(SCANOUT(&card, 0, 1, 0, 0, 8, 8));
    ck_assert_uint_eq(pixel(&card, 0, 0, 0), 0);
    ck_assert_uint_eq(pixel(&card, 0, 1, 1), 0x555555);
    ck_ok(COMMAND(&card, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1, 0));
    ck_fails(COMMAND(&card, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 1, 0));
    card_close(&card);
}
END_TEST

START_TEST(memory_is_bounded)
{
    Card card;
    unsigned n = 0;

    card_open(&card);
    ck_fails(CREATE(&card, 0, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 8, 8));
    ck_fails(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0, 8));
    ck_fails(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 8, UINT32_MAX));
    ck_assert_uint_eq(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 512, 512),
                      VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    /* Small ones are not for nothing either. */
    while (n < 100000 && CREATE(&card, n + 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1, 1) ==
                             VIRTIO_GPU_RESP_OK_NODATA) {
        kiln_driver_free_buffers(card.driver);
        n++;
    }
    ck_assert_uint_gt(n, 100);
    ck_assert_uint_le(n, LIMIT / 4096);
    ck_ok(UNREF(&card, 1));
    ck_ok(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1, 1));
    card_close(&card);
}
END_TEST

static void
cursor(Card *card, uint32_t type, uint32_t head, uint32_t x, uint32_t y, uint32_t id)
{
    const uint32_t words[] = { type, 0, 0, 0, 0, 0, head, x, y, 0, id, 3, 5, 0 };
    uint8_t bytes[sizeof words];
    KilnDriverBuffer out;

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        kiln_le32_store(bytes + 4 * i, words[i]);
    out = kiln_driver_alloc_data(card->driver, bytes, sizeof bytes);
    kiln_driver_request(card->driver, CURSOR, &out, 1, NULL, 0);
}

START_TEST(cursors)
{
    Card card;
    int x, y;

    card_open(&card);
    ck_ok(CREATE(&card, 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64));
    ck_ok(CREATE(&card, 2, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 63, 64));
    cursor(&card, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 100, 200, 2);
    ck_assert_ptr_null(kiln_surface_cursor(surface(&card, 0)));
    cursor(&card, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 100, 200, 1);
    ck_assert_ptr_nonnull(kiln_surface_cursor(surface(&card, 0)));
    ck_assert_uint_eq(kiln_surface_cursor(surface(&card, 0))->hot_x, 3);
    ck_assert(kiln_surface_cursor_position(surface(&card, 0), &x, &y));
    ck_assert(x == 100 && y == 200);
    cursor(&card, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, (uint32_t)-3, 4, 1);
    ck_assert(kiln_surface_cursor_position(surface(&card, 0), &x, &y));
    ck_assert(x == -3 && y == 4);
    cursor(&card, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 0);
    ck_assert(!kiln_surface_cursor_position(surface(&card, 0), &x, &y));
    cursor(&card, VIRTIO_GPU_CMD_UPDATE_CURSOR, UINT32_MAX, 0, 0, 1);
    card_close(&card);
}
END_TEST

START_TEST(a_reset_forgets)
{
    Card card;

    card_open(&card);
    draw(&card, 7, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
    ck_ok(SCANOUT(&card, 0, 7, 0, 0, 8, 8));
    kiln_driver_reset(card.driver);
    kiln_surface_refresh(surface(&card, 0));
    ck_assert_ptr_null(kiln_surface_image(surface(&card, 0)).pixels);
    kiln_driver_start(card.driver, KILN_DRIVER_PACKED);
    ck_fails(UNREF(&card, 7));
    card_close(&card);
}
END_TEST

START_TEST(it_goes_along)
{
    Card card;

    card_open(&card);
    draw(&card, 7, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM);
    draw(&card, 9, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM);
    ck_ok(SCANOUT(&card, 1, 7, 2, 3, 4, 5));
    card.device = new_device(&card);
    kiln_driver_migrate(card.driver, card.device); /* compares what both save */
    ck_assert_uint_eq(kiln_surface_image(surface(&card, 1)).width, 4);
    ck_assert_uint_eq(pixel(&card, 1, 0, 0) >> 16, 4 * (3 * 8 + 2));
    ck_ok(TRANSFER(&card, 9, 0, 0, 0, 8, 8)); /* its backing came along */
    ck_ok(UNREF(&card, 9));
    card_close(&card);
}
END_TEST

static Suite *
gpu_suite(void)
{
    Suite *suite = suite_create("virtio-gpu");
    TCase *tcase = kiln_test_case(suite, "virtio-gpu");

    tcase_add_test(tcase, displays_are_told);
    tcase_add_test(tcase, a_viewer_changes_the_size);
    tcase_add_test(tcase, formats);
    tcase_add_test(tcase, scanouts_show_parts);
    tcase_add_test(tcase, transfers_are_bounded);
    tcase_add_test(tcase, memory_is_bounded);
    tcase_add_test(tcase, cursors);
    tcase_add_test(tcase, a_reset_forgets);
    tcase_add_test(tcase, it_goes_along);
    return suite;
}
KILN_TEST_MAIN(gpu_suite)
