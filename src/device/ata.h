/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An ATA disk (ACS-3, INCITS 522-2014) on a chain of block layers: what is behind a port of an AHCI
 * controller, or on a channel of an IDE one.  The host adapter is somebody else's:
 *
 *   registers -> kiln_ata_decode() -> kiln_ata_submit() -> request->fill() for buffers
 *             -> kiln_block_submit() … (again, while buffers are short) -> request->done()
 *
 * What the registers hold is a stranger's: whatever they say ends in a status.  Security, host
 * protected areas, sanitizing and microcode are not there: their commands are aborted.
 *
 * In the thread of the chain's context, unless said otherwise, or while nothing is under way.
 */
#ifndef KILN_DEVICE_ATA_H
#define KILN_DEVICE_ATA_H

#include "block/block.h"
#include "device/disk-statistics.h"
#include "device/io-error.h"
#include "device/scsi.h"
#include "state/state.h"

enum {
    KILN_ATA_SECTOR = 512, /* bytes: the unit of what is not media data */
    KILN_ATA_QUEUE_DEPTH = 32,
};

/* Bits of the status and error fields (ACS-3 §6.2, §6.3). */
enum {
    KILN_ATA_STATUS_ERR = 1 << 0, /* CHK of a packet device */
    KILN_ATA_STATUS_DRQ = 1 << 3,
    KILN_ATA_STATUS_DSC = 1 << 4, /* "seek complete", as old drivers want it */
    KILN_ATA_STATUS_DF = 1 << 5,
    KILN_ATA_STATUS_DRDY = 1 << 6,
    KILN_ATA_STATUS_BSY = 1 << 7,
    KILN_ATA_STATUS_GOOD = KILN_ATA_STATUS_DRDY | KILN_ATA_STATUS_DSC,

    KILN_ATA_ERROR_ABRT = 1 << 2,
    KILN_ATA_ERROR_IDNF = 1 << 4, /* no such address */
    KILN_ATA_ERROR_UNC = 1 << 6,  /* cannot be read */
};

/* Bits of the device field. */
enum { KILN_ATA_DEVICE_LBA = 1 << 6 };

/* What a host writes, as a Register Host to Device FIS holds it: of a command with 28-bit addresses
 * the upper halves are not looked at. */
typedef struct {
    uint8_t command;
    uint8_t device;
    uint16_t features;
    uint16_t count;
    uint64_t lba; /* 48 bits */
} KilnAtaRegisters;

/* What a host reads when a command is done. */
typedef struct {
    uint8_t status;
    uint8_t error;
    uint8_t device;
    uint16_t count;
    uint64_t lba; /* 48 bits */
} KilnAtaAnswer;

typedef enum {
    KILN_ATA_NO_DATA,
    KILN_ATA_PIO_IN, /* to the guest */
    KILN_ATA_PIO_OUT,
    KILN_ATA_DMA_IN,
    KILN_ATA_DMA_OUT,
} KilnAtaProtocol;

/**
 * KilnAtaOutcome:
 * @KILN_ATA_DONE: the disk has answered
 * @KILN_ATA_NO_BUFFER: the host adapter gave no buffers for all of it; the command has failed, and
 *   the answer says so too
 * @KILN_ATA_RETRY: it failed and the policy says STOP: the host adapter keeps the command and
 *   submits it again, from its begin, when the machine goes on; there is no answer
 */
typedef enum {
    KILN_ATA_DONE,
    KILN_ATA_NO_BUFFER,
    KILN_ATA_RETRY,
} KilnAtaOutcome;

typedef struct KilnAtaDisk KilnAtaDisk;
typedef struct KilnAtaRequest KilnAtaRequest;

enum {
    KILN_ATA_FILL_NONE = 0, /* there are no buffers */
    KILN_ATA_FILL_LATER = -1,
};

/**
 * KilnAtaFillFunc:
 * @wanted: bytes that are left
 * @granule: what is given must be a multiple of, unless it is all
 *
 * Sets @iov and @n_iov of @request to where the next of its bytes are, or go.  They stay so until
 * the next call, or done.
 *
 * Returns: bytes that those are, at most @wanted; KILN_ATA_FILL_NONE; or KILN_ATA_FILL_LATER: when
 *   there are some, kiln_ata_continue() makes the disk ask again.
 */
typedef int64_t (*KilnAtaFillFunc)(KilnAtaRequest *request, uint64_t wanted, uint32_t granule);

/**
 * KilnAtaRequest:
 *
 * A command; embedded in the host adapter's own request, who fills in the first part.
 */
struct KilnAtaRequest {
    KilnAtaRegisters registers;
    KilnAtaFillFunc fill;
    void (*done)(KilnAtaRequest *request); /* may come before kiln_ata_submit() returns */
    void *scratch;                         /* kiln_ata_request_size() bytes, aligned to 16 */
    KilnScsiCommand scsi;                  /* of a packet device: its CDB, before decoding */
    const struct iovec *iov;
    unsigned n_iov;

    /* What kiln_ata_decode() finds out. */
    KilnAtaProtocol protocol;
    gboolean queued; /* NCQ (SATA 3.2 §13.6) … */
    uint8_t tag;     /* … as such */
    uint64_t length; /* bytes of data */

    /* What there is at @done. */
    KilnAtaOutcome outcome;
    KilnAtaAnswer answer;
    uint64_t transferred; /* bytes */

    /* The disk's own. */
    KilnAtaDisk *disk;
    const struct KilnAtaCommand *row; /* (nullable): none of its commands */
    KilnBlockRequest block;
    KilnDiskCounter *counter; /* (nullable) */
    uint8_t refusal;          /* bits of the error field; 0: none */
    uint8_t i_range;          /* of a trim */
    uint8_t phase;            /* of @block: see ata.c */
    int result;               /* the same */
    uint64_t start_ns;
    uint64_t at;      /* bytes: where on the disk it begins */
    uint64_t trimmed; /* bytes of the disk that a trim names, for statistics */
    uint8_t buffer[KILN_ATA_SECTOR];
};

/**
 * KilnAtaOptions:
 * @chain: (transfer full): the disk
 * @serial, @model, @firmware: (nullable): at most 20, 40 and 8 characters are shown; NULL is
 *   nothing, "KILN HARDDISK" and a version
 * @wwn: 0 is none
 * @logical_size, @physical_size: bytes, powers of 2; 0 is what suits the chain
 * @cylinders, @heads, @sectors: legacy geometry; all 0 is made up from the size
 * @rotation_rate: of IDENTIFY DEVICE word 217: 0 unknown, 1 not rotating, else rpm
 * @parallel: on a cable (IDE): neither NCQ nor what else SATA has
 * @write_back: starts with a volatile write cache; see virtio-blk.h
 * @discard: TRIM reaches the chain
 * @read_policy, @write_policy: on errors; flush and trim are writes
 * @io_error: (nullable): told of each error
 */
typedef struct {
    KilnBlock *chain;
    const char *serial;
    const char *model;
    const char *firmware;
    uint64_t wwn;
    uint32_t logical_size;
    uint32_t physical_size;
    uint16_t cylinders;
    uint8_t heads;
    uint8_t sectors;
    uint16_t rotation_rate;
    gboolean parallel;
    gboolean write_back;
    gboolean discard;
    KilnIoErrorPolicy read_policy;
    KilnIoErrorPolicy write_policy;
    KilnIoErrorFunc io_error;
    void *opaque;
} KilnAtaOptions;

/**
 * kiln_ata_new:
 *
 * Returns: (transfer full): the disk, as after power-on; NULL with @error set (sizes that do not
 *   fit the chain) and the chain freed.  Main thread.
 */
KilnAtaDisk *kiln_ata_new(const KilnAtaOptions *options, GError **error);

/* (nullable); nothing is under way.  Frees the chain.  Main thread. */
void kiln_ata_free(KilnAtaDisk *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnAtaDisk, kiln_ata_free)

/* Bytes of scratch of a request. */
size_t kiln_ata_request_size(const KilnAtaDisk *disk);

/* Looks at @request's registers and finds out what they ask for.  Any thread. */
void kiln_ata_decode(KilnAtaDisk *disk, KilnAtaRequest *request);

/* Runs @request, which has been decoded; how it went is in it at @done. */
void kiln_ata_submit(KilnAtaDisk *disk, KilnAtaRequest *request);

/* After KILN_ATA_FILL_LATER. */
void kiln_ata_continue(KilnAtaRequest *request);

/**
 * kiln_ata_reset:
 * @power_on: all is as it was then; else as after a reset of the bus, which leaves the write cache
 *   and the translation of addresses alone
 *
 * Nothing is under way.
 */
void kiln_ata_reset(KilnAtaDisk *disk, gboolean power_on);

/* What the registers hold after a reset, or after EXECUTE DEVICE DIAGNOSTIC: the signature of a
 * disk (ATA8-ACS §6.1, ACS-3 §7.12 for the diagnostic). */
void kiln_ata_signature(KilnAtaAnswer *answer);

/* The sectors of a DRQ block as SET MULTIPLE MODE chose it, 0: none were. */
unsigned kiln_ata_multiple(const KilnAtaDisk *disk);

/* Whether it is READ MULTIPLE or its kin. */
gboolean kiln_ata_is_multiple(const KilnAtaRequest *request);

/* Bytes of a logical sector. */
uint32_t kiln_ata_sector_size(const KilnAtaDisk *disk);

/* Borrowed. */
KilnBlock *kiln_ata_chain(KilnAtaDisk *disk);

/* Any thread. */
void kiln_ata_statistics(KilnAtaDisk *disk, KilnDiskStatistics *statistics);

/* Of a KilnAtaDisk; nothing is under way. */
extern const KilnStateDescription kiln_ata_state;

#endif
