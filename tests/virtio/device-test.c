/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device core behind its PCI function, as a driver sees it: virtio 1.2 §2.1, §3.1, §4.1. */
#include <string.h>

#include <linux/virtio_pci.h>

#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"
#include "tests/virtio/echo.h"

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    Echo *echo;
    KilnDriver *driver;
} Bench;

static Echo *
new_echo(Bench *bench)
{
    KilnVirtioOptions options = { .memory = bench->memory, .packed = TRUE };

    return echo_new(&options);
}

static void
bench_init(Bench *bench)
{
    bench->board = kiln_board_new();
    bench->memory = kiln_memory_new_plain(16 << 20);
    bench->echo = new_echo(bench);
    bench->driver = kiln_driver_new(bench->board, bench->memory, &bench->echo->virtio);
}

static void
bench_clear(Bench *bench)
{
    kiln_driver_free(bench->driver);
    kiln_memory_free(bench->memory);
    kiln_board_free(bench->board);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, bench_clear)

/* One request whose answer is what was asked. */
static void
check_echo(KilnDriver *driver, unsigned queue, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    KilnDriverBuffer out = kiln_driver_alloc_data(driver, text, length);
    KilnDriverBuffer in = kiln_driver_alloc(driver, length);

    ck_assert_uint_eq(kiln_driver_request(driver, queue, &out, 1, &in, 1), length);
    ck_assert_mem_eq(in.host, text, length);
}

static const uint64_t modes[] = {
    KILN_DRIVER_PLAIN,
    KILN_DRIVER_SPLIT,
    KILN_DRIVER_PACKED,
    KILN_DRIVER_PACKED & ~KILN_DRIVER_BIT(VIRTIO_RING_F_EVENT_IDX),
    KILN_DRIVER_PACKED & ~KILN_DRIVER_BIT(VIRTIO_RING_F_INDIRECT_DESC),
};

START_TEST(echoes_in_every_mode)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    ck_assert_uint_eq(bench.echo->n_starts, 1);
    for (unsigned i = 0; i < 1000; i++) {
        kiln_driver_free_buffers(bench.driver);
        check_echo(bench.driver, i % 2, "are you there");
    }
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 0), 500);
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 1), 500);
    ck_assert(!kiln_driver_broken(bench.driver));
}
END_TEST

START_TEST(goes_on_in_another_process)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    check_echo(bench.driver, 1, "before");
    bench.echo = new_echo(&bench);
    kiln_driver_migrate(bench.driver, &bench.echo->virtio);
    ck_assert_uint_eq(bench.echo->n_answered, 1);
    check_echo(bench.driver, 1, "after");
    check_echo(bench.driver, 0, "and the other queue");
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 1), 2);
}
END_TEST

static Suite *
device_suite(void)
{
    Suite *suite = suite_create("virtio-device");
    TCase *tcase = kiln_test_case(suite, "modes");

    tcase_add_loop_test(tcase, echoes_in_every_mode, 0, G_N_ELEMENTS(modes));
    tcase_add_loop_test(tcase, goes_on_in_another_process, 0, G_N_ELEMENTS(modes));
    return suite;
}

KILN_TEST_MAIN(device_suite)
