/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtqueue, split or packed, over memory that somebody else fills: whatever is popped lies in
 * guest RAM, and nothing loops.  The input:
 *
 *   byte 0     1 packed, 2 event index, 4 indirect
 *   1, 2       the queue's size, little-endian, modulo what may be
 *   3, 4       bytes of guest RAM, from 0 on, that follow: the rings are at 0, 0x4000 and 0x8000
 *   then steps of 12 bytes: what to do, an argument, an offset (2), a value (8)
 */
#include <stdint.h>

#include "base/intmath.h"
#include "base/le.h"
#include "tests/virtio/rings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEADER_BYTES = 5,
    STEP_BYTES = 12,
    MAX_STEPS = 2000,
    MAX_IOV = 24,
    RAM_BYTES = 0x10000,
    DRIVER_AT = 0x4000,
    DEVICE_AT = 0x8000,
};

typedef struct {
    KilnVirtqElement element;
    struct iovec iov[MAX_IOV];
} Popped;

typedef struct {
    KilnMemory *memory;
    uint8_t *ram;
    KilnVirtqueue *queue;
    KilnVirtqueueRegs regs;
    KilnVirtqueueMode mode;
    Popped *popped; /* (owned): in the order of their pops */
    unsigned n_popped;
    bool started;
} Fuzz;

static void
start(Fuzz *fuzz)
{
    fuzz->started = kiln_virtqueue_start(fuzz->queue, &fuzz->regs, &fuzz->mode, NULL);
}

static gboolean
open_queue(Fuzz *fuzz, const uint8_t *data)
{
    uint16_t size = (uint16_t)(kiln_le16_load(data + 1) % KILN_VIRTQUEUE_MAX_SIZE + 1);

    fuzz->mode = (KilnVirtqueueMode){ .packed = data[0] & 1,
                                      .event_idx = data[0] & 2,
                                      .indirect = data[0] & 4 };
    fuzz->memory = kiln_memory_new_plain(RAM_BYTES);
    fuzz->ram = kiln_memory_map(fuzz->memory, 0, RAM_BYTES);
    fuzz->queue = kiln_virtqueue_new(fuzz->memory, 0, KILN_VIRTQUEUE_MAX_SIZE);
    fuzz->regs = (KilnVirtqueueRegs){
        .size = size, .enabled = true, .driver = DRIVER_AT, .device = DEVICE_AT
    };
    fuzz->queue->regs = fuzz->regs;
    fuzz->popped = g_new(Popped, KILN_VIRTQUEUE_MAX_SIZE);
    start(fuzz);
    return fuzz->started;
}

static void
close_queue(Fuzz *fuzz)
{
    kiln_virtqueue_free(fuzz->queue);
    kiln_memory_free(fuzz->memory);
    g_free(fuzz->popped);
}

static void
check_element(const Fuzz *fuzz, const KilnVirtqElement *element)
{
    uint64_t sum = 0;

    if (element->n_out + element->n_in > MAX_IOV)
        g_error("%u + %u buffers", element->n_out, element->n_in);
    for (unsigned i = 0; i < (unsigned)element->n_out + element->n_in; i++) {
        uint64_t offset = (uintptr_t)element->iov[i].iov_base - (uintptr_t)fuzz->ram;

        if (!kiln_range_inside(offset, element->iov[i].iov_len, RAM_BYTES))
            g_error("buffer %u is not in memory", i);
        sum += element->iov[i].iov_len;
    }
    if (sum != (uint64_t)element->out_bytes + element->in_bytes)
        g_error("the sums are wrong");
}

static void
pop(Fuzz *fuzz)
{
    Popped *popped = &fuzz->popped[fuzz->n_popped];
    Popped spare;

    if (fuzz->n_popped == KILN_VIRTQUEUE_MAX_SIZE)
        popped = &spare;
    popped->element = (KilnVirtqElement){ .iov = popped->iov, .max_iov = MAX_IOV };
    if (kiln_virtqueue_pop(fuzz->queue, &popped->element) <= 0)
        return;
    check_element(fuzz, &popped->element);
    fuzz->n_popped++;
    if (fuzz->n_popped > fuzz->regs.size)
        g_error("more is in flight than the ring has room for");
}

static KilnVirtqElement *
nth(Fuzz *fuzz, unsigned n)
{
    fuzz->popped[n].element.iov = fuzz->popped[n].iov;
    return &fuzz->popped[n].element;
}

static void
push(Fuzz *fuzz, unsigned n, uint32_t written)
{
    kiln_virtqueue_push(fuzz->queue, nth(fuzz, n), written);
    fuzz->n_popped--;
    memmove(&fuzz->popped[n], &fuzz->popped[n + 1], (fuzz->n_popped - n) * sizeof(Popped));
}

/* Stopped, saved, loaded into another and started. */
static void
move(Fuzz *fuzz)
{
    KilnStateEntry entry = { &kiln_virtqueue_state, 0, fuzz->queue };
    g_autoptr(GByteArray) saved = NULL;

    for (unsigned i = 0; i < fuzz->n_popped; i++)
        kiln_virtqueue_keep(fuzz->queue, nth(fuzz, i));
    fuzz->n_popped = 0;
    kiln_virtqueue_stop(fuzz->queue);
    saved = kiln_state_save(&entry, 1);
    kiln_virtqueue_free(fuzz->queue);
    fuzz->queue = kiln_virtqueue_new(fuzz->memory, 0, KILN_VIRTQUEUE_MAX_SIZE);
    entry.object = fuzz->queue;
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("a queue does not load what it has saved");
    start(fuzz);
    if (!fuzz->started)
        g_error("a queue does not start where it was");
}

static void
step(Fuzz *fuzz, const uint8_t *bytes)
{
    uint16_t offset = kiln_le16_load(bytes + 2);
    uint64_t value = kiln_le64_load(bytes + 4);
    unsigned width = 1u << (bytes[1] % 4);

    switch (bytes[0] % 16) {
    case 0: (void)kiln_virtqueue_set_notify(fuzz->queue, bytes[1] & 1); break;
    case 1: move(fuzz); break;
    case 2:
        if (fuzz->n_popped == 0)
            (void)kiln_virtqueue_set_base(fuzz->queue, (uint32_t)value);
        break;
    case 3:
        if (fuzz->n_popped > 0)
            kiln_virtqueue_unpop(fuzz->queue, nth(fuzz, --fuzz->n_popped));
        break;
    case 4 ... 6:
        if (fuzz->n_popped > 0)
            push(fuzz, bytes[1] % fuzz->n_popped, (uint32_t)value);
        break;
    case 7: kiln_virtqueue_flush(fuzz->queue); break;
    case 8 ... 11: pop(fuzz); break;
    default:
        if (offset + width <= RAM_BYTES)
            memcpy(fuzz->ram + offset, bytes + 4, width);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Fuzz fuzz = { 0 };
    size_t n_ram;

    if (size < HEADER_BYTES)
        return 0;
    if (open_queue(&fuzz, data)) {
        n_ram = MIN(kiln_le16_load(data + 3), size - HEADER_BYTES);
        memcpy(fuzz.ram, data + HEADER_BYTES, n_ram);
        for (size_t i = HEADER_BYTES + n_ram, n = 0; i + STEP_BYTES <= size && n < MAX_STEPS;
             i += STEP_BYTES, n++)
            step(&fuzz, data + i);
    }
    close_queue(&fuzz);
    return 0;
}
