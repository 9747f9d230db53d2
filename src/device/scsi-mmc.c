/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a drive with a medium that can be taken out has besides: MMC-6 §6.  The disc is a data disc
 * of one finished session with one track, a DVD if it is longer than a CD can be.
 */
#include "device/scsi-private.h"

#include <string.h>

enum {
    PROFILE_NONE = 0x0000,
    PROFILE_CD_ROM = 0x0008,
    PROFILE_DVD_ROM = 0x0010,
    MAX_CD_BLOCKS = 80 * 60 * 75,
    DATA_TRACK = 0x14, /* ADR 1: position; control 4: data */
    LEAD_OUT = 0xaa,
    FRAMES = 75, /* of a second */
    LEAD_IN_FRAMES = 150,
    TIME = 0x02, /* a CDB wants minute, second, frame */
};

static unsigned
profile(const KilnScsiUnit *unit)
{
    if (!scsi_has_medium(unit))
        return PROFILE_NONE;
    return scsi_blocks(unit) > MAX_CD_BLOCKS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

/* ---- The tray ---- */

void
scsi_start_stop(ScsiTask *task)
{
    enum { START = 0x01, LOEJ = 0x02, POWER_CONDITION = 0xf0 };
    KilnScsiUnit *unit = task->unit;
    uint8_t what = task->command->cdb[4];
    gboolean open = !(what & START);

    if (what & POWER_CONDITION || !(what & LOEJ) || !unit->removable) {
        scsi_good(task);
        return;
    }
    if (open && !unit->tray_open && unit->tray_locked) {
        scsi_check(task, unit->chain != NULL ? SENSE_REMOVAL_PREVENTED : SENSE_EMPTY_LOCKED);
        return;
    }
    scsi_move_tray(unit, open);
    scsi_good(task);
}

void
scsi_prevent_removal(ScsiTask *task)
{
    __atomic_store_n(&task->unit->tray_locked, task->command->cdb[4] & 1, __ATOMIC_RELAXED);
    scsi_good(task);
}

/* GET EVENT STATUS NOTIFICATION: only polled, only of the medium (MMC-6 §6.6). */
void
scsi_get_event(ScsiTask *task)
{
    enum { POLLED = 0x01, CLASS_MEDIA = 4, NO_EVENT = 0x80, TRAY_OPEN = 1, PRESENT = 2 };
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    uint8_t *reply = unit->reply;
    uint16_t allocated = kiln_be16_load(cdb + 7);

    if (!(cdb[1] & POLLED)) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    reply[3] = 1 << CLASS_MEDIA;
    if (!(cdb[4] & 1 << CLASS_MEDIA)) {
        kiln_be16_store(reply, 2);
        reply[2] = NO_EVENT;
        scsi_reply(task, 4, allocated);
        return;
    }
    kiln_be16_store(reply, 6);
    reply[2] = CLASS_MEDIA;
    reply[4] = unit->media_event;
    reply[5] = (uint8_t)((unit->tray_open ? TRAY_OPEN : 0) | (scsi_has_medium(unit) ? PRESENT : 0));
    if (allocated > 4)
        unit->media_event = SCSI_MEDIA_NO_CHANGE;
    scsi_reply(task, 8, allocated);
}

void
scsi_mechanism_status(ScsiTask *task)
{
    enum { DOOR_OPEN = 0x10, STATUS_BYTES = 8 };
    uint8_t *reply = task->unit->reply;

    reply[1] = task->unit->tray_open ? DOOR_OPEN : 0;
    reply[5] = 1; /* slot */
    scsi_reply(task, STATUS_BYTES, kiln_be16_load(task->command->cdb + 8));
}

/* ---- What the drive can ---- */

unsigned
scsi_cd_capabilities(const KilnScsiUnit *unit, uint8_t *page)
{
    enum {
        LENGTH = 0x14,
        READS = 0x0b, /* CD-R, CD-RW, DVD-ROM */
        TRAY_LOCK_EJECT = 0x29,
        LOCKED = 0x02,
        SPEED = 50 * 176, /* kB/s */
        BUFFER = 2048,    /* KiB */
    };

    page[1] = LENGTH;
    page[2] = READS;
    page[6] = (uint8_t)(TRAY_LOCK_EJECT | (unit->tray_locked ? LOCKED : 0));
    kiln_be16_store(page + 8, SPEED);
    kiln_be16_store(page + 12, BUFFER);
    kiln_be16_store(page + 14, SPEED);
    return 2 + LENGTH;
}

typedef struct {
    uint8_t *reply;
    unsigned length; /* bytes in it */
    unsigned from;   /* the first feature that is asked for */
    unsigned wanted; /* RT of the CDB: all, current ones, one */
} Features;

/* @state: version << 2, persistent 2, current 1. */
static void
put_feature(Features *features, uint16_t code, uint8_t state, const uint8_t *data, uint8_t length)
{
    enum { CURRENT = 1, RT_CURRENT = 1, RT_ONE = 2 };
    uint8_t *at = features->reply + features->length;

    if (features->wanted == RT_ONE ? code != features->from : code < features->from)
        return;
    if (features->wanted == RT_CURRENT && !(state & CURRENT))
        return;
    kiln_be16_store(at, code);
    at[2] = state;
    at[3] = length;
    if (length > 0)
        memcpy(at + 4, data, length);
    features->length += 4 + length;
}

/* MMC-6 §6.5, features §5.3. */
void
scsi_get_configuration(ScsiTask *task)
{
    enum { HEADER = 8, ALWAYS = 3, CORE = 2 << 2 | ALWAYS, REMOVABLE = 0x29, RT_RESERVED = 3 };
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    unsigned current = profile(unit);
    uint8_t is_cd = current == PROFILE_CD_ROM;
    uint8_t is_dvd = current == PROFILE_DVD_ROM;
    const uint8_t profiles[] = { 0, PROFILE_DVD_ROM, is_dvd, 0, 0, PROFILE_CD_ROM, is_cd, 0 };
    const uint8_t core[] = { 0, 0, 0, unit->atapi ? 2 : 1, 1, 0, 0, 0 };
    const uint8_t removable[] = { REMOVABLE, 0, 0, 0 };
    const uint8_t readable[] = { 0, 0, SCSI_CD_BLOCK >> 8, 0, 0, 1, 0, 0 };
    const uint8_t cd_read[] = { 0, 0, 0, 0 };
    Features features = { unit->reply, HEADER, kiln_be16_load(cdb + 2), cdb[1] & 3 };

    if (features.wanted == RT_RESERVED) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    put_feature(&features, 0x0000, ALWAYS, profiles, sizeof profiles);
    put_feature(&features, 0x0001, CORE, core, sizeof core);
    put_feature(&features, 0x0003, ALWAYS, removable, sizeof removable);
    put_feature(&features, 0x0010, is_cd | is_dvd, readable, sizeof readable);
    put_feature(&features, 0x001e, (uint8_t)(2 << 2 | is_cd), cd_read, sizeof cd_read);
    put_feature(&features, 0x001f, is_dvd, NULL, 0);
    kiln_be32_store(unit->reply, features.length - 4);
    kiln_be16_store(unit->reply + 6, (uint16_t)current);
    scsi_reply(task, features.length, kiln_be16_load(cdb + 7));
}

/* ---- What is on the disc ---- */

/* A block's address, as such or as the time at which it would be played. */
static void
put_address(uint8_t *at, uint64_t lba, gboolean time)
{
    uint64_t frame = lba + LEAD_IN_FRAMES;

    if (!time) {
        kiln_be32_store(at, (uint32_t)lba);
        return;
    }
    at[0] = 0;
    at[1] = (uint8_t)MIN(frame / (FRAMES * 60), 0xff);
    at[2] = (uint8_t)(frame / FRAMES % 60);
    at[3] = (uint8_t)(frame % FRAMES);
}

/* Format 0: the tracks from the one asked for on.  Returns: bytes; 0 if there is none. */
static unsigned
put_tracks(const KilnScsiUnit *unit, uint8_t *reply, uint8_t from, gboolean time)
{
    unsigned length = 4;

    if (from > 1 && from != LEAD_OUT)
        return 0;
    reply[2] = reply[3] = 1;
    if (from <= 1) {
        reply[length + 1] = DATA_TRACK;
        reply[length + 2] = 1;
        put_address(reply + length + 4, 0, time);
        length += 8;
    }
    reply[length + 1] = DATA_TRACK;
    reply[length + 2] = LEAD_OUT;
    put_address(reply + length + 4, scsi_blocks(unit), time);
    return length + 8;
}

/* Format 1: where the last session begins.  Returns: bytes. */
static unsigned
put_sessions(uint8_t *reply, gboolean time)
{
    reply[2] = reply[3] = 1;
    reply[5] = DATA_TRACK;
    reply[6] = 1;
    put_address(reply + 8, 0, time);
    return 12;
}

/* Format 2: the points of the lead-in (MMC-6 §6.25.3.4), whose addresses are always times. */
static unsigned
put_points(const KilnScsiUnit *unit, uint8_t *reply)
{
    enum { POINT_BYTES = 11 };
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    unsigned length = 4;

    reply[2] = reply[3] = 1;
    for (unsigned i = 0; i < G_N_ELEMENTS(points); i++) {
        uint8_t *at = reply + length;

        at[0] = 1; /* session */
        at[1] = DATA_TRACK;
        at[3] = points[i];
        if (points[i] == 0xa2)
            put_address(at + 7, scsi_blocks(unit), TRUE);
        else if (points[i] == 1)
            put_address(at + 7, 0, TRUE);
        else
            at[8] = 1; /* first, or last, track */
        length += POINT_BYTES;
    }
    return length;
}

void
scsi_read_toc(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    gboolean time = (cdb[1] & TIME) != 0;
    unsigned format = cdb[2] & 0xf;
    unsigned length = 0;

    if (format == 0) /* where SFF-8020 has it, if it is not where MMC does */
        format = cdb[9] >> 6;
    if (format == 0)
        length = put_tracks(unit, unit->reply, cdb[6], time);
    else if (format == 1)
        length = put_sessions(unit->reply, time);
    else if (format == 2)
        length = put_points(unit, unit->reply);
    if (length == 0) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    kiln_be16_store(unit->reply, (uint16_t)(length - 2));
    scsi_reply(task, length, kiln_be16_load(cdb + 7));
}

void
scsi_read_disc_information(ScsiTask *task)
{
    enum { INFORMATION_BYTES = 34, FINISHED = 0x0e, FREE_USE = 0x20 };
    const uint8_t *cdb = task->command->cdb;
    uint8_t *reply = task->unit->reply;

    if (cdb[1] & 7) { /* of Blu-ray */
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    kiln_be16_store(reply, INFORMATION_BYTES - 2);
    reply[2] = FINISHED;
    reply[3] = reply[4] = reply[5] = reply[6] = 1; /* tracks, sessions */
    reply[7] = FREE_USE;
    scsi_reply(task, INFORMATION_BYTES, kiln_be16_load(cdb + 7));
}

/* ---- READ DISC STRUCTURE, of DVDs (MMC-6 §6.22) ---- */

enum {
    STRUCTURE_PHYSICAL = 0x00,
    STRUCTURE_COPYRIGHT = 0x01,
    STRUCTURE_MANUFACTURER = 0x04,
    STRUCTURE_LIST = 0xff,
    LAYER_BYTES = 2048 + 4,
};

static unsigned
put_physical(const KilnScsiUnit *unit, uint8_t *reply)
{
    enum { FIRST_SECTOR = 0x30000 };
    uint64_t last = FIRST_SECTOR + scsi_blocks(unit) - 1;

    reply[4] = 0x01; /* DVD-ROM, version 1 */
    reply[5] = 0x0f; /* 120 mm, no rate said */
    reply[6] = 0x01; /* one layer, embossed */
    kiln_be32_store(reply + 8, FIRST_SECTOR);
    kiln_be32_store(reply + 12, (uint32_t)MIN(last, 0xffffff));
    return LAYER_BYTES;
}

static unsigned
put_structure_list(uint8_t *reply)
{
    static const struct {
        uint8_t format;
        uint16_t length;
    } list[] = { { STRUCTURE_PHYSICAL, LAYER_BYTES },
                 { STRUCTURE_COPYRIGHT, 8 },
                 { STRUCTURE_MANUFACTURER, LAYER_BYTES } };
    unsigned length = 4;

    for (unsigned i = 0; i < G_N_ELEMENTS(list); i++, length += 4) {
        reply[length] = list[i].format;
        reply[length + 1] = 0x40; /* can be read */
        kiln_be16_store(reply + length + 2, list[i].length);
    }
    return length;
}

void
scsi_read_disc_structure(ScsiTask *task)
{
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    unsigned length = 0;

    if (profile(unit) != PROFILE_DVD_ROM) {
        scsi_check(task, SENSE_INCOMPATIBLE);
        return;
    }
    if (cdb[7] == STRUCTURE_PHYSICAL && cdb[6] == 0)
        length = put_physical(unit, unit->reply);
    else if (cdb[7] == STRUCTURE_COPYRIGHT)
        length = 8;
    else if (cdb[7] == STRUCTURE_MANUFACTURER)
        length = LAYER_BYTES;
    else if (cdb[7] == STRUCTURE_LIST)
        length = put_structure_list(unit->reply);
    if (length == 0) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    kiln_be16_store(unit->reply, (uint16_t)(length - 2));
    scsi_reply(task, length, kiln_be16_load(cdb + 8));
}
