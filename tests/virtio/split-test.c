/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Split virtqueues against virtio 1.2 §2.7: each test is named for the section it is of. */
#include <errno.h>
#include <string.h>

#include "tests/lib/kiln-test.h"
#include "tests/virtio/rings.h"

enum { NEXT = VRING_DESC_F_NEXT, WRITE = VRING_DESC_F_WRITE, INDIRECT = VRING_DESC_F_INDIRECT };

static void *
host(Rings *rings, KilnGpa gpa)
{
    return kiln_memory_map(rings->memory, gpa, 1);
}

/* -- chains ------------------------------------------------------------------------------------ */

START_TEST(spec_2_7_5_chain_in_order)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_SPLIT);
    ck_assert_int_eq(rings_pop(&rings), 0);
    rings_desc(&rings, 5, RINGS_DATA, 16, NEXT, 2);
    rings_desc(&rings, 2, RINGS_DATA + 0x1000, 32, NEXT, 7);
    rings_desc(&rings, 7, RINGS_DATA + 0x2000, 64, WRITE, 1);
    rings_avail(&rings, 5);
    ck_assert(kiln_virtqueue_has_work(rings.queue));
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.n_out, 2);
    ck_assert_uint_eq(rings.element.n_in, 1);
    ck_assert_uint_eq(rings.element.out_bytes, 48);
    ck_assert_uint_eq(rings.element.in_bytes, 64);
    ck_assert_ptr_eq(rings.iov[0].iov_base, host(&rings, RINGS_DATA));
    ck_assert_ptr_eq(rings.iov[2].iov_base, host(&rings, RINGS_DATA + 0x2000));
    ck_assert_uint_eq(rings.iov[2].iov_len, 64);
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(kiln_virtqueue_in_flight(rings.queue), 1);

    kiln_virtqueue_push(rings.queue, &rings.element, 60);
    ck_assert_uint_eq(rings.used->idx, 0); /* not before the flush */
    kiln_virtqueue_flush(rings.queue);
    ck_assert_uint_eq(rings.used->idx, 1);
    ck_assert_uint_eq(rings.used->ring[0].id, 5);
    ck_assert_uint_eq(rings.used->ring[0].len, 60);
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
    kiln_virtqueue_flush(rings.queue);
    ck_assert_uint_eq(rings_interrupts(&rings), 0);
    ck_assert_uint_eq(kiln_virtqueue_in_flight(rings.queue), 0);
}
END_TEST

START_TEST(spec_2_7_5_3_indirect)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_SPLIT);
    /* Longer than the ring, linked backwards; the table's own write flag means nothing. */
    for (unsigned i = 0; i < 10; i++)
        rings_table(&rings, i, RINGS_DATA + i * 16, 16, (i < 5 ? WRITE : 0) | (i != 1 ? NEXT : 0),
                    (uint16_t)(i == 0 ? 9 : i - 1));
    rings_table(&rings, 0, RINGS_DATA, 16, NEXT, 9);
    rings_desc(&rings, 0, RINGS_TABLE, 160, INDIRECT | WRITE, 0);
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.n_out, 6);
    ck_assert_uint_eq(rings.element.n_in, 4);
    ck_assert_ptr_eq(rings.iov[1].iov_base, host(&rings, RINGS_DATA + 9 * 16));
    ck_assert_ptr_eq(rings.iov[9].iov_base, host(&rings, RINGS_DATA + 1 * 16));
}
END_TEST

START_TEST(spec_2_7_5_3_2_chain_then_indirect)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_SPLIT);
    rings_table(&rings, 0, RINGS_DATA + 0x1000, 512, WRITE, 0);
    rings_desc(&rings, 0, RINGS_DATA, 16, NEXT, 1);
    rings_desc(&rings, 1, RINGS_TABLE, 16, INDIRECT, 0);
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.out_bytes, 16);
    ck_assert_uint_eq(rings.element.in_bytes, 512);
}
END_TEST

/* A buffer over the border of two regions that touch is two of the host's. */
START_TEST(buffer_over_regions)
{
    g_auto(Rings) rings = { 0 };
    KilnMemoryCell cells[2] = { { .size = RINGS_MEMORY / 2 }, { .size = RINGS_MEMORY / 2 } };
    KilnMemoryOptions options = { .size = RINGS_MEMORY, .cells = cells, .n_cells = 2 };
    g_autoptr(KilnMemory) memory = kiln_memory_new(&options, NULL);

    rings_init(&rings, 4, RINGS_SPLIT);
    rings.queue->memory = memory;
    rings_desc(&rings, 0, RINGS_MEMORY / 2 - 100, 300, WRITE, 0);
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.n_in, 2);
    ck_assert_uint_eq(rings.element.in_bytes, 300);
    ck_assert_uint_eq(rings.iov[0].iov_len, 100);
    ck_assert_ptr_eq(rings.iov[1].iov_base, kiln_memory_map(memory, RINGS_MEMORY / 2, 1));
}
END_TEST

/* -- what breaks a queue ----------------------------------------------------------------------- */

typedef struct {
    const char *name;
    KilnGpa addr;
    uint32_t len;
    uint16_t flags, next;
    uint32_t second_len; /* of descriptor 1 */
    uint16_t second_flags, second_next;
} Bad;

static const Bad bad[] = {
    { "spec_2_7_4_2_readable_after_writable", RINGS_DATA, 16, WRITE | NEXT, 1, 16, 0, 0 },
    { "spec_2_7_5_loop", RINGS_DATA, 16, NEXT, 1, 16, NEXT, 0 },
    { "spec_2_7_5_next_beyond", RINGS_DATA, 16, NEXT, 8, 0, 0, 0 },
    { "no_length", RINGS_DATA, 0, 0, 0, 0, 0, 0 },
    { "beyond_memory", RINGS_MEMORY, 1, 0, 0, 0, 0, 0 },
    { "over_end_of_memory", RINGS_MEMORY - 4, 5, 0, 0, 0, 0, 0 },
    { "wraps", UINT64_MAX - 3, 16, 0, 0, 0, 0, 0 },
    { "spec_2_7_5_3_1_indirect_and_next", RINGS_TABLE, 16, INDIRECT | NEXT, 1, 16, 0, 0 },
    { "indirect_of_odd_length", RINGS_TABLE, 24, INDIRECT, 0, 0, 0, 0 },
    { "indirect_of_no_length", RINGS_TABLE, 0, INDIRECT, 0, 0, 0, 0 },
    { "indirect_beyond_memory", RINGS_MEMORY - 16, 32, INDIRECT, 0, 0, 0, 0 },
    { "indirect_loop", RINGS_TABLE, 32, INDIRECT, 0, 0, 0, 0 },
    { "spec_2_7_5_3_1_indirect_in_indirect", RINGS_TABLE + 32, 16, INDIRECT, 0, 0, 0, 0 },
    { "indirect_next_beyond", RINGS_TABLE, 16, INDIRECT, 0, 0, 0, 0 },
};

START_TEST(breaks)
{
    g_auto(Rings) rings = { 0 };
    const Bad *which = &bad[_i];

    rings_init(&rings, 8, RINGS_SPLIT);
    rings_table(&rings, 0, RINGS_DATA, 16, NEXT, 1);
    rings_table(&rings, 1, RINGS_DATA, 16, NEXT, 0);
    rings_table(&rings, 2, RINGS_TABLE, 16, INDIRECT, 0);
    rings_desc(&rings, 0, which->addr, which->len, which->flags, which->next);
    rings_desc(&rings, 1, RINGS_DATA, which->second_len, which->second_flags, which->second_next);
    rings_desc(&rings, 2, RINGS_DATA, 16, 0, 0);
    rings_avail(&rings, 0);
    rings_avail(&rings, 2);
    ck_assert_msg(rings_pop(&rings) == -EPROTO, "%s", which->name);
    ck_assert_int_eq(rings_pop(&rings), 0); /* told once, and nothing more is popped */
    ck_assert(!kiln_virtqueue_has_work(rings.queue));
}
END_TEST

START_TEST(spec_2_7_6_head_beyond)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_SPLIT);
    rings_avail(&rings, 8);
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

START_TEST(index_too_far_ahead)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_SPLIT);
    rings_desc(&rings, 0, RINGS_DATA, 16, 0, 0);
    rings.avail->idx = 9;
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

START_TEST(more_than_the_ring_in_flight)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_SPLIT);
    rings_desc(&rings, 0, RINGS_DATA, 16, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        rings_avail(&rings, 0);
        ck_assert_int_eq(rings_pop(&rings), 1);
    }
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

START_TEST(more_buffers_than_the_device_takes)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, RINGS_SPLIT);
    rings_desc(&rings, 0, RINGS_DATA, 16, NEXT, 1);
    rings_desc(&rings, 1, RINGS_DATA, 16, NEXT, 2);
    rings_desc(&rings, 2, RINGS_DATA, 16, 0, 0);
    rings_avail(&rings, 0);
    rings.element.max_iov = 2;
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

START_TEST(indirect_not_negotiated)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 4, (KilnVirtqueueMode){ 0 });
    rings_table(&rings, 0, RINGS_DATA, 16, 0, 0);
    rings_desc(&rings, 0, RINGS_TABLE, 16, INDIRECT, 0);
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

/* Sums are 32 bits wide: the same gigabyte five times is refused. */
START_TEST(spec_2_7_5_more_than_4_gib)
{
    g_auto(Rings) rings = { 0 };
    g_autoptr(KilnMemory) big = kiln_memory_new_plain(UINT64_C(1) << 30);

    rings_init(&rings, 8, RINGS_SPLIT);
    rings.queue->memory = big;
    for (uint16_t i = 0; i < 5; i++)
        rings_desc(&rings, i, 0, 1 << 30, WRITE | (i < 4 ? NEXT : 0), (uint16_t)(i + 1));
    rings_avail(&rings, 1); /* 4 GiB: one byte too many */
    ck_assert_int_eq(rings_pop(&rings), -EPROTO);
}
END_TEST

/* -- notifications ----------------------------------------------------------------------------- */

/* One element through the queue. */
static void
pass(Rings *rings, unsigned n)
{
    rings_desc(rings, 0, RINGS_DATA, 16, 0, 0);
    for (unsigned i = 0; i < n; i++) {
        rings_avail(rings, 0);
        ck_assert_int_eq(rings_pop(rings), 1);
        kiln_virtqueue_push(rings->queue, &rings->element, 0);
    }
    kiln_virtqueue_flush(rings->queue);
}

START_TEST(spec_2_7_7_interrupt_flag)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_SPLIT);
    pass(&rings, 3);
    ck_assert_uint_eq(rings_interrupts(&rings), 1); /* for the batch */
    rings.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
    pass(&rings, 1);
    ck_assert_uint_eq(rings_interrupts(&rings), 0);
}
END_TEST

START_TEST(spec_2_7_7_used_event)
{
    g_auto(Rings) rings = { 0 };
    uint16_t *used_event;

    rings_init(&rings, 8, RINGS_EVENT);
    used_event = &rings.avail->ring[8];
    rings.avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* means nothing now */
    pass(&rings, 1);                                 /* 0 -> 1, event 0 */
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
    pass(&rings, 3); /* 1 -> 4: 0 is behind */
    ck_assert_uint_eq(rings_interrupts(&rings), 0);
    *used_event = 6;
    pass(&rings, 2); /* 4 -> 6 */
    ck_assert_uint_eq(rings_interrupts(&rings), 0);
    pass(&rings, 1); /* 6 -> 7 */
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
    *used_event = 9;
    pass(&rings, 5); /* 7 -> 12 */
    ck_assert_uint_eq(rings_interrupts(&rings), 1);
}
END_TEST

START_TEST(spec_2_7_10_kick_flag)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, RINGS_SPLIT);
    ck_assert_uint_eq(rings.used->flags, 0);
    ck_assert(!kiln_virtqueue_set_notify(rings.queue, FALSE));
    ck_assert_uint_eq(rings.used->flags, VRING_USED_F_NO_NOTIFY);
    ck_assert(!kiln_virtqueue_set_notify(rings.queue, TRUE));
    ck_assert_uint_eq(rings.used->flags, 0);
    rings_avail(&rings, 0);
    ck_assert(kiln_virtqueue_set_notify(rings.queue, TRUE));
}
END_TEST

START_TEST(spec_2_7_10_avail_event)
{
    g_auto(Rings) rings = { 0 };
    uint16_t *avail_event;

    rings_init(&rings, 8, RINGS_EVENT);
    avail_event = (uint16_t *)(void *)&rings.used->ring[8];
    ck_assert_uint_eq(*avail_event, 0);
    pass(&rings, 3);
    ck_assert_uint_eq(*avail_event, 0); /* it has not run dry yet */
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(*avail_event, 3); /* now it says where to kick */
    (void)kiln_virtqueue_set_notify(rings.queue, FALSE);
    pass(&rings, 2);
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(*avail_event, 3);
    (void)kiln_virtqueue_set_notify(rings.queue, TRUE);
    ck_assert_uint_eq(*avail_event, 5);
    ck_assert_uint_eq(rings.used->flags, 0);
    kiln_virtqueue_suppress(rings.queue);
    ck_assert_uint_eq(*avail_event, 4); /* which the driver has passed */
    ck_assert_int_eq(rings_pop(&rings), 0);
    ck_assert_uint_eq(*avail_event, 4);
    (void)kiln_virtqueue_set_notify(rings.queue, TRUE);
    ck_assert_uint_eq(*avail_event, 5);
}
END_TEST

/* Indexes are free-running, and wrap at 2^16. */
START_TEST(spec_2_7_6_indexes_wrap)
{
    g_auto(Rings) rings = { 0 };

    rings_init(&rings, 8, _i ? RINGS_EVENT : RINGS_SPLIT);
    for (unsigned i = 0; i < 70000; i++) {
        rings.avail->ring[8] = rings.used->idx; /* used_event: the next one */
        pass(&rings, 1);
    }
    ck_assert_uint_eq(rings.used->idx, 70000 - 65536);
    for (unsigned i = 0, n = 0; n < 70000; i++) {
        unsigned interrupts = rings_interrupts(&rings);

        ck_assert_uint_gt(interrupts, 0);
        n += interrupts;
    }
}
END_TEST

/* -- taking back ------------------------------------------------------------------------------- */

START_TEST(unpop)
{
    g_auto(Rings) rings = { 0 };
    KilnVirtqElement first, second;

    rings_init(&rings, 8, RINGS_SPLIT);
    rings_desc(&rings, 0, RINGS_DATA, 16, 0, 0);
    rings_desc(&rings, 1, RINGS_DATA, 32, 0, 0);
    rings_avail(&rings, 0);
    rings_avail(&rings, 1);
    ck_assert_int_eq(rings_pop(&rings), 1);
    first = rings.element;
    ck_assert_int_eq(rings_pop(&rings), 1);
    second = rings.element;
    kiln_virtqueue_unpop(rings.queue, &second);
    kiln_virtqueue_unpop(rings.queue, &first);
    ck_assert_uint_eq(kiln_virtqueue_in_flight(rings.queue), 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.id, 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(rings.element.id, 1);
}
END_TEST

START_TEST(copies)
{
    g_auto(Rings) rings = { 0 };
    char text[32] = "";

    rings_init(&rings, 8, RINGS_SPLIT);
    rings_desc(&rings, 0, RINGS_DATA, 3, NEXT, 1);
    rings_desc(&rings, 1, RINGS_DATA + 10, 4, NEXT, 2);
    rings_desc(&rings, 2, RINGS_DATA + 20, 2, WRITE | NEXT, 3);
    rings_desc(&rings, 3, RINGS_DATA + 30, 5, WRITE, 0);
    memcpy(host(&rings, RINGS_DATA), "abc", 3);
    memcpy(host(&rings, RINGS_DATA + 10), "defg", 4);
    rings_avail(&rings, 0);
    ck_assert_int_eq(rings_pop(&rings), 1);
    ck_assert_uint_eq(kiln_virtqueue_copy_out(&rings.element, 0, text, sizeof text), 7);
    ck_assert_str_eq(text, "abcdefg");
    ck_assert_uint_eq(kiln_virtqueue_copy_out(&rings.element, 2, text, 2), 2);
    ck_assert_mem_eq(text, "cd", 2);
    ck_assert_uint_eq(kiln_virtqueue_copy_out(&rings.element, 7, text, 2), 0);
    ck_assert_uint_eq(kiln_virtqueue_copy_out(&rings.element, SIZE_MAX, text, 2), 0);
    ck_assert_uint_eq(kiln_virtqueue_copy_in(&rings.element, 1, "123456789", 9), 6);
    ck_assert_mem_eq(host(&rings, RINGS_DATA + 20), "\0001\0", 3);
    ck_assert_mem_eq(host(&rings, RINGS_DATA + 30), "23456\0", 6);
}
END_TEST

static Suite *
split_suite(void)
{
    Suite *suite = suite_create("virtio-split");
    TCase *chains = kiln_test_case(suite, "chains");
    TCase *broken = kiln_test_case(suite, "broken");
    TCase *notifications = kiln_test_case(suite, "notifications");

    tcase_add_test(chains, spec_2_7_5_chain_in_order);
    tcase_add_test(chains, spec_2_7_5_3_indirect);
    tcase_add_test(chains, spec_2_7_5_3_2_chain_then_indirect);
    tcase_add_test(chains, buffer_over_regions);
    tcase_add_test(chains, unpop);
    tcase_add_test(chains, copies);
    tcase_add_loop_test(broken, breaks, 0, G_N_ELEMENTS(bad));
    tcase_add_test(broken, spec_2_7_6_head_beyond);
    tcase_add_test(broken, index_too_far_ahead);
    tcase_add_test(broken, more_than_the_ring_in_flight);
    tcase_add_test(broken, more_buffers_than_the_device_takes);
    tcase_add_test(broken, indirect_not_negotiated);
    tcase_add_test(broken, spec_2_7_5_more_than_4_gib);
    tcase_add_test(notifications, spec_2_7_7_interrupt_flag);
    tcase_add_test(notifications, spec_2_7_7_used_event);
    tcase_add_test(notifications, spec_2_7_10_kick_flag);
    tcase_add_test(notifications, spec_2_7_10_avail_event);
    tcase_add_loop_test(notifications, spec_2_7_6_indexes_wrap, 0, 2);
    return suite;
}

KILN_TEST_MAIN(split_suite)
