/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci.h. */
#include "bus/pci.h"

#include <string.h>

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"
#include "bus/pci-bus.h"
#include "bus/pci-decode.h"
#include "bus/pci-rom.h"

enum {
    CONFIG_BYTES = 256,
    CONFIG_BYTES_EXPRESS = 4096,
    /* What software may set in the command register: PCI 3.0 §6.2.2. */
    COMMAND_WRITABLE = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
                       PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE,
    /* Status bits that are cleared by writing ones: PCI 3.0 §6.2.3. */
    STATUS_W1C = PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |
                 PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR |
                 PCI_STATUS_DETECTED_PARITY,
    /* PCI-to-PCI Bridge 1.2 §3.2.5.18: error forwarding, ISA, VGA, master abort, reset. */
    BRIDGE_CONTROL_WRITABLE = PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA |
                              PCI_BRIDGE_CTL_VGA | PCI_BRIDGE_CTL_MASTER_ABORT |
                              PCI_BRIDGE_CTL_BUS_RESET,
};

gboolean
kiln_pci_device_is_bridge(const KilnPciDevice *pci)
{
    return (pci->config[PCI_HEADER_TYPE] & 0x7f) == PCI_HEADER_TYPE_BRIDGE;
}

static void
init_bridge_masks(KilnPciDevice *pci)
{
    uint8_t *mask = pci->write_mask;

    memset(mask + PCI_PRIMARY_BUS, 0xff, 4); /* primary, secondary, subordinate, latency timer */
    mask[PCI_IO_BASE] = mask[PCI_IO_LIMIT] = 0xf0;
    kiln_le16_store(pci->w1c_mask + PCI_SEC_STATUS, STATUS_W1C);
    kiln_le16_store(mask + PCI_MEMORY_BASE, 0xfff0);
    kiln_le16_store(mask + PCI_MEMORY_LIMIT, 0xfff0);
    kiln_le16_store(mask + PCI_PREF_MEMORY_BASE, 0xfff0);
    kiln_le16_store(mask + PCI_PREF_MEMORY_LIMIT, 0xfff0);
    kiln_le16_store(pci->config + PCI_PREF_MEMORY_BASE, PCI_PREF_RANGE_TYPE_64);
    kiln_le16_store(pci->config + PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
    memset(mask + PCI_PREF_BASE_UPPER32, 0xff, 8);
    kiln_le16_store(mask + PCI_BRIDGE_CONTROL, BRIDGE_CONTROL_WRITABLE);
}

void
kiln_pci_device_init(KilnPciDevice *pci, const KilnDeviceOps *ops, const KilnPciOps *pci_ops,
                     const char *id, const KilnPciIdentity *identity)
{
    kiln_device_init(&pci->device, ops, id);
    pci->ops = pci_ops;
    pci->config_size = identity->express ? CONFIG_BYTES_EXPRESS : CONFIG_BYTES;
    pci->config = g_malloc0(pci->config_size);
    pci->write_mask = g_malloc0(pci->config_size);
    pci->w1c_mask = g_malloc0(pci->config_size);
    pci->capability_end = PCI_STD_HEADER_SIZEOF;
    pci->extended_end = PCI_CFG_SPACE_SIZE;

    uint8_t *config = pci->config;

    kiln_le16_store(config + PCI_VENDOR_ID, identity->vendor);
    kiln_le16_store(config + PCI_DEVICE_ID, identity->device);
    config[PCI_REVISION_ID] = identity->revision;
    config[PCI_CLASS_PROG] = (uint8_t)identity->class_code;
    kiln_le16_store(config + PCI_CLASS_DEVICE, (uint16_t)(identity->class_code >> 8));
    config[PCI_HEADER_TYPE] = identity->header_type;
    config[PCI_INTERRUPT_PIN] = identity->pin;

    kiln_le16_store(pci->write_mask + PCI_COMMAND, COMMAND_WRITABLE);
    kiln_le16_store(pci->w1c_mask + PCI_STATUS, STATUS_W1C);
    pci->write_mask[PCI_CACHE_LINE_SIZE] = 0xff;
    pci->write_mask[PCI_INTERRUPT_LINE] = 0xff;
    if (kiln_pci_device_is_bridge(pci)) {
        init_bridge_masks(pci);
    } else {
        kiln_le16_store(config + PCI_SUBSYSTEM_VENDOR_ID, identity->subsystem_vendor);
        kiln_le16_store(config + PCI_SUBSYSTEM_ID, identity->subsystem);
    }
}

void
kiln_pci_device_clear(KilnPciDevice *pci)
{
    g_clear_pointer(&pci->config, g_free);
    g_clear_pointer(&pci->write_mask, g_free);
    g_clear_pointer(&pci->w1c_mask, g_free);
    g_clear_pointer(&pci->reset_config, g_free);
    g_clear_pointer(&pci->saved, g_free);
    g_clear_pointer(&pci->rom, kiln_pci_rom_free);
    kiln_device_clear(&pci->device);
}

unsigned
kiln_pci_device_bar_offset(const KilnPciDevice *pci, unsigned index)
{
    if (index == KILN_PCI_ROM)
        return kiln_pci_device_is_bridge(pci) ? PCI_ROM_ADDRESS1 : PCI_ROM_ADDRESS;
    return PCI_BASE_ADDRESS_0 + 4 * index;
}

void
kiln_pci_device_add_bar(KilnPciDevice *pci, unsigned index, KilnPciBarKind kind,
                        gboolean prefetchable, uint64_t size, const KilnRegionOps *ops,
                        void *opaque)
{
    g_assert(index <= KILN_PCI_ROM && (index == KILN_PCI_ROM) == (kind == KILN_PCI_BAR_ROM));
    g_assert(kiln_is_power_of_2(size) && pci->bars[index].kind == KILN_PCI_BAR_NONE);
    g_assert(kind != KILN_PCI_BAR_MEMORY_64 || index < KILN_PCI_N_BARS - 1);

    KilnPciBar *bar = &pci->bars[index];
    unsigned offset = kiln_pci_device_bar_offset(pci, index);
    uint32_t flags = 0, mask = (uint32_t) ~(size - 1);

    switch (kind) {
    case KILN_PCI_BAR_NONE: g_assert_not_reached();
    case KILN_PCI_BAR_IO: flags = PCI_BASE_ADDRESS_SPACE_IO; break;
    case KILN_PCI_BAR_MEMORY_32: break;
    case KILN_PCI_BAR_MEMORY_64:
        flags = PCI_BASE_ADDRESS_MEM_TYPE_64;
        kiln_le32_store(pci->write_mask + offset + 4, (uint32_t)(~(size - 1) >> 32));
        break;
    case KILN_PCI_BAR_ROM: mask |= PCI_ROM_ADDRESS_ENABLE; break;
    }
    if (prefetchable)
        flags |= PCI_BASE_ADDRESS_MEM_PREFETCH;
    kiln_le32_store(pci->config + offset, flags);
    kiln_le32_store(pci->write_mask + offset, mask);
    bar->kind = kind;
    bar->prefetchable = prefetchable;
    bar->wanted = KILN_SPACE_UNMAPPED;
    kiln_region_init(&bar->region, &pci->device, ops, size);
    bar->region.opaque = opaque;
}

uint8_t
kiln_pci_device_add_capability(KilnPciDevice *pci, uint8_t id, uint8_t size)
{
    uint8_t offset = (uint8_t)pci->capability_end;

    g_assert(size >= 2 && pci->capability_end + size <= PCI_CFG_SPACE_SIZE);
    pci->config[offset + PCI_CAP_LIST_ID] = id;
    if (pci->last_capability == 0)
        pci->config[PCI_CAPABILITY_LIST] = offset;
    else
        pci->config[pci->last_capability + PCI_CAP_LIST_NEXT] = offset;
    pci->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    pci->last_capability = offset;
    pci->capability_end = (uint16_t)kiln_align_up((uint64_t)offset + size, 4);
    return offset;
}

uint16_t
kiln_pci_device_add_extended(KilnPciDevice *pci, uint16_t id, uint8_t version, uint16_t size)
{
    uint16_t offset = pci->extended_end;

    g_assert(size >= 4 && offset + size <= pci->config_size);
    kiln_le32_store(pci->config + offset, id | (uint32_t)version << 16);
    if (pci->last_extended != 0) {
        uint8_t *last = pci->config + pci->last_extended;

        kiln_le32_store(last, kiln_le32_load(last) | (uint32_t)offset << 20);
    }
    pci->last_extended = offset;
    pci->extended_end = (uint16_t)kiln_align_up((uint64_t)offset + size, 4);
    return offset;
}

/* The status bit follows the device, the pin also the command register: PCI 3.0 §6.2.2, §6.2.3. */
static void
route_intx(KilnPciDevice *pci)
{
    uint16_t command = kiln_le16_load(pci->config + PCI_COMMAND);
    uint8_t pin = pci->config[PCI_INTERRUPT_PIN];
    uint8_t level = pci->intx_level && !(command & PCI_COMMAND_INTX_DISABLE) && pin >= 1 &&
                    pin <= KILN_PCI_N_PINS;

    if (pci->intx_level)
        pci->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
    else
        pci->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
    if (level == pci->intx_routed)
        return;
    pci->intx_routed = level;
    kiln_pci_bus_intx(pci->bus, pci->devfn, pin - 1U, level);
}

void
kiln_pci_device_update(KilnPciDevice *pci)
{
    if (pci->bus == NULL)
        return;
    kiln_pci_decode_update(pci);
    route_intx(pci);
    if (pci->secondary != NULL)
        kiln_pci_bus_set_numbers(pci->secondary, pci->config[PCI_SECONDARY_BUS],
                                 pci->config[PCI_SUBORDINATE_BUS]);
}

void
kiln_pci_device_set_intx(KilnPciDevice *pci, gboolean level)
{
    pci->intx_level = level ? 1 : 0;
    if (pci->bus != NULL)
        route_intx(pci);
}

void
kiln_pci_device_reset(KilnPciDevice *pci)
{
    pci->intx_level = 0;
    if (pci->reset_config != NULL)
        memcpy(pci->config, pci->reset_config, pci->config_size);
    kiln_pci_device_update(pci);
}

uint32_t
kiln_pci_device_config_read(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    KILN_LOCK_SCOPE(&pci->device.lock);
    uint32_t value = 0;

    if (pci->ops != NULL && pci->ops->config_read != NULL && offset < pci->config_size)
        pci->ops->config_read(pci, offset, size);
    for (unsigned i = 0; i < size && i < 4; i++) {
        uint8_t byte = offset + i < pci->config_size ? pci->config[offset + i] : 0xff;

        value |= (uint32_t)byte << (8 * i);
    }
    return value;
}

static gboolean
touches(unsigned offset, unsigned size, unsigned first, unsigned end)
{
    return offset < end && offset + size > first;
}

void
kiln_pci_device_config_write(KilnPciDevice *pci, unsigned offset, uint32_t data, unsigned size)
{
    KILN_LOCK_SCOPE(&pci->device.lock);

    if (offset >= pci->config_size || size > 4)
        return;
    size = MIN(size, pci->config_size - offset);
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(data >> (8 * i));
        uint8_t mask = pci->write_mask[offset + i];
        uint8_t *config = &pci->config[offset + i];

        *config = (uint8_t)((*config & ~mask) | (byte & mask));
        *config &= (uint8_t) ~(byte & pci->w1c_mask[offset + i]);
    }
    if (touches(offset, size, PCI_COMMAND, PCI_STD_HEADER_SIZEOF))
        kiln_pci_device_update(pci);
    if (pci->ops != NULL && pci->ops->config_written != NULL)
        pci->ops->config_written(pci, offset, size);
}

static void
pci_pre_save(void *object)
{
    KilnPciDevice *pci = object;

    g_free(pci->saved);
    pci->saved = g_memdup2(pci->config, pci->config_size);
    pci->saved_size = pci->config_size;
}

static gboolean
pci_post_load(void *object, GError **error)
{
    KilnPciDevice *pci = object;
    g_autofree uint8_t *saved = g_steal_pointer(&pci->saved);

    if (pci->saved_size != pci->config_size)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "'%s': %u bytes of configuration space, not %u", pci->device.id,
                              pci->saved_size, pci->config_size);
    for (unsigned i = 0; i < pci->config_size; i++) {
        uint8_t mask = pci->write_mask[i] | pci->w1c_mask[i];

        pci->config[i] = (uint8_t)((pci->config[i] & ~mask) | (saved[i] & mask));
    }
    kiln_pci_device_update(pci);
    return TRUE;
}

static const KilnStateField pci_fields[] = {
    KILN_STATE_BUFFER(KilnPciDevice, saved, saved_size, 1, CONFIG_BYTES_EXPRESS),
    KILN_STATE_RANGE(KilnPciDevice, intx_level, 1, 0, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_pci_state = {
    .name = "pci",
    .version = 1,
    .min_version = 1,
    .fields = pci_fields,
    .pre_save = pci_pre_save,
    .post_load = pci_post_load,
};
