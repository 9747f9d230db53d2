/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See pci-setup.h.
 *
 *   bus numbers, depth first -> for each window: measure what each bus needs, from the leaves up ->
 *   give it out, from the root down, the most aligned first -> command registers, bridges last
 */
#include "bus/pci-setup.h"

#include "base/error.h"
#include "base/intmath.h"
#include "base/le.h"

enum {
    N_DEVFN = 256,
    N_BUSES = 256,
    IO_GRAIN = 0x1000, /* of bridges' windows: PCI-to-PCI Bridge 1.2 §3.2.5.6 */
    MEMORY_GRAIN = 0x100000,
    HOTPLUG_LOW = 2 << 20,
    HOTPLUG_HIGH = 32 << 20,
};

/* One kind of address space, with the same numbers as the bridges' windows for it. */
typedef enum {
    POOL_IO = KILN_PCI_WINDOW_IO,
    POOL_LOW = KILN_PCI_WINDOW_MEMORY,
    POOL_HIGH = KILN_PCI_WINDOW_PREFETCHABLE,
    N_POOLS = KILN_PCI_N_WINDOWS,
} Pool;

/* What is to be placed on one bus: a BAR, or all that is behind a bridge. */
typedef struct {
    KilnPciDevice *pci;
    int bar; /* BEHIND: what is behind @pci */
    uint64_t size;
    uint64_t alignment;
} Item;

enum { BEHIND = -1 };

typedef struct {
    const KilnPciSetupOptions *options;
    unsigned last_bus;
} Setup;

static uint32_t
read_config(KilnPciDevice *pci, unsigned offset, unsigned size)
{
    return kiln_pci_device_config_read(pci, offset, size);
}

static void
write_config(KilnPciDevice *pci, unsigned offset, uint32_t value, unsigned size)
{
    kiln_pci_device_config_write(pci, offset, value, size);
}

/* The next function on @bus from *@devfn on, which is moved past it; NULL after the last one. */
static KilnPciDevice *
next_function(KilnPciBus *bus, unsigned *devfn)
{
    while (*devfn < N_DEVFN) {
        KilnPciDevice *pci = kiln_pci_bus_at(bus, (uint8_t)(*devfn)++);

        if (pci != NULL)
            return pci;
    }
    return NULL;
}

/* ---- bus numbers -------------------------------------------------------------------------------
 */

/* Bridges are reset, so that ports see what is in their slots. */
static gboolean
number_buses(Setup *setup, KilnPciBus *bus, unsigned number, GError **error)
{
    unsigned devfn = 0;

    for (KilnPciDevice *pci; (pci = next_function(bus, &devfn)) != NULL;) {
        unsigned secondary = setup->last_bus + 1;

        if (pci->secondary == NULL)
            continue;
        if (secondary >= N_BUSES)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "'%s': there are more than %d PCI buses", pci->device.id,
                                  N_BUSES);
        setup->last_bus = secondary;
        kiln_device_reset(&pci->device);
        write_config(pci, PCI_PRIMARY_BUS, number, 1);
        write_config(pci, PCI_SECONDARY_BUS, secondary, 1);
        write_config(pci, PCI_SUBORDINATE_BUS, N_BUSES - 1, 1); /* while those behind are found */
        if (!number_buses(setup, pci->secondary, secondary, error))
            return FALSE;
        write_config(pci, PCI_SUBORDINATE_BUS, setup->last_bus, 1);
    }
    return TRUE;
}

/* ---- what a bus needs --------------------------------------------------------------------------
 */

static gboolean
has_hotplug(KilnPciDevice *pci)
{
    for (unsigned at = read_config(pci, PCI_CAPABILITY_LIST, 1); at != 0;
         at = read_config(pci, at + PCI_CAP_LIST_NEXT, 1))
        if (read_config(pci, at + PCI_CAP_LIST_ID, 1) == PCI_CAP_ID_EXP)
            return (read_config(pci, at + PCI_EXP_SLTCAP, 4) & PCI_EXP_SLTCAP_HPC) != 0;
    return FALSE;
}

static Pool
pool_of(const Setup *setup, KilnPciBus *bus, const KilnPciBar *bar)
{
    if (bar->kind == KILN_PCI_BAR_IO)
        return POOL_IO;
    if (bar->kind != KILN_PCI_BAR_MEMORY_64 || setup->options->high.length == 0)
        return POOL_LOW;
    return bar->prefetchable || kiln_pci_bus_bridge(bus) == NULL ? POOL_HIGH : POOL_LOW;
}

/* The least that a bridge's window is to have. */
static uint64_t
reserve(const Setup *setup, KilnPciDevice *bridge, Pool pool)
{
    if (pool == POOL_IO || !has_hotplug(bridge))
        return 0;
    if (pool == POOL_LOW)
        return HOTPLUG_LOW;
    return setup->options->high.length > 0 ? HOTPLUG_HIGH : 0;
}

static gint
compare_items(gconstpointer a, gconstpointer b)
{
    const Item *one = a, *other = b;

    if (one->alignment != other->alignment)
        return one->alignment > other->alignment ? -1 : 1;
    if (one->pci->devfn != other->pci->devfn)
        return one->pci->devfn < other->pci->devfn ? -1 : 1;
    return one->bar - other->bar;
}

static GArray *list_items(const Setup *setup, KilnPciBus *bus, Pool pool);

/* Appends what is behind @bridge, if anything. */
static void
add_window(const Setup *setup, KilnPciDevice *bridge, Pool pool, GArray *items)
{
    g_autoptr(GArray) behind = list_items(setup, bridge->secondary, pool);
    uint64_t grain = pool == POOL_IO ? IO_GRAIN : MEMORY_GRAIN;
    Item window = { .pci = bridge, .bar = BEHIND, .alignment = grain };

    for (guint i = 0; i < behind->len; i++) {
        const Item *item = &g_array_index(behind, Item, i);

        window.alignment = MAX(window.alignment, item->alignment);
        window.size = kiln_align_up(window.size, item->alignment) + item->size;
    }
    window.size = kiln_align_up(MAX(window.size, reserve(setup, bridge, pool)), grain);
    if (window.size > 0)
        g_array_append_val(items, window);
}

/* (element-type Item) (transfer full): what @bus has to place in @pool, in the order of placing. */
static GArray *
list_items(const Setup *setup, KilnPciBus *bus, Pool pool)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(Item));
    unsigned devfn = 0;

    for (KilnPciDevice *pci; (pci = next_function(bus, &devfn)) != NULL;) {
        for (int i = 0; i <= KILN_PCI_ROM; i++) {
            const KilnPciBar *bar = &pci->bars[i];
            Item item = {
                .pci = pci, .bar = i, .size = bar->region.length, .alignment = bar->region.length
            };

            if (bar->kind != KILN_PCI_BAR_NONE && pool_of(setup, bus, bar) == pool)
                g_array_append_val(items, item);
        }
        if (pci->secondary != NULL)
            add_window(setup, pci, pool, items);
    }
    g_array_sort(items, compare_items);
    return items;
}

/* ---- giving out --------------------------------------------------------------------------------
 */

static void
set_bar(KilnPciDevice *pci, unsigned index, uint64_t base)
{
    unsigned offset = kiln_pci_device_bar_offset(pci, index);

    write_config(pci, offset, (uint32_t)base, 4);
    if (pci->bars[index].kind == KILN_PCI_BAR_MEMORY_64)
        write_config(pci, offset + 4, (uint32_t)(base >> 32), 4);
}

/* The window's last byte is @last; one before @base closes it. */
static void
set_window(KilnPciDevice *bridge, Pool pool, uint64_t base, uint64_t last)
{
    switch (pool) {
    case POOL_IO:
        write_config(bridge, PCI_IO_BASE, base >> 8 & 0xf0, 1);
        write_config(bridge, PCI_IO_LIMIT, last >> 8 & 0xf0, 1);
        break;
    case POOL_LOW:
        write_config(bridge, PCI_MEMORY_BASE, base >> 16 & 0xfff0, 2);
        write_config(bridge, PCI_MEMORY_LIMIT, last >> 16 & 0xfff0, 2);
        break;
    default:
        write_config(bridge, PCI_PREF_MEMORY_BASE, base >> 16 & 0xfff0, 2);
        write_config(bridge, PCI_PREF_MEMORY_LIMIT, last >> 16 & 0xfff0, 2);
        write_config(bridge, PCI_PREF_BASE_UPPER32, (uint32_t)(base >> 32), 4);
        write_config(bridge, PCI_PREF_LIMIT_UPPER32, (uint32_t)(last >> 32), 4);
        break;
    }
}

static void
close_windows(KilnPciBus *bus)
{
    unsigned devfn = 0;

    for (KilnPciDevice *pci; (pci = next_function(bus, &devfn)) != NULL;) {
        if (pci->secondary == NULL)
            continue;
        set_window(pci, POOL_IO, 0xf000, 0);
        set_window(pci, POOL_LOW, 0xfff00000, 0);
        set_window(pci, POOL_HIGH, 0xfff00000, 0);
        close_windows(pci->secondary);
    }
}

static gboolean
fill_window(const Setup *setup, KilnPciBus *bus, Pool pool, const KilnPciWindow *window,
            GError **error)
{
    static const char *const names[N_POOLS] = {
        [POOL_IO] = "I/O", [POOL_LOW] = "32-bit memory", [POOL_HIGH] = "64-bit memory"
    };
    g_autoptr(GArray) items = list_items(setup, bus, pool);
    uint64_t at = window->base;

    for (guint i = 0; i < items->len; i++) {
        const Item *item = &g_array_index(items, Item, i);
        KilnPciWindow part = { kiln_align_up(at, item->alignment), item->size };

        if (!kiln_range_inside(part.base - window->base, part.length, window->length))
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "'%s': no room for %" G_GUINT64_FORMAT
                                  " bytes in the %s window of PCI",
                                  item->pci->device.id, item->size, names[pool]);
        at = part.base + part.length;
        if (item->bar != BEHIND) {
            set_bar(item->pci, (unsigned)item->bar, part.base);
            continue;
        }
        set_window(item->pci, pool, part.base, at - 1);
        if (!fill_window(setup, item->pci->secondary, pool, &part, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

/* Where the function's pin comes to at the root: PCI-to-PCI Bridge 1.2 §9.1. */
static uint8_t
interrupt_line(const Setup *setup, const KilnPciDevice *pci, unsigned pin)
{
    const KilnPciDevice *at = pci;

    for (const KilnPciDevice *bridge; (bridge = kiln_pci_bus_bridge(at->bus)) != NULL; at = bridge)
        pin = (pin + KILN_PCI_SLOT(at->devfn)) % KILN_PCI_N_PINS;
    return setup->options->lines[KILN_PCI_SLOT(at->devfn)][pin];
}

static uint16_t
decode_bits(const KilnPciDevice *pci)
{
    uint16_t bits = 0;

    for (unsigned i = 0; i < KILN_PCI_N_BARS; i++)
        if (pci->bars[i].kind != KILN_PCI_BAR_NONE)
            bits |= pci->bars[i].kind == KILN_PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    return bits;
}

static void
finish(const Setup *setup, KilnPciBus *bus)
{
    unsigned devfn = 0;

    for (KilnPciDevice *pci; (pci = next_function(bus, &devfn)) != NULL;) {
        uint32_t command = read_config(pci, PCI_COMMAND, 2);
        unsigned pin = read_config(pci, PCI_INTERRUPT_PIN, 1);

        if (pin >= 1 && pin <= KILN_PCI_N_PINS)
            write_config(pci, PCI_INTERRUPT_LINE, interrupt_line(setup, pci, pin - 1), 1);
        if (pci->secondary != NULL) {
            finish(setup, pci->secondary);
            command |= PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
        } else if (setup->options->decode) {
            command |= decode_bits(pci);
        }
        write_config(pci, PCI_COMMAND, command, 2);
    }
}

gboolean
kiln_pci_setup(KilnPciHost *host, const KilnPciSetupOptions *options, GError **error)
{
    KilnPciBus *root = kiln_pci_host_root(host);
    Setup setup = { .options = options };

    if (!number_buses(&setup, root, 0, error))
        return FALSE;
    close_windows(root);
    if (!fill_window(&setup, root, POOL_IO, &options->io, error) ||
        !fill_window(&setup, root, POOL_LOW, &options->low, error) ||
        !fill_window(&setup, root, POOL_HIGH, &options->high, error))
        return FALSE;
    finish(&setup, root);
    return TRUE;
}
