/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ahci-private.h: buffers of a command (AHCI 1.3.1 §4.2.3.3). */
#include "device/ahci-private.h"

#include "base/le.h"

enum {
    PRDT = 0x80, /* in the command table */
    PRD_BYTES = 16,
    PRD_LENGTH = 0x3fffff, /* less one */
    MOST_OF_IOV = AHCI_MAX_IOV - 2,
};

/* Where the last whole granule ends. */
typedef struct {
    uint64_t bytes;
    unsigned n_iov;
    size_t last; /* bytes of the last iovec */
    uint32_t prd, prd_offset;
} Mark;

/* Returns: how many of @length bytes are in one piece, 0 if none is memory. */
static uint64_t
map_some(KilnMemory *memory, KilnGpa gpa, uint64_t length, void **host)
{
    const KilnMemoryRegion *regions;
    guint n;

    *host = kiln_memory_map(memory, gpa, length);
    if (*host != NULL)
        return length;
    regions = kiln_memory_regions(memory, &n);
    for (guint i = 0; i < n; i++) {
        uint64_t into = gpa - regions[i].gpa;

        if (gpa < regions[i].gpa || into >= regions[i].size)
            continue;
        length = MIN(length, regions[i].size - into);
        *host = kiln_memory_map(memory, gpa, length);
        return *host != NULL ? length : 0;
    }
    return 0;
}

/* Adds what is left of a PRD, at most @wanted bytes.  FALSE: some of it is no memory. */
static gboolean
add_buffer(AhciSlot *slot, KilnGpa gpa, uint64_t wanted, uint64_t *total, uint32_t granule,
           Mark *mark)
{
    while (wanted > 0 && slot->ata.n_iov < AHCI_MAX_IOV) {
        struct iovec *iov = &slot->iov[slot->ata.n_iov];
        uint64_t length = map_some(slot->port->hba->memory, gpa, wanted, &iov->iov_base);
        uint64_t over;

        if (length == 0)
            return FALSE;
        iov->iov_len = length;
        slot->ata.n_iov++;
        *total += length;
        slot->prd_offset += (uint32_t)length;
        wanted -= length;
        gpa += length;
        over = *total % granule;
        if (over < length)
            *mark = (Mark){ *total - over, slot->ata.n_iov, (size_t)(length - over), slot->prd,
                            slot->prd_offset - (uint32_t)over };
    }
    return TRUE;
}

/* Takes back what is behind the last whole granule. */
static int64_t
cut(AhciSlot *slot, const Mark *mark)
{
    if (mark->bytes == 0)
        return KILN_ATA_FILL_NONE;
    slot->ata.n_iov = mark->n_iov;
    slot->iov[mark->n_iov - 1].iov_len = mark->last;
    slot->prd = mark->prd;
    slot->prd_offset = mark->prd_offset;
    return (int64_t)mark->bytes;
}

int64_t
ahci_fill(KilnAtaRequest *request, uint64_t wanted, uint32_t granule)
{
    AhciSlot *slot = (AhciSlot *)request;
    KilnMemory *memory = slot->port->hba->memory;
    Mark mark = { 0 };
    uint64_t total = 0;

    request->iov = slot->iov;
    request->n_iov = 0;
    while (total < wanted && request->n_iov < MOST_OF_IOV && slot->prd < slot->n_prds) {
        uint8_t prd[PRD_BYTES];
        uint32_t last_word, length;

        if (!kiln_memory_read(memory, slot->table + PRDT + (uint64_t)slot->prd * PRD_BYTES, prd,
                              sizeof prd)) {
            slot->fault = TRUE;
            return KILN_ATA_FILL_NONE;
        }
        last_word = kiln_le32_load(prd + 12);
        length = (last_word & PRD_LENGTH) + 1;
        slot->prd_done |= last_word >> 31 != 0;
        if (slot->prd_offset < length &&
            !add_buffer(slot, (kiln_le64_load(prd) & ~UINT64_C(1)) + slot->prd_offset,
                        MIN(length - slot->prd_offset, wanted - total), &total, granule, &mark)) {
            slot->fault = TRUE;
            return KILN_ATA_FILL_NONE;
        }
        if (slot->prd_offset >= length) {
            slot->prd++;
            slot->prd_offset = 0;
        }
    }
    return total == wanted ? (int64_t)total : cut(slot, &mark);
}
