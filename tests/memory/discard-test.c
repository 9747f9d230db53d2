/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory/discard.h"

#include <string.h>
#include <sys/mman.h>

#include "tests/lib/kiln-test.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static gboolean
resident(KilnMemory *memory, KilnGpa gpa)
{
    unsigned char page = 0;

    ck_assert_int_eq(mincore(kiln_memory_map(memory, gpa, 4096), 4096, &page), 0);
    return page & 1;
}

static const KilnMemoryBacking backings[] = { KILN_MEMORY_ANONYMOUS, KILN_MEMORY_MEMFD };

START_TEST(whole_pages_go)
{
    KilnMemoryOptions options = { .size = 3 * GIB, .backing = backings[_i] };
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, NULL);
    const KilnGpa bases[] = { 16 * MIB,
                              4 * GIB + 16 * MIB }; /* the second has an offset in the fd */

    for (unsigned i = 0; i < G_N_ELEMENTS(bases); i++) {
        KilnGpa base = bases[i];
        char *host = kiln_memory_map(memory, base, MIB);

        memset(host, 1, MIB);
        ck_assert(kiln_memory_discard(memory, base + 100, 3 * 4096));
        ck_assert(resident(memory, base) && !resident(memory, base + 4096));
        ck_assert(!resident(memory, base + 2 * 4096) && resident(memory, base + 3 * 4096));
        ck_assert_int_eq(host[4096], 0);
        ck_assert_int_eq(host[4095], 1);
        ck_assert(kiln_memory_discard_host(memory, host + 16 * 4096, 4096));
        ck_assert(!resident(memory, base + 16 * 4096) && resident(memory, base + 17 * 4096));
        ck_assert(kiln_memory_discard(memory, base + 20 * 4096 + 1, 4095)); /* no whole page */
        ck_assert(resident(memory, base + 20 * 4096));
    }
}
END_TEST

START_TEST(what_is_no_ram)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(3 * GIB);
    char *host = kiln_memory_map(memory, 0, 4096);

    ck_assert(!kiln_memory_discard(memory, 2 * GIB - 4096, 8192));
    ck_assert(!kiln_memory_discard(memory, 2 * GIB, 4096));
    ck_assert(!kiln_memory_discard(memory, UINT64_MAX - 4095, 4096));
    ck_assert(!kiln_memory_discard(memory, 4096, UINT64_MAX));
    ck_assert(!kiln_memory_discard(memory, 4096, 0));
    ck_assert(!kiln_memory_discard_host(memory, host, 2 * GIB + 1));
    ck_assert(!kiln_memory_discard_host(memory, &host, 4096));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("discard");
    TCase *tcase = kiln_test_case(suite, "discard");

    tcase_add_loop_test(tcase, whole_pages_go, 0, G_N_ELEMENTS(backings));
    tcase_add_test(tcase, what_is_no_ram);
    return suite;
}

KILN_TEST_MAIN(make_suite)
