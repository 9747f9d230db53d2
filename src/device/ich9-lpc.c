/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See ich9-lpc.h.  The router has a lock of its own, since pins change under the locks of the
 * functions that they belong to:
 *
 *   pin changes or registers written -> count of pins a slot -> PIRQ levels -> GSIs that changed
 */
#include "device/ich9-lpc.h"

#include <string.h>

#include "base/error.h"
#include "base/le.h"

enum {
    VENDOR_INTEL = 0x8086,
    DEVICE_ICH9_LPC = 0x2918,
    REVISION = 0x02,
    CLASS_ISA_BRIDGE = 0x060100,
    SLOT = 0x1f,

    /* Configuration registers: ICH9 §13.1. */
    PMBASE = 0x40,
    ACPI_CNTL = 0x44,
    PIRQA_ROUT = 0x60,
    PIRQE_ROUT = 0x68,
    RCBA = 0xf0,
    ACPI_ENABLE = 1 << 7,
    ROUTE_DISABLED = 1 << 7,
    ROUTE_IRQ = 0x0f,
    ROUTABLE_IRQS = 0xdef8, /* 3-7, 9-12, 14, 15: §13.1.17 */

    N_PIRQS = 8,
    N_SLOTS = 32,
    FIRST_PIRQ_GSI = 16,
    FIRST_ROUTED_SLOT = 25, /* those with an interrupt route register */

    /* Chipset configuration registers: ICH9 §10.1, in the 16 KiB at RCBA. */
    CHIPSET_BYTES = 0x4000,
    CHIPSET_FIRST = 0x3100, /* the part of it that is there */
    CHIPSET_LENGTH = 0x340,
    D31IR = 0x3140,
    GCS = 0x3410,
    GCS_NO_REBOOT = 1 << 5,

    /* Reset control: ICH9 §13.7.5. */
    RST_SYSTEM = 1 << 1,
    RST_CPU = 1 << 2, /* 0 to 1 resets */
    RST_FULL = 1 << 3,
};

typedef struct {
    uint16_t offset;
    uint8_t size;
    uint32_t write;
    uint32_t reset;
} Register;

static const Register config_registers[] = {
    { PMBASE, 4, 0xff80, 0x1 },
    { ACPI_CNTL, 1, 0x87, 0 },
    { 0x48, 4, 0xff80, 0x1 }, /* GPIOBASE: not decoded */
    { 0x4c, 1, 0x11, 0 },     /* GC */
    { PIRQA_ROUT, 4, 0x8f8f8f8f, 0x80808080 },
    { 0x64, 1, 0xff, 0x10 }, /* SIRQ_CNTL */
    { PIRQE_ROUT, 4, 0x8f8f8f8f, 0x80808080 },
    { 0x80, 2, 0x1377, 0 },     /* LPC_I/O_DEC */
    { 0x82, 2, 0x3f0f, 0 },     /* LPC_EN */
    { 0x84, 4, 0x00fcfffd, 0 }, /* GEN1_DEC to GEN4_DEC */
    { 0x88, 4, 0x00fcfffd, 0 },
    { 0x8c, 4, 0x00fcfffd, 0 },
    { 0x90, 4, 0x00fcfffd, 0 },
    { 0xa0, 2, 0x0fbf, 0 },              /* GEN_PMCON_1 */
    { 0xa2, 1, 0xc1, 0 },                /* GEN_PMCON_2 */
    { 0xa4, 2, 0xe7bf, 0 },              /* GEN_PMCON_3 */
    { 0xd0, 4, 0xffffffff, 0x00112233 }, /* FWH_SEL1 */
    { 0xd4, 2, 0xffff, 0x4567 },         /* FWH_SEL2 */
    { 0xd8, 2, 0xffff, 0xffcf },         /* FWH_DEC_EN1 */
    { 0xdc, 1, 0x1f, 0 },                /* BIOS_CNTL */
    { RCBA, 4, 0xffffc001, 0 },
};

static const Register chipset_registers[] = {
    { 0x3100, 4, 0x0fffffff, 0x03243200 }, /* D31IP to D25IP: interrupt pins */
    { 0x3108, 4, 0x0000ffff, 0x10004321 },
    { 0x310c, 4, 0xffffffff, 0x00214321 },
    { 0x3110, 4, 0x0000000f, 0x00000001 },
    { 0x3114, 4, 0x0fffffff, 0x30000321 },
    { 0x3118, 4, 0x0000000f, 0x00000001 },
    { D31IR, 2, 0x7777, 0x3210 }, /* D31IR to D25IR: which PIRQ each pin is */
    { 0x3142, 2, 0x7777, 0x3210 },
    { 0x3144, 2, 0x7777, 0x3210 },
    { 0x3146, 2, 0x7777, 0x3210 },
    { 0x3148, 2, 0x7777, 0x3210 },
    { 0x314c, 2, 0x7777, 0x3210 },
    { 0x3150, 2, 0x7777, 0x3210 },
    { 0x31ff, 1, 0x03, 0x03 },    /* OIC: the I/O APIC is there */
    { 0x3400, 4, 0x0000001c, 0 }, /* RC */
    { 0x3404, 4, 0x00000083, 0 }, /* HPTC: places no HPET; where one is, the ACPI table says */
    { GCS, 4, 0x00000fe5 | GCS_NO_REBOOT, 0 },
    { 0x3418, 4, 0xffffffff, 0 }, /* FD */
};

/* Offsets of the route registers by slot, from FIRST_ROUTED_SLOT. */
static const uint16_t route_registers[N_SLOTS - FIRST_ROUTED_SLOT] = {
    0x3150, 0x314c, 0x3148, 0x3146, 0x3144, 0x3142, D31IR,
};

typedef struct {
    KilnPciDevice pci; /* its lock guards all but the router */
    KilnIch9LpcOptions options;
    KilnRegion chipset;
    KilnRegion reset_port;
    uint8_t chipset_mask[CHIPSET_LENGTH];
    uint8_t chipset_regs[CHIPSET_LENGTH];
    uint8_t reset_control;

    KilnMutex router_lock;                  /* taken after any device's lock; guards all below */
    uint8_t pins[N_SLOTS][KILN_PCI_N_PINS]; /* functions that assert it */
    uint8_t pin_pirq[N_SLOTS][KILN_PCI_N_PINS]; /* which PIRQ it is */
    uint8_t pirq_irq[N_PIRQS];                  /* ISA interrupt that it is too, or 0 */
    uint32_t gsis;                              /* those that are asserted */
} Lpc;

static uint8_t *
chipset_at(Lpc *lpc, unsigned offset)
{
    return &lpc->chipset_regs[offset - CHIPSET_FIRST];
}

/* Router lock held. */
static void
route(Lpc *lpc)
{
    uint32_t gsis = 0;

    for (unsigned slot = 0; slot < N_SLOTS; slot++)
        for (unsigned pin = 0; pin < KILN_PCI_N_PINS; pin++) {
            if (lpc->pins[slot][pin] == 0)
                continue;

            unsigned pirq = lpc->pin_pirq[slot][pin];

            gsis |= 1u << (FIRST_PIRQ_GSI + pirq);
            if (lpc->pirq_irq[pirq] != 0)
                gsis |= 1u << lpc->pirq_irq[pirq];
        }
    for (uint32_t changed = gsis ^ lpc->gsis; changed != 0; changed &= changed - 1) {
        unsigned gsi = (unsigned)__builtin_ctz(changed);

        gboolean level = gsis >> gsi & 1;

        if (gsi < KILN_ICH9_N_ISA_IRQS)
            kiln_irq_set(&lpc->options.isa[gsi], level);
        else
            lpc->options.gsi(lpc->options.gsi_opaque, gsi, level);
    }
    lpc->gsis = gsis;
}

static void
intx_changed(void *opaque, unsigned slot, unsigned pin, gboolean level)
{
    Lpc *lpc = opaque;
    KILN_LOCK_SCOPE(&lpc->router_lock);

    lpc->pins[slot][pin] = (uint8_t)(lpc->pins[slot][pin] + (level ? 1 : -1));
    route(lpc);
}

/* Copies what the guest has set to the router.  Device lock held. */
static void
update_router(Lpc *lpc)
{
    KILN_LOCK_SCOPE(&lpc->router_lock);

    for (unsigned pirq = 0; pirq < N_PIRQS; pirq++) {
        unsigned reg = pirq < 4 ? PIRQA_ROUT + pirq : PIRQE_ROUT + pirq - 4;
        uint8_t value = lpc->pci.config[reg];
        uint8_t irq = value & ROUTE_IRQ;

        lpc->pirq_irq[pirq] = (value & ROUTE_DISABLED) || !(ROUTABLE_IRQS >> irq & 1) ? 0 : irq;
    }
    for (unsigned slot = 0; slot < N_SLOTS; slot++)
        for (unsigned pin = 0; pin < KILN_PCI_N_PINS; pin++) {
            if (slot < FIRST_ROUTED_SLOT) {
                lpc->pin_pirq[slot][pin] = (uint8_t)(4 + (slot + pin) % 4);
                continue;
            }

            uint16_t value =
                kiln_le16_load(chipset_at(lpc, route_registers[slot - FIRST_ROUTED_SLOT]));

            lpc->pin_pirq[slot][pin] = value >> (4 * pin) & 7;
        }
    route(lpc);
}

/* Places PM and chipset registers as the configuration space says.  Device lock held. */
static void
update_decoding(Lpc *lpc)
{
    const uint8_t *config = lpc->pci.config;
    uint32_t rcba = kiln_le32_load(config + RCBA);
    uint16_t pm_base = kiln_le16_load(config + PMBASE) & 0xff80;
    KilnSpace *memory = kiln_pci_host_memory(lpc->options.host);

    kiln_ich9_pm_place(lpc->options.pm, (config[ACPI_CNTL] & ACPI_ENABLE) && pm_base != 0
                                            ? pm_base
                                            : KILN_SPACE_UNMAPPED);
    if (rcba & 1)
        (void)kiln_space_place(memory, &lpc->chipset, rcba & 0xffffc000);
    else
        kiln_space_remove(memory, &lpc->chipset);
}

static void
update_no_reboot(Lpc *lpc)
{
    if (lpc->options.no_reboot)
        *chipset_at(lpc, GCS) |= GCS_NO_REBOOT;
    kiln_ich9_pm_set_no_reboot(lpc->options.pm, (*chipset_at(lpc, GCS) & GCS_NO_REBOOT) != 0);
}

static void
lpc_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    Lpc *lpc = (Lpc *)pci;

    if (offset < PIRQA_ROUT || offset + size > RCBA)
        update_decoding(lpc);
    if (offset < PIRQE_ROUT + 4 && offset + size > PIRQA_ROUT)
        update_router(lpc);
}

static const KilnPciOps lpc_pci_ops = { .config_written = lpc_written };

static uint64_t
chipset_read(void *opaque, uint64_t offset, unsigned size)
{
    Lpc *lpc = opaque;

    if (offset < CHIPSET_FIRST || offset - CHIPSET_FIRST + size > CHIPSET_LENGTH)
        return 0;

    uint8_t bytes[8] = { 0 };

    memcpy(bytes, chipset_at(lpc, (unsigned)offset), size);
    return kiln_le64_load(bytes);
}

static void
chipset_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Lpc *lpc = opaque;

    if (offset < CHIPSET_FIRST || offset - CHIPSET_FIRST + size > CHIPSET_LENGTH)
        return;
    for (unsigned i = 0; i < size; i++) {
        unsigned at = (unsigned)(offset - CHIPSET_FIRST) + i;
        uint8_t mask = lpc->chipset_mask[at];

        lpc->chipset_regs[at] =
            (uint8_t)((lpc->chipset_regs[at] & ~mask) | ((uint8_t)(data >> (8 * i)) & mask));
    }
    update_no_reboot(lpc);
    update_router(lpc);
}

static uint64_t
reset_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Lpc *)opaque)->reset_control;
}

static void
reset_port_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Lpc *lpc = opaque;

    /* RST_CPU is never kept, so that each write of it is a change from 0 to 1. */
    lpc->reset_control = (uint8_t)(data & (RST_SYSTEM | RST_FULL));
    if (data & RST_CPU)
        lpc->options.reset(lpc->options.reset_opaque, KILN_RESET_PORT_CF9);
}

static const KilnRegionOps chipset_ops = { .read = chipset_read,
                                           .write = chipset_write,
                                           .max_access = 4 };
static const KilnRegionOps reset_port_ops = { .read = reset_port_read,
                                              .write = reset_port_write,
                                              .max_access = 1 };

static void
lpc_reset(KilnDevice *device)
{
    Lpc *lpc = (Lpc *)device;

    kiln_pci_device_reset(&lpc->pci);
    lpc->reset_control = 0;
    memset(lpc->chipset_regs, 0, sizeof lpc->chipset_regs);
    for (guint i = 0; i < G_N_ELEMENTS(chipset_registers); i++)
        for (unsigned j = 0; j < chipset_registers[i].size; j++)
            *chipset_at(lpc, chipset_registers[i].offset + j) =
                (uint8_t)(chipset_registers[i].reset >> (8 * j));
    update_no_reboot(lpc);
    update_router(lpc);
    update_decoding(lpc);
}

static void
lpc_free(KilnDevice *device)
{
    Lpc *lpc = (Lpc *)device;

    if (lpc->pci.bus != NULL) {
        kiln_pci_host_set_intx(lpc->options.host, NULL, NULL);
        kiln_pci_host_set_reset_port(lpc->options.host, NULL);
        kiln_ich9_pm_place(lpc->options.pm, KILN_SPACE_UNMAPPED);
        kiln_space_remove(kiln_pci_host_memory(lpc->options.host), &lpc->chipset);
    }
    kiln_pci_bus_remove(&lpc->pci);
    kiln_mutex_clear(&lpc->router_lock);
    kiln_pci_device_clear(&lpc->pci);
    g_free(lpc);
}

static gboolean
lpc_post_load(void *object, GError **error)
{
    Lpc *lpc = object;

    lpc->reset_control &= RST_SYSTEM | RST_FULL;
    for (guint i = 0; i < G_N_ELEMENTS(chipset_registers); i++)
        for (unsigned j = 0; j < chipset_registers[i].size; j++) {
            unsigned at = chipset_registers[i].offset + j - CHIPSET_FIRST;
            uint8_t mask = lpc->chipset_mask[at];
            uint8_t reset = (uint8_t)(chipset_registers[i].reset >> (8 * j));

            lpc->chipset_regs[at] = (uint8_t)((lpc->chipset_regs[at] & mask) | (reset & ~mask));
        }
    update_no_reboot(lpc);
    update_router(lpc);
    update_decoding(lpc);
    return TRUE;
}

static const KilnStateField lpc_fields[] = {
    KILN_STATE_STRUCT(Lpc, pci, 1, &kiln_pci_state),
    KILN_STATE_BYTES(Lpc, chipset_regs, 1),
    KILN_STATE(Lpc, reset_control, 1),
    KILN_STATE_END,
};

static const KilnStateDescription lpc_state = {
    .name = "ich9-lpc",
    .version = 1,
    .min_version = 1,
    .fields = lpc_fields,
    .post_load = lpc_post_load,
};

static const KilnDeviceOps lpc_ops = {
    .name = "ich9-lpc", .reset = lpc_reset, .free = lpc_free, .state = &lpc_state
};

static void
set_up_registers(Lpc *lpc)
{
    KilnPciDevice *pci = &lpc->pci;

    for (guint i = 0; i < G_N_ELEMENTS(config_registers); i++)
        for (unsigned j = 0; j < config_registers[i].size; j++) {
            unsigned at = config_registers[i].offset + j;

            pci->write_mask[at] = (uint8_t)(config_registers[i].write >> (8 * j));
            pci->config[at] = (uint8_t)(config_registers[i].reset >> (8 * j));
        }
    for (guint i = 0; i < G_N_ELEMENTS(chipset_registers); i++)
        for (unsigned j = 0; j < chipset_registers[i].size; j++)
            lpc->chipset_mask[chipset_registers[i].offset + j - CHIPSET_FIRST] =
                (uint8_t)(chipset_registers[i].write >> (8 * j));
    /* The bridge always decodes and always masters: §13.1.3. */
    kiln_le16_store(pci->config + PCI_COMMAND,
                    PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    kiln_le16_store(pci->write_mask + PCI_COMMAND, PCI_COMMAND_PARITY | PCI_COMMAND_SERR);
    pci->write_mask[PCI_CACHE_LINE_SIZE] = 0;
    pci->write_mask[PCI_INTERRUPT_LINE] = 0;
    if (lpc->options.pm_base != 0) {
        kiln_le32_store(pci->config + PMBASE, lpc->options.pm_base | 1u);
        pci->config[ACPI_CNTL] = ACPI_ENABLE; /* SCI is irq 9 */
    }
}

KilnDevice *
kiln_ich9_lpc_new(const KilnIch9LpcOptions *options, GError **error)
{
    static const KilnPciIdentity identity = { .vendor = VENDOR_INTEL,
                                              .device = DEVICE_ICH9_LPC,
                                              .revision = REVISION,
                                              .class_code = CLASS_ISA_BRIDGE,
                                              .header_type = PCI_HEADER_TYPE_NORMAL | 0x80 };
    Lpc *lpc = g_new0(Lpc, 1);

    kiln_pci_device_init(&lpc->pci, &lpc_ops, &lpc_pci_ops, "ich9-lpc", &identity);
    kiln_mutex_init(&lpc->router_lock);
    lpc->options = *options;
    kiln_region_init(&lpc->chipset, &lpc->pci.device, &chipset_ops, CHIPSET_BYTES);
    kiln_region_init(&lpc->reset_port, &lpc->pci.device, &reset_port_ops, 1);
    set_up_registers(lpc);
    if (!kiln_pci_bus_add(kiln_pci_host_root(options->host), &lpc->pci, KILN_PCI_DEVFN(SLOT, 0),
                          error)) {
        lpc_free(&lpc->pci.device);
        return NULL;
    }
    kiln_pci_host_set_intx(options->host, intx_changed, lpc);
    kiln_pci_host_set_reset_port(options->host, &lpc->reset_port);
    lpc_reset(&lpc->pci.device);
    return &lpc->pci.device;
}
