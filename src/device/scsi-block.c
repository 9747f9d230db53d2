/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to the medium: SBC-3 §5. */
#include "device/scsi-private.h"

#include <string.h>

#include "base/intmath.h"

enum {
    PROTECTION = 0xe0, /* RDPROTECT, WRPROTECT, VRPROTECT: none is formatted */
    FUA = 0x08,
    BYTE_CHECK = 0x06,
    GROUP_6 = 0, /* the group of CDBs of 6 bytes has no such flags */
    PATTERN_BYTES = 64 << 10,
};

static gboolean
in_range(const KilnScsiUnit *unit, uint64_t lba, uint64_t n_blocks)
{
    return kiln_range_inside(lba, n_blocks, scsi_blocks(unit));
}

static unsigned
cdb_flags(const uint8_t *cdb)
{
    return cdb[0] >> 5 == GROUP_6 ? 0 : cdb[1];
}

/* ---- Read and write ---- */

/* FALSE if the task is at its end.  @n_blocks may be 0, which is no mistake. */
static gboolean
take_range(ScsiTask *task, uint64_t *lba, uint64_t *n_blocks)
{
    const uint8_t *cdb = task->command->cdb;

    scsi_range(cdb, lba, n_blocks);
    if (cdb_flags(cdb) & PROTECTION) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return FALSE;
    }
    if (!in_range(task->unit, *lba, *n_blocks)) {
        scsi_check(task, SENSE_LBA_RANGE);
        return FALSE;
    }
    return TRUE;
}

static void
transfer(ScsiTask *task, uint64_t lba, uint64_t n_blocks)
{
    uint32_t size = task->unit->block_size;

    if (n_blocks == 0) {
        scsi_good(task);
        return;
    }
    scsi_use_buffers(task, (uint32_t)(n_blocks * size));
    scsi_submit(task, lba * size, n_blocks * size);
}

void
scsi_read(ScsiTask *task)
{
    uint64_t lba, n_blocks;

    if (!take_range(task, &lba, &n_blocks))
        return;
    task->block.op = KILN_BLOCK_READ;
    transfer(task, lba, n_blocks);
}

static unsigned
write_flags(const ScsiTask *task)
{
    gboolean fua = (cdb_flags(task->command->cdb) & FUA) != 0;

    return fua || !task->unit->write_cache ? KILN_BLOCK_FUA : 0;
}

void
scsi_write(ScsiTask *task)
{
    uint64_t lba, n_blocks;

    if (task->unit->read_only) {
        scsi_check(task, SENSE_WRITE_PROTECTED);
        return;
    }
    if (!take_range(task, &lba, &n_blocks))
        return;
    task->block.op = KILN_BLOCK_WRITE;
    task->block.flags = write_flags(task);
    transfer(task, lba, n_blocks);
}

/* READ CD: sectors of mode 1, and of these their user data, or nothing at all. */
void
scsi_read_cd(ScsiTask *task)
{
    const uint8_t *cdb = task->command->cdb;
    uint64_t lba = kiln_be32_load(cdb + 2);
    uint64_t n_blocks = kiln_be32_load(cdb + 5) & 0xffffff;
    unsigned wanted = cdb[9] & 0xf8;
    unsigned expected = cdb[1] >> 2 & 7;

    if ((wanted != 0 && wanted != 0x10) || cdb[10] & 7 || (expected != 0 && expected != 2)) {
        scsi_check(task, SENSE_INVALID_FIELD);
    } else if (!in_range(task->unit, lba, n_blocks)) {
        scsi_check(task, SENSE_LBA_RANGE);
    } else {
        task->block.op = KILN_BLOCK_READ;
        transfer(task, lba, wanted == 0 ? 0 : n_blocks);
    }
}

/* The medium is good, if it is there; what is on it is not compared (BYTCHK). */
void
scsi_verify(ScsiTask *task)
{
    uint64_t lba, n_blocks;

    if (task->command->cdb[1] & BYTE_CHECK)
        scsi_check(task, SENSE_INVALID_FIELD);
    else if (take_range(task, &lba, &n_blocks))
        scsi_good(task);
}

void
scsi_seek(ScsiTask *task)
{
    uint64_t lba, n_blocks;

    scsi_range(task->command->cdb, &lba, &n_blocks);
    if (in_range(task->unit, lba, 1))
        scsi_good(task);
    else
        scsi_check(task, SENSE_LBA_RANGE);
}

void
scsi_flush(ScsiTask *task)
{
    task->block.op = KILN_BLOCK_FLUSH;
    scsi_submit(task, 0, 0);
}

/* ---- UNMAP ---- */

static void
segment_at(const ScsiTask *task, unsigned i, uint64_t *lba, uint64_t *n_blocks)
{
    const uint8_t *segment = task->segments + i * SCSI_UNMAP_SEGMENT_BYTES;

    *lba = kiln_be64_load(segment);
    *n_blocks = kiln_be32_load(segment + 8);
}

static gboolean
unmap_step(ScsiTask *task)
{
    uint32_t size = task->unit->block_size;
    uint64_t lba, n_blocks;

    if (task->i_segment == task->n_segments)
        return FALSE;
    segment_at(task, task->i_segment++, &lba, &n_blocks);
    scsi_submit(task, lba * size, n_blocks * size);
    return TRUE;
}

/* What VPD page B0h says that UNMAP and WRITE SAME take at most. */
static uint64_t
most_blocks(const KilnScsiUnit *unit)
{
    return SCSI_MAX_STEP_BYTES / unit->block_size;
}

static ScsiSense
check_segments(const ScsiTask *task)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < task->n_segments; i++) {
        uint64_t lba, n_blocks;

        segment_at(task, i, &lba, &n_blocks);
        all += n_blocks;
        if (all > most_blocks(task->unit))
            return SENSE_INVALID_PARAMETER;
        if (!in_range(task->unit, lba, n_blocks))
            return SENSE_LBA_RANGE;
    }
    return SENSE_NONE;
}

/* Copies the segments and checks them all, before anything is done. */
static ScsiSense
take_segments(ScsiTask *task, uint32_t list_bytes)
{
    enum { HEADER_BYTES = 8 };
    uint8_t list[HEADER_BYTES + SCSI_MAX_UNMAP_SEGMENTS * SCSI_UNMAP_SEGMENT_BYTES];
    uint32_t there = scsi_gather(task, list, MIN(list_bytes, sizeof list));
    uint32_t bytes;

    if (there < HEADER_BYTES)
        return SENSE_PARAMETER_LENGTH;
    bytes = kiln_be16_load(list + 2);
    if (bytes > there - HEADER_BYTES || bytes % SCSI_UNMAP_SEGMENT_BYTES != 0 ||
        kiln_be16_load(list) + UINT32_C(2) > list_bytes)
        return SENSE_PARAMETER_LENGTH;
    task->segments = g_malloc(sizeof list - HEADER_BYTES);
    memcpy(task->segments, list + HEADER_BYTES, bytes);
    task->n_segments = bytes / SCSI_UNMAP_SEGMENT_BYTES;
    task->i_segment = 0;
    return check_segments(task);
}

void
scsi_unmap(ScsiTask *task)
{
    const uint8_t *cdb = task->command->cdb;
    uint32_t list_bytes = kiln_be16_load(cdb + 7);
    ScsiSense sense = SENSE_NONE;

    if (cdb[1] & 1)
        sense = SENSE_INVALID_FIELD;
    else if (task->unit->read_only)
        sense = SENSE_WRITE_PROTECTED;
    else if (list_bytes > 0)
        sense = take_segments(task, list_bytes);
    if (sense.key != SCSI_NO_SENSE) {
        scsi_check(task, sense);
        return;
    }
    task->transferred = list_bytes;
    if (list_bytes == 0 || !task->unit->discard) {
        scsi_good(task);
        return;
    }
    task->block.op = KILN_BLOCK_DISCARD;
    task->step = unmap_step;
    scsi_take_steps(task);
}

/* ---- WRITE SAME ---- */

static gboolean
same_step(ScsiTask *task)
{
    gboolean zeroes = task->block.op == KILN_BLOCK_WRITE_ZEROES;
    uint64_t length = MIN(task->left, zeroes ? SCSI_MAX_STEP_BYTES : PATTERN_BYTES);
    uint64_t at = task->at;

    if (length == 0)
        return FALSE;
    task->at += length;
    task->left -= length;
    if (!zeroes) {
        task->pattern_iov = (struct iovec){ task->pattern, length };
        task->block.iov = &task->pattern_iov;
        task->block.n_iov = 1;
    }
    scsi_submit(task, at, length);
    return TRUE;
}

/* Copies the one block, as often as it fits.  Returns: whether it is all zeroes. */
static gboolean
take_pattern(ScsiTask *task)
{
    uint32_t size = task->unit->block_size;

    task->pattern = g_malloc(PATTERN_BYTES);
    scsi_gather(task, task->pattern, size);
    if (task->pattern[0] == 0 && memcmp(task->pattern, task->pattern + 1, size - 1) == 0)
        return TRUE;
    for (uint32_t at = size; at < PATTERN_BYTES; at += size)
        memcpy(task->pattern + at, task->pattern, size);
    return FALSE;
}

/* What of WRITE SAME cannot be: ANCHOR, LBDATA, PBDATA, and no blocks or too many, which VPD page
 * B0h says. */
static ScsiSense
check_same(const ScsiTask *task, uint64_t lba, uint64_t n_blocks)
{
    enum { REFUSED = PROTECTION | 0x16 };

    if (task->unit->read_only)
        return SENSE_WRITE_PROTECTED;
    if (n_blocks == 0 || n_blocks > most_blocks(task->unit) || task->command->cdb[1] & REFUSED)
        return SENSE_INVALID_FIELD;
    return in_range(task->unit, lba, n_blocks) ? SENSE_NONE : SENSE_LBA_RANGE;
}

void
scsi_write_same(ScsiTask *task)
{
    const uint8_t *cdb = task->command->cdb;
    uint32_t size = task->unit->block_size;
    gboolean no_block = cdb[0] == 0x93 && cdb[1] & 1;
    gboolean unmap = (cdb[1] & 0x08) != 0;
    uint64_t lba, n_blocks;
    ScsiSense sense;

    scsi_range(cdb, &lba, &n_blocks);
    sense = check_same(task, lba, n_blocks);
    if (sense.key != SCSI_NO_SENSE) {
        scsi_check(task, sense);
        return;
    }
    task->transferred = no_block ? 0 : size;
    task->at = lba * size;
    task->left = n_blocks * size;
    task->step = same_step;
    task->block.flags = task->unit->write_cache ? 0 : KILN_BLOCK_FUA;
    if (no_block || take_pattern(task)) {
        task->block.op = KILN_BLOCK_WRITE_ZEROES;
        if (unmap && task->unit->discard)
            task->block.flags |= KILN_BLOCK_MAY_UNMAP;
    } else {
        task->block.op = KILN_BLOCK_WRITE;
    }
    scsi_take_steps(task);
}

/* ---- READ CAPACITY ---- */

void
scsi_read_capacity_10(ScsiTask *task)
{
    const uint8_t *cdb = task->command->cdb;
    uint8_t *reply = task->unit->reply;
    uint64_t blocks = scsi_blocks(task->unit);

    if ((cdb[8] & 1) == 0 && kiln_be32_load(cdb + 2) != 0) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    if (blocks == 0) {
        scsi_check(task, SENSE_LBA_RANGE);
        return;
    }
    kiln_be32_store(reply, (uint32_t)MIN(blocks - 1, G_MAXUINT32));
    kiln_be32_store(reply + 4, task->unit->block_size);
    scsi_reply(task, 8, 8);
}

void
scsi_read_capacity_16(ScsiTask *task)
{
    enum { CAPACITY_BYTES = 32, LBPME = 0x80 };
    KilnScsiUnit *unit = task->unit;
    uint8_t *reply = unit->reply;
    uint64_t blocks = scsi_blocks(unit);

    if (blocks == 0) {
        scsi_check(task, SENSE_LBA_RANGE);
        return;
    }
    kiln_be64_store(reply, blocks - 1);
    kiln_be32_store(reply + 8, unit->block_size);
    reply[13] = (uint8_t)__builtin_ctz(unit->physical_size / unit->block_size);
    reply[14] = unit->discard ? LBPME : 0;
    scsi_reply(task, CAPACITY_BYTES, kiln_be32_load(task->command->cdb + 10));
}
