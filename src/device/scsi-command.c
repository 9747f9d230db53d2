/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands that a unit knows: SPC-4, SBC-3 for disks, MMC-6 for CD-ROMs.  One table says what
 * each is of, how much it transfers and which way; what is not in it is an invalid opcode, as are
 * PERSISTENT RESERVE IN and OUT.
 */
#include "device/scsi-private.h"

#include <string.h>

/* Where a CDB says how much it transfers. */
typedef enum {
    LENGTH_NONE,
    LENGTH_8_AT_4,
    LENGTH_16_AT_3,
    LENGTH_16_AT_7,
    LENGTH_16_AT_8,
    LENGTH_32_AT_6,
    LENGTH_32_AT_10,
    LENGTH_FIXED_8,   /* READ CAPACITY 10 */
    LENGTH_BLOCKS,    /* as many as the command is about */
    LENGTH_ONE_BLOCK, /* WRITE SAME, unless it says that there is none (NDOB) */
    LENGTH_CD,        /* READ CD */
} Length;

enum {
    DISK = 1 << 0,
    CDROM = 1 << 1,
    MEDIUM = 1 << 2,    /* must be there */
    ATTENTION = 1 << 3, /* runs although there is a unit attention */
    BLOCKS = 1 << 4,    /* of the medium: the buffers must be there for all of them */
    BOTH = DISK | CDROM,
};

enum { NO_SERVICE_ACTION = 0xff, SERVICE_ACTION_MASK = 0x1f };

typedef struct {
    uint8_t opcode;
    uint8_t service_action; /* or NO_SERVICE_ACTION */
    uint8_t flags;
    KilnScsiDirection direction;
    Length length;
    ScsiHandler *handler;
} Row;

/* ---- The small ones ---- */

/* TEST UNIT READY (the row's flags have tested it), RESERVE, RELEASE, SET CD SPEED. */
static void
nothing(ScsiTask *task)
{
    scsi_good(task);
}

/* Third-party and extent reservations are not known (SPC-2 §7.21). */
static void
reserve(ScsiTask *task)
{
    if (task->command->cdb[1] & 0x11)
        scsi_check(task, SENSE_INVALID_FIELD);
    else
        scsi_good(task);
}

/* What an initiator that did not get sense data with the status asks for (SPC-4 §6.39). */
static void
request_sense(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    ScsiSense sense = unit->atapi ? unit->kept : SENSE_NONE;
    uint32_t length = KILN_SCSI_SENSE_BYTES;

    if (sense.key == SCSI_NO_SENSE && unit->unit_attention != SCSI_UA_NONE) {
        sense = (ScsiSense){ SCSI_UNIT_ATTENTION, (uint8_t)(unit->unit_attention >> 8),
                             (uint8_t)unit->unit_attention };
        unit->unit_attention = SCSI_UA_NONE;
    }
    unit->kept = SENSE_NONE;
    if (cdb[1] & 1) {
        unit->reply[0] = 0x72; /* current error, descriptor format */
        unit->reply[1] = sense.key;
        unit->reply[2] = sense.asc;
        unit->reply[3] = sense.ascq;
        length = 8;
    } else {
        scsi_put_sense(unit->reply, sense);
    }
    scsi_reply(task, length, cdb[4]);
}

/* This one; a target with more of them answers for itself. */
static void
report_luns(ScsiTask *task)
{
    enum { LUN_LIST_BYTES = 16 };

    task->unit->reply[3] = 8;
    scsi_reply(task, LUN_LIST_BYTES, kiln_be32_load(task->command->cdb + 6));
}

/* ---- The table ---- */

/* clang-format off */
#define ANY NO_SERVICE_ACTION
#define IN  KILN_SCSI_DATA_IN
#define OUT KILN_SCSI_DATA_OUT
#define NO  KILN_SCSI_NO_DATA
static const Row rows[] = {
    /* SPC-4 */
    { 0x00, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, nothing },                  /* TEST UNIT READY */
    { 0x03, ANY, BOTH | ATTENTION, IN, LENGTH_8_AT_4, request_sense },
    { 0x12, ANY, BOTH | ATTENTION, IN, LENGTH_16_AT_3, scsi_inquiry },
    { 0x15, ANY, BOTH, OUT, LENGTH_8_AT_4, scsi_mode_select },               /* 6 */
    { 0x16, ANY, BOTH, NO, LENGTH_NONE, reserve },                           /* 6 */
    { 0x17, ANY, BOTH, NO, LENGTH_NONE, reserve },                           /* RELEASE 6 */
    { 0x1a, ANY, BOTH, IN, LENGTH_8_AT_4, scsi_mode_sense },                 /* 6 */
    { 0x55, ANY, BOTH, OUT, LENGTH_16_AT_7, scsi_mode_select },              /* 10 */
    { 0x56, ANY, BOTH, NO, LENGTH_NONE, reserve },                           /* 10 */
    { 0x57, ANY, BOTH, NO, LENGTH_NONE, reserve },                           /* RELEASE 10 */
    { 0x5a, ANY, BOTH, IN, LENGTH_16_AT_7, scsi_mode_sense },                /* 10 */
    { 0xa0, ANY, BOTH | ATTENTION, IN, LENGTH_32_AT_6, report_luns },
    /* SBC-3, and what MMC-6 shares with it */
    { 0x08, ANY, BOTH | MEDIUM | BLOCKS, IN, LENGTH_BLOCKS, scsi_read },     /* 6 */
    { 0x28, ANY, BOTH | MEDIUM | BLOCKS, IN, LENGTH_BLOCKS, scsi_read },     /* 10 */
    { 0xa8, ANY, BOTH | MEDIUM | BLOCKS, IN, LENGTH_BLOCKS, scsi_read },     /* 12 */
    { 0x88, ANY, BOTH | MEDIUM | BLOCKS, IN, LENGTH_BLOCKS, scsi_read },     /* 16 */
    { 0x0a, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },   /* 6 */
    { 0x2a, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },   /* 10 */
    { 0xaa, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },   /* 12 */
    { 0x8a, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },   /* 16 */
    { 0x2e, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },   /* WRITE AND VERIFY */
    { 0xae, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },
    { 0x8e, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_BLOCKS, scsi_write },
    { 0x0b, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_seek },                /* 6 */
    { 0x2b, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_seek },                /* 10 */
    { 0x2f, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_verify },              /* 10 */
    { 0xaf, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_verify },              /* 12 */
    { 0x8f, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_verify },              /* 16 */
    { 0x35, ANY, BOTH | MEDIUM, NO, LENGTH_NONE, scsi_flush },               /* 10 */
    { 0x91, ANY, DISK | MEDIUM, NO, LENGTH_NONE, scsi_flush },               /* 16 */
    { 0x41, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_ONE_BLOCK, scsi_write_same },
    { 0x93, ANY, DISK | MEDIUM | BLOCKS, OUT, LENGTH_ONE_BLOCK, scsi_write_same },
    { 0x42, ANY, DISK | MEDIUM, OUT, LENGTH_16_AT_7, scsi_unmap },
    { 0x25, ANY, BOTH | MEDIUM, IN, LENGTH_FIXED_8, scsi_read_capacity_10 },
    { 0x9e, 0x10, BOTH | MEDIUM, IN, LENGTH_32_AT_10, scsi_read_capacity_16 },
    { 0x1b, ANY, BOTH, NO, LENGTH_NONE, scsi_start_stop },
    { 0x1e, ANY, BOTH, NO, LENGTH_NONE, scsi_prevent_removal },
    /* MMC-6 */
    { 0x43, ANY, CDROM | MEDIUM, IN, LENGTH_16_AT_7, scsi_read_toc },
    { 0x46, ANY, CDROM | ATTENTION, IN, LENGTH_16_AT_7, scsi_get_configuration },
    { 0x4a, ANY, CDROM | ATTENTION, IN, LENGTH_16_AT_7, scsi_get_event },
    { 0x51, ANY, CDROM | MEDIUM, IN, LENGTH_16_AT_7, scsi_read_disc_information },
    { 0xad, ANY, CDROM | MEDIUM, IN, LENGTH_16_AT_8, scsi_read_disc_structure },
    { 0xbb, ANY, CDROM, NO, LENGTH_NONE, nothing },                          /* SET CD SPEED */
    { 0xbd, ANY, CDROM, IN, LENGTH_16_AT_8, scsi_mechanism_status },
    { 0xbe, ANY, CDROM | MEDIUM | BLOCKS, IN, LENGTH_CD, scsi_read_cd },
};
/* clang-format on */

static const Row *
find_row(const KilnScsiUnit *unit, const uint8_t *cdb)
{
    unsigned kind = unit->kind == KILN_SCSI_CDROM ? CDROM : DISK;

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].opcode == cdb[0] && rows[i].flags & kind &&
            (rows[i].service_action == NO_SERVICE_ACTION ||
             rows[i].service_action == (cdb[1] & SERVICE_ACTION_MASK)))
            return &rows[i];
    return NULL;
}

/* ---- What a CDB says ---- */

void
scsi_range(const uint8_t *cdb, uint64_t *lba, uint64_t *n_blocks)
{
    switch (cdb[0] >> 5) {
    case 0:
        *lba = kiln_be32_load(cdb) & 0x1fffff;
        *n_blocks = cdb[4] != 0 ? cdb[4] : 256;
        break;
    case 1:
    case 2:
        *lba = kiln_be32_load(cdb + 2);
        *n_blocks = kiln_be16_load(cdb + 7);
        break;
    case 5:
        *lba = kiln_be32_load(cdb + 2);
        *n_blocks = kiln_be32_load(cdb + 6);
        break;
    default: /* group 4: 16 bytes */
        *lba = kiln_be64_load(cdb + 2);
        *n_blocks = kiln_be32_load(cdb + 10);
        break;
    }
}

/* READ CD: sectors, and of each its user data or nothing (MMC-6 §6.19). */
static uint64_t
cd_length(const uint8_t *cdb)
{
    return (cdb[9] & 0xf8) == 0 ? 0
                                : (kiln_be32_load(cdb + 5) & 0xffffff) * (uint64_t)SCSI_CD_BLOCK;
}

static uint64_t
length_of(const KilnScsiUnit *unit, const Row *row, const uint8_t *cdb)
{
    uint64_t lba, n_blocks;

    switch (row->length) {
    case LENGTH_NONE: return 0;
    case LENGTH_8_AT_4: return cdb[4];
    case LENGTH_16_AT_3: return kiln_be16_load(cdb + 3);
    case LENGTH_16_AT_7: return kiln_be16_load(cdb + 7);
    case LENGTH_16_AT_8: return kiln_be16_load(cdb + 8);
    case LENGTH_32_AT_6: return kiln_be32_load(cdb + 6);
    case LENGTH_32_AT_10: return kiln_be32_load(cdb + 10);
    case LENGTH_FIXED_8: return 8;
    case LENGTH_ONE_BLOCK: return cdb[0] == 0x93 && cdb[1] & 1 ? 0 : unit->block_size;
    case LENGTH_CD: return cd_length(cdb);
    default: scsi_range(cdb, &lba, &n_blocks); return n_blocks * unit->block_size;
    }
}

uint64_t
kiln_scsi_unit_expect(const KilnScsiUnit *unit, const uint8_t *cdb, KilnScsiDirection *direction)
{
    const Row *row = find_row(unit, cdb);
    uint64_t length = row != NULL ? length_of(unit, row, cdb) : 0;

    *direction = length > 0 ? row->direction : KILN_SCSI_NO_DATA;
    return length;
}

/* ---- Before a handler is called ---- */

/* Whether the command's buffers are those that it needs.  Answers to be cut need not fit. */
static gboolean
buffers_fit(const ScsiTask *task, const Row *row)
{
    const KilnScsiCommand *command = task->command;
    uint64_t length = length_of(task->unit, row, command->cdb);

    if (length == 0)
        return TRUE;
    if (row->flags & BLOCKS || row->direction == KILN_SCSI_DATA_OUT)
        return command->direction == row->direction && length <= command->length;
    return command->direction != KILN_SCSI_DATA_OUT;
}

static ScsiSense
no_medium(const KilnScsiUnit *unit)
{
    return unit->tray_open ? SENSE_TRAY_OPEN : SENSE_NO_MEDIUM;
}

/* A unit attention is told once (SAM-5 §5.14). */
static void
tell_attention(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;
    ScsiSense sense = { SCSI_UNIT_ATTENTION, (uint8_t)(unit->unit_attention >> 8),
                        (uint8_t)unit->unit_attention };

    unit->unit_attention = SCSI_UA_NONE;
    scsi_check(task, sense);
}

void
scsi_execute(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    const Row *row = find_row(unit, cdb);

    if (unit->unit_attention != SCSI_UA_NONE && (row == NULL || !(row->flags & ATTENTION))) {
        tell_attention(task);
        return;
    }
    if (cdb[0] != 0x03)
        unit->kept = SENSE_NONE;
    if (row == NULL)
        scsi_check(task, SENSE_INVALID_OPCODE);
    else if (row->flags & MEDIUM && !scsi_has_medium(unit))
        scsi_check(task, no_medium(unit));
    else if (!buffers_fit(task, row))
        scsi_finish(task, KILN_SCSI_OVERRUN);
    else {
        if (!(row->flags & BLOCKS))
            memset(unit->reply, 0, sizeof unit->reply);
        row->handler(task);
    }
}
