/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See vfio-capabilities.h.  Offsets stay, since drivers of some devices know them by heart.  The
 * power state is kept here: a function that sleeps has no registers, and an access to what is
 * mapped of them would be the end of the guest's process.
 */
#include "device/vfio-capabilities.h"

#include <string.h>

#include "base/le.h"

enum {
    MAX_CAPABILITIES = 48, /* 4 bytes each at least: a longer list has a loop */
    POINTER_MASK = 0xfc,
    SERIAL_BYTES = 12,
    EXPRESS_BYTES_1 = 20, /* of an endpoint, capability version 1 */
    EXPRESS_BYTES_2 = 60,
    POWER_BYTES = 8,
    MSIX_BYTES = 12,
    ADVANCED_BYTES = 6,
    LINK_2_5_GT_X1 = PCI_EXP_LNKCAP_SLS_2_5GB | 1 << PCI_EXP_LNKSTA_NLW_SHIFT,
};

KilnPciIdentity
kiln_vfio_identity(const uint8_t *config, gsize size)
{
    return (KilnPciIdentity){
        .vendor = kiln_le16_load(config + PCI_VENDOR_ID),
        .device = kiln_le16_load(config + PCI_DEVICE_ID),
        .revision = config[PCI_REVISION_ID],
        .class_code = kiln_le32_load(config + PCI_CLASS_REVISION) >> 8,
        .header_type = PCI_HEADER_TYPE_NORMAL,
        .subsystem_vendor = kiln_le16_load(config + PCI_SUBSYSTEM_VENDOR_ID),
        .subsystem = kiln_le16_load(config + PCI_SUBSYSTEM_ID),
        .express = size >= PCI_CFG_SPACE_EXP_SIZE,
    };
}

static void
pass(KilnPciDevice *pci, KilnVfioLayout *layout, unsigned at, unsigned n)
{
    for (unsigned i = at; i < at + n && i < PCI_CFG_SPACE_SIZE; i++) {
        layout->passed[i] = TRUE;
        pci->write_mask[i] = 0xff; /* what the function makes of it is read back */
        pci->w1c_mask[i] = 0;
    }
}

static unsigned
msi_bytes(const uint8_t *capability)
{
    uint16_t flags = kiln_le16_load(capability + PCI_MSI_FLAGS);

    return (flags & PCI_MSI_FLAGS_64BIT ? 14 : 10) + (flags & PCI_MSI_FLAGS_MASKBIT ? 10 : 0);
}

/* The length of the capability at @at; 0 if guests do not get one like it. */
static unsigned
length_of(const uint8_t *config, unsigned at)
{
    const uint8_t *capability = config + at;

    if (at + 4 > PCI_CFG_SPACE_SIZE)
        return 0;
    switch (capability[PCI_CAP_LIST_ID]) {
    case PCI_CAP_ID_PM: return POWER_BYTES;
    case PCI_CAP_ID_MSI: return msi_bytes(capability);
    case PCI_CAP_ID_MSIX: return MSIX_BYTES;
    case PCI_CAP_ID_EXP:
        return (kiln_le16_load(capability + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS) >= 2
                   ? EXPRESS_BYTES_2
                   : EXPRESS_BYTES_1;
    case PCI_CAP_ID_AF: return ADVANCED_BYTES;
    case PCI_CAP_ID_VNDR: return MAX(capability[PCI_CAP_FLAGS], 3);
    default: return 0;
    }
}

/* ---- the capabilities --------------------------------------------------------------------------
 */

static void
copy_msi(KilnPciDevice *pci, unsigned at)
{
    uint8_t *config = pci->config + at, *mask = pci->write_mask + at;
    uint16_t flags = kiln_le16_load(config + PCI_MSI_FLAGS);
    gboolean wide = (flags & PCI_MSI_FLAGS_64BIT) != 0;

    /* Masking is not offered: it would have to reach the eventfds' other end. */
    flags &= PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT;
    memset(config + PCI_MSI_FLAGS, 0, (wide ? 14 : 10) - PCI_MSI_FLAGS);
    kiln_le16_store(config + PCI_MSI_FLAGS, flags);
    kiln_le16_store(mask + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    kiln_le32_store(mask + PCI_MSI_ADDRESS_LO, ~UINT32_C(3));
    if (wide)
        kiln_le32_store(mask + PCI_MSI_ADDRESS_HI, UINT32_MAX);
    kiln_le16_store(mask + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), UINT16_MAX);
}

/*
 * On the root bus it is an integrated endpoint, which has no link; behind a root port one that was
 * integrated has one: PCI Express Base 5.0 §7.5.3.
 */
static void
place_express(uint8_t *config, gboolean express)
{
    uint16_t flags = kiln_le16_load(config + PCI_EXP_FLAGS);
    unsigned type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;
    unsigned wanted = express ? PCI_EXP_TYPE_ENDPOINT : PCI_EXP_TYPE_RC_END;

    if (type == PCI_EXP_TYPE_LEG_END && express)
        wanted = type;
    flags = (uint16_t)((flags & ~PCI_EXP_FLAGS_TYPE) | wanted << 4);
    kiln_le16_store(config + PCI_EXP_FLAGS, flags);
    if (wanted == type)
        return;
    memset(config + PCI_EXP_LNKCAP, 0, PCI_EXP_SLTCAP - PCI_EXP_LNKCAP);
    if ((flags & PCI_EXP_FLAGS_VERS) >= 2)
        memset(config + PCI_EXP_LNKCAP2, 0, PCI_EXP_SLTCAP2 - PCI_EXP_LNKCAP2);
    if (!express)
        return;
    kiln_le32_store(config + PCI_EXP_LNKCAP, LINK_2_5_GT_X1);
    kiln_le16_store(config + PCI_EXP_LNKSTA, LINK_2_5_GT_X1);
}

static void
copy_express(KilnPciDevice *pci, unsigned at, unsigned length, gboolean express,
             KilnVfioLayout *layout)
{
    place_express(pci->config + at, express);
    pass(pci, layout, at + PCI_EXP_DEVCTL, 4); /* and its status; a function-level reset too */
    if (length >= EXPRESS_BYTES_2)
        pass(pci, layout, at + PCI_EXP_DEVCTL2, 2);
}

static void
copy_capability(KilnPciDevice *pci, const uint8_t *config, unsigned at, gboolean express,
                KilnVfioLayout *layout)
{
    unsigned length = length_of(config, at);

    memcpy(pci->config + at, config + at, length);
    switch (config[at + PCI_CAP_LIST_ID]) {
    case PCI_CAP_ID_PM:
        kiln_le16_store(pci->config + at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
        kiln_le16_store(pci->write_mask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
        /* No wake-ups, and no state between running and off. */
        pci->config[at + PCI_PM_PMC + 1] &= 0x01;
        break;
    case PCI_CAP_ID_MSI:
        layout->msi = (uint8_t)at;
        copy_msi(pci, at);
        break;
    case PCI_CAP_ID_MSIX: layout->msix = (uint8_t)at; break;
    case PCI_CAP_ID_EXP:
        layout->express = (uint8_t)at;
        copy_express(pci, at, length, express, layout);
        break;
    case PCI_CAP_ID_AF: pass(pci, layout, at + PCI_AF_CTRL, 2); break;
    default: pass(pci, layout, at + 3, length - 3); break;
    }
}

/* ---- the lists ---------------------------------------------------------------------------------
 */

/* Appends to the guest's list. */
static void
link_capability(KilnPciDevice *pci, unsigned at)
{
    if (pci->last_capability == 0)
        pci->config[PCI_CAPABILITY_LIST] = (uint8_t)at;
    else
        pci->config[pci->last_capability + PCI_CAP_LIST_NEXT] = (uint8_t)at;
    pci->config[at + PCI_CAP_LIST_NEXT] = 0;
    pci->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    pci->last_capability = (uint8_t)at;
}

/* Whether one of the @length bytes at @at belongs to a capability already. */
static gboolean
is_taken(const gboolean *taken, unsigned at, unsigned length)
{
    for (unsigned i = at; i < at + length; i++)
        if (taken[i])
            return TRUE;
    return FALSE;
}

static void
copy_serial(KilnPciDevice *pci, const uint8_t *config, gsize size)
{
    unsigned at = PCI_CFG_SPACE_SIZE;

    for (unsigned n = 0; n < PCI_CFG_SPACE_EXP_SIZE / 8; n++) {
        if (at < PCI_CFG_SPACE_SIZE || at + SERIAL_BYTES > size)
            return;

        uint32_t header = kiln_le32_load(config + at);

        if (PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_DSN) {
            unsigned to = kiln_pci_device_add_extended(pci, PCI_EXT_CAP_ID_DSN, 1, SERIAL_BYTES);

            memcpy(pci->config + to + 4, config + at + 4, SERIAL_BYTES - 4);
            return;
        }
        at = PCI_EXT_CAP_NEXT(header);
    }
}

void
kiln_vfio_copy_capabilities(KilnPciDevice *pci, const uint8_t *config, gsize size, gboolean express,
                            KilnVfioLayout *layout)
{
    gboolean taken[PCI_CFG_SPACE_SIZE] = { FALSE };
    unsigned at = config[PCI_CAPABILITY_LIST] & POINTER_MASK;

    memset(layout, 0, sizeof *layout);
    pass(pci, layout, PCI_STATUS, 2);
    if (!(kiln_le16_load(config + PCI_STATUS) & PCI_STATUS_CAP_LIST))
        at = 0;
    for (unsigned n = 0; n < MAX_CAPABILITIES && at >= PCI_STD_HEADER_SIZEOF; n++) {
        unsigned length = length_of(config, at);

        if (length > 0 && at + length <= PCI_CFG_SPACE_SIZE && !is_taken(taken, at, length)) {
            for (unsigned i = at; i < at + length; i++)
                taken[i] = TRUE;
            copy_capability(pci, config, at, express, layout);
            link_capability(pci, at);
        }
        at = config[at + PCI_CAP_LIST_NEXT] & POINTER_MASK;
    }
    if (express)
        copy_serial(pci, config, size);
}
