/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tpm-crb.h. */
#include "device/tpm-crb.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "device/tpm-tis.h"
#include "device/tpm-wire.h"

enum {
    /* Registers, TCG PC Client Platform TPM Profile 1.05 §6.5.3 table 22. */
    REG_LOC_STATE = 0x00,
    REG_LOC_CTRL = 0x08,
    REG_LOC_STS = 0x0c,
    REG_INTERFACE_ID = 0x30,
    REG_INTERFACE_ID_HIGH = 0x34,
    REG_CTRL_REQ = 0x40,
    REG_CTRL_STS = 0x44,
    REG_CTRL_CANCEL = 0x48,
    REG_CTRL_START = 0x4c,
    REG_CMD_SIZE = 0x58,
    REG_CMD_LOW = 0x5c,
    REG_RSP_SIZE = 0x64,
    REG_RSP_LOW = 0x68,
    DATA = 0x80,
    DATA_BYTES = KILN_TPM_CRB_LENGTH - DATA,

    LOC_STATE_NOT_ESTABLISHED = 1 << 0,
    LOC_STATE_ASSIGNED = 1 << 1,
    LOC_STATE_VALID = 1 << 7,
    LOC_CTRL_REQUEST = 1 << 0,
    LOC_CTRL_RELINQUISH = 1 << 1,
    LOC_CTRL_RESET_ESTABLISHMENT = 1 << 3,
    LOC_STS_GRANTED = 1 << 0,
    CTRL_REQ_READY = 1 << 0,
    CTRL_REQ_IDLE = 1 << 1,
    CTRL_STS_FAILED = 1 << 0,
    CTRL_STS_IDLE = 1 << 1,

    /* CRB, its version 1, locality 0 alone, 64 bytes at once, CRB and no other to choose. */
    INTERFACE_CRB = 1 | 1 << 4 | 3 << 11 | 1 << 14 | 1 << 17 | 1 << 19,
    VENDOR_IBM = 0x1014,
    DEVICE_ID = 0x0001,
};

typedef struct {
    KilnDevice device;
    KilnTpmCrbOptions options;
    KilnRegion region;
    uint8_t response[KILN_TPM_BUFFER];

    /* Saved. */
    gboolean assigned; /* locality 0 */
    gboolean idle;
    gboolean started; /* a command is under way */
    uint8_t data[DATA_BYTES];
    KilnTpmEmulator *emulator;
} Crb;

static void
abandon(Crb *crb)
{
    if (crb->started)
        kiln_tpm_emulator_abandon(crb->emulator);
    crb->started = FALSE;
}

static void
start(Crb *crb)
{
    uint32_t length = kiln_tpm_get32(crb->data + 2);

    if (crb->idle || crb->started || !crb->assigned)
        return;
    if (length < KILN_TPM_HEADER || length > DATA_BYTES)
        length = KILN_TPM_HEADER; /* contradicts its header: answered by an error */
    crb->started = kiln_tpm_emulator_submit(crb->emulator, 0, crb->data, length);
}

static void
absorb(Crb *crb)
{
    uint32_t length = kiln_tpm_emulator_take(crb->emulator, crb->response);

    if (length == 0 || !crb->started)
        return;
    memset(crb->data, 0, sizeof crb->data);
    memcpy(crb->data, crb->response, MIN(length, (uint32_t)DATA_BYTES));
    crb->started = FALSE;
}

/* The register of four bytes at @reg. */
static uint32_t
read_register(Crb *crb, uint64_t reg)
{
    switch (reg) {
    case REG_LOC_STATE:
        return LOC_STATE_VALID | (crb->assigned ? LOC_STATE_ASSIGNED : 0) |
               (kiln_tpm_emulator_established(crb->emulator) ? 0 : LOC_STATE_NOT_ESTABLISHED);
    case REG_LOC_STS: return crb->assigned ? LOC_STS_GRANTED : 0;
    case REG_INTERFACE_ID: return INTERFACE_CRB;
    case REG_INTERFACE_ID_HIGH: return DEVICE_ID << 16 | VENDOR_IBM;
    case REG_CTRL_STS:
        return (crb->idle ? CTRL_STS_IDLE : 0) |
               (kiln_tpm_emulator_failed(crb->emulator) ? CTRL_STS_FAILED : 0);
    case REG_CTRL_START: return crb->started;
    case REG_CMD_SIZE:
    case REG_RSP_SIZE: return DATA_BYTES;
    case REG_CMD_LOW:
    case REG_RSP_LOW: return (uint32_t)KILN_TPM_BASE + DATA;
    default: return 0;
    }
}

static void
write_register(Crb *crb, uint64_t reg, uint32_t value)
{
    switch (reg) {
    case REG_LOC_CTRL:
        if (value & LOC_CTRL_REQUEST)
            crb->assigned = TRUE;
        if (value & LOC_CTRL_RELINQUISH)
            crb->assigned = FALSE;
        /* LOC_CTRL_RESET_ESTABLISHMENT is for localities 3 and 4. */
        break;
    case REG_CTRL_REQ:
        if (value & CTRL_REQ_READY)
            crb->idle = FALSE;
        if (value & CTRL_REQ_IDLE) {
            abandon(crb);
            crb->idle = TRUE;
        }
        break;
    case REG_CTRL_CANCEL:
        if (value & 1 && crb->started)
            kiln_tpm_emulator_cancel(crb->emulator);
        break;
    case REG_CTRL_START:
        if (value & 1)
            start(crb);
        break;
    default: break;
    }
}

static uint64_t
crb_read(void *opaque, uint64_t offset, unsigned size)
{
    Crb *crb = opaque;
    uint8_t bytes[4] = { 0 };

    if (offset < DATA)
        return read_register(crb, offset & ~UINT64_C(3)) >> (offset & 3) * 8;
    memcpy(bytes, crb->data + (offset - DATA), size);
    return kiln_le32_load(bytes);
}

static void
crb_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Crb *crb = opaque;
    uint8_t bytes[4];

    if (offset < DATA) {
        if (offset % 4 == 0)
            write_register(crb, offset, (uint32_t)data);
        return;
    }
    kiln_le32_store(bytes, (uint32_t)data);
    if (!crb->started) /* what is under way is not to be changed */
        memcpy(crb->data + (offset - DATA), bytes, size);
}

static const KilnRegionOps crb_region = { .read = crb_read, .write = crb_write, .max_access = 4 };

static void
on_done(void *opaque)
{
    Crb *crb = opaque;
    KILN_LOCK_SCOPE(&crb->device.lock);

    absorb(crb);
}

static void
crb_reset(KilnDevice *device)
{
    Crb *crb = (Crb *)device;

    kiln_tpm_emulator_reset(crb->emulator);
    crb->assigned = crb->started = FALSE;
    crb->idle = TRUE;
    memset(crb->data, 0, sizeof crb->data);
}

static void
crb_free(KilnDevice *device)
{
    Crb *crb = (Crb *)device;

    kiln_space_remove(crb->options.memory, &crb->region);
    kiln_device_clear(device);
    g_free(crb);
}

static void
crb_pre_save(void *object)
{
    Crb *crb = object;

    if (!kiln_tpm_emulator_settle(crb->emulator))
        abandon(crb); /* a command that does not end is lost */
}

static gboolean
crb_post_load(void *object, GError **error)
{
    ((Crb *)object)->started = FALSE; /* nothing is under way here */
    return TRUE;
}

static const KilnStateField crb_fields[] = {
    KILN_STATE_FLAG(Crb, assigned, 1),
    KILN_STATE_FLAG(Crb, idle, 1),
    KILN_STATE_BYTES(Crb, data, 1),
    KILN_STATE_POINTER(Crb, emulator, 1, &kiln_tpm_emulator_state),
    KILN_STATE_END,
};

static const KilnStateDescription crb_state = { .name = "tpm-crb",
                                                .version = 1,
                                                .min_version = 1,
                                                .fields = crb_fields,
                                                .pre_save = crb_pre_save,
                                                .post_load = crb_post_load };

static const KilnDeviceOps crb_ops = {
    .name = "tpm-crb", .reset = crb_reset, .free = crb_free, .state = &crb_state
};

KilnDevice *
kiln_tpm_crb_new(const KilnTpmCrbOptions *options, GError **error)
{
    Crb *crb;

    if (!kiln_tpm_emulator_is_tpm2(options->emulator)) {
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "tpm-crb: a TPM 1.2 has no such interface");
        return NULL;
    }
    crb = g_new0(Crb, 1);
    kiln_device_init(&crb->device, &crb_ops, "tpm-crb");
    crb->options = *options;
    crb->emulator = options->emulator;
    kiln_region_init(&crb->region, &crb->device, &crb_region, KILN_TPM_CRB_LENGTH);
    if (!kiln_space_add(options->memory, &crb->region, KILN_TPM_BASE, error)) {
        crb_free(&crb->device);
        return NULL;
    }
    kiln_tpm_emulator_set_frontend(crb->emulator, on_done, crb);
    crb_reset(&crb->device);
    return &crb->device;
}
