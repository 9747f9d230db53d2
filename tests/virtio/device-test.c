/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device core behind its PCI function, as a driver sees it: virtio 1.2 §2.1, §3.1, §4.1. */
#include <string.h>

#include <linux/virtio_pci.h>

#include "base/le.h"
#include "state/format.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver-private.h"
#include "tests/virtio/echo.h"
#include "virtio/device-private.h"

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

/* -- status ------------------------------------------------------------------------------------ */

static void
acknowledge(KilnDriver *driver)
{
    kiln_driver_reset(driver);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER);
}

static void
write_status(KilnDriver *driver, uint8_t status)
{
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_STATUS, status, 1);
}

static void
write_features(KilnDriver *driver, uint64_t features)
{
    for (unsigned i = 0; i < 2; i++) {
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> (32 * i)), 4);
    }
}

static void
set_features(KilnDriver *driver, uint64_t features)
{
    write_features(driver, features);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_FEATURES_OK);
}

START_TEST(spec_2_2_features_refused)
{
    static const uint64_t refused[] = {
        0,                                                             /* no VERSION_1 */
        KILN_DRIVER_PLAIN | KILN_DRIVER_BIT(VIRTIO_F_ACCESS_PLATFORM), /* not offered */
        KILN_DRIVER_BIT(ECHO_FEATURE),
        UINT64_MAX,
    };
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    acknowledge(bench.driver);
    set_features(bench.driver, refused[_i]);
    ck_assert_uint_eq(kiln_driver_status(bench.driver),
                      VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    /* A driver may try again with fewer; not once they are accepted. */
    set_features(bench.driver, KILN_DRIVER_PLAIN);
    ck_assert(kiln_driver_status(bench.driver) & VIRTIO_CONFIG_S_FEATURES_OK);
    set_features(bench.driver, KILN_DRIVER_PLAIN | KILN_DRIVER_BIT(ECHO_FEATURE));
    kiln_driver_set_status(bench.driver, VIRTIO_CONFIG_S_DRIVER_OK);
    kiln_driver_settle(bench.driver);
    ck_assert(!kiln_virtio_device_has_feature(&bench.echo->virtio, ECHO_FEATURE));
    ck_assert(kiln_virtio_device_has_feature(&bench.echo->virtio, VIRTIO_F_VERSION_1));
}
END_TEST

START_TEST(spec_3_1_1_driver_ok_before_features_ok)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    acknowledge(bench.driver);
    kiln_driver_set_status(bench.driver, VIRTIO_CONFIG_S_DRIVER_OK);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_starts, 0);
    ck_assert(!(kiln_driver_status(bench.driver) & VIRTIO_CONFIG_S_DRIVER_OK));
}
END_TEST

START_TEST(spec_2_1_1_bits_are_not_cleared)
{
    g_auto(Bench) bench = { 0 };
    uint8_t all = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                  VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_DRIVER, 1);
    ck_assert_uint_eq(kiln_driver_status(bench.driver), all);
    /* DEVICE_NEEDS_RESET is not the driver's to set. */
    kiln_driver_set_status(bench.driver, VIRTIO_CONFIG_S_NEEDS_RESET);
    ck_assert_uint_eq(kiln_driver_status(bench.driver), all);
}
END_TEST

static void
add_one(KilnDriver *driver, unsigned queue)
{
    KilnDriverBuffer out = kiln_driver_alloc_data(driver, "abc", 3);
    KilnDriverBuffer in = kiln_driver_alloc(driver, 3);

    ck_assert_int_ge(kiln_driver_add(driver, queue, &out, 1, &in, 1), 0);
}

/* Nothing waits; the status tells when it is done; what was written meanwhile counts then. */
START_TEST(spec_4_1_4_3_1_reset_waits_for_the_device)
{
    g_auto(Bench) bench = { 0 };
    uint8_t before;

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    bench.echo->hold = bench.echo->slow_stop = TRUE;
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_held, 1);
    before = kiln_driver_status(bench.driver);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(kiln_driver_status(bench.driver), before);
    ck_assert_uint_eq(bench.echo->n_stops, 1);
    ck_assert_uint_eq(bench.echo->n_resets, 1); /* that of the start */
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE, 1);
    ck_assert_uint_eq(kiln_driver_status(bench.driver), before);
    echo_release_all(bench.echo);
    ck_assert_uint_eq(bench.echo->n_resets, 2);
    ck_assert_uint_eq(kiln_driver_status(bench.driver), VIRTIO_CONFIG_S_ACKNOWLEDGE);
    bench.echo->hold = FALSE;
    kiln_driver_start(bench.driver, KILN_DRIVER_PACKED);
    check_echo(bench.driver, 0, "again");
}
END_TEST

/* A driver that does not wait (as some firmware): all its registers are taken for later. */
START_TEST(driver_that_does_not_wait_for_the_reset)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    bench.echo->hold = bench.echo->slow_stop = TRUE;
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    write_status(bench.driver, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    write_features(bench.driver, kiln_driver_offered(bench.driver));
    write_status(bench.driver, 0xf & ~VIRTIO_CONFIG_S_DRIVER_OK);
    bench.driver->features = kiln_driver_offered(bench.driver);
    for (unsigned i = 0; i < 2; i++)
        kiln_driver_setup_queue(bench.driver, i);
    write_status(bench.driver, 0xf);
    kiln_driver_settle(bench.driver);
    ck_assert(!kiln_virtio_device_has_feature(&bench.echo->virtio, VIRTIO_F_RING_PACKED));
    echo_release_all(bench.echo);
    bench.echo->hold = FALSE;
    kiln_driver_settle(bench.driver);
    ck_assert(kiln_virtio_device_has_feature(&bench.echo->virtio, VIRTIO_F_RING_PACKED));
    check_echo(bench.driver, 1, "impatient");
    ck_assert_uint_eq(bench.echo->n_starts, 2);
}
END_TEST

START_TEST(reset_before_the_start_has_begun)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    acknowledge(bench.driver);
    set_features(bench.driver, KILN_DRIVER_PLAIN);
    kiln_driver_set_status(bench.driver, VIRTIO_CONFIG_S_DRIVER_OK);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_reset(bench.driver);
    ck_assert_uint_eq(bench.echo->n_starts, 1);
    ck_assert_uint_eq(bench.echo->n_stops, 1);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    check_echo(bench.driver, 0, "after all");
}
END_TEST

/* -- what breaks a device ---------------------------------------------------------------------- */

START_TEST(spec_2_1_2_needs_reset)
{
    g_auto(Bench) bench = { 0 };
    KilnDriverBuffer nowhere = { .gpa = UINT64_C(1) << 50, .length = 16 };
    unsigned kicks;

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    ck_assert_uint_eq(kiln_driver_config_interrupts(bench.driver), 0);
    ck_assert_int_ge(kiln_driver_add(bench.driver, 0, &nowhere, 1, NULL, 0), 0);
    kiln_driver_kick(bench.driver, 0);
    ck_assert(kiln_driver_broken(bench.driver));
    ck_assert_uint_eq(kiln_driver_config_interrupts(bench.driver), 1);
    /* Its kicks come to nothing, on any queue. */
    kicks = bench.echo->n_kicks;
    add_one(bench.driver, 1);
    kiln_driver_kick_always(bench.driver, 1);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_kicks, kicks);
    ck_assert(!kiln_virtio_device_poll(&bench.echo->virtio));
    kiln_driver_start(bench.driver, modes[_i]);
    check_echo(bench.driver, 0, "good as new");
}
END_TEST

START_TEST(start_that_fails)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    bench.echo->refuse_start = TRUE;
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    ck_assert(kiln_driver_broken(bench.driver));
    ck_assert(!kiln_virtio_device_running(&bench.echo->virtio));
    bench.echo->refuse_start = FALSE;
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(bench.echo->n_stops, 0);
    check_echo(bench.driver, 0, "then");
}
END_TEST

typedef struct {
    const char *what;
    unsigned reg;
    uint32_t value;
    unsigned size;
    bool packed;
} BadQueue;

static const BadQueue bad_queues[] = {
    { "descriptors misaligned", VIRTIO_PCI_COMMON_Q_DESCLO, 0x100008, 4, false },
    { "available ring misaligned", VIRTIO_PCI_COMMON_Q_AVAILLO, 0x100001, 4, false },
    { "used ring misaligned", VIRTIO_PCI_COMMON_Q_USEDLO, 0x100002, 4, false },
    { "descriptors beyond memory", VIRTIO_PCI_COMMON_Q_DESCHI, 1, 4, false },
    { "used ring over the end of memory", VIRTIO_PCI_COMMON_Q_USEDLO, (16 << 20) - 4, 4, false },
    { "size 0", VIRTIO_PCI_COMMON_Q_SIZE, 0, 2, false },
    { "more than offered", VIRTIO_PCI_COMMON_Q_SIZE, 512, 2, false },
    { "no power of 2", VIRTIO_PCI_COMMON_Q_SIZE, 100, 2, false },
    { "packed: size 0", VIRTIO_PCI_COMMON_Q_SIZE, 0, 2, true },
    { "packed: driver area misaligned", VIRTIO_PCI_COMMON_Q_AVAILLO, 0x100002, 4, true },
    { "packed: device area misaligned", VIRTIO_PCI_COMMON_Q_USEDLO, 0x100002, 4, true },
};

START_TEST(queue_that_cannot_be)
{
    g_auto(Bench) bench = { 0 };
    const BadQueue *bad = &bad_queues[_i];

    bench_init(&bench);
    acknowledge(bench.driver);
    kiln_driver_negotiate(bench.driver, bad->packed ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT);
    kiln_driver_setup_queue(bench.driver, 0);
    /* Enabled: nothing changes it any more. */
    kiln_driver_set_common(bench.driver, bad->reg, bad->value, bad->size);
    ck_assert_uint_ne(kiln_driver_common(bench.driver, bad->reg, bad->size), bad->value);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_DESCLO, 0x100000, 4);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_AVAILLO, 0x110000, 4);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_USEDLO, 0x120000, 4);
    kiln_driver_set_common(bench.driver, bad->reg, bad->value, bad->size);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
    kiln_driver_set_status(bench.driver, VIRTIO_CONFIG_S_DRIVER_OK);
    ck_assert_msg(kiln_driver_broken(bench.driver), "%s", bad->what);
    ck_assert_uint_eq(bench.echo->n_starts, 0);
}
END_TEST

/* -- one queue --------------------------------------------------------------------------------- */

START_TEST(spec_2_6_1_queue_reset)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i] | KILN_DRIVER_BIT(VIRTIO_F_RING_RESET));
    bench.echo->hold = bench.echo->slow_stop = TRUE;
    add_one(bench.driver, 1);
    kiln_driver_kick(bench.driver, 1);
    kiln_driver_settle(bench.driver);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_RESET, 1, 2);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(kiln_driver_common(bench.driver, VIRTIO_PCI_COMMON_Q_RESET, 2), 1);
    ck_assert_uint_eq(bench.echo->n_queue_stops, 1);
    echo_release_all(bench.echo);
    ck_assert_uint_eq(kiln_driver_common(bench.driver, VIRTIO_PCI_COMMON_Q_RESET, 2), 0);
    ck_assert_uint_eq(kiln_driver_common(bench.driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    ck_assert_uint_eq(kiln_driver_common(bench.driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
    bench.echo->hold = FALSE;
    (void)kiln_driver_interrupts(bench.driver, 0);
    check_echo(bench.driver, 0, "the other queue does not care");
    kiln_driver_kick_always(bench.driver, 1); /* of a queue that is not there */
    kiln_driver_settle(bench.driver);

    kiln_driver_set_queue_size(bench.driver, 1, 16);
    kiln_driver_setup_queue(bench.driver, 1);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_queue_starts, 1);
    for (unsigned i = 0; i < 50; i++)
        check_echo(bench.driver, 1, "smaller now");
    ck_assert_uint_eq(bench.echo->n_stops, 0);
    kiln_driver_reset_queue(bench.driver, 1);
    kiln_driver_reset_queue(bench.driver, 1); /* of one that is not enabled */
    ck_assert(!kiln_driver_broken(bench.driver));
}
END_TEST

START_TEST(device_reset_while_a_queue_resets)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    bench.echo->hold = bench.echo->slow_stop = TRUE;
    add_one(bench.driver, 1);
    kiln_driver_kick(bench.driver, 1);
    kiln_driver_settle(bench.driver);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_RESET, 1, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_ne(kiln_driver_status(bench.driver), 0);
    echo_release_all(bench.echo);
    bench.echo->hold = FALSE;
    ck_assert_uint_eq(kiln_driver_status(bench.driver), 0);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    check_echo(bench.driver, 1, "back");
}
END_TEST

/* -- stopping and going on --------------------------------------------------------------------- */

START_TEST(quiesce_and_resume)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    bench.echo->hold = TRUE;
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    kiln_virtio_device_quiesce(&bench.echo->virtio);
    ck_assert(!kiln_virtio_device_running(&bench.echo->virtio));
    ck_assert(kiln_driver_take_used(bench.driver, 0, NULL, NULL));
    /* What comes meanwhile is found afterwards, kick or no kick. */
    bench.echo->hold = FALSE;
    add_one(bench.driver, 0);
    add_one(bench.driver, 1);
    kiln_driver_settle(bench.driver);
    ck_assert(!kiln_driver_take_used(bench.driver, 0, NULL, NULL));
    kiln_virtio_device_resume(&bench.echo->virtio);
    kiln_driver_wait_used(bench.driver, 0, NULL, NULL);
    kiln_driver_wait_used(bench.driver, 1, NULL, NULL);
    ck_assert_uint_eq(bench.echo->n_resets, 1);
}
END_TEST

/* Who waits for a disk that never answers has to get away from it; later it stops all the same. */
START_TEST(quiesce_in_time)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    bench.echo->hold = bench.echo->slow_stop = TRUE;
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    ck_assert(
        !kiln_virtio_device_quiesce_until(&bench.echo->virtio, g_get_monotonic_time() + 2000));
    ck_assert(!kiln_virtio_device_quiesce_until(&bench.echo->virtio, 0));
    /* Going on before it stood still: it stops and starts. */
    kiln_virtio_device_resume(&bench.echo->virtio);
    echo_release_all(bench.echo);
    kiln_driver_wait_used(bench.driver, 0, NULL, NULL);
    kiln_driver_settle(bench.driver);
    ck_assert(kiln_virtio_device_running(&bench.echo->virtio));
    ck_assert_uint_eq(bench.echo->n_starts, 2);
    bench.echo->hold = FALSE;
    check_echo(bench.driver, 0, "on");
    ck_assert(kiln_virtio_device_quiesce_until(&bench.echo->virtio,
                                               g_get_monotonic_time() + G_USEC_PER_SEC));
}
END_TEST

START_TEST(kept_elements_come_first_elsewhere)
{
    g_auto(Bench) bench = { 0 };
    int ids[6], id;

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    bench.echo->hold = bench.echo->keep_on_stop = TRUE;
    for (unsigned i = 0; i < 5; i++) {
        KilnDriverBuffer parts[2] = { kiln_driver_alloc_data(bench.driver, "0123456789", 10),
                                      kiln_driver_alloc(bench.driver, 10) };

        ids[i] = kiln_driver_add(bench.driver, 0, &parts[0], 1, &parts[1], 1);
    }
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    echo_release(bench.echo, 3); /* used where the first of the others was made available */
    kiln_driver_wait_used(bench.driver, 0, &id, NULL);
    ck_assert_int_eq(id, ids[3]);
    for (unsigned i = 0; i < 3; i++) {
        bench.echo = new_echo(&bench);
        bench.echo->hold = bench.echo->keep_on_stop = i < 2;
        kiln_driver_migrate(bench.driver, &bench.echo->virtio);
    }
    for (unsigned i = 0; i < 5; i++) {
        uint32_t length;

        if (i == 3)
            continue;
        kiln_driver_wait_used(bench.driver, 0, &id, &length);
        ck_assert_int_eq(id, ids[i]);
        ck_assert_uint_eq(length, 10);
    }
    check_echo(bench.driver, 0, "and what comes later");
}
END_TEST

START_TEST(reset_forgets_what_was_kept)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    bench.echo->hold = bench.echo->keep_on_stop = TRUE;
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    kiln_virtio_device_quiesce(&bench.echo->virtio);
    kiln_device_reset(&kiln_driver_pci(bench.driver)->device);
    kiln_virtio_device_resume(&bench.echo->virtio);
    ck_assert_uint_eq(bench.echo->n_resets, 2);
    ck_assert_uint_eq(bench.echo->n_starts, 1);
    ck_assert(!kiln_virtqueue_has_work(kiln_virtio_device_queue(&bench.echo->virtio, 0)));
}
END_TEST

/* Every byte of a saved device, changed: an error or a device that works or breaks, no crash. */
START_TEST(hostile_state)
{
    g_auto(Bench) bench = { 0 };
    KilnStateEntry entry;
    g_autoptr(GByteArray) stream = NULL;
    KilnDevice *device;
    unsigned n_loaded = 0;
    guint body;

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    bench.echo->hold = bench.echo->keep_on_stop = TRUE;
    add_one(bench.driver, 0);
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    kiln_virtio_device_quiesce(&bench.echo->virtio);
    device = &kiln_driver_pci(bench.driver)->device;
    entry = kiln_device_state(device);
    stream = kiln_state_save(&entry, 1);
    body = stream->len - KILN_STATE_CHECKSUM_LENGTH;
    for (guint i = 0; i < stream->len; i++) {
        uint8_t byte = stream->data[i];
        gboolean loaded;

        stream->data[i] ^= (uint8_t)(1u << (i % 8));
        if (i < body)
            kiln_le32_store(stream->data + body, kiln_state_checksum(stream->data, body));
        kiln_mutex_lock(&device->lock);
        loaded = kiln_state_load(stream->data, stream->len, &entry, 1, NULL);
        kiln_mutex_unlock(&device->lock);
        if (loaded) {
            kiln_virtio_device_resume(&bench.echo->virtio);
            kiln_driver_settle(bench.driver);
            kiln_virtio_device_quiesce(&bench.echo->virtio);
        }
        n_loaded += (unsigned)loaded;
        kiln_device_reset(device);
        stream->data[i] = byte;
    }
    ck_assert_uint_gt(n_loaded, stream->len / 4); /* most of them are addresses and counters */
}
END_TEST

/* -- configuration, interrupts, kicks ---------------------------------------------------------- */

START_TEST(spec_2_5_configuration)
{
    g_auto(Bench) bench = { 0 };
    uint8_t generation;

    bench_init(&bench);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 0, 4), 0x04030201);
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 8, 8), UINT64_C(0x100f0e0d0c0b0a09));
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 24, 4), 0x1a19);
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 28, 4), 0);
    kiln_driver_set_config(bench.driver, 2, 0xabcd, 2);
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 0, 4), 0xabcd0201);
    kiln_driver_set_config(bench.driver, 24, 0xffffffff, 4); /* over the end: nothing of it */
    ck_assert_uint_eq(kiln_driver_config(bench.driver, 24, 4), 0x1a19);
    generation = kiln_driver_config_generation(bench.driver);
    ck_assert_uint_eq(kiln_driver_config_interrupts(bench.driver), 0);
    kiln_virtio_device_config_changed(&bench.echo->virtio);
    ck_assert_uint_eq(kiln_driver_config_interrupts(bench.driver), 1);
    ck_assert_uint_eq(kiln_driver_config_generation(bench.driver), (uint8_t)(generation + 1));
    kiln_driver_reset(bench.driver);
    kiln_virtio_device_config_changed(&bench.echo->virtio);
    ck_assert_uint_eq(kiln_driver_config_interrupts(bench.driver), 0);
}
END_TEST

START_TEST(poll_finds_work)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench);
    ck_assert(!kiln_virtio_device_poll(&bench.echo->virtio));
    kiln_driver_start(bench.driver, modes[_i]);
    ck_assert(!kiln_virtio_device_poll(&bench.echo->virtio));
    add_one(bench.driver, 1);
    ck_assert(kiln_virtio_device_poll(&bench.echo->virtio));
    ck_assert(kiln_driver_take_used(bench.driver, 1, NULL, NULL));
    ck_assert(!kiln_virtio_device_poll(&bench.echo->virtio));
}
END_TEST

START_TEST(kicks_in_other_hands)
{
    g_auto(Bench) bench = { 0 };
    KilnVirtioDevice *virtio;
    unsigned kicks;
    KilnEvent kick;

    bench_init(&bench);
    virtio = &bench.echo->virtio;
    bench.echo->takes_kicks = TRUE;
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    kicks = bench.echo->n_kicks;
    kiln_virtio_device_take_kicks(virtio, 0, TRUE);
    kick.fd = kiln_virtio_device_kick_fd(virtio, 0);
    add_one(bench.driver, 0);
    kiln_driver_kick(bench.driver, 0);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_kicks, kicks);
    ck_assert(!kiln_virtio_device_poll(virtio));
    ck_assert(kiln_event_test_and_clear(&kick));
    kiln_virtio_device_take_kicks(virtio, 0, FALSE); /* found at once */
    ck_assert(kiln_driver_take_used(bench.driver, 0, NULL, NULL));
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 0), 1);
    kick.fd = kiln_virtio_device_call_fd(virtio, 0);
    kiln_event_set(&kick);
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 0), 1);
    /* Another vector, none: the device is told. */
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
    kiln_driver_settle(bench.driver);
    ck_assert_uint_eq(bench.echo->n_call_changes, 1);
    ck_assert_int_ne(kiln_virtio_device_call_fd(virtio, 0), kick.fd);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, 0xffff, 2);
    ck_assert_int_eq(kiln_virtio_device_call_fd(virtio, 0), -1);
}
END_TEST

/* Where a queue stands, given to a peer and taken back. */
START_TEST(base_to_and_fro)
{
    g_auto(Bench) bench = { 0 };
    KilnVirtqueue *queue;
    KilnVirtqueueRing ring;
    uint32_t base;

    bench_init(&bench);
    kiln_driver_start(bench.driver, modes[_i]);
    for (unsigned i = 0; i < 300; i++)
        check_echo(bench.driver, 0, "on and on");
    queue = kiln_virtio_device_queue(&bench.echo->virtio, 0);
    kiln_virtqueue_ring(queue, &ring);
    ck_assert_uint_eq(ring.size, 256);
    ck_assert_ptr_eq(ring.desc, kiln_driver_ring(bench.driver, 0)->desc.host);
    ck_assert_ptr_eq(ring.driver, kiln_driver_ring(bench.driver, 0)->driver.host);
    ck_assert_ptr_eq(ring.device, kiln_driver_ring(bench.driver, 0)->device.host);
    base = kiln_virtqueue_base(queue);
    ck_assert(kiln_virtqueue_set_base(queue, base));
    ck_assert_uint_eq(kiln_virtqueue_base(queue), base);
    if (kiln_virtio_device_has_feature(&bench.echo->virtio, VIRTIO_F_RING_PACKED)) {
        ck_assert(!kiln_virtqueue_set_base(queue, 256));
        ck_assert(!kiln_virtqueue_set_base(queue, 256 << 16));
        ck_assert(!kiln_virtqueue_recover_base(queue));
    } else {
        ck_assert_uint_eq(base, 300);
        ck_assert(!kiln_virtqueue_set_base(queue, 0x10000));
        ck_assert(kiln_virtqueue_recover_base(queue));
    }
    ck_assert_uint_eq(kiln_virtqueue_base(queue), base);
    check_echo(bench.driver, 0, "on");
}
END_TEST

START_TEST(spec_5_1_3_1_dependent_features)
{
    uint64_t all = UINT64_MAX, plain = KILN_DRIVER_PLAIN;

    ck_assert_ptr_null(kiln_virtio_features_fault(VIRTIO_ID_NET, all, plain));
    ck_assert_ptr_null(kiln_virtio_features_fault(VIRTIO_ID_NET, all, all));
    /* HOST_TSO4 needs CSUM, of a network device only. */
    ck_assert_ptr_nonnull(kiln_virtio_features_fault(VIRTIO_ID_NET, all, plain | 1 << 11));
    ck_assert_ptr_null(kiln_virtio_features_fault(VIRTIO_ID_NET, all, plain | 1 << 11 | 1));
    ck_assert_ptr_null(kiln_virtio_features_fault(VIRTIO_ID_BLOCK, all, plain | 1 << 11));
    /* GUEST_ECN needs either of two. */
    ck_assert_ptr_nonnull(kiln_virtio_features_fault(VIRTIO_ID_NET, all, plain | 1 << 9 | 2));
    ck_assert_ptr_null(kiln_virtio_features_fault(VIRTIO_ID_NET, all, plain | 1 << 9 | 2 | 1 << 7));
}
END_TEST

static Suite *
device_suite(void)
{
    Suite *suite = suite_create("virtio-device");
    TCase *tcase = kiln_test_case(suite, "modes");
    TCase *status = kiln_test_case(suite, "status");
    TCase *broken = kiln_test_case(suite, "broken");
    TCase *going_on = kiln_test_case(suite, "going on");
    TCase *others = kiln_test_case(suite, "others");

    tcase_add_loop_test(tcase, echoes_in_every_mode, 0, G_N_ELEMENTS(modes));
    tcase_add_loop_test(tcase, goes_on_in_another_process, 0, G_N_ELEMENTS(modes));
    tcase_add_loop_test(status, spec_2_2_features_refused, 0, 4);
    tcase_add_test(status, spec_3_1_1_driver_ok_before_features_ok);
    tcase_add_test(status, spec_2_1_1_bits_are_not_cleared);
    tcase_add_test(status, spec_4_1_4_3_1_reset_waits_for_the_device);
    tcase_add_test(status, driver_that_does_not_wait_for_the_reset);
    tcase_add_test(status, reset_before_the_start_has_begun);
    tcase_add_test(status, spec_5_1_3_1_dependent_features);
    tcase_add_loop_test(broken, spec_2_1_2_needs_reset, 0, G_N_ELEMENTS(modes));
    tcase_add_test(broken, start_that_fails);
    tcase_add_loop_test(broken, queue_that_cannot_be, 0, G_N_ELEMENTS(bad_queues));
    tcase_add_loop_test(going_on, spec_2_6_1_queue_reset, 0, G_N_ELEMENTS(modes));
    tcase_add_test(going_on, device_reset_while_a_queue_resets);
    tcase_add_loop_test(going_on, quiesce_and_resume, 0, G_N_ELEMENTS(modes));
    tcase_add_loop_test(going_on, quiesce_in_time, 0, G_N_ELEMENTS(modes));
    tcase_add_loop_test(going_on, kept_elements_come_first_elsewhere, 0, G_N_ELEMENTS(modes));
    tcase_add_test(going_on, reset_forgets_what_was_kept);
    tcase_add_loop_test(going_on, hostile_state, 1, 3);
    tcase_add_test(others, spec_2_5_configuration);
    tcase_add_loop_test(others, poll_finds_work, 0, G_N_ELEMENTS(modes));
    tcase_add_test(others, kicks_in_other_hands);
    tcase_add_loop_test(others, base_to_and_fro, 0, G_N_ELEMENTS(modes));
    return suite;
}

KILN_TEST_MAIN(device_suite)
