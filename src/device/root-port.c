/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See root-port.h.  What is in the slot is what is on the bus; all else is in the configuration
 * space.  The link is active while there is something, it has power, and the link is not disabled.
 */
#include "device/root-port.h"

#include "base/error.h"
#include "base/le.h"
#include "bus/msix.h"
#include "bus/pci-express.h"

enum {
    VENDOR_RED_HAT = 0x1b36,
    DEVICE_ROOT_PORT = 0x000c,
    CLASS_PCI_BRIDGE = 0x060400,
    MSIX_BAR = 0,
    VECTOR = 0,
    SLOT_NUMBER_SHIFT = 19,
    PORT_NUMBER_SHIFT = 24,

    SLOT_HOTPLUG = PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_AIP |
                   PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_HPC | PCI_EXP_SLTCAP_NCCS,
    /* Those whose enable bit is at the same place in Slot Control: §7.5.3.10, §7.5.3.11. */
    EVENTS_IN_PLACE = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC,
    EVENTS = EVENTS_IN_PLACE | PCI_EXP_SLTSTA_DLLSC,
    SLOT_WRITABLE = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_CCIE |
                    PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_AIC | PCI_EXP_SLTCTL_PIC |
                    PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_DLLSCE,
    ROOT_WRITABLE =
        PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE | PCI_EXP_RTCTL_PMEIE,
};

typedef struct {
    KilnPciDevice pci; /* its lock guards all */
    KilnMsix *msix;    /* (owned) */
    KilnPciBus *bus;   /* (owned) */
    KilnRootPortOptions options;
    uint8_t express;   /* offset of the PCI Express capability */
    uint16_t control;  /* Slot Control as it was last looked at */
    gboolean notified; /* events that are enabled are told; derived, but an edge */
    gboolean in_reset; /* the secondary bus: derived */
} RootPort;

/* ---- registers ---------------------------------------------------------------------------------
 */

static uint8_t *
reg(RootPort *port, unsigned offset)
{
    return port->pci.config + port->express + offset;
}

static uint16_t
get(RootPort *port, unsigned offset)
{
    return kiln_le16_load(reg(port, offset));
}

static void
change(RootPort *port, unsigned offset, unsigned clear, unsigned set)
{
    kiln_le16_store(reg(port, offset), (uint16_t)((get(port, offset) & ~clear) | set));
}

static gboolean
is_occupied(const RootPort *port)
{
    return kiln_pci_bus_at(port->bus, 0) != NULL;
}

static gboolean
is_off(uint16_t control)
{
    return (control & PCI_EXP_SLTCTL_PCC) != 0;
}

/* No power, and the guest says that hands may reach in: §6.7.1.1.2. */
static gboolean
is_safe(uint16_t control)
{
    return is_off(control) && (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_OFF;
}

static gboolean
is_busy(uint16_t control)
{
    return (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_BLINK;
}

/* ---- events: §6.7.3.4 --------------------------------------------------------------------------
 */

/* A message for each time that an enabled event appears; a pin as long as there is one. */
static void
update_interrupt(RootPort *port)
{
    uint16_t control = get(port, PCI_EXP_SLTCTL);
    uint16_t status = get(port, PCI_EXP_SLTSTA);
    gboolean before = port->notified;

    port->notified = (control & PCI_EXP_SLTCTL_HPIE) &&
                     ((status & control & EVENTS_IN_PLACE) ||
                      ((status & PCI_EXP_SLTSTA_DLLSC) && (control & PCI_EXP_SLTCTL_DLLSCE)));
    if (kiln_msix_enabled(port->msix)) {
        kiln_pci_device_set_intx(&port->pci, FALSE);
        if (port->notified && !before)
            kiln_msix_notify(port->msix, VECTOR);
    } else {
        kiln_pci_device_set_intx(&port->pci, port->notified);
    }
}

/* Brings presence and link up to date; what has changed is an event if @tell. */
static void
update_slot(RootPort *port, gboolean tell)
{
    gboolean present = is_occupied(port);
    gboolean active = present && !is_off(get(port, PCI_EXP_SLTCTL)) &&
                      !(get(port, PCI_EXP_LNKCTL) & PCI_EXP_LNKCTL_LD);
    gboolean was_present = (get(port, PCI_EXP_SLTSTA) & PCI_EXP_SLTSTA_PDS) != 0;
    gboolean was_active = (get(port, PCI_EXP_LNKSTA) & PCI_EXP_LNKSTA_DLLLA) != 0;
    unsigned events = (present != was_present ? PCI_EXP_SLTSTA_PDC : 0) |
                      (active != was_active ? PCI_EXP_SLTSTA_DLLSC : 0);

    if (!port->options.hotplug)
        events = 0;
    change(port, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDS, present ? PCI_EXP_SLTSTA_PDS : 0);
    change(port, PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_DLLLA, active ? PCI_EXP_LNKSTA_DLLLA : 0);
    if (tell)
        change(port, PCI_EXP_SLTSTA, 0, events);
}

/* Power and indicators as firmware would leave them: on where there is something. */
static void
power_up(RootPort *port)
{
    if (port->options.hotplug)
        change(port, PCI_EXP_SLTCTL, SLOT_WRITABLE,
               PCI_EXP_SLTCTL_ATTN_IND_OFF |
                   (is_occupied(port) ? PCI_EXP_SLTCTL_PWR_IND_ON
                                      : PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PCC));
    port->control = get(port, PCI_EXP_SLTCTL);
    update_slot(port, FALSE);
}

/* ---- what the guest writes ---------------------------------------------------------------------
 */

static void
slot_written(RootPort *port)
{
    uint16_t before = port->control, control = get(port, PCI_EXP_SLTCTL);

    port->control = control;
    if (is_off(control) && !is_off(before))
        kiln_pci_bus_reset(port->bus);
    update_slot(port, TRUE);
    if (is_safe(control) && !is_safe(before) && is_occupied(port) && port->options.ejected != NULL)
        port->options.ejected(port->options.opaque, &port->pci);
}

/* PCI-to-PCI Bridge 1.2 §3.2.5.18: what is behind is held in reset while the bit is set. */
static void
bridge_control_written(RootPort *port)
{
    gboolean before = port->in_reset;

    port->in_reset = (port->pci.config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET) != 0;
    if (port->in_reset && !before)
        kiln_pci_bus_reset(port->bus);
}

static void
port_written(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    RootPort *port = (RootPort *)pci;

    kiln_msix_written(port->msix, offset, size);
    bridge_control_written(port);
    slot_written(port);
    update_interrupt(port); /* MSI-X may have been turned on or off */
}

static const KilnPciOps port_pci_ops = { .config_written = port_written };

/* ---- what the machine does ---------------------------------------------------------------------
 */

KilnPciBus *
kiln_root_port_bus(KilnPciDevice *pci)
{
    return ((RootPort *)pci)->bus;
}

static gboolean
check_hotplug(const RootPort *port, uint16_t control, GError **error)
{
    if (!port->options.hotplug)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "the PCI port '%s' has no hotplug",
                              port->pci.device.id);
    if (is_busy(control))
        return kiln_error_set(error, KILN_ERROR_STATE, "the guest is at work on the PCI port '%s'",
                              port->pci.device.id);
    return TRUE;
}

gboolean
kiln_root_port_plug(KilnPciDevice *pci, gboolean running, GError **error)
{
    RootPort *port = (RootPort *)pci;
    KILN_LOCK_SCOPE(&pci->device.lock);

    if (!running) {
        power_up(port);
        return TRUE;
    }
    if (!check_hotplug(port, get(port, PCI_EXP_SLTCTL), error))
        return FALSE;
    update_slot(port, TRUE);
    /* With presence changed the guest need not wait for a second press that takes the first back.
     */
    change(port, PCI_EXP_SLTSTA, 0, PCI_EXP_SLTSTA_ABP);
    update_interrupt(port);
    return TRUE;
}

gboolean
kiln_root_port_unplug_request(KilnPciDevice *pci, GError **error)
{
    RootPort *port = (RootPort *)pci;
    KILN_LOCK_SCOPE(&pci->device.lock);
    uint16_t control = get(port, PCI_EXP_SLTCTL);

    if (!check_hotplug(port, control, error))
        return FALSE;
    if (!is_occupied(port))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "there is nothing in the PCI port '%s'",
                              pci->device.id);
    if (is_safe(control)) {
        if (port->options.ejected != NULL)
            port->options.ejected(port->options.opaque, pci);
        return TRUE;
    }
    change(port, PCI_EXP_SLTSTA, 0, PCI_EXP_SLTSTA_ABP);
    update_interrupt(port);
    return TRUE;
}

void
kiln_root_port_unplugged(KilnPciDevice *pci)
{
    RootPort *port = (RootPort *)pci;
    KILN_LOCK_SCOPE(&pci->device.lock);

    update_slot(port, TRUE);
    update_interrupt(port);
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void
port_reset(KilnDevice *device)
{
    RootPort *port = (RootPort *)device;

    kiln_pci_device_reset(&port->pci);
    kiln_msix_reset(port->msix);
    port->in_reset = FALSE;
    power_up(port);
    update_interrupt(port);
}

static void
port_free(KilnDevice *device)
{
    RootPort *port = (RootPort *)device;

    kiln_pci_bus_remove(&port->pci);
    kiln_pci_bus_free(port->bus);
    kiln_msix_free(port->msix);
    kiln_pci_device_clear(&port->pci);
    g_free(port);
}

/* What is in the slot is as this machine was built, not as the stream says. */
static gboolean
port_post_load(void *object, GError **error)
{
    RootPort *port = object;

    kiln_msix_update(port->msix);
    port->control = get(port, PCI_EXP_SLTCTL);
    port->in_reset = (port->pci.config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET) != 0;
    update_slot(port, FALSE);
    port->notified = TRUE; /* what the guest was told before it was saved is not told again */
    update_interrupt(port);
    return TRUE;
}

static const KilnStateField port_fields[] = {
    KILN_STATE_STRUCT(RootPort, pci, 1, &kiln_pci_state),
    KILN_STATE_POINTER(RootPort, msix, 1, &kiln_msix_state),
    KILN_STATE_END,
};

static const KilnStateDescription port_state = { .name = "root-port",
                                                 .version = 1,
                                                 .min_version = 1,
                                                 .fields = port_fields,
                                                 .post_load = port_post_load };

static const KilnDeviceOps port_ops = {
    .name = "root-port", .reset = port_reset, .free = port_free, .state = &port_state
};

static void
add_slot(RootPort *port)
{
    uint8_t *config = port->pci.config + port->express;
    uint8_t *write = port->pci.write_mask + port->express;
    uint8_t *w1c = port->pci.w1c_mask + port->express;
    uint32_t number = port->options.number;

    kiln_le16_store(config + PCI_EXP_FLAGS,
                    kiln_le16_load(config + PCI_EXP_FLAGS) | PCI_EXP_FLAGS_SLOT);
    kiln_le32_store(config + PCI_EXP_LNKCAP, kiln_le32_load(config + PCI_EXP_LNKCAP) |
                                                 PCI_EXP_LNKCAP_DLLLARC | PCI_EXP_LNKCAP_LBNC |
                                                 number << PORT_NUMBER_SHIFT);
    kiln_le16_store(write + PCI_EXP_LNKCTL, kiln_le16_load(write + PCI_EXP_LNKCTL) |
                                                PCI_EXP_LNKCTL_LD | PCI_EXP_LNKCTL_LBMIE |
                                                PCI_EXP_LNKCTL_LABIE);
    kiln_le32_store(config + PCI_EXP_SLTCAP, number << SLOT_NUMBER_SHIFT);
    kiln_le16_store(write + PCI_EXP_RTCTL, ROOT_WRITABLE);
    if (!port->options.hotplug)
        return;
    kiln_le32_store(config + PCI_EXP_SLTCAP, number << SLOT_NUMBER_SHIFT | SLOT_HOTPLUG);
    kiln_le16_store(write + PCI_EXP_SLTCTL, SLOT_WRITABLE);
    kiln_le16_store(w1c + PCI_EXP_SLTSTA, EVENTS);
}

KilnPciDevice *
kiln_root_port_new(const KilnRootPortOptions *options, GError **error)
{
    static const KilnPciIdentity identity = { .vendor = VENDOR_RED_HAT,
                                              .device = DEVICE_ROOT_PORT,
                                              .class_code = CLASS_PCI_BRIDGE,
                                              .header_type = PCI_HEADER_TYPE_BRIDGE,
                                              .pin = 1,
                                              .express = TRUE };
    RootPort *port = g_new0(RootPort, 1);

    kiln_pci_device_init(&port->pci, &port_ops, &port_pci_ops, options->id, &identity);
    port->pci.device.instance = options->number;
    port->options = *options;
    port->options.id = port->pci.device.id;
    kiln_le16_store(port->pci.write_mask + PCI_IO_BASE, 0); /* both bytes: no I/O window */
    port->bus = kiln_pci_bus_new(&port->pci);
    port->express = kiln_pci_device_add_express(&port->pci, PCI_EXP_TYPE_ROOT_PORT);
    add_slot(port);
    port->msix = kiln_msix_new(&port->pci, MSIX_BAR, 1, error);
    if (port->msix == NULL) {
        port_free(&port->pci.device);
        return NULL;
    }
    power_up(port);
    return &port->pci;
}
