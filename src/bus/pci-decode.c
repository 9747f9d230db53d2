/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pci-decode.h. */
#include "bus/pci-decode.h"

#include <string.h>

#include "base/le.h"
#include "bus/pci-bus.h"

enum {
    N_DEVFN = 256,
    WINDOW_IO_GRAIN = 0x1000,
    WINDOW_MEMORY_GRAIN = 0x100000,
};

/* ---- what registers ask for --------------------------------------------------------------------
 */

static uint64_t
bar_base(const KilnPciDevice *pci, unsigned index)
{
    const KilnPciBar *bar = &pci->bars[index];
    const uint8_t *reg = pci->config + kiln_pci_device_bar_offset(pci, index);
    uint16_t command = kiln_le16_load(pci->config + PCI_COMMAND);
    uint64_t low = kiln_le32_load(reg);
    uint64_t base, highest;

    switch (bar->kind) {
    case KILN_PCI_BAR_IO:
        base = low & PCI_BASE_ADDRESS_IO_MASK;
        highest = UINT16_MAX;
        break;
    case KILN_PCI_BAR_MEMORY_64:
        base = (low & ~(uint64_t)0xf) | (uint64_t)kiln_le32_load(reg + 4) << 32;
        highest = UINT64_MAX - 1;
        break;
    case KILN_PCI_BAR_ROM:
        if (!(low & PCI_ROM_ADDRESS_ENABLE))
            return KILN_SPACE_UNMAPPED;
        base = low & PCI_ROM_ADDRESS_MASK & UINT32_MAX;
        highest = UINT32_MAX - 1;
        break;
    default:
        base = low & ~(uint64_t)0xf;
        highest = UINT32_MAX - 1;
        break;
    }
    if (!(command & (bar->kind == KILN_PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
        return KILN_SPACE_UNMAPPED;
    /* 0 is "not assigned"; the top is where a BAR is while its size is asked for. */
    if (base == 0 || base > highest || bar->region.length - 1 > highest - base)
        return KILN_SPACE_UNMAPPED;
    return base;
}

/* From @base to the end of the @grain that begins at @limit; closed if that is before. */
static KilnPciWindow
window(uint64_t base, uint64_t limit, uint64_t grain)
{
    return base <= limit ? (KilnPciWindow){ .base = base, .length = limit - base + grain }
                         : (KilnPciWindow){ 0 };
}

/* The windows of a type 1 header; all closed if the command register says so. */
static void
read_windows(const KilnPciDevice *pci, KilnPciWindow windows[KILN_PCI_N_WINDOWS])
{
    const uint8_t *config = pci->config;
    uint16_t command = kiln_le16_load(config + PCI_COMMAND);
    uint64_t pref_base = kiln_le16_load(config + PCI_PREF_MEMORY_BASE) & PCI_PREF_RANGE_MASK;
    uint64_t pref_limit = kiln_le16_load(config + PCI_PREF_MEMORY_LIMIT) & PCI_PREF_RANGE_MASK;

    memset(windows, 0, KILN_PCI_N_WINDOWS * sizeof windows[0]);
    /* Bases that cannot be written are those of a window that is not there. */
    if ((command & PCI_COMMAND_IO) && pci->write_mask[PCI_IO_BASE] != 0)
        windows[KILN_PCI_WINDOW_IO] =
            window((uint64_t)(config[PCI_IO_BASE] & 0xf0) << 8,
                   (uint64_t)(config[PCI_IO_LIMIT] & 0xf0) << 8, WINDOW_IO_GRAIN);
    if (!(command & PCI_COMMAND_MEMORY))
        return;
    windows[KILN_PCI_WINDOW_MEMORY] = window(
        (uint64_t)(kiln_le16_load(config + PCI_MEMORY_BASE) & 0xfff0) << 16,
        (uint64_t)(kiln_le16_load(config + PCI_MEMORY_LIMIT) & 0xfff0) << 16, WINDOW_MEMORY_GRAIN);
    windows[KILN_PCI_WINDOW_PREFETCHABLE] =
        window(pref_base << 16 | (uint64_t)kiln_le32_load(config + PCI_PREF_BASE_UPPER32) << 32,
               pref_limit << 16 | (uint64_t)kiln_le32_load(config + PCI_PREF_LIMIT_UPPER32) << 32,
               WINDOW_MEMORY_GRAIN);
}

/* ---- placing; the host's placement lock is held ------------------------------------------------
 */

static gboolean
inside(const KilnPciWindow *window, uint64_t base, uint64_t length)
{
    return base >= window->base && length <= window->length &&
           base - window->base <= window->length - length;
}

/* Whether @bridge lets through to its secondary side what @bar decodes at @base. */
static gboolean
passes(const KilnPciDevice *bridge, const KilnPciBar *bar, uint64_t base)
{
    uint64_t length = bar->region.length;

    if (bar->kind == KILN_PCI_BAR_IO)
        return inside(&bridge->windows[KILN_PCI_WINDOW_IO], base, length);
    return inside(&bridge->windows[KILN_PCI_WINDOW_MEMORY], base, length) ||
           inside(&bridge->windows[KILN_PCI_WINDOW_PREFETCHABLE], base, length);
}

/* Whether what @bar decodes at @base is reached on @bus. */
static gboolean
is_reached(KilnPciBus *bus, const KilnPciBar *bar, uint64_t base)
{
    for (const KilnPciDevice *bridge = kiln_pci_bus_bridge(bus); bridge != NULL;
         bridge = kiln_pci_bus_bridge(bus)) {
        if (bridge->bus == NULL || !passes(bridge, bar, base))
            return FALSE;
        bus = bridge->bus;
    }
    return TRUE;
}

static void
place_function(KilnPciBus *bus, KilnPciDevice *pci)
{
    KilnPciHost *host = kiln_pci_bus_host(bus);

    for (unsigned i = 0; i <= KILN_PCI_ROM; i++) {
        KilnPciBar *bar = &pci->bars[i];

        if (bar->kind == KILN_PCI_BAR_NONE)
            continue;

        KilnSpace *space =
            bar->kind == KILN_PCI_BAR_IO ? kiln_pci_host_io(host) : kiln_pci_host_memory(host);

        if (bar->wanted == KILN_SPACE_UNMAPPED || !is_reached(bus, bar, bar->wanted))
            kiln_space_remove(space, &bar->region);
        else
            (void)kiln_space_place(space, &bar->region, bar->wanted); /* shadowed: not decoded */
    }
}

/* All functions of @bus, and what is behind those that are bridges. */
static void
place_bus(KilnPciBus *bus)
{
    for (unsigned devfn = 0; devfn < N_DEVFN; devfn++) {
        KilnPciDevice *pci = kiln_pci_bus_at(bus, (uint8_t)devfn);

        if (pci == NULL)
            continue;
        place_function(bus, pci);
        if (pci->secondary != NULL)
            place_bus(pci->secondary);
    }
}

/* ---- what pci.c and pci-bus.c call -------------------------------------------------------------
 */

static void
set_windows(KilnPciDevice *pci, const KilnPciWindow windows[KILN_PCI_N_WINDOWS])
{
    if (memcmp(pci->windows, windows, sizeof pci->windows) == 0)
        return;
    memcpy(pci->windows, windows, sizeof pci->windows);
    if (pci->secondary != NULL)
        place_bus(pci->secondary);
}

void
kiln_pci_decode_update(KilnPciDevice *pci)
{
    KILN_LOCK_SCOPE(kiln_pci_host_placement(kiln_pci_bus_host(pci->bus)));
    KilnPciWindow windows[KILN_PCI_N_WINDOWS];

    for (unsigned i = 0; i <= KILN_PCI_ROM; i++)
        if (pci->bars[i].kind != KILN_PCI_BAR_NONE)
            pci->bars[i].wanted = bar_base(pci, i);
    place_function(pci->bus, pci);
    if (!kiln_pci_device_is_bridge(pci))
        return;
    read_windows(pci, windows);
    set_windows(pci, windows);
}

void
kiln_pci_decode_remove(KilnPciDevice *pci)
{
    KILN_LOCK_SCOPE(kiln_pci_host_placement(kiln_pci_bus_host(pci->bus)));
    static const KilnPciWindow closed[KILN_PCI_N_WINDOWS];

    for (unsigned i = 0; i <= KILN_PCI_ROM; i++)
        pci->bars[i].wanted = KILN_SPACE_UNMAPPED;
    place_function(pci->bus, pci);
    set_windows(pci, closed);
}
