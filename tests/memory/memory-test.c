/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "memory/layout.h"
#include "memory/memory.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

START_TEST(map_edges)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(4 * MIB);
    char *first = kiln_memory_map(memory, 0, 1);

    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_eq(kiln_memory_map(memory, 0, 4 * MIB), first);
    ck_assert_ptr_eq(kiln_memory_map(memory, 4 * MIB - 1, 1), first + 4 * MIB - 1);
    ck_assert_ptr_null(kiln_memory_map(memory, 0, 0));
    ck_assert_ptr_null(kiln_memory_map(memory, 0, 4 * MIB + 1));
    ck_assert_ptr_null(kiln_memory_map(memory, 4 * MIB, 1));
    ck_assert_ptr_null(kiln_memory_map(memory, 4 * MIB - 1, 2));
    ck_assert_ptr_null(kiln_memory_map(memory, 1, UINT64_MAX));
    ck_assert_ptr_null(kiln_memory_map(memory, UINT64_MAX, 1));
    ck_assert_ptr_null(kiln_memory_map(memory, UINT64_MAX, 2));
    ck_assert_ptr_null(kiln_memory_map(memory, UINT64_MAX - 4095, 4096));
}
END_TEST

START_TEST(around_the_hole)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(3 * GIB);
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n);
    char text[4] = "abc";

    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(kiln_memory_size(memory), 3 * GIB);
    ck_assert_uint_eq(regions[0].gpa, 0);
    ck_assert_uint_eq(regions[0].size, 2 * GIB);
    ck_assert_uint_eq(regions[1].gpa, 4 * GIB);
    ck_assert_uint_eq(regions[1].size, GIB);
    ck_assert_ptr_nonnull(kiln_memory_map(memory, 5 * GIB - 1, 1));
    ck_assert_ptr_null(kiln_memory_map(memory, 5 * GIB, 1));
    ck_assert_ptr_null(kiln_memory_map(memory, 2 * GIB - 1, 2));
    ck_assert_ptr_null(kiln_memory_map(memory, 4 * GIB - 1, 2));
    ck_assert(!kiln_memory_write(memory, 2 * GIB - 2, text, 4));
    ck_assert(kiln_memory_write(memory, 4 * GIB, text, 4));
    memset(text, 0, sizeof text);
    ck_assert(!kiln_memory_read(memory, 4 * GIB - 1, text, 4));
    ck_assert_int_eq(text[0], 0);
    ck_assert(kiln_memory_read(memory, 4 * GIB, text, 4));
    ck_assert_str_eq(text, "abc");
}
END_TEST

/* Reading and writing go across the border of two cells; a pointer does not. */
START_TEST(cells)
{
    static const KilnMemoryCell two[] = { { .size = 3 * MIB }, { .size = 5 * MIB } };
    KilnMemoryOptions options = { .cells = two, .n_cells = 2, .backing = _i };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, &error);
    const KilnMemoryRegion *regions;
    char text[8] = "border";
    guint n;

    kiln_assert_no_error(error);
    regions = kiln_memory_regions(memory, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(regions[1].gpa, 3 * MIB);
    ck_assert_uint_eq(regions[1].cell, 1);
    ck_assert_int_eq(regions[0].fd < 0, regions[1].fd < 0);
    /* or KVM could map no huge page */
    ck_assert_uint_eq(((uintptr_t)regions[1].host - regions[1].gpa) % (2 * MIB), 0);
    ck_assert_ptr_null(kiln_memory_map(memory, 3 * MIB - 3, 7));
    ck_assert(kiln_memory_write(memory, 3 * MIB - 3, text, 7));
    memset(text, 0, sizeof text);
    ck_assert(kiln_memory_read(memory, 3 * MIB - 3, text, 7));
    ck_assert_str_eq(text, "border");
    ck_assert(!kiln_memory_write(memory, 8 * MIB - 6, "xxxxxxx", 7));
    ck_assert(!kiln_memory_write(memory, UINT64_MAX - 2, "xxxxxxx", 7));
    ck_assert(kiln_memory_read(memory, 0, text, 0));

    ck_assert(kiln_memory_zero_all(memory, &error));
    ck_assert(kiln_memory_read(memory, 3 * MIB - 3, text, 7));
    ck_assert_int_eq(text[0], 0);
    ck_assert_int_eq(text[5], 0);
}
END_TEST

START_TEST(cell_across_the_hole)
{
    static const KilnMemoryCell two[] = { { .size = GIB }, { .size = 4 * GIB } };
    KilnMemoryOptions options = { .cells = two, .n_cells = 2, .backing = KILN_MEMORY_ANONYMOUS };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, &error);
    const KilnMemoryRegion *regions;
    guint n;

    if (memory == NULL) /* a small host may refuse so much; it says so */
        kiln_assert_error_has(error, "guest memory: cannot map 4096 MiB");
    if (memory == NULL)
        return;
    regions = kiln_memory_regions(memory, &n);
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(regions[1].gpa, GIB);
    ck_assert_uint_eq(regions[1].size, GIB);
    ck_assert_uint_eq(regions[2].gpa, 4 * GIB);
    ck_assert_uint_eq(regions[2].size, 3 * GIB);
    ck_assert_uint_eq(regions[2].cell, 1);
    ck_assert_ptr_eq(regions[2].host, (char *)regions[1].host + GIB);
}
END_TEST

START_TEST(memfd_is_shared)
{
    KilnMemoryOptions options = { .size = 4 * MIB, .backing = KILN_MEMORY_MEMFD };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, &error);
    const KilnMemoryRegion *region;
    guint n;
    char *other;

    kiln_assert_no_error(error);
    region = kiln_memory_regions(memory, &n);
    ck_assert_int_ge(region->fd, 0);
    other = mmap(NULL, 4096, PROT_READ, MAP_SHARED, region->fd, (off_t)region->fd_offset + 4096);
    ck_assert_ptr_ne(other, MAP_FAILED);
    ck_assert(kiln_memory_write(memory, 4096, "seen", 5));
    ck_assert_str_eq(other, "seen");
    munmap(other, 4096);
}
END_TEST

static gsize
resident(const KilnMemoryRegion *region)
{
    g_autofree unsigned char *pages = g_malloc(region->size / 4096);
    gsize n = 0;

    ck_assert_int_eq(mincore(region->host, region->size, pages), 0);
    for (gsize i = 0; i < region->size / 4096; i++)
        n += pages[i] & 1;
    return n;
}

START_TEST(touched_only_if_asked)
{
    g_autoptr(GError) error = NULL;

    for (int immediate = 0; immediate < 2; immediate++) {
        KilnMemoryOptions options = { .size = 8 * MIB,
                                      .backing = KILN_MEMORY_ANONYMOUS,
                                      .no_dump = TRUE,
                                      .merge = TRUE,
                                      .preallocate = immediate };
        g_autoptr(KilnMemory) memory = kiln_memory_new(&options, &error);
        guint n;

        kiln_assert_no_error(error);
        ck_assert_uint_eq(resident(kiln_memory_regions(memory, &n)), immediate ? 2048 : 0);
        ck_assert(kiln_memory_zero_all(memory, &error));
        ck_assert_uint_eq(resident(kiln_memory_regions(memory, &n)), immediate ? 2048 : 0);
    }
}
END_TEST

START_TEST(refused)
{
    static const struct {
        KilnMemoryOptions options;
        const char *message;
    } cases[] = {
        { { .size = 0 }, "multiple of its pages of 4 KiB" },
        { { .size = 4097 }, "'4097' bytes are no multiple" },
        { { .size = 3 * MIB, .hugepage_size = 2 * MIB }, "pages of 2048 KiB" },
        { { .size = 3 * MIB, .hugepage_size = 3 * MIB }, "no pages are" },
        { { .size = 8 * MIB, .hugepage_size = 8 * MIB }, "has no huge pages of 8 MiB" },
        { { .size = (uint64_t)1 << 46, .hugepage_size = 2 * MIB }, "huge pages of 2 MiB" },
        { { .size = (uint64_t)1 << 50, .backing = KILN_MEMORY_ANONYMOUS }, "cannot map" },
        { { .size = (uint64_t)1 << 45, .backing = KILN_MEMORY_MEMFD }, "host's memory and swap" },
        { { .size = UINT64_MAX & ~(uint64_t)4095 }, "larger than any x86 address" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert_ptr_null(kiln_memory_new(&cases[i].options, &error));
        kiln_assert_error_has(error, cases[i].message);
    }
}
END_TEST

START_TEST(lock_limit)
{
    struct rlimit none = { 0, 0 };
    KilnMemoryOptions options = { .size = 4 * MIB, .locked = TRUE };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMemory) memory = NULL;

    ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    if (geteuid() == 0 && setuid(65534) < 0) /* root may lock regardless */
        return;
    memory = kiln_memory_new(&options, &error);
    ck_assert_ptr_null(memory);
    kiln_assert_error_has(error, "RLIMIT_MEMLOCK is 0 MiB");
}
END_TEST

static Suite *
memory_suite(void)
{
    Suite *suite = suite_create("memory/memory");
    TCase *tcase = kiln_test_case(suite, "memory");

    tcase_add_test(tcase, map_edges);
    tcase_add_test(tcase, around_the_hole);
    tcase_add_loop_test(tcase, cells, KILN_MEMORY_AUTO, KILN_MEMORY_ANONYMOUS + 1);
    tcase_add_test(tcase, cell_across_the_hole);
    tcase_add_test(tcase, memfd_is_shared);
    tcase_add_test(tcase, touched_only_if_asked);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, lock_limit);
    return suite;
}

KILN_TEST_MAIN(memory_suite)
