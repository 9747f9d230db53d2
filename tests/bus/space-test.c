/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register spaces: placing, shadowing, splitting of accesses, and changes from inside an access. */
#include "bus/space.h"

#include <string.h>

#include "tests/lib/kiln-test.h"

enum { LOG_MAX = 64 };

/* A device that writes down what it is asked; byte N of it reads as N. */
typedef struct {
    KilnDevice device;
    KilnRegion region;
    char log[1024];
    uint64_t mapped[LOG_MAX];
    unsigned n_mapped;
    KilnSpace *move_in; /* (nullable): a write moves the region to the value written */
} Probe;

static uint64_t
probe_read(void *opaque, uint64_t offset, unsigned size)
{
    Probe *probe = opaque;
    uint64_t value = 0;
    size_t used = strlen(probe->log);

    for (unsigned i = 0; i < size; i++)
        value |= ((offset + i) & 0xff) << (8 * i);
    g_snprintf(probe->log + used, sizeof probe->log - used, "r%u@%x ", size, (unsigned)offset);
    return value;
}

static void
probe_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Probe *probe = opaque;
    size_t used = strlen(probe->log);

    g_snprintf(probe->log + used, sizeof probe->log - used, "w%u@%x=%llx ", size, (unsigned)offset,
               (unsigned long long)data);
    if (probe->move_in != NULL)
        kiln_space_place(probe->move_in, &probe->region, data);
}

static void
probe_mapped(void *opaque, uint64_t base)
{
    Probe *probe = opaque;

    if (probe->n_mapped < LOG_MAX)
        probe->mapped[probe->n_mapped++] = base;
}

static const KilnRegionOps ops_8 = {
    .read = probe_read, .write = probe_write, .mapped = probe_mapped, .max_access = 8
};
static const KilnRegionOps ops_1 = { .read = probe_read, .write = probe_write, .max_access = 1 };
static const KilnRegionOps ops_only_4 = {
    .read = probe_read, .write = probe_write, .min_access = 4, .max_access = 4
};
static const KilnDeviceOps device_ops = { .name = "probe" };

static void
probe_init(Probe *probe, const char *id, const KilnRegionOps *ops, uint64_t length)
{
    memset(probe, 0, sizeof *probe);
    kiln_device_init(&probe->device, &device_ops, id);
    kiln_region_init(&probe->region, &probe->device, ops, length);
}

static void
probe_clear(Probe *probe)
{
    kiln_device_clear(&probe->device);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Probe, probe_clear)

static uint64_t
get(KilnSpace *space, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    kiln_space_read(space, address, &value, size);
    return value;
}

static void
put(KilnSpace *space, uint64_t address, uint64_t value, unsigned size)
{
    kiln_space_write(space, address, &value, size);
}

START_TEST(unclaimed_reads_give_ones)
{
    g_autoptr(KilnSpace) space = kiln_space_new("I/O port", 0x10000);
    uint32_t value = 0;

    ck_assert(!kiln_space_read(space, 0x1234, &value, 4));
    ck_assert_uint_eq(value, 0xffffffff);
    ck_assert(!kiln_space_write(space, 0x1234, &value, 4));
    ck_assert_uint_eq(get(space, 0xffff, 4), 0xffffffff);
}
END_TEST

START_TEST(overlap_of_fixed_regions_names_both)
{
    g_autoptr(KilnSpace) space = kiln_space_new("I/O port", 0x10000);
    g_autoptr(GError) error = NULL;
    g_auto(Probe) a = { 0 }, b = { 0 };

    probe_init(&a, "serial0", &ops_1, 8);
    probe_init(&b, "rtc", &ops_1, 2);
    ck_assert(kiln_space_add(space, &a.region, 0x3f8, &error));
    ck_assert(!kiln_space_add(space, &b.region, 0x3ff, &error));
    kiln_assert_error_has(error, "'rtc' at 0x3ff-0x400 overlaps 'serial0' at 0x3f8-0x3ff");
    g_clear_error(&error);
    ck_assert(kiln_space_add(space, &b.region, 0x400, &error));
    ck_assert(!kiln_space_move(space, &b.region, 0x3f7, &error));
    kiln_assert_error_has(error, "serial0");
    ck_assert_uint_eq(get(space, 0x401, 1), 1); /* still there */
    g_clear_error(&error);
    ck_assert(!kiln_space_move(space, &b.region, 0xffff, &error));
    kiln_assert_error_has(error, "does not fit");
    g_clear_error(&error);
    ck_assert(kiln_space_move(space, &b.region, 0xfffe, &error));
    ck_assert_uint_eq(get(space, 0xffff, 1), 1);
    ck_assert_uint_eq(get(space, 0x400, 1), 0xff);
}
END_TEST

START_TEST(accesses_are_split_by_width_and_alignment)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    g_auto(Probe) narrow = { 0 }, wide = { 0 };

    probe_init(&narrow, "narrow", &ops_1, 8);
    probe_init(&wide, "wide", &ops_8, 16);
    ck_assert(kiln_space_add(space, &narrow.region, 0x1000, NULL));
    ck_assert(kiln_space_add(space, &wide.region, 0x2000, NULL));
    ck_assert_uint_eq(get(space, 0x1002, 4), 0x05040302);
    ck_assert_str_eq(narrow.log, "r1@2 r1@3 r1@4 r1@5 ");
    ck_assert_uint_eq(get(space, 0x2008, 8), 0x0f0e0d0c0b0a0908);
    ck_assert_uint_eq(get(space, 0x2003, 4), 0x06050403);
    ck_assert_str_eq(wide.log, "r8@8 r1@3 r2@4 r1@6 ");
    wide.log[0] = '\0';
    put(space, 0x2002, 0x1122334455667788, 8);
    ck_assert_str_eq(wide.log, "w2@2=7788 w4@4=33445566 w2@8=1122 ");
}
END_TEST

START_TEST(narrower_than_the_device_is_cut_out_or_dropped)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    g_auto(Probe) probe = { 0 };

    probe_init(&probe, "dwords", &ops_only_4, 8);
    ck_assert(kiln_space_add(space, &probe.region, 0x1000, NULL));
    ck_assert_uint_eq(get(space, 0x1006, 2), 0x0706);
    ck_assert_uint_eq(get(space, 0x1001, 1), 0x01);
    put(space, 0x1001, 0xff, 1);
    ck_assert_str_eq(probe.log, "r4@4 r4@0 ");
}
END_TEST

START_TEST(access_across_borders_touches_every_region)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    g_auto(Probe) a = { 0 }, b = { 0 };

    probe_init(&a, "a", &ops_8, 4);
    probe_init(&b, "b", &ops_8, 4);
    ck_assert(kiln_space_add(space, &a.region, 0x1000, NULL));
    ck_assert(kiln_space_add(space, &b.region, 0x1006, NULL));
    ck_assert_uint_eq(get(space, 0x1002, 8), 0x03020100ffff0302);
    put(space, 0x0ffe, 0x8877665544332211, 8);
    ck_assert_str_eq(a.log, "r2@2 w4@0=66554433 ");
    ck_assert_str_eq(b.log, "r4@0 ");
    /* the very top does not wrap round to 0 */
    ck_assert_uint_eq(get(space, UINT64_MAX - 1, 8), UINT64_MAX);
}
END_TEST

START_TEST(movable_regions_are_shadowed_and_come_back)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    g_auto(Probe) fixed = { 0 }, first = { 0 }, second = { 0 };

    probe_init(&fixed, "ioapic", &ops_8, 0x1000);
    probe_init(&first, "bar0", &ops_8, 0x1000);
    probe_init(&second, "bar1", &ops_8, 0x2000);
    ck_assert(kiln_space_add(space, &fixed.region, 0xfec00000, NULL));
    ck_assert(!kiln_space_place(space, &first.region, 0xfec00800));
    ck_assert(kiln_space_place(space, &first.region, 0xe0000000));
    ck_assert(!kiln_space_place(space, &second.region, 0xe0000000));
    ck_assert_uint_eq(second.region.decoded, KILN_SPACE_UNMAPPED);
    get(space, 0xe0001000, 1);
    ck_assert_str_eq(second.log, "");

    /* swap them: the one that waited is decoded as soon as the other has gone */
    ck_assert(kiln_space_place(space, &first.region, 0xd0000000));
    ck_assert_uint_eq(second.region.decoded, 0xe0000000);
    get(space, 0xe0001000, 1);
    ck_assert_str_eq(second.log, "r1@1000 ");
    ck_assert_uint_eq(second.n_mapped, 1);
    ck_assert_uint_eq(first.n_mapped, 3); /* there, nowhere, elsewhere */
    ck_assert_uint_eq(first.mapped[1], KILN_SPACE_UNMAPPED);
    ck_assert_uint_eq(first.mapped[2], 0xd0000000);

    kiln_space_remove(space, &second.region);
    kiln_space_remove(space, &second.region);
    ck_assert_uint_eq(second.mapped[1], KILN_SPACE_UNMAPPED);
    ck_assert_uint_eq(get(space, 0xe0001000, 1), 0xff);
    /* out of the space, or wrapping: never decoded, never an error of the host */
    ck_assert(!kiln_space_place(space, &second.region, UINT64_MAX - 0xfff));
    ck_assert(!kiln_space_place(space, &second.region, KILN_SPACE_UNMAPPED));
    ck_assert(kiln_space_place(space, &second.region, UINT64_MAX - 0x1fff));
}
END_TEST

START_TEST(a_device_can_move_itself_for_ever)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    g_auto(Probe) probe = { 0 };

    probe_init(&probe, "bar0", &ops_8, 0x1000);
    probe.move_in = space;
    ck_assert(kiln_space_place(space, &probe.region, 0x1000));
    for (uint64_t i = 1; i < 10000; i++) {
        probe.log[0] = '\0';
        put(space, i * 0x1000, (i + 1) * 0x1000, 8);
    }
    ck_assert_uint_eq(probe.region.decoded, 10000 * 0x1000);
    kiln_space_synchronize(space);
}
END_TEST

/* A device that reads itself: KILN_SPACE_DEPTH bounds it. */
static unsigned nested_reads;

static uint64_t
nested_read(void *opaque, uint64_t offset, unsigned size)
{
    nested_reads++;
    return get(opaque, 0x1000, 8);
}

START_TEST(recursion_is_bounded)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    static const KilnRegionOps ops = { .read = nested_read, .max_access = 8 };
    KilnRegion region = { .name = "loop", .ops = &ops, .opaque = space, .length = 8 };

    ck_assert(kiln_space_add(space, &region, 0x1000, NULL));
    ck_assert_uint_eq(get(space, 0x1000, 8), UINT64_MAX);
    ck_assert_uint_eq(nested_reads, KILN_SPACE_DEPTH);
}
END_TEST

START_TEST(sizes_no_cpu_makes_are_refused)
{
    g_autoptr(KilnSpace) space = kiln_space_new("memory", 0);
    uint8_t data[16] = { 0 };
    g_auto(Probe) probe = { 0 };

    probe_init(&probe, "probe", &ops_8, 0x1000);
    ck_assert(kiln_space_add(space, &probe.region, 0x1000, NULL));
    ck_assert(!kiln_space_read(space, 0x1000, data, 3));
    ck_assert(!kiln_space_read(space, 0x1000, data, 16));
    ck_assert_uint_eq(data[2], 0xff);
    ck_assert(!kiln_space_write(space, 0x1000, data, 0));
    ck_assert_str_eq(probe.log, "");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("space");
    TCase *tcase = kiln_test_case(suite, "space");

    tcase_add_test(tcase, unclaimed_reads_give_ones);
    tcase_add_test(tcase, overlap_of_fixed_regions_names_both);
    tcase_add_test(tcase, accesses_are_split_by_width_and_alignment);
    tcase_add_test(tcase, narrower_than_the_device_is_cut_out_or_dropped);
    tcase_add_test(tcase, access_across_borders_touches_every_region);
    tcase_add_test(tcase, movable_regions_are_shadowed_and_come_back);
    tcase_add_test(tcase, a_device_can_move_itself_for_ever);
    tcase_add_test(tcase, recursion_is_bounded);
    tcase_add_test(tcase, sizes_no_cpu_makes_are_refused);
    return suite;
}

KILN_TEST_MAIN(make_suite)
