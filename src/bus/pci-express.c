/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci-express.h. */
#include "bus/pci-express.h"

#include "base/le.h"

enum {
    CAPABILITY_BYTES = 60, /* §7.5.3: of version 2, to the end of Slot Status 2 */
    CAPABILITY_VERSION = 2,
    ERROR_REPORTING =
        PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE,
    ERRORS = PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD,
    SPEED_16_GT = PCI_EXP_LNKCAP_SLS_16_0GB,
    SPEEDS_TO_16_GT = PCI_EXP_LNKCAP2_SLS_2_5GB | PCI_EXP_LNKCAP2_SLS_5_0GB |
                      PCI_EXP_LNKCAP2_SLS_8_0GB | PCI_EXP_LNKCAP2_SLS_16_0GB,
    WIDTH_X16 = 16 << PCI_EXP_LNKSTA_NLW_SHIFT, /* the same bits in capabilities and status */
};

static void
add_link(KilnPciDevice *pci, uint8_t at)
{
    uint8_t *config = pci->config + at;

    kiln_le32_store(config + PCI_EXP_LNKCAP, SPEED_16_GT | WIDTH_X16);
    kiln_le16_store(config + PCI_EXP_LNKSTA, SPEED_16_GT | WIDTH_X16);
    kiln_le16_store(pci->write_mask + at + PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
    kiln_le32_store(config + PCI_EXP_LNKCAP2, SPEEDS_TO_16_GT);
    kiln_le16_store(config + PCI_EXP_LNKCTL2, SPEED_16_GT);
    kiln_le16_store(pci->write_mask + at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS);
}

uint8_t
kiln_pci_device_add_express(KilnPciDevice *pci, uint8_t type)
{
    uint8_t at = kiln_pci_device_add_capability(pci, PCI_CAP_ID_EXP, CAPABILITY_BYTES);
    uint8_t *config = pci->config + at;

    kiln_le16_store(config + PCI_EXP_FLAGS, (uint16_t)(CAPABILITY_VERSION | type << 4));
    kiln_le32_store(config + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
    kiln_le16_store(pci->write_mask + at + PCI_EXP_DEVCTL, ERROR_REPORTING);
    kiln_le16_store(pci->w1c_mask + at + PCI_EXP_DEVSTA, ERRORS);
    if (type != PCI_EXP_TYPE_RC_END)
        add_link(pci, at);
    return at;
}
