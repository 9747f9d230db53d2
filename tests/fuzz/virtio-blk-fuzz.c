/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio disk whose driver does what it likes to rings and buffers, while the host's disk fails
 * now and then, the device is reset, saved and loaded.  The first byte of the input is the shape of
 * the device, what follows are steps of 8 bytes:
 *
 *   byte 0  what to do
 *   byte 1  which queue, request type, and the like
 *   2, 3    where, little-endian
 *   4 to 7  data
 */
#include "device/virtio-blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/memory-block.h"
#include "tests/lib/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP_BYTES = 8,
    MAX_STEPS = 512,
    RAM_BYTES = 6 << 20,
    DISK_BYTES = 64 << 10,
    N_QUEUES = 2,
    QUEUE_SIZE = 16,
    ARENA_BYTES = 256 << 10, /* of guest RAM, where rings and buffers are */
    ARENA = 1 << 20,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnVirtioBlkOptions options;
    MemoryBlock *memory;
    KilnDriver *driver;
    uint64_t accept;
    KilnDriverBuffer buffer; /* 8 KiB for anything */
} Disk;

static KilnVirtioDevice *
make_blk(Disk *disk)
{
    MemoryBlockMode mode = disk->memory != NULL ? disk->memory->mode : MEMORY_BLOCK_SYNC;

    disk->memory = memory_block_new(DISK_BYTES, NULL);
    disk->memory->mode = mode;
    disk->options.chain = &disk->memory->block;
    return kiln_virtio_blk_new(&disk->options, NULL);
}

static void
complete_held(Disk *disk)
{
    while (disk->memory->mode == MEMORY_BLOCK_HELD && disk->memory->n_pending > 0)
        memory_block_complete(disk->memory, 0);
}

static void
start(Disk *disk)
{
    complete_held(disk);
    kiln_driver_start(disk->driver, disk->accept);
    disk->buffer = kiln_driver_alloc(disk->driver, 8192);
}

static void
disk_open(Disk *disk, uint8_t shape)
{
    disk->board = kiln_board_new();
    disk->ram = kiln_memory_new_plain(RAM_BYTES);
    disk->options = (KilnVirtioBlkOptions){
        .virtio = { .id = "d",
                    .memory = disk->ram,
                    .n_queues = N_QUEUES,
                    .queue_size = QUEUE_SIZE,
                    .packed = TRUE },
        .write_back = shape & 1,
        .discard = (shape & 2) != 0,
        .read_only = (shape & 0x44) == 0x44,
        .read_policy = shape & 8 ? KILN_IO_ERROR_STOP : KILN_IO_ERROR_REPORT,
        .write_policy = shape & 16 ? KILN_IO_ERROR_ENOSPACE : KILN_IO_ERROR_IGNORE,
    };
    disk->accept = shape & 32 ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT;
    disk->driver = kiln_driver_new(disk->board, disk->ram, make_blk(disk));
    start(disk);
}

static void
disk_close(Disk *disk)
{
    complete_held(disk);
    disk->memory->mode = MEMORY_BLOCK_SYNC;
    kiln_driver_free(disk->driver);
    kiln_memory_free(disk->ram);
    kiln_board_free(disk->board);
}

/* A request in the form that the specification gives it; what is in it is the input's. */
static void
add(Disk *disk, const uint8_t *bytes)
{
    unsigned where = kiln_le16_load(bytes + 2);
    struct virtio_blk_outhdr header = { .type = bytes[1] >> 1 & 15, .sector = bytes[4] };
    struct virtio_blk_discard_write_zeroes segment = { bytes[4], bytes[5], bytes[6] & 3 };
    KilnDriverBuffer *whole = &disk->buffer;
    KilnDriverBuffer header_at = { whole->gpa, whole->host, 16 };
    KilnDriverBuffer data = { whole->gpa + 16, whole->host + 16, where & 0x1fff };
    KilnDriverBuffer status = { whole->gpa + 8191, whole->host + 8191, 1 };
    KilnDriverBuffer out[2] = { header_at, data };
    KilnDriverBuffer in[2] = { data, status };
    gboolean device_writes = (where & 0x8000) != 0;

    data.length = MIN(data.length, 8000);
    out[1].length = in[0].length = data.length;
    memcpy(whole->host, &header, sizeof header);
    memcpy(data.host, &segment, sizeof segment);
    if (data.length == 0)
        kiln_driver_add(disk->driver, bytes[1] & 1, out, 1, &status, 1);
    else if (device_writes)
        kiln_driver_add(disk->driver, bytes[1] & 1, out, 1, in, 2);
    else
        kiln_driver_add(disk->driver, bytes[1] & 1, out, 2, &status, 1);
}

static void
scribble(Disk *disk, const uint8_t *bytes, unsigned length)
{
    uint32_t offset = (kiln_le16_load(bytes + 2) * 4 + (bytes[1] & 3)) % (ARENA_BYTES - 4);

    kiln_memory_write(disk->ram, ARENA + offset, bytes + 4, length);
}

/* Into a ring: its three parts one after the other. */
static void
scribble_ring(Disk *disk, const uint8_t *bytes)
{
    const KilnDriverRing *ring = kiln_driver_ring(disk->driver, bytes[1] & 1);
    const KilnDriverBuffer *parts[] = { &ring->desc, &ring->driver, &ring->device };
    const KilnDriverBuffer *part = parts[(bytes[1] >> 1) % G_N_ELEMENTS(parts)];

    if (part->length >= 4)
        memcpy(part->host + kiln_le16_load(bytes + 2) % (part->length - 3), bytes + 4, 4);
}

static void
step(Disk *disk, const uint8_t *bytes)
{
    MemoryBlock *memory = disk->memory;
    unsigned queue = bytes[1] & 1;

    switch (bytes[0] % 14) {
    case 0:
    case 1:
    case 2: add(disk, bytes); break;
    case 3: scribble(disk, bytes, 4); break;
    case 4: scribble(disk, bytes, 2); break;
    case 5: scribble_ring(disk, bytes); break;
    case 6: kiln_driver_kick_always(disk->driver, queue); break;
    case 7: kiln_driver_settle(disk->driver); break;
    case 8:
        if (memory->mode == MEMORY_BLOCK_HELD && memory->n_pending > 0)
            memory_block_complete(memory, bytes[1] % memory->n_pending);
        break;
    case 9: memory_block_fail(memory, bytes[1] & 7, bytes[2], bytes[3] & 1 ? ENOSPC : EIO); break;
    case 10:
        complete_held(disk);
        kiln_driver_settle(disk->driver);
        if (memory->n_pending == 0)
            memory->mode = (MemoryBlockMode)(bytes[1] % 3);
        break;
    case 11: kiln_driver_set_config(disk->driver, bytes[2] & 60, bytes[4], 1); break;
    case 12:
        if (bytes[1] & 1)
            start(disk);
        break;
    default:
        complete_held(disk);
        if (bytes[1] & 1)
            kiln_driver_migrate(disk->driver, make_blk(disk));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Disk disk = { 0 };

    if (size < 1 + STEP_BYTES || size > 1 + MAX_STEPS * STEP_BYTES)
        return 0;
    disk_open(&disk, data[0]);
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES)
        step(&disk, data + at);
    kiln_driver_settle(disk.driver);
    disk_close(&disk);
    return 0;
}
