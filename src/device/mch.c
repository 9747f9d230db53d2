/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See mch.h. */
#include "device/mch.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"

/* Registers: Intel 3 Series datasheet, 316966-002, §5.1. */
enum {
    VENDOR_INTEL = 0x8086,
    DEVICE_Q35_MCH = 0x29c0,
    CLASS_HOST_BRIDGE = 0x060000,
    PXPEPBAR = 0x40, /* 8 bytes: egress port, not decoded */
    MCHBAR = 0x48,   /* 8 bytes: not decoded */
    PCIEXBAR = 0x60, /* 8 bytes */
    PAM0 = 0x90,     /* to 0x96 */
    N_PAM = 7,
    SMRAM = 0x9d,
    ESMRAMC = 0x9e,
    TOLUD = 0xb0,
    SMRAM_RESET = 0x02, /* C_BASE_SEG, read-only */
    ESMRAMC_RESET = 0x38,
};

#define PCIEXBAR_ENABLE    UINT64_C(1)
#define PCIEXBAR_LENGTH    UINT64_C(6) /* 0: 256 MiB, 2: 128 MiB, 4: 64 MiB, 6: reserved */
#define PCIEXBAR_BASE_256M UINT64_C(0xff0000000)
#define PCIEXBAR_WRITABLE  UINT64_C(0xffc000007)

typedef struct {
    KilnPciDevice pci;
    KilnPciHost *host;
} Mch;

/* Puts the ECAM window where PCIEXBAR says. */
static void
place_ecam(Mch *mch)
{
    uint64_t value = kiln_le64_load(mch->pci.config + PCIEXBAR);
    unsigned code = (unsigned)(value & PCIEXBAR_LENGTH) >> 1;
    uint64_t length = UINT64_C(256) << 20 >> code;
    uint64_t base = value & PCIEXBAR_WRITABLE & ~(length - 1);

    if (!(value & PCIEXBAR_ENABLE) || code == 3)
        kiln_pci_host_set_ecam(mch->host, KILN_SPACE_UNMAPPED, 0);
    else
        kiln_pci_host_set_ecam(mch->host, base, length);
}

static void
mch_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    if (offset < PCIEXBAR + 8 && offset + size > PCIEXBAR)
        place_ecam((Mch *)pci);
}

static const KilnPciOps mch_pci_ops = { .config_written = mch_written };

static void
mch_reset(KilnDevice *device)
{
    Mch *mch = (Mch *)device;

    kiln_pci_device_reset(&mch->pci);
    place_ecam(mch);
}

static void
mch_free(KilnDevice *device)
{
    Mch *mch = (Mch *)device;

    if (mch->pci.bus != NULL)
        kiln_pci_host_set_ecam(mch->host, KILN_SPACE_UNMAPPED, 0);
    kiln_pci_bus_remove(&mch->pci);
    kiln_pci_device_clear(&mch->pci);
    g_free(mch);
}

static gboolean
mch_post_load(void *object, GError **error)
{
    place_ecam(object);
    return TRUE;
}

static const KilnStateField mch_fields[] = {
    KILN_STATE_STRUCT(Mch, pci, 1, &kiln_pci_state),
    KILN_STATE_END,
};

static const KilnStateDescription mch_state = {
    .name = "mch",
    .version = 1,
    .min_version = 1,
    .fields = mch_fields,
    .post_load = mch_post_load,
};

static const KilnDeviceOps mch_ops = {
    .name = "mch", .reset = mch_reset, .free = mch_free, .state = &mch_state
};

static void
set_up_registers(KilnPciDevice *pci, uint64_t ecam_base)
{
    /* Always on the bus and always a master: §5.1.3. */
    kiln_le16_store(pci->config + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    kiln_le16_store(pci->write_mask + PCI_COMMAND, PCI_COMMAND_SERR);
    pci->write_mask[PCI_INTERRUPT_LINE] = 0;
    kiln_le64_store(pci->write_mask + PXPEPBAR, UINT64_C(0xffffff001));
    kiln_le64_store(pci->write_mask + MCHBAR, UINT64_C(0xfffffc001));
    if (ecam_base != 0)
        kiln_le64_store(pci->config + PCIEXBAR, ecam_base | PCIEXBAR_ENABLE);
    kiln_le64_store(pci->write_mask + PCIEXBAR, PCIEXBAR_WRITABLE);
    memset(pci->write_mask + PAM0, 0x33, N_PAM); /* two fields of read and write enable each */
    pci->write_mask[PAM0] = 0x30;
    pci->config[SMRAM] = SMRAM_RESET;
    pci->write_mask[SMRAM] = 0x78; /* D_OPEN, D_CLS, D_LCK, G_SMRAME */
    pci->config[ESMRAMC] = ESMRAMC_RESET;
    pci->write_mask[ESMRAMC] = 0x87;
    kiln_le16_store(pci->write_mask + TOLUD, 0xfff0);
}

KilnDevice *
kiln_mch_new(const KilnMchOptions *options, GError **error)
{
    static const KilnPciIdentity identity = { .vendor = VENDOR_INTEL,
                                              .device = DEVICE_Q35_MCH,
                                              .class_code = CLASS_HOST_BRIDGE };
    Mch *mch;

    if (options->ecam_base & ~PCIEXBAR_BASE_256M) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "mch: ECAM cannot be at 0x%" G_GINT64_MODIFIER "x", options->ecam_base);
        return NULL;
    }
    mch = g_new0(Mch, 1);
    mch->host = options->host;
    kiln_pci_device_init(&mch->pci, &mch_ops, &mch_pci_ops, "mch", &identity);
    set_up_registers(&mch->pci, options->ecam_base);
    if (!kiln_pci_bus_add(kiln_pci_host_root(options->host), &mch->pci, KILN_PCI_DEVFN(0, 0),
                          error)) {
        mch_free(&mch->pci.device);
        return NULL;
    }
    place_ecam(mch);
    return &mch->pci.device;
}
