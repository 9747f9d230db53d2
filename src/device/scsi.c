/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See scsi.h: a unit's life, its medium, and what it remembers. */
#include "device/scsi-private.h"

#include <string.h>

#include "base/error.h"
#include "base/intmath.h"

enum {
    MIN_BLOCK = 512,
    MAX_BLOCK = 32768,
    MAX_PHYSICAL = 2 << 20,
};

/* ---- What files share ---- */

uint64_t
scsi_blocks(const KilnScsiUnit *unit)
{
    return __atomic_load_n(&unit->blocks, __ATOMIC_RELAXED);
}

gboolean
scsi_has_medium(const KilnScsiUnit *unit)
{
    return unit->chain != NULL && !unit->tray_open;
}

/* The weight of a unit attention: a reset says that anything may have changed. */
static unsigned
weight(unsigned code)
{
    switch (code) {
    case SCSI_UA_POWER_ON: return 4;
    case SCSI_UA_RESET: return 3;
    case SCSI_UA_MEDIUM_CHANGED:
    case SCSI_UA_NO_MEDIUM: return 2;
    default: return code != SCSI_UA_NONE;
    }
}

void
scsi_attention(KilnScsiUnit *unit, unsigned code)
{
    if (weight(code) >= weight(unit->unit_attention))
        unit->unit_attention = code;
    if (unit->attention != NULL)
        unit->attention(unit->attention_opaque, (uint8_t)(code >> 8), (uint8_t)code);
}

/* ---- The medium ---- */

/* What follows from what lies in the drive now. */
static void
measure(KilnScsiUnit *unit)
{
    const KilnBlock *chain = unit->chain;
    uint64_t blocks = chain != NULL ? chain->length / unit->block_size : 0;

    unit->read_only = unit->forbid_writes || (chain != NULL && chain->read_only);
    __atomic_store_n(&unit->blocks, blocks, __ATOMIC_RELAXED);
}

static gboolean
chain_fits(const KilnScsiUnit *unit, const KilnBlock *chain, GError **error)
{
    if (chain == NULL || chain->block_size <= unit->block_size)
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_INVALID,
                          "the image takes requests of %u bytes, more than a block of %u",
                          chain->block_size, unit->block_size);
}

static void
put_tray(KilnScsiUnit *unit, gboolean open)
{
    __atomic_store_n(&unit->tray_open, open, __ATOMIC_RELAXED);
}

/* What a guest sees of a drive that somebody has opened or closed. */
static void
tell_medium(KilnScsiUnit *unit)
{
    gboolean there = scsi_has_medium(unit);

    unit->media_event = there ? SCSI_MEDIA_NEW : SCSI_MEDIA_REMOVAL;
    scsi_attention(unit, there ? SCSI_UA_MEDIUM_CHANGED : SCSI_UA_NO_MEDIUM);
}

/* The guest moves it. */
void
scsi_move_tray(KilnScsiUnit *unit, gboolean open)
{
    if (unit->tray_open == open)
        return;
    put_tray(unit, open);
    unit->media_event = scsi_has_medium(unit) ? SCSI_MEDIA_NEW : SCSI_MEDIA_REMOVAL;
    if (scsi_has_medium(unit))
        scsi_attention(unit, SCSI_UA_MEDIUM_CHANGED);
    if (unit->tray_moved != NULL)
        unit->tray_moved(unit->opaque, open);
}

static gboolean
may_change(KilnScsiUnit *unit, gboolean force, GError **error)
{
    if (unit->kind != KILN_SCSI_CDROM)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "the medium of a disk stays in it");
    if (!unit->tray_locked || unit->tray_open || force)
        return TRUE;
    unit->media_event = SCSI_MEDIA_EJECT_REQUEST;
    return kiln_error_set(error, KILN_ERROR_STATE, "the guest has locked the tray");
}

gboolean
kiln_scsi_unit_set_medium(KilnScsiUnit *unit, KilnBlock *chain, gboolean force, GError **error)
{
    if (!may_change(unit, force, error) || !chain_fits(unit, chain, error)) {
        kiln_block_free(chain);
        return FALSE;
    }
    g_return_val_if_fail(unit->in_flight == 0, FALSE);
    scsi_tasks_free(unit); /* their scratch is the old chain's */
    kiln_block_free(unit->chain);
    unit->chain = chain;
    measure(unit);
    put_tray(unit, FALSE);
    __atomic_store_n(&unit->tray_locked, FALSE, __ATOMIC_RELAXED);
    tell_medium(unit);
    return TRUE;
}

void
kiln_scsi_unit_resized(KilnScsiUnit *unit)
{
    measure(unit);
    scsi_attention(unit, SCSI_UA_CAPACITY_CHANGED);
}

/* ---- Commands ---- */

void
kiln_scsi_unit_submit(KilnScsiUnit *unit, KilnScsiCommand *command)
{
    command->status = KILN_SCSI_GOOD;
    command->sense_length = 0;
    command->residual = command->length;
    scsi_execute(scsi_task_take(unit, command));
}

void
kiln_scsi_unit_cancel(KilnScsiUnit *unit, KilnScsiCommand *command)
{
    g_return_if_fail(command->task != NULL && command->task->unit == unit);
    command->task->cancelled = TRUE;
}

void
kiln_scsi_unit_reset(KilnScsiUnit *unit, gboolean attention)
{
    for (ScsiTask *task = unit->under_way; task != NULL; task = task->next)
        task->cancelled = TRUE;
    __atomic_store_n(&unit->tray_locked, FALSE, __ATOMIC_RELAXED);
    unit->write_cache = unit->initial_cache;
    unit->media_event = SCSI_MEDIA_NO_CHANGE;
    unit->kept = SENSE_NONE;
    if (attention) {
        if (weight(unit->unit_attention) < weight(SCSI_UA_RESET))
            unit->unit_attention = SCSI_UA_RESET;
    } else {
        unit->unit_attention = SCSI_UA_POWER_ON;
    }
}

unsigned
kiln_scsi_unit_in_flight(const KilnScsiUnit *unit)
{
    return unit->in_flight;
}

/* ---- Questions ---- */

KilnBlock *
kiln_scsi_unit_chain(KilnScsiUnit *unit)
{
    return unit->chain;
}

KilnScsiKind
kiln_scsi_unit_kind(const KilnScsiUnit *unit)
{
    return unit->kind;
}

gboolean
kiln_scsi_unit_tray_open(const KilnScsiUnit *unit)
{
    return __atomic_load_n(&unit->tray_open, __ATOMIC_RELAXED);
}

gboolean
kiln_scsi_unit_tray_locked(const KilnScsiUnit *unit)
{
    return __atomic_load_n(&unit->tray_locked, __ATOMIC_RELAXED);
}

void
kiln_scsi_unit_statistics(KilnScsiUnit *unit, KilnDiskStatistics *statistics)
{
    kiln_disk_statistics_read(statistics, &unit->statistics);
}

/* ---- State ---- */

static gboolean
check_attention(uint64_t value, GError **error)
{
    switch (value) {
    case SCSI_UA_NONE:
    case SCSI_UA_MEDIUM_CHANGED:
    case SCSI_UA_POWER_ON:
    case SCSI_UA_RESET:
    case SCSI_UA_MODE_CHANGED:
    case SCSI_UA_CAPACITY_CHANGED:
    case SCSI_UA_NO_MEDIUM: return TRUE;
    default:
        return kiln_error_set(error, KILN_ERROR_INVALID, "0x%" G_GINT64_MODIFIER "x is none",
                              value);
    }
}

static const KilnStateField sense_fields[] = {
    KILN_STATE_RANGE(ScsiSense, key, 1, 0, 15),
    KILN_STATE(ScsiSense, asc, 1),
    KILN_STATE(ScsiSense, ascq, 1),
    KILN_STATE_END,
};

static const KilnStateDescription sense_state = {
    .name = "scsi-sense",
    .version = 1,
    .min_version = 1,
    .fields = sense_fields,
};

static const KilnStateField unit_fields[] = {
    KILN_STATE_CHECKED(KilnScsiUnit, unit_attention, 1, check_attention),
    KILN_STATE_RANGE(KilnScsiUnit, media_event, 1, SCSI_MEDIA_NO_CHANGE, SCSI_MEDIA_REMOVAL),
    KILN_STATE_FLAG(KilnScsiUnit, tray_open, 1),
    KILN_STATE_FLAG(KilnScsiUnit, tray_locked, 1),
    KILN_STATE_FLAG(KilnScsiUnit, write_cache, 1),
    KILN_STATE_STRUCT(KilnScsiUnit, kept, 1, &sense_state),
    KILN_STATE_END,
};

static gboolean
unit_post_load(void *object, GError **error)
{
    const KilnScsiUnit *unit = object;

    return unit->removable || !unit->tray_open ||
           kiln_error_set(error, KILN_ERROR_INVALID, "a disk has no tray that is open");
}

const KilnStateDescription kiln_scsi_unit_state = {
    .name = "scsi-unit",
    .version = 1,
    .min_version = 1,
    .fields = unit_fields,
    .post_load = unit_post_load,
};

/* ---- Set-up ---- */

/* Spaces behind the ASCII of @from, whose other characters are spaces too (SPC-4 §4.3.1). */
static void
put_ascii(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size);

    memset(to, ' ', size);
    for (size_t i = 0; i < length; i++)
        if (g_ascii_isprint(from[i]))
            to[i] = from[i];
}

/* As put_ascii(), but ends in a NUL. */
static void
put_string(char *to, size_t size, const char *from)
{
    if (from == NULL)
        return;
    put_ascii(to, MIN(strlen(from), size - 1), from);
}

static gboolean
take_sizes(KilnScsiUnit *unit, const KilnScsiUnitOptions *options, GError **error)
{
    gboolean is_cd = options->kind == KILN_SCSI_CDROM;
    uint32_t least = is_cd ? SCSI_CD_BLOCK : MIN_BLOCK;
    uint32_t suits = options->chain != NULL ? options->chain->physical_size : 0;

    if (!is_cd && options->chain != NULL)
        least = MAX(least, options->chain->block_size);
    unit->block_size = options->logical_size != 0 ? options->logical_size : least;
    unit->physical_size = options->physical_size;
    if (unit->physical_size == 0)
        unit->physical_size = is_cd ? unit->block_size : MAX(unit->block_size, suits);
    if (!kiln_is_power_of_2(unit->block_size) || unit->block_size < least ||
        unit->block_size > (is_cd ? SCSI_CD_BLOCK : MAX_BLOCK))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a logical block of %u bytes is no power of 2 from %u to %d",
                              unit->block_size, least, is_cd ? SCSI_CD_BLOCK : MAX_BLOCK);
    if (!kiln_is_power_of_2(unit->physical_size) || unit->physical_size < unit->block_size ||
        unit->physical_size > MAX_PHYSICAL)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "a physical block of %u bytes is no power of 2 from %u to %d",
                              unit->physical_size, unit->block_size, MAX_PHYSICAL);
    if (options->chain == NULL && !is_cd)
        return kiln_error_set(error, KILN_ERROR_INVALID, "a disk needs a medium");
    return chain_fits(unit, options->chain, error);
}

static void
take_names(KilnScsiUnit *unit, const KilnScsiUnitOptions *options)
{
    gboolean is_cd = options->kind == KILN_SCSI_CDROM;
    const char *product = is_cd ? "KILN CD-ROM" : "KILN HARDDISK";

    put_ascii(unit->vendor, sizeof unit->vendor,
              options->vendor != NULL ? options->vendor : "KILN");
    put_ascii(unit->product, sizeof unit->product,
              options->product != NULL ? options->product : product);
    put_ascii(unit->version, sizeof unit->version,
              options->version != NULL ? options->version : "1.0");
    put_string(unit->serial, sizeof unit->serial, options->serial);
    put_string(unit->id, sizeof unit->id, options->id);
    unit->wwn = options->wwn;
}

KilnScsiUnit *
kiln_scsi_unit_new(const KilnScsiUnitOptions *options, GError **error)
{
    g_autoptr(KilnScsiUnit) unit = g_new0(KilnScsiUnit, 1);
    gboolean is_cd = options->kind == KILN_SCSI_CDROM;

    unit->chain = options->chain;
    if (!take_sizes(unit, options, error))
        return NULL;
    unit->kind = options->kind;
    unit->atapi = options->atapi;
    unit->removable = options->removable || is_cd;
    unit->forbid_writes = options->read_only || is_cd;
    unit->initial_cache = unit->write_cache = options->write_back && !is_cd;
    unit->rotation_rate = options->rotation_rate;
    unit->read_policy = options->read_policy;
    unit->write_policy = options->write_policy;
    unit->io_error = options->io_error;
    unit->tray_moved = options->tray_moved;
    unit->opaque = options->opaque;
    unit->attention = options->attention;
    unit->attention_opaque = options->opaque;
    unit->unit_attention = SCSI_UA_POWER_ON;
    take_names(unit, options);
    measure(unit);
    unit->discard =
        options->discard && !unit->read_only && !is_cd && unit->chain->discard_granularity != 0;
    return g_steal_pointer(&unit);
}

void
kiln_scsi_unit_set_attention(KilnScsiUnit *unit, KilnScsiAttentionFunc attention, void *opaque)
{
    unit->attention = attention;
    unit->attention_opaque = opaque;
}

void
kiln_scsi_unit_free(KilnScsiUnit *unit)
{
    if (unit == NULL)
        return;
    g_warn_if_fail(unit->in_flight == 0);
    scsi_tasks_free(unit);
    kiln_block_free(unit->chain);
    g_free(unit);
}
