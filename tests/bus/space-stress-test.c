/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Register spaces under threads: readers hit a device while others move its region, from inside its
 * own ops too, and a control thread takes devices out and frees them.  What it proves is mostly
 * what the sanitizers see.
 */
#include "bus/space.h"

#include <stdatomic.h>
#include <string.h>

#include "tests/lib/kiln-test.h"

enum {
    N_READERS = 4,
    N_ROUNDS = 300,
    MAGIC = 0x4b494c4e,
    WINDOW = 0x10000,
    STEP = 0x1000,
};

typedef struct {
    KilnDevice device;
    KilnRegion region;
    KilnSpace *space;
    uint32_t magic; /* cleared before the device is freed */
    uint32_t writes;
    gboolean gone; /* (lock): unplugged: does not move any more */
} Target;

static atomic_bool stop;
static atomic_uint bad_reads;
static atomic_uint good_reads;

static uint64_t
target_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Target *)opaque)->magic;
}

static void
target_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Target *target = opaque;

    target->writes++;
    if (!target->gone)
        (void)kiln_space_place(target->space, &target->region, data % WINDOW / STEP * STEP);
}

static const KilnRegionOps target_region_ops = { .read = target_read, .write = target_write };

static void
target_free(KilnDevice *device)
{
    Target *target = (Target *)device;

    kiln_space_remove(target->space, &target->region);
    target->magic = 0;
    kiln_device_clear(device);
    g_free(target);
}

static const KilnDeviceOps target_ops = { .name = "target", .free = target_free };

static Target *
target_new(KilnSpace *space, const char *id)
{
    Target *target = g_new0(Target, 1);

    kiln_device_init(&target->device, &target_ops, id);
    kiln_region_init(&target->region, &target->device, &target_region_ops, STEP);
    target->space = space;
    target->magic = MAGIC;
    return target;
}

static void *
hammer(void *opaque)
{
    KilnSpace *space = opaque;
    uint32_t random = (uint32_t)(uintptr_t)&random | 1;

    while (!atomic_load(&stop)) {
        uint32_t value = 0;

        random = random * 1664525 + 1013904223;
        uint64_t address = (random >> 8) % WINDOW & ~3u;

        if (random >> 28 == 0) {
            kiln_space_write(space, address, &random, 4);
            continue;
        }
        kiln_space_read(space, address, &value, 4);
        if (value == MAGIC)
            atomic_fetch_add(&good_reads, 1);
        else if (value != UINT32_MAX)
            atomic_fetch_add(&bad_reads, 1);
    }
    return NULL;
}

START_TEST(devices_come_and_go_under_readers)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    pthread_t readers[N_READERS];
    Target *kept = target_new(space, "kept");

    kiln_space_place(space, &kept->region, 0);
    for (unsigned i = 0; i < N_READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, hammer, space), 0);
    for (unsigned i = 0; i < N_ROUNDS || atomic_load(&good_reads) < N_ROUNDS; i++) {
        Target *passing = target_new(space, "passing");

        kiln_space_place(space, &passing->region, i * STEP % WINDOW);
        kiln_mutex_lock(&passing->device.lock);
        passing->gone = TRUE;
        kiln_space_remove(space, &passing->region);
        kiln_mutex_unlock(&passing->device.lock);
        kiln_space_synchronize(space);
        kiln_device_free(&passing->device);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < N_READERS; i++)
        pthread_join(readers[i], NULL);
    ck_assert_uint_eq(atomic_load(&bad_reads), 0);
    kiln_device_free(&kept->device);
}
END_TEST

static void *
one_read(void *opaque)
{
    uint32_t value;

    kiln_space_read(opaque, 0, &value, 4);
    return NULL;
}

/* Threads that end give their hazard record back: their number does not grow the process. */
START_TEST(many_short_threads)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);

    for (unsigned i = 0; i < 100; i++) {
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, one_read, space), 0);
        pthread_join(thread, NULL);
    }
    kiln_space_synchronize(space);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("space-stress");
    TCase *tcase = kiln_test_case(suite, "space-stress");

    tcase_add_test(tcase, devices_come_and_go_under_readers);
    tcase_add_test(tcase, many_short_threads);
    return suite;
}

KILN_TEST_MAIN(make_suite)
