/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupt lines that are shared. */
#include "bus/irq.h"

#include "tests/lib/kiln-test.h"

typedef struct {
    unsigned n;
    gboolean level;
    unsigned calls;
} Wire;

static void
wire_set(void *opaque, unsigned n, gboolean level)
{
    Wire *wire = opaque;

    wire->n = n;
    wire->level = level;
    wire->calls++;
}

START_TEST(shared_line_is_up_while_any_source_is)
{
    Wire wire = { 0 };
    KilnIrqOr shared;

    kiln_irq_or_init(&shared, (KilnIrq){ .set = wire_set, .opaque = &wire, .n = 17 });

    KilnIrq a = kiln_irq_or_source(&shared);
    KilnIrq b = kiln_irq_or_source(&shared);

    kiln_irq_set(&a, TRUE);
    kiln_irq_set(&b, TRUE);
    kiln_irq_set(&a, TRUE);
    ck_assert(wire.level);
    ck_assert_uint_eq(wire.n, 17);
    ck_assert_uint_eq(wire.calls, 1);
    kiln_irq_set(&a, FALSE);
    ck_assert(wire.level);
    kiln_irq_set(&b, FALSE);
    ck_assert(!wire.level);
    ck_assert_uint_eq(wire.calls, 2);
    kiln_irq_or_clear(&shared);
}
END_TEST

START_TEST(a_line_that_leads_nowhere)
{
    KilnIrq nowhere = { 0 };

    kiln_irq_set(&nowhere, TRUE);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("irq");
    TCase *tcase = kiln_test_case(suite, "irq");

    tcase_add_test(tcase, shared_line_is_up_while_any_source_is);
    tcase_add_test(tcase, a_line_that_leads_nowhere);
    return suite;
}

KILN_TEST_MAIN(make_suite)
