/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A virtio disk as its driver sees it, on a disk in memory: virtio 1.2 §5.2. */
#include "device/virtio-blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "base/le.h"
#include "loop/thread.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/memory-block.h"
#include "tests/lib/virtio-driver.h"

enum {
    RAM_BYTES = 64 << 20,
    SECTOR = 512,
    DISK_SECTORS = 4096,
    DISK_BYTES = DISK_SECTORS * SECTOR,
    MAX_SEGMENT_SECTORS = (1 << 22) - 8,
};

#define CONFIG(member) offsetof(struct virtio_blk_config, member)

/* One disk and its driver. */
typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnVirtioBlkOptions options;
    MemoryBlock *memory; /* the disk's chain */
    KilnVirtioDevice *blk;
    KilnDriver *driver;
    unsigned n_errors; /* that were told */
    gboolean is_read;
    int error;
    KilnIoErrorPolicy action;
} Disk;

static void
on_error(void *opaque, gboolean is_read, int error, KilnIoErrorPolicy action)
{
    Disk *disk = opaque;

    disk->n_errors++;
    disk->is_read = is_read;
    disk->error = error;
    disk->action = action;
}

/* A device as @options say, on a new chain. */
static KilnVirtioDevice *
make_blk(Disk *disk)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *blk;

    disk->memory = memory_block_new(DISK_BYTES, disk->options.virtio.context);
    disk->options.chain = &disk->memory->block;
    blk = kiln_virtio_blk_new(&disk->options, &error);
    kiln_assert_no_error(error);
    return blk;
}

static void
disk_open(Disk *disk)
{
    disk->board = kiln_board_new();
    disk->ram = kiln_memory_new_plain(RAM_BYTES);
    disk->options.virtio.id = "virtio-disk0";
    disk->options.virtio.memory = disk->ram;
    disk->options.virtio.packed = TRUE;
    disk->options.io_error = on_error;
    disk->options.opaque = disk;
    disk->blk = make_blk(disk);
    disk->driver = kiln_driver_new(disk->board, disk->ram, disk->blk);
}

static void
disk_close(Disk *disk)
{
    kiln_driver_free(disk->driver);
    kiln_memory_free(disk->ram);
    kiln_board_free(disk->board);
}

/* The usual: a write cache, discards, everything that is offered with split rings. */
static void
disk_start(Disk *disk)
{
    disk->options.write_back = TRUE;
    disk->options.discard = TRUE;
    disk_open(disk);
    kiln_driver_start(disk->driver, KILN_DRIVER_SPLIT);
}

/* Makes a request available.  @data: (nullable): of it, that the device reads or writes. */
static KilnDriverBuffer
add(Disk *disk, unsigned queue, uint32_t type, uint64_t sector, const KilnDriverBuffer *data,
    gboolean device_writes)
{
    struct virtio_blk_outhdr header = { .type = GUINT32_TO_LE(type),
                                        .sector = GUINT64_TO_LE(sector) };
    KilnDriverBuffer out[2] = { kiln_driver_alloc_data(disk->driver, &header, sizeof header) };
    KilnDriverBuffer in[2];
    KilnDriverBuffer status = kiln_driver_alloc(disk->driver, 1);
    unsigned n_out = 1;
    unsigned n_in = 0;

    status.host[0] = 0xff;
    if (data != NULL && device_writes)
        in[n_in++] = *data;
    else if (data != NULL)
        out[n_out++] = *data;
    in[n_in++] = status;
    ck_assert_int_ge(kiln_driver_add(disk->driver, queue, out, n_out, in, n_in), 0);
    return status;
}

/* Returns: the status of a request that is done. */
static uint8_t
request(Disk *disk, uint32_t type, uint64_t sector, const KilnDriverBuffer *data,
        gboolean device_writes)
{
    KilnDriverBuffer status = add(disk, 0, type, sector, data, device_writes);

    kiln_driver_kick(disk->driver, 0);
    kiln_driver_wait_used(disk->driver, 0, NULL, NULL);
    return status.host[0];
}

static uint8_t
read_sectors(Disk *disk, uint64_t sector, const KilnDriverBuffer *data)
{
    return request(disk, VIRTIO_BLK_T_IN, sector, data, TRUE);
}

static uint8_t
write_sectors(Disk *disk, uint64_t sector, const KilnDriverBuffer *data)
{
    return request(disk, VIRTIO_BLK_T_OUT, sector, data, FALSE);
}

static KilnDriverBuffer
sectors_of(Disk *disk, unsigned n, uint8_t value)
{
    KilnDriverBuffer buffer = kiln_driver_alloc(disk->driver, n * SECTOR);

    memset(buffer.host, value, buffer.length);
    return buffer;
}

/* ---- What it says of itself ---- */

static gboolean
offers(Disk *disk, unsigned bit)
{
    return (kiln_driver_offered(disk->driver) & KILN_DRIVER_BIT(bit)) != 0;
}

static uint64_t
config(Disk *disk, unsigned offset, unsigned size)
{
    return kiln_driver_config(disk->driver, offset, size);
}

START_TEST(the_configuration_describes_the_disk)
{
    Disk disk = { .options = { .virtio = { .n_queues = 4, .queue_size = 128 },
                               .physical_size = 4096,
                               .size_max = 65536,
                               .write_back = TRUE,
                               .discard = TRUE } };

    disk_open(&disk);
    ck_assert(offers(&disk, VIRTIO_BLK_F_SIZE_MAX) && offers(&disk, VIRTIO_BLK_F_SEG_MAX));
    ck_assert(offers(&disk, VIRTIO_BLK_F_GEOMETRY) && offers(&disk, VIRTIO_BLK_F_BLK_SIZE));
    ck_assert(offers(&disk, VIRTIO_BLK_F_FLUSH) && offers(&disk, VIRTIO_BLK_F_TOPOLOGY));
    ck_assert(offers(&disk, VIRTIO_BLK_F_CONFIG_WCE) && offers(&disk, VIRTIO_BLK_F_MQ));
    ck_assert(offers(&disk, VIRTIO_BLK_F_DISCARD) && offers(&disk, VIRTIO_BLK_F_WRITE_ZEROES));
    ck_assert(!offers(&disk, VIRTIO_BLK_F_RO) && !offers(&disk, VIRTIO_BLK_F_SECURE_ERASE));
    ck_assert(!offers(&disk, VIRTIO_BLK_F_SCSI) && !offers(&disk, VIRTIO_BLK_F_BARRIER));
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(config(&disk, CONFIG(capacity), 8), DISK_SECTORS);
    ck_assert_uint_eq(config(&disk, CONFIG(size_max), 4), 65536);
    ck_assert_uint_eq(config(&disk, CONFIG(seg_max), 4), 126);
    ck_assert_uint_eq(config(&disk, CONFIG(geometry), 2), DISK_SECTORS / (16 * 63));
    ck_assert_uint_eq(config(&disk, CONFIG(geometry.heads), 1), 16);
    ck_assert_uint_eq(config(&disk, CONFIG(geometry.sectors), 1), 63);
    ck_assert_uint_eq(config(&disk, CONFIG(blk_size), 4), SECTOR);
    ck_assert_uint_eq(config(&disk, CONFIG(physical_block_exp), 1), 3);
    ck_assert_uint_eq(config(&disk, CONFIG(min_io_size), 2), 8);
    ck_assert_uint_eq(config(&disk, CONFIG(wce), 1), 1);
    ck_assert_uint_eq(config(&disk, CONFIG(num_queues), 2), 4);
    ck_assert_uint_eq(config(&disk, CONFIG(max_discard_sectors), 4), MAX_SEGMENT_SECTORS);
    ck_assert_uint_eq(config(&disk, CONFIG(max_discard_seg), 4), 16);
    ck_assert_uint_eq(config(&disk, CONFIG(discard_sector_alignment), 4), 8);
    ck_assert_uint_eq(config(&disk, CONFIG(max_write_zeroes_sectors), 4), MAX_SEGMENT_SECTORS);
    ck_assert_uint_eq(config(&disk, CONFIG(max_write_zeroes_seg), 4), 16);
    ck_assert_uint_eq(config(&disk, CONFIG(write_zeroes_may_unmap), 1), 1);
    disk_close(&disk);
}
END_TEST

START_TEST(a_disk_that_is_read_only_is_not_written)
{
    Disk disk = { .options = { .read_only = TRUE,
                               .discard = TRUE,
                               .cylinders = 100,
                               .heads = 4,
                               .sectors = 10 } };
    KilnDriverBuffer data;

    disk_open(&disk);
    ck_assert(offers(&disk, VIRTIO_BLK_F_RO) && !offers(&disk, VIRTIO_BLK_F_DISCARD));
    ck_assert(!offers(&disk, VIRTIO_BLK_F_WRITE_ZEROES) && !offers(&disk, VIRTIO_BLK_F_MQ));
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(config(&disk, CONFIG(geometry), 2), 100);
    ck_assert_uint_eq(config(&disk, CONFIG(geometry.heads), 1), 4);
    data = sectors_of(&disk, 1, 1);
    ck_assert_uint_eq(write_sectors(&disk, 0, &data), VIRTIO_BLK_S_IOERR);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_DISCARD, 0, &data, FALSE), VIRTIO_BLK_S_UNSUPP);
    ck_assert_uint_eq(read_sectors(&disk, 0, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(disk.memory->seen.writes, 0);
    disk_close(&disk);
}
END_TEST

START_TEST(options_that_do_not_fit_are_errors)
{
    g_autoptr(KilnMemory) ram = kiln_memory_new_plain(1 << 20);
    KilnVirtioBlkOptions bad[] = {
        { .logical_size = 256 },           { .logical_size = 1000 },
        { .logical_size = 65536 },         { .logical_size = 4096, .physical_size = 512 },
        { .physical_size = 3000 },         { .seg_max = 255 },
        { .virtio = { .queue_size = 2 } },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        bad[i].virtio.memory = ram;
        bad[i].virtio.id = "d";
        bad[i].chain = &memory_block_new(DISK_BYTES, NULL)->block;
        ck_assert_ptr_null(kiln_virtio_blk_new(&bad[i], &error));
        ck_assert_ptr_nonnull(error);
    }
}
END_TEST

/* ---- Requests ---- */

START_TEST(data_is_written_and_read)
{
    Disk disk = { .options = { .serial = "S123" } };
    KilnDriverBuffer data;
    KilnDriverBuffer id;

    disk_start(&disk);
    data = sectors_of(&disk, 8, 0xa5);
    ck_assert_uint_eq(write_sectors(&disk, 100, &data), VIRTIO_BLK_S_OK);
    ck_assert_mem_eq(disk.memory->bytes + 100 * SECTOR, data.host, 8 * SECTOR);
    memset(data.host, 0, data.length);
    ck_assert_uint_eq(read_sectors(&disk, 100, &data), VIRTIO_BLK_S_OK);
    ck_assert_mem_eq(disk.memory->bytes + 100 * SECTOR, data.host, 8 * SECTOR);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_FLUSH, 0, NULL, FALSE), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(disk.memory->seen.flushes, 1);
    ck_assert_uint_eq(disk.memory->seen.fua, 0);
    id = kiln_driver_alloc_data(disk.driver, "xxxxxxxxxxxxxxxxxxxxxxxx", 24);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_GET_ID, 0, &id, TRUE), VIRTIO_BLK_S_OK);
    ck_assert_mem_eq(id.host, "S123\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0xxxx", 24);
    disk_close(&disk);
}
END_TEST

static const struct {
    const char *why;
    uint32_t type;
    uint64_t sector;
    uint32_t bytes;
    gboolean device_writes;
    uint8_t status;
} refused[] = {
    { "the last sector", VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 512, TRUE, VIRTIO_BLK_S_OK },
    { "past the end", VIRTIO_BLK_T_IN, DISK_SECTORS, 512, TRUE, VIRTIO_BLK_S_IOERR },
    { "across the end", VIRTIO_BLK_T_IN, DISK_SECTORS - 1, 1024, TRUE, VIRTIO_BLK_S_IOERR },
    { "far past the end", VIRTIO_BLK_T_OUT, UINT64_MAX, 512, FALSE, VIRTIO_BLK_S_IOERR },
    { "wraps in bytes", VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, FALSE, VIRTIO_BLK_S_IOERR },
    { "half a sector", VIRTIO_BLK_T_OUT, 0, 256, FALSE, VIRTIO_BLK_S_IOERR },
    { "a sector and a byte", VIRTIO_BLK_T_IN, 0, 513, TRUE, VIRTIO_BLK_S_IOERR },
    { "no data to read into", VIRTIO_BLK_T_IN, 0, 0, TRUE, VIRTIO_BLK_S_IOERR },
    { "no data to write", VIRTIO_BLK_T_OUT, 0, 0, FALSE, VIRTIO_BLK_S_IOERR },
    { "no room for the id", VIRTIO_BLK_T_GET_ID, 0, 0, TRUE, VIRTIO_BLK_S_IOERR },
    { "part of an id", VIRTIO_BLK_T_GET_ID, 0, 3, TRUE, VIRTIO_BLK_S_OK },
    { "secure erase", VIRTIO_BLK_T_SECURE_ERASE, 0, 16, FALSE, VIRTIO_BLK_S_UNSUPP },
    { "a SCSI command", VIRTIO_BLK_T_SCSI_CMD, 0, 16, FALSE, VIRTIO_BLK_S_UNSUPP },
    { "an unknown type", 0x1234, 0, 512, FALSE, VIRTIO_BLK_S_UNSUPP },
    { "a type with high bits", 0x80000000, 0, 512, TRUE, VIRTIO_BLK_S_UNSUPP },
    { "no segment", VIRTIO_BLK_T_DISCARD, 0, 0, FALSE, VIRTIO_BLK_S_IOERR },
    { "half a segment", VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, FALSE, VIRTIO_BLK_S_IOERR },
    { "too many segments", VIRTIO_BLK_T_DISCARD, 0, 17 * 16, FALSE, VIRTIO_BLK_S_IOERR },
};

START_TEST(spec_5_2_6_2_what_cannot_be_is_an_io_error)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;
    uint8_t status;

    disk_start(&disk);
    data = kiln_driver_alloc(disk.driver, 8192);
    data.length = refused[_i].bytes;
    status = request(&disk, refused[_i].type, refused[_i].sector, data.length > 0 ? &data : NULL,
                     refused[_i].device_writes);
    ck_assert_msg(status == refused[_i].status, "%s: status %u", refused[_i].why, status);
    ck_assert(!kiln_driver_broken(disk.driver));
    ck_assert_uint_eq(disk.n_errors, 0);
    data.length = SECTOR;
    ck_assert_uint_eq(read_sectors(&disk, 0, &data), VIRTIO_BLK_S_OK);
    disk_close(&disk);
}
END_TEST

START_TEST(a_chain_without_header_or_status_breaks_the_device)
{
    Disk disk = { 0 };
    KilnDriverBuffer header;
    KilnDriverBuffer status;

    disk_start(&disk);
    header = kiln_driver_alloc(disk.driver, sizeof(struct virtio_blk_outhdr));
    status = kiln_driver_alloc(disk.driver, 1);
    if (_i == 0)
        header.length--;
    kiln_driver_add(disk.driver, 0, &header, 1, &status, _i == 0 ? 1 : 0);
    kiln_driver_kick(disk.driver, 0);
    ck_assert(kiln_driver_broken(disk.driver));
    kiln_driver_start(disk.driver, KILN_DRIVER_PACKED);
    header = sectors_of(&disk, 1, 0);
    ck_assert_uint_eq(read_sectors(&disk, 0, &header), VIRTIO_BLK_S_OK);
    disk_close(&disk);
}
END_TEST

/* Virtio 1.2 §2.7.4: a device makes no assumption about how a message is cut into buffers. */
START_TEST(a_request_may_be_cut_anywhere)
{
    Disk disk = { 0 };
    struct virtio_blk_outhdr header = { .type = GUINT32_TO_LE(VIRTIO_BLK_T_OUT), .sector = 3 };
    KilnDriverBuffer whole;
    KilnDriverBuffer out[6];
    KilnDriverBuffer in[3];
    const uint32_t cuts[] = { 1, 14, 1 + 99, 412, 1, 512 };
    uint32_t at = 0;

    disk_start(&disk);
    whole = kiln_driver_alloc(disk.driver, sizeof header + 2 * SECTOR);
    memcpy(whole.host, &header, sizeof header);
    for (unsigned i = 0; i < 2 * SECTOR; i++)
        whole.host[sizeof header + i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < G_N_ELEMENTS(cuts); at += cuts[i++])
        out[i] = (KilnDriverBuffer){ whole.gpa + at, whole.host + at, cuts[i] };
    ck_assert_uint_eq(at, whole.length);
    in[0] = kiln_driver_alloc(disk.driver, 1);
    in[0].host[0] = 0xff;
    ck_assert_uint_eq(kiln_driver_request(disk.driver, 0, out, G_N_ELEMENTS(out), in, 1), 1);
    ck_assert_uint_eq(in[0].host[0], VIRTIO_BLK_S_OK);
    ck_assert_mem_eq(disk.memory->bytes + 3 * SECTOR, whole.host + sizeof header, 2 * SECTOR);

    /* The status is the last byte of a buffer that holds data too. */
    header.type = GUINT32_TO_LE(VIRTIO_BLK_T_IN);
    out[0] = kiln_driver_alloc_data(disk.driver, &header, sizeof header);
    at = 2 * SECTOR + 1;
    whole = kiln_driver_alloc(disk.driver, at);
    memset(whole.host, 0xff, at);
    in[0] = (KilnDriverBuffer){ whole.gpa, whole.host, 1 };
    in[1] = (KilnDriverBuffer){ whole.gpa + 1, whole.host + 1, 600 };
    in[2] = (KilnDriverBuffer){ whole.gpa + 601, whole.host + 601, at - 601 };
    ck_assert_uint_eq(kiln_driver_request(disk.driver, 0, out, 1, in, 3), at);
    ck_assert_uint_eq(whole.host[at - 1], VIRTIO_BLK_S_OK);
    ck_assert_mem_eq(whole.host, disk.memory->bytes + 3 * SECTOR, 2 * SECTOR);
    disk_close(&disk);
}
END_TEST

/* ---- Discard and write zeroes ---- */

static KilnDriverBuffer
segments(Disk *disk, const struct virtio_blk_discard_write_zeroes *list, unsigned n)
{
    return kiln_driver_alloc_data(disk->driver, list, n * (uint32_t)sizeof *list);
}

START_TEST(several_segments_are_zeroed)
{
    Disk disk = { 0 };
    const struct virtio_blk_discard_write_zeroes list[] = {
        { 0, 8, 0 },
        { 100, 1, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP },
        { 200, 0, 0 },
        { DISK_SECTORS - 8, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP },
    };
    KilnDriverBuffer data;
    KilnVirtioBlkStatistics statistics;

    disk_start(&disk);
    memset(disk.memory->bytes, 0xee, DISK_BYTES);
    data = segments(&disk, list, 4);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &data, FALSE), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(disk.memory->seen.zeroes, 3); /* the empty one is done as it is */
    ck_assert_uint_eq(disk.memory->seen.may_unmap, 2);
    ck_assert_uint_eq(disk.memory->bytes[8 * SECTOR - 1], 0);
    ck_assert_uint_eq(disk.memory->bytes[8 * SECTOR], 0xee);
    ck_assert_uint_eq(disk.memory->bytes[100 * SECTOR], 0);
    ck_assert_uint_eq(disk.memory->bytes[200 * SECTOR], 0xee);
    ck_assert_uint_eq(disk.memory->bytes[DISK_BYTES - 1], 0);
    data.length = 16;
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_DISCARD, 0, &data, FALSE), VIRTIO_BLK_S_OK);
    kiln_virtio_blk_statistics(disk.blk, &statistics);
    ck_assert_uint_eq(statistics.discard.requests, 2);
    ck_assert_uint_eq(statistics.discard.bytes, (8 + 1 + 8 + 8) * SECTOR);
    disk_close(&disk);
}
END_TEST

static const struct {
    uint32_t type;
    struct virtio_blk_discard_write_zeroes segment;
    uint8_t status;
} bad_segments[] = {
    { VIRTIO_BLK_T_DISCARD, { 0, 8, 1 }, VIRTIO_BLK_S_UNSUPP },
    { VIRTIO_BLK_T_WRITE_ZEROES, { 0, 8, 2 }, VIRTIO_BLK_S_UNSUPP },
    { VIRTIO_BLK_T_WRITE_ZEROES, { DISK_SECTORS, 1, 0 }, VIRTIO_BLK_S_IOERR },
    { VIRTIO_BLK_T_WRITE_ZEROES, { UINT64_MAX, 2, 0 }, VIRTIO_BLK_S_IOERR },
    { VIRTIO_BLK_T_DISCARD, { 0, MAX_SEGMENT_SECTORS + 1, 0 }, VIRTIO_BLK_S_IOERR },
    { VIRTIO_BLK_T_DISCARD, { 0, UINT32_MAX, 0 }, VIRTIO_BLK_S_IOERR },
};

/* The first segment is good, and nothing is done about it. */
START_TEST(one_bad_segment_refuses_all)
{
    Disk disk = { 0 };
    struct virtio_blk_discard_write_zeroes list[2] = { { 0, 8, 0 }, bad_segments[_i].segment };
    KilnDriverBuffer data;

    disk_start(&disk);
    data = segments(&disk, list, 2);
    ck_assert_uint_eq(request(&disk, bad_segments[_i].type, 0, &data, FALSE),
                      bad_segments[_i].status);
    ck_assert_uint_eq(disk.memory->seen.zeroes + disk.memory->seen.discards, 0);
    disk_close(&disk);
}
END_TEST

START_TEST(zeroes_give_no_space_back_where_discard_is_off)
{
    Disk disk = { 0 };
    const struct virtio_blk_discard_write_zeroes list[] = { { 0, 8, 1 } };
    KilnDriverBuffer data;

    disk_open(&disk);
    ck_assert(!offers(&disk, VIRTIO_BLK_F_DISCARD));
    ck_assert(offers(&disk, VIRTIO_BLK_F_WRITE_ZEROES));
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(config(&disk, CONFIG(write_zeroes_may_unmap), 1), 0);
    data = segments(&disk, list, 1);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &data, FALSE), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(disk.memory->seen.may_unmap, 0);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_DISCARD, 0, &data, FALSE), VIRTIO_BLK_S_UNSUPP);
    disk_close(&disk);
}
END_TEST

/* A logical block of 4 KiB: sectors stay 512 bytes long, but come by eights. */
START_TEST(requests_are_whole_logical_blocks)
{
    Disk disk = { .options = { .logical_size = 4096 } };
    KilnDriverBuffer data;

    disk_start(&disk);
    ck_assert_uint_eq(config(&disk, CONFIG(blk_size), 4), 4096);
    data = sectors_of(&disk, 8, 3);
    ck_assert_uint_eq(write_sectors(&disk, 8, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(write_sectors(&disk, 4, &data), VIRTIO_BLK_S_IOERR);
    data.length = 4 * SECTOR;
    ck_assert_uint_eq(write_sectors(&disk, 8, &data), VIRTIO_BLK_S_IOERR);
    disk_close(&disk);
}
END_TEST

/* ---- The write cache ---- */

static unsigned
fua_of_a_write(Disk *disk)
{
    KilnDriverBuffer data = sectors_of(disk, 1, 1);
    unsigned before = disk->memory->seen.fua;

    ck_assert_uint_eq(write_sectors(disk, 0, &data), VIRTIO_BLK_S_OK);
    return disk->memory->seen.fua - before;
}

START_TEST(writes_are_stable_where_there_is_no_cache)
{
    const uint64_t no_register = KILN_DRIVER_SPLIT & ~KILN_DRIVER_BIT(VIRTIO_BLK_F_CONFIG_WCE);
    Disk disk = { .options = { .write_back = TRUE } };
    Disk through = { 0 };

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(fua_of_a_write(&disk), 0);
    kiln_driver_set_config(disk.driver, CONFIG(wce), 0, 1);
    ck_assert_uint_eq(config(&disk, CONFIG(wce), 1), 0);
    ck_assert_uint_eq(fua_of_a_write(&disk), 1);
    kiln_driver_set_config(disk.driver, CONFIG(wce), 7, 1);
    ck_assert_uint_eq(config(&disk, CONFIG(wce), 1), 1);
    ck_assert_uint_eq(fua_of_a_write(&disk), 0);
    kiln_driver_set_config(disk.driver, CONFIG(wce), 0, 1);
    kiln_driver_set_config(disk.driver, CONFIG(capacity), 1, 4);
    ck_assert_uint_eq(config(&disk, CONFIG(capacity), 8), DISK_SECTORS);
    /* A reset brings the cache back; a driver that knows no flush has none. */
    kiln_driver_start(disk.driver, no_register);
    ck_assert_uint_eq(config(&disk, CONFIG(wce), 1), 1);
    ck_assert_uint_eq(fua_of_a_write(&disk), 0);
    kiln_driver_start(disk.driver, no_register & ~KILN_DRIVER_BIT(VIRTIO_BLK_F_FLUSH));
    ck_assert_uint_eq(fua_of_a_write(&disk), 1);
    disk_close(&disk);

    disk_open(&through);
    kiln_driver_start(through.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(config(&through, CONFIG(wce), 1), 0);
    ck_assert_uint_eq(fua_of_a_write(&through), 1);
    kiln_driver_start(through.driver, no_register);
    ck_assert_uint_eq(fua_of_a_write(&through), 1);
    disk_close(&through);
}
END_TEST

/* ---- Errors ---- */

static const struct {
    KilnIoErrorPolicy policy;
    gboolean is_read;
    int error;
    KilnIoErrorPolicy action;
    uint8_t status;
} policies[] = {
    { KILN_IO_ERROR_REPORT, FALSE, EIO, KILN_IO_ERROR_REPORT, VIRTIO_BLK_S_IOERR },
    { KILN_IO_ERROR_REPORT, TRUE, EIO, KILN_IO_ERROR_REPORT, VIRTIO_BLK_S_IOERR },
    { KILN_IO_ERROR_IGNORE, FALSE, ENOSPC, KILN_IO_ERROR_IGNORE, VIRTIO_BLK_S_OK },
    { KILN_IO_ERROR_IGNORE, TRUE, EIO, KILN_IO_ERROR_IGNORE, VIRTIO_BLK_S_OK },
    { KILN_IO_ERROR_ENOSPACE, FALSE, EIO, KILN_IO_ERROR_REPORT, VIRTIO_BLK_S_IOERR },
};

START_TEST(an_error_is_dealt_with_as_the_policy_says)
{
    gboolean is_read = policies[_i].is_read;
    Disk disk = { .options = { .read_policy = is_read ? policies[_i].policy : KILN_IO_ERROR_STOP,
                               .write_policy =
                                   is_read ? KILN_IO_ERROR_STOP : policies[_i].policy } };
    KilnDriverBuffer data;
    KilnVirtioBlkStatistics statistics;

    disk_start(&disk);
    data = sectors_of(&disk, 1, 1);
    memory_block_fail(disk.memory, 1, MEMORY_BLOCK_ANY_OP, policies[_i].error);
    ck_assert_uint_eq(is_read ? read_sectors(&disk, 0, &data) : write_sectors(&disk, 0, &data),
                      policies[_i].status);
    ck_assert_uint_eq(disk.n_errors, 1);
    ck_assert_int_eq(disk.is_read, is_read);
    ck_assert_int_eq(disk.error, policies[_i].error);
    ck_assert_int_eq(disk.action, policies[_i].action);
    kiln_virtio_blk_statistics(disk.blk, &statistics);
    ck_assert_uint_eq((is_read ? &statistics.read : &statistics.write)->errors, 1);
    ck_assert_uint_eq((is_read ? &statistics.read : &statistics.write)->requests, 0);
    ck_assert(!kiln_driver_broken(disk.driver));
    disk_close(&disk);
}
END_TEST

static uint8_t
pattern(unsigned i)
{
    return (uint8_t)(i + 1);
}

/* Requests whose writes find the disk full are kept, while the machine is stopped, saved and loaded
 * (or not), and done when it goes on; the driver sees no error. */
static void
check_stop(uint64_t accept, gboolean migrate)
{
    enum { N = 12 };
    Disk disk = { .options = { .write_back = TRUE,
                               .virtio.n_queues = 2,
                               .write_policy = KILN_IO_ERROR_ENOSPACE,
                               .read_policy = KILN_IO_ERROR_REPORT } };
    KilnDriverBuffer status[N];
    MemoryBlock *old;

    disk_open(&disk);
    kiln_driver_start(disk.driver, accept);
    old = disk.memory;
    old->mode = MEMORY_BLOCK_LOOP;
    memory_block_fail(old, 7, 1u << KILN_BLOCK_WRITE, ENOSPC);
    for (unsigned i = 0; i < N; i++) {
        KilnDriverBuffer data = sectors_of(&disk, 2, pattern(i));

        status[i] = add(&disk, i % 2, VIRTIO_BLK_T_OUT, i * 16, &data, FALSE);
    }
    kiln_driver_kick(disk.driver, 0);
    kiln_driver_kick(disk.driver, 1);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_eq(disk.n_errors, 7);
    ck_assert_int_eq(disk.action, KILN_IO_ERROR_STOP);
    ck_assert_int_eq(disk.error, ENOSPC);
    ck_assert_uint_eq(old->seen.writes, N - 7);
    if (migrate) {
        g_autofree uint8_t *bytes = g_memdup2(old->bytes, DISK_BYTES);

        disk.blk = make_blk(&disk);
        disk.memory->mode = MEMORY_BLOCK_LOOP;
        memcpy(disk.memory->bytes, bytes, DISK_BYTES);
        kiln_driver_migrate(disk.driver, disk.blk);
    } else {
        kiln_virtio_device_quiesce(disk.blk);
        kiln_virtio_device_resume(disk.blk);
    }
    for (unsigned i = 0; i < N; i++)
        kiln_driver_wait_used(disk.driver, i % 2, NULL, NULL);
    for (unsigned i = 0; i < N; i++) {
        ck_assert_uint_eq(status[i].host[0], VIRTIO_BLK_S_OK);
        ck_assert_uint_eq(disk.memory->bytes[i * 16 * SECTOR], pattern(i));
    }
    ck_assert_uint_eq(disk.n_errors, 7);
    ck_assert(!kiln_driver_broken(disk.driver));
    disk_close(&disk);
}

START_TEST(requests_that_failed_are_kept_while_the_machine_stands)
{
    check_stop(_i & 1 ? KILN_DRIVER_PACKED : KILN_DRIVER_SPLIT, _i & 2);
}
END_TEST

/* Header, data and status in two buffers: what was cut for the chain is whole again when kept. */
START_TEST(a_kept_request_is_as_the_driver_made_it)
{
    Disk disk = { .options = { .read_policy = KILN_IO_ERROR_STOP,
                               .write_policy = KILN_IO_ERROR_STOP } };
    struct virtio_blk_outhdr header = { .type = GUINT32_TO_LE(VIRTIO_BLK_T_OUT), .sector = 9 };
    KilnDriverBuffer out;
    KilnDriverBuffer in;

    disk_start(&disk);
    out = kiln_driver_alloc(disk.driver, sizeof header + SECTOR);
    memcpy(out.host, &header, sizeof header);
    out.host[sizeof header] = 0x77;
    in = kiln_driver_alloc(disk.driver, SECTOR + 1);
    for (unsigned i = 0; i < 2; i++) {
        memory_block_fail(disk.memory, 2, MEMORY_BLOCK_ANY_OP, EIO);
        if (i == 1)
            header.type = GUINT32_TO_LE(VIRTIO_BLK_T_IN);
        memcpy(out.host, &header, sizeof header);
        in.host[SECTOR] = 0xff;
        kiln_driver_add(disk.driver, 0, &out, 1, &in, 1);
        kiln_driver_kick(disk.driver, 0);
        for (unsigned n = 0; n < 2; n++) {
            kiln_driver_settle(disk.driver);
            ck_assert_uint_eq(in.host[SECTOR], 0xff);
            kiln_virtio_device_quiesce(disk.blk);
            kiln_virtio_device_resume(disk.blk);
        }
        kiln_driver_wait_used(disk.driver, 0, NULL, NULL);
        ck_assert_uint_eq(in.host[SECTOR], VIRTIO_BLK_S_OK);
        ck_assert_uint_eq(disk.n_errors, 2 * (i + 1));
    }
    ck_assert_uint_eq(disk.memory->bytes[9 * SECTOR], 0x77);
    ck_assert_uint_eq(in.host[0], 0x77);
    disk_close(&disk);
}
END_TEST

/* A driver that resets its disk is not owed an answer. */
START_TEST(a_reset_forgets_what_was_kept)
{
    Disk disk = { .options = { .write_policy = KILN_IO_ERROR_STOP } };
    KilnDriverBuffer data;

    disk_start(&disk);
    memory_block_fail(disk.memory, 1, MEMORY_BLOCK_ANY_OP, EIO);
    data = sectors_of(&disk, 1, 9);
    add(&disk, 0, VIRTIO_BLK_T_OUT, 0, &data, FALSE);
    kiln_driver_kick(disk.driver, 0);
    kiln_driver_settle(disk.driver);
    if (_i == 0) {
        kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    } else {
        kiln_driver_reset_queue(disk.driver, 0);
        kiln_driver_setup_queue(disk.driver, 0);
    }
    data = sectors_of(&disk, 1, 0);
    ck_assert_uint_eq(read_sectors(&disk, 0, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(data.host[0], 0);
    ck_assert_uint_eq(disk.memory->seen.writes, 0);
    disk_close(&disk);
}
END_TEST

/* ---- Many at a time ---- */

START_TEST(what_completes_together_interrupts_once)
{
    enum { N = 16 };
    Disk disk = { 0 };
    KilnDriverBuffer data;

    disk_start(&disk);
    disk.memory->mode = _i == 0 ? MEMORY_BLOCK_SYNC : MEMORY_BLOCK_LOOP;
    for (unsigned i = 0; i < N; i++) {
        data = sectors_of(&disk, 1, 0);
        add(&disk, 0, VIRTIO_BLK_T_IN, i, &data, TRUE);
    }
    kiln_driver_interrupts(disk.driver, 0);
    kiln_driver_kick(disk.driver, 0);
    for (unsigned i = 0; i < N; i++)
        kiln_driver_wait_used(disk.driver, 0, NULL, NULL);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_eq(kiln_driver_interrupts(disk.driver, 0), 1);
    disk_close(&disk);
}
END_TEST

/* What is done does not wait for what is not; what is done in one turn of the loop is told as one.
 */
START_TEST(the_driver_learns_of_some_while_others_are_under_way)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;

    disk_start(&disk);
    disk.memory->mode = MEMORY_BLOCK_HELD;
    data = sectors_of(&disk, 1, 0);
    for (unsigned i = 0; i < 5; i++)
        add(&disk, 0, VIRTIO_BLK_T_IN, i, &data, TRUE);
    kiln_driver_kick(disk.driver, 0);
    kiln_driver_settle(disk.driver);
    kiln_driver_interrupts(disk.driver, 0);
    for (unsigned i = 0; i < 3; i++)
        memory_block_complete(disk.memory, 1);
    ck_assert(!kiln_driver_take_used(disk.driver, 0, NULL, NULL));
    kiln_driver_settle(disk.driver);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(kiln_driver_take_used(disk.driver, 0, NULL, NULL));
    ck_assert(!kiln_driver_take_used(disk.driver, 0, NULL, NULL));
    ck_assert_uint_eq(kiln_driver_interrupts(disk.driver, 0), 1);
    while (disk.memory->n_pending > 0)
        memory_block_complete(disk.memory, 0);
    disk_close(&disk);
}
END_TEST

/* A reset, of the device or of a queue, waits for what is under way in the chain. */
START_TEST(a_reset_waits_for_the_chain)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;
    MemoryBlock *memory;

    disk_start(&disk);
    memory = disk.memory;
    memory->mode = MEMORY_BLOCK_HELD;
    data = sectors_of(&disk, 1, 0);
    add(&disk, 0, VIRTIO_BLK_T_IN, 1, &data, TRUE);
    add(&disk, 0, VIRTIO_BLK_T_IN, 2, &data, TRUE);
    kiln_driver_kick(disk.driver, 0);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_eq(memory->n_pending, 2);
    kiln_driver_set_common(disk.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_ne(kiln_driver_common(disk.driver, VIRTIO_PCI_COMMON_STATUS, 1), 0);
    memory_block_complete(memory, 0);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_ne(kiln_driver_common(disk.driver, VIRTIO_PCI_COMMON_STATUS, 1), 0);
    memory_block_complete(memory, 0);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_eq(kiln_driver_common(disk.driver, VIRTIO_PCI_COMMON_STATUS, 1), 0);
    memory->mode = MEMORY_BLOCK_SYNC;
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    data = sectors_of(&disk, 1, 0);
    ck_assert_uint_eq(read_sectors(&disk, 0, &data), VIRTIO_BLK_S_OK);
    disk_close(&disk);
}
END_TEST

/* ---- A thread that looks before it sleeps ---- */

static const uint64_t lookers[] = { KILN_DRIVER_SPLIT, KILN_DRIVER_PACKED, KILN_DRIVER_PLAIN };

START_TEST(a_queue_that_is_looked_into_needs_no_kicks)
{
    Disk disk = { .options = { .write_back = TRUE } };
    KilnDriverBuffer data;
    KilnPoller poller;
    unsigned kicks;

    disk_open(&disk);
    kiln_driver_start(disk.driver, lookers[_i]);
    disk.memory->mode = MEMORY_BLOCK_LOOP;
    poller = kiln_virtio_blk_poller(disk.blk);
    data = sectors_of(&disk, 1, 0x5a);
    ck_assert(!poller.poll(poller.data));
    poller.begin(poller.data);
    kicks = kiln_driver_kicks(disk.driver);
    for (unsigned i = 0; i < 3; i++) {
        add(&disk, 0, VIRTIO_BLK_T_OUT, i, &data, FALSE);
        kiln_driver_kick(disk.driver, 0);
        kiln_driver_settle(disk.driver);
        ck_assert_uint_eq(disk.memory->seen.writes, i);
        ck_assert(poller.poll(poller.data));
        kiln_driver_wait_used(disk.driver, 0, NULL, NULL);
        ck_assert(!poller.poll(poller.data));
    }
    add(&disk, 0, VIRTIO_BLK_T_OUT, 3, &data, FALSE);
    kiln_driver_kick(disk.driver, 0);
    ck_assert_uint_eq(kiln_driver_kicks(disk.driver), kicks);
    ck_assert(poller.end(poller.data)); /* what came before it is done, what comes later kicks */
    kiln_driver_wait_used(disk.driver, 0, NULL, NULL);
    ck_assert_uint_eq(write_sectors(&disk, 4, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(kiln_driver_kicks(disk.driver), kicks + 1);
    disk_close(&disk);
}
END_TEST

/* Else the thread would never sleep again. */
START_TEST(what_cannot_be_taken_is_nothing_to_do)
{
    Disk disk = { 0 };
    KilnDriverBuffer header;
    KilnPoller poller;

    disk_start(&disk);
    poller = kiln_virtio_blk_poller(disk.blk);
    poller.begin(poller.data);
    header = kiln_driver_alloc(disk.driver, 4);
    ck_assert_int_ge(kiln_driver_add(disk.driver, 0, &header, 1, NULL, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(!poller.poll(poller.data));
    ck_assert(kiln_driver_broken(disk.driver));
    ck_assert(!poller.end(poller.data));
    disk_close(&disk);
}
END_TEST

/* The fake driver and the thread take turns with the context by GLib's locks, which ThreadSanitizer
 * does not see. */
#if !defined(__SANITIZE_THREAD__)
/* A ring that looks with all its might, and a driver that kicks when it is asked to. */
START_TEST(a_ring_that_looks_misses_no_request)
{
    g_autoptr(KilnLoopThread) thread = kiln_loop_thread_new("io");
    g_autoptr(GError) error = NULL;
    Disk disk = { .options = { .virtio.context = kiln_loop_thread_context(thread) } };
    KilnUring *uring = kiln_uring_open(disk.options.virtio.context, 8, KILN_URING_AUTO, &error);
    KilnDriverBuffer data;

    kiln_assert_no_error(error);
    kiln_uring_set_polling(uring, 10000000, 0, 2);
    ck_assert(kiln_loop_thread_start(thread, NULL));
    disk.options.uring = uring;
    disk_open(&disk);
    for (unsigned i = 0; i < 2; i++) {
        kiln_driver_start(disk.driver, lookers[_i]);
        data = sectors_of(&disk, 1, 0x5a);
        for (unsigned j = 0; j < 100; j++)
            ck_assert_uint_eq(write_sectors(&disk, j, &data), VIRTIO_BLK_S_OK);
        kiln_driver_reset(disk.driver);
    }
    disk_close(&disk);
    kiln_loop_thread_stop(thread);
    kiln_uring_free(uring);
}
END_TEST
#endif

/* ---- Against a model ---- */

enum { MODEL_SLOTS = 48, MODEL_SLOT_SECTORS = 64, MODEL_STEPS = 3000 };

/* One request of the model: each slot is a part of the disk of its own, so order matters not. */
typedef struct {
    gboolean busy;
    int id;
    unsigned queue;
    uint32_t type;
    uint64_t sector;
    uint32_t n_sectors;
    KilnDriverBuffer header, data, status;
} Slot;

typedef struct {
    Disk disk;
    GRand *rand;
    uint8_t *model;
    Slot slots[MODEL_SLOTS];
    unsigned n_queues;
} Model;

static void
slot_describe(Model *model, Slot *slot)
{
    struct virtio_blk_outhdr header = { .type = GUINT32_TO_LE(slot->type) };
    struct virtio_blk_discard_write_zeroes segment = { slot->sector, slot->n_sectors, 0 };

    slot->data.length = slot->n_sectors * SECTOR;
    if (slot->type == VIRTIO_BLK_T_WRITE_ZEROES) {
        memcpy(slot->data.host, &segment, sizeof segment);
        slot->data.length = sizeof segment;
    } else {
        header.sector = GUINT64_TO_LE(slot->sector);
        memset(slot->data.host, g_rand_int_range(model->rand, 1, 256), slot->data.length);
    }
    memcpy(slot->header.host, &header, sizeof header);
    slot->status.host[0] = 0xff;
}

/* The data in up to four buffers. */
static unsigned
cut(Model *model, const KilnDriverBuffer *data, KilnDriverBuffer *pieces)
{
    uint32_t at = 0;
    unsigned n = 0;

    while (n < 3 && data->length - at > 1 && g_rand_boolean(model->rand)) {
        uint32_t here = (uint32_t)g_rand_int_range(model->rand, 1, (int)(data->length - at));

        pieces[n++] = (KilnDriverBuffer){ data->gpa + at, data->host + at, here };
        at += here;
    }
    pieces[n++] = (KilnDriverBuffer){ data->gpa + at, data->host + at, data->length - at };
    return n;
}

static void
slot_begin(Model *model, unsigned index)
{
    static const uint32_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
                                      VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES };
    Slot *slot = &model->slots[index];
    int first = g_rand_int_range(model->rand, 0, MODEL_SLOT_SECTORS);
    KilnDriverBuffer out[5] = { slot->header };
    KilnDriverBuffer in[5];
    unsigned n_out = 1;
    unsigned n_in = 0;

    slot->type = types[g_rand_int_range(model->rand, 0, G_N_ELEMENTS(types))];
    slot->sector = (uint64_t)index * MODEL_SLOT_SECTORS + (uint64_t)first;
    slot->n_sectors = (uint32_t)g_rand_int_range(model->rand, 1, MODEL_SLOT_SECTORS - first + 1);
    slot->queue = (unsigned)g_rand_int_range(model->rand, 0, (int)model->n_queues);
    slot_describe(model, slot);
    if (slot->type == VIRTIO_BLK_T_IN)
        n_in += cut(model, &slot->data, in);
    else
        n_out += cut(model, &slot->data, out + 1);
    in[n_in++] = slot->status;
    slot->id = kiln_driver_add(model->disk.driver, slot->queue, out, n_out, in, n_in);
    slot->busy = slot->id >= 0;
    if (!slot->busy)
        return; /* the ring is full */
    if (slot->type == VIRTIO_BLK_T_OUT)
        memcpy(model->model + slot->sector * SECTOR, slot->data.host, slot->data.length);
    if (slot->type == VIRTIO_BLK_T_WRITE_ZEROES)
        memset(model->model + slot->sector * SECTOR, 0, slot->n_sectors * SECTOR);
    if (g_rand_int_range(model->rand, 0, 3) == 0)
        kiln_driver_kick(model->disk.driver, slot->queue);
}

static void
slot_end(Model *model, unsigned queue, int id, uint32_t length)
{
    Slot *slot = model->slots;

    while (!slot->busy || slot->queue != queue || slot->id != id)
        ck_assert(++slot < model->slots + MODEL_SLOTS);
    ck_assert_uint_eq(slot->status.host[0], VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(length, slot->type == VIRTIO_BLK_T_IN ? slot->data.length + 1 : 1);
    if (slot->type == VIRTIO_BLK_T_IN)
        ck_assert_mem_eq(slot->data.host, model->model + slot->sector * SECTOR, slot->data.length);
    slot->busy = FALSE;
}

/* Takes what is there, of all queues. */
static void
take_used(Model *model)
{
    for (unsigned i = 0; i < model->n_queues; i++) {
        uint32_t length;
        int id;

        while (kiln_driver_take_used(model->disk.driver, i, &id, &length))
            slot_end(model, i, id, length);
    }
}

static void
finish_all(Model *model)
{
    model->disk.memory->mode = MEMORY_BLOCK_LOOP;
    while (model->disk.memory->n_pending > 0)
        memory_block_complete(model->disk.memory, 0);
    for (unsigned i = 0; i < model->n_queues; i++)
        kiln_driver_kick_always(model->disk.driver, i);
    for (unsigned i = 0; i < model->n_queues; i++)
        while (kiln_driver_in_flight(model->disk.driver, i) > 0) {
            uint32_t length;
            int id;

            kiln_driver_wait_used(model->disk.driver, i, &id, &length);
            slot_end(model, i, id, length);
        }
}

static void
step(Model *model)
{
    MemoryBlock *memory = model->disk.memory;
    unsigned index = (unsigned)g_rand_int_range(model->rand, 0, MODEL_SLOTS);

    switch (g_rand_int_range(model->rand, 0, 8)) {
    case 0:
        kiln_driver_settle(model->disk.driver);
        take_used(model);
        break;
    case 1:
        if (memory->n_pending > 0 && memory->mode == MEMORY_BLOCK_HELD)
            memory_block_complete(
                memory, (unsigned)g_rand_int_range(model->rand, 0, (int)memory->n_pending));
        break;
    case 2:
        if (memory->n_pending == 0)
            memory->mode = (MemoryBlockMode)g_rand_int_range(model->rand, 0, 3);
        break;
    default:
        if (!model->slots[index].busy)
            slot_begin(model, index);
    }
}

static void
check_model(uint64_t accept, unsigned n_queues, uint16_t queue_size, unsigned seed)
{
    Model model = {
        .disk = { .options = { .virtio = { .n_queues = n_queues, .queue_size = queue_size },
                               .write_back = TRUE } },
        .rand = g_rand_new_with_seed(seed),
        .model = g_malloc0(DISK_BYTES),
        .n_queues = n_queues
    };
    KilnVirtioBlkStatistics statistics;

    disk_open(&model.disk);
    kiln_driver_start(model.disk.driver, accept);
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        model.slots[i].header = kiln_driver_alloc(model.disk.driver, 16);
        model.slots[i].data = kiln_driver_alloc(model.disk.driver, MODEL_SLOT_SECTORS * SECTOR);
        model.slots[i].status = kiln_driver_alloc(model.disk.driver, 1);
    }
    for (unsigned i = 0; i < MODEL_STEPS; i++)
        step(&model);
    finish_all(&model);
    ck_assert(!kiln_driver_broken(model.disk.driver));
    kiln_virtio_blk_statistics(model.disk.blk, &statistics);
    ck_assert_uint_eq(statistics.read.requests, model.disk.memory->seen.reads);
    ck_assert_uint_eq(statistics.write.requests, model.disk.memory->seen.writes);
    ck_assert_uint_eq(statistics.discard.requests, model.disk.memory->seen.zeroes);
    for (unsigned i = 0; i < MODEL_SLOTS; i++)
        g_assert(!model.slots[i].busy);
    disk_close(&model.disk);
    g_free(model.model);
    g_rand_free(model.rand);
}

static const struct {
    uint64_t accept;
    unsigned n_queues;
    uint16_t queue_size;
} shapes[] = {
    { KILN_DRIVER_SPLIT, 1, 256 },
    { KILN_DRIVER_PACKED, 1, 256 },
    { KILN_DRIVER_SPLIT, 4, 16 },
    { KILN_DRIVER_PACKED, 4, 16 },
    { KILN_DRIVER_PLAIN, 2, 64 },
    { KILN_DRIVER_SPLIT & ~KILN_DRIVER_BIT(VIRTIO_RING_F_INDIRECT_DESC), 1, 1024 },
};

START_TEST(the_disk_is_as_its_model)
{
    check_model(shapes[_i].accept, shapes[_i].n_queues, shapes[_i].queue_size, (unsigned)_i + 1);
}
END_TEST

/* ---- Threads, sizes, state ---- */

START_TEST(a_disk_of_an_io_thread)
{
    g_autoptr(KilnLoopThread) thread = kiln_loop_thread_new("io");
    Disk disk = { .options = { .virtio.context = kiln_loop_thread_context(thread) } };
    KilnDriverBuffer data;
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_loop_thread_start(thread, &error));
    disk_start(&disk);
    disk.memory->mode = MEMORY_BLOCK_LOOP;
    data = sectors_of(&disk, 8, 0x3c);
    ck_assert_uint_eq(write_sectors(&disk, 1, &data), VIRTIO_BLK_S_OK);
    memset(data.host, 0, data.length);
    ck_assert_uint_eq(read_sectors(&disk, 1, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(data.host[8 * SECTOR - 1], 0x3c);
    disk_close(&disk);
}
END_TEST

START_TEST(a_resize_is_told)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;
    uint8_t generation;

    disk_start(&disk);
    generation = kiln_driver_config_generation(disk.driver);
    kiln_driver_config_interrupts(disk.driver);
    kiln_virtio_device_quiesce(disk.blk);
    disk.memory->block.length = DISK_BYTES / 2;
    kiln_virtio_blk_resized(disk.blk);
    kiln_virtio_device_resume(disk.blk);
    kiln_driver_settle(disk.driver);
    ck_assert_uint_eq(kiln_driver_config_interrupts(disk.driver), 1);
    ck_assert_uint_ne(kiln_driver_config_generation(disk.driver), generation);
    ck_assert_uint_eq(config(&disk, CONFIG(capacity), 8), DISK_SECTORS / 2);
    data = sectors_of(&disk, 1, 0);
    ck_assert_uint_eq(read_sectors(&disk, DISK_SECTORS / 2, &data), VIRTIO_BLK_S_IOERR);
    disk_close(&disk);
}
END_TEST

START_TEST(statistics_count_what_was_done)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;
    KilnVirtioBlkStatistics statistics;

    disk_start(&disk);
    data = sectors_of(&disk, 8, 0);
    read_sectors(&disk, 0, &data);
    read_sectors(&disk, 0, &data);
    write_sectors(&disk, 0, &data);
    request(&disk, VIRTIO_BLK_T_FLUSH, 0, NULL, FALSE);
    read_sectors(&disk, DISK_SECTORS, &data); /* is the driver's error: not counted */
    kiln_virtio_blk_statistics(disk.blk, &statistics);
    ck_assert_uint_eq(statistics.read.requests, 2);
    ck_assert_uint_eq(statistics.read.bytes, 16 * SECTOR);
    ck_assert_uint_gt(statistics.read.time_ns, 0);
    ck_assert_uint_eq(statistics.write.requests, 1);
    ck_assert_uint_eq(statistics.write.bytes, 8 * SECTOR);
    ck_assert_uint_eq(statistics.flush.requests, 1);
    ck_assert_uint_eq(statistics.read.errors, 0);
    disk_close(&disk);
}
END_TEST

/* Saved, loaded into another one and saved again: kiln_driver_migrate() compares. */
START_TEST(state_survives)
{
    Disk disk = { 0 };
    KilnDriverBuffer data;

    disk_start(&disk);
    kiln_driver_set_config(disk.driver, CONFIG(wce), 0, 1);
    data = sectors_of(&disk, 1, 5);
    ck_assert_uint_eq(write_sectors(&disk, 0, &data), VIRTIO_BLK_S_OK);
    disk.blk = make_blk(&disk);
    kiln_driver_migrate(disk.driver, disk.blk);
    ck_assert_uint_eq(config(&disk, CONFIG(wce), 1), 0);
    ck_assert_uint_eq(fua_of_a_write(&disk), 1);
    disk_close(&disk);
}
END_TEST

static void
add_requests(Suite *suite)
{
    TCase *tcase = kiln_test_case(suite, "requests");

    tcase_add_test(tcase, the_configuration_describes_the_disk);
    tcase_add_test(tcase, a_disk_that_is_read_only_is_not_written);
    tcase_add_test(tcase, options_that_do_not_fit_are_errors);
    tcase_add_test(tcase, data_is_written_and_read);
    tcase_add_loop_test(tcase, spec_5_2_6_2_what_cannot_be_is_an_io_error, 0,
                        G_N_ELEMENTS(refused));
    tcase_add_loop_test(tcase, a_chain_without_header_or_status_breaks_the_device, 0, 2);
    tcase_add_test(tcase, a_request_may_be_cut_anywhere);
    tcase_add_test(tcase, several_segments_are_zeroed);
    tcase_add_loop_test(tcase, one_bad_segment_refuses_all, 0, G_N_ELEMENTS(bad_segments));
    tcase_add_test(tcase, zeroes_give_no_space_back_where_discard_is_off);
    tcase_add_test(tcase, requests_are_whole_logical_blocks);
    tcase_add_test(tcase, writes_are_stable_where_there_is_no_cache);
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-blk");
    TCase *tcase = kiln_test_case(suite, "life");

    add_requests(suite);
    tcase_add_loop_test(tcase, an_error_is_dealt_with_as_the_policy_says, 0,
                        G_N_ELEMENTS(policies));
    tcase_add_loop_test(tcase, requests_that_failed_are_kept_while_the_machine_stands, 0, 4);
    tcase_add_test(tcase, a_kept_request_is_as_the_driver_made_it);
    tcase_add_loop_test(tcase, a_reset_forgets_what_was_kept, 0, 2);
    tcase_add_loop_test(tcase, what_completes_together_interrupts_once, 0, 2);
    tcase_add_test(tcase, the_driver_learns_of_some_while_others_are_under_way);
    tcase_add_test(tcase, a_reset_waits_for_the_chain);
    tcase_add_loop_test(tcase, a_queue_that_is_looked_into_needs_no_kicks, 0,
                        G_N_ELEMENTS(lookers));
    tcase_add_test(tcase, what_cannot_be_taken_is_nothing_to_do);
#if !defined(__SANITIZE_THREAD__)
    tcase_add_loop_test(tcase, a_ring_that_looks_misses_no_request, 0, G_N_ELEMENTS(lookers));
#endif
    tcase_add_loop_test(tcase, the_disk_is_as_its_model, 0, G_N_ELEMENTS(shapes));
    tcase_add_test(tcase, a_disk_of_an_io_thread);
    tcase_add_test(tcase, a_resize_is_told);
    tcase_add_test(tcase, statistics_count_what_was_done);
    tcase_add_test(tcase, state_survives);
    return suite;
}

KILN_TEST_MAIN(make_suite)
