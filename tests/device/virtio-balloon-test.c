/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The balloon, driven as a guest does; what it gives back is looked for with mincore(2). */
#include "device/virtio-balloon.h"

#include <linux/virtio_balloon.h>
#include <string.h>
#include <sys/mman.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

enum {
    INFLATE,
    DEFLATE,
    STATS,
    REPORTING_OLD,
    REPORTING,
    RAM = 32 << 20,
    FIRST = 24 << 20, /* from here on the driver has nothing of its own */
    ACTUAL = 4,
    POISON = 12,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    unsigned n_changes;
    uint64_t bytes;
} Balloon;

static void
changed(void *opaque, uint64_t bytes)
{
    Balloon *balloon = opaque;

    balloon->n_changes++;
    balloon->bytes = bytes;
}

static KilnVirtioDevice *
new_device(Balloon *balloon, KilnVirtioBalloonOptions options)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device;

    options.virtio =
        (KilnVirtioOptions){ .id = "balloon0", .memory = balloon->memory, .packed = TRUE };
    options.clock = balloon->board->clock;
    options.changed = changed;
    options.opaque = balloon;
    device = kiln_virtio_balloon_new(&options, &error);
    kiln_assert_no_error(error);
    return device;
}

static void
balloon_open(Balloon *balloon, KilnMemoryBacking backing, KilnVirtioBalloonOptions options,
             uint64_t accept)
{
    KilnMemoryOptions memory = { .size = RAM, .backing = backing };

    *balloon = (Balloon){ .board = kiln_board_new(), .memory = kiln_memory_new(&memory, NULL) };
    balloon->device = new_device(balloon, options);
    balloon->driver = kiln_driver_new(balloon->board, balloon->memory, balloon->device);
    kiln_driver_start(balloon->driver, accept);
    memset(kiln_memory_map(balloon->memory, FIRST, RAM - FIRST), 0x5a, RAM - FIRST);
}

static void
balloon_close(Balloon *balloon)
{
    kiln_driver_free(balloon->driver);
    kiln_memory_free(balloon->memory);
    kiln_board_free(balloon->board);
}

/* Whether the page at @gpa takes memory of the host. */
static gboolean
resident(Balloon *balloon, KilnGpa gpa)
{
    unsigned char page = 0;

    ck_assert_int_eq(mincore(kiln_memory_map(balloon->memory, gpa, 4096), 4096, &page), 0);
    return page & 1;
}

static void
send_pfns(Balloon *balloon, unsigned queue, const uint32_t *pfns, unsigned n)
{
    KilnDriverBuffer out = kiln_driver_alloc(balloon->driver, n * 4);

    for (unsigned i = 0; i < n; i++)
        kiln_le32_store(out.host + 4 * i, pfns[i]);
    ck_assert_uint_eq(kiln_driver_request(balloon->driver, queue, &out, 1, NULL, 0), 0);
}

static const KilnMemoryBacking backings[] = { KILN_MEMORY_ANONYMOUS, KILN_MEMORY_MEMFD };

START_TEST(inflated_pages_go_back_to_the_host)
{
    Balloon balloon;
    KilnVirtioBalloonStats stats;
    uint32_t first = FIRST >> 12;
    uint32_t pfns[] = { first,     first + 1, first + 2, first + 9,  first + 8,
                        first + 7, first + 5, 0x1000000, UINT32_MAX, first + 20 };

    balloon_open(&balloon, backings[_i], (KilnVirtioBalloonOptions){ 0 }, KILN_DRIVER_SPLIT);
    send_pfns(&balloon, INFLATE, pfns, G_N_ELEMENTS(pfns));
    for (unsigned i = 0; i < 24; i++) {
        gboolean gone = i <= 2 || (i >= 7 && i <= 9) || i == 5 || i == 20;

        ck_assert_int_eq(resident(&balloon, FIRST + i * 4096u), !gone);
        ck_assert_uint_eq(*(uint8_t *)kiln_memory_map(balloon.memory, FIRST + i * 4096u, 1),
                          gone ? 0 : 0x5a);
    }
    kiln_virtio_balloon_get_stats(balloon.device, &stats);
    ck_assert_uint_eq(stats.returned_bytes, 8 * 4096);
    send_pfns(&balloon, DEFLATE, pfns, G_N_ELEMENTS(pfns));
    ck_assert(!kiln_driver_broken(balloon.driver));
    balloon_close(&balloon);
}
END_TEST

START_TEST(pages_that_are_kept_stay)
{
    Balloon balloon;
    uint32_t pfn = FIRST >> 12;

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, (KilnVirtioBalloonOptions){ .keep_pages = TRUE },
                 KILN_DRIVER_SPLIT);
    send_pfns(&balloon, INFLATE, &pfn, 1);
    ck_assert(resident(&balloon, FIRST));
    kiln_virtio_balloon_set_keep_pages(balloon.device, FALSE);
    send_pfns(&balloon, INFLATE, &pfn, 1);
    ck_assert(!resident(&balloon, FIRST));
    balloon_close(&balloon);
}
END_TEST

START_TEST(target_and_actual)
{
    Balloon balloon;
    KilnVirtioBalloonOptions options = { .target = RAM - (1 << 20) };

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, options, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(balloon.driver, 0, 4), 256);
    ck_assert_uint_eq(kiln_virtio_balloon_target(balloon.device), RAM - (1 << 20));
    kiln_driver_config_interrupts(balloon.driver);
    kiln_virtio_balloon_set_target(balloon.device, RAM - (2 << 20));
    ck_assert_uint_eq(kiln_driver_config_interrupts(balloon.driver), 1);
    ck_assert_uint_eq(kiln_driver_config(balloon.driver, 0, 4), 512);
    kiln_driver_set_config(balloon.driver, 0, 1, 4); /* not the driver's */
    ck_assert_uint_eq(kiln_driver_config(balloon.driver, 0, 4), 512);
    kiln_driver_set_config(balloon.driver, ACTUAL, 300, 4);
    kiln_driver_settle(balloon.driver);
    ck_assert_uint_eq(balloon.n_changes, 1);
    ck_assert_uint_eq(balloon.bytes, RAM - 300 * 4096);
    ck_assert_uint_eq(kiln_driver_config(balloon.driver, ACTUAL, 4), 300);
    kiln_driver_set_config(balloon.driver, ACTUAL, UINT32_MAX, 4);
    ck_assert_uint_eq(kiln_virtio_balloon_actual(balloon.device), 0);
    kiln_virtio_balloon_set_target(balloon.device, UINT64_MAX);
    ck_assert_uint_eq(kiln_driver_config(balloon.driver, 0, 4), 0);
    kiln_driver_settle(balloon.driver);
    kiln_driver_reset(balloon.driver);
    kiln_driver_settle(balloon.driver);
    /* Who listens is told once a second, and of the last value for certain. */
    ck_assert_uint_eq(balloon.n_changes, 1);
    kiln_clock_advance(balloon.board->clock, KILN_NS_PER_SECOND);
    ck_assert_uint_eq(balloon.n_changes, 2);
    ck_assert_uint_eq(balloon.bytes, RAM);
    balloon_close(&balloon);
}
END_TEST

static void
put_stat(uint8_t *to, uint16_t tag, uint64_t value)
{
    kiln_le16_store(to, tag);
    kiln_le64_store(to + 2, value);
}

START_TEST(statistics_at_a_period)
{
    Balloon balloon;
    KilnVirtioBalloonOptions options = { .stats_period_s = 5 };
    KilnVirtioBalloonStats stats;

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, options, KILN_DRIVER_SPLIT);

    KilnDriverBuffer out =
        kiln_driver_alloc(balloon.driver, 35); /* the last 5 bytes are no entry */

    put_stat(out.host, VIRTIO_BALLOON_S_MEMFREE, 1000);
    put_stat(out.host + 10, 15, 77);
    put_stat(out.host + 20, 16, 1); /* nobody knows it */
    kiln_driver_add(balloon.driver, STATS, &out, 1, NULL, 0);
    kiln_driver_kick(balloon.driver, STATS);
    kiln_driver_settle(balloon.driver);
    kiln_virtio_balloon_get_stats(balloon.device, &stats);
    ck_assert_uint_eq(stats.valid, 1u << VIRTIO_BALLOON_S_MEMFREE | 1u << 15);
    ck_assert_uint_eq(stats.values[VIRTIO_BALLOON_S_MEMFREE], 1000);
    ck_assert_uint_eq(stats.values[15], 77);
    ck_assert_int_gt(stats.updated_us, 0);
    ck_assert(!kiln_driver_take_used(balloon.driver, STATS, NULL, NULL));

    kiln_clock_advance(balloon.board->clock, 5 * KILN_NS_PER_SECOND);
    ck_assert(kiln_driver_take_used(balloon.driver, STATS, NULL, NULL));
    put_stat(out.host, VIRTIO_BALLOON_S_MEMFREE, 900);
    kiln_driver_add(balloon.driver, STATS, &out, 1, NULL, 0);
    kiln_driver_kick(balloon.driver, STATS);
    kiln_driver_settle(balloon.driver);
    kiln_virtio_balloon_get_stats(balloon.device, &stats);
    ck_assert_uint_eq(stats.values[VIRTIO_BALLOON_S_MEMFREE], 900);

    /* The buffer that is kept goes along to another host. */
    balloon.device = new_device(&balloon, options);
    kiln_driver_migrate(balloon.driver, balloon.device);
    kiln_driver_settle(balloon.driver);
    kiln_virtio_balloon_get_stats(balloon.device, &stats);
    ck_assert_uint_eq(stats.values[VIRTIO_BALLOON_S_MEMFREE], 900);
    kiln_virtio_balloon_set_stats_period(balloon.device, 0);
    kiln_clock_advance(balloon.board->clock, 60 * KILN_NS_PER_SECOND);
    ck_assert(!kiln_driver_take_used(balloon.driver, STATS, NULL, NULL));
    kiln_virtio_balloon_set_stats_period(balloon.device, 1); /* asks at once */
    ck_assert(kiln_driver_take_used(balloon.driver, STATS, NULL, NULL));
    ck_assert(!kiln_driver_broken(balloon.driver));
    balloon_close(&balloon);
}
END_TEST

static void
report(Balloon *balloon, unsigned queue, KilnGpa gpa, uint32_t length)
{
    KilnDriverBuffer in[2] = {
        { .gpa = gpa, .host = kiln_memory_map(balloon->memory, gpa, length), .length = length },
        { .gpa = gpa + 2 * length,
          .host = kiln_memory_map(balloon->memory, gpa + 2 * length, length),
          .length = length },
    };

    kiln_driver_request(balloon->driver, queue, NULL, 0, in, 2);
}

START_TEST(reported_pages_go_back_to_the_host)
{
    static const unsigned queues[] = { REPORTING, REPORTING_OLD };
    Balloon balloon;
    KilnVirtioBalloonOptions options = { .free_page_reporting = TRUE };
    const uint32_t mib = 1 << 20;

    for (unsigned q = 0; q < G_N_ELEMENTS(queues); q++) {
        balloon_open(&balloon, backings[_i], options, KILN_DRIVER_SPLIT);
        report(&balloon, queues[q], FIRST, mib);
        for (KilnGpa gpa = FIRST; gpa < FIRST + 4 * mib; gpa += 4096)
            ck_assert_int_eq(resident(&balloon, gpa), (gpa - FIRST) / mib % 2 == 1);
        ck_assert_uint_eq(*(uint8_t *)kiln_memory_map(balloon.memory, FIRST, 1), 0);
        ck_assert(resident(&balloon, FIRST));                           /* it is there again */
        report(&balloon, queues[q], FIRST + 4 * mib + 100, 4096 + 200); /* two halves, one whole */
        ck_assert(resident(&balloon, FIRST + 4 * mib));
        balloon_close(&balloon);
    }
}
END_TEST

START_TEST(poisoned_pages_stay)
{
    Balloon balloon;
    KilnVirtioBalloonOptions options = { .free_page_reporting = TRUE };

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, options, KILN_DRIVER_SPLIT);
    kiln_driver_set_config(balloon.driver, POISON, 0xaaaaaaaa, 4);
    report(&balloon, REPORTING, FIRST, 1 << 20);
    ck_assert(resident(&balloon, FIRST));
    kiln_driver_set_config(balloon.driver, POISON, 0, 4); /* init_on_free */
    report(&balloon, REPORTING, FIRST, 1 << 20);
    ck_assert(!resident(&balloon, FIRST));
    balloon_close(&balloon);
}
END_TEST

START_TEST(features_are_those_asked_for)
{
    Balloon balloon;
    KilnVirtioBalloonOptions options = { .deflate_on_oom = TRUE };
    uint64_t offered;

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, options, KILN_DRIVER_PACKED);
    offered = kiln_driver_offered(balloon.driver);
    ck_assert(offered & KILN_DRIVER_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM));
    ck_assert(offered & KILN_DRIVER_BIT(VIRTIO_BALLOON_F_STATS_VQ));
    ck_assert(!(offered & KILN_DRIVER_BIT(VIRTIO_BALLOON_F_REPORTING)));
    ck_assert(!(offered & KILN_DRIVER_BIT(VIRTIO_BALLOON_F_FREE_PAGE_HINT)));
    report(&balloon, REPORTING, FIRST, 1 << 20); /* not negotiated: nothing */
    ck_assert(resident(&balloon, FIRST));
    balloon_close(&balloon);
}
END_TEST

START_TEST(too_many_pages_at_once_break_it)
{
    Balloon balloon;

    balloon_open(&balloon, KILN_MEMORY_ANONYMOUS, (KilnVirtioBalloonOptions){ 0 },
                 KILN_DRIVER_SPLIT);

    KilnDriverBuffer out = kiln_driver_alloc(balloon.driver, 1 << 20);

    kiln_driver_add(balloon.driver, INFLATE, &out, 1, NULL, 0);
    kiln_driver_kick(balloon.driver, INFLATE);
    ck_assert(kiln_driver_broken(balloon.driver));
    balloon_close(&balloon);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-balloon");
    TCase *tcase = kiln_test_case(suite, "balloon");

    tcase_add_loop_test(tcase, inflated_pages_go_back_to_the_host, 0, G_N_ELEMENTS(backings));
    tcase_add_test(tcase, pages_that_are_kept_stay);
    tcase_add_test(tcase, target_and_actual);
    tcase_add_test(tcase, statistics_at_a_period);
    tcase_add_loop_test(tcase, reported_pages_go_back_to_the_host, 0, G_N_ELEMENTS(backings));
    tcase_add_test(tcase, poisoned_pages_stay);
    tcase_add_test(tcase, features_are_those_asked_for);
    tcase_add_test(tcase, too_many_pages_at_once_break_it);
    return suite;
}

KILN_TEST_MAIN(make_suite)
