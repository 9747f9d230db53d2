/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci-rom.h. */
#include "bus/pci-rom.h"

#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"

/* The ROM's header and the PCI data structure: PCI 3.0 §6.3.1. */
enum {
    SIGNATURE = 0xaa55,
    CHECKSUM = 6, /* a byte of the BIOS's that may be any: all bytes add up to 0 with it */
    DATA_POINTER = 0x18,
    HEADER_BYTES = 0x1a,
    DATA_VENDOR = 4,
    DATA_DEVICE = 6,
    DATA_CODE_TYPE = 0x14,
    DATA_BYTES = 0x18,
    CODE_BIOS = 0,
    PAGE = 4096, /* the least, so that it can be a slot */
};

struct KilnPciRom {
    uint8_t *bytes; /* (owned) mapped, @size of them */
    gsize size;     /* a power of 2 */
    KilnSlots slots;
    int slot; /* -1: none */
};

static uint64_t
rom_read(void *opaque, uint64_t offset, unsigned size)
{
    const KilnPciRom *rom = opaque;
    uint64_t value = 0;

    memcpy(&value, rom->bytes + offset, size); /* the region ends where the bytes do */
    return GUINT64_FROM_LE(value);
}

static void
rom_mapped(void *opaque, uint64_t base)
{
    KilnPciRom *rom = opaque;

    if (rom->slots.ops == NULL)
        return;
    if (rom->slot >= 0)
        rom->slots.ops->remove(rom->slots.opaque, rom->slot);
    rom->slot = base != KILN_SPACE_UNMAPPED
                    ? rom->slots.ops->add(rom->slots.opaque, base, rom->size, rom->bytes, TRUE)
                    : -1;
}

static const KilnRegionOps rom_ops = {
    .read = rom_read, .mapped = rom_mapped, .min_access = 1, .max_access = 8
};

/* Stores a number that the header's checksum covers. */
static void
patch(uint8_t *image, gsize at, uint16_t value, gboolean sum)
{
    uint8_t before = (uint8_t)(image[at] + image[at + 1]);

    kiln_le16_store(image + at, value);
    if (sum)
        image[CHECKSUM] =
            (uint8_t)(image[CHECKSUM] + before - (uint8_t)(image[at] + image[at + 1]));
}

static void
patch_ids(const KilnPciDevice *pci, uint8_t *image, gsize data)
{
    gboolean sum = image[data + DATA_CODE_TYPE] == CODE_BIOS;

    patch(image, data + DATA_VENDOR, kiln_le16_load(pci->config + PCI_VENDOR_ID), sum);
    patch(image, data + DATA_DEVICE, kiln_le16_load(pci->config + PCI_DEVICE_ID), sum);
}

gboolean
kiln_pci_device_add_rom(KilnPciDevice *pci, const uint8_t *image, gsize length,
                        const KilnSlots *slots, GError **error)
{
    KilnPciRom *rom;
    gsize data = length >= HEADER_BYTES ? kiln_le16_load(image + DATA_POINTER) : 0;
    gsize size = PAGE;
    void *bytes;

    if (length < HEADER_BYTES || length > KILN_PCI_ROM_MAX || kiln_le16_load(image) != SIGNATURE ||
        !kiln_range_inside(data, DATA_BYTES, length) || memcmp(image + data, "PCIR", 4) != 0)
        return kiln_error_set(error, KILN_ERROR_INVALID, "is no PCI expansion ROM");
    while (size < length)
        size *= 2;
    bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return kiln_error_set_errno(error, errno, "expansion ROM: no memory");
    rom = g_new0(KilnPciRom, 1);
    rom->bytes = bytes;
    rom->size = size;
    rom->slots = *slots;
    rom->slot = -1;
    memcpy(rom->bytes, image, length);
    patch_ids(pci, rom->bytes, data);
    pci->rom = rom;
    kiln_pci_device_add_bar(pci, KILN_PCI_ROM, KILN_PCI_BAR_ROM, FALSE, size, &rom_ops, rom);
    return TRUE;
}

void
kiln_pci_rom_free(KilnPciRom *rom)
{
    if (rom == NULL)
        return;
    munmap(rom->bytes, rom->size);
    g_free(rom);
}
