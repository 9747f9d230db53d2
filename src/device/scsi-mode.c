/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mode pages: SPC-4 §6.11 to §6.14 and §7.5, SBC-3 §6.5, MMC-3 §6.3.  One bit can be changed: WCE.
 */
#include "device/scsi-private.h"

#include <string.h>

enum {
    PAGE_ERROR_RECOVERY = 0x01,
    PAGE_GEOMETRY = 0x04,
    PAGE_CACHING = 0x08,
    PAGE_CD_CAPABILITIES = 0x2a,
    PAGE_ALL = 0x3f,
    SUBPAGE_ALL = 0xff,
    WCE = 0x04, /* in byte 2 of the caching page */
    MAX_PAGE = 64,
    MAX_LIST = 255, /* bytes of a parameter list of MODE SELECT */
    BLOCK_DESCRIPTOR = 8,
    OPCODE_SENSE_6 = 0x1a,
    OPCODE_SELECT_6 = 0x15,
};

typedef enum {
    CURRENT,
    CHANGEABLE,
    DEFAULT,
    SAVED,
} PageControl;

/* ---- The pages ---- */

/* Each fills in a whole page, header and all, as it is now or by default.  Returns: bytes. */
typedef unsigned PageFunc(const KilnScsiUnit *unit, PageControl control, uint8_t *page);

static unsigned
error_recovery(const KilnScsiUnit *unit, PageControl control, uint8_t *page)
{
    enum { LENGTH = 10, AWRE = 0x80 };

    (void)control;
    page[1] = LENGTH;
    page[2] = unit->kind == KILN_SCSI_DISK ? AWRE : 0;
    page[3] = unit->kind == KILN_SCSI_CDROM ? 0x20 : 0; /* read retries, as drives have them */
    return 2 + LENGTH;
}

/* As BIOSes have translated disks since LBA came. */
static unsigned
geometry(const KilnScsiUnit *unit, PageControl control, uint8_t *page)
{
    enum { LENGTH = 0x16, HEADS = 16, SECTORS = 63, RPM = 5400 };
    uint64_t cylinders = MIN(scsi_blocks(unit) / (HEADS * SECTORS), 0xffffff);

    (void)control;
    page[1] = LENGTH;
    kiln_be32_store(page + 1, (uint32_t)(LENGTH << 24 | cylinders));
    page[5] = HEADS;
    kiln_be16_store(page + 20, unit->rotation_rate > 1 ? unit->rotation_rate : RPM);
    return 2 + LENGTH;
}

static unsigned
caching(const KilnScsiUnit *unit, PageControl control, uint8_t *page)
{
    enum { LENGTH = 0x12 };
    gboolean cache = control == DEFAULT ? unit->initial_cache : unit->write_cache;

    page[1] = LENGTH;
    page[2] = cache ? WCE : 0;
    return 2 + LENGTH;
}

static unsigned
cd_capabilities(const KilnScsiUnit *unit, PageControl control, uint8_t *page)
{
    (void)control;
    return scsi_cd_capabilities(unit, page);
}

static const struct {
    uint8_t page;
    gboolean of_disk, of_cdrom;
    PageFunc *func;
} pages[] = {
    { PAGE_ERROR_RECOVERY, TRUE, TRUE, error_recovery },
    { PAGE_GEOMETRY, TRUE, FALSE, geometry },
    { PAGE_CACHING, TRUE, FALSE, caching },
    { PAGE_CD_CAPABILITIES, FALSE, TRUE, cd_capabilities },
};

/* Returns: bytes, 0 if the unit has no page @i. */
static unsigned
fill_page(const KilnScsiUnit *unit, unsigned i, PageControl control, uint8_t *page)
{
    unsigned length;

    if (unit->kind == KILN_SCSI_CDROM ? !pages[i].of_cdrom : !pages[i].of_disk)
        return 0;
    length = pages[i].func(unit, control, page);
    page[0] = pages[i].page;
    if (control == CHANGEABLE) {
        memset(page + 2, 0, length - 2);
        if (pages[i].page == PAGE_CACHING)
            page[2] = WCE;
    }
    return length;
}

/* ---- MODE SENSE ---- */

static unsigned
put_block_descriptor(const KilnScsiUnit *unit, uint8_t *bytes)
{
    uint64_t blocks = scsi_blocks(unit);

    kiln_be32_store(bytes, blocks <= 0xffffff ? (uint32_t)blocks : 0);
    kiln_be32_store(bytes + 4, unit->block_size & 0xffffff);
    return BLOCK_DESCRIPTOR;
}

/* The mode parameter header (SPC-4 §7.5.5); @length: bytes of all. */
static void
put_header(KilnScsiUnit *unit, gboolean is_6, unsigned length, unsigned descriptor)
{
    enum { DPOFUA = 0x10, WP = 0x80 };
    uint8_t *reply = unit->reply;
    uint8_t specific = 0;

    if (unit->kind == KILN_SCSI_DISK)
        specific = (uint8_t)(DPOFUA | (unit->read_only ? WP : 0));
    if (is_6) {
        reply[0] = (uint8_t)(length - 1);
        reply[2] = specific;
        reply[3] = (uint8_t)descriptor;
    } else {
        kiln_be16_store(reply, (uint16_t)(length - 2));
        reply[3] = specific;
        kiln_be16_store(reply + 6, (uint16_t)descriptor);
    }
}

void
scsi_mode_sense(ScsiTask *task)
{
    enum { DBD = 0x08 };
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    gboolean is_6 = cdb[0] == OPCODE_SENSE_6;
    PageControl control = (PageControl)(cdb[2] >> 6);
    uint8_t wanted = cdb[2] & PAGE_ALL;
    unsigned length = is_6 ? 4 : 8;
    unsigned descriptor = 0;
    unsigned n_pages = 0;

    if (control == SAVED) {
        scsi_check(task, SENSE_SAVING_UNSUPPORTED);
        return;
    }
    /* MMC has none (MMC-3 §5.17.4 of old drives notwithstanding). */
    if (unit->kind == KILN_SCSI_DISK && !(cdb[1] & DBD))
        descriptor = put_block_descriptor(unit, unit->reply + length);
    length += descriptor;
    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        unsigned bytes;

        if (wanted != PAGE_ALL && wanted != pages[i].page)
            continue;
        bytes = fill_page(unit, i, control, unit->reply + length);
        length += bytes;
        n_pages += bytes > 0;
    }
    if (n_pages == 0 || (cdb[3] != 0 && cdb[3] != SUBPAGE_ALL)) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    put_header(unit, is_6, length, descriptor);
    scsi_reply(task, length, is_6 ? cdb[4] : kiln_be16_load(cdb + 7));
}

/* ---- MODE SELECT ---- */

/* Whether @page differs from what it is only in what may be changed. */
static gboolean
page_acceptable(const KilnScsiUnit *unit, unsigned i, const uint8_t *page, unsigned length)
{
    uint8_t current[MAX_PAGE] = { 0 }, changeable[MAX_PAGE] = { 0 };

    if (fill_page(unit, i, CURRENT, current) != length)
        return FALSE;
    fill_page(unit, i, CHANGEABLE, changeable);
    for (unsigned at = 2; at < length; at++)
        if ((page[at] ^ current[at]) & ~changeable[at])
            return FALSE;
    return TRUE;
}

/* Returns: bytes of the page at the begin of @bytes; 0 if it is none that the unit takes. */
static unsigned
take_page(const KilnScsiUnit *unit, const uint8_t *bytes, unsigned left, gboolean *cache)
{
    unsigned length;

    if (left < 2 || bytes[1] + 2u > left)
        return 0;
    length = bytes[1] + 2u;
    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        if ((bytes[0] & 0x7f) != pages[i].page)
            continue;
        if (!page_acceptable(unit, i, bytes, length))
            return 0;
        if (pages[i].page == PAGE_CACHING)
            *cache = (bytes[2] & WCE) != 0;
        return length;
    }
    return 0;
}

/* Whether a block descriptor says what is so already. */
static gboolean
descriptor_acceptable(const KilnScsiUnit *unit, const uint8_t *descriptor, unsigned length)
{
    return length == 0 || (length == BLOCK_DESCRIPTOR &&
                           (kiln_be32_load(descriptor + 4) & 0xffffff) == unit->block_size);
}

/* Checks the whole list before anything is changed. */
static ScsiSense
take_list(const KilnScsiUnit *unit, const uint8_t *list, unsigned length, gboolean is_6,
          gboolean *cache)
{
    unsigned header = is_6 ? 4 : 8;
    unsigned descriptor, at;

    if (length < header)
        return SENSE_PARAMETER_LENGTH;
    descriptor = is_6 ? list[3] : kiln_be16_load(list + 6);
    if (descriptor > length - header)
        return SENSE_PARAMETER_LENGTH;
    if (!descriptor_acceptable(unit, list + header, descriptor))
        return SENSE_INVALID_PARAMETER;
    for (at = header + descriptor; at < length;) {
        unsigned page = take_page(unit, list + at, length - at, cache);

        if (page == 0)
            return SENSE_INVALID_PARAMETER;
        at += page;
    }
    return SENSE_NONE;
}

void
scsi_mode_select(ScsiTask *task)
{
    enum { PF = 0x10, SP = 0x01 };
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    gboolean is_6 = cdb[0] == OPCODE_SELECT_6;
    uint32_t length = is_6 ? cdb[4] : kiln_be16_load(cdb + 7);
    gboolean cache = unit->write_cache;
    gboolean had_cache = cache;
    uint8_t list[MAX_LIST];
    ScsiSense sense = SENSE_NONE;

    if ((cdb[1] & (PF | SP)) != PF || length > sizeof list)
        sense = SENSE_INVALID_FIELD;
    else if (length > 0)
        sense = take_list(unit, list, scsi_gather(task, list, length), is_6, &cache);
    if (sense.key != SCSI_NO_SENSE) {
        scsi_check(task, sense);
        return;
    }
    task->transferred = length;
    unit->write_cache = cache;
    if (had_cache && !cache && scsi_has_medium(unit))
        scsi_flush(task);
    else
        scsi_good(task);
}
