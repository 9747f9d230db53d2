/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ata-private.h: the commands of an ATA disk, and what they say. */
#include "device/ata-private.h"

#include "base/intmath.h"

enum {
    SECTORS_IN_256 = 256,     /* a count of 0 with 28 bits */
    SECTORS_IN_65536 = 65536, /* with 48 */
    COUNT_ACTIVE = 0xff,      /* of CHECK POWER MODE */
    COUNT_STANDBY = 0x00,
};

/* ---- Small commands ---------------------------------------------------------------------------
 */

static void
start_nothing(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    ata_succeed(request);
}

static void
start_identify(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    ata_identify(disk, request->buffer);
    ata_give_buffer(request);
}

static void
start_standby(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    disk->standby = TRUE;
    ata_succeed(request);
}

static void
start_idle(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    disk->standby = FALSE;
    ata_succeed(request);
}

static void
start_check_power(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    request->answer.count = disk->standby ? COUNT_STANDBY : COUNT_ACTIVE;
    ata_succeed(request);
}

static void
start_diagnostic(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    kiln_ata_signature(&request->answer);
    request->done(request);
}

/* ATA/ATAPI-5 §8.16: what CHS addresses mean from now on. */
static void
start_set_geometry(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    uint8_t sectors = (uint8_t)request->registers.count;

    if (sectors == 0 || sectors > 63) {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    disk->current_heads = (uint8_t)((request->registers.device & 0xf) + 1);
    disk->current_sectors = sectors;
    ata_succeed(request);
}

static void
start_set_multiple(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    uint8_t sectors = (uint8_t)request->registers.count;

    if (sectors > ATA_MAX_MULTIPLE || (sectors != 0 && !kiln_is_power_of_2(sectors))) {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    disk->multiple = sectors;
    ata_succeed(request);
}

gboolean
ata_is_dma_mode(uint8_t mode)
{
    return (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x46);
}

/* ACS-3 §7.45.8: PIO modes are all the same here, those of DMA are remembered. */
static gboolean
set_transfer_mode(KilnAtaDisk *disk, uint8_t mode)
{
    if (mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c))
        return TRUE;
    if (!ata_is_dma_mode(mode))
        return FALSE;
    disk->transfer_mode = mode;
    return TRUE;
}

static void
start_set_features(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    enum {
        WRITE_CACHE_ON = 0x02,
        TRANSFER_MODE = 0x03,
        LOOK_AHEAD_OFF = 0x55,
        KEEP_OVER_RESET = 0x66,
        WRITE_CACHE_OFF = 0x82,
        LOOK_AHEAD_ON = 0xaa,
        DEFAULTS_AT_RESET = 0xcc,
    };

    switch ((uint8_t)request->registers.features) {
    case WRITE_CACHE_ON: disk->write_cache = TRUE; break;
    case WRITE_CACHE_OFF:
        disk->write_cache = FALSE;
        ata_start_flush(disk, request); /* what is in it goes out */
        return;
    case TRANSFER_MODE:
        if (!set_transfer_mode(disk, (uint8_t)request->registers.count)) {
            ata_refuse(request, KILN_ATA_ERROR_ABRT);
            return;
        }
        break;
    case LOOK_AHEAD_OFF:
    case LOOK_AHEAD_ON:
    case KEEP_OVER_RESET:
    case DEFAULTS_AT_RESET: break;
    default: ata_refuse(request, KILN_ATA_ERROR_ABRT); return;
    }
    ata_succeed(request);
}

/* ---- Logs and SMART ---------------------------------------------------------------------------
 */

/* One page of them, the first; others are not there. */
static void
start_read_log(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    enum { LOG_DIRECTORY = 0x00, LOG_QUEUE_ERROR = 0x10 };
    uint8_t log = (uint8_t)request->registers.lba;

    if (log == LOG_DIRECTORY) {
        ata_log_directory(disk, request->buffer);
    } else if (log == LOG_QUEUE_ERROR && !disk->parallel) {
        ata_log_queue_error(disk, request->buffer);
        disk->queue_error.valid = FALSE;
    } else {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    ata_give_buffer(request);
}

enum {
    SMART_READ_DATA = 0xd0,
    SMART_AUTOSAVE = 0xd2,
    SMART_ENABLE = 0xd8,
    SMART_DISABLE = 0xd9,
    SMART_STATUS = 0xda,
    SMART_KEY = 0xc24f, /* bits 8 to 23 of the address */
};

static void
start_smart(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    uint8_t what = (uint8_t)request->registers.features;

    if ((request->registers.lba >> 8 & 0xffff) != SMART_KEY ||
        (!disk->smart && what != SMART_ENABLE)) {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    switch (what) {
    case SMART_READ_DATA:
        ata_smart_data(disk, request->buffer);
        ata_give_buffer(request);
        return;
    case SMART_AUTOSAVE: break;
    case SMART_ENABLE: disk->smart = TRUE; break;
    case SMART_DISABLE: disk->smart = FALSE; break;
    case SMART_STATUS: break; /* the key as it came: no threshold is exceeded */
    default: ata_refuse(request, KILN_ATA_ERROR_ABRT); return;
    }
    ata_succeed(request);
}

/* ---- The table --------------------------------------------------------------------------------
 */

#define READ(protocol, flags)                                                                      \
    {                                                                                              \
        protocol, ATA_RANGE | (flags), ata_start_media                                             \
    }
#define WRITE(protocol, flags) READ(protocol, flags)
#define PLAIN(start)                                                                               \
    {                                                                                              \
        KILN_ATA_NO_DATA, 0, start                                                                 \
    }
#define ONE_SECTOR(start)                                                                          \
    {                                                                                              \
        KILN_ATA_PIO_IN, 0, start                                                                  \
    }

/* ACS-3 chapter 7; those that it made obsolete: ATA/ATAPI-5 chapter 8. */
static const AtaCommand commands[256] = {
    [0x06] = { KILN_ATA_DMA_OUT, 0, ata_start_trim }, /* DATA SET MANAGEMENT */
    [0x10] = PLAIN(start_nothing),                    /* RECALIBRATE */
    [0x20] = READ(KILN_ATA_PIO_IN, 0),
    [0x21] = READ(KILN_ATA_PIO_IN, 0),
    [0x24] = READ(KILN_ATA_PIO_IN, ATA_EXT),
    [0x25] = READ(KILN_ATA_DMA_IN, ATA_EXT),
    [0x29] = READ(KILN_ATA_PIO_IN, ATA_EXT | ATA_MULTIPLE),
    [0x2f] = { KILN_ATA_PIO_IN, ATA_EXT, start_read_log },
    [0x30] = WRITE(KILN_ATA_PIO_OUT, 0),
    [0x31] = WRITE(KILN_ATA_PIO_OUT, 0),
    [0x34] = WRITE(KILN_ATA_PIO_OUT, ATA_EXT),
    [0x35] = WRITE(KILN_ATA_DMA_OUT, ATA_EXT),
    [0x39] = WRITE(KILN_ATA_PIO_OUT, ATA_EXT | ATA_MULTIPLE),
    [0x3d] = WRITE(KILN_ATA_DMA_OUT, ATA_EXT | ATA_FUA),
    [0x40] = { KILN_ATA_NO_DATA, ATA_RANGE, start_idle }, /* READ VERIFY SECTOR(S) */
    [0x41] = { KILN_ATA_NO_DATA, ATA_RANGE, start_idle },
    [0x42] = { KILN_ATA_NO_DATA, ATA_RANGE | ATA_EXT, start_idle },
    [0x47] = { KILN_ATA_DMA_IN, ATA_EXT, start_read_log },
    [0x60] = READ(KILN_ATA_DMA_IN, ATA_EXT | ATA_QUEUED | ATA_SERIAL),
    [0x61] = WRITE(KILN_ATA_DMA_OUT, ATA_EXT | ATA_QUEUED | ATA_SERIAL),
    [0x70] = PLAIN(start_nothing), /* SEEK */
    [0x90] = PLAIN(start_diagnostic),
    [0x91] = PLAIN(start_set_geometry),
    [0x94] = PLAIN(start_standby),
    [0x95] = PLAIN(start_idle),
    [0x96] = PLAIN(start_standby),
    [0x97] = PLAIN(start_idle),
    [0x98] = PLAIN(start_check_power),
    [0x99] = PLAIN(start_standby), /* SLEEP */
    [0xb0] = ONE_SECTOR(start_smart),
    [0xc4] = READ(KILN_ATA_PIO_IN, ATA_MULTIPLE),
    [0xc5] = WRITE(KILN_ATA_PIO_OUT, ATA_MULTIPLE),
    [0xc6] = PLAIN(start_set_multiple),
    [0xc8] = READ(KILN_ATA_DMA_IN, 0),
    [0xc9] = READ(KILN_ATA_DMA_IN, 0),
    [0xca] = WRITE(KILN_ATA_DMA_OUT, 0),
    [0xcb] = WRITE(KILN_ATA_DMA_OUT, 0),
    [0xce] = WRITE(KILN_ATA_PIO_OUT, ATA_EXT | ATA_MULTIPLE | ATA_FUA),
    [0xe0] = PLAIN(start_standby),
    [0xe1] = PLAIN(start_idle),
    [0xe2] = PLAIN(start_standby),
    [0xe3] = PLAIN(start_idle),
    [0xe5] = PLAIN(start_check_power),
    [0xe6] = PLAIN(start_standby), /* SLEEP */
    [0xe7] = PLAIN(ata_start_flush),
    [0xea] = { KILN_ATA_NO_DATA, ATA_EXT, ata_start_flush },
    [0xec] = ONE_SECTOR(start_identify),
    [0xef] = PLAIN(start_set_features),
};

/* ---- What registers say -----------------------------------------------------------------------
 */

/* ATA/ATAPI-5 §6.2.1: cylinder, head and sector, which is counted from 1. */
static gboolean
chs_to_lba(const KilnAtaDisk *disk, const KilnAtaRegisters *registers, uint64_t *lba)
{
    unsigned sector = (unsigned)(registers->lba & 0xff);
    unsigned cylinder = (unsigned)(registers->lba >> 8 & 0xffff);
    unsigned head = registers->device & 0xf;

    *lba = ((uint64_t)cylinder * disk->current_heads + head) * disk->current_sectors + sector - 1;
    return sector >= 1 && sector <= disk->current_sectors && head < disk->current_heads;
}

/* Which sectors, and how many.  FALSE: there is no such address. */
static gboolean
sectors_of(const KilnAtaDisk *disk, const KilnAtaRequest *request, uint64_t *lba, uint32_t *n)
{
    const KilnAtaRegisters *registers = &request->registers;
    uint16_t count = request->queued ? registers->features : registers->count;

    if (request->row->flags & ATA_EXT) {
        *lba = registers->lba;
        *n = count != 0 ? count : SECTORS_IN_65536;
        return TRUE;
    }
    *n = (uint8_t)count != 0 ? (uint8_t)count : SECTORS_IN_256;
    if (!(registers->device & KILN_ATA_DEVICE_LBA))
        return chs_to_lba(disk, registers, lba);
    *lba = (registers->lba & 0xffffff) | (uint64_t)(registers->device & 0xf) << 24;
    return TRUE;
}

static uint8_t
decode_range(const KilnAtaDisk *disk, KilnAtaRequest *request)
{
    uint64_t lba;
    uint32_t n;

    if ((request->row->flags & ATA_MULTIPLE) && disk->multiple == 0)
        return KILN_ATA_ERROR_ABRT;
    if (!sectors_of(disk, request, &lba, &n) || !kiln_range_inside(lba, n, ata_sectors(disk)))
        return KILN_ATA_ERROR_IDNF;
    request->at = lba << disk->sector_bits;
    if (request->protocol != KILN_ATA_NO_DATA)
        request->length = (uint64_t)n << disk->sector_bits;
    return 0;
}

/* Those that move a sector's data, or as many as they say. */
static uint8_t
decode_other(const KilnAtaDisk *disk, KilnAtaRequest *request)
{
    const KilnAtaRegisters *registers = &request->registers;

    if (request->row->start == ata_start_trim &&
        (!disk->discard || registers->features != 1 || registers->count != 1))
        return KILN_ATA_ERROR_ABRT;
    if (request->row->start == start_read_log &&
        (registers->count != 1 || (registers->lba & 0x00ff0000ff00) != 0))
        return KILN_ATA_ERROR_ABRT;
    if (request->row->start == start_smart && (uint8_t)registers->features != SMART_READ_DATA)
        request->protocol = KILN_ATA_NO_DATA;
    if (request->protocol != KILN_ATA_NO_DATA)
        request->length = KILN_ATA_SECTOR;
    return 0;
}

void
kiln_ata_decode(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    const AtaCommand *row = &commands[request->registers.command];

    request->row = row;
    request->protocol = (KilnAtaProtocol)row->protocol;
    request->queued = (row->flags & ATA_QUEUED) != 0;
    request->tag = request->queued ? (uint8_t)(request->registers.count >> 3 & 31) : 0;
    request->length = 0;
    request->at = 0;
    if (row->start == NULL || (disk->parallel && row->flags & ATA_SERIAL)) {
        request->queued = FALSE;
        request->refusal = KILN_ATA_ERROR_ABRT;
    } else if (row->flags & ATA_RANGE) {
        request->refusal = decode_range(disk, request);
    } else {
        request->refusal = decode_other(disk, request);
    }
    if (request->refusal != 0) {
        request->protocol = KILN_ATA_NO_DATA;
        request->length = 0;
    }
}

gboolean
kiln_ata_is_multiple(const KilnAtaRequest *request)
{
    return (request->row->flags & ATA_MULTIPLE) != 0;
}
