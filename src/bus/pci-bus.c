/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci-bus.h. */
#include "bus/pci-bus.h"

#include <stdatomic.h>

#include "base/error.h"
#include "bus/pci-decode.h"

enum {
    PORT_CONFIG = 0xcf8, /* CONFIG_ADDRESS, then CONFIG_DATA: 4 ports each */
    PORT_CONFIG_BYTES = 8,
    OFFSET_RESET = 1, /* the reset control register's, among them */
    OFFSET_DATA = 4,
    N_DEVFN = 256,
    HEADER_MULTIFUNCTION = 1 << 7,
};

#define CONFIG_ENABLE 0x80000000u
#define CONFIG_BITS   0x80fffffcu /* PCI 3.0 §3.2.2.3.2: the others read as zero */

struct KilnPciBus {
    KilnPciHost *host;
    KilnPciDevice *bridge;        /* (nullable): NULL for the root bus */
    _Atomic(KilnPciBus *) parent; /* (nullable): where @bridge is now */
    _Atomic(KilnPciBus *) next;   /* of the host's secondary buses */
    atomic_uchar secondary;       /* own number */
    atomic_uchar subordinate;     /* highest one behind */
    _Atomic(KilnPciDevice *) functions[N_DEVFN];
};

struct KilnPciHost {
    KilnDevice device; /* its lock is not needed for configuration accesses */
    KilnSpace *io;
    KilnSpace *memory;
    KilnPciIntxFn intx; /* (nullable) */
    void *intx_opaque;
    KilnMsi msi;
    KilnMutex placement; /* see pci-decode.h */
    KilnPciBus root;
    _Atomic(KilnPciBus *) secondaries; /* (not owned): changed by control threads only */
    uint32_t config_address;           /* (atomic) */
    const KilnRegion *reset_port;      /* (nullable): constant while guests run */
    KilnRegion ports;
    KilnRegion ecam;
    uint64_t ecam_base; /* (atomic): where that was put */
};

/* The bus @number, which is @parent's own or somewhere behind it. */
static KilnPciBus *
find_bus(KilnPciHost *host, KilnPciBus *parent, unsigned number)
{
    if (number == atomic_load(&parent->secondary))
        return parent;
    for (KilnPciBus *bus = atomic_load(&host->secondaries); bus != NULL;
         bus = atomic_load(&bus->next)) {
        unsigned first = atomic_load(&bus->secondary);

        if (atomic_load(&bus->parent) == parent && first != 0 && first <= number &&
            number <= atomic_load(&bus->subordinate))
            return find_bus(host, bus, number);
    }
    return NULL;
}

static KilnPciDevice *
find_function(KilnPciHost *host, uint32_t address)
{
    KilnPciBus *bus = find_bus(host, &host->root, address >> 20 & 0xff);

    return bus != NULL ? atomic_load(&bus->functions[address >> 12 & 0xff]) : NULL;
}

uint32_t
kiln_pci_host_config_read(KilnPciHost *host, uint32_t address, unsigned size)
{
    KilnPciDevice *pci = find_function(host, address);

    /* Nobody answers: a master abort, which the host turns into ones (PCI 3.0 §6.1). */
    return pci != NULL ? kiln_pci_device_config_read(pci, address & 0xfff, size) : UINT32_MAX;
}

void
kiln_pci_host_config_write(KilnPciHost *host, uint32_t address, uint32_t data, unsigned size)
{
    KilnPciDevice *pci = find_function(host, address);

    if (pci != NULL)
        kiln_pci_device_config_write(pci, address & 0xfff, data, size);
}

/* What the latched address and an offset into CONFIG_DATA select, as ECAM counts. */
static uint32_t
latched_address(uint32_t latch, uint64_t offset)
{
    return (latch & 0xffff00) << 4 | (latch & 0xfc) | (offset & 3);
}

static uint64_t
read_reset_port(KilnPciHost *host)
{
    const KilnRegion *port = host->reset_port;

    if (port == NULL)
        return UINT64_MAX;
    KILN_LOCK_SCOPE(port->lock);
    return port->ops->read(port->opaque, 0, 1);
}

static void
write_reset_port(KilnPciHost *host, uint64_t data)
{
    const KilnRegion *port = host->reset_port;

    if (port == NULL)
        return;
    KILN_LOCK_SCOPE(port->lock);
    port->ops->write(port->opaque, 0, data, 1);
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
    KilnPciHost *host = opaque;
    uint32_t latch = __atomic_load_n(&host->config_address, __ATOMIC_RELAXED);

    if (offset == OFFSET_RESET && size == 1)
        return read_reset_port(host);
    if (offset >= OFFSET_DATA)
        return latch & CONFIG_ENABLE
                   ? kiln_pci_host_config_read(host, latched_address(latch, offset), size)
                   : UINT64_MAX;
    return offset == 0 && size == 4 ? latch : UINT64_MAX;
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnPciHost *host = opaque;
    uint32_t latch = __atomic_load_n(&host->config_address, __ATOMIC_RELAXED);

    if (offset == OFFSET_RESET && size == 1)
        write_reset_port(host, data);
    else if (offset >= OFFSET_DATA && (latch & CONFIG_ENABLE))
        kiln_pci_host_config_write(host, latched_address(latch, offset), (uint32_t)data, size);
    else if (offset == 0 && size == 4)
        __atomic_store_n(&host->config_address, (uint32_t)data & CONFIG_BITS, __ATOMIC_RELAXED);
}

static uint64_t
ecam_read(void *opaque, uint64_t offset, unsigned size)
{
    return kiln_pci_host_config_read(opaque, (uint32_t)offset, size);
}

static void
ecam_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    kiln_pci_host_config_write(opaque, (uint32_t)offset, (uint32_t)data, size);
}

static const KilnRegionOps ports_ops = { .read = ports_read,
                                         .write = ports_write,
                                         .max_access = 4 };
static const KilnRegionOps ecam_ops = { .read = ecam_read, .write = ecam_write, .max_access = 4 };

static void
host_reset(KilnDevice *device)
{
    KilnPciHost *host = (KilnPciHost *)device;

    __atomic_store_n(&host->config_address, 0, __ATOMIC_RELAXED);
}

static void
host_free(KilnDevice *device)
{
    kiln_pci_host_free((KilnPciHost *)device);
}

static gboolean
host_post_load(void *object, GError **error)
{
    KilnPciHost *host = object;

    host->config_address &= CONFIG_BITS;
    return TRUE;
}

static const KilnStateField host_fields[] = {
    KILN_STATE(KilnPciHost, config_address, 1),
    KILN_STATE_END,
};

static const KilnStateDescription host_state = {
    .name = "pci-host",
    .version = 1,
    .min_version = 1,
    .fields = host_fields,
    .post_load = host_post_load,
};

static const KilnDeviceOps host_ops = {
    .name = "pci-host",
    .reset = host_reset,
    .free = host_free,
    .state = &host_state,
};

KilnPciHost *
kiln_pci_host_new(const KilnPciHostOptions *options, GError **error)
{
    g_autoptr(KilnPciHost) host = g_new0(KilnPciHost, 1);

    kiln_device_init(&host->device, &host_ops, "pci-host");
    kiln_mutex_init(&host->placement);
    host->io = options->io;
    host->memory = options->memory;
    host->intx = options->intx;
    host->intx_opaque = options->intx_opaque;
    host->msi = options->msi;
    host->root.host = host;
    atomic_init(&host->root.subordinate, 0xff);
    kiln_region_init(&host->ports, &host->device, &ports_ops, PORT_CONFIG_BYTES);
    host->ports.lock = NULL; /* the functions' locks do */
    kiln_region_init(&host->ecam, &host->device, &ecam_ops, 1);
    host->ecam.name = "ecam";
    host->ecam_base = KILN_SPACE_UNMAPPED;
    host->ecam.lock = NULL;
    if (!kiln_space_add(host->io, &host->ports, PORT_CONFIG, error))
        return NULL;
    return g_steal_pointer(&host);
}

void
kiln_pci_host_free(KilnPciHost *host)
{
    if (host == NULL)
        return;
    kiln_space_remove(host->io, &host->ports);
    kiln_space_remove(host->memory, &host->ecam);
    kiln_mutex_clear(&host->placement);
    kiln_device_clear(&host->device);
    g_free(host);
}

KilnDevice *
kiln_pci_host_device(KilnPciHost *host)
{
    return &host->device;
}

KilnPciBus *
kiln_pci_host_root(KilnPciHost *host)
{
    return &host->root;
}

KilnSpace *
kiln_pci_host_io(KilnPciHost *host)
{
    return host->io;
}

KilnSpace *
kiln_pci_host_memory(KilnPciHost *host)
{
    return host->memory;
}

const KilnMsi *
kiln_pci_host_msi(const KilnPciHost *host)
{
    return &host->msi;
}

KilnMutex *
kiln_pci_host_placement(KilnPciHost *host)
{
    return &host->placement;
}

void
kiln_pci_host_set_intx(KilnPciHost *host, KilnPciIntxFn intx, void *opaque)
{
    host->intx = intx;
    host->intx_opaque = opaque;
}

void
kiln_pci_host_set_reset_port(KilnPciHost *host, const KilnRegion *region)
{
    host->reset_port = region;
}

void
kiln_pci_host_set_ecam(KilnPciHost *host, uint64_t base, uint64_t length)
{
    if (base == KILN_SPACE_UNMAPPED || length != host->ecam.length)
        kiln_space_remove(host->memory, &host->ecam);
    __atomic_store_n(&host->ecam_base, base, __ATOMIC_RELAXED);
    if (base == KILN_SPACE_UNMAPPED)
        return;
    host->ecam.length = length;
    (void)kiln_space_place(host->memory, &host->ecam, base);
}

uint64_t
kiln_pci_host_ecam(const KilnPciHost *host)
{
    return __atomic_load_n(&host->ecam_base, __ATOMIC_RELAXED);
}

void
kiln_pci_host_synchronize(KilnPciHost *host)
{
    kiln_space_synchronize(host->io);
    kiln_space_synchronize(host->memory);
}

KilnPciBus *
kiln_pci_bus_new(KilnPciDevice *bridge)
{
    KilnPciBus *bus = g_new0(KilnPciBus, 1);

    bus->bridge = bridge;
    bridge->secondary = bus;
    return bus;
}

/* Control thread: lists @bus under its host, now that its bridge is on a bus. */
static void
link_secondary(KilnPciBus *bus, KilnPciBus *parent)
{
    KilnPciHost *host = parent->host;

    bus->host = host;
    atomic_store(&bus->parent, parent);
    atomic_store(&bus->next, atomic_load(&host->secondaries));
    atomic_store(&host->secondaries, bus);
}

/* Control thread.  A reader that stands on @bus still finds the rest of the list behind it. */
static void
unlink_secondary(KilnPciBus *bus)
{
    _Atomic(KilnPciBus *) *link = &bus->host->secondaries;

    while (atomic_load(link) != bus)
        link = &atomic_load(link)->next;
    atomic_store(link, atomic_load(&bus->next));
    atomic_store(&bus->parent, NULL);
}

void
kiln_pci_bus_free(KilnPciBus *bus)
{
    if (bus == NULL)
        return;
    if (atomic_load(&bus->parent) != NULL)
        unlink_secondary(bus);
    bus->bridge->secondary = NULL;
    g_free(bus);
}

KilnPciDevice *
kiln_pci_bus_bridge(KilnPciBus *bus)
{
    return bus->bridge;
}

KilnPciHost *
kiln_pci_bus_host(KilnPciBus *bus)
{
    return bus->host;
}

void
kiln_pci_bus_set_numbers(KilnPciBus *bus, uint8_t secondary, uint8_t subordinate)
{
    atomic_store(&bus->secondary, secondary);
    atomic_store(&bus->subordinate, subordinate);
}

void
kiln_pci_bus_intx(KilnPciBus *bus, uint8_t devfn, unsigned pin, gboolean level)
{
    unsigned slot = KILN_PCI_SLOT(devfn);

    while (bus->bridge != NULL && bus->bridge->bus != NULL) {
        pin = (pin + slot) % KILN_PCI_N_PINS; /* PCI-to-PCI Bridge 1.2 §9.1 */
        slot = KILN_PCI_SLOT(bus->bridge->devfn);
        bus = bus->bridge->bus;
    }
    if (bus->host != NULL && bus->host->intx != NULL)
        bus->host->intx(bus->host->intx_opaque, slot, pin, level);
}

static void
set_multifunction(KilnPciDevice *pci)
{
    KILN_LOCK_SCOPE(&pci->device.lock);

    pci->config[PCI_HEADER_TYPE] |= HEADER_MULTIFUNCTION;
    if (pci->reset_config != NULL)
        pci->reset_config[PCI_HEADER_TYPE] |= HEADER_MULTIFUNCTION;
}

/* Functions that share a slot say so, else nobody looks for any but the first: PCI 3.0 §6.2.1. */
static void
mark_multifunction(KilnPciBus *bus, KilnPciDevice *pci, uint8_t devfn)
{
    for (unsigned function = 0; function < 8; function++) {
        uint8_t at = KILN_PCI_DEVFN(KILN_PCI_SLOT(devfn), function);
        KilnPciDevice *other = atomic_load(&bus->functions[at]);

        if (other == NULL)
            continue;
        set_multifunction(other);
        set_multifunction(pci);
    }
}

gboolean
kiln_pci_bus_add(KilnPciBus *bus, KilnPciDevice *pci, uint8_t devfn, GError **error)
{
    KilnPciDevice *other = atomic_load(&bus->functions[devfn]);

    if (other != NULL)
        return kiln_error_set(error, KILN_ERROR_EXISTS, "PCI address %02x.%x of '%s' has '%s'",
                              KILN_PCI_SLOT(devfn), KILN_PCI_FUNCTION(devfn), pci->device.id,
                              other->device.id);
    if (bus->host == NULL)
        return kiln_error_set(error, KILN_ERROR_STATE, "'%s': the bridge '%s' is on no bus",
                              pci->device.id, bus->bridge->device.id);
    mark_multifunction(bus, pci, devfn);
    g_free(pci->reset_config);
    pci->reset_config = g_memdup2(pci->config, pci->config_size);
    pci->bus = bus;
    pci->devfn = devfn;
    if (pci->secondary != NULL)
        link_secondary(pci->secondary, bus);
    atomic_store(&bus->functions[devfn], pci);
    return TRUE;
}

void
kiln_pci_bus_remove(KilnPciDevice *pci)
{
    KilnPciBus *bus = pci->bus;

    if (bus == NULL)
        return;
    atomic_store(&bus->functions[pci->devfn], NULL);
    if (pci->secondary != NULL)
        unlink_secondary(pci->secondary);
    KILN_LOCK_SCOPE(&pci->device.lock);
    kiln_pci_device_set_intx(pci, FALSE);
    kiln_pci_decode_remove(pci);
    pci->bus = NULL;
}

void
kiln_pci_bus_reset(KilnPciBus *bus)
{
    for (unsigned devfn = 0; devfn < N_DEVFN; devfn++) {
        KilnPciDevice *pci = atomic_load(&bus->functions[devfn]);

        if (pci == NULL)
            continue;
        if (pci->secondary != NULL)
            kiln_pci_bus_reset(pci->secondary);
        kiln_device_reset(&pci->device);
    }
}

KilnPciDevice *
kiln_pci_bus_at(KilnPciBus *bus, uint8_t devfn)
{
    return atomic_load(&bus->functions[devfn]);
}
