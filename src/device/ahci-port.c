/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See ahci-private.h: a port's commands, in its drive's thread.
 *
 *   turn() -> the next slot of PxCI, or of what was accepted and has to be done again
 *          -> fetch(): header and FIS -> start() -> kiln_ata_submit(), no lock held
 *   done() -> received FIS, PxTFD, PxCI or PxSACT, PxIS
 */
#include "device/ahci-private.h"

#include <string.h>

#include "base/intmath.h"
#include "base/le.h"

enum {
    HEADER_BYTES = 32,
    FIS_BYTES = 20, /* of a Register Host to Device FIS */
    PACKET = 0x40,  /* in the command table (§4.2.3.2) */
    PACKET_BYTES = 16,
    CFL_MIN = FIS_BYTES / 4,
    CFL_MAX = 16,
    TURN = 64, /* commands that are begun before others of the loop have theirs */

    FIS_HOST_TO_DEVICE = 0x27,
    FIS_DEVICE_TO_HOST = 0x34,
    FIS_SET_DEVICE_BITS = 0xa1,
    FIS_PIO_SETUP = 0x5f,
    FIS_INTERRUPT = 1 << 6, /* of the second byte */
    FIS_DIRECTION_IN = 1 << 5,
    FIS_COMMAND = 1 << 7,
    CONTROL_SRST = 1 << 2,

    /* Where received FISes go (AHCI 1.3.1 §4.2.1). */
    RECEIVED_PIO_SETUP = 0x20,
    RECEIVED_REGISTER = 0x40,
    RECEIVED_SET_DEVICE_BITS = 0x58,

};

/* What to do with a slot that was looked at. */
typedef enum {
    FETCH_COMMAND,
    FETCH_CONTROL,
    FETCH_WAIT, /* it cannot begin yet */
    FETCH_FAULT,
} Fetch;

static uint32_t
bit(const AhciSlot *slot)
{
    return UINT32_C(1) << slot->index;
}

static AhciSlot *
slot_at(AhciPort *port, unsigned index)
{
    return (AhciSlot *)(port->pool + index * port->stride);
}

/* ---- Received FISes (SATA 3.2 §10.5) ----------------------------------------------------------
 */

static void
post(AhciPort *port, unsigned where, const uint8_t *fis, unsigned bytes)
{
    if (port->cmd & PXCMD_FRE)
        (void)kiln_memory_write(port->hba->memory, port->fb + where, fis, bytes);
}

static void
put_answer(uint8_t *fis, const KilnAtaAnswer *answer)
{
    fis[2] = answer->status;
    fis[3] = answer->error;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(answer->lba >> (8 * i));
        fis[8 + i] = (uint8_t)(answer->lba >> (24 + 8 * i));
    }
    fis[7] = answer->device;
    kiln_le16_store(fis + 12, answer->count);
}

static void
take_status(AhciPort *port, const KilnAtaAnswer *answer)
{
    port->status = answer->status;
    port->error = answer->error;
}

static void
post_register(AhciPort *port, const KilnAtaAnswer *answer, gboolean interrupt)
{
    uint8_t fis[FIS_BYTES] = { FIS_DEVICE_TO_HOST, interrupt ? FIS_INTERRUPT : 0 };

    put_answer(fis, answer);
    post(port, RECEIVED_REGISTER, fis, sizeof fis);
    take_status(port, answer);
}

/* The last of a command's: the data have come. */
static void
post_pio_setup(AhciPort *port, const KilnAtaRequest *request)
{
    uint8_t fis[FIS_BYTES] = { FIS_PIO_SETUP, FIS_INTERRUPT | FIS_DIRECTION_IN };
    uint64_t block = MIN(request->transferred, KILN_ATA_SECTOR);

    put_answer(fis, &request->answer);
    fis[2] |= KILN_ATA_STATUS_DRQ;
    fis[15] = request->answer.status;
    kiln_le16_store(fis + 16, (uint16_t)block);
    post(port, RECEIVED_PIO_SETUP, fis, sizeof fis);
    take_status(port, &request->answer);
}

static void
post_set_device_bits(AhciPort *port, const KilnAtaAnswer *answer, uint32_t done)
{
    enum { STATUS_BITS = 0x77 };
    uint8_t fis[8] = { FIS_SET_DEVICE_BITS, FIS_INTERRUPT, answer->status & STATUS_BITS,
                       answer->error };

    kiln_le32_store(fis + 4, done);
    post(port, RECEIVED_SET_DEVICE_BITS, fis, sizeof fis);
    port->status = (uint8_t)((port->status & ~STATUS_BITS) | (answer->status & STATUS_BITS));
    port->error = answer->error;
}

void
ahci_port_receive_signature(AhciPort *port)
{
    KilnAtaAnswer answer;

    if (!port->unsigned_ || !(port->cmd & PXCMD_FRE) || port->resetting || port->running != 0)
        return;
    port->unsigned_ = FALSE;
    kiln_ata_drive_signature(port->drive, &answer);
    post_register(port, &answer, FALSE);
    port->sig = (uint32_t)answer.lba << 8 | (uint8_t)answer.count;
}

/* ---- The end of a command ---------------------------------------------------------------------
 */

static void
halt(AhciPort *port, uint32_t bits)
{
    port->halted = TRUE;
    ahci_raise(port, bits);
}

/* A packet command ends with a register FIS, whichever way its data went. */
static gboolean
is_packet(const KilnAtaRequest *request)
{
    return request->registers.command == KILN_ATA_PACKET;
}

/* AHCI 1.3.1 §5.3.13 and §6.2: PxCI of what failed stays, for software to see. */
static void
finish(AhciSlot *slot)
{
    AhciPort *port = slot->port;
    KilnAtaRequest *request = &slot->ata;
    gboolean failed = (request->answer.status & KILN_ATA_STATUS_ERR) != 0;
    uint32_t bits = slot->prd_done ? PXIS_DPS : 0;

    if (request->queued) {
        port->accepted &= ~bit(slot);
        if (!failed)
            port->sact &= ~bit(slot);
        post_set_device_bits(port, &request->answer, failed ? 0 : bit(slot));
        bits |= PXIS_SDBS;
    } else {
        uint8_t transferred[4];

        kiln_le32_store(transferred, (uint32_t)request->transferred);
        (void)kiln_memory_write(port->hba->memory, slot->header + 4, transferred,
                                sizeof transferred);
        if (!failed)
            port->ci &= ~bit(slot);
        if (request->protocol == KILN_ATA_PIO_IN && !failed && !is_packet(request)) {
            post_pio_setup(port, request);
            bits |= PXIS_PSS;
        } else {
            post_register(port, &request->answer, TRUE);
            bits |= PXIS_DHRS;
        }
    }
    if (failed)
        halt(port, bits | PXIS_TFES);
    else
        ahci_raise(port, bits);
}

/* Nobody is told of one whose port stops, or has met an error. */
static void
conclude(AhciSlot *slot)
{
    gboolean no_buffer = slot->ata.outcome == KILN_ATA_NO_BUFFER;

    if (slot->port->stopping || slot->port->halted)
        return;
    if (no_buffer && slot->fault) {
        halt(slot->port, PXIS_HBFS);
        return;
    }
    finish(slot);
    if (no_buffer)
        ahci_raise(slot->port, PXIS_OFS);
}

static void
done(KilnAtaRequest *request)
{
    AhciSlot *slot = (AhciSlot *)request;
    AhciPort *port = slot->port;
    KILN_LOCK_SCOPE(&port->hba->pci.device.lock);

    port->running &= ~bit(slot);
    if (request->outcome == KILN_ATA_RETRY && !port->stopping) {
        port->kept |= bit(slot);
    } else {
        if (port->running == 0)
            port->alone = FALSE;
        conclude(slot);
        if (port->running == 0 && (port->ci | port->accepted) != 0)
            ahci_port_kick(port); /* one that had to be alone */
    }
    ahci_settle(port);
}

/* ---- The begin of a command -------------------------------------------------------------------
 */

static void
take_registers(KilnAtaRegisters *registers, const uint8_t *fis)
{
    *registers = (KilnAtaRegisters){
        .command = fis[2],
        .device = fis[7],
        .features = (uint16_t)(fis[3] | fis[11] << 8),
        .count = kiln_le16_load(fis + 12),
        .lba = (kiln_le32_load(fis + 4) & 0xffffff) | (uint64_t)(kiln_le32_load(fis + 8) & 0xffffff)
                                                          << 24,
    };
}

/* AHCI 1.3.1 §4.2.2: all of it is copied, and the copy is looked at. */
static gboolean
read_header(AhciSlot *slot, uint32_t *flags)
{
    AhciPort *port = slot->port;
    uint8_t header[HEADER_BYTES];

    slot->header = port->clb + slot->index * HEADER_BYTES;
    if (!kiln_memory_read(port->hba->memory, slot->header, header, sizeof header))
        return FALSE;
    *flags = kiln_le32_load(header);
    slot->table = kiln_le64_load(header + 8) & ~UINT64_C(0x7f);
    slot->n_prds = *flags >> 16;
    slot->prd = slot->prd_offset = 0;
    slot->fault = slot->prd_done = FALSE;
    return TRUE;
}

/* SATA 3.2 §11.4: SRST goes on, then off. */
static void
control(AhciSlot *slot, uint8_t value)
{
    AhciPort *port = slot->port;

    port->ci &= ~bit(slot);
    port->accepted &= ~bit(slot);
    if (value & CONTROL_SRST) {
        port->soft_reset = TRUE;
        port->status = KILN_ATA_STATUS_BSY;
    } else if (port->soft_reset) {
        port->soft_reset = FALSE;
        kiln_ata_drive_reset(port->drive, FALSE);
        port->unsigned_ = TRUE;
        ahci_port_receive_signature(port);
    }
}

static gboolean
fits_queue(const AhciSlot *slot)
{
    return slot->ata.tag == slot->index;
}

static Fetch
fetch(AhciSlot *slot)
{
    AhciPort *port = slot->port;
    uint32_t busy = port->running | port->kept;
    uint8_t fis[FIS_BYTES];
    uint32_t flags, cfl;

    if (!read_header(slot, &flags) ||
        !kiln_memory_read(port->hba->memory, slot->table, fis, sizeof fis) ||
        !kiln_memory_read(port->hba->memory, slot->table + PACKET, slot->ata.scsi.cdb,
                          PACKET_BYTES)) {
        halt(port, PXIS_HBFS);
        return FETCH_FAULT;
    }
    cfl = flags & 0x1f;
    if (cfl < CFL_MIN || cfl > CFL_MAX || fis[0] != FIS_HOST_TO_DEVICE) {
        halt(port, PXIS_IFS);
        return FETCH_FAULT;
    }
    if (!(fis[1] & FIS_COMMAND)) {
        if (busy != 0)
            return FETCH_WAIT;
        control(slot, fis[15]);
        return FETCH_CONTROL;
    }
    if (port->soft_reset)
        return FETCH_WAIT;
    take_registers(&slot->ata.registers, fis);
    kiln_ata_drive_decode(port->drive, &slot->ata);
    if (slot->ata.queued && !fits_queue(slot))
        slot->ata.refusal = KILN_ATA_ERROR_ABRT;
    return !slot->ata.queued && busy != 0 ? FETCH_WAIT : FETCH_COMMAND;
}

static gboolean
may_begin(const AhciPort *port)
{
    const AhciHba *hba = port->hba;

    return port->cmd & PXCMD_ST && !port->halted && !port->stopping && !port->resetting &&
           !port->alone && !hba->resetting && !hba->quiesced &&
           kiln_le16_load(hba->pci.config + PCI_COMMAND) & PCI_COMMAND_MASTER;
}

/* The first of @todo behind the one that was begun last. */
static unsigned
next_index(const AhciPort *port, uint32_t todo)
{
    unsigned last = (port->cmd & PXCMD_CCS) >> PXCMD_CCS_SHIFT;
    uint32_t behind = last == AHCI_N_SLOTS - 1 ? 0 : todo & ~((UINT32_C(2) << last) - 1);

    return (unsigned)__builtin_ctz(behind != 0 ? behind : todo);
}

/* Returns: (nullable): a slot that is to be begun.  Lock held. */
static AhciSlot *
next(AhciPort *port)
{
    while (may_begin(port)) {
        uint32_t todo = (port->ci | port->accepted) & ~port->running & ~port->kept;
        AhciSlot *slot;

        if (todo == 0)
            return NULL;
        slot = slot_at(port, next_index(port, todo));
        port->cmd = (port->cmd & ~(uint32_t)PXCMD_CCS) | slot->index << PXCMD_CCS_SHIFT;
        switch (fetch(slot)) {
        case FETCH_WAIT: return NULL;
        case FETCH_COMMAND: return slot;
        default: break;
        }
    }
    return NULL;
}

/* It is the drive's from now on.  Lock held. */
static void
begin(AhciSlot *slot)
{
    AhciPort *port = slot->port;

    port->running |= bit(slot);
    if (slot->ata.queued) { /* the drive takes it, and tells so (§5.6.4) */
        port->ci &= ~bit(slot);
        port->accepted |= bit(slot);
        port->sact |= bit(slot);
    } else {
        port->accepted &= ~bit(slot);
        port->ci |= bit(slot);
        port->alone = TRUE;
        port->status = KILN_ATA_STATUS_BSY;
    }
}

static void
turn(gpointer data)
{
    AhciPort *port = data;
    KilnMutex *lock = &port->hba->pci.device.lock;
    AhciSlot *slot = NULL;

    kiln_mutex_lock(lock);
    for (unsigned n = 0; n < TURN && (slot = next(port)) != NULL; n++) {
        begin(slot);
        kiln_mutex_unlock(lock);
        slot->ata.fill = ahci_fill;
        slot->ata.done = done;
        kiln_ata_drive_submit(port->drive, &slot->ata);
        kiln_mutex_lock(lock);
    }
    if (slot != NULL)
        ahci_port_kick(port);
    kiln_mutex_unlock(lock);
}

void
ahci_port_kick(AhciPort *port)
{
    if (port->source != NULL)
        kiln_event_set(&port->kick);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

gboolean
ahci_port_open(AhciPort *port, GError **error)
{
    size_t scratch = kiln_align_up(sizeof(AhciSlot), 16);
    size_t iov = scratch + kiln_align_up(kiln_ata_drive_request_size(port->drive), 16);

    if (!kiln_event_open(&port->kick, error))
        return FALSE;
    port->stride = kiln_align_up(iov + AHCI_MAX_IOV * sizeof(struct iovec), 64);
    port->pool = g_malloc0(AHCI_N_SLOTS * port->stride);
    for (unsigned i = 0; i < AHCI_N_SLOTS; i++) {
        AhciSlot *slot = slot_at(port, i);

        slot->port = port;
        slot->index = i;
        slot->ata.scratch = (uint8_t *)slot + scratch;
        slot->iov = (struct iovec *)((uint8_t *)slot + iov);
    }
    port->source = kiln_event_source_new(&port->kick, port->drive->context, turn, port);
    g_source_set_can_recurse(port->source, TRUE);
    return TRUE;
}

void
ahci_port_close(AhciPort *port)
{
    g_clear_pointer(&port->source, kiln_source_free);
    kiln_event_clear(&port->kick);
    g_clear_pointer(&port->pool, g_free);
}
