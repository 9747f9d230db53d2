/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ata-private.h: the data that an ATA disk tells about itself. */
#include "device/ata-private.h"

#include <string.h>

#include "base/le.h"

/* Words of IDENTIFY DEVICE (ACS-3 §7.12.7; those that it made obsolete: ATA/ATAPI-5 §8.12). */
enum {
    WORD_GENERAL = 0,
    WORD_CYLINDERS = 1,
    WORD_HEADS = 3,
    WORD_SECTORS = 6,
    WORD_SERIAL = 10,
    WORD_FIRMWARE = 23,
    WORD_MODEL = 27,
    WORD_MAX_MULTIPLE = 47,
    WORD_CAPABILITIES = 49,
    WORD_CAPABILITIES_2 = 50,
    WORD_VALID = 53,
    WORD_CURRENT_CYLINDERS = 54,
    WORD_CURRENT_HEADS = 55,
    WORD_CURRENT_SECTORS = 56,
    WORD_CURRENT_CAPACITY = 57,
    WORD_MULTIPLE = 59,
    WORD_LBA28 = 60,
    WORD_MULTIWORD_DMA = 63,
    WORD_PIO = 64,
    WORD_CYCLE_TIMES = 65, /* four of them */
    WORD_QUEUE_DEPTH = 75,
    WORD_SATA = 76,
    WORD_MAJOR_VERSION = 80,
    WORD_SUPPORTED = 82,
    WORD_SUPPORTED_2 = 83,
    WORD_SUPPORTED_3 = 84,
    WORD_ENABLED = 85,
    WORD_ENABLED_2 = 86,
    WORD_ENABLED_3 = 87,
    WORD_ULTRA_DMA = 88,
    WORD_CABLE = 93,
    WORD_LBA48 = 100,
    WORD_TRIM_BLOCKS = 105,
    WORD_SECTOR_SIZE = 106,
    WORD_WWN = 108,
    WORD_SECTOR_WORDS = 117,
    WORD_SUPPORTED_4 = 119,
    WORD_ENABLED_4 = 120,
    WORD_DATA_SET = 169,
    WORD_ALIGNMENT = 209,
    WORD_ROTATION = 217,
    WORD_INTEGRITY = 255,
};

enum {
    THIS_WORD_IS_VALID = 1 << 14, /* with bit 15 clear: words 83, 84, 87, 106, … */
    SUPPORTED_SMART = 1 << 0,
    SUPPORTED_POWER = 1 << 3,
    SUPPORTED_WRITE_CACHE = 1 << 5,
    SUPPORTED_NOP = 1 << 14,
    SUPPORTED_2_LBA48 = 1 << 10,
    SUPPORTED_2_FLUSH = 1 << 12,
    SUPPORTED_2_FLUSH_EXT = 1 << 13,
    SUPPORTED_3_LOGS = 1 << 5,
    SUPPORTED_3_FUA = 1 << 6,
    SUPPORTED_3_WWN = 1 << 8,
    CAPABILITIES = 0x0f00, /* LBA, DMA, IORDY, which may be turned off */
    ALL_VERSIONS = 0x07f0, /* from ATA/ATAPI-4 to ACS-3 */
    SATA_SPEEDS = 0x000e,  /* 1.5, 3 and 6 Gb/s */
    SATA_NCQ = 1 << 8,
    CYCLE_NS = 120,
    CABLE_80_WIRES = 0x6001,
    MODE_MULTIWORD = 0x20,
    MODE_ULTRA = 0x40,
    INTEGRITY_SIGNATURE = 0xa5,
    TWO_LEVELS = 1 << 13, /* several logical sectors to a physical one */
    LONG_SECTOR = 1 << 12,
    MAX_CYLINDERS = 65535,
};

static void
set(uint8_t *data, unsigned word, uint16_t value)
{
    kiln_le16_store(data + 2 * word, value);
}

static void
set32(uint8_t *data, unsigned word, uint32_t value)
{
    kiln_le32_store(data + 2 * word, value);
}

/* The first character of each two is in the word's upper byte; blanks fill the rest. */
static void
set_text(uint8_t *data, unsigned word, const char *text, unsigned chars)
{
    size_t length = strnlen(text, chars);

    for (unsigned i = 0; i < chars; i++)
        data[2 * word + (i ^ 1)] = (uint8_t)(i < length ? text[i] : ' ');
}

/* The sum of all bytes is 0. */
static void
set_checksum(uint8_t *data)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < KILN_ATA_SECTOR - 1; i++)
        sum = (uint8_t)(sum + data[i]);
    data[KILN_ATA_SECTOR - 1] = (uint8_t)-sum;
}

static void
set_capacity(const KilnAtaDisk *disk, uint8_t *data)
{
    uint64_t sectors = ata_sectors(disk);
    unsigned in_cylinder = (unsigned)disk->current_heads * disk->current_sectors;
    uint64_t cylinders = MIN(sectors / in_cylinder, MAX_CYLINDERS);

    set(data, WORD_CYLINDERS, disk->cylinders);
    set(data, WORD_HEADS, disk->heads);
    set(data, WORD_SECTORS, disk->sectors);
    set(data, WORD_CURRENT_CYLINDERS, (uint16_t)cylinders);
    set(data, WORD_CURRENT_HEADS, disk->current_heads);
    set(data, WORD_CURRENT_SECTORS, disk->current_sectors);
    set32(data, WORD_CURRENT_CAPACITY, (uint32_t)(cylinders * in_cylinder));
    set32(data, WORD_LBA28, (uint32_t)MIN(sectors, ATA_MAX_LBA28));
    kiln_le64_store(data + 2 * WORD_LBA48, sectors);
}

static void
set_sector_size(const KilnAtaDisk *disk, uint8_t *data)
{
    unsigned exponent = disk->physical_bits - disk->sector_bits;
    uint16_t value = (uint16_t)(THIS_WORD_IS_VALID | exponent);

    if (exponent > 0)
        value |= TWO_LEVELS;
    if (1u << disk->sector_bits > KILN_ATA_SECTOR) {
        value |= LONG_SECTOR;
        set32(data, WORD_SECTOR_WORDS, 1u << (disk->sector_bits - 1));
    }
    set(data, WORD_SECTOR_SIZE, value);
    set(data, WORD_ALIGNMENT, THIS_WORD_IS_VALID);
}

static void
set_modes(uint8_t *data, uint8_t mode, gboolean parallel)
{
    uint16_t multiword = 0x0007;
    uint16_t ultra = 0x007f;

    if (mode >= MODE_ULTRA)
        ultra |= (uint16_t)(0x100 << (mode & 7));
    else if (mode >= MODE_MULTIWORD)
        multiword |= (uint16_t)(0x100 << (mode & 7));
    set(data, WORD_MULTIWORD_DMA, multiword);
    set(data, WORD_ULTRA_DMA, ultra);
    set(data, WORD_PIO, 0x0003); /* modes 3 and 4 */
    for (unsigned i = 0; i < 4; i++)
        set(data, WORD_CYCLE_TIMES + i, CYCLE_NS);
    if (parallel)
        set(data, WORD_CABLE, CABLE_80_WIRES);
}

static void
set_transfer(const KilnAtaDisk *disk, uint8_t *data)
{
    set_modes(data, disk->transfer_mode, disk->parallel);
    set(data, WORD_MAX_MULTIPLE, 0x8000 | ATA_MAX_MULTIPLE);
    if (disk->multiple > 0)
        set(data, WORD_MULTIPLE, 0x0100 | disk->multiple);
    if (!disk->parallel) {
        set(data, WORD_QUEUE_DEPTH, KILN_ATA_QUEUE_DEPTH - 1);
        set(data, WORD_SATA, SATA_SPEEDS | SATA_NCQ);
    }
}

static void
set_names(uint8_t *data, const char *serial, const char *firmware, const char *model)
{
    set_text(data, WORD_SERIAL, serial, ATA_SERIAL_CHARS);
    set_text(data, WORD_FIRMWARE, firmware, ATA_FIRMWARE_CHARS);
    set_text(data, WORD_MODEL, model, ATA_MODEL_CHARS);
}

static void
set_features(const KilnAtaDisk *disk, uint8_t *data)
{
    uint16_t features = SUPPORTED_NOP | SUPPORTED_POWER | SUPPORTED_WRITE_CACHE | SUPPORTED_SMART;
    uint16_t features_2 = SUPPORTED_2_LBA48 | SUPPORTED_2_FLUSH | SUPPORTED_2_FLUSH_EXT;
    uint16_t features_3 = THIS_WORD_IS_VALID | SUPPORTED_3_LOGS | SUPPORTED_3_FUA |
                          (disk->wwn != 0 ? SUPPORTED_3_WWN : 0);
    uint16_t enabled = features;

    if (!disk->write_cache)
        enabled &= (uint16_t)~SUPPORTED_WRITE_CACHE;
    if (!disk->smart)
        enabled &= (uint16_t)~SUPPORTED_SMART;
    set(data, WORD_SUPPORTED, features);
    set(data, WORD_SUPPORTED_2, THIS_WORD_IS_VALID | features_2);
    set(data, WORD_SUPPORTED_3, features_3);
    set(data, WORD_ENABLED, enabled);
    set(data, WORD_ENABLED_2, features_2);
    set(data, WORD_ENABLED_3, features_3);
    set(data, WORD_SUPPORTED_4, THIS_WORD_IS_VALID);
    set(data, WORD_ENABLED_4, THIS_WORD_IS_VALID);
}

void
ata_identify(const KilnAtaDisk *disk, uint8_t *data)
{
    memset(data, 0, KILN_ATA_SECTOR);
    set(data, WORD_GENERAL, 0x0040); /* not removable */
    set_names(data, disk->serial, disk->firmware, disk->model);
    set(data, WORD_CAPABILITIES, CAPABILITIES);
    set(data, WORD_CAPABILITIES_2, THIS_WORD_IS_VALID);
    set(data, WORD_VALID, 0x0007); /* words 54 to 58, 64 to 70, and 88 */
    set(data, WORD_MAJOR_VERSION, ALL_VERSIONS);
    set_capacity(disk, data);
    set_sector_size(disk, data);
    set_transfer(disk, data);
    set_features(disk, data);
    for (unsigned i = 0; i < 4; i++)
        set(data, WORD_WWN + i, (uint16_t)(disk->wwn >> (48 - 16 * i)));
    if (disk->discard) {
        set(data, WORD_TRIM_BLOCKS, 1);
        set(data, WORD_DATA_SET, 1);
    }
    set(data, WORD_ROTATION, disk->rotation_rate);
    set(data, WORD_INTEGRITY, INTEGRITY_SIGNATURE);
    set_checksum(data);
}

/* ACS-3 §7.13: a removable CD-ROM drive with packets of 12 bytes. */
void
ata_identify_packet(const char *serial, const char *firmware, const char *model,
                    uint8_t transfer_mode, gboolean parallel, uint8_t *data)
{
    enum { CDROM = 0x85c0, FEATURES = 0x4210 }; /* NOP, DEVICE RESET, PACKET */

    memset(data, 0, KILN_ATA_SECTOR);
    set(data, WORD_GENERAL, CDROM);
    set_names(data, serial, firmware, model);
    set(data, WORD_CAPABILITIES, CAPABILITIES);
    set(data, WORD_CAPABILITIES_2, THIS_WORD_IS_VALID);
    set(data, WORD_VALID, 0x0006); /* words 64 to 70, and 88 */
    set_modes(data, transfer_mode, parallel);
    if (!parallel)
        set(data, WORD_SATA, SATA_SPEEDS);
    set(data, WORD_MAJOR_VERSION, ALL_VERSIONS);
    set(data, WORD_SUPPORTED, FEATURES);
    set(data, WORD_SUPPORTED_2, THIS_WORD_IS_VALID);
    set(data, WORD_SUPPORTED_3, THIS_WORD_IS_VALID);
    set(data, WORD_ENABLED, FEATURES);
    set(data, WORD_ENABLED_3, THIS_WORD_IS_VALID);
    set(data, WORD_INTEGRITY, INTEGRITY_SIGNATURE);
    set_checksum(data);
}

/* No attributes, no self-tests: a disk that is well (ATA/ATAPI-7 §6.54.6). */
void
ata_smart_data(const KilnAtaDisk *disk, uint8_t *data)
{
    enum { REVISION = 0, CAPABILITY = 368, SAVES_BY_ITSELF = 3 };

    memset(data, 0, KILN_ATA_SECTOR);
    data[REVISION] = 0x10;
    data[CAPABILITY] = SAVES_BY_ITSELF;
    set_checksum(data);
}

/* ACS-3 §9.2: the version, then how many pages each log has. */
void
ata_log_directory(const KilnAtaDisk *disk, uint8_t *data)
{
    memset(data, 0, KILN_ATA_SECTOR);
    set(data, 0, 1);
    if (!disk->parallel)
        set(data, 0x10, 1);
}

/* ACS-3 §9.14. */
void
ata_log_queue_error(const KilnAtaDisk *disk, uint8_t *data)
{
    enum { NOT_QUEUED = 1 << 7 };
    const AtaQueueError *failed = &disk->queue_error;

    memset(data, 0, KILN_ATA_SECTOR);
    if (!failed->valid) {
        data[0] = NOT_QUEUED;
    } else {
        data[0] = failed->tag;
        data[2] = failed->status;
        data[3] = failed->error;
        for (unsigned i = 0; i < 3; i++) {
            data[4 + i] = (uint8_t)(failed->lba >> (8 * i));
            data[8 + i] = (uint8_t)(failed->lba >> (24 + 8 * i));
        }
        data[7] = failed->device;
        kiln_le16_store(data + 12, failed->count);
    }
    set_checksum(data);
}
