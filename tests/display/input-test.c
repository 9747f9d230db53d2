/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "display/input.h"

#include "tests/lib/kiln-test.h"

#include <linux/input-event-codes.h>

/* A device of the test's; what it got, as text. */
typedef struct {
    GString *log;
    gboolean listens;
} Device;

static KilnInputs *inputs;
static Device tablet, mouse, keyboard, other;
static guint changes;

static void
on_key(void *device, uint16_t code, gboolean down)
{
    g_string_append_printf(((Device *)device)->log, "k%u%c ", code, down ? '+' : '-');
}

static void
on_button(void *device, uint16_t code, gboolean down)
{
    g_string_append_printf(((Device *)device)->log, "b%x%c ", code, down ? '+' : '-');
}

static void
on_wheel(void *device, int vertical, int horizontal)
{
    g_string_append_printf(((Device *)device)->log, "w%d,%d ", vertical, horizontal);
}

static void
on_move_by(void *device, int dx, int dy)
{
    g_string_append_printf(((Device *)device)->log, "r%d,%d ", dx, dy);
}

static void
on_move_to(void *device, uint32_t x, uint32_t y)
{
    g_string_append_printf(((Device *)device)->log, "a%u,%u ", x, y);
}

static void
on_sync(void *device)
{
    g_string_append(((Device *)device)->log, ". ");
}

static gboolean
listens(void *device)
{
    return ((Device *)device)->listens;
}

static const KilnInputSinkOps ops = {
    .key = on_key,
    .button = on_button,
    .wheel = on_wheel,
    .move_by = on_move_by,
    .move_to = on_move_to,
    .sync = on_sync,
    .listens = listens,
};

static void
on_change(void *data)
{
    (void)data;
    changes++;
}

static void
set_up(void)
{
    inputs = kiln_inputs_new();
    tablet = mouse = keyboard = other = (Device){ .listens = TRUE };
    tablet.log = g_string_new(NULL);
    mouse.log = g_string_new(NULL);
    keyboard.log = g_string_new(NULL);
    other.log = g_string_new(NULL);
}

static void
tear_down(void)
{
    kiln_inputs_free(inputs);
    g_string_free(tablet.log, TRUE);
    g_string_free(mouse.log, TRUE);
    g_string_free(keyboard.log, TRUE);
    g_string_free(other.log, TRUE);
}

START_TEST(keys_go_to_who_listens)
{
    ck_assert(!kiln_inputs_key(inputs, KEY_A, TRUE));
    (void)kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_VIRTIO, &ops, &keyboard);
    (void)kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_PS2, &ops, &other);
    ck_assert(kiln_inputs_key(inputs, KEY_A, TRUE));
    ck_assert(kiln_inputs_key(inputs, KEY_A, TRUE));
    keyboard.listens = FALSE;
    ck_assert(kiln_inputs_key(inputs, KEY_B, TRUE));
    kiln_inputs_sync(inputs);
    ck_assert(kiln_inputs_key(inputs, KEY_A, FALSE)); /* where it was pressed */
    ck_assert(kiln_inputs_key(inputs, KEY_C, FALSE)); /* never pressed */
    kiln_inputs_release_all(inputs);
    ck_assert_str_eq(keyboard.log->str, "k30+ . k30- . ");
    ck_assert_str_eq(other.log->str, "k48+ . k48- . ");
    ck_assert(!kiln_inputs_key(inputs, KEY_RESERVED, TRUE));
    ck_assert(!kiln_inputs_key(inputs, 0xffff, TRUE));
}
END_TEST

START_TEST(positions_go_to_a_tablet_and_distances_to_a_mouse)
{
    KilnInputSink *sink;

    (void)kiln_inputs_add(inputs, KILN_INPUT_RELATIVE, KILN_INPUT_RANK_PS2, &ops, &mouse);
    ck_assert(!kiln_inputs_is_absolute(inputs));
    kiln_inputs_move_to(inputs, 10, 10, 100, 100);
    kiln_inputs_move_to(inputs, 15, 8, 100, 100);
    sink = kiln_inputs_add(inputs, KILN_INPUT_ABSOLUTE, KILN_INPUT_RANK_USB, &ops, &tablet);
    ck_assert(kiln_inputs_is_absolute(inputs));
    kiln_inputs_move_to(inputs, 200, -1, 100, 100);
    kiln_inputs_button(inputs, BTN_LEFT, TRUE);
    kiln_inputs_wheel(inputs, 1, 0);
    kiln_inputs_sync(inputs);
    tablet.listens = FALSE; /* a boot loader with PS/2 alone */
    ck_assert(!kiln_inputs_is_absolute(inputs));
    kiln_inputs_button(inputs, BTN_LEFT, FALSE);
    kiln_inputs_button(inputs, BTN_RIGHT, TRUE);
    kiln_inputs_sync(inputs);
    ck_assert_str_eq(tablet.log->str, "a32767,0 b110+ w1,0 . b110- . ");
    ck_assert_str_eq(mouse.log->str, "r5,-2 . b111+ . ");
    kiln_inputs_remove(inputs, sink);
    kiln_inputs_release_all(inputs);
}
END_TEST

START_TEST(a_device_that_goes_takes_its_keys_along)
{
    KilnInputSink *sink;

    sink = kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_USB, &ops, &keyboard);
    ck_assert(kiln_inputs_key(inputs, KEY_A, TRUE));
    kiln_inputs_remove(inputs, sink);
    kiln_inputs_release_all(inputs);
    ck_assert_str_eq(keyboard.log->str, "k30+ ");
    ck_assert(!kiln_inputs_has_keyboard(inputs));
}
END_TEST

START_TEST(lights_are_told)
{
    KilnInputSink *sink;

    kiln_inputs_watch(inputs, on_change, NULL);
    sink = kiln_inputs_add(inputs, KILN_INPUT_KEYS, KILN_INPUT_RANK_USB, &ops, &keyboard);
    ck_assert_uint_eq(changes, 1);
    kiln_input_sink_set_lights(sink, 1 << LED_CAPSL);
    kiln_input_sink_set_lights(sink, 1 << LED_CAPSL);
    ck_assert_uint_eq(changes, 2);
    ck_assert_uint_eq(kiln_inputs_lights(inputs), 1 << LED_CAPSL);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("input");
    TCase *cases = kiln_test_case(suite, "input");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, keys_go_to_who_listens);
    tcase_add_test(cases, positions_go_to_a_tablet_and_distances_to_a_mouse);
    tcase_add_test(cases, a_device_that_goes_takes_its_keys_along);
    tcase_add_test(cases, lights_are_told);
    return suite;
}

KILN_TEST_MAIN(make_suite)
