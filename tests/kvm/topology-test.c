/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lib/kiln-test.h"

#include "kvm/topology.h"

START_TEST(shifts)
{
    static const struct {
        KilnCpuTopology topology;
        guint core, die, socket;
    } cases[] = {
        { { 1, 1, 1, 1 }, 0, 0, 0 }, { { 2, 1, 1, 1 }, 0, 0, 0 }, { { 1, 1, 4, 2 }, 1, 3, 3 },
        { { 2, 1, 3, 1 }, 0, 2, 2 }, { { 2, 3, 5, 2 }, 1, 4, 6 }, { { 4, 2, 6, 3 }, 2, 5, 6 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_uint_eq(kiln_topology_core_shift(&cases[i].topology), cases[i].core);
        ck_assert_uint_eq(kiln_topology_die_shift(&cases[i].topology), cases[i].die);
        ck_assert_uint_eq(kiln_topology_socket_shift(&cases[i].topology), cases[i].socket);
    }
}
END_TEST

START_TEST(ids_leave_holes)
{
    static const KilnCpuTopology topology = { .sockets = 2, .dies = 1, .cores = 3, .threads = 2 };
    static const uint32_t ids[] = { 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16 };

    ck_assert_uint_eq(kiln_topology_cpus(&topology), 12);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++)
        ck_assert_uint_eq(kiln_topology_apic_id(&topology, i), ids[i]);
}
END_TEST

START_TEST(ids_are_unique_and_rise)
{
    static const KilnCpuTopology topology = { .sockets = 3, .dies = 3, .cores = 5, .threads = 3 };

    for (guint i = 1; i < kiln_topology_cpus(&topology); i++)
        ck_assert_uint_gt(kiln_topology_apic_id(&topology, i),
                          kiln_topology_apic_id(&topology, i - 1));
}
END_TEST

static Suite *
topology_suite(void)
{
    Suite *suite = suite_create("kvm/topology");
    TCase *tcase = kiln_test_case(suite, "topology");

    tcase_add_test(tcase, shifts);
    tcase_add_test(tcase, ids_leave_holes);
    tcase_add_test(tcase, ids_are_unique_and_rise);
    return suite;
}

KILN_TEST_MAIN(topology_suite)
