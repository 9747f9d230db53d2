/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packed virtqueues against virtio 1.2 §2.8: each test is named for the section it is of. */
#include <errno.h>

#include "tests/lib/kiln-test.h"
#include "tests/virtio/rings.h"

enum {
    NEXT = VRING_DESC_F_NEXT,
    WRITE = VRING_DESC_F_WRITE,
    INDIRECT = VRING_DESC_F_INDIRECT,
    AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
    USED = 1 << VRING_PACKED_DESC_F_USED,
};

START_TEST(spec_2_8_6_chain_with_id_in_its_last)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 5, RINGS_PACKED); /* any size */
    ck_assert_int_eq(rings_pop(&rings), 0);
    rings_packed(&rings, RINGS_DATA, 16, 1, NEXT);
    rings_packed(&rings, RINGS_DATA + 64, 32, 2, WRITE | NEXT);
    rings_packed(&rings, RINGS_DATA + 128, 64, 77, WRITE);
    ck_assert(kiln_virtqueue_has_work(rings.queue));
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.id, 77);
    ck_assert_uint_eq(rings.element.n_slots, 3);
    ck_assert_uint_eq(rings.element.n_out, 1);
    ck_assert_uint_eq(rings.element.n_in, 2);
    ck_assert_uint_eq(rings.element.in_bytes, 96);
    ck_assert(!kiln_virtqueue_has_work(rings.queue));
    kiln_virtqueue_push(rings.queue, &rings.element, 90);
    ck_assert_uint_eq(rings.packed[0].flags & USED, 0); /* not before the flush */
    kiln_virtqueue_flush(rings.queue);
    ck_assert_uint_eq(rings.packed[0].flags, AVAIL | USED | WRITE);
    ck_assert_uint_eq(rings.packed[0].id, 77);
    ck_assert_uint_eq(rings.packed[0].len, 90);
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
}
END_TEST

/* The second round's flags are the other way round; a chain goes over the end of the ring. */
START_TEST(spec_2_8_1_wrap_counters)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 5, RINGS_PACKED);
    for (unsigned i = 0; i < 1000; i++) {
        uint16_t at = rings.queue->used;
        bool wrap = rings.queue->used_wrap;

        rings_packed(&rings, RINGS_DATA, 16, (uint16_t)i, NEXT);
        rings_packed(&rings, RINGS_DATA, 16, (uint16_t)i, 0);
        ck_assert_int_eq(rings_pop(&rings), 1);
        ck_assert_int_eq(rings_pop(&rings), 0);
        kiln_virtqueue_push(rings.queue, &rings.element, 0);
        kiln_virtqueue_flush(rings.queue);
        ck_assert_uint_eq(rings.packed[at].flags, wrap ? AVAIL | USED : 0);
        ck_assert_uint_eq(rings.packed[at].id, i);
    }
}
END_TEST

/* Used ones are written where the ring stands, whatever they were: the driver goes by the id. */
START_TEST(spec_2_8_5_used_out_of_order)
{
    g_auto(Rings) rings = { 0 };
    KilnVirtqElement first;

    rings_init(&rings, 4, RINGS_PACKED);
    rings_packed(&rings, RINGS_DATA, 16, 10, NEXT);
    rings_packed(&rings, RINGS_DATA, 16, 10, 0);
    rings_packed(&rings, RINGS_DATA, 16, 11, WRITE);
    ck_assert_int_eq(rings_pop(&rings), 1);
    first = rings.element;
    ck_assert_int_eq(rings_pop(&rings), 1);
    kiln_virtqueue_push(rings.queue, &rings.element, 5);
    kiln_virtqueue_push(rings.queue, &first, 0);
    ck_assert_uint_eq(rings.packed[0].flags & USED, 0); /* the first of a batch comes last */
    ck_assert_uint_eq(rings.packed[1].flags, AVAIL | USED);
    ck_assert_uint_eq(rings.packed[1].id, 10);
    kiln_virtqueue_flush(rings.queue);
    ck_assert_uint_eq(rings.packed[0].flags, AVAIL | USED | WRITE);
    ck_assert_uint_eq(rings.packed[0].id, 11);
    ck_assert_uint_eq(rings.packed[0].len, 5);
}
END_TEST

START_TEST(spec_2_8_7_indirect)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 2, RINGS_PACKED);
    rings_table(&rings, 0, RINGS_DATA, 16, NEXT, 0); /* flags but the write flag mean nothing */
    rings_table(&rings, 1, RINGS_DATA, 32, 0, 0);
    rings_table(&rings, 2, RINGS_DATA, 64, WRITE, 0);
    rings_packed(&rings, RINGS_TABLE, 48, 9, INDIRECT);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.id, 9);
    ck_assert_uint_eq(rings.element.n_slots, 1);
    ck_assert_uint_eq(rings.element.n_out, 2);
    ck_assert_uint_eq(rings.element.n_in, 1);
}
END_TEST

typedef struct {
    const char *name;
    KilnGpa addr;
    uint32_t len;
    uint16_t flags;
    uint16_t second_flags;
} Bad;

static const Bad bad[] = {
    { "readable after writable", RINGS_DATA, 16, WRITE | NEXT, 0 },
    { "a chain longer than the ring", RINGS_DATA, 16, NEXT, NEXT },
    { "no length", RINGS_DATA, 0, 0, 0 },
    { "beyond memory", RINGS_MEMORY - 1, 2, 0, 0 },
    { "indirect and next: 2.8.19", RINGS_TABLE, 16, INDIRECT | NEXT, 0 },
    { "indirect within a chain: 2.8.19", RINGS_DATA, 16, NEXT, INDIRECT },
    { "indirect of odd length", RINGS_TABLE, 17, INDIRECT, 0 },
    { "indirect of no length", RINGS_TABLE, 0, INDIRECT, 0 },
    { "indirect beyond memory", RINGS_MEMORY - 16, 32, INDIRECT, 0 },
    { "indirect of nothing", RINGS_TABLE + 16, 16, INDIRECT, 0 },
};

START_TEST(breaks)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_PACKED);
    rings_table(&rings, 0, RINGS_DATA, 16, 0, 0);
    rings_packed(&rings, bad[_i].addr, bad[_i].len, 0, bad[_i].flags);
    for (unsigned i = 1; i < 4; i++)
        rings_packed(&rings, RINGS_DATA, 16, 1, bad[_i].second_flags);
    ck_assert_msg(rings_pop(&rings) == -EPROTO, "%s", bad[_i].name);
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert(!kiln_virtqueue_has_work(rings.queue));
}
END_TEST

/* A driver that makes slots available that it has not got back. */
START_TEST(more_than_the_ring_in_flight)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 3, RINGS_PACKED);
    for (uint16_t i = 0; i < 3; i++) {
        rings_packed(&rings, RINGS_DATA, 16, i, 0);
        ck_assert_int_eq(rings_pop(&rings), 1);
    }
    rings_packed(&rings, RINGS_DATA, 16, 3, 0);
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

static void
pass(Rings *rings, unsigned n)
{
    for (uint16_t i = 0; i < n; i++)
        rings_packed(rings, RINGS_DATA, 16, i, 0);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(rings_pop(rings), 1);
        kiln_virtqueue_push(rings->queue, &rings->element, 0);
    }
    kiln_virtqueue_flush(rings->queue);
}

START_TEST(spec_2_8_10_interrupt_flags)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_PACKED);
    pass(&rings, 3);
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
    rings.driver_event->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
    pass(&rings, 3);
    ck_assert_uint_eq(rings_interrupts(&rings), 0);
}
END_TEST

/* Every position of the event against every step of the ring, with a model that counts. */
START_TEST(spec_2_8_10_interrupt_at_descriptor)
{
    enum { SIZE = 5 };
    g_auto(Rings) rings = { 0 };
    unsigned done = 0; /* slots, free-running */

    rings_init(&rings, SIZE, RINGS_PACKED_EVENT);
    rings.driver_event->flags = VRING_PACKED_EVENT_FLAG_DESC;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned ahead = 0; ahead < SIZE; ahead++) {
            unsigned n = round % SIZE + 1, event = done + ahead;

            rings.driver_event->off_wrap =
                (uint16_t)(event % SIZE | (event / SIZE % 2 == 0 ? 1U << 15 : 0));
            pass(&rings, n);
            done += n;
            ck_assert_msg(rings_interrupts(&rings) == (event < done ? 1 : 0),
                          "event %u, slots %u to %u", event, done - n, done);
        }
    }
}
END_TEST

START_TEST(spec_2_8_10_kick_flags)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_PACKED);
    ck_assert_uint_eq(rings.device_event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
    (void)kiln_virtqueue_set_notify(rings.queue, FALSE);
    ck_assert_uint_eq(rings.device_event->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
    rings_packed(&rings, RINGS_DATA, 16, 0, 0);
    ck_assert(kiln_virtqueue_set_notify(rings.queue, TRUE));
    ck_assert_uint_eq(rings.device_event->flags, VRING_PACKED_EVENT_FLAG_ENABLE);
}
END_TEST

START_TEST(spec_2_8_10_kick_at_descriptor)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_PACKED_EVENT);
    ck_assert_uint_eq(rings.device_event->flags, VRING_PACKED_EVENT_FLAG_DESC);
    ck_assert_uint_eq(rings.device_event->off_wrap, 1 << 15);
    pass(&rings, 3);
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(rings.device_event->off_wrap, 3 | 1 << 15);
    pass(&rings, 2);
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(rings.device_event->off_wrap, 1); /* the next round */
}
END_TEST

START_TEST(unpop)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_PACKED);
    pass(&rings, 3);
    rings_packed(&rings, RINGS_DATA, 16, 5, NEXT);
    rings_packed(&rings, RINGS_DATA, 16, 6, 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(rings_pop(&rings), 1);
        ck_assert_uint_eq(rings.element.id, 6);
        ck_assert_uint_eq(rings.queue->avail, 1);
        kiln_virtqueue_unpop(rings.queue, &rings.element);
        ck_assert_uint_eq(rings.queue->avail, 3);
        ck_assert(rings.queue->avail_wrap);
        ck_assert_uint_eq(rings.queue->slots_popped, 0);
    }
}
END_TEST

static Suite *
packed_suite(void)
{
    Suite *suite = suite_create("virtio-packed");
    TCase *chains = kiln_test_case(suite, "chains");
    TCase *notifications = kiln_test_case(suite, "notifications");

    tcase_add_test(chains, spec_2_8_6_chain_with_id_in_its_last);
    tcase_add_test(chains, spec_2_8_1_wrap_counters);
    tcase_add_test(chains, spec_2_8_5_used_out_of_order);
    tcase_add_test(chains, spec_2_8_7_indirect);
    tcase_add_loop_test(chains, breaks, 0, G_N_ELEMENTS(bad));
    tcase_add_test(chains, more_than_the_ring_in_flight);
    tcase_add_test(chains, unpop);
    tcase_add_test(notifications, spec_2_8_10_interrupt_flags);
    tcase_add_test(notifications, spec_2_8_10_interrupt_at_descriptor);
    tcase_add_test(notifications, spec_2_8_10_kick_flags);
    tcase_add_test(notifications, spec_2_8_10_kick_at_descriptor);
    return suite;
}

KILN_TEST_MAIN(packed_suite)
