/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A device whose queues are another thread's, under a driver and a second vCPU that pokes
 * registers: requests, resets in the middle of them, queue resets, quiesce and resume.  For
 * ThreadSanitizer.
 */
#include <linux/virtio_pci.h>
#include <string.h>

#include "loop/thread.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver-private.h"
#include "tests/virtio/echo.h"

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnLoopThread *thread;
    Echo *echo;
    KilnDriver *driver;
    GThread *poker;
    int stop; /* (atomic) */
} Bench;

static void
bench_init(Bench *bench)
{
    KilnVirtioOptions options = { .packed = TRUE };

    bench->thread = kiln_loop_thread_new("io");
    bench->board = kiln_board_new();
    bench->memory = kiln_memory_new_plain(16 << 20);
    options.memory = bench->memory;
    options.context = kiln_loop_thread_context(bench->thread);
    bench->echo = echo_new(&options);
    bench->driver = kiln_driver_new(bench->board, bench->memory, &bench->echo->virtio);
    ck_assert(kiln_loop_thread_start(bench->thread, NULL));
}

static void
bench_clear(Bench *bench)
{
    kiln_driver_free(bench->driver);
    kiln_loop_thread_free(bench->thread);
    kiln_memory_free(bench->memory);
    kiln_board_free(bench->board);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, bench_clear)

static gpointer
poke(gpointer data)
{
    Bench *bench = data;
    uint64_t common = bench->driver->structures[VIRTIO_PCI_CAP_COMMON_CFG];
    uint64_t config = bench->driver->structures[VIRTIO_PCI_CAP_DEVICE_CFG];

    for (unsigned i = 0; !__atomic_load_n(&bench->stop, __ATOMIC_RELAXED); i++) {
        (void)kiln_board_read(bench->board, common + VIRTIO_PCI_COMMON_STATUS, 1);
        (void)kiln_board_read(bench->board, common + VIRTIO_PCI_COMMON_Q_ENABLE, 2);
        (void)kiln_board_read(bench->board, config, 4);
        kiln_board_write(bench->board, config + 8, i, 4);
        kiln_board_write(bench->board, common + VIRTIO_PCI_COMMON_MSIX, i % 4, 2);
        kiln_board_write(bench->board,
                         bench->driver->structures[VIRTIO_PCI_CAP_NOTIFY_CFG] + 4 * (i % 3), 0, 2);
        g_usleep(20);
    }
    return NULL;
}

static void
some_requests(Bench *bench, unsigned queue, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        KilnDriverBuffer out = kiln_driver_alloc_data(bench->driver, "threads", 7);
        KilnDriverBuffer in = kiln_driver_alloc(bench->driver, 7);

        ck_assert_uint_eq(kiln_driver_request(bench->driver, queue, &out, 1, &in, 1), 7);
        ck_assert_mem_eq(in.host, "threads", 7);
    }
}

/* Added and kicked, and nobody waits for the answer. */
static void
leave_requests(Bench *bench, unsigned queue)
{
    for (unsigned i = 0; i < 20; i++) {
        KilnDriverBuffer out = kiln_driver_alloc_data(bench->driver, "threads", 7);

        if (kiln_driver_add(bench->driver, queue, &out, 1, NULL, 0) < 0)
            return;
        kiln_driver_kick(bench->driver, queue);
    }
}

START_TEST(vcpus_and_io_thread)
{
    g_auto(Bench) bench = { 0 };
    KilnGpa start;

    bench_init(&bench);
    start = bench.driver->next_gpa;
    bench.poker = g_thread_new("poker", poke, &bench);
    for (unsigned i = 0; i < 60; i++) {
        bench.driver->next_gpa = start;
        kiln_driver_start(bench.driver, i % 2 ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
        some_requests(&bench, 0, 5);
        kiln_virtio_device_config_changed(&bench.echo->virtio);
        if (i % 3 == 0) {
            kiln_virtio_device_quiesce(&bench.echo->virtio);
            kiln_virtio_device_resume(&bench.echo->virtio);
        }
        if (i % 4 == 0) {
            leave_requests(&bench, 1);
            kiln_driver_reset_queue(bench.driver, 1);
            kiln_driver_setup_queue(bench.driver, 1);
            some_requests(&bench, 1, 5);
        }
        leave_requests(&bench, i % 2);
        if (i % 5 == 0) {
            kiln_virtio_device_quiesce(&bench.echo->virtio);
            kiln_device_reset(&bench.driver->pci->device);
            kiln_virtio_device_resume(&bench.echo->virtio);
            kiln_board_set_config(bench.board, bench.driver->slot, PCI_BASE_ADDRESS_4,
                                  (uint32_t)bench.driver->bars[4], 4);
            kiln_board_set_config(bench.board, bench.driver->slot, PCI_BASE_ADDRESS_5,
                                  (uint32_t)(bench.driver->bars[4] >> 32), 4);
            kiln_board_set_config(bench.board, bench.driver->slot, PCI_COMMAND, PCI_COMMAND_MEMORY,
                                  2);
        }
    }
    __atomic_store_n(&bench.stop, 1, __ATOMIC_RELAXED);
    g_thread_join(bench.poker);
    ck_assert_uint_gt(bench.echo->n_starts, 59);
}
END_TEST

/* The device tells that it has stopped from the middle of a callback, and is freed right after. */
START_TEST(freed_while_running)
{
    for (unsigned i = 0; i < 20; i++) {
        g_auto(Bench) bench = { 0 };

        bench_init(&bench);
        kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
        leave_requests(&bench, 0);
    }
}
END_TEST

static Suite *
thread_suite(void)
{
    Suite *suite = suite_create("virtio-thread");
    TCase *tcase = kiln_test_case(suite, "threads");

    tcase_add_test(tcase, vcpus_and_io_thread);
    tcase_add_test(tcase, freed_while_running);
    return suite;
}

KILN_TEST_MAIN(thread_suite)
