/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the ATA disk share; see ata.h. */
#ifndef KILN_DEVICE_ATA_PRIVATE_H
#define KILN_DEVICE_ATA_PRIVATE_H

#include "device/ata.h"

enum {
    ATA_MAX_MULTIPLE = 16, /* sectors of a DRQ block */
    ATA_MAX_LBA28 = 0x0fffffff,
    ATA_SERIAL_CHARS = 20,
    ATA_FIRMWARE_CHARS = 8,
    ATA_MODEL_CHARS = 40,
};

/* The command that failed last of those that were queued (ACS-3 §9.14: log 10h). */
typedef struct {
    gboolean valid;
    uint8_t tag;
    uint8_t status, error, device;
    uint16_t count;
    uint64_t lba;
} AtaQueueError;

struct KilnAtaDisk {
    KilnBlock *chain; /* (owned) */
    char serial[ATA_SERIAL_CHARS + 1];
    char model[ATA_MODEL_CHARS + 1];
    char firmware[ATA_FIRMWARE_CHARS + 1];
    uint64_t wwn;
    uint32_t sector_bits;   /* of a logical sector, as a shift */
    uint32_t physical_bits; /* of a physical one */
    uint16_t cylinders;
    uint8_t heads, sectors; /* per cylinder, per track */
    uint16_t rotation_rate;
    gboolean parallel;
    gboolean initial_cache;
    gboolean discard; /* TRIM is there */
    KilnIoErrorPolicy read_policy, write_policy;
    KilnIoErrorFunc io_error; /* (nullable) */
    void *opaque;
    KilnDiskStatistics statistics; /* each member (atomic), one writer */

    /* What commands change. */
    gboolean write_cache;
    gboolean smart;
    gboolean standby;
    uint8_t multiple;        /* sectors of a DRQ block, 0: not set */
    uint8_t transfer_mode;   /* that SET FEATURES chose: 0x4n is Ultra DMA mode n */
    uint8_t current_heads;   /* INITIALIZE DEVICE PARAMETERS */
    uint8_t current_sectors; /* the same */
    AtaQueueError queue_error;
};

/* What a command is: ata-command.c has the table of them. */
typedef struct KilnAtaCommand AtaCommand;

struct KilnAtaCommand {
    uint8_t protocol; /* KilnAtaProtocol */
    uint8_t flags;
    void (*start)(KilnAtaDisk *disk, KilnAtaRequest *request);
};

enum {
    ATA_EXT = 1 << 0,      /* 48-bit addresses */
    ATA_FUA = 1 << 1,      /* on stable storage when done */
    ATA_MULTIPLE = 1 << 2, /* SET MULTIPLE MODE goes first */
    ATA_QUEUED = 1 << 3,
    ATA_RANGE = 1 << 4,  /* names sectors of the disk */
    ATA_SERIAL = 1 << 5, /* SATA disks have it */
};

/* ata.c: the end of a request, and the ways there. */
void ata_succeed(KilnAtaRequest *request);
void ata_refuse(KilnAtaRequest *request, uint8_t error);
void ata_start_media(KilnAtaDisk *disk, KilnAtaRequest *request);
void ata_start_flush(KilnAtaDisk *disk, KilnAtaRequest *request);
void ata_start_trim(KilnAtaDisk *disk, KilnAtaRequest *request);

/* Sets what a request that is submitted begins with. */
void ata_begin(KilnAtaRequest *request);

/* Whether SET FEATURES may choose it. */
gboolean ata_is_dma_mode(uint8_t mode);

/* Gives the guest what is in the request's buffer, as far as there is room. */
void ata_give_buffer(KilnAtaRequest *request);

/* Whole sectors of the disk. */
static inline uint64_t
ata_sectors(const KilnAtaDisk *disk)
{
    return disk->chain->length >> disk->sector_bits;
}

/* Make KILN_ATA_SECTOR bytes. */
void ata_identify(const KilnAtaDisk *disk, uint8_t *data);
void ata_identify_packet(const char *serial, const char *firmware, const char *model,
                         uint8_t transfer_mode, gboolean parallel, uint8_t *data);
void ata_smart_data(const KilnAtaDisk *disk, uint8_t *data);
void ata_log_directory(const KilnAtaDisk *disk, uint8_t *data);
void ata_log_queue_error(const KilnAtaDisk *disk, uint8_t *data);

#endif
