/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See ahci.h: the function, its registers, and what brings it to a stop. */
#include "device/ahci-private.h"

#include "base/le.h"
#include "bus/pci-bus.h"

enum {
    VENDOR_INTEL = 0x8086,
    DEVICE_ICH9_AHCI = 0x2922,
    CLASS_AHCI = 0x010601,
    REVISION = 2,
    ABAR = 5,
    ABAR_BYTES = 4096,

    /* In configuration space (ICH9 datasheet 316972-004 §15.1.27, §15.1.28). */
    MAP = 0x90,
    MAP_AHCI = 0x40,
    PCS = 0x92,

    /* Registers of the HBA (AHCI 1.3.1 §3.1). */
    CAP = 0x00,
    GHC = 0x04,
    IS = 0x08,
    PI = 0x0c,
    VS = 0x10,
    PORTS = 0x100,
    PORT_BYTES = 0x80,

    /* Registers of a port (§3.3). */
    PXCLB = 0x00,
    PXCLBU = 0x04,
    PXFB = 0x08,
    PXFBU = 0x0c,
    PXIS = 0x10,
    PXIE = 0x14,
    PXCMD = 0x18,
    PXTFD = 0x20,
    PXSIG = 0x24,
    PXSSTS = 0x28,
    PXSCTL = 0x2c,
    PXSERR = 0x30,
    PXSACT = 0x34,
    PXCI = 0x38,

    CAP_PMD = 1 << 15,
    CAP_SAM = 1 << 18,
    CAP_ISS_6G = 3 << 20,
    CAP_SCLO = 1 << 24,
    CAP_SNCQ = 1 << 30,
    CAP_N_SLOTS = (AHCI_N_SLOTS - 1) << 8,
    GHC_HR = 1 << 0,
    GHC_IE = 1 << 1,
    AHCI_VERSION = 0x00010301,

    SCTL_DET = 0xf,
    SCTL_DET_INIT = 1,
    SCTL_DET_OFFLINE = 4,
    SCTL_SPEED_SHIFT = 4,
    SCTL_BITS = 0xfff,
    SSTS_PRESENT = 3,
    SSTS_ACTIVE = 1 << 8,
    FASTEST = 3, /* generation: 6 Gb/s */

    NO_DRIVE = 0x7f, /* status, where there is none */
};

#define CAP_S64A     (UINT32_C(1) << 31)
#define GHC_AE       (UINT32_C(1) << 31)
#define PXIE_BITS    UINT32_C(0xfdc000ff)
#define NO_SIGNATURE UINT32_C(0xffffffff)

static AhciHba *
from_pci(KilnPciDevice *pci)
{
    return (AhciHba *)pci;
}

/* ---- Interrupts (AHCI 1.3.1 §10.7) ------------------------------------------------------------
 */

uint32_t
ahci_port_status(const AhciPort *port)
{
    return port->is | (port->serr & PXSERR_DIAG_X ? PXIS_PCS : 0);
}

/* A port's bit in IS is set again while the port has a reason to; a message is sent for each change
 * that leaves one. */
static void
update_interrupt(AhciHba *hba)
{
    uint32_t pending = 0;

    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        if (ahci_port_status(&hba->ports[i]) & hba->ports[i].ie)
            pending |= 1u << i;
    hba->is |= pending;
    if (kiln_msi_vector_enabled(&hba->msi)) {
        kiln_pci_device_set_intx(&hba->pci, FALSE);
        if (pending != 0 && hba->ghc & GHC_IE)
            kiln_msi_vector_notify(&hba->msi);
    } else {
        kiln_pci_device_set_intx(&hba->pci, hba->is != 0 && hba->ghc & GHC_IE);
    }
}

void
ahci_raise(AhciPort *port, uint32_t bits)
{
    port->is |= bits;
    update_interrupt(port->hba);
}

/* ---- Stops and resets -------------------------------------------------------------------------
 */

static void
power_on_port(AhciPort *port)
{
    port->is = port->ie = port->sctl = port->sact = port->ci = port->accepted = port->kept = 0;
    port->cmd = PXCMD_SUD | PXCMD_POD;
    port->halted = port->soft_reset = port->alone = port->resetting = FALSE;
    port->stopping = port->running != 0; /* of before the reset: nobody is told of it */
    port->sig = NO_SIGNATURE;
    port->error = 0;
    port->unsigned_ = port->drive != NULL;
    port->status = port->drive != NULL ? KILN_ATA_STATUS_BSY : NO_DRIVE;
    port->serr = port->drive != NULL ? PXSERR_DIAG_X : 0;
}

/* §10.4.3: the addresses of lists and FISes stay. */
static void
finish_hba_reset(AhciHba *hba)
{
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++) {
        power_on_port(&hba->ports[i]);
        if (hba->ports[i].drive != NULL)
            kiln_ata_drive_reset(hba->ports[i].drive, FALSE);
    }
    hba->ghc = GHC_AE;
    hba->is = 0;
    hba->resetting = FALSE;
}

static gboolean
is_idle(const AhciHba *hba)
{
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        if (hba->ports[i].running != 0)
            return FALSE;
    return TRUE;
}

static void
finish_stop(AhciPort *port)
{
    port->stopping = FALSE;
    port->ci = port->sact = port->accepted = port->kept = 0;
    port->alone = port->halted = FALSE;
    port->cmd &= ~(uint32_t)(PXCMD_CR | PXCMD_CCS);
    if (port->cmd & PXCMD_ST) /* it was set meanwhile */
        port->cmd |= PXCMD_CR;
}

/* §10.4.2: the drive comes back, and tells what it is. */
static void
finish_port_reset(AhciPort *port)
{
    port->resetting = FALSE;
    port->soft_reset = FALSE;
    kiln_ata_drive_reset(port->drive, FALSE);
    port->serr |= PXSERR_DIAG_X;
    port->unsigned_ = TRUE;
}

void
ahci_settle(AhciPort *port)
{
    AhciHba *hba = port->hba;

    if (port->running != 0)
        return;
    if (port->stopping)
        finish_stop(port);
    if (port->resetting && (port->sctl & SCTL_DET) == 0)
        finish_port_reset(port);
    if (hba->resetting && is_idle(hba))
        finish_hba_reset(hba);
    ahci_port_receive_signature(port);
    update_interrupt(hba);
    kiln_cond_broadcast(&hba->idle);
}

static void
stop(AhciPort *port)
{
    if (port->cmd & PXCMD_CR)
        port->stopping = TRUE;
}

static void
reset_hba(AhciHba *hba)
{
    hba->ghc |= GHC_HR;
    hba->resetting = TRUE;
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        stop(&hba->ports[i]);
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        ahci_settle(&hba->ports[i]);
}

/* ---- Registers of a port ----------------------------------------------------------------------
 */

static uint32_t
link_status(const AhciPort *port)
{
    uint32_t limit = port->sctl >> SCTL_SPEED_SHIFT & 0xf;
    uint32_t det = port->sctl & SCTL_DET;

    if (det == SCTL_DET_OFFLINE)
        return SCTL_DET_OFFLINE;
    if (port->drive == NULL || det == SCTL_DET_INIT)
        return 0;
    return SSTS_PRESENT | SSTS_ACTIVE |
           (limit != 0 ? MIN(limit, FASTEST) : FASTEST) << SCTL_SPEED_SHIFT;
}

static uint32_t
port_read(const AhciPort *port, unsigned offset)
{
    switch (offset) {
    case PXCLB: return (uint32_t)port->clb;
    case PXCLBU: return (uint32_t)(port->clb >> 32);
    case PXFB: return (uint32_t)port->fb;
    case PXFBU: return (uint32_t)(port->fb >> 32);
    case PXIS: return ahci_port_status(port);
    case PXIE: return port->ie;
    case PXCMD: return port->cmd;
    case PXTFD: return port->status | (uint32_t)port->error << 8;
    case PXSIG: return port->sig;
    case PXSSTS: return link_status(port);
    case PXSCTL: return port->sctl;
    case PXSERR: return port->serr;
    case PXSACT: return port->sact;
    case PXCI: return port->ci;
    default: return 0;
    }
}

/* §3.3.7: what runs says so in FR and CR. */
static void
write_command(AhciPort *port, uint32_t value)
{
    uint32_t before = port->cmd;
    uint32_t now =
        (before & ~(uint32_t)(PXCMD_ST | PXCMD_FRE | PXCMD_FR)) | (value & (PXCMD_ST | PXCMD_FRE));

    if (now & PXCMD_FRE)
        now |= PXCMD_FR;
    if (value & PXCMD_CLO && !(before & PXCMD_CR))
        port->status &= (uint8_t) ~(KILN_ATA_STATUS_BSY | KILN_ATA_STATUS_DRQ);
    if (now & PXCMD_ST && !port->stopping)
        now |= PXCMD_CR;
    port->cmd = now;
    if (!(now & PXCMD_ST))
        stop(port);
    ahci_settle(port);
    ahci_port_kick(port);
}

/* §10.4.2: DET goes to 1, and back. */
static void
write_control(AhciPort *port, uint32_t value)
{
    port->sctl = value & SCTL_BITS;
    if (port->drive == NULL)
        return;
    if ((port->sctl & SCTL_DET) != 0) {
        port->resetting = TRUE;
        port->status = KILN_ATA_STATUS_BSY;
        port->sig = NO_SIGNATURE;
        stop(port);
    }
    ahci_settle(port);
}

static void
port_write(AhciPort *port, unsigned offset, uint32_t value)
{
    switch (offset) {
    case PXCLB: port->clb = (port->clb & ~UINT64_C(0xffffffff)) | (value & ~0x3ffu); break;
    case PXCLBU: port->clb = (port->clb & 0xffffffff) | (uint64_t)value << 32; break;
    case PXFB: port->fb = (port->fb & ~UINT64_C(0xffffffff)) | (value & ~0xffu); break;
    case PXFBU: port->fb = (port->fb & 0xffffffff) | (uint64_t)value << 32; break;
    case PXIS: port->is &= ~value; break;
    case PXIE: port->ie = value & PXIE_BITS; break;
    case PXCMD: write_command(port, value); return;
    case PXSCTL: write_control(port, value); return;
    case PXSERR: port->serr &= ~value; break;
    case PXSACT:
        if (port->cmd & PXCMD_ST)
            port->sact |= value;
        return;
    case PXCI:
        if ((port->cmd & (PXCMD_ST | PXCMD_CR)) == (PXCMD_ST | PXCMD_CR) && !port->stopping &&
            port->drive != NULL) {
            port->ci |= value;
            ahci_port_kick(port);
        }
        return;
    default: return;
    }
    update_interrupt(port->hba);
}

/* ---- Registers of the HBA ---------------------------------------------------------------------
 */

static uint32_t
implemented(const AhciHba *hba)
{
    uint32_t ports = 0;

    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        if (hba->ports[i].drive != NULL)
            ports |= 1u << i;
    return ports != 0 ? ports : (1u << KILN_AHCI_N_PORTS) - 1;
}

static uint32_t
hba_read(const AhciHba *hba, unsigned offset)
{
    switch (offset) {
    case CAP:
        return (KILN_AHCI_N_PORTS - 1) | CAP_N_SLOTS | CAP_PMD | CAP_SAM | CAP_ISS_6G | CAP_SCLO |
               CAP_SNCQ | CAP_S64A;
    case GHC: return hba->ghc;
    case IS: return hba->is;
    case PI: return implemented(hba);
    case VS: return AHCI_VERSION;
    default: return 0;
    }
}

static void
hba_write(AhciHba *hba, unsigned offset, uint32_t value)
{
    if (offset == GHC) {
        hba->ghc = (hba->ghc & ~(uint32_t)GHC_IE) | (value & GHC_IE);
        if (value & GHC_HR && !hba->resetting)
            reset_hba(hba);
    } else if (offset == IS) {
        hba->is &= ~value;
    } else {
        return;
    }
    update_interrupt(hba);
}

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    AhciHba *hba = opaque;
    unsigned port = (unsigned)(offset - PORTS) / PORT_BYTES;

    if (offset < PORTS)
        return hba_read(hba, (unsigned)offset);
    return port < KILN_AHCI_N_PORTS ? port_read(&hba->ports[port], offset % PORT_BYTES) : 0;
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    AhciHba *hba = opaque;
    unsigned port = (unsigned)(offset - PORTS) / PORT_BYTES;

    if (offset < PORTS)
        hba_write(hba, (unsigned)offset, (uint32_t)data);
    else if (port < KILN_AHCI_N_PORTS && !hba->resetting)
        port_write(&hba->ports[port], offset % PORT_BYTES, (uint32_t)data);
}

static const KilnRegionOps bar_ops = {
    .read = bar_read, .write = bar_write, .min_access = 4, .max_access = 4
};

static void
kick_all(AhciHba *hba)
{
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        ahci_port_kick(&hba->ports[i]);
}

static void
config_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    AhciHba *hba = from_pci(pci);

    kiln_msi_vector_update(&hba->msi);
    update_interrupt(hba);
    if (offset <= PCI_COMMAND && offset + size > PCI_COMMAND)
        kick_all(hba); /* it may have become a bus master */
}

static const KilnPciOps pci_ops = { .config_written = config_written };

/* ---- Standing still ---------------------------------------------------------------------------
 */

void
kiln_ahci_quiesce_begin(KilnPciDevice *pci)
{
    KILN_LOCK_SCOPE(&pci->device.lock);

    from_pci(pci)->quiesced = TRUE;
}

gboolean
kiln_ahci_quiesce_until(KilnPciDevice *pci, gint64 end_us)
{
    AhciHba *hba = from_pci(pci);
    KILN_LOCK_SCOPE(&pci->device.lock);

    hba->quiesced = TRUE;
    while (!is_idle(hba) && g_get_monotonic_time() < end_us)
        kiln_cond_wait_until(&hba->idle, &pci->device.lock, end_us);
    return is_idle(hba);
}

void
kiln_ahci_resume(KilnPciDevice *pci)
{
    AhciHba *hba = from_pci(pci);
    KILN_LOCK_SCOPE(&pci->device.lock);

    hba->quiesced = FALSE;
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++) {
        hba->ports[i].kept = 0;
        if (hba->ports[i].running == 0)
            hba->ports[i].alone = FALSE;
    }
    kick_all(hba);
}

/* ---- Life -------------------------------------------------------------------------------------
 */

static void
hba_reset(KilnDevice *device)
{
    AhciHba *hba = (AhciHba *)device;

    kiln_pci_device_reset(&hba->pci);
    kiln_msi_vector_update(&hba->msi);
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++) {
        hba->ports[i].clb = hba->ports[i].fb = 0;
        power_on_port(&hba->ports[i]);
    }
    hba->ghc = GHC_AE;
    hba->is = 0;
    hba->resetting = FALSE;
}

static void
hba_free(KilnDevice *device)
{
    AhciHba *hba = (AhciHba *)device;

    kiln_pci_bus_remove(&hba->pci);
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++)
        ahci_port_close(&hba->ports[i]);
    kiln_msi_vector_clear(&hba->msi);
    kiln_cond_clear(&hba->idle);
    kiln_pci_device_clear(&hba->pci);
    g_free(hba);
}

static gboolean
hba_post_load(void *object, GError **error)
{
    AhciHba *hba = object;

    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++) {
        AhciPort *port = &hba->ports[i];

        port->kept = 0;
        port->alone = FALSE;
        port->clb &= ~UINT64_C(0x3ff);
        port->fb &= ~UINT64_C(0xff);
        port->serr &= port->drive != NULL ? UINT32_MAX : 0;
        port->unsigned_ = port->unsigned_ && port->drive != NULL;
        port->resetting = port->resetting && port->drive != NULL;
        port->soft_reset = port->soft_reset && port->drive != NULL;
        if (port->drive == NULL || !(port->cmd & PXCMD_CR))
            port->ci = port->accepted = 0;
    }
    hba->ghc = GHC_AE | (hba->ghc & GHC_IE);
    kiln_msi_vector_update(&hba->msi);
    update_interrupt(hba);
    kick_all(hba);
    return TRUE;
}

static const KilnStateField port_fields[] = {
    KILN_STATE(AhciPort, clb, 1),
    KILN_STATE(AhciPort, fb, 1),
    KILN_STATE(AhciPort, is, 1),
    KILN_STATE(AhciPort, ie, 1),
    KILN_STATE(AhciPort, cmd, 1),
    KILN_STATE(AhciPort, sig, 1),
    KILN_STATE(AhciPort, sctl, 1),
    KILN_STATE(AhciPort, serr, 1),
    KILN_STATE(AhciPort, sact, 1),
    KILN_STATE(AhciPort, ci, 1),
    KILN_STATE(AhciPort, status, 1),
    KILN_STATE(AhciPort, error, 1),
    KILN_STATE(AhciPort, accepted, 1),
    KILN_STATE_FLAG(AhciPort, halted, 1),
    KILN_STATE_FLAG(AhciPort, unsigned_, 1),
    KILN_STATE_FLAG(AhciPort, soft_reset, 1),
    KILN_STATE_FLAG(AhciPort, resetting, 1),
    KILN_STATE_END,
};

static const KilnStateDescription port_state = {
    .name = "ahci-port", .version = 1, .min_version = 1, .fields = port_fields
};

static const KilnStateField hba_fields[] = {
    KILN_STATE_STRUCT(AhciHba, pci, 1, &kiln_pci_state),
    KILN_STATE(AhciHba, ghc, 1),
    KILN_STATE(AhciHba, is, 1),
    KILN_STATE_STRUCT_ARRAY(AhciHba, ports, 1, &port_state),
    KILN_STATE_END,
};

static const KilnStateDescription hba_state = {
    .name = "ahci", .version = 1, .min_version = 1, .fields = hba_fields, .post_load = hba_post_load
};

static const KilnDeviceOps hba_ops = {
    .name = "ahci", .reset = hba_reset, .free = hba_free, .state = &hba_state
};

KilnPciDevice *
kiln_ahci_new(const KilnAhciOptions *options, GError **error)
{
    static const KilnPciIdentity identity = { .vendor = VENDOR_INTEL,
                                              .device = DEVICE_ICH9_AHCI,
                                              .revision = REVISION,
                                              .class_code = CLASS_AHCI,
                                              .pin = 1 };
    AhciHba *hba = g_new0(AhciHba, 1);

    kiln_pci_device_init(&hba->pci, &hba_ops, &pci_ops, options->id, &identity);
    hba->memory = options->memory;
    hba->ghc = GHC_AE;
    hba->quiesced = TRUE;
    kiln_cond_init(&hba->idle);
    for (unsigned i = 0; i < KILN_AHCI_N_PORTS; i++) {
        hba->ports[i] = (AhciPort){ .hba = hba, .index = i, .kick = KILN_EVENT_NONE };
        power_on_port(&hba->ports[i]);
    }
    kiln_pci_device_add_bar(&hba->pci, ABAR, KILN_PCI_BAR_MEMORY_32, FALSE, ABAR_BYTES, &bar_ops,
                            hba);
    hba->pci.config[MAP] = MAP_AHCI;
    hba->pci.write_mask[PCS] = (1u << KILN_AHCI_N_PORTS) - 1;
    if (!kiln_msi_vector_init(&hba->msi, &hba->pci, error)) {
        kiln_device_free(&hba->pci.device);
        return NULL;
    }
    return &hba->pci;
}

gboolean
kiln_ahci_attach(KilnPciDevice *pci, unsigned index, KilnAtaDrive *drive, GError **error)
{
    AhciPort *port = &from_pci(pci)->ports[index];

    port->drive = drive;
    if (!ahci_port_open(port, error)) {
        port->drive = NULL;
        return FALSE;
    }
    power_on_port(port);
    return TRUE;
}
