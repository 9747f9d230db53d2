/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ata-packet.h. */
#include "device/ata-packet.h"

#include <string.h>

#include "device/ata-private.h"

enum {
    DEVICE_RESET = 0x08,
    DIAGNOSTIC = 0x90,
    IDENTIFY_PACKET = 0xa1,
    STANDBY_NOW = 0xe0,
    IDLE_NOW = 0xe1,
    CHECK_POWER = 0xe5,
    SLEEP = 0xe6,
    SET_FEATURES = 0xef,

    FEATURE_DMA = 1 << 0, /* of PACKET */
    SET_TRANSFER_MODE = 0x03,
    REASON_STATUS = 3, /* the count when all is done: I/O and C/D (ACS-3 §6.4) */
    COUNT_ACTIVE = 0xff,
    SIGNATURE = 0xeb1401,
    SENSE_KEY = 2, /* byte of the sense data */
    PACKET_BYTES = 12,
    DEFAULT_MODE = 0x45,
};

struct KilnAtaPacket {
    KilnScsiUnit *unit; /* (owned) */
    char serial[ATA_SERIAL_CHARS + 1];
    char model[ATA_MODEL_CHARS + 1];
    char firmware[ATA_FIRMWARE_CHARS + 1];
    gboolean parallel;
    uint8_t transfer_mode;
};

/* ---- What registers say -----------------------------------------------------------------------
 */

static gboolean
is_known(uint8_t command)
{
    static const uint8_t known[] = { DEVICE_RESET,    DIAGNOSTIC,  KILN_ATA_PACKET,
                                     IDENTIFY_PACKET, STANDBY_NOW, IDLE_NOW,
                                     CHECK_POWER,     SLEEP,       SET_FEATURES };

    return memchr(known, command, sizeof known) != NULL;
}

/* What the CDB asks for; the buffers may be shorter. */
static void
decode_packet(const KilnAtaPacket *packet, KilnAtaRequest *request)
{
    gboolean dma = (request->registers.features & FEATURE_DMA) != 0;
    KilnScsiDirection direction = KILN_SCSI_NO_DATA;

    memset(request->scsi.cdb + PACKET_BYTES, 0, sizeof request->scsi.cdb - PACKET_BYTES);
    request->length = kiln_scsi_unit_expect(packet->unit, request->scsi.cdb, &direction);
    request->scsi.direction = direction;
    if (request->length == 0 || direction == KILN_SCSI_NO_DATA) {
        request->length = 0;
        request->scsi.direction = KILN_SCSI_NO_DATA;
    } else if (direction == KILN_SCSI_DATA_IN) {
        request->protocol = dma ? KILN_ATA_DMA_IN : KILN_ATA_PIO_IN;
    } else {
        request->protocol = dma ? KILN_ATA_DMA_OUT : KILN_ATA_PIO_OUT;
    }
}

void
kiln_ata_packet_decode(KilnAtaPacket *packet, KilnAtaRequest *request)
{
    request->row = NULL;
    request->protocol = KILN_ATA_NO_DATA;
    request->queued = FALSE;
    request->tag = 0;
    request->length = 0;
    request->refusal = is_known(request->registers.command) ? 0 : KILN_ATA_ERROR_ABRT;
    if (request->registers.command == KILN_ATA_PACKET) {
        decode_packet(packet, request);
    } else if (request->registers.command == IDENTIFY_PACKET) {
        request->protocol = KILN_ATA_PIO_IN;
        request->length = KILN_ATA_SECTOR;
    }
}

/* ---- PACKET -----------------------------------------------------------------------------------
 */

static void
finish(KilnAtaRequest *request, uint8_t error)
{
    if (error != 0) {
        request->answer.status |= KILN_ATA_STATUS_ERR;
        request->answer.error = error;
    }
    request->done(request);
}

static void
scsi_done(KilnScsiCommand *command)
{
    KilnAtaRequest *request =
        (KilnAtaRequest *)((uint8_t *)command - offsetof(KilnAtaRequest, scsi));
    uint8_t key = command->sense[SENSE_KEY] & 0xf;

    request->answer.count = REASON_STATUS;
    switch (command->outcome) {
    case KILN_SCSI_RETRY:
        request->outcome = KILN_ATA_RETRY;
        request->done(request);
        return;
    case KILN_SCSI_OVERRUN:
        request->outcome = KILN_ATA_NO_BUFFER;
        finish(request, KILN_ATA_ERROR_ABRT);
        return;
    case KILN_SCSI_ABORTED: finish(request, KILN_ATA_ERROR_ABRT); return;
    default: break;
    }
    request->transferred = command->length - command->residual;
    if (command->status == KILN_SCSI_GOOD)
        finish(request, 0);
    else
        finish(request, (uint8_t)(key << 4 | KILN_ATA_ERROR_ABRT));
}

/* The buffers are taken all at once: drives are not sent more than a host can list. */
static void
submit_packet(KilnAtaPacket *packet, KilnAtaRequest *request)
{
    KilnScsiCommand *command = &request->scsi;
    int64_t given = 0;

    if (request->length > 0)
        given = request->fill(request, MIN(request->length, G_MAXINT32), 1);
    if (given < 0 || (request->length > 0 && given == 0)) {
        request->outcome = KILN_ATA_NO_BUFFER;
        finish(request, KILN_ATA_ERROR_ABRT);
        return;
    }
    command->iov = given > 0 ? (struct iovec *)request->iov : NULL;
    command->n_iov = given > 0 ? request->n_iov : 0;
    command->length = (uint32_t)given;
    command->done = scsi_done;
    kiln_scsi_unit_submit(packet->unit, command);
}

/* ---- The other commands -----------------------------------------------------------------------
 */

void
kiln_ata_packet_submit(KilnAtaPacket *packet, KilnAtaRequest *request)
{
    uint8_t command = request->registers.command;

    ata_begin(request);
    if (request->refusal != 0) {
        kiln_ata_packet_signature(&request->answer); /* that IDENTIFY DEVICE finds (§7.12.4) */
        request->answer.error = 0;
        finish(request, request->refusal);
    } else if (command == KILN_ATA_PACKET) {
        submit_packet(packet, request);
    } else if (command == IDENTIFY_PACKET) {
        ata_identify_packet(packet->serial, packet->firmware, packet->model, packet->transfer_mode,
                            packet->parallel, request->buffer);
        ata_give_buffer(request);
    } else if (command == DEVICE_RESET || command == DIAGNOSTIC) {
        kiln_ata_packet_signature(&request->answer);
        request->done(request);
    } else {
        if (command == SET_FEATURES && (uint8_t)request->registers.features == SET_TRANSFER_MODE &&
            ata_is_dma_mode((uint8_t)request->registers.count))
            packet->transfer_mode = (uint8_t)request->registers.count;
        if (command == CHECK_POWER)
            request->answer.count = COUNT_ACTIVE;
        request->done(request);
    }
}

void
kiln_ata_packet_signature(KilnAtaAnswer *answer)
{
    *answer =
        (KilnAtaAnswer){ .status = KILN_ATA_STATUS_GOOD, .error = 1, .count = 1, .lba = SIGNATURE };
}

/* ---- Life -------------------------------------------------------------------------------------
 */

void
kiln_ata_packet_reset(KilnAtaPacket *packet, gboolean power_on)
{
    packet->transfer_mode = DEFAULT_MODE;
    kiln_scsi_unit_reset(packet->unit, !power_on);
}

KilnScsiUnit *
kiln_ata_packet_unit(KilnAtaPacket *packet)
{
    return packet->unit;
}

KilnAtaPacket *
kiln_ata_packet_new(const KilnAtaPacketOptions *options)
{
    KilnAtaPacket *packet = g_new0(KilnAtaPacket, 1);

    packet->unit = options->unit;
    packet->parallel = options->parallel;
    packet->transfer_mode = DEFAULT_MODE;
    g_strlcpy(packet->serial, options->serial != NULL ? options->serial : "",
              sizeof packet->serial);
    g_strlcpy(packet->model, options->model != NULL ? options->model : "KILN DVD-ROM",
              sizeof packet->model);
    g_strlcpy(packet->firmware, options->firmware != NULL ? options->firmware : "1.0",
              sizeof packet->firmware);
    return packet;
}

void
kiln_ata_packet_free(KilnAtaPacket *packet)
{
    if (packet == NULL)
        return;
    kiln_scsi_unit_free(packet->unit);
    g_free(packet);
}

static const KilnStateField packet_fields[] = {
    KILN_STATE_RANGE(KilnAtaPacket, transfer_mode, 1, 0x20, 0x46),
    KILN_STATE_POINTER(KilnAtaPacket, unit, 1, &kiln_scsi_unit_state),
    KILN_STATE_END,
};

const KilnStateDescription kiln_ata_packet_state = {
    .name = "ata-packet", .version = 1, .min_version = 1, .fields = packet_fields
};
