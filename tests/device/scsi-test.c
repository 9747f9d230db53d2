/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SCSI unit as an initiator sees it, on a disk in memory: SPC-4, SBC-3, MMC-6. */
#include "device/scsi.h"

#include <errno.h>
#include <string.h>

#include "base/be.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/memory-block.h"

enum {
    BLOCK = 512,
    DISK_BLOCKS = 2048,
    CD_BLOCK = 2048,
    CD_BLOCKS = 300,
    DATA_BYTES = 256 << 10,
};

typedef struct {
    KilnScsiUnit *unit;
    MemoryBlock *memory;
    KilnScsiCommand command;
    unsigned n_done;
    uint8_t *data; /* (owned): DATA_BYTES, what commands transfer */
    struct iovec iov[3];
    unsigned n_errors, n_attentions, n_trays;
    gboolean tray_open;
} Fixture;

static Fixture *current;

static void
on_done(KilnScsiCommand *command)
{
    (void)command;
    current->n_done++;
}

static void
on_error(void *opaque, gboolean is_read, int error, KilnIoErrorPolicy action)
{
    (void)is_read;
    (void)error;
    (void)action;
    ((Fixture *)opaque)->n_errors++;
}

static void
on_tray(void *opaque, gboolean open)
{
    Fixture *fixture = opaque;

    fixture->n_trays++;
    fixture->tray_open = open;
}

static void
on_attention(void *opaque, uint8_t asc, uint8_t ascq)
{
    (void)asc;
    (void)ascq;
    ((Fixture *)opaque)->n_attentions++;
}

/* Submits; the answer may come later. */
static void
submit(Fixture *fixture, const uint8_t *cdb, size_t cdb_bytes, KilnScsiDirection direction,
       uint32_t length)
{
    KilnScsiCommand *command = &fixture->command;
    uint32_t third = length / 3;

    memset(command, 0, sizeof *command);
    memcpy(command->cdb, cdb, cdb_bytes);
    command->direction = direction;
    command->length = length;
    command->done = on_done;
    command->iov = fixture->iov;
    command->n_iov = length > 0 ? 3 : 0;
    fixture->iov[0] = (struct iovec){ fixture->data, third };
    fixture->iov[1] = (struct iovec){ fixture->data + third, third };
    fixture->iov[2] = (struct iovec){ fixture->data + 2 * third, length - 2 * third };
    current = fixture;
    fixture->n_done = 0;
    kiln_scsi_unit_submit(fixture->unit, command);
}

#define CDB(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* Returns: sense key, code and qualifier as 0xKAAQQ; 0 if the status is GOOD. */
static unsigned
run(Fixture *fixture, const uint8_t *cdb, size_t cdb_bytes, KilnScsiDirection direction,
    uint32_t length)
{
    const KilnScsiCommand *command = &fixture->command;

    submit(fixture, cdb, cdb_bytes, direction, length);
    ck_assert_uint_eq(fixture->n_done, 1);
    ck_assert_int_eq(command->outcome, KILN_SCSI_DONE);
    /* Buffers are as they were. */
    ck_assert_uint_eq(fixture->iov[0].iov_len + fixture->iov[1].iov_len + fixture->iov[2].iov_len,
                      length);
    if (command->status == KILN_SCSI_GOOD) {
        ck_assert_uint_eq(command->sense_length, 0);
        return 0;
    }
    ck_assert_uint_eq(command->status, KILN_SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(command->sense_length, KILN_SCSI_SENSE_BYTES);
    ck_assert_uint_eq(command->sense[0], 0x70);
    ck_assert_uint_eq(command->residual, length);
    return (unsigned)command->sense[2] << 16 | (unsigned)command->sense[12] << 8 |
           command->sense[13];
}

static unsigned
run_none(Fixture *fixture, const uint8_t *cdb, size_t cdb_bytes)
{
    return run(fixture, cdb, cdb_bytes, KILN_SCSI_NO_DATA, 0);
}

static unsigned
test_ready(Fixture *fixture)
{
    return run_none(fixture, CDB(0x00));
}

static void
fixture_open(Fixture *fixture, KilnScsiUnitOptions options, uint64_t bytes)
{
    g_autoptr(GError) error = NULL;

    memset(fixture, 0, sizeof *fixture);
    if (bytes > 0) {
        fixture->memory = memory_block_new(bytes, NULL);
        options.chain = &fixture->memory->block;
    }
    options.io_error = on_error;
    options.tray_moved = on_tray;
    options.attention = on_attention;
    options.opaque = fixture;
    fixture->data = g_malloc0(DATA_BYTES);
    fixture->unit = kiln_scsi_unit_new(&options, &error);
    kiln_assert_no_error(error);
}

static void
fixture_close(Fixture *fixture)
{
    kiln_scsi_unit_free(fixture->unit);
    g_free(fixture->data);
}

static void
open_disk(Fixture *fixture)
{
    fixture_open(fixture,
                 (KilnScsiUnitOptions){ .serial = "S1",
                                        .wwn = 0x5000c50012345678,
                                        .rotation_rate = 1,
                                        .write_back = TRUE,
                                        .discard = TRUE },
                 DISK_BLOCKS * BLOCK);
    ck_assert_uint_eq(test_ready(fixture), 0x62901);
    ck_assert_uint_eq(test_ready(fixture), 0);
}

static void
open_cdrom(Fixture *fixture, gboolean atapi)
{
    fixture_open(fixture,
                 (KilnScsiUnitOptions){ .kind = KILN_SCSI_CDROM, .atapi = atapi, .id = "cd0" },
                 CD_BLOCKS * CD_BLOCK);
    for (unsigned i = 0; i < CD_BLOCKS; i++)
        memset(fixture->memory->bytes + i * CD_BLOCK, (int)(i & 0xff), CD_BLOCK);
    ck_assert_uint_eq(test_ready(fixture), 0x62901);
}

/* ---- Who are you ---- */

START_TEST(inquiry)
{
    Fixture fixture;

    open_disk(&fixture);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 0, 0, 0, 96), KILN_SCSI_DATA_IN, 96), 0);
    ck_assert_uint_eq(fixture.command.residual, 96 - 36);
    ck_assert_int_eq(memcmp(fixture.data + 8, "KILN    KILN HARDDISK   1.0 ", 28), 0);
    ck_assert_uint_eq(fixture.data[0], 0);
    /* Cut to what was allocated. */
    memset(fixture.data, 0xee, 36);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 0, 0, 0, 5), KILN_SCSI_DATA_IN, 96), 0);
    ck_assert_uint_eq(fixture.command.residual, 91);
    ck_assert_uint_eq(fixture.data[5], 0xee);
    /* And to the buffers. */
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 0, 0, 0, 96), KILN_SCSI_DATA_IN, 8), 0);
    ck_assert_uint_eq(fixture.command.residual, 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 0, 1, 0, 96), KILN_SCSI_DATA_IN, 96), 0x52400);
    fixture_close(&fixture);
}
END_TEST

START_TEST(vital_product_data)
{
    Fixture fixture;
    const uint8_t *data;

    open_disk(&fixture);
    data = fixture.data;
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_int_eq(memcmp(data, "\0\0\0\6\x00\x80\x83\xb0\xb1\xb2", 10), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0x80, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_int_eq(memcmp(data, "\0\x80\0\2S1", 6), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0x83, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_int_eq(
        memcmp(data, "\0\x83\0\x12\2\0\0\2S1\1\3\0\x8\x50\0\xc5\0\x12\x34\x56\x78", 22), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0xb0, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_uint_eq(kiln_be16_load(data + 2), 0x3c);
    ck_assert_uint_eq(data[4], 1);
    ck_assert_uint_eq(kiln_be32_load(data + 24), 255);
    ck_assert_uint_eq(kiln_be32_load(data + 28), 8);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0xb1, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_uint_eq(kiln_be16_load(data + 4), 1);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0xb2, 0, 252), KILN_SCSI_DATA_IN, 252), 0);
    ck_assert_uint_eq(data[5], 0xe0);
    ck_assert_uint_eq(data[6], 2);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 1, 0xb9, 0, 252), KILN_SCSI_DATA_IN, 252), 0x52400);
    fixture_close(&fixture);
}
END_TEST

START_TEST(capacity)
{
    Fixture fixture;

    open_disk(&fixture);
    ck_assert_uint_eq(run(&fixture, CDB(0x25), KILN_SCSI_DATA_IN, 8), 0);
    ck_assert_uint_eq(kiln_be32_load(fixture.data), DISK_BLOCKS - 1);
    ck_assert_uint_eq(kiln_be32_load(fixture.data + 4), BLOCK);
    ck_assert_uint_eq(run(&fixture, CDB(0x25, 0, 0, 0, 0, 1), KILN_SCSI_DATA_IN, 8), 0x52400);
    ck_assert_uint_eq(
        run(&fixture, CDB(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32), KILN_SCSI_DATA_IN, 32),
        0);
    ck_assert_uint_eq(kiln_be64_load(fixture.data), DISK_BLOCKS - 1);
    ck_assert_uint_eq(fixture.data[14], 0x80);
    ck_assert_uint_eq(run(&fixture, CDB(0x9e, 0x11), KILN_SCSI_DATA_IN, 32), 0x52000);
    fixture_close(&fixture);
}
END_TEST

START_TEST(mode_pages)
{
    Fixture fixture;
    uint8_t list[24];

    open_disk(&fixture);
    ck_assert_uint_eq(run(&fixture, CDB(0x1a, 0, 0x3f, 0, 255), KILN_SCSI_DATA_IN, 255), 0);
    ck_assert_uint_eq(fixture.data[0], 255 - fixture.command.residual - 1);
    ck_assert_uint_eq(fixture.data[2], 0x10);
    ck_assert_uint_eq(fixture.data[3], 8);
    ck_assert_uint_eq(run(&fixture, CDB(0x1a, 8, 0xc8, 0, 255), KILN_SCSI_DATA_IN, 255), 0x53900);
    ck_assert_uint_eq(run(&fixture, CDB(0x1a, 8, 0x2a, 0, 255), KILN_SCSI_DATA_IN, 255), 0x52400);
    ck_assert_uint_eq(run(&fixture, CDB(0x1a, 8, 0x08, 0, 24), KILN_SCSI_DATA_IN, 24), 0);
    ck_assert_uint_eq(fixture.data[6], 4);
    /* Without the write cache, writes are on stable storage at once. */
    memcpy(list, fixture.data, sizeof list);
    list[0] = 0;
    list[6] = 0;
    memcpy(fixture.data, list, sizeof list);
    ck_assert_uint_eq(run(&fixture, CDB(0x15, 0x10, 0, 0, 24), KILN_SCSI_DATA_OUT, 24), 0);
    ck_assert_uint_eq(fixture.memory->seen.flushes, 1);
    ck_assert_uint_eq(run(&fixture, CDB(0x2a, 0, 0, 0, 0, 0, 0, 0, 1), KILN_SCSI_DATA_OUT, 512), 0);
    ck_assert_uint_eq(fixture.memory->seen.fua, 1);
    /* Nothing else can be changed, nor are there other lengths. */
    memcpy(fixture.data, list, sizeof list);
    fixture.data[7] = 1;
    ck_assert_uint_eq(run(&fixture, CDB(0x15, 0x10, 0, 0, 24), KILN_SCSI_DATA_OUT, 24), 0x52600);
    memcpy(fixture.data, list, sizeof list);
    ck_assert_uint_eq(run(&fixture, CDB(0x15, 0x10, 0, 0, 23), KILN_SCSI_DATA_OUT, 24), 0x52600);
    ck_assert_uint_eq(run(&fixture, CDB(0x15, 0x10, 0, 0, 3), KILN_SCSI_DATA_OUT, 24), 0x51a00);
    ck_assert_uint_eq(run(&fixture, CDB(0x15, 0x11, 0, 0, 24), KILN_SCSI_DATA_OUT, 24), 0x52400);
    fixture_close(&fixture);
}
END_TEST

/* ---- Data ---- */

START_TEST(hostile_ranges)
{
    Fixture fixture;

    open_disk(&fixture);
    /* The last block, one too many, beyond, and sums that wrap. */
    ck_assert_uint_eq(run(&fixture, CDB(0x28, 0, 0, 0, 7, 0xff, 0, 0, 1), KILN_SCSI_DATA_IN, 512),
                      0);
    ck_assert_uint_eq(run(&fixture, CDB(0x28, 0, 0, 0, 7, 0xff, 0, 0, 2), KILN_SCSI_DATA_IN, 1024),
                      0x52100);
    ck_assert_uint_eq(run(&fixture,
                          CDB(0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2),
                          KILN_SCSI_DATA_IN, 1024),
                      0x52100);
    ck_assert_uint_eq(
        run(&fixture, CDB(0x2f, 0, 255, 255, 255, 255, 0, 255, 255), KILN_SCSI_NO_DATA, 0),
        0x52100);
    /* No blocks are no mistake, unless they begin beyond the end. */
    ck_assert_uint_eq(run_none(&fixture, CDB(0x28, 0, 0, 0, 8, 0)), 0);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x28, 0, 0, 0, 8, 1)), 0x52100);
    ck_assert_uint_eq(run(&fixture, CDB(0x28, 0x20, 0, 0, 0, 0, 0, 0, 1), KILN_SCSI_DATA_IN, 512),
                      0x52400);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x5e)), 0x52000);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x5f)), 0x52000);
    ck_assert_uint_eq(run_none(&fixture, CDB(0xff)), 0x52000);
    ck_assert_uint_eq(fixture.memory->seen.reads, 1);
    fixture_close(&fixture);
}
END_TEST

START_TEST(overrun)
{
    Fixture fixture;

    open_disk(&fixture);
    submit(&fixture, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 2), KILN_SCSI_DATA_IN, 1023);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_OVERRUN);
    submit(&fixture, CDB(0x28, 0, 0, 0, 0, 0, 0, 0, 2), KILN_SCSI_DATA_OUT, 1024);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_OVERRUN);
    submit(&fixture, CDB(0xaa, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), KILN_SCSI_DATA_OUT, 1024);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_OVERRUN);
    submit(&fixture, CDB(0x12, 0, 0, 0, 36), KILN_SCSI_DATA_OUT, 36);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_OVERRUN);
    submit(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 24), KILN_SCSI_DATA_OUT, 8);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_OVERRUN);
    ck_assert_uint_eq(fixture.memory->seen.reads + fixture.memory->seen.writes, 0);
    fixture_close(&fixture);
}
END_TEST

static void
put_segment(uint8_t *at, uint64_t lba, uint32_t n_blocks)
{
    kiln_be64_store(at, lba);
    kiln_be32_store(at + 8, n_blocks);
    kiln_be32_store(at + 12, 0);
}

START_TEST(unmap)
{
    Fixture fixture;

    open_disk(&fixture);
    kiln_be16_store(fixture.data, 38);
    kiln_be16_store(fixture.data + 2, 32);
    put_segment(fixture.data + 8, 8, 8);
    put_segment(fixture.data + 24, 64, 16);
    ck_assert_uint_eq(run(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), KILN_SCSI_DATA_OUT, 40), 0);
    ck_assert_uint_eq(fixture.memory->seen.discards, 2);
    /* All are checked before any is done. */
    put_segment(fixture.data + 24, DISK_BLOCKS, 1);
    ck_assert_uint_eq(run(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), KILN_SCSI_DATA_OUT, 40),
                      0x52100);
    /* More than the unit says that it takes at once. */
    put_segment(fixture.data + 24, 64, (1 << 30) / BLOCK);
    ck_assert_uint_eq(run(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), KILN_SCSI_DATA_OUT, 40),
                      0x52600);
    kiln_be16_store(fixture.data + 2, 33);
    ck_assert_uint_eq(run(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 41), KILN_SCSI_DATA_OUT, 41),
                      0x51a00);
    kiln_be16_store(fixture.data + 2, 0xfff0);
    ck_assert_uint_eq(run(&fixture, CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 40), KILN_SCSI_DATA_OUT, 40),
                      0x51a00);
    ck_assert_uint_eq(fixture.memory->seen.discards, 2);
    fixture_close(&fixture);
}
END_TEST

START_TEST(write_same)
{
    Fixture fixture;

    open_disk(&fixture);
    memset(fixture.memory->bytes, 0xaa, DISK_BLOCKS * BLOCK);
    memset(fixture.data, 0x11, BLOCK);
    /* In steps, of which each is done at once: not by recursion. */
    ck_assert_uint_eq(run(&fixture, CDB(0x41, 0, 0, 0, 0, 1, 0, 7, 0xfe), KILN_SCSI_DATA_OUT, 512),
                      0);
    for (unsigned i = 0; i < DISK_BLOCKS; i++)
        ck_assert_uint_eq(fixture.memory->bytes[i * BLOCK],
                          i == 0 || i == DISK_BLOCKS - 1 ? 0xaa : 0x11);
    memset(fixture.data, 0, BLOCK);
    ck_assert_uint_eq(
        run(&fixture, CDB(0x93, 8, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3), KILN_SCSI_DATA_OUT, 512),
        0);
    ck_assert_uint_eq(fixture.memory->seen.may_unmap, 1);
    ck_assert_uint_eq(fixture.memory->bytes[2 * BLOCK], 0);
    ck_assert_uint_eq(fixture.memory->bytes[5 * BLOCK], 0x11);
    /* No block in the buffers, no blocks on the disk. */
    ck_assert_uint_eq(run_none(&fixture, CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1)), 0);
    ck_assert_uint_eq(fixture.memory->bytes[9 * BLOCK], 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x41, 0, 0, 0, 0, 1, 0, 0, 0), KILN_SCSI_DATA_OUT, 512),
                      0x52400);
    /* As many as the unit says that it takes, and one more. */
    ck_assert_uint_eq(run_none(&fixture, CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0)),
                      0x52100);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x93, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 1)),
                      0x52400);
    fixture_close(&fixture);
}
END_TEST

START_TEST(errors)
{
    Fixture fixture;
    KilnDiskStatistics statistics;

    fixture_open(&fixture,
                 (KilnScsiUnitOptions){ .read_policy = KILN_IO_ERROR_REPORT,
                                        .write_policy = KILN_IO_ERROR_ENOSPACE,
                                        .write_back = TRUE },
                 DISK_BLOCKS * BLOCK);
    (void)test_ready(&fixture);
    memory_block_fail(fixture.memory, 1, MEMORY_BLOCK_ANY_OP, EIO);
    ck_assert_uint_eq(run(&fixture, CDB(0x08, 0, 0, 0, 1), KILN_SCSI_DATA_IN, 512), 0xb0006);
    memory_block_fail(fixture.memory, 1, MEMORY_BLOCK_ANY_OP, ENOSPC);
    submit(&fixture, CDB(0x0a, 0, 0, 0, 1), KILN_SCSI_DATA_OUT, 512);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_RETRY);
    ck_assert_uint_eq(run(&fixture, CDB(0x0a, 0, 0, 0, 1), KILN_SCSI_DATA_OUT, 512), 0);
    ck_assert_uint_eq(fixture.n_errors, 2);
    kiln_scsi_unit_statistics(fixture.unit, &statistics);
    ck_assert_uint_eq(statistics.read.errors, 1);
    ck_assert_uint_eq(statistics.write.errors, 1);
    ck_assert_uint_eq(statistics.write.requests, 1);
    ck_assert_uint_eq(statistics.write.bytes, 512);
    fixture_close(&fixture);
}
END_TEST

START_TEST(cancel_and_reset)
{
    Fixture fixture;

    open_disk(&fixture);
    fixture.memory->mode = MEMORY_BLOCK_HELD;
    submit(&fixture, CDB(0x08, 0, 0, 0, 1), KILN_SCSI_DATA_IN, 600);
    ck_assert_uint_eq(fixture.n_done, 0);
    ck_assert_uint_eq(kiln_scsi_unit_in_flight(fixture.unit), 1);
    kiln_scsi_unit_cancel(fixture.unit, &fixture.command);
    memory_block_complete(fixture.memory, 0);
    ck_assert_uint_eq(fixture.n_done, 1);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_ABORTED);
    ck_assert_uint_eq(fixture.iov[2].iov_len, 200);
    /* A WRITE SAME ends between its steps. */
    memset(fixture.data, 1, BLOCK);
    submit(&fixture, CDB(0x41, 0, 0, 0, 0, 0, 0, 7, 0xff), KILN_SCSI_DATA_OUT, 512);
    kiln_scsi_unit_reset(fixture.unit, TRUE);
    memory_block_complete(fixture.memory, 0);
    ck_assert_int_eq(fixture.command.outcome, KILN_SCSI_ABORTED);
    ck_assert_uint_eq(fixture.memory->n_pending, 0);
    ck_assert_uint_eq(test_ready(&fixture), 0x62903);
    ck_assert_uint_eq(test_ready(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

/* ---- The model: a disk is an array of blocks ---- */

START_TEST(model)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    uint8_t *array = g_malloc0(DISK_BLOCKS * BLOCK);
    Fixture fixture;

    open_disk(&fixture);
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t lba = g_rand_int_range(random, 0, DISK_BLOCKS + 4);
        uint32_t n = g_rand_int_range(random, 0, 65);
        uint32_t bytes = n * BLOCK + (uint32_t)g_rand_int_range(random, 0, 2) * 100;
        gboolean inside = lba + n <= DISK_BLOCKS;
        uint8_t cdb[16] = { 0 };
        unsigned group = (unsigned)g_rand_int_range(random, 0, 3);

        cdb[0] = (uint8_t[]){ 0x28, 0xa8, 0x88 }[group];
        kiln_be32_store(cdb + (group == 2 ? 6 : 2), lba);
        if (group == 0)
            kiln_be16_store(cdb + 7, (uint16_t)n);
        else
            kiln_be32_store(cdb + (group == 1 ? 6 : 10), n);
        if (g_rand_boolean(random)) {
            unsigned sense = run(&fixture, cdb, sizeof cdb, KILN_SCSI_DATA_IN, bytes);

            ck_assert_uint_eq(sense, inside ? 0 : 0x52100);
            if (inside)
                ck_assert_int_eq(memcmp(fixture.data, array + lba * BLOCK, n * BLOCK), 0);
        } else {
            cdb[0] += 2;
            memset(fixture.data, (int)(i & 0xff), bytes);
            ck_assert_uint_eq(run(&fixture, cdb, sizeof cdb, KILN_SCSI_DATA_OUT, bytes),
                              inside ? 0 : 0x52100);
            if (inside)
                memset(array + lba * BLOCK, (int)(i & 0xff), n * BLOCK);
        }
        if (inside)
            ck_assert_uint_eq(fixture.command.residual, bytes - n * BLOCK);
    }
    ck_assert_int_eq(memcmp(array, fixture.memory->bytes, DISK_BLOCKS * BLOCK), 0);
    g_free(array);
    fixture_close(&fixture);
}
END_TEST

/* ---- CD-ROM ---- */

START_TEST(cdrom_reads)
{
    Fixture fixture;
    const uint8_t *data;

    open_cdrom(&fixture, FALSE);
    data = fixture.data;
    ck_assert_uint_eq(run(&fixture, CDB(0x25), KILN_SCSI_DATA_IN, 8), 0);
    ck_assert_uint_eq(kiln_be32_load(data), CD_BLOCKS - 1);
    ck_assert_uint_eq(kiln_be32_load(data + 4), CD_BLOCK);
    ck_assert_uint_eq(run(&fixture, CDB(0x28, 0, 0, 0, 0, 7, 0, 0, 2), KILN_SCSI_DATA_IN, 4096), 0);
    ck_assert_uint_eq(data[0], 7);
    ck_assert_uint_eq(data[2048], 8);
    ck_assert_uint_eq(
        run(&fixture, CDB(0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0x10), KILN_SCSI_DATA_IN, 2048), 0);
    ck_assert_uint_eq(data[0], 9);
    ck_assert_uint_eq(
        run(&fixture, CDB(0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0xf8), KILN_SCSI_DATA_IN, 2352), 0x52400);
    /* Not to be written. */
    ck_assert_uint_eq(run(&fixture, CDB(0x2a, 0, 0, 0, 0, 7, 0, 0, 1), KILN_SCSI_DATA_OUT, 2048),
                      0x52000);
    /* Table of contents: as blocks, as times, raw. */
    ck_assert_uint_eq(run(&fixture, CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 20), KILN_SCSI_DATA_IN, 20), 0);
    ck_assert_int_eq(memcmp(data, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x14\xaa\0\0\0\1\x2c", 20), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x43, 2, 0, 0, 0, 0, 0xaa, 0, 12), KILN_SCSI_DATA_IN, 12),
                      0);
    ck_assert_int_eq(memcmp(data, "\0\x0a\1\1\0\x14\xaa\0\0\0\6\0", 12), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x43, 0, 2, 0, 0, 0, 0, 0, 200), KILN_SCSI_DATA_IN, 200),
                      0);
    ck_assert_uint_eq(fixture.command.residual, 200 - 48);
    ck_assert_uint_eq(run(&fixture, CDB(0x43, 0, 0, 0, 0, 0, 2, 0, 20), KILN_SCSI_DATA_IN, 20),
                      0x52400);
    ck_assert_uint_eq(run(&fixture, CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 100), KILN_SCSI_DATA_IN, 100),
                      0);
    ck_assert_uint_eq(kiln_be16_load(data + 6), 0x08);
    ck_assert_uint_eq(kiln_be32_load(data), 100 - fixture.command.residual - 4);
    ck_assert_uint_eq(run(&fixture, CDB(0x46, 2, 0, 0x10, 0, 0, 0, 0, 100), KILN_SCSI_DATA_IN, 100),
                      0);
    ck_assert_uint_eq(100 - fixture.command.residual, 20);
    ck_assert_uint_eq(run(&fixture, CDB(0x51, 0, 0, 0, 0, 0, 0, 0, 34), KILN_SCSI_DATA_IN, 34), 0);
    ck_assert_uint_eq(data[2], 0x0e);
    ck_assert_uint_eq(run(&fixture, CDB(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64), KILN_SCSI_DATA_IN, 64),
                      0);
    ck_assert_uint_eq(data[8], 0x2a);
    ck_assert_uint_eq(run(&fixture, CDB(0xad, 0, 0, 0, 0, 0, 0, 0, 8), KILN_SCSI_DATA_IN, 8),
                      0x53000);
    fixture_close(&fixture);
}
END_TEST

/* Event and state of the medium. */
static unsigned
get_event(Fixture *fixture)
{
    ck_assert_uint_eq(run(fixture, CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), KILN_SCSI_DATA_IN, 8), 0);
    return (unsigned)fixture->data[4] << 8 | fixture->data[5];
}

START_TEST(tray)
{
    Fixture fixture;

    open_cdrom(&fixture, FALSE);
    ck_assert_uint_eq(get_event(&fixture), 0x002);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1e, 0, 0, 0, 1)), 0);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1b, 0, 0, 0, 2)), 0x55302);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1e, 0, 0, 0, 0)), 0);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1b, 0, 0, 0, 2)), 0);
    ck_assert_uint_eq(fixture.n_trays, 1);
    ck_assert(fixture.tray_open && kiln_scsi_unit_tray_open(fixture.unit));
    ck_assert_uint_eq(test_ready(&fixture), 0x23a02);
    ck_assert_uint_eq(get_event(&fixture), 0x301);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1b, 0, 0, 0, 3)), 0);
    ck_assert_uint_eq(get_event(&fixture), 0x202);
    ck_assert_uint_eq(get_event(&fixture), 0x002);
    ck_assert_uint_eq(test_ready(&fixture), 0x62800);
    ck_assert_uint_eq(test_ready(&fixture), 0);
    fixture_close(&fixture);
}
END_TEST

START_TEST(medium)
{
    g_autoptr(GError) error = NULL;
    MemoryBlock *other = memory_block_new(10 * CD_BLOCK, NULL);
    MemoryBlock *refused = memory_block_new(10 * CD_BLOCK, NULL);
    Fixture fixture;

    fixture_open(&fixture, (KilnScsiUnitOptions){ .kind = KILN_SCSI_CDROM }, 0);
    ck_assert_uint_eq(test_ready(&fixture), 0x62901);
    ck_assert_uint_eq(test_ready(&fixture), 0x23a01);
    other->block.request_size += 256; /* more scratch than what was there before */
    ck_assert(kiln_scsi_unit_set_medium(fixture.unit, &other->block, FALSE, &error));
    ck_assert_uint_eq(fixture.n_attentions, 1);
    ck_assert_uint_eq(test_ready(&fixture), 0x62800);
    ck_assert_uint_eq(run(&fixture, CDB(0x28, 0, 0, 0, 0, 9, 0, 0, 1), KILN_SCSI_DATA_IN, 2048), 0);
    /* A locked tray: the guest is asked, or not. */
    (void)get_event(&fixture);
    ck_assert_uint_eq(run_none(&fixture, CDB(0x1e, 0, 0, 0, 1)), 0);
    ck_assert(!kiln_scsi_unit_set_medium(fixture.unit, &refused->block, FALSE, &error));
    kiln_assert_error_has(error, "locked");
    g_clear_error(&error);
    ck_assert_uint_eq(get_event(&fixture), 0x102);
    ck_assert(kiln_scsi_unit_set_medium(fixture.unit, NULL, TRUE, &error));
    ck_assert(!kiln_scsi_unit_tray_locked(fixture.unit));
    ck_assert_uint_eq(get_event(&fixture), 0x300);
    ck_assert_uint_eq(test_ready(&fixture), 0x63a00);
    ck_assert_uint_eq(test_ready(&fixture), 0x23a01);
    fixture_close(&fixture);
}
END_TEST

START_TEST(atapi_sense)
{
    Fixture fixture;

    open_cdrom(&fixture, TRUE);
    ck_assert_uint_eq(run(&fixture, CDB(0x03, 0, 0, 0, 18), KILN_SCSI_DATA_IN, 18), 0);
    ck_assert_int_eq(memcmp(fixture.data, "\x70\0\6\0\0\0\0\x0a\0\0\0\0\x29\1\0\0\0\0", 18), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x03, 0, 0, 0, 18), KILN_SCSI_DATA_IN, 18), 0);
    ck_assert_uint_eq(fixture.data[2], 0);
    ck_assert_uint_eq(run_none(&fixture, CDB(0xee)), 0x52000);
    ck_assert_uint_eq(run(&fixture, CDB(0x03, 1, 0, 0, 18), KILN_SCSI_DATA_IN, 18), 0);
    ck_assert_int_eq(memcmp(fixture.data, "\x72\5\x20\0\0\0\0\0", 8), 0);
    ck_assert_uint_eq(run(&fixture, CDB(0x12, 0, 0, 0, 36), KILN_SCSI_DATA_IN, 36), 0);
    ck_assert_uint_eq(fixture.data[0], 5);
    ck_assert_uint_eq(fixture.data[1], 0x80);
    ck_assert_uint_eq(fixture.data[3], 0x21);
    fixture_close(&fixture);
}
END_TEST

START_TEST(state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) first = NULL, second = NULL;
    KilnStateEntry entry = { &kiln_scsi_unit_state, 0, NULL };
    Fixture fixture, loaded;

    open_cdrom(&fixture, FALSE);
    (void)run_none(&fixture, CDB(0x1b, 0, 0, 0, 2));
    entry.object = fixture.unit;
    first = kiln_state_save(&entry, 1);
    open_cdrom(&loaded, FALSE);
    entry.object = loaded.unit;
    ck_assert(kiln_state_load(first->data, first->len, &entry, 1, &error));
    second = kiln_state_save(&entry, 1);
    ck_assert_uint_eq(first->len, second->len);
    ck_assert_int_eq(memcmp(first->data, second->data, first->len), 0);
    ck_assert_uint_eq(test_ready(&loaded), 0x23a02);
    fixture_close(&loaded);
    /* A disk has no tray. */
    open_disk(&loaded);
    entry.object = loaded.unit;
    ck_assert(!kiln_state_load(first->data, first->len, &entry, 1, &error));
    kiln_assert_error_has(error, "tray");
    fixture_close(&loaded);
    fixture_close(&fixture);
}
END_TEST

START_TEST(sizes)
{
    g_autoptr(GError) error = NULL;
    KilnScsiUnitOptions options = { .logical_size = 1000 };

    options.chain = &memory_block_new(BLOCK, NULL)->block;
    ck_assert_ptr_null(kiln_scsi_unit_new(&options, &error));
    kiln_assert_error_has(error, "1000");
    g_clear_error(&error);
    options = (KilnScsiUnitOptions){ 0 };
    ck_assert_ptr_null(kiln_scsi_unit_new(&options, &error));
    kiln_assert_error_has(error, "medium");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("scsi");
    TCase *disk = kiln_test_case(suite, "disk");
    TCase *cdrom = kiln_test_case(suite, "cdrom");

    tcase_add_test(disk, inquiry);
    tcase_add_test(disk, vital_product_data);
    tcase_add_test(disk, capacity);
    tcase_add_test(disk, mode_pages);
    tcase_add_test(disk, hostile_ranges);
    tcase_add_test(disk, overrun);
    tcase_add_test(disk, unmap);
    tcase_add_test(disk, write_same);
    tcase_add_test(disk, errors);
    tcase_add_test(disk, cancel_and_reset);
    tcase_add_test(disk, model);
    tcase_add_test(disk, sizes);
    tcase_add_test(cdrom, cdrom_reads);
    tcase_add_test(cdrom, tray);
    tcase_add_test(cdrom, medium);
    tcase_add_test(cdrom, atapi_sense);
    tcase_add_test(cdrom, state);
    return kiln_test_main(suite);
}
