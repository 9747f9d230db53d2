/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a virtqueue costs: a chain of three descriptors (as a disk's read: header, data, status) is
 * made available by the driver's side, popped, pushed, flushed and taken again, in one thread, with
 * interrupts off.  Prints nanoseconds of the device's part a chain: the least of all batches, since
 * whatever else runs only adds to it, and the median.
 *
 *     queue [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "virtio/queue-private.h"

enum { SIZE = 256, BATCH = 32, DESC_AT = 0x1000, DRIVER_AT = 0x4000, DEVICE_AT = 0x6000 };

static double
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

typedef struct {
    KilnMemory *memory;
    KilnVirtqueue *queue;
    KilnVirtqueueMode mode;
    uint16_t next; /* packed: slot */
    bool wrap;
} Bench;

/* A batch of chains as the driver writes them. */
static void
make_available(Bench *bench)
{
    struct vring_avail *avail = kiln_memory_map(bench->memory, DRIVER_AT, 1);
    struct vring_packed_desc *ring = kiln_memory_map(bench->memory, DESC_AT, 1);

    for (unsigned i = 0; i < BATCH && !bench->mode.packed; i++)
        avail->ring[(uint16_t)(avail->idx + i) % SIZE] = (uint16_t)(3 * (i % (SIZE / 3)));
    if (!bench->mode.packed) {
        avail->idx += BATCH;
        return;
    }
    for (unsigned i = 0; i < 3 * BATCH; i++) {
        uint16_t flags =
            bench->wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;

        flags |= (i % 3 < 2 ? VRING_DESC_F_NEXT : 0) | (i % 3 > 0 ? VRING_DESC_F_WRITE : 0);
        ring[bench->next] = (struct vring_packed_desc){
            .addr = 0x100000 + i * 0x1000, .len = 512, .id = (uint16_t)i, .flags = flags
        };
        if (++bench->next == SIZE) {
            bench->next = 0;
            bench->wrap = !bench->wrap;
        }
    }
}

static void
fill_table(Bench *bench)
{
    struct vring_desc *desc = kiln_memory_map(bench->memory, DESC_AT, 1);

    for (unsigned i = 0; i < SIZE; i++)
        desc[i] = (struct vring_desc){
            .addr = 0x100000 + i * 0x1000,
            .len = 512,
            .flags = (i % 3 < 2 ? VRING_DESC_F_NEXT : 0) | (i % 3 > 0 ? VRING_DESC_F_WRITE : 0),
            .next = (uint16_t)((i + 1) % SIZE),
        };
}

/* The device's part of a batch. */
static void
serve(Bench *bench, unsigned per_flush)
{
    struct iovec iov[BATCH + 1][8];
    KilnVirtqElement elements[BATCH + 1];
    unsigned n = 0;

    for (;;) {
        elements[n] = (KilnVirtqElement){ .iov = iov[n], .max_iov = 8 };
        if (kiln_virtqueue_pop(bench->queue, &elements[n]) <= 0)
            break;
        n++;
    }
    g_assert(n == BATCH);
    for (unsigned i = 0; i < n; i++) {
        kiln_virtqueue_push(bench->queue, &elements[i], 513);
        if ((i + 1) % per_flush == 0)
            kiln_virtqueue_flush(bench->queue);
    }
}

static int
by_value(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

static void
measure(const char *name, KilnVirtqueueMode mode, unsigned per_flush, unsigned rounds)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(16 << 20);
    Bench bench = { .memory = memory, .mode = mode, .wrap = true };
    KilnVirtqueueRegs regs = {
        .size = SIZE, .enabled = true, .desc = DESC_AT, .driver = DRIVER_AT, .device = DEVICE_AT
    };
    g_autofree double *spent = g_new(double, rounds);

    bench.queue = kiln_virtqueue_new(memory, 0, SIZE);
    if (!kiln_virtqueue_start(bench.queue, &regs, &mode, NULL))
        g_error("the queue does not start");
    if (!mode.packed)
        fill_table(&bench);
    for (unsigned i = 0; i < rounds; i++) {
        double before;

        make_available(&bench);
        before = now_ns();
        serve(&bench, per_flush);
        spent[i] = (now_ns() - before) / BATCH;
    }
    qsort(spent, rounds, sizeof *spent, by_value);
    printf("%-32s %6.1f ns, median %6.1f\n", name, spent[0], spent[rounds / 2]);
    kiln_virtqueue_free(bench.queue);
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)g_ascii_strtoull(argv[1], NULL, 10) : 50000;
    KilnVirtqueueMode split = { .event_idx = true }, packed = { .event_idx = true, .packed = true };

    measure("split, a flush for 32", split, BATCH, rounds);
    measure("split, a flush each", split, 1, rounds);
    measure("packed, a flush for 32", packed, BATCH, rounds);
    measure("packed, a flush each", packed, 1, rounds);
    return 0;
}
