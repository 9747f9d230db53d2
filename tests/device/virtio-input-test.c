/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keyboard, mouse and tablet, driven as a guest does. */
#include "device/virtio-input.h"

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

enum { EVENTS, STATUS, SELECT = 0, SUBSELECT = 1, SIZE = 2, ANSWER = 8 };

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    int light;
    int on;
} Input;

static void
on_light(void *opaque, uint16_t led, gboolean on)
{
    Input *input = opaque;

    input->light = led;
    input->on = on;
}

static KilnVirtioDevice *
new_device(Input *input, KilnVirtioInputKind kind)
{
    KilnVirtioInputOptions options = { .virtio = { .id = "input0", .memory = input->memory },
                                       .kind = kind,
                                       .serial = "s-1",
                                       .fd = -1,
                                       .light = on_light,
                                       .opaque = input };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_input_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

static void
input_open(Input *input, KilnVirtioInputKind kind)
{
    *input = (Input){ .board = kiln_board_new(),
                      .memory = kiln_memory_new_plain(16 << 20),
                      .light = -1 };
    input->device = new_device(input, kind);
    input->driver = kiln_driver_new(input->board, input->memory, input->device);
    kiln_driver_start(input->driver, KILN_DRIVER_SPLIT);
}

static void
input_close(Input *input)
{
    kiln_driver_free(input->driver);
    kiln_memory_free(input->memory);
    kiln_board_free(input->board);
}

/* Returns: the size of the answer, which is in @to. */
static unsigned
ask(Input *input, uint8_t select, uint8_t subselect, uint8_t *to)
{
    unsigned size;

    kiln_driver_set_config(input->driver, SELECT, select, 1);
    kiln_driver_set_config(input->driver, SUBSELECT, subselect, 1);
    size = (unsigned)kiln_driver_config(input->driver, SIZE, 1);
    ck_assert_uint_le(size, 128);
    for (unsigned i = 0; i < 128; i++) {
        to[i] = (uint8_t)kiln_driver_config(input->driver, ANSWER + i, 1);
        ck_assert(i < size || to[i] == 0);
    }
    return size;
}

static gboolean
bit(const uint8_t *bitmap, unsigned n)
{
    return bitmap[n / 8] >> n % 8 & 1;
}

START_TEST(identities)
{
    static const char *const names[] = { "QEMU Virtio Keyboard", "QEMU Virtio Mouse",
                                         "QEMU Virtio Tablet" };
    Input input;
    uint8_t answer[128];

    input_open(&input, (KilnVirtioInputKind)_i);
    ck_assert_uint_eq(ask(&input, VIRTIO_INPUT_CFG_ID_NAME, 0, answer), strlen(names[_i]));
    ck_assert_mem_eq(answer, names[_i], strlen(names[_i]));
    ck_assert_uint_eq(ask(&input, VIRTIO_INPUT_CFG_ID_SERIAL, 0, answer), 3);
    ck_assert_mem_eq(answer, "s-1", 3);
    ck_assert_uint_eq(ask(&input, VIRTIO_INPUT_CFG_ID_DEVIDS, 0, answer), 8);
    ck_assert_uint_eq(kiln_le16_load(answer), BUS_VIRTUAL);
    ck_assert_uint_eq(kiln_le16_load(answer + 2), 0x0627);
    ck_assert_uint_eq(kiln_le16_load(answer + 4), _i + 1);
    ck_assert_uint_gt(ask(&input, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY, answer), 0);
    ck_assert_int_eq(bit(answer, KEY_A), _i == KILN_VIRTIO_INPUT_KEYBOARD);
    ck_assert_int_eq(bit(answer, BTN_LEFT), _i != KILN_VIRTIO_INPUT_KEYBOARD);
    ask(&input, VIRTIO_INPUT_CFG_EV_BITS, EV_REL, answer);
    ck_assert_int_eq(bit(answer, REL_X), _i == KILN_VIRTIO_INPUT_MOUSE);
    ck_assert_int_eq(ask(&input, VIRTIO_INPUT_CFG_ABS_INFO, ABS_X, answer),
                     _i == KILN_VIRTIO_INPUT_TABLET ? 20 : 0);
    ck_assert_uint_eq(kiln_le32_load(answer + 4), _i == KILN_VIRTIO_INPUT_TABLET ? 0x7fff : 0);
    for (unsigned select = 0; select < 256; select++)
        for (unsigned subselect = 0; subselect < 256; subselect += 17)
            ask(&input, (uint8_t)select, (uint8_t)subselect, answer);
    input_close(&input);
}
END_TEST

/* The next event is this one. */
static void
expect(Input *input, KilnDriverBuffer *buffers, uint16_t type, uint16_t code, int32_t value)
{
    int id;
    uint32_t length;

    ck_assert(kiln_driver_take_used(input->driver, EVENTS, &id, &length));
    ck_assert_uint_eq(length, 8);
    ck_assert_uint_eq(kiln_le16_load(buffers[id].host), type);
    ck_assert_uint_eq(kiln_le16_load(buffers[id].host + 2), code);
    ck_assert_uint_eq(kiln_le32_load(buffers[id].host + 4), (uint32_t)value);
}

/* @buffers is by the element's id. */
static void
give(Input *input, KilnDriverBuffer *buffers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        KilnDriverBuffer in = kiln_driver_alloc(input->driver, 8);
        int id = kiln_driver_add(input->driver, EVENTS, NULL, 0, &in, 1);

        ck_assert_int_ge(id, 0);
        ck_assert_int_lt(id, 256);
        buffers[id] = in;
    }
    kiln_driver_kick(input->driver, EVENTS);
    kiln_driver_settle(input->driver);
}

START_TEST(events_are_delivered)
{
    Input input;
    KilnDriverBuffer buffers[256];

    input_open(&input, KILN_VIRTIO_INPUT_TABLET);
    give(&input, buffers, 32);
    kiln_virtio_input_abs(input.device, ABS_X, 100);
    kiln_virtio_input_abs(input.device, ABS_Y, 32767);
    kiln_virtio_input_key(input.device, BTN_LEFT, TRUE);
    kiln_virtio_input_key(input.device, KEY_A, TRUE); /* a tablet has none */
    kiln_virtio_input_abs(input.device, 1000, 1);
    ck_assert(!kiln_driver_take_used(input.driver, EVENTS, NULL, NULL));
    ck_assert(kiln_virtio_input_sync(input.device));
    expect(&input, buffers, EV_ABS, ABS_X, 100);
    expect(&input, buffers, EV_ABS, ABS_Y, 32767);
    expect(&input, buffers, EV_KEY, BTN_LEFT, 1);
    expect(&input, buffers, EV_SYN, SYN_REPORT, 0);
    kiln_virtio_input_rel(input.device, REL_WHEEL, -1);
    ck_assert(kiln_virtio_input_sync(input.device));
    expect(&input, buffers, EV_REL, REL_WHEEL, -1);
    expect(&input, buffers, EV_SYN, SYN_REPORT, 0);
    ck_assert(!kiln_driver_take_used(input.driver, EVENTS, NULL, NULL));
    ck_assert(kiln_virtio_input_has(input.device, EV_ABS, ABS_X));
    ck_assert(!kiln_virtio_input_has(input.device, EV_ABS, ABS_Z));
    ck_assert(!kiln_virtio_input_has(input.device, UINT16_MAX, UINT16_MAX));
    input_close(&input);
}
END_TEST

START_TEST(events_wait_and_go_along)
{
    Input input;
    KilnDriverBuffer buffers[256];
    unsigned taken = 0;

    input_open(&input, KILN_VIRTIO_INPUT_KEYBOARD);
    for (uint16_t i = 0;; i++) {
        kiln_virtio_input_key(input.device, (uint16_t)(KEY_1 + i % 10), i % 2);
        if (!kiln_virtio_input_sync(input.device))
            break;
        taken++;
    }
    ck_assert_uint_eq(taken, KILN_VIRTIO_INPUT_RING / 2);
    ck_assert(!kiln_virtio_input_sync(input.device)); /* still full */
    input.device = new_device(&input, KILN_VIRTIO_INPUT_KEYBOARD);
    kiln_driver_migrate(input.driver, input.device);
    for (unsigned i = 0; i < taken;) {
        give(&input, buffers, 16);
        for (unsigned k = 0; k < 8; k++, i++) {
            expect(&input, buffers, EV_KEY, (uint16_t)(KEY_1 + i % 10), i % 2);
            expect(&input, buffers, EV_SYN, SYN_REPORT, 0);
        }
        kiln_driver_free_buffers(input.driver);
    }
    ck_assert(!kiln_driver_take_used(input.driver, EVENTS, NULL, NULL));
    kiln_driver_reset(input.driver);
    kiln_virtio_input_key(input.device, KEY_A, TRUE);
    ck_assert(!kiln_virtio_input_sync(input.device)); /* nobody is there */
    kiln_driver_start(input.driver, KILN_DRIVER_SPLIT);
    give(&input, buffers, 4);
    ck_assert(!kiln_driver_take_used(input.driver, EVENTS, NULL, NULL));
    input_close(&input);
}
END_TEST

START_TEST(lights)
{
    Input input;
    KilnDriverBuffer out;

    input_open(&input, KILN_VIRTIO_INPUT_KEYBOARD);
    out = kiln_driver_alloc(input.driver, 8);
    kiln_le16_store(out.host, EV_LED);
    kiln_le16_store(out.host + 2, LED_CAPSL);
    kiln_le32_store(out.host + 4, 1);
    kiln_driver_request(input.driver, STATUS, &out, 1, NULL, 0);
    ck_assert_int_eq(input.light, LED_CAPSL);
    ck_assert_int_eq(input.on, 1);
    kiln_le16_store(out.host + 2, LED_MAX);
    kiln_driver_request(input.driver, STATUS, &out, 1, NULL, 0);
    ck_assert_int_eq(input.light, LED_CAPSL); /* it has no such light */
    kiln_le16_store(out.host, EV_KEY);
    kiln_driver_request(input.driver, STATUS, &out, 1, NULL, 0);
    ck_assert_int_eq(input.light, LED_CAPSL);
    ck_assert(!kiln_driver_broken(input.driver));
    input_close(&input);
}
END_TEST

START_TEST(what_is_no_evdev)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(1 << 20);
    KilnVirtioInputOptions options = { .virtio = { .id = "input0", .memory = memory },
                                       .kind = KILN_VIRTIO_INPUT_HOST,
                                       .fd = -1,
                                       .path = "/dev/null" };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_virtio_input_new(&options, &error));
    kiln_assert_error_has(error, "input device '/dev/null': not an evdev");
    g_clear_error(&error);
    options.path = "/does/not/exist";
    ck_assert_ptr_null(kiln_virtio_input_new(&options, &error));
    kiln_assert_error_has(error, "/does/not/exist");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-input");
    TCase *tcase = kiln_test_case(suite, "input");

    tcase_add_loop_test(tcase, identities, KILN_VIRTIO_INPUT_KEYBOARD,
                        KILN_VIRTIO_INPUT_TABLET + 1);
    tcase_add_test(tcase, events_are_delivered);
    tcase_add_test(tcase, events_wait_and_go_along);
    tcase_add_test(tcase, lights);
    tcase_add_test(tcase, what_is_no_evdev);
    return suite;
}

KILN_TEST_MAIN(make_suite)
