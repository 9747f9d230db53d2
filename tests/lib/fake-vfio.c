/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fake-vfio.h. */
#include "tests/lib/fake-vfio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

enum { PAGE = 4096 };

static uint8_t *
region_bytes(FakeVfio *fake, guint region, uint64_t offset, unsigned size)
{
    if (region >= KILN_VFIO_N_REGIONS || offset > fake->base.regions[region].size ||
        size > fake->base.regions[region].size - offset)
        return NULL;
    switch (region) {
    case VFIO_PCI_CONFIG_REGION_INDEX: return fake->config + offset;
    case VFIO_PCI_BAR0_REGION_INDEX: return fake->bar + offset;
    case VFIO_PCI_BAR4_REGION_INDEX: return fake->io + offset;
    default: return NULL;
    }
}

static int
fake_read(KilnVfioDevice *device, guint region, uint64_t offset, void *data, unsigned size)
{
    const uint8_t *bytes = region_bytes((FakeVfio *)device, region, offset, size);

    if (bytes == NULL)
        return -EINVAL;
    memcpy(data, bytes, size);
    return 0;
}

static int
fake_write(KilnVfioDevice *device, guint region, uint64_t offset, const void *data, unsigned size)
{
    uint8_t *bytes = region_bytes((FakeVfio *)device, region, offset, size);

    if (bytes == NULL)
        return -EINVAL;
    memcpy(bytes, data, size);
    return 0;
}

static int
fake_set_irqs(KilnVfioDevice *device, guint index, const int *fds, guint n)
{
    FakeVfio *fake = (FakeVfio *)device;

    if (index > VFIO_PCI_MSIX_IRQ_INDEX || n > fake->base.n_irqs[index])
        return -EINVAL;
    if (n > 0 && fake->irqs >= 0)
        return -EBUSY; /* as by the kernel: the others are turned off first */
    if (fake->room > 0 && n > fake->room)
        return (int)fake->room;
    if (n > 0)
        memcpy(fake->fds, fds, n * sizeof fds[0]);
    fake->irqs = n > 0 ? (int)index : -1;
    fake->n_irqs = n;
    return 0;
}

static int
fake_reset(KilnVfioDevice *device)
{
    FakeVfio *fake = (FakeVfio *)device;

    fake->n_resets++;
    return 0;
}

static void
fake_free(KilnVfioDevice *device)
{
    FakeVfio *fake = (FakeVfio *)device;

    if (fake->freed != NULL)
        *fake->freed = TRUE;
    kiln_vfio_device_clear(device);
    free(fake->bar);
    g_free(fake);
}

static const KilnVfioOps fake_ops = {
    .read = fake_read,
    .write = fake_write,
    .set_irqs = fake_set_irqs,
    .reset = fake_reset,
    .free = fake_free,
};

static void
fill_header(uint8_t *config)
{
    kiln_le16_store(config + PCI_VENDOR_ID, 0x1b36);
    kiln_le16_store(config + PCI_DEVICE_ID, 0x0010);
    kiln_le16_store(config + PCI_STATUS, PCI_STATUS_CAP_LIST);
    kiln_le32_store(config + PCI_CLASS_REVISION, 0x01080202);
    config[PCI_HEADER_TYPE] = 0x80; /* one of several on the host */
    kiln_le32_store(config + PCI_BASE_ADDRESS_0, 0xfe000000 | PCI_BASE_ADDRESS_MEM_TYPE_64);
    kiln_le32_store(config + PCI_BASE_ADDRESS_4, 0xc000 | PCI_BASE_ADDRESS_SPACE_IO);
    kiln_le16_store(config + PCI_SUBSYSTEM_VENDOR_ID, 0x1af4);
    kiln_le16_store(config + PCI_SUBSYSTEM_ID, 0x1100);
    config[PCI_CAPABILITY_LIST] = FAKE_VFIO_PM;
    config[PCI_INTERRUPT_PIN] = 1;
}

static void
fill_capabilities(uint8_t *config)
{
    kiln_le16_store(config + FAKE_VFIO_PM, PCI_CAP_ID_PM | FAKE_VFIO_MSI << 8);
    kiln_le16_store(config + FAKE_VFIO_PM + PCI_PM_PMC, 0xfe03);
    kiln_le16_store(config + FAKE_VFIO_MSI, PCI_CAP_ID_MSI | FAKE_VFIO_VPD << 8);
    kiln_le16_store(config + FAKE_VFIO_MSI + PCI_MSI_FLAGS,
                    PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1);
    kiln_le16_store(config + FAKE_VFIO_VPD, PCI_CAP_ID_VPD | FAKE_VFIO_MSIX << 8);
    kiln_le16_store(config + FAKE_VFIO_MSIX, PCI_CAP_ID_MSIX | FAKE_VFIO_EXPRESS << 8);
    kiln_le16_store(config + FAKE_VFIO_MSIX + PCI_MSIX_FLAGS, FAKE_VFIO_N_VECTORS - 1);
    kiln_le32_store(config + FAKE_VFIO_MSIX + PCI_MSIX_TABLE, FAKE_VFIO_TABLE);
    kiln_le32_store(config + FAKE_VFIO_MSIX + PCI_MSIX_PBA, FAKE_VFIO_PENDING);
    kiln_le16_store(config + FAKE_VFIO_EXPRESS, PCI_CAP_ID_EXP | FAKE_VFIO_VENDOR << 8);
    kiln_le16_store(config + FAKE_VFIO_EXPRESS + PCI_EXP_FLAGS, PCI_EXP_TYPE_ENDPOINT << 4 | 2);
    kiln_le32_store(config + FAKE_VFIO_EXPRESS + PCI_EXP_LNKCAP, 0x43);
    kiln_le16_store(config + FAKE_VFIO_VENDOR, PCI_CAP_ID_VNDR);
    config[FAKE_VFIO_VENDOR + 2] = FAKE_VFIO_VENDOR_BYTES;
    kiln_le32_store(config + 0x100, PCI_EXT_CAP_ID_SRIOV | 1 << 16 | 0x140 << 20);
    kiln_le32_store(config + 0x140, PCI_EXT_CAP_ID_DSN | 1 << 16);
    kiln_le64_store(config + 0x144, UINT64_C(0x1122334455667788));
}

FakeVfio *
fake_vfio_new(void)
{
    FakeVfio *fake = g_new0(FakeVfio, 1);
    KilnVfioArea area = { .length = FAKE_VFIO_BAR_BYTES };

    kiln_vfio_device_init(&fake->base, &fake_ops, "0000:03:00.0");
    fake->bar = aligned_alloc(PAGE, FAKE_VFIO_BAR_BYTES);
    memset(fake->bar, 0, FAKE_VFIO_BAR_BYTES);
    area.host = fake->bar;
    g_array_append_val(fake->base.regions[0].areas, area);
    fake->base.regions[0].size = FAKE_VFIO_BAR_BYTES;
    fake->base.regions[4].size = FAKE_VFIO_IO_BYTES;
    fake->base.regions[VFIO_PCI_CONFIG_REGION_INDEX].size = sizeof fake->config;
    fake->base.n_irqs[VFIO_PCI_MSI_IRQ_INDEX] = FAKE_VFIO_N_MSI;
    fake->base.n_irqs[VFIO_PCI_MSIX_IRQ_INDEX] = FAKE_VFIO_N_VECTORS;
    fake->base.resets = TRUE;
    fake->irqs = -1;
    fill_header(fake->config);
    fill_capabilities(fake->config);
    return fake;
}

/* ---- slots -------------------------------------------------------------------------------------
 */

static int
add_slot(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only)
{
    FakeVfio *fake = opaque;

    if (address % PAGE != 0 || length % PAGE != 0 || length == 0 || (uintptr_t)host % PAGE != 0 ||
        read_only)
        g_error("a slot of 0x%" G_GINT64_MODIFIER "x bytes is not whole pages", length);
    for (unsigned i = 0; i < G_N_ELEMENTS(fake->slots) && !fake->no_slots; i++) {
        if (fake->slots[i].length == 0) {
            fake->slots[i] = (FakeVfioSlot){ address, length, host };
            return (int)i;
        }
    }
    return -1;
}

static void
remove_slot(void *opaque, int slot)
{
    FakeVfio *fake = opaque;

    if (slot < 0 || slot >= (int)G_N_ELEMENTS(fake->slots) || fake->slots[slot].length == 0)
        g_error("slot %d, which is removed, is none", slot);
    fake->slots[slot].length = 0;
}

KilnSlots
fake_vfio_slots(FakeVfio *fake)
{
    static const KilnSlotOps ops = { .add = add_slot, .remove = remove_slot };

    return (KilnSlots){ &ops, fake };
}

uint64_t
fake_vfio_reached(const FakeVfio *fake, uint64_t address, void **host)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fake->slots); i++) {
        const FakeVfioSlot *slot = &fake->slots[i];

        if (slot->length > 0 && address >= slot->address &&
            address - slot->address < slot->length) {
            if (host != NULL)
                *host = (uint8_t *)slot->host + (address - slot->address);
            return slot->length - (address - slot->address);
        }
    }
    return 0;
}
