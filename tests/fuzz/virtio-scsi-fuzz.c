/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtio SCSI adapter whose driver does what it likes to rings and buffers, while the host's disk
 * fails now and then, the device is reset, saved and loaded.  The first byte of the input is the
 * shape of the device, what follows are steps of 16 bytes:
 *
 *   byte 0   what to do
 *   byte 1   which queue, and the like
 *   2, 3     where, little-endian
 *   4 to 15  data: a CDB
 */
#include "device/virtio-scsi.h"

#include <errno.h>
#include <linux/virtio_scsi.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/memory-block.h"
#include "tests/lib/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP_BYTES = 16,
    MAX_STEPS = 512,
    RAM_BYTES = 6 << 20,
    DISK_BYTES = 64 << 10,
    N_QUEUES = 4, /* control, events, two of requests */
    QUEUE_SIZE = 16,
    ARENA_BYTES = 256 << 10, /* of guest RAM, where rings and buffers are */
    ARENA = 1 << 20,
};

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnVirtioScsiOptions options;
    uint8_t shape;
    KilnScsiUnit *disk, *cd;
    MemoryBlock *memory;
    KilnVirtioDevice *device;
    KilnDriver *driver;
    uint64_t accept;
    KilnDriverBuffer buffer; /* 8 KiB for anything */
} Hba;

static KilnScsiUnit *
make_unit(Hba *hba, KilnVirtioDevice *device, KilnScsiKind kind, unsigned target)
{
    KilnScsiUnitOptions options = {
        .kind = kind,
        .write_back = hba->shape & 1,
        .discard = (hba->shape & 2) != 0,
        .read_policy = hba->shape & 8 ? KILN_IO_ERROR_STOP : KILN_IO_ERROR_REPORT,
        .write_policy = hba->shape & 16 ? KILN_IO_ERROR_ENOSPACE : KILN_IO_ERROR_IGNORE,
    };
    KilnScsiUnit *unit;

    if (kind == KILN_SCSI_DISK)
        options.chain = &hba->memory->block;
    unit = kiln_scsi_unit_new(&options, NULL);
    kiln_virtio_scsi_add(device, target, 0, unit, NULL);
    return unit;
}

static KilnVirtioDevice *
make_hba(Hba *hba)
{
    MemoryBlockMode mode = hba->memory != NULL ? hba->memory->mode : MEMORY_BLOCK_SYNC;
    KilnVirtioDevice *device = kiln_virtio_scsi_new(&hba->options, NULL);

    hba->memory = memory_block_new(DISK_BYTES, NULL);
    hba->memory->mode = mode;
    hba->disk = make_unit(hba, device, KILN_SCSI_DISK, 0);
    hba->cd = make_unit(hba, device, KILN_SCSI_CDROM, 1);
    hba->device = device;
    return device;
}

static void
complete_held(Hba *hba)
{
    while (hba->memory->mode == MEMORY_BLOCK_HELD && hba->memory->n_pending > 0)
        memory_block_complete(hba->memory, 0);
}

static void
start(Hba *hba)
{
    complete_held(hba);
    kiln_driver_start(hba->driver, hba->accept);
    hba->buffer = kiln_driver_alloc(hba->driver, 8192);
}

static void
hba_open(Hba *hba, uint8_t shape)
{
    hba->shape = shape;
    hba->board = kiln_board_new();
    hba->ram = kiln_memory_new_plain(RAM_BYTES);
    hba->options = (KilnVirtioScsiOptions){
        .virtio = { .id = "s",
                    .memory = hba->ram,
                    .n_queues = N_QUEUES - 2,
                    .queue_size = QUEUE_SIZE,
                    .packed = TRUE },
    };
    hba->accept = shape & 32 ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT;
    hba->driver = kiln_driver_new(hba->board, hba->ram, make_hba(hba));
    start(hba);
}

static void
hba_close(Hba *hba)
{
    complete_held(hba);
    hba->memory->mode = MEMORY_BLOCK_SYNC;
    kiln_driver_free(hba->driver);
    kiln_memory_free(hba->ram);
    kiln_board_free(hba->board);
}

static KilnDriverBuffer
part(const KilnDriverBuffer *whole, uint32_t at, uint32_t length)
{
    return (KilnDriverBuffer){ whole->gpa + at, whole->host + at, length };
}

/* A request in the form that the specification gives it; what is in it is the input's. */
static void
add_request(Hba *hba, const uint8_t *bytes)
{
    enum { RESPONSE_AT = 64, DATA_AT = 256 };
    unsigned where = kiln_le16_load(bytes + 2);
    struct virtio_scsi_cmd_req header = { .lun = { 1, bytes[1] >> 1 & 3 }, .tag = bytes[1] >> 3 };
    KilnDriverBuffer out[2], in[2];
    uint32_t length = MIN(where & 0x1fff, 7900);

    memcpy(header.cdb, bytes + 4, 12);
    memcpy(hba->buffer.host, &header, sizeof header);
    out[0] = part(&hba->buffer, 0, sizeof header);
    in[0] = part(&hba->buffer, RESPONSE_AT, sizeof(struct virtio_scsi_cmd_resp));
    out[1] = in[1] = part(&hba->buffer, DATA_AT, length);
    kiln_driver_add(hba->driver, 2 + (bytes[1] & 1), out, length > 0 && where & 0x4000 ? 2 : 1, in,
                    length > 0 && where & 0x8000 ? 2 : 1);
}

static void
add_control(Hba *hba, const uint8_t *bytes)
{
    struct virtio_scsi_ctrl_tmf_req request = {
        .type = bytes[2] & 3,
        .subtype = bytes[3] & 15,
        .lun = { 1, bytes[1] >> 1 & 3 },
        .tag = bytes[1] >> 3,
    };
    KilnDriverBuffer out = part(&hba->buffer, 0, MIN(bytes[4] & 63, sizeof request));
    KilnDriverBuffer in = part(&hba->buffer, 64, 1 + (bytes[5] & 15));

    memcpy(hba->buffer.host, &request, sizeof request);
    if (out.length > 0)
        kiln_driver_add(hba->driver, 0, &out, 1, &in, 1);
}

static void
add_event(Hba *hba, const uint8_t *bytes)
{
    KilnDriverBuffer in = part(&hba->buffer, 128, 1 + (bytes[4] & 31));

    kiln_driver_add(hba->driver, 1, NULL, 0, &in, 1);
}

static void
scribble(Hba *hba, const uint8_t *bytes, unsigned length)
{
    uint32_t offset = (kiln_le16_load(bytes + 2) * 4 + (bytes[1] & 3)) % (ARENA_BYTES - 4);

    kiln_memory_write(hba->ram, ARENA + offset, bytes + 4, length);
}

/* Into a ring: its three parts one after the other. */
static void
scribble_ring(Hba *hba, const uint8_t *bytes)
{
    const KilnDriverRing *ring = kiln_driver_ring(hba->driver, bytes[1] & 3);
    const KilnDriverBuffer *parts[] = { &ring->desc, &ring->driver, &ring->device };
    const KilnDriverBuffer *part = parts[(bytes[1] >> 2) % G_N_ELEMENTS(parts)];

    if (part->length >= 4)
        memcpy(part->host + kiln_le16_load(bytes + 2) % (part->length - 3), bytes + 4, 4);
}

static void
step(Hba *hba, const uint8_t *bytes)
{
    MemoryBlock *memory = hba->memory;
    unsigned queue = bytes[1] & 3;

    switch (bytes[0] & 15) {
    case 0:
    case 1:
    case 2: add_request(hba, bytes); break;
    case 3: scribble(hba, bytes, 4); break;
    case 4: add_control(hba, bytes); break;
    case 5: scribble_ring(hba, bytes); break;
    case 6: kiln_driver_kick_always(hba->driver, queue); break;
    case 7: kiln_driver_settle(hba->driver); break;
    case 8:
        if (memory->mode == MEMORY_BLOCK_HELD && memory->n_pending > 0)
            memory_block_complete(memory, bytes[1] % memory->n_pending);
        break;
    case 9: memory_block_fail(memory, bytes[1] & 7, bytes[2], bytes[3] & 1 ? ENOSPC : EIO); break;
    case 10:
        complete_held(hba);
        kiln_driver_settle(hba->driver);
        if (memory->n_pending == 0)
            memory->mode = (MemoryBlockMode)(bytes[1] % 3);
        break;
    case 11:
        kiln_driver_set_config(hba->driver, bytes[2] & 28, kiln_le16_load(bytes + 4), 4);
        break;
    case 12:
        if (bytes[1] & 1)
            start(hba);
        break;
    case 13: add_event(hba, bytes); break;
    case 14:
        complete_held(hba);
        kiln_virtio_device_quiesce(hba->device);
        kiln_scsi_unit_resized(hba->disk);
        kiln_scsi_unit_set_medium(hba->cd, NULL, bytes[1] & 1, NULL);
        kiln_virtio_device_resume(hba->device);
        break;
    default:
        complete_held(hba);
        if (bytes[1] & 1)
            kiln_driver_migrate(hba->driver, make_hba(hba));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Hba hba = { 0 };

    if (size < 1 + STEP_BYTES || size > 1 + MAX_STEPS * STEP_BYTES)
        return 0;
    hba_open(&hba, data[0]);
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES)
        step(&hba, data + at);
    kiln_driver_settle(hba.driver);
    hba_close(&hba);
    return 0;
}
