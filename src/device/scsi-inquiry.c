/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* INQUIRY and the vital product data: SPC-4 §6.6 and §7.8, SBC-3 §6.6. */
#include "device/scsi-private.h"

#include <string.h>

enum {
    PAGE_SUPPORTED = 0x00,
    PAGE_SERIAL = 0x80,
    PAGE_IDENTIFICATION = 0x83,
    PAGE_BLOCK_LIMITS = 0xb0,
    PAGE_CHARACTERISTICS = 0xb1,
    PAGE_PROVISIONING = 0xb2,
    TYPE_DISK = 0x00,
    TYPE_CDROM = 0x05,
    PAGE_HEADER = 4,
};

static uint8_t
device_type(const KilnScsiUnit *unit)
{
    return unit->kind == KILN_SCSI_CDROM ? TYPE_CDROM : TYPE_DISK;
}

/* Each returns the bytes after the page's header; 0: there is no such page. */
typedef unsigned PageFunc(const KilnScsiUnit *unit, uint8_t *bytes);

static unsigned
serial_page(const KilnScsiUnit *unit, uint8_t *bytes)
{
    size_t length = strlen(unit->serial);

    memcpy(bytes, unit->serial, length);
    return (unsigned)length;
}

/* A string of the vendor's, of the name that udev makes a link for, and the NAA identifier. */
static unsigned
identification_page(const KilnScsiUnit *unit, uint8_t *bytes)
{
    const char *id = unit->serial[0] != '\0' ? unit->serial : unit->id;
    unsigned length = (unsigned)strlen(id);
    unsigned n = 0;

    if (length > 0) {
        bytes[n] = 0x02; /* ASCII */
        bytes[n + 3] = (uint8_t)length;
        memcpy(bytes + n + 4, id, length);
        n += 4 + length;
    }
    if (unit->wwn != 0) {
        bytes[n] = 0x01;     /* binary */
        bytes[n + 1] = 0x03; /* NAA, of the unit */
        bytes[n + 3] = 8;
        kiln_be64_store(bytes + n + 4, unit->wwn);
        n += 12;
    }
    return n;
}

static unsigned
block_limits_page(const KilnScsiUnit *unit, uint8_t *page)
{
    enum { LENGTH = 0x3c };
    uint32_t per_physical = unit->physical_size / unit->block_size;
    uint32_t granularity = 0;
    uint8_t *bytes = page - PAGE_HEADER; /* counted as SBC-3 counts */

    if (unit->chain != NULL)
        granularity = unit->chain->discard_granularity / unit->block_size;
    bytes[4] = 1; /* WSNZ: WRITE SAME of no blocks is not of all */
    kiln_be16_store(bytes + 6, (uint16_t)per_physical);
    if (unit->discard) {
        kiln_be32_store(bytes + 20, (uint32_t)(SCSI_MAX_STEP_BYTES / unit->block_size));
        kiln_be32_store(bytes + 24, SCSI_MAX_UNMAP_SEGMENTS);
        kiln_be32_store(bytes + 28, MAX(granularity, 1));
    }
    kiln_be64_store(bytes + 36, SCSI_MAX_STEP_BYTES / unit->block_size);
    return LENGTH;
}

static unsigned
characteristics_page(const KilnScsiUnit *unit, uint8_t *bytes)
{
    enum { LENGTH = 0x3c };

    kiln_be16_store(bytes, unit->rotation_rate);
    return LENGTH;
}

static unsigned
provisioning_page(const KilnScsiUnit *unit, uint8_t *bytes)
{
    enum { LENGTH = 4, LBPU_LBPWS_LBPWS10 = 0xe0, FULL = 0, THIN = 2 };

    bytes[1] = unit->discard ? LBPU_LBPWS_LBPWS10 : 0;
    bytes[2] = unit->discard ? THIN : FULL;
    return LENGTH;
}

static unsigned supported_page(const KilnScsiUnit *unit, uint8_t *bytes);

static const struct {
    uint8_t page;
    gboolean of_disks; /* alone */
    PageFunc *func;
} pages[] = {
    { PAGE_SUPPORTED, FALSE, supported_page },
    { PAGE_SERIAL, FALSE, serial_page },
    { PAGE_IDENTIFICATION, FALSE, identification_page },
    { PAGE_BLOCK_LIMITS, TRUE, block_limits_page },
    { PAGE_CHARACTERISTICS, TRUE, characteristics_page },
    { PAGE_PROVISIONING, TRUE, provisioning_page },
};

static gboolean
has_page(const KilnScsiUnit *unit, unsigned i)
{
    if (pages[i].of_disks)
        return unit->kind == KILN_SCSI_DISK;
    return pages[i].page != PAGE_SERIAL || unit->serial[0] != '\0';
}

static unsigned
supported_page(const KilnScsiUnit *unit, uint8_t *bytes)
{
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++)
        if (has_page(unit, i))
            bytes[n++] = pages[i].page;
    return n;
}

static void
inquire_page(ScsiTask *task, uint8_t page)
{
    KilnScsiUnit *unit = task->unit;
    uint8_t *reply = unit->reply;

    for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
        unsigned length;

        if (pages[i].page != page || !has_page(unit, i))
            continue;
        length = pages[i].func(unit, reply + PAGE_HEADER);
        reply[0] = device_type(unit);
        reply[1] = page;
        kiln_be16_store(reply + 2, (uint16_t)length);
        scsi_reply(task, PAGE_HEADER + length, kiln_be16_load(task->command->cdb + 3));
        return;
    }
    scsi_check(task, SENSE_INVALID_FIELD);
}

void
scsi_inquiry(ScsiTask *task)
{
    enum { STANDARD_BYTES = 36, SPC_3 = 5, CMDQUE = 0x02, HISUP = 0x10, RMB = 0x80 };
    KilnScsiUnit *unit = task->unit;
    const uint8_t *cdb = task->command->cdb;
    uint8_t *reply = unit->reply;

    if (cdb[1] & 1) {
        inquire_page(task, cdb[2]);
        return;
    }
    if (cdb[2] != 0) {
        scsi_check(task, SENSE_INVALID_FIELD);
        return;
    }
    reply[0] = device_type(unit);
    reply[1] = unit->removable ? RMB : 0;
    reply[2] = unit->atapi ? 0 : SPC_3;
    reply[3] = unit->atapi ? 0x21 : HISUP | 2; /* SFF-8020 and the format; the format of SPC */
    reply[4] = STANDARD_BYTES - 5;
    reply[7] = unit->atapi ? 0 : CMDQUE;
    memcpy(reply + 8, unit->vendor, sizeof unit->vendor);
    memcpy(reply + 16, unit->product, sizeof unit->product);
    memcpy(reply + 32, unit->version, sizeof unit->version);
    scsi_reply(task, STANDARD_BYTES, kiln_be16_load(cdb + 3));
}
