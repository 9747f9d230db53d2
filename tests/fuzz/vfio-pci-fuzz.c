/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A function of the host under a driver that means harm: configuration space, registers, the MSI-X
 * table, resets, a device that changes by itself.  The input is a list of 8-byte steps, as of
 * pci-functions-fuzz.c:
 *
 *   byte 0  what to do and, in the upper bits, the size of the access
 *   byte 1  which window
 *   2, 3    offset into it, little-endian, modulo its length
 *   4 to 7  data
 *
 * Held at every step: the guest reaches the registers by itself where they are placed, and only
 * there, but never the pages with the MSI-X table and pending bits, whose bytes of the device stay
 * as they were; interrupts are on as the capabilities say; a vector is connected if and only if it
 * is unmasked; the device decodes, and has its line off.
 */
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/le.h"
#include "bus/msix.h"
#include "bus/pci-bus.h"
#include "device/vfio-pci.h"
#include "tests/lib/fake-vfio.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 2048, SLOT = 4, PORTS = 0x6000, PAGE = 4096 };

#define ECAM UINT64_C(0xe0000000)
#define BASE UINT64_C(0x140000000)

static const struct {
    uint64_t base;
    uint32_t length;
} windows[] = {
    { ECAM + (SLOT << 15), 0x100 },
    { ECAM + (SLOT << 15) + 0x100, 0xf00 },
    { ECAM + (SLOT << 15) + FAKE_VFIO_MSI, 0x18 },
    { ECAM + (SLOT << 15) + FAKE_VFIO_MSIX, 0xc },
    { ECAM + (SLOT << 15) + PCI_COMMAND, 0x28 },
    { BASE, FAKE_VFIO_BAR_BYTES },
    { BASE + FAKE_VFIO_TABLE - 8, 16 * FAKE_VFIO_N_VECTORS + 16 },
    { BASE + FAKE_VFIO_PENDING - 8, 24 },
};

typedef struct {
    KilnBoard *board;
    FakeVfio *fake;
    KilnPciDevice *pci;
} Machine;

static void
access_window(Machine *machine, const uint8_t *bytes)
{
    unsigned n = bytes[1] % G_N_ELEMENTS(windows);
    uint64_t address = windows[n].base + kiln_le16_load(bytes + 2) % windows[n].length;
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);
    unsigned size = 1u << (bytes[0] >> 6);

    if (bytes[0] & 1)
        kiln_space_write(machine->board->memory, address, &data, size);
    else
        kiln_space_read(machine->board->memory, address, &data, size);
}

/* As firmware: at its place, turned on. */
static void
set_up(Machine *machine)
{
    KilnBoard *board = machine->board;

    kiln_board_set_config(board, SLOT, PCI_BASE_ADDRESS_0, (uint32_t)BASE, 4);
    kiln_board_set_config(board, SLOT, PCI_BASE_ADDRESS_1, BASE >> 32, 4);
    kiln_board_set_config(board, SLOT, PCI_BASE_ADDRESS_4, PORTS, 4);
    kiln_board_set_config(board, SLOT, PCI_COMMAND, 7, 2);
}

static void
step(Machine *machine, const uint8_t *bytes)
{
    FakeVfio *fake = machine->fake;
    uint32_t data = kiln_le32_load(bytes + 4);

    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(&machine->pci->device); break;
    case 1: set_up(machine); break;
    case 2:
        if (fake->irqs >= 0)
            eventfd_write(fake->fds[data % fake->n_irqs], 1);
        break;
    case 3: fake->config[PCI_STATUS + (data & 1)] = bytes[2]; break;
    case 4: fake->config[FAKE_VFIO_EXPRESS + PCI_EXP_DEVCTL + (data & 3)] = bytes[2]; break;
    case 5: fake->no_slots = data & 1; break;
    case 6: fake->room = data % (FAKE_VFIO_N_VECTORS + 1); break;
    case 7:
        kiln_board_out(machine->board, (uint16_t)(PORTS + bytes[1] % 40), data,
                       1u << (bytes[0] >> 6 & 1));
        break;
    default: access_window(machine, bytes); break;
    }
}

/* ---- what holds --------------------------------------------------------------------------------
 */

static void
check_slots(const Machine *machine, gboolean any_refused)
{
    const KilnRegion *region = &machine->pci->bars[0].region;
    gboolean placed = region->space != NULL && region->decoded != KILN_SPACE_UNMAPPED;
    uint64_t mapped = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(machine->fake->slots); i++)
        mapped += machine->fake->slots[i].length;
    if (!placed && mapped > 0)
        g_error("registers are reached that are not decoded");
    if (!placed)
        return;
    for (uint64_t at = 0; at < FAKE_VFIO_BAR_BYTES; at += PAGE) {
        void *host = NULL;
        uint64_t length = fake_vfio_reached(machine->fake, region->decoded + at, &host);
        gboolean trapped = at == (FAKE_VFIO_TABLE & ~(PAGE - 1)) || at == FAKE_VFIO_PENDING;

        if (trapped ? length > 0 : length == 0 && !any_refused)
            g_error("page 0x%x is %s", (unsigned)at, trapped ? "not trapped" : "trapped");
        if (length > 0 && host != machine->fake->bar + at)
            g_error("page 0x%x is another", (unsigned)at);
    }
    if (mapped > FAKE_VFIO_BAR_BYTES - 2 * PAGE)
        g_error("more is reached than there is");
}

static void
check_interrupts(const Machine *machine)
{
    const uint8_t *config = machine->pci->config;
    uint16_t msix = kiln_le16_load(config + FAKE_VFIO_MSIX + PCI_MSIX_FLAGS);
    uint16_t msi = kiln_le16_load(config + FAKE_VFIO_MSI + PCI_MSI_FLAGS);
    int wanted = msix & PCI_MSIX_FLAGS_ENABLE ? VFIO_PCI_MSIX_IRQ_INDEX
                 : msi & PCI_MSI_FLAGS_ENABLE ? VFIO_PCI_MSI_IRQ_INDEX
                                              : -1;

    if (machine->fake->irqs != wanted)
        g_error("interrupts %d are on, not %d", machine->fake->irqs, wanted);
    if (wanted != VFIO_PCI_MSIX_IRQ_INDEX)
        return;
    for (unsigned i = 0; i < machine->fake->n_irqs; i++) {
        const KilnRegion *region = &machine->pci->bars[0].region;
        uint64_t mask = region->ops->read(region->opaque, FAKE_VFIO_TABLE + 16 * i + 12, 4);
        gboolean connected = kiln_board_message(machine->board, machine->fake->fds[i]) != NULL;

        if (connected != (!(mask & 1) && !(msix & PCI_MSIX_FLAGS_MASKALL)))
            g_error("vector %u is %s", i, connected ? "connected though masked" : "not connected");
    }
}

static void
check_device(const Machine *machine)
{
    const FakeVfio *fake = machine->fake;
    uint16_t always = PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE;

    if ((kiln_le16_load(fake->config + PCI_COMMAND) & always) != always)
        g_error("the device does not decode, or has its line on");
    for (unsigned i = 0; i < 16 * FAKE_VFIO_N_VECTORS; i++)
        if (fake->bar[FAKE_VFIO_TABLE + i] != 0)
            g_error("byte %u of the device's own MSI-X table was written", i);
    for (unsigned i = 0; i < 8; i++)
        if (fake->bar[FAKE_VFIO_PENDING + i] != 0)
            g_error("the device's own pending bits were written");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Machine machine = { .board = kiln_board_new(), .fake = fake_vfio_new() };
    KilnVfioPciOptions options = { .id = "hostdev0", .slots = fake_vfio_slots(machine.fake) };
    gboolean any_refused = FALSE;

    kiln_pci_host_set_ecam(machine.board->host, ECAM, 256 << 20);
    machine.pci = kiln_vfio_pci_new(&machine.fake->base, &options, NULL);
    kiln_pci_bus_add(kiln_pci_host_root(machine.board->host), machine.pci, KILN_PCI_DEVFN(SLOT, 0),
                     NULL);
    kiln_device_reset(&machine.pci->device);
    set_up(&machine);
    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES) {
        step(&machine, data + i);
        any_refused |= machine.fake->no_slots;
        check_slots(&machine, any_refused);
        check_interrupts(&machine);
        check_device(&machine);
    }
    kiln_device_free(&machine.pci->device);
    kiln_board_free(machine.board);
    return 0;
}
