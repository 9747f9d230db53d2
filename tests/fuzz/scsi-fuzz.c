/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A SCSI unit whose initiator sends any CDBs with any buffers, while the host's disk fails now and
 * then and media change.  The first byte of the input is the shape of the unit, what follows are
 * steps of 24 bytes:
 *
 *   0 to 15   the CDB, or what else to do if byte 18 says so
 *   16, 17    bytes of the buffers, little-endian
 *   18        bits 0-1: direction; bits 2-4: something else; bit 5: parameter bytes follow the
 * CDB's 19 to 23  the begin of the buffers
 */
#include "device/scsi.h"

#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "tests/lib/memory-block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STEP_BYTES = 24,
    MAX_STEPS = 512,
    DISK_BYTES = 64 << 10,
    BUFFER_BYTES = 64 << 10,
    MAX_UNDER_WAY = 8,
};

typedef struct {
    KilnScsiCommand command;
    struct iovec iov[2];
    uint8_t *buffer; /* (owned) (nullable): while under way, no larger than it says */
} Request;

typedef struct {
    KilnScsiUnit *unit;
    MemoryBlock *memory; /* (nullable) */
    Request requests[MAX_UNDER_WAY];
} Fuzz;

static void
done(KilnScsiCommand *command)
{
    Request *request = (Request *)((uint8_t *)command - offsetof(Request, command));

    g_assert(command->residual <= command->length);
    g_assert(command->iov[0].iov_len + command->iov[1].iov_len == command->length);
    g_clear_pointer(&request->buffer, g_free);
}

static void
submit(Fuzz *fuzz, const uint8_t *bytes)
{
    uint32_t length = kiln_le16_load(bytes + 16);
    Request *request = NULL;

    for (unsigned i = 0; i < MAX_UNDER_WAY && request == NULL; i++)
        if (fuzz->requests[i].buffer == NULL)
            request = &fuzz->requests[i];
    if (request == NULL)
        return;
    memset(request, 0, sizeof *request);
    memcpy(request->command.cdb, bytes, 16);
    request->buffer = g_malloc0(length + 1);
    for (uint32_t i = 0; i < length && bytes[18] & 0x20; i++)
        request->buffer[i] = bytes[19 + i % 5];
    request->iov[0] = (struct iovec){ request->buffer, length / 3 };
    request->iov[1] = (struct iovec){ request->buffer + length / 3, length - length / 3 };
    request->command.direction = (KilnScsiDirection)(bytes[18] % 3);
    request->command.iov = request->iov;
    request->command.n_iov = 2;
    request->command.length = length;
    request->command.done = done;
    kiln_scsi_unit_submit(fuzz->unit, &request->command);
}

static void
complete_all(Fuzz *fuzz)
{
    while (fuzz->memory != NULL && fuzz->memory->n_pending > 0)
        memory_block_complete(fuzz->memory, 0);
}

static void
change(Fuzz *fuzz, gboolean medium, gboolean force)
{
    MemoryBlock *memory = medium ? memory_block_new(DISK_BYTES, NULL) : NULL;

    complete_all(fuzz);
    if (kiln_scsi_unit_set_medium(fuzz->unit, memory != NULL ? &memory->block : NULL, force, NULL))
        fuzz->memory = memory;
}

static void
step(Fuzz *fuzz, const uint8_t *bytes)
{
    switch (bytes[18] >> 2 & 7) {
    case 1:
        if (fuzz->memory != NULL && fuzz->memory->n_pending == 0)
            fuzz->memory->mode = bytes[0] & 1 ? MEMORY_BLOCK_HELD : MEMORY_BLOCK_SYNC;
        break;
    case 2:
        if (fuzz->memory != NULL && fuzz->memory->n_pending > 0)
            memory_block_complete(fuzz->memory, bytes[0] % fuzz->memory->n_pending);
        break;
    case 3:
        if (fuzz->memory != NULL)
            memory_block_fail(fuzz->memory, bytes[0] & 7, bytes[1], bytes[2] & 1 ? ENOSPC : EIO);
        break;
    case 4: change(fuzz, bytes[0] & 1, bytes[0] & 2); break;
    case 5: kiln_scsi_unit_reset(fuzz->unit, bytes[0] & 1); break;
    case 6:
        if (fuzz->requests[bytes[0] % MAX_UNDER_WAY].buffer != NULL)
            kiln_scsi_unit_cancel(fuzz->unit, &fuzz->requests[bytes[0] % MAX_UNDER_WAY].command);
        break;
    default: submit(fuzz, bytes);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Fuzz fuzz = { 0 };
    KilnScsiUnitOptions options = { 0 };

    if (size < 1 + STEP_BYTES || size > 1 + MAX_STEPS * STEP_BYTES)
        return 0;
    fuzz.memory = memory_block_new(DISK_BYTES, NULL);
    options.chain = &fuzz.memory->block;
    options.kind = data[0] & 1 ? KILN_SCSI_CDROM : KILN_SCSI_DISK;
    options.atapi = (data[0] & 2) != 0;
    options.write_back = (data[0] & 4) != 0;
    options.discard = (data[0] & 8) != 0;
    options.read_only = (data[0] & 0x30) == 0x30;
    options.serial = data[0] & 0x40 ? "serial" : NULL;
    options.read_policy = data[0] & 0x80 ? KILN_IO_ERROR_STOP : KILN_IO_ERROR_REPORT;
    options.write_policy = data[0] & 0x80 ? KILN_IO_ERROR_IGNORE : KILN_IO_ERROR_ENOSPACE;
    fuzz.unit = kiln_scsi_unit_new(&options, NULL);
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES)
        step(&fuzz, data + at);
    complete_all(&fuzz);
    g_assert(kiln_scsi_unit_in_flight(fuzz.unit) == 0);
    kiln_scsi_unit_free(fuzz.unit);
    return 0;
}
