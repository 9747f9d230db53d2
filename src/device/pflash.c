/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pflash.h.  Commands and status bits have the names of Intel's 28F128J3 datasheet. */
#include "device/pflash.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/log.h"
#include "device/pflash-store.h"
#include "memory/layout.h"

enum {
    PROGRAM = 0x10,
    BLOCK_ERASE = 0x20,
    PROGRAM_TOO = 0x40,
    CLEAR_STATUS = 0x50,
    LOCK_BITS = 0x60,
    READ_STATUS = 0x70,
    READ_IDENTITY = 0x90,
    READ_QUERY = 0x98,
    CONFIRM = 0xd0,
    SET_LOCK = 0x01, /* second cycle of LOCK_BITS */
    WRITE_BUFFER = 0xe8,
    READ_ARRAY = 0xff,

    STATUS_READY = 1 << 7,
    STATUS_ERASE_ERROR = 1 << 5,
    STATUS_PROGRAM_ERROR = 1 << 4,
    STATUS_SEQUENCE_ERROR = STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR,

    MANUFACTURER_INTEL = 0x89,
    DEVICE_28F128J3 = 0x18,
    IDENTITY_MASK = 0xff, /* of an offset, in identity and query mode */
    QUERY_BYTES = 0x40,
};

/*
 * What a read gives and what the next write is:
 *
 *   ARRAY    the contents; a command
 *   STATUS   the status register; a command
 *   IDENTITY, QUERY   a table; a command
 *   PROGRAMMING       status; the bytes to store               -> STATUS
 *   ERASING           status; the confirmation                 -> STATUS
 *   LOCKING           status; what is to be done to lock bits  -> STATUS
 *   COUNTING          status; how many bytes there will be less one -> FILLING
 *   FILLING           status; one of these bytes                    -> FILLING, CONFIRMING
 *   CONFIRMING        status; the confirmation                      -> STATUS
 *
 * READ_ARRAY where a confirmation is due gives up.
 */
typedef enum {
    MODE_ARRAY,
    MODE_STATUS,
    MODE_IDENTITY,
    MODE_QUERY,
    MODE_PROGRAMMING,
    MODE_ERASING,
    MODE_LOCKING,
    MODE_COUNTING,
    MODE_FILLING,
    MODE_CONFIRMING,
    N_MODES,
} Mode;

typedef struct {
    KilnDevice device; /* its lock guards all */
    KilnSpace *memory;
    KilnRegion region;
    KilnSlots slots;
    int slot;               /* -1: none, reads come here */
    KilnPflashStore *store; /* (owned) (nullable): NULL if nothing can be written */
    uint8_t *data;          /* (owned) mapped, @size bytes */
    uint64_t size;
    uint64_t dirty_from, dirty_to; /* what the host did not take yet */
    gboolean has_code;             /* the guest's first instruction is in it */
    unsigned settle; /* reads of the array that still come here before the slot is back */
    uint8_t query[QUERY_BYTES];

    uint8_t mode;
    uint8_t status;
    uint64_t buffer_at;     /* of the bytes: where the first one goes */
    uint16_t buffer_length; /* how many will come */
    uint16_t buffer_filled;
    bool buffer_bad; /* one went elsewhere */
    uint8_t buffer[KILN_PFLASH_BUFFER];

    uint32_t image_length; /* of the bank in saved state; between calls there is none */
    uint8_t *image;        /* (owned) (nullable) */
} Pflash;

/* ---- the slot ----------------------------------------------------------------------------------
 */

static void
enter_memory(Pflash *flash)
{
    const KilnSlots *slots = &flash->slots;

    if (slots->ops != NULL && flash->slot < 0)
        flash->slot =
            slots->ops->add(slots->opaque, flash->region.base, flash->size, flash->data, TRUE);
}

static void
leave_memory(Pflash *flash)
{
    if (flash->slot >= 0)
        flash->slots.ops->remove(flash->slots.opaque, flash->slot);
    flash->slot = -1;
}

/*
 * A slot costs the host a walk over all of the guest's mappings each time, and a driver writes a
 * variable in a dozen short bursts.  So after one the array is read here for a while; but code can
 * only run from memory.
 */
static void
set_mode(Pflash *flash, Mode mode)
{
    flash->mode = (uint8_t)mode;
    if (mode != MODE_ARRAY)
        leave_memory(flash);
    else if (flash->has_code)
        enter_memory(flash);
    else
        flash->settle = KILN_PFLASH_SETTLE_READS;
}

/* ---- contents ----------------------------------------------------------------------------------
 */

/* What the host did not take is offered again with whatever comes next. */
static void
store(Pflash *flash, uint64_t offset, uint64_t length)
{
    uint64_t from = MIN(offset, flash->dirty_from);
    uint64_t to = MAX(offset + length, flash->dirty_to);

    if (kiln_pflash_store_write(flash->store, flash->data + from, to - from, from)) {
        flash->dirty_from = flash->size;
        flash->dirty_to = 0;
        return;
    }
    flash->dirty_from = from;
    flash->dirty_to = to;
    flash->status |= STATUS_PROGRAM_ERROR;
}

static void
program(Pflash *flash, uint64_t offset, const uint8_t *bytes, uint64_t length)
{
    flash->status |= STATUS_READY;
    if (flash->store == NULL || !kiln_range_inside(offset, length, flash->size)) {
        flash->status |= STATUS_PROGRAM_ERROR;
        return;
    }
    memcpy(flash->data + offset, bytes, length);
    store(flash, offset, length);
}

static void
erase(Pflash *flash, uint64_t offset)
{
    uint64_t block = kiln_align_down(offset, KILN_PFLASH_BLOCK);

    flash->status |= STATUS_READY;
    if (flash->store == NULL) {
        flash->status |= STATUS_ERASE_ERROR;
        return;
    }
    memset(flash->data + block, 0xff, KILN_PFLASH_BLOCK);
    store(flash, block, KILN_PFLASH_BLOCK);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static void
sequence_error(Pflash *flash)
{
    static KilnRatelimit limit;

    kiln_log_guest(&limit, "%s: the guest's commands make no sequence", flash->device.id);
    flash->status |= STATUS_READY | STATUS_SEQUENCE_ERROR;
    set_mode(flash, MODE_STATUS);
}

static void
command(Pflash *flash, uint8_t code)
{
    switch (code) {
    case PROGRAM:
    case PROGRAM_TOO: set_mode(flash, MODE_PROGRAMMING); break;
    case BLOCK_ERASE: set_mode(flash, MODE_ERASING); break;
    case LOCK_BITS: set_mode(flash, MODE_LOCKING); break;
    case READ_STATUS: set_mode(flash, MODE_STATUS); break;
    case READ_IDENTITY: set_mode(flash, MODE_IDENTITY); break;
    case READ_QUERY: set_mode(flash, MODE_QUERY); break;
    case WRITE_BUFFER:
        flash->status |= STATUS_READY; /* there is always a buffer to be had */
        set_mode(flash, MODE_COUNTING);
        break;
    case CLEAR_STATUS: flash->status = 0; G_GNUC_FALLTHROUGH;
    default: /* READ_ARRAY, and what no chip of this set knows: AMD's reset among them */
        set_mode(flash, MODE_ARRAY);
        break;
    }
}

/* The second cycle of what wants CONFIRM: whether it came. */
static gboolean
confirmed(Pflash *flash, uint8_t code)
{
    if (code == CONFIRM) {
        set_mode(flash, MODE_STATUS);
        return TRUE;
    }
    if (code == READ_ARRAY)
        set_mode(flash, MODE_ARRAY);
    else
        sequence_error(flash);
    return FALSE;
}

static void
lock_bits(Pflash *flash, uint8_t code)
{
    if (code != SET_LOCK && !confirmed(flash, code))
        return;
    flash->status |= STATUS_READY; /* no block is ever locked */
    set_mode(flash, MODE_STATUS);
}

static void
count(Pflash *flash, uint8_t code)
{
    flash->buffer_length = (uint16_t)(code + 1);
    flash->buffer_filled = 0;
    flash->buffer_bad = false;
    set_mode(flash, MODE_FILLING);
}

static void
fill(Pflash *flash, uint64_t offset, uint8_t byte)
{
    if (flash->buffer_filled == 0) {
        flash->buffer_at = offset;
        memset(flash->buffer, 0xff, sizeof flash->buffer);
    }
    /* In any order, all in the range that begins with the first. */
    if (offset < flash->buffer_at || offset - flash->buffer_at >= flash->buffer_length)
        flash->buffer_bad = true;
    else
        flash->buffer[offset - flash->buffer_at] = byte;
    flash->buffer_filled++;
    if (flash->buffer_filled == flash->buffer_length)
        set_mode(flash, MODE_CONFIRMING);
}

static void
confirm_buffer(Pflash *flash, uint8_t code)
{
    if (!confirmed(flash, code))
        return;
    if (flash->buffer_bad)
        sequence_error(flash);
    else
        program(flash, flash->buffer_at, flash->buffer, flash->buffer_length);
}

static void
pflash_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Pflash *flash = opaque;
    uint8_t code = (uint8_t)data;
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(data >> (8 * i));
    switch ((Mode)flash->mode) {
    case MODE_PROGRAMMING:
        set_mode(flash, MODE_STATUS);
        program(flash, offset, bytes, size);
        break;
    case MODE_ERASING:
        if (confirmed(flash, code))
            erase(flash, offset);
        break;
    case MODE_LOCKING: lock_bits(flash, code); break;
    case MODE_COUNTING: count(flash, code); break;
    case MODE_FILLING:
        for (unsigned i = 0; i < size && flash->mode == MODE_FILLING; i++)
            fill(flash, offset + i, bytes[i]);
        break;
    case MODE_CONFIRMING: confirm_buffer(flash, code); break;
    default: command(flash, code); break;
    }
}

/* ---- reads -------------------------------------------------------------------------------------
 */

/* CFI 1.4 §2.3: at 0x10 on; times are 2^n µs or ms, sizes 2^n bytes. */
static void
fill_query(Pflash *flash)
{
    uint64_t blocks = flash->size / KILN_PFLASH_BLOCK - 1;
    static const uint8_t fixed[QUERY_BYTES] = {
        [0x10] = 'Q',
        'R',
        'Y',
        [0x13] = 0x01,
        0x00, /* Intel's extended command set */
        [0x15] = 0x31,
        0x00, /* its table */
        [0x1b] = 0x45,
        0x55, /* 4.5 to 5.5 V */
        [0x1f] = 0x07,
        0x07,
        0x0a,
        0x00, /* typical times: byte, buffer, erase */
        [0x23] = 0x04,
        0x04,
        0x04,
        0x00, /* the longest, as multiples */
        [0x28] = 0x00,
        0x00, /* an 8-bit interface */
        [0x2a] = 0x08,
        0x00,          /* of the buffer: KILN_PFLASH_BUFFER */
        [0x2c] = 0x01, /* regions of equal blocks */
        [0x2f] = KILN_PFLASH_BLOCK >> 8,
        0x00,
        [0x31] = 'P',
        'R',
        'I',
        '1',
        '0',
    };

    memcpy(flash->query, fixed, sizeof fixed);
    flash->query[0x27] = (uint8_t)g_bit_storage((gulong)(flash->size - 1));
    flash->query[0x2d] = (uint8_t)blocks;
    flash->query[0x2e] = (uint8_t)(blocks >> 8);
}

static uint8_t
read_table(const Pflash *flash, uint64_t offset)
{
    unsigned at = (unsigned)(offset & IDENTITY_MASK);

    if (flash->mode == MODE_QUERY)
        return at < QUERY_BYTES ? flash->query[at] : 0;
    return at == 0 ? MANUFACTURER_INTEL : at == 1 ? DEVICE_28F128J3 : 0;
}

static uint8_t
read_byte(const Pflash *flash, uint64_t offset)
{
    switch ((Mode)flash->mode) {
    case MODE_ARRAY: return flash->data[offset];
    case MODE_IDENTITY:
    case MODE_QUERY: return read_table(flash, offset);
    default: return flash->status;
    }
}

static uint64_t
pflash_read(void *opaque, uint64_t offset, unsigned size)
{
    Pflash *flash = opaque;
    uint64_t data = 0;

    for (unsigned i = 0; i < size; i++)
        data |= (uint64_t)read_byte(flash, offset + i) << (8 * i);
    if (flash->mode == MODE_ARRAY && flash->slot < 0 && flash->settle > 0 && --flash->settle == 0)
        enter_memory(flash);
    return data;
}

static const KilnRegionOps pflash_region = {
    .read = pflash_read, .write = pflash_write, .min_access = 1, .max_access = 8
};

/* ---- life --------------------------------------------------------------------------------------
 */

static void
pflash_reset(KilnDevice *device)
{
    Pflash *flash = (Pflash *)device;

    flash->mode = MODE_ARRAY;
    flash->status = STATUS_READY;
    flash->settle = 0;
    flash->buffer_at = 0;
    flash->buffer_length = flash->buffer_filled = 0;
    flash->buffer_bad = false;
    memset(flash->buffer, 0, sizeof flash->buffer);
    enter_memory(flash);
}

static void
pflash_free(KilnDevice *device)
{
    Pflash *flash = (Pflash *)device;

    kiln_space_remove(flash->memory, &flash->region);
    leave_memory(flash);
    kiln_pflash_store_free(flash->store);
    if (flash->data != NULL)
        munmap(flash->data, flash->size);
    g_free(flash->image);
    kiln_device_clear(device);
    g_free(flash);
}

uint64_t
kiln_pflash_size(const KilnDevice *device)
{
    return ((const Pflash *)device)->size;
}

static void
pflash_pre_save(void *object)
{
    Pflash *flash = object;

    g_free(flash->image);
    flash->image = flash->store != NULL ? g_memdup2(flash->data, flash->size) : NULL;
    flash->image_length = flash->store != NULL ? (uint32_t)flash->size : 0;
}

/* The variables go back to what they were with the guest, in the file too. */
static gboolean
pflash_post_load(void *object, GError **error)
{
    Pflash *flash = object;
    uint64_t expected = flash->store != NULL ? flash->size : 0;

    if (flash->image_length != expected)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%u bytes of flash are not the %" G_GUINT64_FORMAT
                              " that the guest can write here",
                              flash->image_length, expected);
    if (flash->buffer_filled > flash->buffer_length ||
        (flash->mode == MODE_FILLING && flash->buffer_filled == flash->buffer_length) ||
        (flash->buffer_length == 0 && flash->mode == MODE_CONFIRMING))
        return kiln_error_set(error, KILN_ERROR_INVALID, "a buffer that holds %u bytes of %u",
                              flash->buffer_filled, flash->buffer_length);
    if (expected > 0 && memcmp(flash->data, flash->image, expected) != 0) {
        memcpy(flash->data, flash->image, expected);
        store(flash, 0, expected);
    }
    g_clear_pointer(&flash->image, g_free);
    flash->image_length = 0;
    if (flash->mode != MODE_ARRAY)
        leave_memory(flash);
    return TRUE;
}

static const KilnStateField pflash_fields[] = {
    KILN_STATE_RANGE(Pflash, mode, 1, 0, N_MODES - 1),
    KILN_STATE(Pflash, status, 1),
    KILN_STATE(Pflash, buffer_at, 1),
    KILN_STATE_RANGE(Pflash, buffer_length, 1, 0, KILN_PFLASH_BUFFER),
    KILN_STATE_RANGE(Pflash, buffer_filled, 1, 0, KILN_PFLASH_BUFFER),
    KILN_STATE(Pflash, buffer_bad, 1),
    KILN_STATE_BYTES(Pflash, buffer, 1),
    KILN_STATE_BUFFER(Pflash, image, image_length, 1, KILN_PFLASH_MAX),
    KILN_STATE_END,
};

static const KilnStateDescription pflash_state = {
    .name = "pflash",
    .version = 1,
    .min_version = 1,
    .fields = pflash_fields,
    .pre_save = pflash_pre_save,
    .post_load = pflash_post_load,
};

static const KilnDeviceOps pflash_ops = {
    .name = "pflash", .reset = pflash_reset, .free = pflash_free, .state = &pflash_state
};

/* ---- construction ------------------------------------------------------------------------------
 */

static gboolean
measure(Pflash *flash, const KilnPflashOptions *options, int fd, GError **error)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return kiln_error_set_errno(error, errno, "cannot measure '%s'", options->path);
    if (info.st_size <= 0 || info.st_size > KILN_PFLASH_MAX ||
        info.st_size % KILN_PFLASH_BLOCK != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "'%s' has %" G_GINT64_FORMAT
                              " bytes: a raw image of flash is a multiple of %d and at most %d",
                              options->path, (gint64)info.st_size, KILN_PFLASH_BLOCK,
                              KILN_PFLASH_MAX);
    if (options->end - (uint64_t)info.st_size < KILN_LAYOUT_FLASH_END - KILN_PFLASH_MAX)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "'%s' has %" G_GINT64_FORMAT
                              " bytes: all flash together has at most %d",
                              options->path, (gint64)info.st_size, KILN_PFLASH_MAX);
    flash->size = (uint64_t)info.st_size;
    return TRUE;
}

static gboolean
map_image(Pflash *flash, const KilnPflashOptions *options, int fd, GError **error)
{
    void *data = options->read_only ? mmap(NULL, flash->size, PROT_READ, MAP_PRIVATE, fd, 0)
                                    : mmap(NULL, flash->size, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ssize_t got;

    if (data == MAP_FAILED)
        return kiln_error_set_errno(error, errno, "cannot map '%s'", options->path);
    flash->data = data;
    if (options->read_only)
        return TRUE;
    got = kiln_read_full(fd, data, flash->size, 0);
    if (got < 0)
        return kiln_error_set_errno(error, (int)-got, "cannot read '%s'", options->path);
    if ((uint64_t)got != flash->size)
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' becomes shorter while it is read",
                              options->path);
    return TRUE;
}

KilnDevice *
kiln_pflash_new(const KilnPflashOptions *options, GError **error)
{
    Pflash *flash = g_new0(Pflash, 1);
    g_auto(KilnFd) fd = options->fd;

    kiln_device_init(&flash->device, &pflash_ops, options->id);
    flash->device.instance = options->instance;
    flash->memory = options->memory;
    flash->slots = options->slots;
    flash->slot = -1;
    flash->has_code = options->end == KILN_LAYOUT_FLASH_END;
    if (!measure(flash, options, fd, error) || !map_image(flash, options, fd, error)) {
        pflash_free(&flash->device);
        return NULL;
    }
    flash->dirty_from = flash->size;
    fill_query(flash);
    if (!options->read_only)
        flash->store = kiln_pflash_store_new(flash->device.id, kiln_fd_steal(&fd), error);
    kiln_region_init(&flash->region, &flash->device, &pflash_region, flash->size);
    flash->region.name = flash->device.id;
    if ((!options->read_only && flash->store == NULL) ||
        !kiln_space_add(flash->memory, &flash->region, options->end - flash->size, error)) {
        pflash_free(&flash->device);
        return NULL;
    }
    pflash_reset(&flash->device);
    return &flash->device;
}
