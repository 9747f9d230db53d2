/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See bochs.h. */
#include "device/bochs.h"

#include <string.h>

enum {
    VENDOR = 0x1234,
    DEVICE = 0x1111,
    REVISION = 2, /* BAR 2 is there */
    SUBSYSTEM_VENDOR = 0x1af4,
    SUBSYSTEM = 0x1100,

    BAR_MEMORY = 0,
    BAR_REGISTERS = 2,
    REGISTER_BYTES = 4096,
    EDID_END = 0x400,
    PORTS = 0x400, /* those from PORTS_FIRST on */
    PORTS_FIRST = 0x3c0,
    PORTS_END = PORTS + 0x20,
    DISPI = 0x500,
    DISPI_END = DISPI + 2 * KILN_DISPI_N_REGISTERS,
    EXTENDED = 0x600,
    EXTENDED_BYTES = 8,
    BYTE_ORDER_LITTLE = 0x1e1e1e1e,
};

void
kiln_bochs_set_dispi(KilnBochs *bochs, uint16_t value)
{
    if (kiln_dispi_write(&bochs->dispi, value))
        kiln_video_memory_zero(&bochs->memory,
                               kiln_dispi_clear_bytes(&bochs->dispi, bochs->memory.size));
}

/* ---- BAR 2: accesses of one or two bytes -------------------------------------------------------
 */

static uint16_t
read_dispi(const KilnBochs *bochs, uint64_t offset)
{
    KilnDispi at = bochs->dispi;

    at.index = (uint16_t)((offset - DISPI) / 2);
    return kiln_dispi_read(&at, bochs->memory.size) >> 8 * (offset & 1);
}

static uint8_t
read_byte(KilnBochs *bochs, uint64_t offset)
{
    uint64_t extended = EXTENDED_BYTES | (uint64_t)BYTE_ORDER_LITTLE << 32;

    if (offset < sizeof bochs->edid)
        return bochs->edid[offset];
    if (offset < EDID_END)
        return 0;
    if (offset < PORTS_END && bochs->vga != NULL)
        return kiln_vga_registers_read(bochs->vga, (unsigned)(offset - PORTS + PORTS_FIRST));
    if (offset >= DISPI && offset < DISPI_END)
        return (uint8_t)read_dispi(bochs, offset);
    if (offset >= EXTENDED && offset < EXTENDED + EXTENDED_BYTES)
        return (uint8_t)(extended >> 8 * (offset - EXTENDED));
    return 0xff;
}

static uint64_t
registers_read(void *opaque, uint64_t offset, unsigned size)
{
    KilnBochs *bochs = opaque;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_byte(bochs, offset + i) << 8 * i;
    return value;
}

static void
registers_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnBochs *bochs = opaque;

    if (offset >= DISPI && offset < DISPI_END && size == 2) {
        uint16_t index = bochs->dispi.index;

        bochs->dispi.index = (uint16_t)((offset - DISPI) / 2);
        kiln_bochs_set_dispi(bochs, (uint16_t)data);
        bochs->dispi.index = index;
    } else if (offset >= PORTS && offset < PORTS_END && bochs->vga != NULL) {
        for (unsigned i = 0; i < size; i++)
            kiln_vga_registers_write(bochs->vga, (unsigned)(offset + i - PORTS + PORTS_FIRST),
                                     (uint8_t)(data >> 8 * i));
    }
}

static const KilnRegionOps registers_ops = { .read = registers_read,
                                             .write = registers_write,
                                             .max_access = 2 };

/* ---- life --------------------------------------------------------------------------------------
 */

void
kiln_bochs_hint(void *device, const KilnSurfaceHint *hint)
{
    KilnBochs *bochs = device;
    KilnEdidOptions prefers = { hint->width, hint->height, hint->width_mm, hint->height_mm };
    KILN_LOCK_SCOPE(&bochs->pci.device.lock);

    kiln_edid_make(&prefers, bochs->edid);
}

gboolean
kiln_bochs_init(KilnBochs *bochs, const KilnDeviceOps *ops, const KilnSurfaceDevice *surface,
                const KilnBochsOptions *options, GError **error)
{
    KilnPciIdentity identity = {
        .vendor = VENDOR,
        .device = DEVICE,
        .revision = REVISION,
        .class_code = options->class_code,
        .subsystem_vendor = SUBSYSTEM_VENDOR,
        .subsystem = SUBSYSTEM,
    };
    static const KilnEdidOptions usual = { 0 };

    kiln_pci_device_init(&bochs->pci, ops, NULL, options->id, &identity);
    bochs->vga = options->vga;
    kiln_dispi_reset(&bochs->dispi);
    kiln_edid_make(options->prefers != NULL ? options->prefers : &usual, bochs->edid);
    bochs->surface = kiln_surface_new(options->id, 0, surface, bochs);
    if (!kiln_video_memory_init(&bochs->memory, kiln_video_memory_size(options->memory),
                                &options->slots, error))
        return FALSE;
    kiln_video_memory_add_bar(&bochs->memory, &bochs->pci, BAR_MEMORY);
    kiln_pci_device_add_bar(&bochs->pci, BAR_REGISTERS, KILN_PCI_BAR_MEMORY_32, FALSE,
                            REGISTER_BYTES, &registers_ops, bochs);
    return TRUE;
}

void
kiln_bochs_clear(KilnBochs *bochs)
{
    kiln_pci_bus_remove(&bochs->pci);
    kiln_surface_free(bochs->surface);
    kiln_video_memory_clear(&bochs->memory);
    kiln_pci_device_clear(&bochs->pci);
}

void
kiln_bochs_reset(KilnBochs *bochs)
{
    kiln_pci_device_reset(&bochs->pci);
    kiln_dispi_reset(&bochs->dispi);
}
