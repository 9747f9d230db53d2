/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PCI functions that drivers configure: a root port, functions behind it and beside it, MSI-X, the
 * watchdog, under any sequence of configuration and memory accesses, hot-plug, resets, interrupts,
 * passing time, and saving and loading.  The input is a list of 8-byte steps:
 *
 *   byte 0  what to do and, in the upper bits, the size of the access
 *   byte 1  which window
 *   2, 3    offset into it, little-endian, modulo its length
 *   4 to 7  data
 *
 * Held at every step: a vector's eventfd is connected if and only if the guest has unmasked it.
 */
#include <stdint.h>
#include <string.h>

#include "base/le.h"
#include "bus/pci-setup.h"
#include "device/i6300esb.h"
#include "device/root-port.h"
#include "tests/lib/kiln-board.h"
#include "tests/lib/kiln-card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 4096, N_VECTORS = 40 };

#define ECAM UINT64_C(0xe0000000)
#define LOW  UINT64_C(0x80000000)
#define HIGH UINT64_C(0x100000000)

typedef struct {
    uint64_t base;
    uint32_t length;
} Window;

static const Window windows[] = {
    { ECAM + (2 << 15), 0x100 },           /* the port */
    { ECAM + (1 << 20), 0x100 },           /* behind it, if it is bus 1 */
    { ECAM + (3 << 15), 0x100 },           /* the other card */
    { ECAM + (4 << 15), 0x100 },           /* the watchdog */
    { ECAM, 0x8000 },                      /* nothing, all of bus 0's functions */
    { ECAM + (5 << 20), 0x10000 },         /* some other bus */
    { LOW, 0x1000 },                       /* where kiln_pci_setup() puts BARs */
    { LOW + 0x100000, 0x1000 },            /* the same */
    { LOW + 0x200000, 0x8000 },            /* the same */
    { HIGH, 0x8000 },                      /* the same */
    { HIGH + (UINT64_C(32) << 20), 4096 }, /* behind the last window */
};

typedef struct {
    KilnBoard *board;
    KilnPciDevice *port;
    KilnPciDevice *watchdog;
    KilnCard *card;
    KilnCard *behind; /* (nullable): in the slot */
    gboolean ejected;
} Machine;

static void
ejected(void *opaque, KilnPciDevice *port)
{
    ((Machine *)opaque)->ejected = TRUE;
}

static void
expired(void *opaque)
{
}

static KilnCard *
new_card(const char *id, uint32_t instance)
{
    KilnCard *card = kiln_card_new(id, N_VECTORS);

    card->pci.device.instance = instance;
    kiln_card_add_bar(card, 0, KILN_PCI_BAR_IO, FALSE, 0x20);
    kiln_card_add_bar(card, 4, KILN_PCI_BAR_MEMORY_64, TRUE, 0x4000);
    return card;
}

static void
set_up(Machine *machine)
{
    KilnPciSetupOptions options = {
        .io = { 0x1000, 0xf000 },
        .low = { LOW, 0x60000000 },
        .high = { HIGH, UINT64_C(1) << 32 },
        .decode = TRUE,
    };

    if (!kiln_pci_setup(machine->board->host, &options, NULL))
        g_error("what is there does not fit");
}

static void
machine_open(Machine *machine)
{
    KilnBoard *board = kiln_board_new();
    KilnPciBus *root = kiln_pci_host_root(board->host);
    KilnRootPortOptions port = {
        .id = "port", .number = 1, .hotplug = TRUE, .ejected = ejected, .opaque = machine
    };
    KilnI6300esbOptions watchdog = { .id = "dog", .clock = board->clock, .expired = expired };

    *machine = (Machine){ .board = board };
    kiln_pci_host_set_ecam(board->host, ECAM, 256 << 20);
    machine->port = kiln_root_port_new(&port, NULL);
    machine->card = new_card("card", 0);
    machine->watchdog = kiln_i6300esb_new(&watchdog);
    kiln_pci_bus_add(root, machine->port, KILN_PCI_DEVFN(2, 0), NULL);
    kiln_pci_bus_add(root, &machine->card->pci, KILN_PCI_DEVFN(3, 0), NULL);
    kiln_pci_bus_add(root, machine->watchdog, KILN_PCI_DEVFN(4, 0), NULL);
    kiln_device_reset(&machine->watchdog->device);
    set_up(machine);
}

static void
pull_out(Machine *machine)
{
    machine->ejected = FALSE;
    if (machine->behind == NULL)
        return;
    kiln_pci_bus_remove(&machine->behind->pci);
    kiln_pci_host_synchronize(machine->board->host);
    kiln_device_free(&machine->behind->pci.device);
    machine->behind = NULL;
    kiln_root_port_unplugged(machine->port);
}

static void
plug(Machine *machine)
{
    if (machine->behind != NULL)
        return;
    machine->behind = new_card("behind", 1);
    kiln_pci_bus_add(kiln_root_port_bus(machine->port), &machine->behind->pci, 0, NULL);
    if (!kiln_root_port_plug(machine->port, TRUE, NULL))
        pull_out(machine);
}

static void
machine_close(Machine *machine)
{
    pull_out(machine);
    kiln_device_free(&machine->watchdog->device);
    kiln_device_free(&machine->card->pci.device);
    kiln_device_free(&machine->port->device);
    kiln_board_free(machine->board);
}

static KilnDevice *
pick(const Machine *machine, unsigned n)
{
    KilnDevice *all[] = { &machine->port->device, &machine->card->pci.device,
                          &machine->watchdog->device,
                          machine->behind != NULL ? &machine->behind->pci.device
                                                  : &machine->port->device };

    return all[n % G_N_ELEMENTS(all)];
}

/* What a device is in, it can be saved in and brought back to. */
static void
resave(KilnDevice *device)
{
    KilnStateEntry entry = kiln_device_state(device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("the device '%s' does not load what it has saved", device->id);

    g_autoptr(GByteArray) again = kiln_state_save(&entry, 1);

    if (again->len != saved->len || memcmp(again->data, saved->data, saved->len) != 0)
        g_error("the device '%s' saves something else after loading", device->id);
}

static void
reset(Machine *machine)
{
    kiln_device_reset(&machine->port->device);
    kiln_device_reset(&machine->card->pci.device);
    kiln_device_reset(&machine->watchdog->device);
    if (machine->behind != NULL)
        kiln_device_reset(&machine->behind->pci.device);
    set_up(machine);
}

/* The table is read as the guest would, wherever the guest has put it. */
static void
check_card(const Machine *machine, KilnCard *card)
{
    const KilnPciBar *bar = &card->pci.bars[1];
    uint8_t *flags = card->pci.config;

    while (*flags != PCI_CAP_ID_MSIX || flags == card->pci.config)
        flags =
            card->pci.config + (flags == card->pci.config ? flags[PCI_CAPABILITY_LIST] : flags[1]);

    gboolean on = (kiln_le16_load(flags + PCI_MSIX_FLAGS) >> 14) == 2;

    for (unsigned i = 0; i < N_VECTORS; i++) {
        uint64_t mask = bar->region.ops->read(bar->region.opaque, 16 * i + 12, 4);
        gboolean connected =
            kiln_board_message(machine->board, kiln_msix_fd(card->msix, i)) != NULL;

        if (connected != (on && !(mask & 1)))
            g_error("vector %u of '%s' is %s", i, card->pci.device.id,
                    connected ? "connected though masked" : "unmasked but not connected");
    }
}

static void
access_window(Machine *machine, const uint8_t *bytes)
{
    const Window *window = &windows[bytes[1] % G_N_ELEMENTS(windows)];
    uint64_t address = window->base + kiln_le16_load(bytes + 2) % window->length;
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);
    unsigned size = 1u << (bytes[0] >> 6);

    if (bytes[0] & 1)
        kiln_space_write(machine->board->memory, address, &data, size);
    else
        kiln_space_read(machine->board->memory, address, &data, size);
}

static void
step(Machine *machine, const uint8_t *bytes)
{
    KilnCard *card = bytes[1] & 1 && machine->behind != NULL ? machine->behind : machine->card;

    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(pick(machine, bytes[1])); break;
    case 1: resave(pick(machine, bytes[1])); break;
    case 2: kiln_clock_advance(machine->board->clock, kiln_le32_load(bytes + 4) & 0xfffffff); break;
    case 3: plug(machine); break;
    case 4: kiln_root_port_unplug_request(machine->port, NULL); break;
    case 5: pull_out(machine); break;
    case 6: kiln_msix_notify(card->msix, bytes[4]); break;
    case 7: kiln_pci_device_set_intx(&card->pci, bytes[4] & 1); break;
    case 8: reset(machine); break;
    default: access_window(machine, bytes); break;
    }
    if (machine->ejected)
        pull_out(machine);
    check_card(machine, machine->card);
    if (machine->behind != NULL)
        check_card(machine, machine->behind);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Machine machine;

    machine_open(&machine);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(&machine, data + i);
    machine_close(&machine);
    return 0;
}
