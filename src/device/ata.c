/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See ata.h.  A request that goes to the chain may go there many times, once for each batch of
 * buffers or range of a trim, and the chain may be done before it returns: run() goes round in a
 * loop, so that how often is not how deep.
 */
#include "device/ata-private.h"

#include <string.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "loop/timer.h"

enum {
    MAX_LOGICAL_BYTES = 4096,
    MAX_PHYSICAL_EXPONENT = 15,
    GUESSED_HEADS = 16,
    GUESSED_SECTORS = 63,
    MAX_GUESSED_CYLINDERS = 16383,
    BEST_ULTRA_DMA = 0x45,
    N_RANGES = KILN_ATA_SECTOR / 8, /* of a trim */
};

/* Of a request's way through the chain. */
enum { PHASE_SUBMITTING, PHASE_PENDING, PHASE_DONE };

/* ---- The end of a request ---------------------------------------------------------------------
 */

void
ata_succeed(KilnAtaRequest *request)
{
    KilnDiskCounter *counter = request->counter;

    if (counter != NULL) {
        gboolean is_trim = counter == &request->disk->statistics.discard;

        kiln_disk_count(&counter->requests, 1);
        kiln_disk_count(&counter->bytes, is_trim ? request->trimmed : request->transferred);
        kiln_disk_count(&counter->time_ns, kiln_clock_ns() - request->start_ns);
    }
    request->done(request);
}

static void
fail(KilnAtaRequest *request, uint8_t error)
{
    KilnAtaAnswer *answer = &request->answer;

    answer->status = KILN_ATA_STATUS_GOOD | KILN_ATA_STATUS_ERR;
    answer->error = error;
    if (request->queued)
        request->disk->queue_error = (AtaQueueError){
            .valid = TRUE,
            .tag = request->tag,
            .status = answer->status,
            .error = error,
            .device = answer->device,
            .count = answer->count,
            .lba = answer->lba,
        };
    request->done(request);
}

void
ata_refuse(KilnAtaRequest *request, uint8_t error)
{
    fail(request, error);
}

static gboolean
is_read(const KilnAtaRequest *request)
{
    return request->block.op == KILN_BLOCK_READ;
}

/* The host could not.  Returns: whether the guest is to be told nothing of it, and it goes on. */
static gboolean
host_failed(KilnAtaRequest *request, int error)
{
    KilnAtaDisk *disk = request->disk;
    gboolean read = is_read(request);
    KilnIoErrorPolicy action =
        kiln_io_error_action(read ? disk->read_policy : disk->write_policy, error);

    kiln_disk_count(&request->counter->errors, 1);
    if (disk->io_error != NULL)
        disk->io_error(disk->opaque, read, error, action);
    if (action == KILN_IO_ERROR_IGNORE)
        return TRUE;
    if (action == KILN_IO_ERROR_STOP) {
        request->outcome = KILN_ATA_RETRY;
        request->done(request);
        return FALSE;
    }
    if (request->block.op == KILN_BLOCK_DISCARD)
        request->answer.lba = request->block.offset >> disk->sector_bits;
    else if (request->length > 0)
        request->answer.lba = (request->at + request->transferred) >> disk->sector_bits;
    fail(request, read ? KILN_ATA_ERROR_UNC : KILN_ATA_ERROR_ABRT);
    return FALSE;
}

/* ---- Into the chain ---------------------------------------------------------------------------
 */

static gboolean next_part(KilnAtaRequest *request);
static gboolean next_range(KilnAtaRequest *request);

/* The chain is done with it.  Returns: whether there is something more to submit. */
static gboolean
advance(KilnAtaRequest *request)
{
    if (request->result < 0 && !host_failed(request, -request->result))
        return FALSE;
    switch (request->block.op) {
    case KILN_BLOCK_READ:
    case KILN_BLOCK_WRITE: request->transferred += request->block.length; return next_part(request);
    case KILN_BLOCK_DISCARD: return next_range(request);
    default: ata_succeed(request); return FALSE;
    }
}

static void
run(KilnAtaRequest *request)
{
    do {
        request->phase = PHASE_SUBMITTING;
        kiln_block_submit(request->disk->chain, &request->block);
        if (request->phase == PHASE_SUBMITTING) {
            request->phase = PHASE_PENDING;
            return;
        }
    } while (advance(request));
}

static void
block_done(KilnBlockRequest *block, int result)
{
    KilnAtaRequest *request =
        (KilnAtaRequest *)((uint8_t *)block - offsetof(KilnAtaRequest, block));

    request->result = result;
    if (request->phase == PHASE_SUBMITTING)
        request->phase = PHASE_DONE;
    else if (advance(request))
        run(request);
}

static void
prepare(KilnAtaRequest *request, KilnBlockOp op, unsigned flags)
{
    request->block = (KilnBlockRequest){
        .op = op, .flags = flags, .done = block_done, .scratch = request->scratch
    };
}

/* ---- Media data -------------------------------------------------------------------------------
 */

static gboolean
no_buffer(KilnAtaRequest *request)
{
    request->outcome = KILN_ATA_NO_BUFFER;
    fail(request, KILN_ATA_ERROR_ABRT);
    return FALSE;
}

/* Returns: whether the next part is ready for the chain. */
static gboolean
next_part(KilnAtaRequest *request)
{
    uint32_t sector = kiln_ata_sector_size(request->disk);
    uint64_t left = request->length - request->transferred;
    int64_t given;

    if (left == 0) {
        ata_succeed(request);
        return FALSE;
    }
    given = request->fill(request, left, sector);
    if (given == KILN_ATA_FILL_LATER)
        return FALSE;
    if (given <= 0 || given % sector != 0)
        return no_buffer(request);
    request->block.offset = request->at + request->transferred;
    request->block.length = (uint64_t)given;
    request->block.iov = request->iov;
    request->block.n_iov = request->n_iov;
    return TRUE;
}

/* The unused upper bit of the device field is Force Unit Access where commands are queued (ACS-3
 * §7.16.3). */
static gboolean
is_fua(const KilnAtaDisk *disk, const KilnAtaRequest *request)
{
    enum { QUEUED_FUA = 1 << 7 };

    return !disk->write_cache || (request->row->flags & ATA_FUA) ||
           (request->queued && request->registers.device & QUEUED_FUA);
}

void
ata_start_media(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    gboolean read = request->protocol == KILN_ATA_PIO_IN || request->protocol == KILN_ATA_DMA_IN;

    disk->standby = FALSE;
    if (!read && disk->chain->read_only) {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    request->counter = read ? &disk->statistics.read : &disk->statistics.write;
    prepare(request, read ? KILN_BLOCK_READ : KILN_BLOCK_WRITE,
            !read && is_fua(disk, request) ? KILN_BLOCK_FUA : 0);
    if (next_part(request))
        run(request);
}

void
kiln_ata_continue(KilnAtaRequest *request)
{
    if (next_part(request))
        run(request);
}

void
ata_start_flush(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    request->counter = &disk->statistics.flush;
    prepare(request, KILN_BLOCK_FLUSH, 0);
    run(request);
}

/* ---- Other data -------------------------------------------------------------------------------
 */

void
ata_give_buffer(KilnAtaRequest *request)
{
    int64_t given = request->fill(request, sizeof request->buffer, 1);

    if (given <= 0) {
        (void)no_buffer(request);
        return;
    }
    for (unsigned i = 0; i < request->n_iov; i++) {
        const struct iovec *iov = &request->iov[i];

        memcpy(iov->iov_base, request->buffer + request->transferred, iov->iov_len);
        request->transferred += iov->iov_len;
    }
    request->done(request);
}

/* ---- Trim (ACS-3 §7.5.3): 48 bits of address and 16 of length each -----------------------------
 */

static void
range_at(const KilnAtaRequest *request, unsigned i, uint64_t *lba, uint32_t *n)
{
    uint64_t range = kiln_le64_load(request->buffer + 8 * i);

    *lba = range & ((UINT64_C(1) << 48) - 1);
    *n = (uint32_t)(range >> 48);
}

/* Returns: whether the next range that is not empty is ready for the chain. */
static gboolean
next_range(KilnAtaRequest *request)
{
    KilnAtaDisk *disk = request->disk;
    uint64_t lba;
    uint32_t n;

    while (request->i_range < N_RANGES) {
        range_at(request, request->i_range++, &lba, &n);
        if (n == 0)
            continue;
        request->block.offset = lba << disk->sector_bits;
        request->block.length = (uint64_t)n << disk->sector_bits;
        return TRUE;
    }
    ata_succeed(request);
    return FALSE;
}

void
ata_start_trim(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    int64_t given = request->fill(request, sizeof request->buffer, sizeof request->buffer);
    uint64_t bytes = 0;
    uint64_t lba;
    uint32_t n;

    if (given != sizeof request->buffer) {
        (void)no_buffer(request);
        return;
    }
    for (unsigned i = 0; i < request->n_iov; i++) { /* copied once, and the copy is looked at */
        memcpy(request->buffer + bytes, request->iov[i].iov_base, request->iov[i].iov_len);
        bytes += request->iov[i].iov_len;
    }
    request->transferred = sizeof request->buffer;
    request->trimmed = 0;
    for (unsigned i = 0; i < N_RANGES; i++) {
        range_at(request, i, &lba, &n);
        if (n != 0 && !kiln_range_inside(lba, n, ata_sectors(disk))) {
            request->answer.lba = lba;
            ata_refuse(request, KILN_ATA_ERROR_IDNF);
            return;
        }
        request->trimmed += (uint64_t)n << disk->sector_bits;
    }
    if (disk->chain->read_only) {
        ata_refuse(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    request->counter = &disk->statistics.discard;
    request->i_range = 0;
    prepare(request, KILN_BLOCK_DISCARD, 0);
    if (next_range(request))
        run(request);
}

/* ---- Requests ---------------------------------------------------------------------------------
 */

void
ata_begin(KilnAtaRequest *request)
{
    request->outcome = KILN_ATA_DONE;
    request->transferred = 0;
    request->counter = NULL;
    request->start_ns = kiln_clock_ns();
    request->answer = (KilnAtaAnswer){
        .status = KILN_ATA_STATUS_GOOD,
        .device = request->registers.device,
        .count = request->registers.count,
        .lba = request->registers.lba,
    };
}

void
kiln_ata_submit(KilnAtaDisk *disk, KilnAtaRequest *request)
{
    request->disk = disk;
    ata_begin(request);
    if (request->refusal != 0)
        ata_refuse(request, request->refusal);
    else
        request->row->start(disk, request);
}

size_t
kiln_ata_request_size(const KilnAtaDisk *disk)
{
    return kiln_block_request_size(disk->chain);
}

void
kiln_ata_signature(KilnAtaAnswer *answer)
{
    *answer = (KilnAtaAnswer){ .status = KILN_ATA_STATUS_GOOD, .error = 1, .count = 1, .lba = 1 };
}

uint32_t
kiln_ata_sector_size(const KilnAtaDisk *disk)
{
    return UINT32_C(1) << disk->sector_bits;
}

unsigned
kiln_ata_multiple(const KilnAtaDisk *disk)
{
    return disk->multiple;
}

KilnBlock *
kiln_ata_chain(KilnAtaDisk *disk)
{
    return disk->chain;
}

void
kiln_ata_statistics(KilnAtaDisk *disk, KilnDiskStatistics *statistics)
{
    kiln_disk_statistics_read(statistics, &disk->statistics);
}

/* ---- The disk ---------------------------------------------------------------------------------
 */

void
kiln_ata_reset(KilnAtaDisk *disk, gboolean power_on)
{
    disk->standby = FALSE;
    disk->multiple = 0;
    disk->transfer_mode = BEST_ULTRA_DMA;
    disk->queue_error = (AtaQueueError){ 0 };
    if (!power_on)
        return;
    disk->write_cache = disk->initial_cache;
    disk->smart = TRUE;
    disk->current_heads = disk->heads;
    disk->current_sectors = disk->sectors;
}

static void
take_geometry(KilnAtaDisk *disk, const KilnAtaOptions *options)
{
    uint64_t cylinders = ata_sectors(disk) / (GUESSED_HEADS * GUESSED_SECTORS);

    disk->cylinders = options->cylinders;
    disk->heads = options->heads;
    disk->sectors = options->sectors;
    if (disk->cylinders == 0 || disk->heads == 0 || disk->sectors == 0) {
        disk->cylinders = (uint16_t)CLAMP(cylinders, 1, MAX_GUESSED_CYLINDERS);
        disk->heads = GUESSED_HEADS;
        disk->sectors = GUESSED_SECTORS;
    }
}

static gboolean
take_sizes(KilnAtaDisk *disk, const KilnAtaOptions *options, GError **error)
{
    uint32_t least = MAX(KILN_ATA_SECTOR, disk->chain->block_size);
    uint32_t logical = options->logical_size != 0 ? options->logical_size : least;
    uint32_t physical = options->physical_size != 0 ? options->physical_size
                                                    : MAX(logical, disk->chain->physical_size);

    if (!kiln_is_power_of_2(logical) || logical > MAX_LOGICAL_BYTES || logical < least)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a logical block of %u bytes is no power of 2 from %u to %d", logical,
                              least, MAX_LOGICAL_BYTES);
    disk->sector_bits = (uint32_t)__builtin_ctz(logical);
    if (!kiln_is_power_of_2(physical) || physical < logical ||
        physical >> disk->sector_bits > 1u << MAX_PHYSICAL_EXPONENT)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a physical block of %u bytes does not fit logical ones of %u",
                              physical, logical);
    disk->physical_bits = (uint32_t)__builtin_ctz(physical);
    return TRUE;
}

static void
take_options(KilnAtaDisk *disk, const KilnAtaOptions *options)
{
    g_strlcpy(disk->serial, options->serial != NULL ? options->serial : "", sizeof disk->serial);
    g_strlcpy(disk->model, options->model != NULL ? options->model : "KILN HARDDISK",
              sizeof disk->model);
    g_strlcpy(disk->firmware, options->firmware != NULL ? options->firmware : "1.0",
              sizeof disk->firmware);
    disk->wwn = options->wwn;
    disk->rotation_rate = options->rotation_rate;
    disk->parallel = options->parallel;
    disk->initial_cache = options->write_back;
    disk->discard =
        options->discard && !disk->chain->read_only && disk->chain->discard_granularity != 0;
    disk->read_policy = options->read_policy;
    disk->write_policy = options->write_policy;
    disk->io_error = options->io_error;
    disk->opaque = options->opaque;
    take_geometry(disk, options);
    kiln_ata_reset(disk, TRUE);
}

KilnAtaDisk *
kiln_ata_new(const KilnAtaOptions *options, GError **error)
{
    g_autoptr(KilnAtaDisk) disk = g_new0(KilnAtaDisk, 1);

    disk->chain = options->chain;
    if (!take_sizes(disk, options, error))
        return NULL;
    take_options(disk, options);
    return g_steal_pointer(&disk);
}

void
kiln_ata_free(KilnAtaDisk *disk)
{
    if (disk == NULL)
        return;
    kiln_block_free(disk->chain);
    g_free(disk);
}

/* ---- State ------------------------------------------------------------------------------------
 */

static const KilnStateField queue_error_fields[] = {
    KILN_STATE_FLAG(AtaQueueError, valid, 1),
    KILN_STATE_RANGE(AtaQueueError, tag, 1, 0, KILN_ATA_QUEUE_DEPTH - 1),
    KILN_STATE(AtaQueueError, status, 1),
    KILN_STATE(AtaQueueError, error, 1),
    KILN_STATE(AtaQueueError, device, 1),
    KILN_STATE(AtaQueueError, count, 1),
    KILN_STATE_RANGE(AtaQueueError, lba, 1, 0, UINT64_C(0xffffffffffff)),
    KILN_STATE_END,
};

static const KilnStateDescription queue_error_state = {
    .name = "ata-queue-error", .version = 1, .min_version = 1, .fields = queue_error_fields
};

static const KilnStateField disk_fields[] = {
    KILN_STATE_FLAG(KilnAtaDisk, write_cache, 1),
    KILN_STATE_FLAG(KilnAtaDisk, smart, 1),
    KILN_STATE_FLAG(KilnAtaDisk, standby, 1),
    KILN_STATE_RANGE(KilnAtaDisk, multiple, 1, 0, ATA_MAX_MULTIPLE),
    KILN_STATE_RANGE(KilnAtaDisk, transfer_mode, 1, 0x20, 0x46),
    KILN_STATE_RANGE(KilnAtaDisk, current_heads, 1, 1, 255),
    KILN_STATE_RANGE(KilnAtaDisk, current_sectors, 1, 1, 255),
    KILN_STATE_STRUCT(KilnAtaDisk, queue_error, 1, &queue_error_state),
    KILN_STATE_END,
};

const KilnStateDescription kiln_ata_state = {
    .name = "ata-disk", .version = 1, .min_version = 1, .fields = disk_fields
};
