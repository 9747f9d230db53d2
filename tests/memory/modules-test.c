/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of devices: above RAM, in every translation, in no count of RAM. */
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "memory/discard.h"
#include "memory/layout.h"
#include "memory/memory.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#ifdef __SANITIZE_THREAD__ /* which leaves little of the address space to others */
#define TIB ((uint64_t)1 << 34)
#else
#define TIB ((uint64_t)1 << 40)
#endif

/* A file of @size bytes without a name. */
static KilnFd
make_file(uint64_t size)
{
    KilnFd fd = memfd_create("module", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static const KilnMemoryBacking backings[] = { KILN_MEMORY_ANONYMOUS, KILN_MEMORY_MEMFD };

START_TEST(places)
{
    static const struct {
        uint64_t ram, first, second, span;
    } cases[] = {
        { 256 * MIB, 4 * GIB, 5 * GIB, 2 * GIB },
        { 3 * GIB, 5 * GIB, 6 * GIB, 2 * GIB },
        { 3 * GIB + 4096, 6 * GIB, 7 * GIB, 2 * GIB },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const KilnMemoryModule modules[] = {
            { .kind = KILN_MEMORY_PLUGGABLE, .size = 512 * MIB, .align = 2 * MIB, .fd = -1 },
            { .kind = KILN_MEMORY_PLUGGABLE, .size = 2 * MIB, .cell = 1, .fd = -1 },
        };
        KilnMemoryOptions options = {
            .size = cases[i].ram, .backing = backings[_i], .modules = modules, .n_modules = 2
        };
        g_autoptr(KilnMemory) memory = kiln_memory_new(&options, NULL);
        guint n_all, n_ram;
        const KilnMemoryRegion *all = kiln_memory_regions(memory, &n_all);
        const KilnMemoryRegion *ram = kiln_memory_ram(memory, &n_ram);
        const KilnMemoryRegion *first = kiln_memory_module(memory, 0);

        ck_assert_ptr_eq(ram, all);
        ck_assert_uint_eq(n_all, n_ram + 2);
        for (guint region = 1; region < n_all; region++)
            ck_assert_uint_ge(all[region].gpa, all[region - 1].gpa + all[region - 1].size);
        ck_assert_uint_eq(first->gpa, cases[i].first);
        ck_assert_uint_eq((uintptr_t)first->host % (2 * MIB), 0); /* for huge pages */
        ck_assert_int_eq(first->fd >= 0, backings[_i] == KILN_MEMORY_MEMFD);
        ck_assert_int_eq(first->kind, KILN_MEMORY_PLUGGABLE);
        ck_assert_uint_eq(kiln_memory_module(memory, 1)->gpa, cases[i].second);
        ck_assert_uint_eq(kiln_memory_module(memory, 1)->cell, 1);
        ck_assert_uint_eq(kiln_memory_size(memory), cases[i].ram);
        ck_assert_uint_eq(kiln_memory_modules_span(memory), cases[i].span);
        /* Translated like RAM: rings may lie there. */
        ck_assert_ptr_eq(kiln_memory_map(memory, cases[i].first + 4096, 4096),
                         (char *)first->host + 4096);
        ck_assert_ptr_null(kiln_memory_map(memory, cases[i].first + 512 * MIB, 1));
        ck_assert_ptr_null(kiln_memory_map(memory, cases[i].first + 512 * MIB - 1, 2));
        ck_assert_ptr_null(kiln_memory_map(memory, cases[i].second - 1, 1));
    }
}
END_TEST

/* A module may be larger than the host, and nothing of it is there before it is used. */
START_TEST(module_is_sparse)
{
    const KilnMemoryModule module = { .kind = KILN_MEMORY_PLUGGABLE, .size = TIB, .fd = -1 };
    KilnMemoryOptions options = { .size = 4 * MIB,
                                  .backing = backings[_i],
                                  .preallocate = TRUE,
                                  .modules = &module,
                                  .n_modules = 1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, &error);
    unsigned char there = 0;
    char *host;

    ck_assert_msg(memory != NULL, "%s", error != NULL ? error->message : "");
    host = kiln_memory_map(memory, 4 * GIB + TIB / 2, 4096);
    ck_assert_int_eq(mincore(host, 4096, &there), 0);
    ck_assert(!(there & 1));
    host[0] = 1;
    ck_assert(kiln_memory_zero_all(memory, NULL)); /* leaves modules to their devices */
    ck_assert_int_eq(host[0], 1);
    ck_assert(kiln_memory_discard(memory, 4 * GIB + TIB / 2, 4096));
    ck_assert_int_eq(host[0], 0);
}
END_TEST

START_TEST(file_is_written)
{
    g_auto(KilnFd) fd = make_file(4 * MIB);
    const KilnMemoryModule module = {
        .kind = KILN_MEMORY_PERSISTENT, .size = 4 * MIB, .fd = fd, .private = _i
    };
    KilnMemoryOptions options = { .size = MIB, .modules = &module, .n_modules = 1 };
    g_autoptr(KilnMemory) memory = NULL;
    char text[4] = "";

    ck_assert_int_eq(pwrite(fd, "old", 3, 2 * MIB), 3);
    memory = kiln_memory_new(&options, NULL);
    ck_assert(kiln_memory_read(memory, 4 * GIB + 2 * MIB, text, 3));
    ck_assert_str_eq(text, "old");
    ck_assert(kiln_memory_write(memory, 4 * GIB + 2 * MIB, "new", 3));
    ck_assert_int_eq(pread(fd, text, 3, 2 * MIB), 3);
    ck_assert_str_eq(text, _i ? "old" : "new");
    /* Who shares the guest's memory must see what the guest sees: not the file, if it is private.
     */
    ck_assert_int_eq(kiln_memory_module(memory, 0)->fd >= 0, !_i);
    ck_assert_int_ne(kiln_memory_module(memory, 0)->fd, fd);
    ck_assert(kiln_memory_zero_all(memory, NULL));
    ck_assert(!kiln_memory_discard(memory, 4 * GIB + 2 * MIB, 4096)); /* a balloon's wish */
    ck_assert(kiln_memory_read(memory, 4 * GIB + 2 * MIB, text, 3));
    ck_assert_str_eq(text, "new");
}
END_TEST

START_TEST(bad_modules)
{
    static const KilnMemoryModule bad[] = {
        { .kind = KILN_MEMORY_PLUGGABLE, .size = 0, .fd = -1 },
        { .kind = KILN_MEMORY_PLUGGABLE, .size = 3 * MIB, .fd = -1 },
        { .kind = KILN_MEMORY_PLUGGABLE, .size = UINT64_MAX - 2 * MIB + 1, .fd = -1 },
        { .kind = KILN_MEMORY_PLUGGABLE, .size = (uint64_t)1 << 52, .fd = -1 },
        { .kind = KILN_MEMORY_PLUGGABLE, .size = 2 * MIB, .align = 3, .fd = -1 },
        { .kind = KILN_MEMORY_PLUGGABLE, .size = 2 * MIB, .align = (uint64_t)1 << 63, .fd = -1 },
        { .kind = KILN_MEMORY_PERSISTENT, .size = 2 * MIB, .fd = -1 },
    };
    KilnMemoryOptions options = { .size = MIB, .modules = &bad[_i], .n_modules = 1 };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_memory_new(&options, &error));
    ck_assert_ptr_nonnull(error);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("memory/modules");
    TCase *tcase = kiln_test_case(suite, "modules");

    tcase_add_loop_test(tcase, places, 0, G_N_ELEMENTS(backings));
    tcase_add_loop_test(tcase, module_is_sparse, 0, G_N_ELEMENTS(backings));
    tcase_add_loop_test(tcase, file_is_written, 0, 2);
    tcase_add_loop_test(tcase, bad_modules, 0, 7);
    return suite;
}

KILN_TEST_MAIN(make_suite)
