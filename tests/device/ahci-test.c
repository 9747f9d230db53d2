/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An AHCI controller and its disks as a driver sees them, on disks in memory: AHCI 1.3.1, ACS-3. */
#include "tests/lib/ahci-driver.h"

#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"

enum {
    SECTOR = 512,
    DISK_SECTORS = 4096,
    DISK_BYTES = DISK_SECTORS * SECTOR,
    LBA = 0x40,
    IDENTIFY = 0xec,
    READ_DMA = 0xc8,
    READ_DMA_EXT = 0x25,
    WRITE_DMA_EXT = 0x35,
    READ_SECTORS_EXT = 0x24,
    WRITE_SECTORS_EXT = 0x34,
    READ_FPDMA = 0x60,
    WRITE_FPDMA = 0x61,
    FLUSH_EXT = 0xea,
    TRIM = 0x06,
    SET_FEATURES = 0xef,
    READ_LOG_EXT = 0x2f,

    GOOD = 0x50,
    ERR = 1,
    ABRT = 4 << 8,
    IDNF = 0x10 << 8,
    UNC = 0x40 << 8,

    DHRS = 1 << 0,
    PSS = 1 << 1,
    SDBS = 1 << 3,
    OFS = 1 << 24,
    IFS = 1 << 27,
    HBFS = 1 << 29,
    TFES = 1 << 30,
    CR = 1 << 15,
};

typedef struct {
    AhciDriver ahci;
    unsigned n_errors;
    int error;
    KilnIoErrorPolicy action;
} Fixture;

static void
on_error(void *opaque, gboolean is_read, int error, KilnIoErrorPolicy action)
{
    Fixture *fixture = opaque;

    fixture->n_errors++;
    fixture->error = error;
    fixture->action = action;
}

static const KilnAtaOptions plain = { .serial = "S123", .write_back = TRUE, .discard = TRUE };

static void
fixture_open(Fixture *fixture, const KilnAtaOptions *options)
{
    KilnAtaOptions own = *options;

    *fixture = (Fixture){ 0 };
    own.io_error = on_error;
    own.opaque = fixture;
    ahci_driver_open(&fixture->ahci);
    ahci_driver_add_disk(&fixture->ahci, 0, DISK_BYTES, &own);
    ahci_driver_start(&fixture->ahci, 0);
}

static uint8_t *
host(Fixture *fixture, KilnGpa gpa)
{
    return kiln_memory_map(fixture->ahci.ram, gpa, 1);
}

static AhciCommand
media(uint8_t command, uint64_t lba, uint16_t count)
{
    return (AhciCommand){ .command = command,
                          .device = LBA,
                          .count = count,
                          .lba = lba,
                          .write = command == WRITE_DMA_EXT || command == WRITE_SECTORS_EXT };
}

static AhciCommand
queued(uint8_t command, unsigned tag, uint64_t lba, uint16_t count)
{
    return (AhciCommand){ .command = command,
                          .device = LBA,
                          .features = count,
                          .count = (uint16_t)(tag << 3),
                          .lba = lba,
                          .write = command == WRITE_FPDMA };
}

/* Runs a command with one buffer at AHCI_DATA.  Returns: PxTFD. */
static uint32_t
run(Fixture *fixture, AhciCommand command, uint32_t bytes)
{
    AhciPrd prd = { AHCI_DATA, bytes };

    return ahci_run(&fixture->ahci, 0, &command, &prd, bytes > 0 ? 1 : 0);
}

static uint32_t
port(Fixture *fixture, unsigned offset)
{
    return ahci_port_read(&fixture->ahci, 0, offset);
}

static void
fixture_close(Fixture *fixture)
{
    ahci_settle_loop();
    ahci_driver_close(&fixture->ahci);
}

/* ---- What it is ---- */

START_TEST(the_controller_tells_what_it_can)
{
    Fixture f;

    fixture_open(&f, &plain);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_CAP) & 0x1f, 5);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_CAP) >> 8 & 0x1f, 31);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_CAP) >> 30, 3); /* 64 bits, NCQ */
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_GHC), 1u << 31);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_PI), 1); /* only ports with drives */
    ck_assert_uint_eq(ahci_read(&f.ahci, 0x10), 0x10301);
    ck_assert_uint_eq(port(&f, AHCI_PXSSTS), 0x133);
    ck_assert_uint_eq(ahci_port_read(&f.ahci, 1, AHCI_PXSSTS), 0);
    ck_assert_uint_eq(ahci_port_read(&f.ahci, 1, AHCI_PXTFD), 0x7f);
    fixture_close(&f);
}
END_TEST

START_TEST(the_signature_waits_for_a_place)
{
    AhciDriver ahci;
    uint8_t fis[20];

    ahci_driver_open(&ahci);
    ahci_driver_add_disk(&ahci, 3, DISK_BYTES, &plain);
    ck_assert_uint_eq(ahci_port_read(&ahci, 3, AHCI_PXTFD), 0x80);
    ck_assert_uint_eq(ahci_port_read(&ahci, 3, AHCI_PXSIG), 0xffffffff);
    ahci_driver_start(&ahci, 3);
    ck_assert_uint_eq(ahci_port_read(&ahci, 3, AHCI_PXTFD), 0x150);
    ck_assert_uint_eq(ahci_port_read(&ahci, 3, AHCI_PXSIG), 0x101);
    kiln_memory_read(ahci.ram, AHCI_FISES + 3 * 0x100 + 0x40, fis, sizeof fis);
    ck_assert_uint_eq(fis[0], 0x34);
    ck_assert_uint_eq(fis[2], GOOD);
    ahci_driver_close(&ahci);
}
END_TEST

static uint16_t
word(const uint8_t *data, unsigned n)
{
    return kiln_le16_load(data + 2 * n);
}

START_TEST(identify_tells_of_the_disk)
{
    Fixture f;
    const uint8_t *id;
    uint8_t sum = 0;

    fixture_open(&f, &plain);
    ck_assert_uint_eq(run(&f, (AhciCommand){ .command = IDENTIFY }, SECTOR), GOOD);
    id = host(&f, AHCI_DATA);
    for (unsigned i = 0; i < SECTOR; i++)
        sum = (uint8_t)(sum + id[i]);
    ck_assert_uint_eq(sum, 0);
    ck_assert_mem_eq(id + 20, "1S32    ", 8); /* "S123", the bytes of each word swapped */
    ck_assert_mem_eq(id + 54, "IKNLH RADDSI K", 14);
    ck_assert_uint_eq(kiln_le32_load(id + 120), DISK_SECTORS);
    ck_assert_uint_eq(kiln_le64_load(id + 200), DISK_SECTORS);
    ck_assert_uint_eq(word(id, 75), 31);
    ck_assert(word(id, 76) & 1 << 8);
    ck_assert(word(id, 85) & 1 << 5);             /* the write cache is on */
    ck_assert_uint_eq(word(id, 128), 0);          /* no security */
    ck_assert_uint_eq(word(id, 82) & 1 << 10, 0); /* no HPA */
    ck_assert_uint_eq(word(id, 169), 1);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), PSS);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x20)[0], 0x5f);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x20)[2], 0x58);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x20)[15], GOOD);
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_LISTS + 4)), SECTOR);
    fixture_close(&f);
}
END_TEST

START_TEST(large_sectors_are_told)
{
    Fixture f;
    KilnAtaOptions options = plain;
    const uint8_t *id;

    options.logical_size = 4096;
    options.physical_size = 8192;
    options.wwn = UINT64_C(0x5000c50015ea71ac);
    options.rotation_rate = 1;
    fixture_open(&f, &options);
    run(&f, (AhciCommand){ .command = IDENTIFY }, SECTOR);
    id = host(&f, AHCI_DATA);
    ck_assert_uint_eq(word(id, 106), 0x7001);
    ck_assert_uint_eq(kiln_le32_load(id + 234), 2048);
    ck_assert_uint_eq(kiln_le64_load(id + 200), DISK_SECTORS / 8);
    ck_assert_uint_eq(word(id, 108), 0x5000);
    ck_assert_uint_eq(word(id, 111), 0x71ac);
    ck_assert_uint_eq(word(id, 217), 1);
    memset(host(&f, AHCI_DATA), 0x77, 4096);
    ck_assert_uint_eq(run(&f, media(WRITE_DMA_EXT, 3, 1), 4096), GOOD);
    ck_assert_uint_eq(f.ahci.blocks[0]->bytes[3 * 4096], 0x77);
    ck_assert_uint_eq(f.ahci.blocks[0]->bytes[4 * 4096], 0);
    fixture_close(&f);
}
END_TEST

/* ---- Data ---- */

START_TEST(data_go_to_where_the_prds_say)
{
    Fixture f;
    AhciCommand command = media(WRITE_DMA_EXT, 5, 2);
    AhciPrd prds[] = { { AHCI_DATA, 2 }, { AHCI_DATA + 0x1000, 700 }, { AHCI_DATA + 0x2002, 322 } };
    uint8_t expected[2 * SECTOR];

    fixture_open(&f, &plain);
    for (unsigned i = 0; i < 0x3000; i++)
        host(&f, AHCI_DATA)[i] = (uint8_t)(i * 7 + i / 256);
    memcpy(expected, host(&f, AHCI_DATA), 2);
    memcpy(expected + 2, host(&f, AHCI_DATA + 0x1000), 700);
    memcpy(expected + 702, host(&f, AHCI_DATA + 0x2002), 322);
    ck_assert_uint_eq(ahci_run(&f.ahci, 0, &command, prds, 3), GOOD);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), DHRS);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    ck_assert_mem_eq(f.ahci.blocks[0]->bytes + 5 * SECTOR, expected, sizeof expected);
    memset(host(&f, AHCI_DATA), 0, 0x3000);
    command = media(READ_DMA_EXT, 5, 2);
    ck_assert_uint_eq(ahci_run(&f.ahci, 0, &command, prds, 3), GOOD);
    ck_assert_mem_eq(host(&f, AHCI_DATA + 0x1000), expected + 2, 700);
    ck_assert_mem_eq(host(&f, AHCI_DATA + 0x2002), expected + 702, 322);
    ck_assert_uint_eq(host(&f, AHCI_DATA + 0x2002)[322], 0);
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_LISTS + 4)), 2 * SECTOR);
    fixture_close(&f);
}
END_TEST

START_TEST(more_prds_than_fit_are_done_in_rounds)
{
    enum { N = 1000, BYTES = 1000 * 258 / SECTOR * SECTOR };
    Fixture f;
    AhciPrd prds[N];
    AhciCommand command = media(WRITE_DMA_EXT, 0, BYTES / SECTOR);

    fixture_open(&f, &plain);
    for (unsigned i = 0; i < N; i++)
        prds[i] = (AhciPrd){ AHCI_DATA + 258 * i, 258 };
    for (unsigned i = 0; i < BYTES; i++)
        host(&f, AHCI_DATA)[i] = (uint8_t)(i ^ i >> 8);
    ck_assert_uint_eq(ahci_run(&f.ahci, 0, &command, prds, N), GOOD);
    ck_assert_mem_eq(f.ahci.blocks[0]->bytes, host(&f, AHCI_DATA), BYTES);
    ck_assert_uint_gt(f.ahci.blocks[0]->seen.writes, 2);
    fixture_close(&f);
}
END_TEST

START_TEST(twenty_eight_bits_are_in_the_device_field_too)
{
    Fixture f;

    fixture_open(&f, &plain);
    f.ahci.blocks[0]->bytes[77 * SECTOR] = 0xaa;
    ck_assert_uint_eq(run(&f, media(READ_DMA, 77, 1), SECTOR), GOOD);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[0], 0xaa);
    ck_assert_uint_eq(run(&f, (AhciCommand){ READ_DMA, LBA | 1, 0, 1, 77 }, SECTOR),
                      GOOD | ERR | IDNF);
    ahci_recover(&f.ahci, 0);
    /* Cylinder 0, head 1, sector 15: the 78th with 63 sectors a track. */
    ck_assert_uint_eq(run(&f, (AhciCommand){ READ_DMA, 1, 0, 1, 15 }, SECTOR), GOOD);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[0], 0xaa);
    fixture_close(&f);
}
END_TEST

START_TEST(what_is_not_on_the_disk_is_not_found)
{
    Fixture f;

    fixture_open(&f, &plain);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, DISK_SECTORS - 1, 2), 2 * SECTOR),
                      GOOD | ERR | IDNF);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), (uint32_t)DHRS | TFES);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 1); /* what failed stays */
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, UINT64_C(0xffffffffffff), 0), SECTOR),
                      GOOD | ERR | IDNF);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(f.ahci.blocks[0]->seen.reads, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, DISK_SECTORS - 2, 2), 2 * SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

START_TEST(caches_flush_and_force_unit_access)
{
    Fixture f;
    const MemoryBlockSeen *seen;

    fixture_open(&f, &plain);
    seen = &f.ahci.blocks[0]->seen;
    ck_assert_uint_eq(run(&f, media(WRITE_DMA_EXT, 0, 1), SECTOR), GOOD);
    ck_assert_uint_eq(seen->fua, 0);
    ck_assert_uint_eq(run(&f, media(FLUSH_EXT, 0, 0), 0), GOOD);
    ck_assert_uint_eq(seen->flushes, 1);
    ck_assert_uint_eq(run(&f, media(0x3d, 0, 1), SECTOR), GOOD); /* WRITE DMA FUA EXT */
    ck_assert_uint_eq(seen->fua, 1);
    ck_assert_uint_eq(run(&f, (AhciCommand){ .command = SET_FEATURES, .features = 0x82 }, 0), GOOD);
    ck_assert_uint_eq(seen->flushes, 2);
    ck_assert_uint_eq(run(&f, media(WRITE_DMA_EXT, 0, 1), SECTOR), GOOD);
    ck_assert_uint_eq(seen->fua, 2);
    fixture_close(&f);
}
END_TEST

START_TEST(trim_discards_all_its_ranges_or_none)
{
    Fixture f;
    AhciCommand command = { TRIM, LBA, 1, 1, 0, TRUE };
    KilnDiskStatistics statistics;

    fixture_open(&f, &plain);
    memset(f.ahci.blocks[0]->bytes, 0xee, DISK_BYTES);
    memset(host(&f, AHCI_DATA), 0, SECTOR);
    kiln_le64_store(host(&f, AHCI_DATA), 16 | UINT64_C(8) << 48);
    kiln_le64_store(host(&f, AHCI_DATA + 16), 64 | UINT64_C(16) << 48);
    ck_assert_uint_eq(run(&f, command, SECTOR), GOOD);
    ck_assert_uint_eq(f.ahci.blocks[0]->seen.discards, 2);
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_LISTS + 4)), SECTOR); /* bytes moved */
    kiln_ata_statistics(f.ahci.drives[0]->disk, &statistics);
    ck_assert_uint_eq(statistics.discard.bytes, 24 * SECTOR);
    ck_assert_uint_eq(f.ahci.blocks[0]->bytes[16 * SECTOR], 0);
    ck_assert_uint_eq(f.ahci.blocks[0]->bytes[24 * SECTOR], 0xee);
    kiln_le64_store(host(&f, AHCI_DATA + 16), (DISK_SECTORS - 1) | UINT64_C(2) << 48);
    ck_assert_uint_eq(run(&f, command, SECTOR), GOOD | ERR | IDNF);
    ck_assert_uint_eq(f.ahci.blocks[0]->seen.discards, 2);
    fixture_close(&f);
}
END_TEST

/* ---- Other commands ---- */

START_TEST(what_is_not_there_is_aborted)
{
    /* NOP, PACKET, IDENTIFY PACKET DEVICE, SET MAX, READ NATIVE MAX, security, sanitize, … */
    static const uint8_t refused[] = { 0x00, 0x08, 0xa0, 0xa1, 0xf9, 0x37, 0xf8, 0x27, 0xf1, 0xf2,
                                       0xf3, 0xf4, 0xf5, 0xf6, 0xb4, 0x92, 0x93, 0xb1, 0x45, 0xff };
    Fixture f;

    fixture_open(&f, &plain);
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        ck_assert_uint_eq(run(&f, (AhciCommand){ .command = refused[i] }, SECTOR),
                          GOOD | ERR | ABRT);
        ahci_recover(&f.ahci, 0);
    }
    ck_assert_uint_eq(run(&f, media(0xc4, 0, 1), SECTOR), GOOD | ERR | ABRT); /* not set before */
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, (AhciCommand){ .command = 0xc6, .count = 17 }, 0), GOOD | ERR | ABRT);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, (AhciCommand){ .command = 0xc6, .count = 16 }, 0), GOOD);
    ck_assert_uint_eq(run(&f, media(0xc4, 0, 1), SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

START_TEST(power_and_smart)
{
    Fixture f;
    const uint8_t *received;

    fixture_open(&f, &plain);
    received = host(&f, AHCI_FISES + 0x40);
    run(&f, (AhciCommand){ .command = 0xe5 }, 0);
    ck_assert_uint_eq(received[12], 0xff);
    run(&f, (AhciCommand){ .command = 0xe0 }, 0);
    run(&f, (AhciCommand){ .command = 0xe5 }, 0);
    ck_assert_uint_eq(received[12], 0);
    run(&f, media(READ_DMA_EXT, 0, 1), SECTOR);
    run(&f, (AhciCommand){ .command = 0xe5 }, 0);
    ck_assert_uint_eq(received[12], 0xff);
    ck_assert_uint_eq(
        run(&f, (AhciCommand){ .command = 0xb0, .features = 0xda, .lba = 0xc24f00 }, 0), GOOD);
    ck_assert_uint_eq(received[5], 0x4f);
    ck_assert_uint_eq(received[6], 0xc2);
    ck_assert_uint_eq(
        run(&f, (AhciCommand){ .command = 0xb0, .features = 0xd0, .lba = 0xc24f00 }, SECTOR), GOOD);
    ck_assert_uint_eq(run(&f, (AhciCommand){ .command = 0xb0, .features = 0xda }, 0),
                      GOOD | ERR | ABRT);
    fixture_close(&f);
}
END_TEST

/* ---- NCQ ---- */

START_TEST(queued_commands_are_done_in_any_order)
{
    Fixture f;
    MemoryBlock *block;

    fixture_open(&f, &plain);
    block = f.ahci.blocks[0];
    block->mode = MEMORY_BLOCK_HELD;
    for (unsigned i = 0; i < 32; i++) {
        AhciCommand command = queued(READ_FPDMA, i, i, 1);
        AhciPrd prd = { AHCI_DATA + i * SECTOR, SECTOR };

        block->bytes[i * SECTOR] = (uint8_t)(i + 1);
        ahci_put(&f.ahci, 0, i, &command, &prd, 1);
    }
    ahci_issue(&f.ahci, 0, 0xffffffff, TRUE);
    ahci_settle_loop();
    ck_assert_uint_eq(block->n_pending, 32);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    ck_assert_uint_eq(port(&f, AHCI_PXSACT), 0xffffffff);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    memory_block_complete(block, 31);
    ck_assert_uint_ne(port(&f, AHCI_PXIS) & SDBS, 0);
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_FISES + 0x5c)),
                      ~port(&f, AHCI_PXSACT)); /* the one */
    while (block->n_pending > 0)
        memory_block_complete(block, block->n_pending / 2);
    ck_assert_uint_eq(port(&f, AHCI_PXSACT), 0);
    for (unsigned i = 0; i < 32; i++)
        ck_assert_uint_eq(host(&f, AHCI_DATA + i * SECTOR)[0], i + 1);
    block->mode = MEMORY_BLOCK_SYNC;
    fixture_close(&f);
}
END_TEST

START_TEST(a_queued_command_that_fails_is_in_the_log)
{
    Fixture f;
    AhciCommand command = queued(READ_FPDMA, 5, 9, 1);
    AhciPrd prd = { AHCI_DATA, SECTOR };

    fixture_open(&f, &plain);
    memory_block_fail(f.ahci.blocks[0], 1, 1 << KILN_BLOCK_READ, EIO);
    ahci_put(&f.ahci, 0, 5, &command, &prd, 1);
    ahci_issue(&f.ahci, 0, 1 << 5, TRUE);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXIS), (uint32_t)SDBS | TFES);
    ck_assert_uint_eq(port(&f, AHCI_PXSACT), 1 << 5);
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), GOOD | ERR | UNC);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(port(&f, AHCI_PXSACT), 0);
    command = media(READ_LOG_EXT, 0x10, 1);
    ck_assert_uint_eq(run(&f, command, SECTOR), GOOD);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[0], 5);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[3], 0x40);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[4], 9);
    run(&f, command, SECTOR);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[0], 0x80);
    fixture_close(&f);
}
END_TEST

START_TEST(one_that_is_not_queued_waits_for_those_that_are)
{
    Fixture f;
    AhciCommand command = queued(READ_FPDMA, 1, 0, 1);
    AhciPrd prd = { AHCI_DATA, SECTOR };
    MemoryBlock *block;

    fixture_open(&f, &plain);
    block = f.ahci.blocks[0];
    block->mode = MEMORY_BLOCK_HELD;
    ahci_put(&f.ahci, 0, 1, &command, &prd, 1);
    ahci_issue(&f.ahci, 0, 1 << 1, TRUE);
    command = media(READ_DMA_EXT, 0, 1);
    ahci_put(&f.ahci, 0, 2, &command, &prd, 1);
    ahci_issue(&f.ahci, 0, 1 << 2, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(block->n_pending, 1);
    memory_block_complete(block, 0);
    ahci_settle_loop();
    ck_assert_uint_eq(block->n_pending, 1);
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), 0x80);
    memory_block_complete(block, 0);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    block->mode = MEMORY_BLOCK_SYNC;
    fixture_close(&f);
}
END_TEST

/* ---- Random commands against a model ---- */

typedef struct {
    Fixture f;
    uint32_t seed;
    uint8_t *model; /* (owned) what must be on the disk */
} Play;

static uint32_t
number(Play *play, uint32_t below)
{
    play->seed = play->seed * 1664525 + 1013904223;
    return (play->seed >> 8) % below;
}

/* Cuts the bytes at @gpa into pieces of even lengths. */
static unsigned
cut(Play *play, KilnGpa gpa, uint32_t bytes, AhciPrd *prds)
{
    unsigned n = 0;

    while (bytes > 0) {
        uint32_t wanted = 2 * (1 + number(play, 600));
        uint32_t piece = MIN(bytes, wanted);

        prds[n++] = (AhciPrd){ gpa, piece };
        gpa += piece;
        bytes -= piece;
    }
    return n;
}

static void
play_round(Play *play)
{
    static const uint8_t kinds[] = { READ_DMA_EXT,      WRITE_DMA_EXT, READ_SECTORS_EXT,
                                     WRITE_SECTORS_EXT, READ_FPDMA,    WRITE_FPDMA };
    enum { MOST = 40 };
    uint8_t kind = kinds[number(play, G_N_ELEMENTS(kinds))];
    unsigned slot = number(play, 32);
    uint32_t n = 1 + number(play, MOST);
    uint64_t lba = number(play, DISK_SECTORS - MOST);
    gboolean is_queued = kind == READ_FPDMA || kind == WRITE_FPDMA;
    AhciCommand command =
        is_queued ? queued(kind, slot, lba, (uint16_t)n) : media(kind, lba, (uint16_t)n);
    KilnGpa gpa = AHCI_DATA + 2 * number(play, 5000);
    uint8_t *data = host(&play->f, gpa);
    AhciPrd prds[MOST * SECTOR / 2];

    for (uint32_t i = 0; i < n * SECTOR; i += 32)
        data[i] = (uint8_t)number(play, 256);
    if (command.write)
        memcpy(play->model + lba * SECTOR, data, n * SECTOR);
    ahci_put(&play->f.ahci, 0, slot, &command, prds, cut(play, gpa, n * SECTOR, prds));
    ahci_issue(&play->f.ahci, 0, UINT32_C(1) << slot, is_queued);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&play->f, AHCI_PXTFD), GOOD);
    ck_assert_uint_eq(port(&play->f, AHCI_PXCI) | port(&play->f, AHCI_PXSACT), 0);
    ck_assert_mem_eq(data, play->model + lba * SECTOR, n * SECTOR);
}

START_TEST(random_commands_agree_with_a_model)
{
    Play play = { .seed = 42 + (uint32_t)_i, .model = g_malloc0(DISK_BYTES) };

    fixture_open(&play.f, &plain);
    play.f.ahci.blocks[0]->mode = _i == 0 ? MEMORY_BLOCK_SYNC : MEMORY_BLOCK_LOOP;
    for (unsigned i = 0; i < 300; i++)
        play_round(&play);
    ck_assert_mem_eq(play.f.ahci.blocks[0]->bytes, play.model, DISK_BYTES);
    fixture_close(&play.f);
    g_free(play.model);
}
END_TEST

/* ---- The host fails ---- */

START_TEST(errors_are_reported)
{
    Fixture f;
    KilnDiskStatistics statistics;

    fixture_open(&f, &plain);
    memory_block_fail(f.ahci.blocks[0], 1, 1 << KILN_BLOCK_READ, EIO);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 7, 1), SECTOR), GOOD | ERR | UNC);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x40)[4], 7);
    ck_assert_uint_eq(f.n_errors, 1);
    ck_assert_int_eq(f.error, EIO);
    ck_assert_int_eq(f.action, KILN_IO_ERROR_REPORT);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 7, 1), SECTOR), GOOD);
    kiln_ata_statistics(f.ahci.drives[0]->disk, &statistics);
    ck_assert_uint_eq(statistics.read.errors, 1);
    ck_assert_uint_eq(statistics.read.requests, 1);
    ck_assert_uint_eq(statistics.read.bytes, SECTOR);
    fixture_close(&f);
}
END_TEST

START_TEST(errors_are_ignored)
{
    Fixture f;
    KilnAtaOptions options = plain;

    options.write_policy = KILN_IO_ERROR_IGNORE;
    fixture_open(&f, &options);
    memory_block_fail(f.ahci.blocks[0], 1, 1 << KILN_BLOCK_WRITE, EIO);
    ck_assert_uint_eq(run(&f, media(WRITE_DMA_EXT, 7, 1), SECTOR), GOOD);
    ck_assert_uint_eq(f.n_errors, 1);
    fixture_close(&f);
}
END_TEST

/* The other end of a migration: a controller and a disk like those of @f, loaded. */
static void
migrate(Fixture *f, Fixture *to, const KilnAtaOptions *options)
{
    fixture_open(to, options);
    kiln_ahci_quiesce_begin(to->ahci.pci);
    kiln_memory_write(to->ahci.ram, 0, host(f, 0), AHCI_RAM_BYTES);
    memcpy(to->ahci.blocks[0]->bytes, f->ahci.blocks[0]->bytes, DISK_BYTES);
    kiln_device_reset(&to->ahci.pci->device);
    kiln_device_reset(&to->ahci.drives[0]->device);
    ck_assert(kiln_board_resave(&f->ahci.pci->device, &to->ahci.pci->device));
    ck_assert(kiln_board_resave(&f->ahci.drives[0]->device, &to->ahci.drives[0]->device));
}

START_TEST(what_stopped_the_machine_is_tried_again_also_elsewhere)
{
    Fixture f, to;
    KilnAtaOptions options = plain;
    AhciCommand command = queued(WRITE_FPDMA, 4, 11, 1);
    AhciPrd prd = { AHCI_DATA, SECTOR };

    options.write_policy = KILN_IO_ERROR_ENOSPACE;
    fixture_open(&f, &options);
    host(&f, AHCI_DATA)[0] = 0x5c;
    memory_block_fail(f.ahci.blocks[0], 2, 1 << KILN_BLOCK_WRITE, ENOSPC);
    ahci_put(&f.ahci, 0, 4, &command, &prd, 1);
    ahci_issue(&f.ahci, 0, 1 << 4, TRUE);
    command = media(WRITE_DMA_EXT, 12, 1);
    ahci_put(&f.ahci, 0, 7, &command, &prd, 1);
    ahci_settle_loop();
    ck_assert_int_eq(f.action, KILN_IO_ERROR_STOP);
    ck_assert_uint_eq(port(&f, AHCI_PXSACT), 1 << 4);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    ck_assert(kiln_ahci_quiesce_until(f.ahci.pci, g_get_monotonic_time()));
    kiln_ahci_resume(f.ahci.pci);
    ahci_settle_loop();
    ck_assert_uint_eq(f.n_errors, 2);
    ck_assert(kiln_ahci_quiesce_until(f.ahci.pci, g_get_monotonic_time()));
    migrate(&f, &to, &options);
    kiln_ahci_resume(to.ahci.pci);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&to, AHCI_PXSACT), 0);
    ck_assert_uint_eq(to.ahci.blocks[0]->bytes[11 * SECTOR], 0x5c);
    ahci_issue(&to.ahci, 0, 1 << 7, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(to.ahci.blocks[0]->bytes[12 * SECTOR], 0x5c);
    fixture_close(&to);
    fixture_close(&f);
}
END_TEST

/* A stranger's state: a reset of the link of a port that has no drive here. */
START_TEST(a_port_without_a_drive_is_not_reset)
{
    Fixture f, to;

    fixture_open(&f, &plain);
    ahci_driver_add_disk(&f.ahci, 1, DISK_BYTES, &plain);
    ahci_port_write(&f.ahci, 1, AHCI_PXSCTL, 1);
    fixture_open(&to, &plain);
    (void)kiln_board_resave(&f.ahci.pci->device, &to.ahci.pci->device);
    ck_assert_uint_eq(ahci_port_read(&to.ahci, 1, AHCI_PXSCTL), 1);
    ahci_port_write(&to.ahci, 1, AHCI_PXSCTL, 0);
    ahci_port_write(&to.ahci, 1, AHCI_PXCMD, 0x10);
    ck_assert_uint_eq(ahci_port_read(&to.ahci, 1, AHCI_PXSSTS), 0);
    fixture_close(&to);
    fixture_close(&f);
}
END_TEST

/* ---- Stops and resets ---- */

static void
hold_one(Fixture *f)
{
    AhciCommand command = media(READ_DMA_EXT, 0, 1);
    AhciPrd prd = { AHCI_DATA, SECTOR };

    f->ahci.blocks[0]->mode = MEMORY_BLOCK_HELD;
    ahci_put(&f->ahci, 0, 3, &command, &prd, 1);
    ahci_issue(&f->ahci, 0, 1 << 3, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(f->ahci.blocks[0]->n_pending, 1);
}

static void
release_one(Fixture *f)
{
    memory_block_complete(f->ahci.blocks[0], 0);
    f->ahci.blocks[0]->mode = MEMORY_BLOCK_SYNC;
}

START_TEST(a_port_stops_when_its_data_are_done)
{
    Fixture f;

    fixture_open(&f, &plain);
    hold_one(&f);
    ahci_port_write(&f.ahci, 0, AHCI_PXCMD, 0x10);
    ck_assert_uint_ne(port(&f, AHCI_PXCMD) & CR, 0);
    release_one(&f);
    ck_assert_uint_eq(port(&f, AHCI_PXCMD) & CR, 0);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 0, 1), SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

START_TEST(a_port_that_stops_tells_of_no_overflow)
{
    Fixture f;
    AhciCommand command = media(READ_DMA_EXT, 0, 2);
    AhciPrd prd = { AHCI_DATA, SECTOR }; /* too short */

    fixture_open(&f, &plain);
    f.ahci.blocks[0]->mode = MEMORY_BLOCK_HELD;
    ahci_put(&f.ahci, 0, 0, &command, &prd, 1);
    ahci_issue(&f.ahci, 0, 1, FALSE);
    ahci_settle_loop();
    ahci_port_write(&f.ahci, 0, AHCI_PXCMD, 0x10);
    release_one(&f);
    ck_assert_uint_eq(port(&f, AHCI_PXCMD) & CR, 0);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    fixture_close(&f);
}
END_TEST

START_TEST(a_port_that_is_started_while_it_stops_runs)
{
    Fixture f;

    fixture_open(&f, &plain);
    hold_one(&f);
    ahci_port_write(&f.ahci, 0, AHCI_PXCMD, 0x10);
    ahci_port_write(&f.ahci, 0, AHCI_PXCMD, 0x11);
    release_one(&f);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    ck_assert_uint_ne(port(&f, AHCI_PXCMD) & CR, 0);
    ahci_issue(&f.ahci, 0, 1 << 3, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXIS), DHRS);
    fixture_close(&f);
}
END_TEST

START_TEST(a_reset_of_the_machine_forgets_what_is_under_way)
{
    Fixture f;

    fixture_open(&f, &plain);
    hold_one(&f);
    kiln_device_reset(&f.ahci.pci->device);
    ahci_driver_place(&f.ahci);
    ahci_driver_start(&f.ahci, 0);
    memset(host(&f, AHCI_FISES), 0, 0x100);
    ahci_issue(&f.ahci, 0, 1 << 3, FALSE);
    release_one(&f);
    ahci_settle_loop();
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_LISTS + 3 * 32 + 4)), 0); /* bytes moved */
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), 0x150);
    ck_assert_uint_eq(port(&f, AHCI_PXSIG), 0x101);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x40)[12], 1); /* the signature, and no end */
    ck_assert_uint_ne(port(&f, AHCI_PXCMD) & CR, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 0, 1), SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

START_TEST(a_reset_of_the_controller_waits_too)
{
    Fixture f;

    fixture_open(&f, &plain);
    hold_one(&f);
    ahci_write(&f.ahci, AHCI_GHC, 1);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_GHC) & 1, 1);
    release_one(&f);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_GHC), 1u << 31);
    ck_assert_uint_eq(port(&f, AHCI_PXCMD), 6);
    ck_assert_uint_eq(port(&f, AHCI_PXCLB), AHCI_LISTS); /* stays */
    ahci_driver_start(&f.ahci, 0);
    ck_assert_uint_eq(port(&f, AHCI_PXSIG), 0x101);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 0, 1), SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

START_TEST(a_port_reset_brings_the_signature)
{
    Fixture f;

    fixture_open(&f, &plain);
    run(&f, (AhciCommand){ .command = 0xc6, .count = 16 }, 0);
    ahci_port_write(&f.ahci, 0, AHCI_PXCMD, 0x10);
    ahci_port_write(&f.ahci, 0, AHCI_PXIS, ~UINT32_C(0));
    ahci_port_write(&f.ahci, 0, AHCI_PXSCTL, 0x301);
    ck_assert_uint_eq(port(&f, AHCI_PXSSTS), 0);
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), 0x80 | (port(&f, AHCI_PXTFD) & 0xff00));
    ahci_port_write(&f.ahci, 0, AHCI_PXSCTL, 0x300);
    ck_assert_uint_eq(port(&f, AHCI_PXSSTS), 0x133);
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), 0x150);
    ck_assert_uint_eq(port(&f, AHCI_PXSERR), 1 << 26);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 1 << 6);
    ahci_port_write(&f.ahci, 0, AHCI_PXSERR, 1 << 26);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), 0);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, media(0xc4, 0, 1), SECTOR), GOOD | ERR | ABRT); /* forgotten */
    fixture_close(&f);
}
END_TEST

/* As Linux does: two FISes without the command bit, SRST in the first. */
START_TEST(a_software_reset_brings_the_signature)
{
    Fixture f;
    AhciCommand command = { 0 };

    fixture_open(&f, &plain);
    for (unsigned i = 0; i < 2; i++) {
        ahci_put(&f.ahci, 0, 0, &command, NULL, 0);
        host(&f, AHCI_TABLES)[1] = 0;
        host(&f, AHCI_TABLES)[15] = i == 0 ? 4 : 0;
        ahci_issue(&f.ahci, 0, 1, FALSE);
        ahci_settle_loop();
        ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
        ck_assert_uint_eq(port(&f, AHCI_PXTFD) & 0xff, i == 0 ? 0x80 : GOOD);
    }
    ck_assert_uint_eq(port(&f, AHCI_PXTFD), 0x150);
    ck_assert_uint_eq(port(&f, AHCI_PXSIG), 0x101);
    fixture_close(&f);
}
END_TEST

/* ---- A driver that is no good ---- */

START_TEST(pointers_that_lead_nowhere)
{
    Fixture f;
    AhciCommand command = media(READ_DMA_EXT, 0, 2);
    AhciPrd prds[] = { { AHCI_DATA, SECTOR }, { AHCI_RAM_BYTES - 2, SECTOR } };

    fixture_open(&f, &plain);
    ahci_run(&f.ahci, 0, &command, prds, 2);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), HBFS);
    ahci_recover(&f.ahci, 0);
    ahci_run(&f.ahci, 0, &command, prds, 1);
    ck_assert_uint_eq(port(&f, AHCI_PXIS), (uint32_t)OFS | TFES | DHRS);
    ahci_recover(&f.ahci, 0);
    ahci_put(&f.ahci, 0, 0, &command, prds, 1);
    kiln_le64_store(host(&f, AHCI_LISTS + 8), UINT64_C(0xffffffffffffff80));
    ahci_issue(&f.ahci, 0, 1, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXIS), HBFS);
    ahci_recover(&f.ahci, 0);
    ahci_port_write(&f.ahci, 0, AHCI_PXCLB + 4, 0x10);
    ahci_issue(&f.ahci, 0, 1, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXIS), HBFS);
    ahci_port_write(&f.ahci, 0, AHCI_PXCLB + 4, 0);
    ahci_recover(&f.ahci, 0);
    ahci_put(&f.ahci, 0, 0, &command, prds, 1);
    host(&f, AHCI_TABLES)[0] = 0x46;
    ahci_issue(&f.ahci, 0, 1, FALSE);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXIS), IFS);
    ahci_recover(&f.ahci, 0);
    ck_assert_uint_eq(run(&f, media(READ_DMA_EXT, 0, 1), SECTOR), GOOD);
    fixture_close(&f);
}
END_TEST

/* As one that was loaded, and then the machine goes on. */
START_TEST(a_new_controller_waits_for_the_machine)
{
    AhciDriver ahci;
    AhciCommand command = { .command = FLUSH_EXT };

    ahci_driver_open_paused(&ahci);
    ahci_driver_add_disk(&ahci, 0, DISK_BYTES, &plain);
    ahci_driver_start(&ahci, 0);
    (void)ahci_run(&ahci, 0, &command, NULL, 0);
    ck_assert_uint_eq(ahci_port_read(&ahci, 0, AHCI_PXCI), 1);
    kiln_ahci_resume(ahci.pci);
    ahci_settle_loop();
    ck_assert_uint_eq(ahci_port_read(&ahci, 0, AHCI_PXCI), 0);
    ahci_driver_close(&ahci);
}
END_TEST

START_TEST(who_is_no_bus_master_moves_nothing)
{
    Fixture f;
    uint32_t command = KILN_PCI_DEVFN(AHCI_SLOT, 2) << 12 | PCI_COMMAND;

    fixture_open(&f, &plain);
    kiln_pci_host_config_write(f.ahci.board->host, command, PCI_COMMAND_MEMORY, 2);
    run(&f, media(READ_DMA_EXT, 0, 1), SECTOR);
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 1);
    kiln_pci_host_config_write(f.ahci.board->host, command, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                               2);
    ahci_settle_loop();
    ck_assert_uint_eq(port(&f, AHCI_PXCI), 0);
    fixture_close(&f);
}
END_TEST

/* ---- CD-ROM drives ---- */

/* Runs a CDB on the second port.  Returns: PxTFD. */
static uint32_t
packet(Fixture *f, const uint8_t *cdb, gboolean dma, uint32_t bytes)
{
    AhciCommand command = { .command = 0xa0, .features = dma, .packet = TRUE };
    AhciPrd prd = { AHCI_DATA, bytes };

    memcpy(command.cdb, cdb, sizeof command.cdb);
    if (ahci_port_read(&f->ahci, 1, AHCI_PXTFD) & ERR)
        ahci_recover(&f->ahci, 1);
    return ahci_run(&f->ahci, 1, &command, &prd, bytes > 0);
}

enum { CD_BLOCK = 2048, SENSE_KEY_ERROR = ERR | 0x60 << 8 | ABRT };

static const uint8_t test_ready[12] = { 0x00 };
static const uint8_t request_sense[12] = { 0x03, 0, 0, 0, 18 };
static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
static const uint8_t read_block_3[12] = { 0x28, 0, 0, 0, 0, 3, 0, 0, 1 };

static void
cdrom_open(Fixture *f)
{
    *f = (Fixture){ 0 };
    ahci_driver_open(&f->ahci);
    ahci_driver_add_cdrom(&f->ahci, 1, 64 * CD_BLOCK);
    ahci_driver_start(&f->ahci, 1);
}

START_TEST(a_cdrom_drive_is_read)
{
    Fixture f;

    cdrom_open(&f);
    ck_assert_uint_eq(ahci_port_read(&f.ahci, 1, AHCI_PXSIG), 0xeb140101);
    f.ahci.blocks[1]->bytes[3 * CD_BLOCK + 5] = 0x5a;
    /* Power on is a unit attention, which is in the error field and in the sense data. */
    ck_assert_uint_eq(packet(&f, test_ready, FALSE, 0), GOOD | SENSE_KEY_ERROR);
    ck_assert_uint_eq(packet(&f, request_sense, FALSE, 18), GOOD);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[2] & 0xf, 6);
    ck_assert_uint_eq(packet(&f, test_ready, FALSE, 0), GOOD);
    ck_assert_uint_eq(packet(&f, inquiry, FALSE, 36), GOOD);
    ck_assert_uint_eq(ahci_port_read(&f.ahci, 1, AHCI_PXIS), DHRS);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[0], 5);
    ck_assert_uint_eq(packet(&f, read_block_3, TRUE, CD_BLOCK), GOOD);
    ck_assert_uint_eq(host(&f, AHCI_DATA)[5], 0x5a);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x100 + 0x40)[12],
                      3); /* status comes, by I/O and C/D */
    ck_assert_uint_eq(kiln_le32_load(host(&f, AHCI_LISTS + 0x400 + 4)), CD_BLOCK);
    ck_assert_uint_ne(packet(&f, read_block_3, TRUE, CD_BLOCK - 4) & ERR, 0); /* too short */
    fixture_close(&f);
}
END_TEST

START_TEST(a_cdrom_drive_is_no_disk)
{
    Fixture f;
    AhciCommand command = { .command = IDENTIFY };
    AhciPrd prd = { AHCI_DATA, SECTOR };

    cdrom_open(&f);
    ck_assert_uint_eq(ahci_run(&f.ahci, 1, &command, &prd, 1), GOOD | ERR | ABRT);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x100 + 0x40)[5], 0x14);
    ck_assert_uint_eq(host(&f, AHCI_FISES + 0x100 + 0x40)[6], 0xeb);
    ahci_recover(&f.ahci, 1);
    command.command = 0xa1;
    ck_assert_uint_eq(ahci_run(&f.ahci, 1, &command, &prd, 1), GOOD);
    ck_assert_uint_eq(word(host(&f, AHCI_DATA), 0), 0x85c0);
    ck_assert(kiln_board_resave(&f.ahci.drives[1]->device, &f.ahci.drives[1]->device));
    fixture_close(&f);
}
END_TEST

/* ---- Interrupts ---- */

START_TEST(interrupts_by_message)
{
    Fixture f;
    uint32_t config = KILN_PCI_DEVFN(AHCI_SLOT, 2) << 12;
    KilnPciHost *bus;
    unsigned at;

    fixture_open(&f, &plain);
    bus = f.ahci.board->host;
    at = kiln_pci_host_config_read(bus, config + PCI_CAPABILITY_LIST, 1);
    ck_assert_uint_eq(kiln_pci_host_config_read(bus, config + at, 1), PCI_CAP_ID_MSI);
    kiln_pci_host_config_write(bus, config + at + PCI_MSI_ADDRESS_LO, 0xfee00000, 4);
    kiln_pci_host_config_write(bus, config + at + PCI_MSI_DATA_64, 0x41, 2);
    kiln_pci_host_config_write(bus, config + at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 2);
    ahci_port_write(&f.ahci, 0, AHCI_PXIE, 0xffffffff);
    run(&f, media(READ_DMA_EXT, 0, 1), SECTOR);
    ck_assert_uint_eq(kiln_board_messages(f.ahci.board, 0x41), 0); /* not enabled */
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_IS), 1);
    ahci_write(&f.ahci, AHCI_GHC, 2);
    ck_assert_uint_ge(kiln_board_messages(f.ahci.board, 0x41), 1);
    ahci_port_write(&f.ahci, 0, AHCI_PXIS, 0xffffffff);
    ahci_write(&f.ahci, AHCI_IS, 1);
    ck_assert_uint_eq(ahci_read(&f.ahci, AHCI_IS), 0);
    ck_assert_uint_eq(kiln_board_messages(f.ahci.board, 0x41), 0);
    run(&f, media(READ_DMA_EXT, 0, 1), SECTOR);
    ck_assert_uint_ge(kiln_board_messages(f.ahci.board, 0x41), 1);
    kiln_pci_host_config_write(bus, config + at + PCI_MSI_FLAGS, 0, 2);
    ck_assert_uint_ne(kiln_pci_host_config_read(bus, config + PCI_STATUS, 2) & PCI_STATUS_INTERRUPT,
                      0);
    ahci_port_write(&f.ahci, 0, AHCI_PXIS, 0xffffffff);
    ahci_write(&f.ahci, AHCI_IS, 1);
    ck_assert_uint_eq(kiln_pci_host_config_read(bus, config + PCI_STATUS, 2) & PCI_STATUS_INTERRUPT,
                      0);
    fixture_close(&f);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("ahci");
    TCase *tests = kiln_test_case(suite, "identity");

    tcase_add_test(tests, the_controller_tells_what_it_can);
    tcase_add_test(tests, the_signature_waits_for_a_place);
    tcase_add_test(tests, identify_tells_of_the_disk);
    tcase_add_test(tests, large_sectors_are_told);
    tests = kiln_test_case(suite, "data");
    tcase_add_test(tests, data_go_to_where_the_prds_say);
    tcase_add_test(tests, more_prds_than_fit_are_done_in_rounds);
    tcase_add_test(tests, twenty_eight_bits_are_in_the_device_field_too);
    tcase_add_test(tests, what_is_not_on_the_disk_is_not_found);
    tcase_add_test(tests, caches_flush_and_force_unit_access);
    tcase_add_test(tests, trim_discards_all_its_ranges_or_none);
    tests = kiln_test_case(suite, "commands");
    tcase_add_test(tests, what_is_not_there_is_aborted);
    tcase_add_test(tests, power_and_smart);
    tests = kiln_test_case(suite, "queue");
    tcase_add_test(tests, queued_commands_are_done_in_any_order);
    tcase_add_test(tests, a_queued_command_that_fails_is_in_the_log);
    tcase_add_test(tests, one_that_is_not_queued_waits_for_those_that_are);
    tcase_add_loop_test(tests, random_commands_agree_with_a_model, 0, 2);
    tests = kiln_test_case(suite, "errors");
    tcase_add_test(tests, errors_are_reported);
    tcase_add_test(tests, errors_are_ignored);
    tcase_add_test(tests, what_stopped_the_machine_is_tried_again_also_elsewhere);
    tcase_add_test(tests, a_port_without_a_drive_is_not_reset);
    tests = kiln_test_case(suite, "stops");
    tcase_add_test(tests, a_port_stops_when_its_data_are_done);
    tcase_add_test(tests, a_port_that_stops_tells_of_no_overflow);
    tcase_add_test(tests, a_port_that_is_started_while_it_stops_runs);
    tcase_add_test(tests, a_reset_of_the_machine_forgets_what_is_under_way);
    tcase_add_test(tests, a_reset_of_the_controller_waits_too);
    tcase_add_test(tests, a_port_reset_brings_the_signature);
    tcase_add_test(tests, a_software_reset_brings_the_signature);
    tests = kiln_test_case(suite, "hostile");
    tcase_add_test(tests, pointers_that_lead_nowhere);
    tcase_add_test(tests, a_new_controller_waits_for_the_machine);
    tcase_add_test(tests, who_is_no_bus_master_moves_nothing);
    tcase_add_test(tests, interrupts_by_message);
    tests = kiln_test_case(suite, "cdrom");
    tcase_add_test(tests, a_cdrom_drive_is_read);
    tcase_add_test(tests, a_cdrom_drive_is_no_disk);
    return suite;
}

KILN_TEST_MAIN(make_suite)
