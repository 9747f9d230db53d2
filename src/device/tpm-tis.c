/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See tpm-tis.h.  Sections are those of the TCG PC Client Platform TPM Profile for TPM 2.0, 1.05
 * revision 14.
 *
 *   IDLE --commandReady--> READY --bytes--> RECEPTION --tpmGo--> EXECUTION --response--> COMPLETION
 *     ^                      ^<-------------------- commandReady, in each of them ---------+
 */
#include "device/tpm-tis.h"

#include "base/error.h"
#include "device/tpm-wire.h"

enum {
    N_LOCALITIES = 5, /* the last is the chipset's: software cannot have it */
    LOCALITY_SHIFT = 12,
    NO_LOCALITY = 0xff,

    /* Registers, §6.5.2 table 19. */
    REG_ACCESS = 0x000,
    REG_INT_ENABLE = 0x008,
    REG_INT_VECTOR = 0x00c,
    REG_INT_STATUS = 0x010,
    REG_INTF_CAPABILITY = 0x014,
    REG_STS = 0x018,
    REG_DATA_FIFO = 0x024,
    REG_DATA_FIFO_END = 0x028,
    REG_INTERFACE_ID = 0x030,
    REG_XDATA_FIFO = 0x080,
    REG_XDATA_FIFO_END = 0x0c0,
    REG_DID_VID = 0xf00,
    REG_RID = 0xf04,

    ACCESS_ESTABLISHMENT = 1 << 0, /* 0: a dynamic root of trust was established */
    ACCESS_REQUEST_USE = 1 << 1,
    ACCESS_PENDING_REQUEST = 1 << 2,
    ACCESS_SEIZE = 1 << 3,
    ACCESS_BEEN_SEIZED = 1 << 4,
    ACCESS_ACTIVE = 1 << 5,
    ACCESS_VALID = 1 << 7,

    STS_RESPONSE_RETRY = 1 << 1,
    STS_SELF_TEST_DONE = 1 << 2,
    STS_EXPECT = 1 << 3,
    STS_DATA_AVAIL = 1 << 4,
    STS_GO = 1 << 5,
    STS_COMMAND_READY = 1 << 6,
    STS_VALID = 1 << 7,
    STS_BURST_SHIFT = 8,
    STS_CANCEL = 1 << 24,
    STS_RESET_ESTABLISHMENT = 1 << 25,
    STS_FAMILY_2_0 = 1 << 26,

    CAP_TRANSFER_64 = 3 << 9, /* the widest burst */
    CAP_VERSION_1_3 = 2 << 28,
    CAP_VERSION_1_3_TPM2 = 3 << 28,

    /* §6.5.2.9: the FIFO interface, and no other to choose. */
    INTERFACE_FIFO = 0,
    INTERFACE_VERSION = 0 << 4,
    INTERFACE_LOCALITIES = 1 << 8,
    INTERFACE_TRANSFER_64 = 3 << 11,
    INTERFACE_CAN_FIFO = 1 << 13,
    INTERFACE_LOCKED = 1 << 19,

    VENDOR_IBM = 0x1014, /* as QEMU's TPM says */
    DEVICE_ID = 0x0001,
    REVISION = 1,
};

typedef enum { IDLE, READY, RECEPTION, EXECUTION, COMPLETION, N_STATES } State;

typedef struct {
    KilnDevice device;
    KilnTpmTisOptions options;
    KilnRegion region;

    /* Saved. */
    uint32_t state;  /* State */
    uint8_t active;  /* locality, or NO_LOCALITY */
    uint8_t pending; /* bit n: locality n wants it */
    uint8_t seized;  /* bit n: it was taken from locality n */
    uint32_t length; /* bytes in the buffer */
    uint32_t offset; /* next byte that is read */
    uint8_t buffer[KILN_TPM_BUFFER];
    KilnTpmEmulator *emulator;
} Tis;

static void
set_state(Tis *tis, State state)
{
    if (tis->state == EXECUTION && state != COMPLETION)
        kiln_tpm_emulator_abandon(tis->emulator); /* nobody waits for the response any more */
    tis->state = state;
    tis->offset = 0;
    if (state != COMPLETION)
        tis->length = 0;
}

/* Bytes that the command lacks, as its header says; at least one until that is there. */
static uint32_t
missing(const Tis *tis)
{
    uint32_t size;

    if (tis->length < 6)
        return 6 - tis->length;
    size = kiln_tpm_get32(tis->buffer + 2);
    return size > tis->length ? MIN(size, (uint32_t)KILN_TPM_BUFFER) - tis->length : 0;
}

/* ---- Localities, §6.5.2.4 ---- */

static void
activate(Tis *tis, unsigned locality)
{
    tis->active = (uint8_t)locality;
    if (locality != NO_LOCALITY)
        tis->pending &= (uint8_t) ~(1u << locality);
    set_state(tis, IDLE);
}

/* The highest that waits gets it. */
static void
release(Tis *tis)
{
    unsigned next = NO_LOCALITY;

    for (unsigned i = 0; i < N_LOCALITIES; i++)
        if (tis->pending & 1u << i)
            next = i;
    activate(tis, next);
}

static void
seize(Tis *tis, unsigned locality)
{
    if (tis->active != NO_LOCALITY)
        tis->seized |= (uint8_t)(1u << tis->active);
    activate(tis, locality);
}

static void
write_access(Tis *tis, unsigned locality, uint8_t value)
{
    if (locality == N_LOCALITIES - 1)
        return;
    if (value & ACCESS_BEEN_SEIZED)
        tis->seized &= (uint8_t) ~(1u << locality);
    if (value & ACCESS_ACTIVE) {
        tis->pending &= (uint8_t) ~(1u << locality);
        if (tis->active == locality)
            release(tis);
    } else if (value & ACCESS_SEIZE) {
        if (tis->active == NO_LOCALITY || locality > tis->active)
            seize(tis, locality);
    } else if (value & ACCESS_REQUEST_USE) {
        if (tis->active == NO_LOCALITY)
            activate(tis, locality);
        else if (tis->active != locality)
            tis->pending |= (uint8_t)(1u << locality);
    }
}

static uint8_t
read_access(Tis *tis, unsigned locality)
{
    uint8_t value = ACCESS_VALID;

    value |= tis->active == locality ? ACCESS_ACTIVE : 0;
    value |= tis->seized & 1u << locality ? ACCESS_BEEN_SEIZED : 0;
    value |= tis->pending & 1u << locality ? ACCESS_REQUEST_USE : 0;
    value |= tis->pending & ~(1u << locality) ? ACCESS_PENDING_REQUEST : 0;
    value |= kiln_tpm_emulator_established(tis->emulator) ? 0 : ACCESS_ESTABLISHMENT;
    return value;
}

/* ---- Commands, §6.5.2.5 ---- */

static void
go(Tis *tis)
{
    if (tis->state != RECEPTION || tis->length < KILN_TPM_HEADER || missing(tis) > 0)
        return;
    if (!kiln_tpm_emulator_submit(tis->emulator, tis->active, tis->buffer, tis->length))
        return;
    tis->state = EXECUTION;
}

/* Takes the response, if it is there. */
static void
absorb(Tis *tis)
{
    uint32_t length = kiln_tpm_emulator_take(tis->emulator, tis->buffer);

    if (length == 0 || tis->state != EXECUTION)
        return;
    tis->length = length;
    set_state(tis, COMPLETION);
}

static void
write_sts(Tis *tis, unsigned locality, uint32_t value)
{
    if (locality != tis->active)
        return;
    if ((value & STS_RESET_ESTABLISHMENT) && locality >= 3)
        kiln_tpm_emulator_reset_established(tis->emulator, locality);
    if ((value & STS_CANCEL) && tis->state == EXECUTION)
        kiln_tpm_emulator_cancel(tis->emulator);
    value &= STS_COMMAND_READY | STS_GO | STS_RESPONSE_RETRY;
    if (value == STS_COMMAND_READY)
        set_state(tis, READY);
    else if (value == STS_GO)
        go(tis);
    else if (value == STS_RESPONSE_RETRY && tis->state == COMPLETION)
        tis->offset = 0;
}

static uint32_t
read_sts(Tis *tis, unsigned locality)
{
    uint32_t value = kiln_tpm_emulator_is_tpm2(tis->emulator) ? STS_FAMILY_2_0 : 0;
    uint32_t burst = 0;

    if (locality != tis->active)
        return UINT32_MAX;
    value |= STS_SELF_TEST_DONE;
    switch ((State)tis->state) {
    case READY:
        value |= STS_COMMAND_READY | STS_VALID;
        burst = KILN_TPM_BUFFER;
        break;
    case RECEPTION:
        burst = KILN_TPM_BUFFER - tis->length;
        value |= STS_VALID | (missing(tis) > 0 ? STS_EXPECT : 0);
        break;
    case COMPLETION:
        burst = tis->length - tis->offset;
        value |= STS_VALID | (burst > 0 ? STS_DATA_AVAIL : 0);
        break;
    case IDLE: value |= STS_VALID; break;
    default: break;
    }
    return value | burst << STS_BURST_SHIFT;
}

static void
write_fifo(Tis *tis, unsigned locality, uint8_t byte)
{
    if (locality != tis->active)
        return;
    if (tis->state == READY)
        set_state(tis, RECEPTION);
    if (tis->state == RECEPTION && missing(tis) > 0)
        tis->buffer[tis->length++] = byte; /* missing() ends at the buffer's end */
}

static uint8_t
read_fifo(Tis *tis, unsigned locality)
{
    if (locality != tis->active || tis->state != COMPLETION || tis->offset >= tis->length)
        return 0xff;
    return tis->buffer[tis->offset++];
}

/* ---- Registers ---- */

static gboolean
is_fifo(uint64_t reg)
{
    return (reg >= REG_DATA_FIFO && reg < REG_DATA_FIFO_END) ||
           (reg >= REG_XDATA_FIFO && reg < REG_XDATA_FIFO_END);
}

static uint32_t
interface_id(void)
{
    return INTERFACE_FIFO | INTERFACE_VERSION | INTERFACE_LOCALITIES | INTERFACE_TRANSFER_64 |
           INTERFACE_CAN_FIFO | INTERFACE_LOCKED;
}

/* The register of four bytes at @reg. */
static uint32_t
read_register(Tis *tis, unsigned locality, uint64_t reg)
{
    gboolean tpm2 = kiln_tpm_emulator_is_tpm2(tis->emulator);

    switch (reg) {
    case REG_ACCESS: return read_access(tis, locality);
    case REG_INTF_CAPABILITY:
        return CAP_TRANSFER_64 | (tpm2 ? CAP_VERSION_1_3_TPM2 : CAP_VERSION_1_3);
    case REG_STS: return read_sts(tis, locality);
    case REG_INTERFACE_ID: return tpm2 ? interface_id() : 0;
    case REG_DID_VID: return DEVICE_ID << 16 | VENDOR_IBM;
    case REG_RID: return REVISION;
    case REG_INT_ENABLE:
    case REG_INT_VECTOR:
    case REG_INT_STATUS: return 0;
    default: return UINT32_MAX;
    }
}

static uint64_t
tis_read(void *opaque, uint64_t offset, unsigned size)
{
    Tis *tis = opaque;
    unsigned locality = (unsigned)(offset >> LOCALITY_SHIFT);
    uint64_t reg = offset & ((1u << LOCALITY_SHIFT) - 1);
    uint64_t value = 0;

    if (!is_fifo(reg))
        return read_register(tis, locality, reg & ~UINT64_C(3)) >> (reg & 3) * 8;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_fifo(tis, locality) << i * 8;
    return value;
}

static void
tis_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Tis *tis = opaque;
    unsigned locality = (unsigned)(offset >> LOCALITY_SHIFT);
    uint64_t reg = offset & ((1u << LOCALITY_SHIFT) - 1);

    if (is_fifo(reg)) {
        for (unsigned i = 0; i < size; i++)
            write_fifo(tis, locality, (uint8_t)(data >> i * 8));
        return;
    }
    data <<= (reg & 3) * 8;
    if ((reg & ~UINT64_C(3)) == REG_STS)
        write_sts(tis, locality, (uint32_t)data);
    else if (reg == REG_ACCESS)
        write_access(tis, locality, (uint8_t)data);
}

static const KilnRegionOps tis_region = { .read = tis_read, .write = tis_write, .max_access = 4 };

/* ---- The device ---- */

static void
on_done(void *opaque)
{
    Tis *tis = opaque;
    KILN_LOCK_SCOPE(&tis->device.lock);

    absorb(tis);
}

static void
tis_reset(KilnDevice *device)
{
    Tis *tis = (Tis *)device;

    kiln_tpm_emulator_reset(tis->emulator);
    tis->active = NO_LOCALITY;
    tis->pending = tis->seized = 0;
    set_state(tis, IDLE);
}

static void
tis_free(KilnDevice *device)
{
    Tis *tis = (Tis *)device;

    kiln_space_remove(tis->options.memory, &tis->region);
    kiln_device_clear(device);
    g_free(tis);
}

static void
tis_pre_save(void *object)
{
    Tis *tis = object;

    if (!kiln_tpm_emulator_settle(tis->emulator))
        set_state(tis, READY); /* a command that does not end is lost */
}

static gboolean
tis_post_load(void *object, GError **error)
{
    Tis *tis = object;

    if (tis->active == NO_LOCALITY && tis->state != IDLE)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a command of no locality");
    if (tis->offset > tis->length)
        return kiln_error_set(error, KILN_ERROR_INVALID, "more was read than there is");
    return TRUE;
}

static gboolean
is_locality(uint64_t value, GError **error)
{
    if (value < N_LOCALITIES - 1 || value == NO_LOCALITY)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_INVALID, "locality %u", (unsigned)value);
}

static const KilnStateField tis_fields[] = {
    KILN_STATE_RANGE(Tis, state, 1, 0, N_STATES - 1),
    KILN_STATE_CHECKED(Tis, active, 1, is_locality),
    KILN_STATE_RANGE(Tis, pending, 1, 0, (1 << (N_LOCALITIES - 1)) - 1),
    KILN_STATE_RANGE(Tis, seized, 1, 0, (1 << N_LOCALITIES) - 1),
    KILN_STATE_RANGE(Tis, length, 1, 0, KILN_TPM_BUFFER),
    KILN_STATE_RANGE(Tis, offset, 1, 0, KILN_TPM_BUFFER),
    KILN_STATE_BYTES(Tis, buffer, 1),
    KILN_STATE_POINTER(Tis, emulator, 1, &kiln_tpm_emulator_state),
    KILN_STATE_END,
};

static const KilnStateDescription tis_state = { .name = "tpm-tis",
                                                .version = 1,
                                                .min_version = 1,
                                                .fields = tis_fields,
                                                .pre_save = tis_pre_save,
                                                .post_load = tis_post_load };

static const KilnDeviceOps tis_ops = {
    .name = "tpm-tis", .reset = tis_reset, .free = tis_free, .state = &tis_state
};

KilnDevice *
kiln_tpm_tis_new(const KilnTpmTisOptions *options, GError **error)
{
    Tis *tis = g_new0(Tis, 1);

    kiln_device_init(&tis->device, &tis_ops, "tpm-tis");
    tis->options = *options;
    tis->emulator = options->emulator;
    kiln_region_init(&tis->region, &tis->device, &tis_region, KILN_TPM_TIS_LENGTH);
    if (!kiln_space_add(options->memory, &tis->region, KILN_TPM_BASE, error)) {
        tis_free(&tis->device);
        return NULL;
    }
    kiln_tpm_emulator_set_frontend(tis->emulator, on_done, tis);
    tis_reset(&tis->device);
    return &tis->device;
}
